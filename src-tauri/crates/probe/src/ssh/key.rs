//! Host keys: their fingerprints, and the signatures that prove them.

use std::fmt;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use super::wire::Reader;
use crate::field::{Parsed, mistake, text};
use crate::text::clean;

/// How a host key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Ed25519,
    EcdsaP256,
    EcdsaP384,
    RsaSha512,
    RsaSha256,
}

impl Algorithm {
    /// All, best first.
    pub(super) const ALL: &[Self] =
        &[Self::Ed25519, Self::EcdsaP256, Self::EcdsaP384, Self::RsaSha512, Self::RsaSha256];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::RsaSha512 => "rsa-sha2-512",
            Self::RsaSha256 => "rsa-sha2-256",
        }
    }

    /// The type of the keys that sign so.
    pub(super) const fn key_type(self) -> &'static str {
        match self {
            Self::Ed25519 | Self::EcdsaP256 | Self::EcdsaP384 => self.name(),
            Self::RsaSha512 | Self::RsaSha256 => "ssh-rsa",
        }
    }

    /// Whether `signature` of `message` was made so with the secret half of
    /// `key`, both as they came: RFC 8709, RFC 5656 section 3.1, RFC 8332.
    fn verifies(self, key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
        let mut key = Reader(key);
        let mut signature = Reader(signature);
        if key.string()? != self.key_type().as_bytes()
            || signature.string()? != self.name().as_bytes()
        {
            return None;
        }
        let signature = Some(signature.string()?).filter(|_| signature.is_at_end())?;
        let verified = match self {
            Self::Ed25519 => {
                UnparsedPublicKey::new(&ED25519, key.string()?).verify(message, signature)
            }
            Self::EcdsaP256 => {
                let point = point(&mut key, b"nistp256")?;
                let signature = fixed::<32>(signature)?;
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature)
            }
            Self::EcdsaP384 => {
                let point = point(&mut key, b"nistp384")?;
                let signature = fixed::<48>(signature)?;
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, &signature)
            }
            Self::RsaSha512 | Self::RsaSha256 => {
                let (e, n) = (key.mpint()?, key.mpint()?);
                let hash = match self {
                    Self::RsaSha512 => &RSA_PKCS1_2048_8192_SHA512,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n, e }.verify(hash, message, signature)
            }
        };
        verified.ok().filter(|()| key.is_at_end())
    }
}

fn point<'k>(key: &mut Reader<'k>, curve: &[u8]) -> Option<&'k [u8]> {
    if key.string()? == curve { key.string() } else { None }
}

/// The two numbers of an ECDSA signature, each of `N` bytes.
fn fixed<const N: usize>(signature: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader(signature);
    let mut fixed = Vec::with_capacity(2 * N);
    for _ in 0..2 {
        let number = reader.mpint()?;
        fixed.resize(fixed.len() + N.checked_sub(number.len())?, 0);
        fixed.extend_from_slice(number);
    }
    reader.is_at_end().then_some(fixed)
}

/// Whether `key` is of RSA and shorter than 2048 bits: no proof by it counts.
pub(super) fn is_short_rsa(key: &[u8]) -> bool {
    const SHORTEST: usize = 2048 / 8;
    let mut key = Reader(key);
    let modulus = (|| {
        (key.string()? == b"ssh-rsa").then_some(())?;
        key.mpint()?;
        key.mpint()
    })();
    modulus.is_some_and(|modulus| modulus.len() < SHORTEST)
}

/// A host key that its server has proven to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostKey {
    pub(super) key_type: &'static str,
    pub(super) fingerprint: Fingerprint,
}

impl HostKey {
    /// The key, if `signature` of `message` proves it.
    pub(super) fn proven(
        algorithm: Algorithm,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Option<Self> {
        algorithm.verifies(key, message, signature)?;
        Some(Self { key_type: algorithm.key_type(), fingerprint: Fingerprint::of(key) })
    }
}

/// SHA-256 of a public key as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(key: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, key).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", BASE64_STANDARD_NO_PAD.encode(self.0))
    }
}

/// Reads `SHA256:…`, alone or within the line that `ssh-keygen -l` prints.
pub(super) fn fingerprint(value: &Value) -> Parsed<Fingerprint> {
    let text = text(value)?;
    let found = text.split_whitespace().find_map(|word| {
        let base64 = word.strip_prefix("SHA256:")?.trim_end_matches('=');
        let bytes = BASE64_STANDARD_NO_PAD.decode(base64).ok()?;
        bytes.try_into().ok().map(Fingerprint)
    });
    found.ok_or_else(|| {
        vec![mistake(
            format!("`{}` is not a SHA-256 fingerprint", clean(text)),
            "write what `ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub` prints: SHA256:…",
        )]
    })
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, KeyPair,
    };

    use super::super::wire::Writer;
    use super::*;

    struct Signed {
        key: Vec<u8>,
        signature: Vec<u8>,
    }

    fn signed(algorithm: Algorithm, signing: &'static EcdsaSigningAlgorithm) -> Signed {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(signing, document.as_ref(), &random).expect("a key");
        let mut key = Writer::default();
        key.string(algorithm.name().as_bytes());
        key.string(&algorithm.name().as_bytes()["ecdsa-sha2-".len()..]);
        key.string(pair.public_key().as_ref());
        let fixed = pair.sign(&random, b"message").expect("signed");
        let (r, s) = fixed.as_ref().split_at(fixed.as_ref().len() / 2);
        let mut numbers = Writer::default();
        numbers.mpint(r);
        numbers.mpint(s);
        let mut signature = Writer::default();
        signature.string(algorithm.name().as_bytes());
        signature.string(&numbers.0);
        Signed { key: key.0, signature: signature.0 }
    }

    #[test]
    fn signatures_on_curves() {
        for (algorithm, signing) in [
            (Algorithm::EcdsaP256, &ECDSA_P256_SHA256_FIXED_SIGNING),
            (Algorithm::EcdsaP384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        ] {
            // Numbers of a signature are shorter at times.
            for _ in 0..32 {
                let Signed { key, signature } = signed(algorithm, signing);
                let proven = |message: &[u8], key: &[u8], signature: &[u8]| {
                    HostKey::proven(algorithm, key, message, signature).is_some()
                };
                assert!(proven(b"message", &key, &signature));
                assert!(!proven(b"another", &key, &signature));
                assert!(!proven(b"message", &signed(algorithm, signing).key, &signature));
                assert!(
                    HostKey::proven(Algorithm::Ed25519, &key, b"message", &signature).is_none()
                );
            }
        }
    }

    #[test]
    fn keys_and_signatures_with_more_or_less_than_they_need() {
        let Signed { key, signature } =
            signed(Algorithm::EcdsaP256, &ECDSA_P256_SHA256_FIXED_SIGNING);
        let proven = |key: &[u8], signature: &[u8]| {
            HostKey::proven(Algorithm::EcdsaP256, key, b"message", signature)
        };
        for length in 0..key.len() {
            assert_eq!(proven(&key[..length], &signature), None);
        }
        for length in 0..signature.len() {
            assert_eq!(proven(&key, &signature[..length]), None);
        }
        assert_eq!(proven(&[&key[..], b"x"].concat(), &signature), None);
        assert_eq!(proven(&key, &[&signature[..], b"x"].concat()), None);
        assert!(proven(&key, &signature).is_some());
    }

    #[test]
    fn short_keys() {
        let rsa = |bytes: usize| {
            let mut key = Writer::default();
            key.string(b"ssh-rsa");
            key.mpint(&[1, 0, 1]);
            key.mpint(&vec![0xff; bytes]);
            key.0
        };
        assert!(is_short_rsa(&rsa(128)));
        assert!(!is_short_rsa(&rsa(256)));
        assert!(!is_short_rsa(&rsa(128)[..20]));
        assert!(!is_short_rsa(&[]));
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_proven_by_chance(
            key: Vec<u8>,
            signature: Vec<u8>,
            place in 0..Algorithm::ALL.len(),
        ) {
            let algorithm = Algorithm::ALL[place];
            let named = |bytes: &[u8], name: &str| {
                let mut writer = Writer::default();
                writer.string(name.as_bytes());
                writer.0.extend_from_slice(bytes);
                writer.0
            };
            let key = named(&key, algorithm.key_type());
            let signature = named(&signature, algorithm.name());
            assert_eq!(HostKey::proven(algorithm, &key, b"message", &signature), None);
        }
    }

    #[test]
    fn numbers_that_are_too_long() {
        let mut numbers = Writer::default();
        numbers.mpint(&[1; 33]);
        numbers.mpint(&[1; 32]);
        assert_eq!(fixed::<32>(&numbers.0), None);
    }
}
