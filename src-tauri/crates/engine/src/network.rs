use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

/// An interface other than loopback is up and has an address.
pub(crate) fn interface_is_up() -> bool {
    // When the system can't tell, failures count: better an alarm too many.
    if_addrs::get_if_addrs().map_or(true, |interfaces| {
        interfaces.iter().any(|i| !i.is_loopback() && i.is_oper_up() && !i.is_link_local())
    })
}

/// How long one connectivity target may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Any of `targets` (`host:port`) accepts a connection. Without targets the
/// internet is taken to answer.
pub(crate) async fn internet_answers(targets: Vec<String>) -> bool {
    if targets.is_empty() {
        return true;
    }
    let mut tries = tokio::task::JoinSet::new();
    for target in targets {
        tries.spawn(async move {
            let connect = TcpStream::connect(&target);
            matches!(timeout(ANSWER_WITHIN, connect).await, Ok(Ok(_)))
        });
    }
    while let Some(answer) = tries.join_next().await {
        if matches!(answer, Ok(true)) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_answer_is_enough() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let open = listener.local_addr().expect("bound").to_string();
        assert!(internet_answers(vec!["127.0.0.1:1".to_owned(), open]).await);
        assert!(!internet_answers(vec!["127.0.0.1:1".to_owned()]).await);
        assert!(internet_answers(vec![]).await);
    }
}
