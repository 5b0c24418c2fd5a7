use futures_util::StreamExt;
use health::Power;
use tokio::sync::mpsc;
use zbus::message::Type;
use zbus::{Connection, MatchRule, MessageStream};

/// Passes on logind's `PrepareForSleep` until nobody listens.
///
/// # Errors
/// When there is no system bus.
pub(super) async fn watch(tell: mpsc::UnboundedSender<Power>) -> zbus::Result<()> {
    let bus = Connection::system().await?;
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.login1")?
        .interface("org.freedesktop.login1.Manager")?
        .member("PrepareForSleep")?
        .build();
    let mut signals = MessageStream::for_match_rule(rule, &bus, None).await?;
    while let Some(signal) = signals.next().await {
        let about_to_sleep: bool = signal?.body().deserialize()?;
        let power = if about_to_sleep { Power::Sleeping } else { Power::Awake };
        if tell.send(power).is_err() {
            break;
        }
    }
    Ok(())
}
