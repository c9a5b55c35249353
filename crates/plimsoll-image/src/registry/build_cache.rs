//! A build cache that a fleet shares: what one machine's builds made, kept in a registry as an
//! artifact, and taken by the store of another.
//!
//! Layers are kept as images have them, so that a registry that has the images keeps no second
//! copy. Everything that comes is verified before any build may use it; a cache that is damaged or
//! missing only makes builds slower.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;

use super::client::archive;
use super::push::CHUNK;
use super::referrers::{ArtifactManifest, document_of};
use super::{Reference, RegistryClient, RegistryError};
use crate::oci::{Descriptor, media_type};
use crate::step::scratch::Scratch;
use crate::store::{Exported, LayerForm, SharedState, Store};

/// What the artifact and its configuration are.
const KIND: &str = "application/vnd.plimsoll.build-cache.v1+json";
/// Blobs that are no layer, one after the other.
const LOOSE: &str = "application/vnd.plimsoll.build-cache.blobs.v1";

/// What a cache brought, or got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheReport {
    /// Layers that it holds.
    pub layers: usize,
    /// Layers that had to be transferred.
    pub transferred: usize,
    /// Memos that were taken.
    pub memos: usize,
}

impl RegistryClient {
    /// Keeps what the builds of this open store used and made under a reference.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses, or the store is damaged.
    pub fn save_cache(
        &self,
        store: &Store,
        reference: &Reference,
    ) -> Result<CacheReport, RegistryError> {
        let place = self.home(reference);
        let state = store.shared_state()?;
        let mut loose = Vec::new();
        for (digest, _) in &state.loose {
            loose.extend(store.read_blob(digest)?);
        }
        let config = serde_json::to_vec(&state)
            .map_err(|error| self.malformed(&place, error.to_string()))?;
        let mut blobs = vec![
            Exported::of_bytes(KIND, config),
            Exported::of_bytes(LOOSE, loose),
        ];
        for layer in &state.layers {
            blobs.push(store.export_layer(layer, LayerForm::Gzip)?);
        }
        let arrivals = self.send_blobs(&place, store, &blobs, CHUNK, "cache")?;
        let descriptors: Vec<Descriptor> =
            blobs.iter().map(|blob| blob.descriptor.clone()).collect();
        let manifest = ArtifactManifest {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            artifact_type: KIND.to_owned(),
            config: descriptors[0].clone(),
            layers: descriptors[1..].to_vec(),
            subject: None,
            annotations: BTreeMap::new(),
        };
        self.put_manifest(&place, &reference.manifest_name(), &document_of(&manifest))?;
        Ok(CacheReport {
            layers: state.layers.len(),
            transferred: arrivals
                .iter()
                .skip(2)
                .filter(|arrival| **arrival == super::upload::Arrival::Sent)
                .count(),
            memos: 0,
        })
    }

    /// Takes what is kept under a reference into a store. Nothing there is no error.
    ///
    /// # Errors
    /// When the registry cannot be reached, or what it sends is not what its digest says.
    pub fn load_cache(
        &self,
        store: &Store,
        reference: &Reference,
        work: &Path,
    ) -> Result<CacheReport, RegistryError> {
        let place = self.home(reference);
        let found = self.document(&place, &reference.manifest_name(), reference.digest);
        let (_, bytes) = match found {
            Err(RegistryError::NotFound { .. }) => return Ok(CacheReport::default()),
            other => other?,
        };
        let unusable = |reason: String| self.malformed(&place, reason);
        let manifest: ArtifactManifest =
            serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        if manifest.artifact_type != KIND {
            return Err(unusable("it is no build cache".to_owned()));
        }
        let config = self.blob(&place, &manifest.config)?;
        let state: SharedState =
            serde_json::from_slice(&config).map_err(|error| unusable(error.to_string()))?;
        let Some((loose, layers)) = manifest.layers.split_first() else {
            return Err(unusable("its list of layers is empty".to_owned()));
        };
        if layers.len() != state.layers.len() {
            return Err(unusable("its lists of layers differ".to_owned()));
        }
        let scratch = Scratch::new(work)?;
        let missing: Vec<usize> = (0..layers.len())
            .filter(|index| store.layer(&state.layers[*index].diff_id).is_err())
            .collect();
        let mut wanted: Vec<(usize, &Descriptor)> = vec![(0, loose)];
        wanted.extend(missing.iter().map(|index| (index + 1, &layers[*index])));
        let files: Vec<_> = wanted
            .iter()
            .map(|(index, _)| scratch.path().join(index.to_string()))
            .collect();
        self.fetch_layers(&place, &wanted, &files)?;
        for (index, file) in missing.iter().zip(&files[1..]) {
            store.take_layer(&state.layers[*index], &mut *archive(file)?)?;
            fs::remove_file(file)?;
        }
        store.take_loose(&state, &mut fs::File::open(&files[0])?)?;
        Ok(CacheReport {
            layers: layers.len(),
            transferred: missing.len(),
            memos: store.take_memos(&state)?,
        })
    }
}
