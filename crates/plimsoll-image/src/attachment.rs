//! Artifacts beside an image: bills, provenance and signatures in an OCI layout.
//!
//! The manifest that they speak of is the one that others get, with compressed layers, not the
//! store's own. Into a registry they go through [`crate::registry::RegistryClient::attach`].

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::oci::{Descriptor, media_type};
use crate::replacement::Replacement;
use crate::signature::Attachment;
use crate::store::{Image, LayerForm, Store, StoreError};

/// What others get of one image: the manifest for each processor, and what a tag points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The manifest, or the index over several.
    pub root: Descriptor,
    /// One manifest for each image, in their order.
    pub manifests: Vec<Descriptor>,
}

impl Store {
    /// The manifests of one image for several processors as others get them.
    ///
    /// # Errors
    /// When a part of the images is missing or cannot be compressed.
    pub fn given_manifests(&self, images: &[Image], form: LayerForm) -> Result<Given, StoreError> {
        let shipment = self.shipment(images, form)?;
        let bare = |descriptor: &Descriptor| {
            Descriptor::new(&descriptor.media_type, descriptor.digest, descriptor.size)
        };
        let root = bare(&shipment.root.descriptor);
        let below = shipment.manifests.iter();
        let mut manifests: Vec<Descriptor> =
            below.map(|document| bare(&document.descriptor)).collect();
        if manifests.is_empty() {
            manifests.push(root.clone());
        }
        Ok(Given { root, manifests })
    }

    /// The manifest of an image as others get it.
    ///
    /// # Errors
    /// When a part of the image is missing or cannot be compressed.
    pub fn given_manifest(&self, image: &Image, form: LayerForm) -> Result<Descriptor, StoreError> {
        Ok(self
            .given_manifests(std::slice::from_ref(image), form)?
            .root)
    }
}

/// Attaches artifacts to a manifest in an OCI layout. Attaching the same again changes nothing.
///
/// # Errors
/// When the layout cannot be read or written.
pub fn attach_in_layout(
    directory: &Path,
    subject: &Descriptor,
    attachments: &[Attachment],
) -> io::Result<()> {
    let blobs = directory.join("blobs/sha256");
    let path = directory.join("index.json");
    let mut index: Value = serde_json::from_slice(&fs_err::read(&path)?)?;
    let put = |bytes: &[u8], kind: &str| -> io::Result<Value> {
        let descriptor = Descriptor::of(kind, bytes);
        Replacement::write(&blobs.join(descriptor.digest.hex()), bytes)?;
        Ok(serde_json::to_value(descriptor)?)
    };
    for attachment in attachments {
        let config = put(b"{}", media_type::EMPTY)?;
        let layer = put(&attachment.bytes, &attachment.kind)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::MANIFEST,
            "artifactType": attachment.kind,
            "config": config,
            "layers": [layer],
            "subject": subject,
            "annotations": attachment.annotations,
        });
        let mut entry = put(&serde_json::to_vec(&manifest)?, media_type::MANIFEST)?;
        entry["artifactType"] = attachment.kind.clone().into();
        if !attachment.annotations.is_empty() {
            entry["annotations"] = serde_json::to_value(&attachment.annotations)?;
        }
        let listed = index["manifests"].as_array_mut().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "index.json lists no manifests")
        })?;
        if !listed
            .iter()
            .any(|known| known["digest"] == entry["digest"])
        {
            listed.push(entry);
        }
    }
    Replacement::write(&path, &serde_json::to_vec(&index)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attaching_twice_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs_err::create_dir_all(root.join("blobs/sha256")).unwrap();
        fs_err::write(
            root.join("index.json"),
            r#"{"schemaVersion":2,"manifests":[]}"#,
        )
        .unwrap();
        let subject = Descriptor::of(media_type::MANIFEST, b"manifest");
        let bill = Attachment {
            kind: "application/spdx+json".to_owned(),
            annotations: [("a".to_owned(), "b".to_owned())].into(),
            bytes: b"{}".to_vec(),
        };
        let read = || fs_err::read_to_string(root.join("index.json")).unwrap();
        attach_in_layout(root, &subject, std::slice::from_ref(&bill)).unwrap();
        let first = read();
        attach_in_layout(root, &subject, &[bill]).unwrap();
        assert_eq!(read(), first);
        let index: Value = serde_json::from_str(&first).unwrap();
        let entry = &index["manifests"][0];
        assert_eq!(entry["artifactType"], "application/spdx+json");
        let hex = entry["digest"]
            .as_str()
            .unwrap()
            .trim_start_matches("sha256:");
        let manifest = fs_err::read(root.join("blobs/sha256").join(hex)).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["subject"]["digest"], subject.digest.to_string());
        assert_eq!(manifest["subject"].get("annotations"), None);
    }
}
