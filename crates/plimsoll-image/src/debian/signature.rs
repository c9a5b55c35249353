//! Whether an archive's `InRelease` is signed by a key that may sign it.

use std::io::Cursor;
use std::time::{Duration, SystemTime};

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::Signature;
use pgp::types::{KeyDetails, Tag, VerifyingKey};
use thiserror::Error;

/// Keys of the Debian archive, as Debian ships them.
const EMBEDDED: [&str; 6] = [
    include_str!("../../data/debian/keys/debian-archive-bookworm-automatic.asc"),
    include_str!("../../data/debian/keys/debian-archive-bookworm-security-automatic.asc"),
    include_str!("../../data/debian/keys/debian-archive-bookworm-stable.asc"),
    include_str!("../../data/debian/keys/debian-archive-trixie-automatic.asc"),
    include_str!("../../data/debian/keys/debian-archive-trixie-security-automatic.asc"),
    include_str!("../../data/debian/keys/debian-archive-trixie-stable.asc"),
];

/// Keys that may sign an archive.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
}

/// Why a text is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// It carries no signature that can be read.
    #[error("it is not a signed text: {0}")]
    Unsigned(String),
    /// No signature is valid and by a known key.
    #[error("no valid signature by a known key; it is signed by {}", signers.join(", "))]
    Untrusted {
        /// What the signatures say of their keys.
        signers: Vec<String>,
    },
}

impl Keyring {
    /// Debian's own keys.
    pub fn debian() -> Self {
        let mut keyring = Self::default();
        for key in EMBEDDED {
            keyring.add(key.as_bytes());
        }
        keyring
    }

    /// Adds the keys of a file, armored or binary. Keys that cannot be read are left out: a
    /// machine's keyring may hold kinds that this library does not know.
    pub fn add(&mut self, bytes: &[u8]) {
        let parsed: Vec<_> = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            SignedPublicKey::from_armor_many(Cursor::new(bytes))
                .map(|(keys, _)| keys.collect())
                .unwrap_or_default()
        } else {
            SignedPublicKey::from_bytes_many(Cursor::new(bytes))
                .map(Iterator::collect)
                .unwrap_or_default()
        };
        for key in parsed {
            match key {
                Ok(key) if !self.keys.contains(&key) => self.keys.push(key),
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "left out a key"),
            }
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The text inside a cleartext signature, if one of its signatures is valid at `now`.
    /// Whatever stands outside of it is not part of the result.
    ///
    /// # Errors
    /// When it is not signed, or by nobody known.
    pub fn signed_text(&self, message: &str, now: SystemTime) -> Result<String, SignatureError> {
        let (message, _) = CleartextSignedMessage::from_string(message)
            .map_err(|error| SignatureError::Unsigned(error.to_string()))?;
        let text = message.signed_text();
        let trusted = message.signatures().iter().any(|signature| {
            is_current(signature, now)
                && is_strong(signature)
                && self
                    .keys
                    .iter()
                    .any(|key| signs(key, signature, &text, now))
        });
        if trusted {
            return Ok(text.replace("\r\n", "\n"));
        }
        let mut signers: Vec<String> = message
            .signatures()
            .iter()
            .flat_map(|signature| signature.issuer_fingerprint())
            .map(|fingerprint| fingerprint.to_string())
            .collect();
        if signers.is_empty() {
            signers.push("nobody".to_owned());
        }
        Err(SignatureError::Untrusted { signers })
    }
}

/// SHA-1 and MD5 can be made to collide.
fn is_strong(signature: &Signature) -> bool {
    matches!(
        signature.hash_alg(),
        Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512)
    )
}

fn is_current(signature: &Signature, now: SystemTime) -> bool {
    let Some(created) = signature.created() else {
        return false;
    };
    let created = SystemTime::from(created);
    // The clock of a fresh machine may be behind the archive's by a little.
    created <= now + Duration::from_secs(24 * 3600)
        && lives(created, signature.signature_expiration_time(), now)
}

/// Whether something made at `created` is still valid. No duration, or one of zero, is for ever.
fn lives(created: SystemTime, duration: Option<pgp::types::Duration>, now: SystemTime) -> bool {
    match duration.map(|duration| duration.as_secs()) {
        None | Some(0) => true,
        Some(seconds) => now < created + Duration::from_secs(u64::from(seconds)),
    }
}

/// Whether the key, or a subkey of it that may sign, made this signature over this text.
fn signs(key: &SignedPublicKey, signature: &Signature, text: &str, now: SystemTime) -> bool {
    // First who made it: a signature names its key, so this is cheap for all keys but one.
    let primary = &key.primary_key;
    let by_primary = is_by(signature, primary, text);
    let by_subkey = key
        .public_subkeys
        .iter()
        .find(|subkey| is_by(signature, &subkey.key, text));
    if !by_primary && by_subkey.is_none() {
        return false;
    }
    let created = SystemTime::from(primary.created_at());
    let Some(own) = own_certification(key) else {
        return false;
    };
    key.details.revocation_signatures.is_empty()
        && lives(created, own.key_expiration_time(), now)
        && (by_primary && own.key_flags().sign()
            || by_subkey.is_some_and(|subkey| may_sign(subkey, key, now)))
}

fn is_by(signature: &Signature, key: &impl VerifyingKey, text: &str) -> bool {
    signature.verify(key, text.as_bytes()).is_ok()
}

/// The newest valid statement of a key about itself.
fn own_certification(key: &SignedPublicKey) -> Option<&Signature> {
    let certifications = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|signature| {
            signature.is_certification()
                && signature
                    .verify_certification(&key.primary_key, Tag::UserId, &user.id)
                    .is_ok()
        })
    });
    certifications.max_by_key(|signature| signature.created())
}

fn may_sign(subkey: &SignedPublicSubKey, key: &SignedPublicKey, now: SystemTime) -> bool {
    let created = SystemTime::from(subkey.key.created_at());
    let revoked = subkey
        .signatures
        .iter()
        .any(|signature| signature.typ() == Some(pgp::packet::SignatureType::SubkeyRevocation));
    let newest = subkey
        .signatures
        .iter()
        .max_by_key(|signature| signature.created());
    !revoked
        && newest.is_some_and(|binding| {
            binding.key_flags().sign() && lives(created, binding.key_expiration_time(), now)
        })
        && subkey.verify_bindings(&key.primary_key).is_ok()
}
