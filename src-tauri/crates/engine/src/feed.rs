use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use health::Event;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Results that wait for a slow listener; beyond, the oldest are lost.
const RESULTS: usize = 4096;

/// Tells everyone who listens what happens. Telling never waits: each listener
/// has a queue of its own, locked for pushing and taking only.
///
/// Results and news (everything else) are two streams. A listener that falls
/// behind loses results, and is told how many; news are never lost.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<Listeners>>);

#[derive(Default)]
struct Listeners {
    queues: Vec<Weak<Queue>>,
    ended: bool,
}

impl Feed {
    /// Everything that happens from now on.
    pub fn listen(&self) -> Listener {
        let queue = Arc::new(Queue::default());
        let mut listeners = self.0.lock();
        queue.waiting.lock().ended = listeners.ended;
        listeners.queues.push(Arc::downgrade(&queue));
        Listener { queue }
    }

    pub fn tell(&self, event: &Event) {
        self.0.lock().tell_all(|waiting| waiting.push(event));
    }

    /// Nothing will happen any more.
    pub fn end(&self) {
        let mut listeners = self.0.lock();
        listeners.ended = true;
        listeners.tell_all(|waiting| {
            waiting.ended = true;
            true
        });
    }
}

impl Listeners {
    fn tell_all(&mut self, tell: impl Fn(&mut Waiting) -> bool) {
        self.queues.retain(|listener| {
            let Some(queue) = listener.upgrade() else { return false };
            if tell(&mut queue.waiting.lock()) {
                queue.arrived.notify_one();
            }
            true
        });
    }
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

/// Two streams that are put together again in the order things happened.
#[derive(Default)]
struct Waiting {
    results: VecDeque<(u64, Event)>,
    news: VecDeque<(u64, Event)>,
    told: u64,
    lost: u64,
    only_news: bool,
    ended: bool,
}

impl Waiting {
    /// False when the listener does not care.
    fn push(&mut self, event: &Event) -> bool {
        let is_result = matches!(event, Event::Result { .. });
        if is_result && self.only_news {
            return false;
        }
        self.told += 1;
        let stream = if is_result { &mut self.results } else { &mut self.news };
        stream.push_back((self.told, event.clone()));
        if self.results.len() > RESULTS {
            self.results.pop_front();
            self.lost += 1;
        }
        true
    }

    fn pop(&mut self) -> Option<Heard> {
        if self.lost > 0 {
            return Some(Heard::Lost(std::mem::take(&mut self.lost)));
        }
        let first = |stream: &VecDeque<(u64, Event)>| stream.front().map_or(u64::MAX, |(n, _)| *n);
        let result_first = first(&self.results) < first(&self.news);
        let stream = if result_first { &mut self.results } else { &mut self.news };
        stream.pop_front().map(|(_, event)| Heard::Event(event))
    }
}

/// What a listener hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Something happened.
    Event(Event),
    /// So many results went by too fast; nothing else did.
    Lost(u64),
}

/// Hears everything that happens, in order, at its own pace.
pub struct Listener {
    queue: Arc<Queue>,
}

impl Listener {
    /// Hears everything but results from now on, and so can lose nothing.
    #[must_use]
    pub fn only_news(self) -> Self {
        {
            let mut waiting = self.queue.waiting.lock();
            waiting.only_news = true;
            waiting.results.clear();
            waiting.lost = 0;
        }
        self
    }

    /// What happened next; `None` when the engine has stopped.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            {
                let mut waiting = self.queue.waiting.lock();
                let heard = waiting.pop();
                if heard.is_some() || waiting.ended {
                    return heard;
                }
            }
            self.queue.arrived.notified().await;
        }
    }

    /// What happened next, if it has already.
    pub fn try_next(&mut self) -> Option<Heard> {
        self.queue.waiting.lock().pop()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use health::{CheckResult, ServiceId, Status, Timestamp};

    use super::*;

    fn id() -> ServiceId {
        ServiceId::new("api").expect("a valid id")
    }

    fn result(at: i64) -> Event {
        let result = CheckResult::new(Timestamp(at), Status::Healthy, None, "");
        Event::Result { service: id(), result: Arc::new(result) }
    }

    fn news(at: i64) -> Event {
        Event::FlappingStarted { at: Timestamp(at), service: id() }
    }

    #[tokio::test]
    async fn a_slow_listener_loses_results_and_no_news() {
        let feed = Feed::default();
        let mut slow = feed.listen();
        feed.tell(&news(0));
        for at in 0..5000 {
            feed.tell(&result(at));
        }
        feed.tell(&news(1));
        feed.end();
        assert_eq!(slow.next().await, Some(Heard::Lost(5000 - 4096)));
        assert_eq!(slow.next().await, Some(Heard::Event(news(0))));
        assert_eq!(slow.next().await, Some(Heard::Event(result(5000 - 4096))));
        let mut last = None;
        while let Some(heard) = slow.next().await {
            last = Some(heard);
        }
        assert_eq!(last, Some(Heard::Event(news(1))));
    }

    #[tokio::test]
    async fn who_wants_news_only_is_not_woken_for_results() {
        let feed = Feed::default();
        let mut listener = feed.listen().only_news();
        feed.tell(&result(0));
        feed.tell(&news(1));
        assert_eq!(listener.next().await, Some(Heard::Event(news(1))));
        assert_eq!(listener.try_next(), None);
    }

    #[tokio::test]
    async fn everyone_hears_what_happens_while_they_listen() {
        let feed = Feed::default();
        let mut first = feed.listen();
        feed.tell(&news(1));
        let mut second = feed.listen();
        drop(feed.listen());
        feed.tell(&news(2));
        feed.end();
        assert_eq!(first.next().await, Some(Heard::Event(news(1))));
        assert_eq!(first.next().await, Some(Heard::Event(news(2))));
        assert_eq!(second.next().await, Some(Heard::Event(news(2))));
        assert_eq!(second.next().await, None);
        assert_eq!(feed.listen().next().await, None, "it has ended");
    }
}
