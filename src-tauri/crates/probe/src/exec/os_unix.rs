use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// A program and all that it started and that stayed in its process group.
/// Dropping it ends them all.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// The process group, while somebody may be in it.
    group: Option<Pid>,
}

impl Running {
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Ok(Self { child, group })
    }

    /// Its standard output and error, once.
    pub(super) fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for its end, and ends what it left behind.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.end();
        status
    }

    fn end(&mut self) {
        if let Some(group) = self.group.take() {
            // Nobody may be left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The group first: once the program itself has ended and was waited
        // for, its number could be another's.
        self.end();
    }
}
