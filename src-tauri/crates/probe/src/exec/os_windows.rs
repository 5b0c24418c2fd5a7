use std::io;
use std::process::ExitStatus;

use process_wrap::tokio::{ChildWrapper, CommandWrap, CreationFlags, JobObject, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdout, Command};

/// `CREATE_NO_WINDOW`: no console flashes up.
const NO_WINDOW: u32 = 0x0800_0000;

/// A program and all that it started, in one job object. Dropping it ends them
/// all.
#[derive(Debug)]
pub(super) struct Running(Box<dyn ChildWrapper>);

impl Running {
    pub(super) fn start(command: Command) -> io::Result<Self> {
        let mut flags = CreationFlags(Default::default());
        flags.0.0 = NO_WINDOW;
        let mut command = CommandWrap::from(command);
        command.wrap(flags).wrap(KillOnDrop).wrap(JobObject).spawn().map(Self)
    }

    /// Its standard output and error, once.
    pub(super) fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.0.stdout().take(), self.0.stderr().take())
    }

    /// Waits for its end, and ends what it left behind.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        // The job's own `wait` would wait for those left behind.
        let status = self.0.inner_mut().wait().await;
        // Nobody may be left.
        let _ = self.0.start_kill();
        status
    }
}
