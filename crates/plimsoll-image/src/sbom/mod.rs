//! Software bills of materials: an inventory as CycloneDX 1.6 or SPDX 2.3, as JSON.
//!
//! Equal images give equal bytes: nothing here reads a clock or rolls dice.

mod cyclonedx;
mod licence;
mod spdx;
#[cfg(test)]
mod tests;

use sha1::{Digest as _, Sha1};

use crate::Digest;
use crate::inventory::Inventory;
use crate::oci::Architecture;

/// How a bill is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SbomFormat {
    /// CycloneDX 1.6.
    CycloneDx,
    /// SPDX 2.3.
    Spdx,
}

impl SbomFormat {
    /// The media type, which is also the type of the artifact.
    pub fn media_type(self) -> &'static str {
        match self {
            SbomFormat::CycloneDx => "application/vnd.cyclonedx+json",
            SbomFormat::Spdx => "application/spdx+json",
        }
    }

    /// The type of an in-toto predicate that is such a bill.
    pub fn predicate_type(self) -> &'static str {
        match self {
            SbomFormat::CycloneDx => "https://cyclonedx.org/bom",
            SbomFormat::Spdx => "https://spdx.dev/Document",
        }
    }
}

/// What a bill is about.
#[derive(Debug, Clone)]
pub struct SbomSubject<'a> {
    /// The image's name.
    pub reference: &'a str,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The processor it is for.
    pub architecture: Architecture,
    /// When it was made, as RFC 3339: [`crate::oci::EPOCH`] unless the caller sets a time.
    pub created: &'a str,
}

/// Writes a bill.
pub fn write_sbom(inventory: &Inventory, subject: &SbomSubject<'_>, format: SbomFormat) -> Vec<u8> {
    let value = match format {
        SbomFormat::CycloneDx => cyclonedx::document(inventory, subject),
        SbomFormat::Spdx => spdx::document(inventory, subject),
    };
    let mut bytes = serde_json::to_vec_pretty(&value).expect("a JSON value serialises");
    bytes.push(b'\n');
    bytes
}

/// An identifier that follows from the manifest's digest: a UUID of version 5.
fn identifier(digest: &Digest, format: &str) -> String {
    // The namespace that RFC 9562 gives to names that are URLs.
    const NAMESPACE: [u8; 16] = [
        0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30,
        0xc8,
    ];
    let mut hasher = Sha1::new();
    hasher.update(NAMESPACE);
    hasher.update(format!("{format}:{digest}"));
    let hash = hasher.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// An image's name without its tag or digest, and the last part of that.
fn names(reference: &str) -> (&str, &str) {
    let whole = reference.split('@').next().unwrap_or(reference);
    let start = whole.rfind('/').map_or(0, |index| index + 1);
    let end = whole[start..]
        .find(':')
        .map_or(whole.len(), |index| start + index);
    (&whole[..end], &whole[start..end])
}

/// The package URL of an image.
fn image_purl(subject: &SbomSubject<'_>) -> String {
    let (repository, name) = names(subject.reference);
    crate::inventory::purl(
        "oci",
        None,
        name,
        &subject.digest.to_string(),
        &[
            ("arch", subject.architecture.name()),
            ("repository_url", repository),
        ],
    )
}
