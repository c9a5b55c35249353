//! Keys: ECDSA on P-256 and Ed25519, from PEM as OpenSSL and cosign write it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::Verifier as _;
use p256::elliptic_curve::rand_core::OsRng;
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use plimsoll_diag::Secret;

use super::{SignatureError, sealed};
use crate::Digest;

/// A key that signs.
pub struct PrivateKey(Private);

enum Private {
    P256(p256::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// A key that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Public);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    P256(p256::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PrivateKey([secret])")
    }
}

impl PrivateKey {
    /// A new key on P-256.
    pub fn generate() -> Self {
        Self(Private::P256(p256::ecdsa::SigningKey::random(&mut OsRng)))
    }

    /// Reads `PRIVATE KEY`, `EC PRIVATE KEY`, or a key that cosign sealed with a password.
    ///
    /// # Errors
    /// When the text is no such key, or the password is wrong.
    pub fn from_pem(pem: &str, password: &Secret<String>) -> Result<Self, SignatureError> {
        let unreadable = |reason: String| SignatureError::Key(reason);
        let pem = pem.trim();
        if sealed::is_sealed(pem) {
            return Self::from_der(&sealed::open(pem, password)?);
        }
        if pem.contains("BEGIN EC PRIVATE KEY") {
            let key = p256::SecretKey::from_sec1_pem(pem)
                .map_err(|error| unreadable(error.to_string()))?;
            return Ok(Self(Private::P256(key.into())));
        }
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_pem(pem) {
            return Ok(Self(Private::P256(key)));
        }
        ed25519_dalek::SigningKey::from_pkcs8_pem(pem)
            .map(|key| Self(Private::Ed25519(Box::new(key))))
            .map_err(|_| unreadable("expected an ECDSA key on P-256 or an Ed25519 key".to_owned()))
    }

    fn from_der(der: &[u8]) -> Result<Self, SignatureError> {
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Ok(Self(Private::P256(key)));
        }
        ed25519_dalek::SigningKey::from_pkcs8_der(der)
            .map(|key| Self(Private::Ed25519(Box::new(key))))
            .map_err(|error| SignatureError::Key(error.to_string()))
    }

    /// The key sealed with a password, as cosign keeps it.
    ///
    /// # Errors
    /// When the machine gives no random bytes.
    pub fn to_sealed_pem(&self, password: &Secret<String>) -> Result<String, SignatureError> {
        let der = match &self.0 {
            Private::P256(key) => key.to_pkcs8_der(),
            Private::Ed25519(key) => key.to_pkcs8_der(),
        };
        let der = der.map_err(|error| SignatureError::Key(error.to_string()))?;
        sealed::seal(der.as_bytes(), password)
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey(match &self.0 {
            Private::P256(key) => Public::P256(*key.verifying_key()),
            Private::Ed25519(key) => Public::Ed25519(key.verifying_key()),
        })
    }

    /// Signs.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Private::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Private::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

impl PublicKey {
    /// Reads `PUBLIC KEY`.
    ///
    /// # Errors
    /// When the text is no such key.
    pub fn from_pem(pem: &str) -> Result<Self, SignatureError> {
        let pem = pem.trim();
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_pem(pem) {
            return Ok(Self(Public::P256(key)));
        }
        ed25519_dalek::VerifyingKey::from_public_key_pem(pem)
            .map(|key| Self(Public::Ed25519(key)))
            .map_err(|_| {
                let expected = "expected a public ECDSA key on P-256 or a public Ed25519 key";
                SignatureError::Key(expected.to_owned())
            })
    }

    /// The key as PEM.
    pub fn to_pem(&self) -> String {
        match &self.0 {
            Public::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Public::Ed25519(key) => key.to_public_key_pem(LineEnding::LF),
        }
        .expect("a key that was read or made can be written")
    }

    fn to_der(&self) -> Vec<u8> {
        match &self.0 {
            Public::P256(key) => key.to_public_key_der(),
            Public::Ed25519(key) => key.to_public_key_der(),
        }
        .expect("a key that was read or made can be written")
        .into_vec()
    }

    /// What tells the key from others, as bundles name it.
    pub fn hint(&self) -> String {
        STANDARD.encode(Digest::of(&self.to_der()).bytes())
    }

    /// Whether a signature is by this key.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Public::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Public::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}
