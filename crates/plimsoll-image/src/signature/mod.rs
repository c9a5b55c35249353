//! Signatures with keys: statements about an image, sealed in DSSE envelopes, kept as sigstore
//! bundles that `cosign verify --key` reads.
//!
//! Nothing here speaks to a transparency log or to a registry. ECDSA signatures are deterministic,
//! so that signing again gives the same bytes.

mod bundle;
mod key;
mod sealed;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use bundle::{
    Attachment, BUNDLE_TYPE, COSIGN_SIGN, Statement, bundle_attachment, sign_statement, verify,
};
pub use key::{PrivateKey, PublicKey};

/// Why something was not signed, or not believed.
#[derive(Debug, Error)]
pub enum SignatureError {
    /// Text that is no key.
    #[error("the key cannot be read: {0}")]
    Key(String),
    /// A sealed key, and another password.
    #[error("the key's password is wrong")]
    Password,
    /// The machine gives no random bytes.
    #[error("a key cannot be made: {0}")]
    Random(String),
    /// A bundle that is none.
    #[error("the signature cannot be read: {0}")]
    Malformed(String),
    /// A signature by another key, or of other content.
    #[error("the signature is not by this key")]
    Mismatch,
    /// A signature of another image.
    #[error("the signature is of another image: {found}")]
    OtherSubject {
        /// What it is of.
        found: String,
    },
}
