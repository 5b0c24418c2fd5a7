use health::Outcome;
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::wire::{KEX_ECDH_REPLY, KEXINIT, Reader, Writer, packet};
use super::*;
use crate::dialogue::tests::{Scripted, mistakes};

const BANNER: &str = "SSH-2.0-Fake_1.0 for a test";
const CURVE: &str = "curve25519-sha256";
const KEY: &str = "ssh-ed25519";

/// An SSH server up to its proof, honest or not.
#[derive(Clone, Copy)]
struct Fake {
    /// Whose public key it shows, and whose secret key it has.
    shows: u8,
    has: u8,
    method: &'static str,
    host_key: &'static str,
    /// Sends a packet on a guess of its own, which is wrong.
    guesses: bool,
    /// Sends this instead of its half of the secret.
    half: Option<[u8; 32]>,
}

const HONEST: Fake =
    Fake { shows: 1, has: 1, method: CURVE, host_key: KEY, guesses: false, half: None };

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed")
}

fn public(seed: u8) -> Vec<u8> {
    let mut key = Writer::default();
    key.string(KEY.as_bytes());
    key.string(pair(seed).public_key().as_ref());
    key.0
}

fn fingerprint_of(seed: u8) -> String {
    Fingerprint::of(&public(seed)).to_string()
}

impl Fake {
    async fn start(self) -> Scripted {
        Scripted::serving(move |stream, _| async move {
            // The client may have had enough before all is said.
            let _ = self.serve(stream).await;
        })
        .await
    }

    fn offer(self) -> Vec<u8> {
        let mut offer = Writer(vec![KEXINIT]);
        offer.0.extend([7; 16]);
        let first = if self.guesses { "diffie-hellman-group14-sha256," } else { "" };
        offer.string(format!("{first}{}", self.method).as_bytes());
        offer.string(self.host_key.as_bytes());
        for names in ["aes128-ctr", "aes128-ctr", "hmac-sha1", "hmac-sha1", "none", "none", "", ""]
        {
            offer.string(names.as_bytes());
        }
        offer.0.push(u8::from(self.guesses));
        offer.u32(0);
        offer.0
    }

    async fn serve(self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let offer = self.offer();
        stream.write_all(format!("hello\r\n{BANNER}\r\n").as_bytes()).await.ok()?;
        stream.write_all(&packet(&offer)).await.ok()?;
        let mut banner = String::new();
        stream.read_line(&mut banner).await.ok()?;
        let theirs = payload(&mut stream).await?;
        if self.guesses {
            stream.write_all(&packet(&[30, 1, 2, 3])).await.ok()?;
        }
        let init = payload(&mut stream).await?;
        let client = Reader(&init[1..]).string()?.to_vec();
        let secret = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).ok()?;
        let half = secret.compute_public_key().ok()?;
        let half = self.half.map_or_else(|| half.as_ref().to_vec(), |half| half.to_vec());
        let mut said = Writer::default();
        for part in [banner.trim_end().as_bytes(), BANNER.as_bytes(), &theirs, &offer] {
            said.string(part);
        }
        said.string(&public(self.shows));
        said.string(&client);
        said.string(&half);
        let client = UnparsedPublicKey::new(&X25519, &client);
        let hash = agree_ephemeral(secret, &client, |common| {
            said.mpint(common);
            digest(&SHA256, &said.0)
        });
        let mut signature = Writer::default();
        signature.string(KEY.as_bytes());
        signature.string(pair(self.has).sign(hash.ok()?.as_ref()).as_ref());
        let mut reply = Writer(vec![KEX_ECDH_REPLY]);
        reply.string(&public(self.shows));
        reply.string(&half);
        reply.string(&signature.0);
        stream.write_all(&packet(&reply.0)).await.ok()?;
        stream.read_to_end(&mut Vec::new()).await.ok()?;
        Some(())
    }
}

async fn payload(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await.ok()?).ok()?;
    let padding = usize::from(stream.read_u8().await.ok()?);
    let mut payload = vec![0; length - 1];
    stream.read_exact(&mut payload).await.ok()?;
    payload.truncate(length - 1 - padding);
    Some(payload)
}

#[tokio::test]
async fn an_honest_server() {
    for fake in [HONEST, Fake { guesses: true, ..HONEST }] {
        let server = fake.start().await;
        let well = server.check(probe, json!({"fingerprint": fingerprint_of(1)})).await;
        let message = "Fake_1.0 for a test, host key as expected (ssh-ed25519)";
        assert_eq!(well.outcome, Outcome::Healthy(message.to_owned()));
        assert_eq!(well.metadata["host_key"], fingerprint_of(1));
        let changed = format!(
            "host key changed (HERE): expected {}, got {} (ssh-ed25519); only if the change was \
             meant, write the new one in `fingerprint`",
            fingerprint_of(2),
            fingerprint_of(1)
        );
        server.fails(probe, json!({"fingerprint": fingerprint_of(2)}), &changed).await;
    }
}

#[tokio::test]
async fn a_key_that_is_only_shown_does_not_pass() {
    let server = Fake { shows: 1, has: 2, ..HONEST }.start().await;
    let message = "host key is not proven (HERE): the signature does not match the ssh-ed25519 \
                   key; somebody may pose as the server";
    for keys in [json!({"fingerprint": fingerprint_of(1)}), json!({})] {
        server.fails(probe, keys, message).await;
    }
}

#[tokio::test]
async fn a_secret_that_everybody_knows_does_not_pass() {
    let server = Fake { half: Some([0; 32]), ..HONEST }.start().await;
    let message = "the server's key exchange makes no sense (HERE): no point on the curve";
    server.fails(probe, json!({}), message).await;
}

#[tokio::test]
async fn servers_with_nothing_in_common() {
    for fake in [
        Fake { method: "diffie-hellman-group14-sha1", ..HONEST },
        Fake { host_key: "ssh-dss", ..HONEST },
    ] {
        let server = fake.start().await;
        let well = server.check(probe, json!({})).await;
        assert_eq!(well.outcome, Outcome::Healthy("Fake_1.0 for a test".to_owned()));
        let message = "host key cannot be verified (HERE): the server offers old methods or a \
                       short key only";
        server.fails(probe, json!({"fingerprint": fingerprint_of(1)}), message).await;
    }
}

async fn saying(bytes: Vec<u8>, hangs_up: bool) -> Scripted {
    Scripted::serving(move |mut stream, _| {
        let bytes = bytes.clone();
        async move {
            let _ = stream.write_all(&bytes).await;
            if hangs_up {
                let _ = stream.shutdown().await;
            }
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await
}

#[tokio::test]
async fn banners_that_are_none() {
    let lines = "not yet\r\n".repeat(1000);
    let endless = "x".repeat(1 << 20);
    for (said, message) in [
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "expected an SSH banner, got \"HTTP/1.1 400 Bad Request\" (HERE)",
        ),
        ("Exceeded MaxStartups\r\n", "expected an SSH banner, got \"Exceeded MaxStartups\" (HERE)"),
        ("SSH-1.5-old\r\n", "expected version 2 of SSH, got \"SSH-1.5-old\" (HERE)"),
        (&lines, "expected an SSH banner, got \"not yet\" (HERE)"),
        (&endless, "the server sends a line of more than 8 KiB (HERE)"),
        ("", "connection closed by HERE, waiting for the banner"),
        ("SSH-2.0-x\r\n", "connection closed by HERE, exchanging keys"),
    ] {
        let server = saying(said.as_bytes().to_vec(), true).await;
        server.fails(probe, json!({}), message).await;
    }
}

#[tokio::test]
async fn packets_that_lie() {
    let mut disconnect = Writer(vec![wire::DISCONNECT]);
    disconnect.u32(2);
    disconnect.string(b"go away\x1b");
    let no_sense = |what: &str| format!("the server's key exchange makes no sense (HERE): {what}");
    let mut with_reply = packet(&HONEST.offer());
    with_reply.extend(packet(&[KEX_ECDH_REPLY, 0, 0, 1]));
    for (said, message) in [
        (vec![0xff; 5], no_sense("a packet of impossible length")),
        (vec![0, 0, 0, 0, 0], no_sense("a packet of impossible length")),
        (vec![0, 0, 0, 12, 11], no_sense("a packet of impossible length")),
        (packet(&[KEXINIT]), no_sense("no list of methods")),
        (packet(&[99; 200]), no_sense("no list of methods")),
        (packet(&[2; 3]).repeat(100), no_sense("too many packets without meaning")),
        (packet(&disconnect.0), "the server hangs up (HERE): \"go away\\u{1b}\"".to_owned()),
        (packet(&[wire::DISCONNECT]), "the server hangs up (HERE): \"\"".to_owned()),
        (with_reply, no_sense("no answer with a host key")),
    ] {
        let mut bytes = format!("{BANNER}\r\n").into_bytes();
        bytes.extend(said);
        let server = saying(bytes, false).await;
        server.fails(probe, json!({}), &message).await;
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_can_be_read(bytes: Vec<u8>) {
        let mut offer = vec![KEXINIT];
        offer.extend(&bytes);
        let _ = Offer::read(&offer);
        let _ = Reader(&bytes).names();
        let _ = Reader(&bytes).mpint();
    }
}

#[test]
fn fingerprints_as_ssh_keygen_prints_them() {
    let printed = "SHA256:/wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4";
    for text in [printed, &format!("{printed}="), &format!("256 {printed} root@host (ED25519)")] {
        let read = key::fingerprint(&json!(text)).expect("a fingerprint");
        assert_eq!(read.to_string(), printed);
    }
    for text in ["MD5:00:11:22", "SHA256:", "SHA256:abc", &printed[7..], &format!("{printed}AA")] {
        let keys = json!({"host": "h", "fingerprint": text});
        let expected = format!("[fingerprint]: `{text}` is not a SHA-256 fingerprint");
        assert_eq!(mistakes(probe, keys), [expected]);
    }
}

#[test]
fn names_its_target() {
    let keys = json!({"host": "h"});
    let probe = probe(keys.as_object().expect("a table")).expect("valid");
    assert_eq!(probe.target(), "h:22");
    assert_eq!(probe.host(), "h");
}
