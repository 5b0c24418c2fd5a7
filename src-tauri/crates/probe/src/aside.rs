use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// Work that may hang in the operating system, done off the asynchronous
/// threads, with what it remembers from one time to the next.
#[derive(Debug, Default)]
pub(crate) struct Aside<S>(Arc<Mutex<S>>);

impl<S: Send + 'static> Aside<S> {
    /// Does `work`. When this is dropped, work that has begun goes on to its
    /// end, and no other begins before: a disk that hangs blocks one thread,
    /// however often it is looked at.
    ///
    /// # Errors
    /// The work panicked, or the app ends.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, String> {
        let mut state = Arc::clone(&self.0).lock_owned().await;
        let working = spawn_blocking(move || work(&mut state));
        working.await.map_err(|stopped| format!("the check came to no end: {stopped}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_hangs_blocks_one_thread_and_is_waited_for() {
        let aside = Aside::<u32>::default();
        let (let_go, held) = mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let hanging = aside.run(move |count| {
            *count += 1;
            begun.send(()).expect("somebody waits");
            held.recv()
        });
        tokio::select! {
            _ = hanging => panic!("it hangs"),
            begun = begins => begun.expect("it begins"),
        }
        // Dropped, it still hangs.
        let short = Duration::from_millis(20);
        let next = tokio::time::timeout(short, aside.run(|count| *count));
        assert!(next.await.is_err());
        let_go.send(()).expect("it waits");
        assert_eq!(aside.run(|count| *count).await, Ok(1));
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_goes_on() {
        let aside = Aside::<()>::default();
        let told = aside.run(|()| panic!("no")).await.expect_err("told");
        assert!(told.starts_with("the check came to no end"), "{told}");
        assert_eq!(aside.run(|()| 1).await, Ok(1));
    }
}
