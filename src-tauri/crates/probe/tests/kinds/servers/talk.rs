//! As little of a protocol as it takes to see that a server answers.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

thread_local! {
    /// How long an answer may take before the server counts as hanging.
    static PATIENCE: Cell<Duration> = const { Cell::new(Duration::from_secs(20)) };
}

/// Waits but a second for each answer: where one that does not come is asked
/// for again, or expected.
pub fn impatiently<T>(ask: impl FnOnce() -> T) -> T {
    let before = PATIENCE.replace(Duration::from_secs(1));
    let answer = ask();
    PATIENCE.set(before);
    answer
}

/// A connection, plain or encrypted.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Connects to a port of 127.0.0.1.
pub fn plain(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE.get())).ok()?;
    stream.set_write_timeout(Some(PATIENCE.get())).ok()?;
    Some(stream)
}

/// Encrypts a connection to `localhost` as `ca` has certified it.
pub fn encrypt(stream: TcpStream, ca: &CertificateDer<'static>) -> Option<impl Stream + use<>> {
    encrypt_with(stream, ca, None)
}

fn encrypt_with(
    stream: TcpStream,
    ca: &CertificateDer<'static>,
    protocol: Option<&[u8]>,
) -> Option<impl Stream + use<>> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("supported")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols.extend(protocol.map(<[u8]>::to_vec));
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("configured");
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).ok()?;
    }
    Some(stream)
}

/// Connects to a port that speaks TLS from the start.
pub fn tls(port: u16, ca: &CertificateDer<'static>) -> Option<impl Stream + use<>> {
    encrypt(plain(port)?, ca)
}

/// The same, for that protocol (ALPN).
pub fn tls_with(
    port: u16,
    ca: &CertificateDer<'static>,
    protocol: &[u8],
) -> Option<impl Stream + use<>> {
    encrypt_with(plain(port)?, ca, Some(protocol))
}

/// Sends, then reads until the answer holds `expected`; `None` where it never
/// does. Gives back all that was read.
pub fn say(stream: &mut impl Stream, question: impl AsRef<[u8]>, expected: &str) -> Option<String> {
    stream.write_all(question.as_ref()).ok()?;
    stream.flush().ok()?;
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        if String::from_utf8_lossy(&answer).contains(expected) {
            return Some(String::from_utf8_lossy(&answer).into_owned());
        }
        match stream.read(&mut bytes) {
            Ok(length @ 1..) => answer.extend_from_slice(&bytes[..length]),
            Ok(0) | Err(_) => return None,
        }
    }
}

/// Whether a new plain connection gives the expected answer.
pub fn answers(port: u16, question: impl AsRef<[u8]>, expected: &str) -> bool {
    plain(port).is_some_and(|mut stream| say(&mut stream, question, expected).is_some())
}

/// Whether a new encrypted connection gives the expected answer.
pub fn answers_tls(
    port: u16,
    ca: &CertificateDer<'static>,
    question: impl AsRef<[u8]>,
    expected: &str,
) -> bool {
    tls(port, ca).is_some_and(|mut stream| say(&mut stream, question, expected).is_some())
}
