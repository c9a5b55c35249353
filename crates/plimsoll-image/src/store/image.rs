//! Images by name: `index.json` and what it leads to.

use std::collections::BTreeMap;
use std::io;

use super::{Layer, Store, StoreError};
use crate::Digest;
use crate::oci::{
    Architecture, ConfigFile, Descriptor, EPOCH, History, ImageConfig, Index, Manifest, Platform,
    REFERENCE, media_type,
};

/// An image to keep.
#[derive(Debug, Clone)]
pub struct NewImage<'a> {
    /// Its name: `plimsoll/agent-desk/backend:latest`.
    pub reference: &'a str,
    /// The processor it is for.
    pub architecture: Architecture,
    /// How it starts.
    pub config: &'a ImageConfig,
    /// Its layers, lowest first.
    pub layers: &'a [ImageLayer],
    /// Notes on its manifest.
    pub annotations: BTreeMap<String, String>,
}

/// A layer, and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLayer {
    /// The layer.
    pub layer: Layer,
    /// A few words for the image's history: `debian 13: python3.13`.
    pub created_by: String,
}

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its name.
    pub reference: String,
    /// The digest of its configuration file, which is what `docker images` shows.
    pub id: Digest,
    /// The digest of its manifest in this store.
    pub manifest: Digest,
    /// The processor it is for.
    pub architecture: Architecture,
    /// How it starts.
    pub config: ImageConfig,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    /// Notes on its manifest.
    pub annotations: BTreeMap<String, String>,
}

impl Image {
    /// The bytes of all layers, not compressed.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

impl Store {
    /// Keeps an image under its name; one that had the name for the same processor loses it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_image(&self, image: &NewImage<'_>) -> Result<Image, StoreError> {
        let config = ConfigFile {
            architecture: image.architecture,
            config: image.config.clone(),
            created: EPOCH.to_owned(),
            diff_ids: image
                .layers
                .iter()
                .map(|entry| entry.layer.diff_id)
                .collect(),
            history: image
                .layers
                .iter()
                .map(|entry| History {
                    created: Some(EPOCH.to_owned()),
                    created_by: Some(entry.created_by.clone()),
                    ..History::default()
                })
                .collect(),
        }
        .to_json();
        let layers = image
            .layers
            .iter()
            .map(|entry| Descriptor::new(media_type::LAYER, entry.layer.diff_id, entry.layer.size))
            .collect();
        let mut manifest = Manifest::new(Descriptor::of(media_type::CONFIG, &config), layers);
        manifest.annotations = image.annotations.clone();
        let manifest = manifest.to_json();
        self.put_bytes(&config)?;
        self.put_bytes(&manifest)?;
        let mut descriptor = Descriptor::of(media_type::MANIFEST, &manifest);
        descriptor.platform = Some(Platform::linux(image.architecture));
        let name = (REFERENCE.to_owned(), image.reference.to_owned());
        descriptor.annotations.extend([name]);
        self.change_index(|index| {
            index.manifests.retain(|other| {
                !(other.reference() == Some(image.reference)
                    && other.platform == descriptor.platform)
            });
            index.manifests.push(descriptor.clone());
            index
                .manifests
                .sort_by_key(|entry| (entry.reference().map(str::to_owned), entry.digest));
        })?;
        self.read_image(&descriptor)
    }

    /// The image with this name for this processor, if there is one and it is whole.
    ///
    /// # Errors
    /// When the index cannot be read, or the image is damaged.
    pub fn image(
        &self,
        reference: &str,
        architecture: Architecture,
    ) -> Result<Option<Image>, StoreError> {
        self.index()?
            .manifests
            .iter()
            .find(|entry| {
                entry.reference() == Some(reference)
                    && entry
                        .platform
                        .as_ref()
                        .is_some_and(|platform| platform.is(architecture))
            })
            .map(|entry| self.read_image(entry))
            .transpose()
    }

    /// The images with this name, one for each processor, in the processors' order.
    ///
    /// # Errors
    /// When the index cannot be read, or one is damaged.
    pub fn images_named(&self, reference: &str) -> Result<Vec<Image>, StoreError> {
        let mut images = self
            .index()?
            .manifests
            .iter()
            .filter(|entry| entry.reference() == Some(reference))
            .map(|entry| self.read_image(entry))
            .collect::<Result<Vec<_>, _>>()?;
        images.sort_by_key(|image| image.architecture);
        Ok(images)
    }

    /// Every whole image, by name.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn images(&self) -> Result<Vec<Image>, StoreError> {
        let index = self.index()?;
        let images = index.manifests.iter().filter_map(|entry| {
            self.read_image(entry)
                .inspect_err(|error| tracing::warn!(%error, "an image is not whole"))
                .ok()
        });
        Ok(images.collect())
    }

    /// Takes away a name, for all processors; whether there was one. What only that image used
    /// goes with the next [`Store::prune`].
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn remove_image(&self, reference: &str) -> Result<bool, StoreError> {
        let mut found = false;
        self.change_index(|index| {
            let before = index.manifests.len();
            index
                .manifests
                .retain(|entry| entry.reference() != Some(reference));
            found = index.manifests.len() != before;
        })?;
        Ok(found)
    }

    pub(super) fn index(&self) -> Result<Index, StoreError> {
        let path = self.root.join("index.json");
        let bytes = match fs_err::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
            other => other.map_err(|error| self.fail(error))?,
        };
        serde_json::from_slice(&bytes).map_err(|error| StoreError::Malformed {
            path,
            reason: error.to_string(),
        })
    }

    pub(super) fn change_index(&self, change: impl FnOnce(&mut Index)) -> Result<(), StoreError> {
        let _lock = self.lock("index")?;
        let mut index = self.index()?;
        let before = index.clone();
        change(&mut index);
        if index == before && self.root.join("index.json").exists() {
            return Ok(());
        }
        self.write_index(&index)
    }

    pub(super) fn write_index(&self, index: &Index) -> Result<(), StoreError> {
        let fail = |error| self.fail(error);
        self.scratch
            .replace(&self.root.join("index.json"), &index.to_json())
            .map_err(fail)?;
        // After this the name survives a power cut, and with it everything renamed before.
        let directory = fs_err::File::open(&self.root).map_err(fail)?;
        directory.sync_all().map_err(fail)
    }

    pub(super) fn read_image(&self, entry: &Descriptor) -> Result<Image, StoreError> {
        let damaged = |digest: &Digest, error: serde_json::Error| StoreError::Malformed {
            path: self.blob(digest),
            reason: error.to_string(),
        };
        let manifest: Manifest = serde_json::from_slice(&self.read_blob(&entry.digest)?)
            .map_err(|error| damaged(&entry.digest, error))?;
        let id = manifest.config.digest;
        let config =
            ConfigFile::from_json(&self.read_blob(&id)?).map_err(|error| damaged(&id, error))?;
        let layers = config
            .diff_ids
            .iter()
            .map(|diff_id| self.layer(diff_id))
            .collect::<Result<_, _>>()?;
        Ok(Image {
            reference: entry.reference().unwrap_or_default().to_owned(),
            id,
            manifest: entry.digest,
            architecture: config.architecture,
            config: config.config,
            layers,
            annotations: manifest.annotations,
        })
    }
}
