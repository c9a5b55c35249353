//! Everything that leaves the store with images: manifests, configuration files, and layers in the
//! form that the receiver takes. Exports write it to disk, pushes send it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::compressed::Codec;
use super::{Image, Layer, Store, StoreError};
use crate::Digest;
use crate::oci::{CONTAINERD_NAME, Descriptor, Index, Manifest, Platform, REFERENCE, media_type};

/// How layers are written for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerForm {
    /// As gzip, which everything reads.
    Gzip,
    /// As Zstandard, which is smaller and faster to unpack, and which some engines refuse.
    Zstd,
    /// As they are: for a program on the same machine that would decompress them at once.
    Plain,
}

impl LayerForm {
    pub(super) fn codec(self) -> Option<Codec> {
        match self {
            LayerForm::Gzip => Some(Codec::Gzip),
            LayerForm::Zstd => Some(Codec::Zstd),
            LayerForm::Plain => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            LayerForm::Gzip => media_type::LAYER_GZIP,
            LayerForm::Zstd => media_type::LAYER_ZSTD,
            LayerForm::Plain => media_type::LAYER,
        }
    }
}

/// What Docker reads in an archive before it looks for anything else.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerImage {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// A manifest or index that is sent.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub descriptor: Descriptor,
    pub bytes: Vec<u8>,
}

/// A blob that is sent or written.
#[derive(Debug)]
pub(crate) struct Exported {
    pub descriptor: Descriptor,
    source: Source,
    /// The layer that it is, and how it is compressed.
    layer: Option<(Layer, LayerForm)>,
}

/// Where its bytes are.
#[derive(Debug)]
pub(super) enum Source {
    Bytes(Vec<u8>),
    Files(Vec<PathBuf>),
}

/// What is remembered of a layer that was exported.
#[derive(Serialize, Deserialize)]
struct Written {
    digest: Digest,
    size: u64,
}

/// One image, for one processor or several, as a registry takes it.
#[derive(Debug)]
pub(crate) struct Shipment {
    /// What a tag points at: the one manifest, or the index.
    pub root: Document,
    /// The manifests below an index; none when the root is a manifest.
    pub manifests: Vec<Document>,
    /// Configuration files and layers.
    pub blobs: Vec<Exported>,
}

/// Everything that an export holds.
pub(super) struct Collection {
    pub index: Index,
    pub exported: BTreeMap<Digest, Exported>,
    pub docker: Vec<DockerImage>,
}

impl Store {
    /// One image as a registry takes it. All `images` have one name and differ by processor; a
    /// single one becomes a manifest, several an index.
    ///
    /// # Errors
    /// When a part of an image is missing or cannot be compressed.
    pub(crate) fn shipment(
        &self,
        images: &[Image],
        form: LayerForm,
    ) -> Result<Shipment, StoreError> {
        let Collection {
            index,
            mut exported,
            ..
        } = self.collect(images, form)?;
        let [named] = index.manifests.as_slice() else {
            return Err(self.missing("one name for all images of a push"));
        };
        let mut document = |descriptor: &Descriptor| {
            let bytes = match exported.remove(&descriptor.digest)?.source {
                Source::Bytes(bytes) => bytes,
                Source::Files(_) => return None,
            };
            // The reference is the store's own note.
            let mut descriptor = descriptor.clone();
            descriptor.annotations.remove(REFERENCE);
            descriptor.annotations.remove(CONTAINERD_NAME);
            Some(Document { descriptor, bytes })
        };
        let lost = || self.missing("a manifest that was just written");
        let root = document(named).ok_or_else(lost)?;
        let mut manifests = Vec::new();
        if root.descriptor.media_type == media_type::INDEX {
            let inner: Index =
                serde_json::from_slice(&root.bytes).map_err(|error| StoreError::Malformed {
                    path: self.root.clone(),
                    reason: error.to_string(),
                })?;
            for entry in &inner.manifests {
                manifests.push(document(entry).ok_or_else(lost)?);
            }
        }
        Ok(Shipment {
            root,
            manifests,
            blobs: exported.into_values().collect(),
        })
    }

    /// Makes sure that a blob still has the digest that is said of it. What was compressed earlier
    /// and got damaged since is compressed again.
    ///
    /// # Errors
    /// When the layer itself is damaged.
    pub(crate) fn check_exported(&self, blob: &Exported) -> Result<(), StoreError> {
        let fail = |error| self.fail(error);
        let is_whole = || -> Result<bool, StoreError> {
            let (digest, _) = Digest::of_reader(&mut blob.open().map_err(fail)?).map_err(fail)?;
            Ok(digest == blob.descriptor.digest)
        };
        if is_whole()? {
            return Ok(());
        }
        let Some((layer, form)) = &blob.layer else {
            return Err(self.corrupt(&blob.descriptor.digest));
        };
        for part in &layer.parts {
            let mut plain = self.open_blob(&part.digest)?;
            let (digest, _) = Digest::of_reader(&mut plain).map_err(fail)?;
            if digest != part.digest {
                return Err(self.corrupt(&part.digest));
            }
        }
        if let Some(codec) = form.codec() {
            for part in &layer.parts {
                self.remove(&self.compressed_path(&part.digest, codec))?;
                self.compressed(part, codec)?;
            }
            if is_whole()? {
                return Ok(());
            }
        }
        Err(self.corrupt(&blob.descriptor.digest))
    }

    /// Everything that an export holds, by digest.
    pub(super) fn collect(
        &self,
        images: &[Image],
        form: LayerForm,
    ) -> Result<Collection, StoreError> {
        let mut exported = BTreeMap::new();
        let mut by_name: BTreeMap<&str, Vec<Descriptor>> = BTreeMap::new();
        let mut docker: BTreeMap<&str, DockerImage> = BTreeMap::new();
        let layers: Vec<&Layer> = images.iter().flat_map(|image| &image.layers).collect();
        let written: BTreeMap<Digest, Exported> = layers
            .into_par_iter()
            .map(|layer| Ok((layer.diff_id, self.export_layer(layer, form)?)))
            .collect::<Result<_, StoreError>>()?;
        for image in images {
            let config = self.read_blob(&image.id)?;
            let descriptors: Vec<Descriptor> = image
                .layers
                .iter()
                .filter_map(|layer| written.get(&layer.diff_id))
                .map(|blob| blob.descriptor.clone())
                .collect();
            let config_descriptor = Descriptor::of(media_type::CONFIG, &config);
            let blob_path = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
            docker
                .entry(&image.reference)
                .or_insert_with(|| DockerImage {
                    config: blob_path(&config_descriptor.digest),
                    repo_tags: vec![image.reference.clone()],
                    layers: descriptors
                        .iter()
                        .map(|layer| blob_path(&layer.digest))
                        .collect(),
                });
            let mut manifest = Manifest::new(config_descriptor.clone(), descriptors);
            manifest.annotations = image.annotations.clone();
            let manifest = manifest.to_json();
            let mut descriptor = Descriptor::of(media_type::MANIFEST, &manifest);
            insert(&mut exported, config_descriptor, config);
            insert(&mut exported, descriptor.clone(), manifest);
            descriptor.platform = Some(Platform::linux(image.architecture));
            by_name
                .entry(&image.reference)
                .or_default()
                .push(descriptor);
        }
        exported.extend(
            written
                .into_values()
                .map(|blob| (blob.descriptor.digest, blob)),
        );
        let mut index = Index::default();
        for (reference, mut manifests) in by_name {
            let mut descriptor = if manifests.len() == 1 {
                manifests.remove(0)
            } else {
                let inner = Index {
                    manifests,
                    ..Index::default()
                };
                let inner = inner.to_json();
                let descriptor = Descriptor::of(media_type::INDEX, &inner);
                insert(&mut exported, descriptor.clone(), inner);
                descriptor
            };
            for name in [REFERENCE, CONTAINERD_NAME] {
                descriptor
                    .annotations
                    .insert(name.to_owned(), reference.to_owned());
            }
            index.manifests.push(descriptor);
        }
        Ok(Collection {
            index,
            exported,
            docker: docker.into_values().collect(),
        })
    }

    pub(crate) fn export_layer(
        &self,
        layer: &Layer,
        form: LayerForm,
    ) -> Result<Exported, StoreError> {
        let parts = layer
            .parts
            .par_iter()
            .map(|part| match form.codec() {
                Some(codec) => self.compressed(part, codec),
                None => Ok(self.blob(&part.digest)),
            })
            .collect::<Result<Vec<PathBuf>, StoreError>>()?;
        let source = Source::Files(parts);
        let written = match form.codec() {
            None => Written {
                digest: layer.diff_id,
                size: layer.size,
            },
            Some(codec) => self.written(layer, codec, &source)?,
        };
        Ok(Exported {
            descriptor: Descriptor::new(form.media_type(), written.digest, written.size),
            source,
            layer: Some((layer.clone(), form)),
        })
    }

    /// The digest of the compressed layer, remembered or computed now.
    fn written(&self, layer: &Layer, codec: Codec, source: &Source) -> Result<Written, StoreError> {
        let key = format!("{} of {}", codec.name(), layer.diff_id);
        let known: Option<Written> = self.recall(&key);
        let size: u64 = source.size();
        if let Some(known) = known.filter(|known| known.size == size) {
            return Ok(known);
        }
        let mut reader = source.open_at(0).map_err(|error| self.fail(error))?;
        let (digest, size) = Digest::of_reader(&mut reader).map_err(|error| self.fail(error))?;
        let written = Written { digest, size };
        self.remember(&key, &written, &[layer.diff_id])?;
        Ok(written)
    }
}

fn insert(exported: &mut BTreeMap<Digest, Exported>, descriptor: Descriptor, bytes: Vec<u8>) {
    exported.insert(
        descriptor.digest,
        Exported {
            descriptor,
            source: Source::Bytes(bytes),
            layer: None,
        },
    );
}

impl Exported {
    /// A blob from memory.
    pub(crate) fn of_bytes(media_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            descriptor: Descriptor::of(media_type, &bytes),
            source: Source::Bytes(bytes),
            layer: None,
        }
    }

    /// Its bytes.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        self.source.open_at(0)
    }

    /// Its bytes from an offset on.
    pub(crate) fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + '_>> {
        self.source.open_at(offset)
    }

    /// The files that are its bytes, one after the other, or the bytes.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }
}

impl Source {
    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Source::Bytes(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                Box::new(bytes.get(start..).unwrap_or_default())
            }
            Source::Files(parts) => Box::new(Chain::of(parts.clone(), offset)),
        })
    }

    fn size(&self) -> u64 {
        match self {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::Files(parts) => parts
                .iter()
                .filter_map(|part| fs_err::metadata(part).ok())
                .map(|metadata| metadata.len())
                .sum(),
        }
    }
}
