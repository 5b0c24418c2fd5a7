use std::net::Ipv4Addr;

use health::{Observation, Outcome};
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, CNAME, NS};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

const PATIENT: Duration = Duration::from_secs(10);
/// Enough for an answer, and soon over.
const SHORT: Duration = Duration::from_millis(500);
const NAME: &str = "www.example.test.";

fn made(keys: &Value) -> Box<dyn Probe> {
    probe(keys.as_object().expect("a table")).expect("valid")
}

async fn check(keys: &Value, timeout: Duration) -> Observation {
    made(keys).check(timeout, &Context::default()).await
}

/// A server that answers over UDP with whatever datagrams `answers` gives, and
/// over TCP with the first of `tcp`.
struct Fake {
    port: u16,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Fake {
    async fn new(
        udp: impl Fn(&Message) -> Vec<Vec<u8>> + Send + 'static,
        tcp: impl Fn(&Message) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let (listener, socket) = loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
            let address = listener.local_addr().expect("bound");
            if let Ok(socket) = UdpSocket::bind(address).await {
                break (listener, socket);
            }
        };
        let port = socket.local_addr().expect("bound").port();
        let datagrams = tokio::spawn(async move {
            let mut buffer = vec![0; 65536];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.expect("a datagram");
                let question = Message::from_vec(&buffer[..length]).expect("valid");
                for answer in udp(&question) {
                    socket.send_to(&answer, from).await.expect("sent");
                }
            }
        });
        let connections = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let length = stream.read_u16().await.expect("a length");
                let mut question = vec![0; usize::from(length)];
                stream.read_exact(&mut question).await.expect("a question");
                let question = Message::from_vec(&question).expect("valid");
                stream.write_all(&tcp(&question)).await.expect("sent");
            }
        });
        Self { port, tasks: vec![datagrams, connections] }
    }

    async fn udp(answers: impl Fn(&Message) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Self::new(answers, |_| Vec::new()).await
    }

    fn keys(&self) -> Value {
        json!({"lookup": NAME, "resolver": format!("127.0.0.1:{}", self.port)})
    }

    /// What a check says, without the port.
    async fn says(&self, keys: &Value, timeout: Duration) -> Outcome {
        let seen = check(keys, timeout).await;
        let steady = |text: String| text.replace(&format!(":{}", self.port), ":PORT");
        match seen.outcome {
            Outcome::Healthy(text) => Outcome::Healthy(steady(text)),
            Outcome::Degraded(text) => Outcome::Degraded(steady(text)),
            Outcome::Unhealthy(text) => Outcome::Unhealthy(steady(text)),
            Outcome::Unknown(text) => Outcome::Unknown(steady(text)),
        }
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("valid")
}

fn response(question: &Message) -> Message {
    let mut response = question.clone().into_response();
    response.metadata.recursion_available = true;
    response
}

fn address(owner: &str, last: u8) -> Record {
    Record::from_rdata(name(owner), 60, RData::A(A(Ipv4Addr::new(192, 0, 2, last))))
}

fn with(question: &Message, records: impl IntoIterator<Item = Record>) -> Message {
    let mut response = response(question);
    response.add_answers(records);
    response
}

fn bytes(message: &Message) -> Vec<u8> {
    message.to_vec().expect("valid")
}

/// With the length before it.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("short").to_be_bytes();
    [&length[..], message].concat()
}

fn unhealthy(message: &str) -> Outcome {
    Outcome::Unhealthy(message.to_owned())
}

#[tokio::test]
async fn strays_are_passed_over() {
    let fake = Fake::udp(|question| {
        let right = with(question, [address(NAME, 1)]);
        let mut other_id = right.clone();
        other_id.metadata.id = question.metadata.id.wrapping_add(1);
        let mut other_name = right.clone();
        other_name.queries[0].set_name(name("www.evil.test."));
        let mut other_type = right.clone();
        other_type.queries[0].set_query_type(RecordType::AAAA);
        let mut question_itself = right.clone();
        question_itself.metadata.message_type = MessageType::Query;
        let strays = [other_id, other_name, other_type, question_itself];
        let mut sent: Vec<_> = strays.iter().map(bytes).collect();
        sent.extend([b"".to_vec(), b"garbage".to_vec(), vec![0xff; 600]]);
        sent.push(bytes(&right));
        sent
    })
    .await;
    let well = Outcome::Healthy("192.0.2.1".to_owned());
    assert_eq!(fake.says(&fake.keys(), PATIENT).await, well);
}

#[tokio::test]
async fn nothing_but_strays_is_no_answer() {
    let fake = Fake::udp(|question| {
        let mut other_id = with(question, [address(NAME, 1)]);
        other_id.metadata.id = question.metadata.id.wrapping_add(1);
        vec![bytes(&other_id)]
    })
    .await;
    let message =
        "timed out after 500 ms, what came was no answer to the question (127.0.0.1:PORT)";
    assert_eq!(fake.says(&fake.keys(), SHORT).await, unhealthy(message));
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_over_tcp() {
    let truncated = |question: &Message| {
        let mut short = response(question);
        short.metadata.truncation = true;
        vec![bytes(&short)]
    };
    let fake = Fake::new(truncated, |question| {
        framed(&bytes(&with(question, (0..200).map(|last| address(NAME, last)))))
    })
    .await;
    let mut keys = fake.keys();
    keys["min_answers"] = json!(200);
    let well = "192.0.2.0, 192.0.2.1, 192.0.2.10, 192.0.2.100, 192.0.2.101 and 195 more";
    assert_eq!(fake.says(&keys, PATIENT).await, Outcome::Healthy(well.to_owned()));
    let seen = check(&keys, PATIENT).await;
    assert_eq!(seen.metadata["truncated"], "asked again over TCP");
    assert!(seen.phases.connect.is_some() && seen.phases.receive.is_some());

    let again = Fake::new(truncated, move |question| framed(&truncated(question)[0])).await;
    let message = "the answer is too long for UDP, and over TCP: the resolver cut the answer off, \
                   though not over UDP (127.0.0.1:PORT)";
    assert_eq!(again.says(&again.keys(), PATIENT).await, unhealthy(message));
}

#[tokio::test]
async fn what_comes_over_tcp_must_be_the_answer() {
    let over_tcp = async |answer: fn(&Message) -> Vec<u8>| {
        let fake = Fake::new(|_| Vec::new(), answer).await;
        let mut keys = fake.keys();
        keys["transport"] = json!("tcp");
        fake.says(&keys, PATIENT).await
    };
    let other_id: fn(&Message) -> Vec<u8> = |question| {
        let mut response = response(question);
        response.metadata.id = question.metadata.id.wrapping_add(1);
        framed(&bytes(&response))
    };
    let message = "the resolver answered another question (127.0.0.1:PORT)";
    assert_eq!(over_tcp(other_id).await, unhealthy(message));
    let message = "the answer is not valid DNS: it is too short (127.0.0.1:PORT)";
    assert_eq!(over_tcp(|_| vec![0, 0]).await, unhealthy(message));
    assert_eq!(over_tcp(|_| framed(b"eleven byte")).await, unhealthy(message));
    let Outcome::Unhealthy(message) = over_tcp(|_| framed(&[0xff; 500])).await else {
        panic!("garbage is an answer")
    };
    assert!(message.starts_with("the answer is not valid DNS: "), "{message}");
    // A length that lies: the rest never comes.
    let message = "connection closed by 127.0.0.1:PORT, reading the response";
    assert_eq!(over_tcp(|_| b"\xff\xffshort".to_vec()).await, unhealthy(message));
}

#[tokio::test]
async fn a_message_that_does_not_decode_is_told() {
    // The header and the question are fine; then a name that leads to itself,
    // one that leads ahead, records that are not there, and a record cut off.
    let tails: [(&[u8], u16); 4] = [
        (b"\xc0\x22\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01", 1),
        (b"\xc0\xff\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01", 1),
        (b"", 65535),
        (b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0", 1),
    ];
    for (tail, answers) in tails {
        let fake = Fake::udp(move |question| {
            let mut plain = response(question);
            plain.edns = None;
            let mut message = bytes(&plain);
            message[6..8].copy_from_slice(&answers.to_be_bytes());
            message.extend_from_slice(tail);
            vec![message]
        })
        .await;
        let Outcome::Unhealthy(message) = fake.says(&fake.keys(), PATIENT).await else {
            panic!("{tail:?} is an answer")
        };
        assert!(message.starts_with("the answer is not valid DNS: "), "{message}");
        assert!(message.ends_with(" (127.0.0.1:PORT)"), "{message}");
    }
}

#[tokio::test]
async fn a_maze_of_names_has_an_end() {
    // Pointers, each to the one before, and records whose names begin there.
    let fake = Fake::udp(|question| {
        let mut plain = response(question);
        plain.edns = None;
        let mut message = bytes(&plain);
        let start = message.len();
        message.extend_from_slice(b"\xc0\x0c\xff\0\0\x01\0\0\0\x3c");
        let maze = 16_300 - start;
        message.extend_from_slice(&u16::try_from(maze).expect("short").to_be_bytes());
        let first = message.len();
        for at in (first..first + maze - 1).step_by(2) {
            let before = if at == first { 12 } else { at - 2 };
            let pointer = u16::try_from(before).expect("short") | 0xc000;
            message.extend_from_slice(&pointer.to_be_bytes());
        }
        message.resize(first + maze, 0);
        let end = u16::try_from(first + (maze / 2 - 1) * 2).expect("short") | 0xc000;
        let mut records = 1_u16;
        while message.len() < 65_000 {
            message.extend_from_slice(&end.to_be_bytes());
            message.extend_from_slice(b"\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
            records += 1;
        }
        message[6..8].copy_from_slice(&records.to_be_bytes());
        vec![message]
    })
    .await;
    let well = Outcome::Healthy("192.0.2.1".to_owned());
    assert_eq!(fake.says(&fake.keys(), PATIENT).await, well);
}

#[tokio::test]
async fn aliases_are_followed_and_others_records_are_not_answers() {
    let alias = |owner: &str, target: &str| {
        Record::from_rdata(name(owner), 30, RData::CNAME(CNAME(name(target))))
    };
    let fake = Fake::udp(move |question| {
        vec![bytes(&with(
            question,
            [
                address("evil.test.", 66),
                alias("b.test.", "c.test."),
                alias("WWW.Example.test.", "b.test."),
                address("c.test.", 3),
            ],
        ))]
    })
    .await;
    let seen = check(&fake.keys(), PATIENT).await;
    assert_eq!(seen.outcome, Outcome::Healthy("192.0.2.3".to_owned()));
    assert_eq!(seen.metadata["ttl"], "30");

    let circle = Fake::udp(move |question| {
        vec![bytes(&with(question, [alias(NAME, "b.test."), alias("b.test.", NAME)]))]
    })
    .await;
    let message = "`www.example.test` has no A record (127.0.0.1:PORT)";
    assert_eq!(circle.says(&circle.keys(), PATIENT).await, unhealthy(message));
}

#[tokio::test]
async fn a_referral_is_no_answer() {
    let fake = Fake::udp(|question| {
        let mut referral = response(question);
        referral.metadata.recursion_available = false;
        let other = Record::from_rdata(name("test."), 60, RData::NS(NS(name("ns.test."))));
        referral.add_authority(other);
        vec![bytes(&referral)]
    })
    .await;
    let message = "the resolver knows nothing of `www.example.test` but other name servers: name \
                   one that looks names up for others (127.0.0.1:PORT)";
    assert_eq!(fake.says(&fake.keys(), PATIENT).await, unhealthy(message));
}

#[tokio::test]
async fn errors_are_told_with_the_reason_that_came() {
    for (code, reason, message) in [
        (
            ResponseCode::ServFail,
            Some(&b"\0\x06no good\n"[..]),
            "the resolver failed to look up `www.example.test` (SERVFAIL from 127.0.0.1:PORT): \
             DNSSEC bogus (no good)",
        ),
        (
            ResponseCode::Refused,
            Some(b"\0\x12"),
            "the resolver refuses to look up `www.example.test` (REFUSED from 127.0.0.1:PORT): \
             prohibited",
        ),
        (
            ResponseCode::NXDomain,
            Some(b"\xff"),
            "`www.example.test` does not exist (NXDOMAIN from 127.0.0.1:PORT)",
        ),
        (
            ResponseCode::FormErr,
            None,
            "the resolver did not understand the question (FORMERR from 127.0.0.1:PORT)",
        ),
        (
            ResponseCode::NotImp,
            None,
            "the resolver does not answer such questions (NOTIMP from 127.0.0.1:PORT)",
        ),
        (ResponseCode::NotAuth, None, "the resolver answered with error 9 (127.0.0.1:PORT)"),
    ] {
        let fake = Fake::udp(move |question| {
            let mut refused = response(question);
            refused.metadata.response_code = code;
            refused.queries.clear();
            if let (Some(edns), Some(reason)) = (&mut refused.edns, reason) {
                edns.options_mut().insert(EdnsOption::Unknown(15, reason.to_vec()));
            }
            vec![bytes(&refused)]
        })
        .await;
        assert_eq!(fake.says(&fake.keys(), PATIENT).await, unhealthy(message));
    }
}

#[tokio::test]
async fn a_failure_keeps_what_came() {
    let fake = Fake::udp(|question| vec![bytes(&with(question, [address(NAME, 1)]))]).await;
    let mut keys = fake.keys();
    keys["expect"] = json!("192.0.2.2");
    let seen = check(&keys, PATIENT).await;
    assert_eq!(seen.evidence.body.as_deref(), Some("www.example.test. 60 IN A 192.0.2.1"));
    assert!(seen.response_time.is_some());
}

#[test]
fn every_mistake_has_its_place() {
    for (keys, path, message) in [
        (json!({"lookup": "192.0.2.1"}), "lookup", "`192.0.2.1` is an address"),
        (json!({"lookup": "x", "expect": ["::1"]}), "expect", "`::1` is not what A records hold"),
        (json!({"lookup": "x", "transport": "tls"}), "resolver", "`resolver` is missing"),
        (json!({"lookup": "x", "transport": "https"}), "resolver", "`resolver` is missing"),
        (json!({"lookup": "x", "resolver": "a:0"}), "resolver", "port 0 is out of range"),
        (json!({"lookup": "x", "match": "any"}), "match", "there is nothing to compare with"),
        (json!({"lookup": "x", "record": "SOA"}), "record", "`SOA` is not one of the choices"),
    ] {
        let mistakes = probe(keys.as_object().expect("a table")).err().expect("mistakes");
        assert_eq!(mistakes[0].message, message);
        assert_eq!(mistakes[0].path[0], crate::Step::Key(path.to_owned()));
    }
}

#[test]
fn targets_for_people() {
    for (keys, target, host) in [
        (json!({"lookup": "Example.test."}), "example.test A", "example.test"),
        (
            json!({"lookup": "example.test", "record": "MX", "resolver": "::1"}),
            "example.test MX at [::1]:53",
            "::1",
        ),
        (
            json!({"lookup": "192.0.2.1", "record": "PTR", "resolver": "ns", "transport": "tls"}),
            "1.2.0.192.in-addr.arpa PTR at ns:853",
            "ns",
        ),
        (
            json!({"lookup": "x", "resolver": "https://[::1]/q", "transport": "https"}),
            "x A at [::1]:443",
            "::1",
        ),
    ] {
        let probe = made(&keys);
        assert_eq!((probe.target().as_str(), probe.host()), (target, host));
    }
}
