use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// A child process; it and all it started are gone when this is dropped.
pub struct Process {
    child: Child,
    group: Pid,
}

impl Process {
    /// Starts a program that came with `package`; what it says goes to the
    /// file `said`.
    pub fn start(command: &mut Command, package: &str, said: &Path) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let said =
            File::options().create(true).append(true).open(said).expect("a file to write to");
        command.stdin(Stdio::null()).stderr(said).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{program} does not start ({error}): install the package {package}")
        });
        let group = Pid::from_child(&child);
        Self { child, group }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its output, where it was asked to be piped.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("piped output")
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child to wait for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its children may be there when it is not; all may be gone already.
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}
