use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use secret_service::{EncryptionType, Error, Item, SecretService};
use tokio::runtime::Builder;

use super::KeychainError;

/// How long the keychain may take: a person may have to unlock it first.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks on a thread with a runtime of its own: whoever asks may be a task of
/// one, which can not wait for another task of the same thread.
pub(super) fn read(service: &str, account: &str) -> Result<String, KeychainError> {
    let ask = || {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(unreachable)?;
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, find(service, account)).await })
            .unwrap_or_else(|_| Err(unreachable("it does not answer")))
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("keychain".to_owned());
        let asked = thread.spawn_scoped(scope, ask).map_err(unreachable)?;
        asked.join().unwrap_or_else(|_| Err(unreachable("this went wrong inside")))
    })
}

/// Entries made by programs that use Rust's `keyring` have a target, those made
/// by `secret-tool` and people have none.
async fn find(service: &str, account: &str) -> Result<String, KeychainError> {
    let keychain = SecretService::connect(EncryptionType::Dh).await.map_err(unanswered)?;
    let entry = HashMap::from([("service", service), ("username", account)]);
    let with_target = entry.iter().map(|(key, value)| (*key, *value));
    let with_target = with_target.chain([("target", "default")]).collect();
    for attributes in [with_target, entry] {
        let found = keychain.search_items(attributes).await.map_err(unanswered)?;
        let mut items = found.unlocked.into_iter().chain(found.locked);
        match (items.next(), items.count()) {
            (None, _) => {}
            (Some(item), 0) => return secret(&item).await,
            (Some(_), more) => {
                return Err(unreachable(format!("it has {} such entries", more + 1)));
            }
        }
    }
    Err(KeychainError::NoEntry)
}

async fn secret(item: &Item<'_>) -> Result<String, KeychainError> {
    if item.is_locked().await.map_err(unanswered)? {
        item.unlock().await.map_err(unanswered)?;
    }
    let secret = item.get_secret().await.map_err(unanswered)?;
    String::from_utf8(secret).map_err(|_| unreachable("the entry is no text"))
}

fn unanswered(error: Error) -> KeychainError {
    match error {
        Error::Unavailable => unreachable("there is none on the session bus"),
        Error::Prompt => unreachable("it was not unlocked"),
        Error::Zbus(error) => unreachable(error),
        other => unreachable(other),
    }
}

fn unreachable(reason: impl ToString) -> KeychainError {
    KeychainError::Unreachable(reason.to_string())
}
