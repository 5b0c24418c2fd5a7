//! `check = "tls"` against servers with certificates of every sort.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use health::Outcome;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS12;
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, Identity, LOOPBACK};
use crate::relay::{Relay, refused_port};
use crate::servers::Server;
use crate::servers::dovecot::Dovecot;
use crate::servers::mariadb::MariaDb;
use crate::servers::postgres::Postgres;
use crate::servers::smtp::Smtp;
use crate::trial::{Trial, Wrong, fails, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// Shakes hands, says nothing. It ends with the test.
struct Mute {
    port: u16,
    task: JoinHandle<()>,
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mute {
    async fn with(identity: &Identity) -> Self {
        Self::speaking(ALL_VERSIONS, identity).await
    }

    async fn speaking(versions: &[&'static SupportedProtocolVersion], identity: &Identity) -> Self {
        let certificate = CertificateDer::from_pem_file(&identity.cert_file).expect("readable");
        let key = PrivateKeyDer::from_pem_file(&identity.key_file).expect("readable");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("supported")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a pair");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let _ = stream.read_u8().await;
                    }
                });
            }
        });
        Self { port, task }
    }

    fn keys(&self, authority: &Authority) -> Value {
        json!({"host": "127.0.0.1", "port": self.port, "ca_file": authority.ca_file()})
    }
}

fn with(mut keys: Value, more: Value) -> Value {
    let more = more.as_object().expect("a table").clone();
    keys.as_object_mut().expect("a table").extend(more);
    keys
}

fn fingerprint(identity: &Identity) -> String {
    let output = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&identity.cert_file)
        .output()
        .expect("openssl runs");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[tokio::test]
async fn a_good_certificate() {
    let authority = Authority::new();
    let server = Mute::with(&authority.server(LOOPBACK)).await;
    let good = observe("tls", &server.keys(&authority), PATIENT).await;
    let message = "TLS 1.3, certificate of CN=localhost valid for 90 more days";
    assert_eq!(good.outcome, Outcome::Healthy(message.to_owned()));
    let noted = |key: &str| good.metadata[key].as_str();
    assert_eq!(noted("tls_version"), "TLS 1.3");
    assert!(noted("cipher").starts_with("TLS13_"), "{good:?}");
    assert_eq!(noted("subject"), "CN=localhost");
    assert_eq!(noted("issuer"), "CN=Pilotlight test authority");
    assert_eq!(noted("certificate_days_left"), "90");
    assert_eq!(crate::errors::steady(noted("not_after")), "DATE");
    assert!(good.phases.tls.is_some());
    assert!(good.measurements.is_empty());
}

#[tokio::test]
async fn a_certificate_that_expires_soon() {
    let authority = Authority::new();
    let server = Mute::with(&authority.expiring_in(5)).await;
    let message = "TLS 1.3, certificate of CN=localhost valid for 5 more days, but its certificate \
                   expires in 5 days";
    for changes in [json!({}), json!({"verify_tls": false})] {
        let keys = with(server.keys(&authority), changes);
        let soon = observe("tls", &keys, PATIENT).await;
        assert_eq!(soon.outcome, Outcome::Degraded(message.to_owned()));
    }
    let keys = with(server.keys(&authority), json!({"cert_warn_days": 5}));
    let fine = observe("tls", &keys, PATIENT).await;
    assert!(matches!(fine.outcome, Outcome::Healthy(_)), "{fine:?}");
}

#[tokio::test]
async fn bad_certificates() {
    let authority = Authority::new();
    for (situation, identity, message) in [
        (
            "certificate expired",
            authority.expired(),
            "certificate expired 23 hours ago (127.0.0.1:PORT)",
        ),
        (
            "certificate of another host",
            authority.server(&["db.example.test"]),
            "certificate is for db.example.test, not 127.0.0.1 (127.0.0.1:PORT)",
        ),
        (
            "self-signed certificate",
            authority.self_signed(),
            "certificate is self-signed: to trust it, name it in `ca_file` (127.0.0.1:PORT)",
        ),
        (
            "renewed CA",
            Authority::new().server(LOOPBACK),
            "certificate is not signed by the trusted CA that it names: if that was renewed, name \
             the new one in `ca_file` (127.0.0.1:PORT)",
        ),
    ] {
        let server = Mute::with(&identity).await;
        fails("tls", situation, &server.keys(&authority), PATIENT, message).await;
    }
    let good = Mute::with(&authority.server(LOOPBACK)).await;
    let keys = json!({"host": "127.0.0.1", "port": good.port});
    let message = "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
                   (127.0.0.1:PORT)";
    fails("tls", "unknown CA", &keys, PATIENT, message).await;
    let expired = Mute::with(&authority.expired()).await;
    let keys = with(expired.keys(&authority), json!({"verify_tls": false}));
    let message = "certificate expired on DATE (127.0.0.1:PORT)";
    fails("tls", "certificate expired, and not verified", &keys, PATIENT, message).await;
}

#[tokio::test]
async fn a_name_of_its_own() {
    let authority = Authority::new();
    let server = Mute::with(&authority.server(&["db.example.test"])).await;
    let keys = with(server.keys(&authority), json!({"server_name": "db.example.test"}));
    let good = observe("tls", &keys, PATIENT).await;
    let message = "TLS 1.3, certificate of CN=db.example.test valid for 90 more days";
    assert_eq!(good.outcome, Outcome::Healthy(message.to_owned()));
    let keys = with(server.keys(&authority), json!({"server_name": "other.example.test"}));
    let message = "certificate is for db.example.test, not other.example.test (127.0.0.1:PORT)";
    fails("tls", "certificate of another name", &keys, PATIENT, message).await;
}

#[tokio::test]
async fn old_versions() {
    let authority = Authority::new();
    let server = Mute::speaking(&[&TLS12], &authority.server(LOOPBACK)).await;
    let good = observe("tls", &server.keys(&authority), PATIENT).await;
    let message = "TLS 1.2, certificate of CN=localhost valid for 90 more days";
    assert_eq!(good.outcome, Outcome::Healthy(message.to_owned()));
    let keys = with(server.keys(&authority), json!({"min_version": "1.3"}));
    let message = "127.0.0.1:PORT refused the TLS connection: it speaks other TLS versions only";
    fails("tls", "TLS version too old", &keys, PATIENT, message).await;
}

#[tokio::test]
async fn a_pinned_certificate() {
    let authority = Authority::new();
    let (pinned, other) = (authority.self_signed(), authority.self_signed());
    let server = Mute::with(&pinned).await;
    let keys = |identity: &Identity| {
        let pin = json!({"verify_tls": false, "fingerprint": fingerprint(identity)});
        with(server.keys(&authority), pin)
    };
    let good = observe("tls", &keys(&pinned), PATIENT).await;
    assert!(matches!(good.outcome, Outcome::Healthy(_)), "{good:?}");
    let message = "certificate is not the one of `fingerprint` (127.0.0.1:PORT): it has \
                   FINGERPRINT; if it was renewed, write that instead";
    fails("tls", "another certificate", &keys(&other), PATIENT, message).await;
}

#[tokio::test]
async fn no_tls_there() {
    let authority = Authority::new();
    let keys =
        |port: u16| json!({"host": "127.0.0.1", "port": port, "ca_file": authority.ca_file()});
    let stopped = keys(refused_port());
    fails("tls", "server stopped", &stopped, PATIENT, "connection refused (127.0.0.1:PORT)").await;
    let mute = Relay::mute().await;
    let message = "timed out after 300 ms, in the TLS handshake (127.0.0.1:PORT)";
    fails("tls", "server hangs", &keys(mute.port()), SHORT, message).await;
    let smtp = Smtp::start();
    let message = "127.0.0.1:PORT did not answer in TLS: does it speak TLS on this port?";
    fails("tls", "no TLS on the port", &keys(smtp.server.port()), PATIENT, message).await;
}

const GOOD: &str = "TLS 1.3, certificate of CN=localhost valid for 90 more days";

#[tokio::test]
async fn tls_from_the_start() {
    let mut smtp = Smtp::start();
    let ca = smtp.authority.ca_file();
    let trial = Trial {
        kind: "tls",
        port: smtp.tls_port,
        keys: &|port| json!({"host": "127.0.0.1", "port": port, "ca_file": ca}),
        healthy: GOOD,
        wrong_credentials: &[],
        wrong_expectation: &[Wrong {
            situation: "unknown CA",
            keys: json!({"ca_file": null}),
            message: "certificate is from an unknown issuer: to trust it, name its CA in \
                      `ca_file` (127.0.0.1:PORT)",
        }],
        hanging: "timed out after 300 ms, in the TLS handshake (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut smtp.server).await;
}

async fn starttls(protocol: &str, server: &Server, port: u16, authority: &Authority) {
    let keys = json!({
        "host": "localhost",
        "port": port,
        "starttls": protocol,
        "ca_file": authority.ca_file(),
    });
    let good = observe("tls", &keys, PATIENT).await;
    assert_eq!(seen(&good), Outcome::Healthy(GOOD.to_owned()), "{protocol}");
    assert!(good.phases.tls.is_some());

    let keys = with(keys, json!({"host": "127.0.0.1"}));
    server.hang();
    let awaited = match protocol {
        "postgres" => "asking for TLS",
        _ => "waiting for the greeting",
    };
    let message = format!("timed out after 300 ms, {awaited} (127.0.0.1:PORT)");
    let situation = format!("server hangs, STARTTLS of {protocol}");
    fails("tls", &situation, &keys, SHORT, &message).await;
    server.resume();
}

#[tokio::test]
async fn starttls_of_smtp() {
    let smtp = Smtp::start();
    starttls("smtp", &smtp.server, smtp.server.port(), &smtp.authority).await;
}

#[tokio::test]
async fn starttls_of_imap_and_pop3() {
    let dovecot = Dovecot::start();
    let server = &dovecot.server;
    starttls("imap", server, server.port(), &dovecot.authority).await;
    starttls("pop3", server, dovecot.pop3_port, &dovecot.authority).await;
}

#[tokio::test]
async fn starttls_of_postgres() {
    let postgres = Postgres::start();
    let server = &postgres.server;
    starttls("postgres", server, server.port(), &postgres.authority).await;
}

#[tokio::test]
async fn starttls_of_mysql() {
    let mariadb = MariaDb::start();
    starttls("mysql", &mariadb.server, mariadb.server.port(), &mariadb.authority).await;
}
