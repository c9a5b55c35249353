//! What speaks of an image without being part of it: software bills, provenance, signatures.
//!
//! A referrer is a manifest whose `subject` is another manifest. Registries that know referrers
//! list them; for the others an index under the tag `sha256-HEX` lists them, kept by clients.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::access::{Place, Purpose};
use super::push::CHUNK;
use super::{Reference, RegistryClient, RegistryError};
use crate::Digest;
use crate::fetch::{Headers, Method, Outgoing, Payload};
use crate::oci::{Descriptor, media_type};
use crate::store::{Document, Exported, Store};

/// The content of `{}`, which stands where an artifact needs no configuration.
const EMPTY: &[u8] = b"{}";

/// The answer header of registries that list referrers themselves.
const LISTED: &str = "oci-subject";

/// A part of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactLayer {
    /// What it is.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Notes on it.
    pub annotations: BTreeMap<String, String>,
}

impl ArtifactLayer {
    /// Without notes.
    pub fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            media_type: media_type.to_owned(),
            bytes,
            annotations: BTreeMap::new(),
        }
    }
}

/// The manifest of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactManifest {
    pub schema_version: u32,
    pub media_type: String,
    #[serde(default)]
    pub artifact_type: String,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An entry of a list of referrers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// [`media_type::MANIFEST`].
    pub media_type: String,
    /// The artifact's manifest.
    pub digest: Digest,
    /// That manifest's length.
    pub size: u64,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The notes on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReferrerIndex {
    schema_version: u32,
    media_type: String,
    manifests: Vec<Referrer>,
}

impl RegistryClient {
    /// Attaches an artifact to a manifest or index in `repository`. The artifact's bytes depend on
    /// nothing but the arguments, so that attaching it twice changes nothing.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn attach(
        &self,
        store: &Store,
        repository: &Reference,
        subject: &Descriptor,
        artifact_type: &str,
        annotations: BTreeMap<String, String>,
        layers: Vec<ArtifactLayer>,
    ) -> Result<Descriptor, RegistryError> {
        let place = self.home(repository);
        let subject = Descriptor::new(&subject.media_type, subject.digest, subject.size);
        let document = self.put_artifact(
            &place,
            store,
            Some(subject.clone()),
            artifact_type,
            &annotations,
            layers,
        )?;
        let name = document.descriptor.digest.to_string();
        let answer = self.put_manifest(&place, &name, &document)?;
        if answer.header(LISTED).is_none() {
            let entry = Referrer {
                media_type: media_type::MANIFEST.to_owned(),
                digest: document.descriptor.digest,
                size: document.descriptor.size,
                artifact_type: Some(artifact_type.to_owned()),
                annotations,
            };
            self.list_under_tag(&place, &subject.digest, entry)?;
        }
        Ok(document.descriptor)
    }

    /// What refers to a manifest, of one kind where a kind is named.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn referrers(
        &self,
        repository: &Reference,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Referrer>, RegistryError> {
        let place = self.home(repository);
        let listed = match self.get(&place, &place.url("referrers", &subject.to_string())) {
            Ok(answer) => self.read_index(&place, &answer.body)?.manifests,
            Err(RegistryError::NotFound { .. }) => self.tagged(&place, subject)?.manifests,
            Err(error) => return Err(error),
        };
        let Some(wanted) = artifact_type else {
            return Ok(listed);
        };
        let mut found = Vec::new();
        for mut entry in listed {
            // Some registries list the kind of the configuration in place of the artifact's.
            if matches!(
                entry.artifact_type.as_deref(),
                None | Some(media_type::EMPTY)
            ) {
                let manifest = self.artifact_manifest(&place, &entry.digest)?;
                entry.artifact_type = Some(manifest.artifact_type);
            }
            if entry.artifact_type.as_deref() == Some(wanted) {
                found.push(entry);
            }
        }
        Ok(found)
    }

    fn artifact_manifest(
        &self,
        place: &Place<'_>,
        digest: &Digest,
    ) -> Result<ArtifactManifest, RegistryError> {
        let (_, bytes) = self.document(place, &digest.to_string(), Some(*digest))?;
        serde_json::from_slice(&bytes).map_err(|error| self.malformed(place, error.to_string()))
    }

    /// The layers of an artifact, verified.
    ///
    /// # Errors
    /// When it is not there or not what its digest says.
    pub fn artifact(
        &self,
        repository: &Reference,
        manifest: &Digest,
    ) -> Result<Vec<ArtifactLayer>, RegistryError> {
        let place = self.home(repository);
        self.artifact_manifest(&place, manifest)?
            .layers
            .into_iter()
            .map(|layer| {
                Ok(ArtifactLayer {
                    bytes: self.blob(&place, &layer)?,
                    media_type: layer.media_type,
                    annotations: layer.annotations,
                })
            })
            .collect()
    }

    /// Uploads an artifact's blobs; the manifest that is still to be put.
    fn put_artifact(
        &self,
        place: &Place<'_>,
        store: &Store,
        subject: Option<Descriptor>,
        artifact_type: &str,
        annotations: &BTreeMap<String, String>,
        layers: Vec<ArtifactLayer>,
    ) -> Result<Document, RegistryError> {
        let config = Exported::of_bytes(media_type::EMPTY, EMPTY.to_vec());
        let mut manifest = ArtifactManifest {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            artifact_type: artifact_type.to_owned(),
            config: config.descriptor.clone(),
            layers: Vec::new(),
            subject,
            annotations: annotations.clone(),
        };
        let mut blobs = vec![config];
        for layer in layers {
            let blob = Exported::of_bytes(&layer.media_type, layer.bytes);
            let mut descriptor = blob.descriptor.clone();
            descriptor.annotations = layer.annotations;
            manifest.layers.push(descriptor);
            blobs.push(blob);
        }
        self.send_blobs(place, store, &blobs, CHUNK, artifact_type)?;
        Ok(document_of(&manifest))
    }

    /// Adds an entry to the list that clients keep.
    fn list_under_tag(
        &self,
        place: &Place<'_>,
        subject: &Digest,
        entry: Referrer,
    ) -> Result<(), RegistryError> {
        let mut index = self.tagged(place, subject)?;
        if index.manifests.contains(&entry) {
            return Ok(());
        }
        index.manifests.retain(|other| other.digest != entry.digest);
        index.manifests.push(entry);
        let bytes = serde_json::to_vec(&index).expect("strings, numbers and maps serialise");
        let document = Document {
            descriptor: Descriptor::of(media_type::INDEX, &bytes),
            bytes,
        };
        self.put_manifest(place, &fallback_tag(subject), &document)?;
        Ok(())
    }

    fn tagged(&self, place: &Place<'_>, subject: &Digest) -> Result<ReferrerIndex, RegistryError> {
        let url = place.url("manifests", &fallback_tag(subject));
        let headers = Headers::none().with("accept", media_type::INDEX);
        let answer = self.ask(
            &self.contact,
            place,
            Purpose::Pull,
            &Outgoing {
                method: Method::Get,
                url: &url,
                headers: &headers,
                payload: Payload::Nothing,
            },
        )?;
        match answer.status {
            200..300 => self.read_index(place, &answer.body),
            404 => Ok(ReferrerIndex {
                schema_version: 2,
                media_type: media_type::INDEX.to_owned(),
                manifests: Vec::new(),
            }),
            _ => Err(self.refused(place, &answer)),
        }
    }

    fn read_index(&self, place: &Place<'_>, bytes: &[u8]) -> Result<ReferrerIndex, RegistryError> {
        serde_json::from_slice(bytes).map_err(|error| self.malformed(place, error.to_string()))
    }
}

/// A manifest as it is put.
pub(super) fn document_of(manifest: &ArtifactManifest) -> Document {
    let bytes = serde_json::to_vec(manifest).expect("strings, numbers and maps serialise");
    Document {
        descriptor: Descriptor::of(media_type::MANIFEST, &bytes),
        bytes,
    }
}

/// Where clients keep the list for registries that do not.
fn fallback_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}
