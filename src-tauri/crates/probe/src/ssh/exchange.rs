//! The key exchange (RFC 4253, sections 7 and 8; RFC 5656, section 4; RFC
//! 8731), as far as to the proof of the host key. Nothing is encrypted with
//! what comes out of it.

use ring::agreement::{
    self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral,
};
use ring::digest::{self, SHA256, SHA384, digest};
use ring::rand::SystemRandom;

use super::key::{self, Algorithm, HostKey};
use super::wire::{
    KEX_ECDH_INIT, KEX_ECDH_REPLY, KEXINIT, Reader, Writer, broken, cookie, packet, read_packet,
};
use crate::dialogue::Dialogue;
use crate::failure::Failure;

pub(super) const OWN_BANNER: &str = concat!("SSH-2.0-Pilotlight_", env!("CARGO_PKG_VERSION"));

/// Never used: the connection ends before. But both sides have to agree.
const CIPHERS: &[&str] = &[
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-cbc",
    "aes256-cbc",
    "3des-cbc",
];
const MACS: &[&str] = &[
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1-etm@openssh.com",
    "hmac-sha1",
];
const COMPRESSIONS: &[&str] = &["none", "zlib@openssh.com", "zlib"];

/// How both sides come to a common secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method {
    name: &'static str,
    curve: &'static agreement::Algorithm,
    hash: &'static digest::Algorithm,
}

/// All, best first.
static METHODS: [Method; 4] = [
    Method { name: "curve25519-sha256", curve: &X25519, hash: &SHA256 },
    Method { name: "curve25519-sha256@libssh.org", curve: &X25519, hash: &SHA256 },
    Method { name: "ecdh-sha2-nistp256", curve: &ECDH_P256, hash: &SHA256 },
    Method { name: "ecdh-sha2-nistp384", curve: &ECDH_P384, hash: &SHA384 },
];

/// What the server can.
#[derive(Debug)]
pub(super) struct Offer {
    methods: Vec<String>,
    pub(super) host_keys: Vec<String>,
    /// It has sent the first packet of its best method already.
    guesses: bool,
}

impl Offer {
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        (reader.take(1)? == [KEXINIT]).then_some(())?;
        let _cookie = reader.take(16)?;
        let (methods, host_keys) = (reader.names()?, reader.names()?);
        for _ciphers_and_so_on in 0..8 {
            reader.string()?;
        }
        Some(Self { methods, host_keys, guesses: reader.boolean()? })
    }

    /// The best that both sides can.
    fn agree(&self, algorithms: &[Algorithm]) -> Option<(&'static Method, Algorithm)> {
        let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
        let method = METHODS.iter().find(|method| has(&self.methods, method.name))?;
        let algorithm =
            algorithms.iter().find(|algorithm| has(&self.host_keys, algorithm.name()))?;
        Some((method, *algorithm))
    }

    /// Whether the packet that the server has sent on a guess is for nothing:
    /// the guess is right if the first choices of both sides are the same.
    fn guessed_wrong(&self, algorithms: &[Algorithm]) -> bool {
        let first = |names: &[String]| names.first().cloned().unwrap_or_default();
        let best = algorithms.first().map(|algorithm| algorithm.name()).unwrap_or_default();
        self.guesses && (first(&self.methods) != METHODS[0].name || first(&self.host_keys) != best)
    }
}

fn own_offer(algorithms: &[Algorithm]) -> Option<Vec<u8>> {
    let mut offer = Writer(vec![KEXINIT]);
    offer.0.extend(cookie()?);
    offer.names(&METHODS.map(|method| method.name));
    offer.names(&algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>());
    for names in [CIPHERS, MACS, COMPRESSIONS] {
        offer.names(names);
        offer.names(names);
    }
    // Languages there and back, no guess, and a reserved number.
    offer.names(&[]);
    offer.names(&[]);
    offer.0.push(0);
    offer.u32(0);
    Some(offer.0)
}

/// Has the server prove a host key of one of `algorithms`, after both sides
/// have sent their banners: what the server can, and the key unless both sides
/// have too little in common or it is too short to prove anything.
pub(super) async fn host_key(
    dialogue: &mut Dialogue,
    banner: &str,
    algorithms: &[Algorithm],
) -> Result<(Offer, Option<HostKey>), Failure> {
    let no_chance = |what: &str| Failure::NoAnswer(format!("cannot exchange keys: no {what}"));
    let own = own_offer(algorithms).ok_or_else(|| no_chance("random numbers"))?;
    dialogue.send(&packet(&own)).await?;
    let theirs = read_packet(dialogue).await?;
    let Some(offer) = Offer::read(&theirs) else {
        return Err(broken(dialogue, "no list of methods"));
    };
    let Some((method, algorithm)) = offer.agree(algorithms) else {
        return Ok((offer, None));
    };
    let secret = EphemeralPrivateKey::generate(method.curve, &SystemRandom::new());
    let keys = secret.and_then(|secret| Ok((secret.compute_public_key()?, secret)));
    let (public, secret) = keys.map_err(|_| no_chance("random numbers"))?;
    let mut init = Writer(vec![KEX_ECDH_INIT]);
    init.string(public.as_ref());
    dialogue.send(&packet(&init.0)).await?;
    if offer.guessed_wrong(algorithms) {
        read_packet(dialogue).await?;
    }
    let reply = read_packet(dialogue).await?;
    let Some(reply) = Reply::read(&reply) else {
        return Err(broken(dialogue, "no answer with a host key"));
    };
    if key::is_short_rsa(reply.host_key) {
        return Ok((offer, None));
    }
    let mut said = Writer::default();
    said.string(OWN_BANNER.as_bytes());
    said.string(banner.as_bytes());
    said.string(&own);
    said.string(&theirs);
    said.string(reply.host_key);
    said.string(public.as_ref());
    said.string(reply.public);
    let theirs = UnparsedPublicKey::new(method.curve, reply.public);
    let agreed = agree_ephemeral(secret, &theirs, |common| {
        said.mpint(common);
        digest(method.hash, &said.0)
    });
    let Ok(hash) = agreed else {
        return Err(broken(dialogue, "no point on the curve"));
    };
    let key = HostKey::proven(algorithm, reply.host_key, hash.as_ref(), reply.signature);
    match key {
        Some(key) => Ok((offer, Some(key))),
        None => Err(Failure::Unexpected(format!(
            "host key is not proven ({}): the signature does not match the {} key; somebody may \
             pose as the server",
            dialogue.trace().endpoint(),
            algorithm.key_type()
        ))),
    }
}

/// What the server answers to our half of the secret.
struct Reply<'p> {
    host_key: &'p [u8],
    public: &'p [u8],
    signature: &'p [u8],
}

impl<'p> Reply<'p> {
    fn read(payload: &'p [u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        (reader.take(1)? == [KEX_ECDH_REPLY]).then_some(())?;
        Some(Self {
            host_key: reader.string()?,
            public: reader.string()?,
            signature: reader.string()?,
        })
    }
}
