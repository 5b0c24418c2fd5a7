//! Queues: one that is counted, and one of our own.

use health::Measurement;

use super::CHANNEL;
use super::frame::{Id, Method};
use super::session::{ACCESS_REFUSED, NOT_FOUND, Refusal, Session};
use crate::failure::Failure;
use crate::text::clean;
use crate::trace::Trace;

const DECLARE: Id = (50, 10);
pub(super) const DECLARE_OK: Id = (50, 11);

/// Bits of `queue.declare`: nothing is made.
const PASSIVE: u8 = 1;
/// Exclusive, and deleted when nobody consumes from it any more.
pub(super) const OWN: u8 = 4 | 8;

/// A queue and its limits.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) max_messages: Option<u32>,
    pub(super) min_consumers: Option<u32>,
}

impl Queue {
    /// How full it is, for people, or that it is not as it should be. `user`
    /// asks.
    pub(super) async fn count(
        &self,
        session: &mut Session,
        trace: &Trace,
        user: &str,
    ) -> Result<String, Failure> {
        let declared = declare(session, &self.name, PASSIVE).await;
        let declared = declared.map_err(|refusal| {
            refusal.in_words(trace, |code, _| self.refused(code, user, &trace.endpoint()))
        })?;
        self.judge(&declared, trace)
    }

    fn refused(&self, code: u16, user: &str, endpoint: &str) -> Option<String> {
        let (name, user) = (clean(&self.name), clean(user));
        match code {
            NOT_FOUND => Some(format!(
                "queue `{name}` does not exist ({endpoint}): check `queue` and `vhost`"
            )),
            ACCESS_REFUSED => Some(format!(
                "queue `{name}` not permitted ({endpoint}): allow `{user}` to configure, write or \
                 read it"
            )),
            _ => None,
        }
    }

    fn judge(&self, counted: &Declared, trace: &Trace) -> Result<String, Failure> {
        let (messages, consumers) = (counted.messages, counted.consumers);
        let mut measured = Measurement::new("messages", messages.into(), "");
        measured.unhealthy_at = self.max_messages.map(|most| f64::from(most) + 1.0);
        trace.measure(measured);
        trace.measure(Measurement::new("consumers", consumers.into(), ""));

        let (name, endpoint) = (clean(&self.name), trace.endpoint());
        let (messages_of, consumers_of) = (many(messages, "message"), many(consumers, "consumer"));
        if let Some(most) = self.max_messages.filter(|most| messages > *most) {
            return Err(Failure::Unexpected(format!(
                "queue `{name}` has {messages_of}, more than {most} ({endpoint})"
            )));
        }
        if let Some(fewest) = self.min_consumers.filter(|fewest| consumers < *fewest) {
            return Err(Failure::Unexpected(format!(
                "queue `{name}` has {consumers_of}, fewer than {fewest} ({endpoint})"
            )));
        }
        Ok(format!("{messages_of} and {consumers_of} in `{name}`"))
    }
}

fn many(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A queue as the broker knows it.
pub(super) struct Declared {
    pub(super) name: String,
    messages: u32,
    consumers: u32,
}

/// Declares a queue; a new one without a name.
pub(super) async fn declare(
    session: &mut Session,
    name: &str,
    how: u8,
) -> Result<Declared, Refusal> {
    let declare = Method::new(DECLARE).short(0).short_text(name).octet(how).table(&[]);
    let mut ok = session.ask(&declare.on(CHANNEL), DECLARE_OK).await?;
    let (name, messages, consumers) = (ok.short_text(), ok.long(), ok.long());
    match (name, messages, consumers) {
        (Some(name), Some(messages), Some(consumers)) => Ok(Declared { name, messages, consumers }),
        _ => Err(session.foreign().into()),
    }
}
