//! One run of a program, and what it prints, bounded.

use std::borrow::Cow;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::os::Running;

/// What is kept of standard output, and of standard error.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// How long somebody who left the program's group, and still holds its output,
/// is listened to.
const GRACE: Duration = Duration::from_millis(100);

/// What a program printed so far, known even when it is cut off.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Output {
    /// Standard output, without a last word that may be cut in two.
    pub(super) fn text(&self) -> Cow<'_, str> {
        let is_cut = self.stdout.len() >= MAX_BYTES;
        let last = self.stdout.iter().rposition(u8::is_ascii_whitespace).filter(|_| is_cut);
        String::from_utf8_lossy(&self.stdout[..last.unwrap_or(self.stdout.len())])
    }

    pub(super) fn errors(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// Both, standard output first.
    pub(super) fn all(&self) -> Vec<u8> {
        let between: &[u8] = match (self.stdout.last(), self.stderr.is_empty()) {
            (Some(last), false) if *last != b'\n' => b"\n",
            _ => b"",
        };
        [&self.stdout, between, &self.stderr].concat()
    }
}

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// From its start to its end.
    pub(super) took: Duration,
}

/// Waits for the end of a program that was started at `begun`, and of all that
/// it printed. When this is dropped, the program is ended with all its own.
pub(super) async fn to_the_end(
    mut running: Running,
    begun: Instant,
    output: &mut Output,
) -> io::Result<Ended> {
    let (stdout, stderr) = running.outputs();
    let (ended, end) = oneshot::channel::<()>();
    let waiting = async {
        let status = running.wait().await?;
        drop(ended);
        Ok(Ended { status, took: begun.elapsed() })
    };
    let reading = async {
        tokio::join!(keep(stdout, &mut output.stdout), keep(stderr, &mut output.stderr));
    };
    let listening = async {
        tokio::select! {
            () = reading => {}
            () = async { let _ = end.await; sleep(GRACE).await } => {}
        }
    };
    tokio::join!(waiting, listening).0
}

/// Reads to the end, so that whoever writes need not wait, and keeps the
/// beginning.
async fn keep(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 8 * 1024];
    // A pipe that breaks has said all.
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let room = MAX_BYTES - kept.len();
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
}
