//! Statements about an image, signed, as sigstore bundles; and the artifacts that carry them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{PrivateKey, PublicKey, SignatureError};
use crate::Digest;

/// The media type of a bundle.
pub const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The predicate of a statement that only says: this image is mine.
pub const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// What a bundle's payload is.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What a statement says that it is.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// An in-toto statement: a predicate about artifacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// What it is about.
    subject: Vec<StatementSubject>,
    /// What kind of predicate it makes.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The predicate.
    pub predicate: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StatementSubject {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// A statement about the manifest with this digest. `name` is the repository, or nothing.
    pub fn new(name: &str, digest: &Digest, predicate_type: &str, predicate: Value) -> Self {
        Self {
            kind: STATEMENT.to_owned(),
            subject: vec![StatementSubject {
                name: name.to_owned(),
                digest: [("sha256".to_owned(), digest.hex())].into(),
            }],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// The statement that cosign makes when it signs an image.
    pub fn of_image(digest: &Digest) -> Self {
        Self::new("", digest, COSIGN_SIGN, json!({}))
    }

    /// The statement as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a statement serialises")
    }
}

/// Something that is attached to a manifest: an artifact of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The artifact's type, which is also its layer's.
    pub kind: String,
    /// Notes on the artifact.
    pub annotations: BTreeMap<String, String>,
    /// The layer.
    pub bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Hint,
}

#[derive(Serialize, Deserialize)]
struct Hint {
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    sig: String,
}

/// Signs a statement: a bundle.
pub fn sign_statement(statement: &Statement, key: &PrivateKey) -> Vec<u8> {
    let payload = statement.to_json();
    let signature = key.sign(&authenticated(PAYLOAD_TYPE, &payload));
    let bundle = Bundle {
        media_type: BUNDLE_TYPE.to_owned(),
        verification_material: Material {
            public_key: Hint {
                hint: key.public().hint(),
            },
        },
        dsse_envelope: Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature {
                sig: STANDARD.encode(signature),
            }],
        },
    };
    serde_json::to_vec(&bundle).expect("a bundle serialises")
}

/// A bundle as it is attached to a manifest. `created` is a time as RFC 3339.
pub fn bundle_attachment(predicate_type: &str, created: &str, bundle: Vec<u8>) -> Attachment {
    let annotations = [
        ("dev.sigstore.bundle.content", "dsse-envelope"),
        ("dev.sigstore.bundle.predicateType", predicate_type),
        ("org.opencontainers.image.created", created),
    ];
    Attachment {
        kind: BUNDLE_TYPE.to_owned(),
        annotations: annotations
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        bytes: bundle,
    }
}

/// Checks that a bundle is signed by this key and is about this manifest; its statement.
///
/// # Errors
/// When it is not.
pub fn verify(
    bundle: &[u8],
    key: &PublicKey,
    subject: &Digest,
) -> Result<Statement, SignatureError> {
    let malformed = |error: String| SignatureError::Malformed(error);
    let bundle: Bundle =
        serde_json::from_slice(bundle).map_err(|error| malformed(error.to_string()))?;
    let decode = |text: &str| {
        STANDARD
            .decode(text)
            .map_err(|error| malformed(error.to_string()))
    };
    let envelope = &bundle.dsse_envelope;
    let payload = decode(&envelope.payload)?;
    let message = authenticated(&envelope.payload_type, &payload);
    let mut signed = false;
    for signature in &envelope.signatures {
        signed |= key.verifies(&message, &decode(&signature.sig)?);
    }
    if !signed || envelope.payload_type != PAYLOAD_TYPE {
        return Err(SignatureError::Mismatch);
    }
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|error| malformed(error.to_string()))?;
    let digests: Vec<&String> = statement
        .subject
        .iter()
        .filter_map(|entry| entry.digest.get("sha256"))
        .collect();
    if digests.iter().any(|digest| **digest == subject.hex()) {
        Ok(statement)
    } else {
        Err(SignatureError::OtherSubject {
            found: digests
                .first()
                .map_or("nothing", |digest| digest)
                .to_owned(),
        })
    }
}

/// What is signed of an envelope, as DSSE says.
fn authenticated(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend(payload);
    message
}
