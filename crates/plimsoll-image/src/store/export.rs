//! Images for others: as an OCI layout, and as an archive that `docker load`, `podman load` and
//! `ctr images import` take.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use fs_err::File;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Image, LAYOUT, Layer, Store, StoreError};
use crate::Digest;
use crate::layer::{Attributes, Content, END, FileSet, Node, write_tar};
use crate::oci::{CONTAINERD_NAME, Descriptor, Index, Manifest, Platform, REFERENCE, media_type};

/// How layers are written for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerForm {
    /// As gzip, which everything reads.
    Gzip,
    /// As they are: for a program on the same machine that would decompress them at once.
    Plain,
}

/// What Docker reads in an archive before it looks for anything else.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// A blob of an export.
struct Exported {
    descriptor: Descriptor,
    source: Source,
}

/// Where its bytes are.
enum Source {
    Bytes(Vec<u8>),
    Files(Vec<PathBuf>),
}

/// What is remembered of a layer that was exported.
#[derive(Serialize, Deserialize)]
struct Written {
    digest: Digest,
    size: u64,
}

impl Store {
    /// Writes images as an OCI layout into a directory, which is made when missing. Blobs that are
    /// there already are not written again; the index names these images and no others. Images
    /// with the same name become one of several architectures.
    ///
    /// # Errors
    /// When a part of an image is missing or the directory cannot be written.
    pub fn export_layout(
        &self,
        images: &[Image],
        form: LayerForm,
        directory: &Path,
    ) -> Result<(), StoreError> {
        let fail = |error| super::from_io(directory, error);
        let blobs = directory.join("blobs/sha256");
        fs_err::create_dir_all(&blobs).map_err(fail)?;
        let (index, exported, _) = self.collect(images, form)?;
        for blob in exported.values() {
            let path = blobs.join(blob.descriptor.digest.hex());
            let there =
                fs_err::metadata(&path).is_ok_and(|known| known.len() == blob.descriptor.size);
            if !there {
                replace(&path, &mut *blob.source.open().map_err(fail)?).map_err(fail)?;
            }
        }
        replace(&directory.join("oci-layout"), &mut LAYOUT.as_bytes()).map_err(fail)?;
        replace(
            &directory.join("index.json"),
            &mut index.to_json().as_slice(),
        )
        .map_err(fail)
    }

    /// Writes images as an archive: an OCI layout with Docker's `manifest.json` beside it. Of an
    /// image of several architectures Docker sees the first.
    ///
    /// # Errors
    /// When a part of an image is missing or the archive cannot be written.
    pub fn export_archive(
        &self,
        images: &[Image],
        form: LayerForm,
        output: &mut dyn Write,
    ) -> Result<(), StoreError> {
        let (index, exported, docker) = self.collect(images, form)?;
        let docker = serde_json::to_vec(&docker).expect("strings and lists serialise");
        let drafts = self.scratch.path();
        fs_err::create_dir(&drafts).map_err(|error| self.fail(error))?;
        let mut files = FileSet::new();
        let mut add = |path: &str, content: Content| {
            files.insert(path, Node::File(Attributes::FILE, content))
        };
        let added = (|| {
            add("oci-layout", Content::Bytes(LAYOUT.into()))?;
            add("index.json", Content::Bytes(index.to_json()))?;
            add("manifest.json", Content::Bytes(docker))?;
            for blob in exported.values() {
                let digest = blob.descriptor.digest;
                let content = match &blob.source {
                    Source::Bytes(bytes) => Content::Bytes(bytes.clone()),
                    Source::Files(parts) => match parts.as_slice() {
                        [one] => Content::File(one.clone()),
                        _ => {
                            let whole = drafts.join(digest.hex());
                            let mut reader =
                                blob.source.open().map_err(|error| self.fail(error))?;
                            replace(&whole, &mut *reader).map_err(|error| self.fail(error))?;
                            Content::File(whole)
                        }
                    },
                };
                add(&format!("blobs/sha256/{}", digest.hex()), content)?;
            }
            Ok(())
        })();
        let written = added
            .map_err(|error: ExportError| error.into_store())
            .and_then(|()| {
                write_tar(&files, output).map_err(|error| self.refuse(error))?;
                output.write_all(&END).map_err(|error| self.fail(error))
            });
        // The drafts are copies; what matters is in the output.
        let _ = fs_err::remove_dir_all(&drafts);
        written
    }

    /// Everything that an export holds, by digest.
    #[expect(
        clippy::type_complexity,
        reason = "three things that are made in one pass"
    )]
    fn collect(
        &self,
        images: &[Image],
        form: LayerForm,
    ) -> Result<(Index, BTreeMap<Digest, Exported>, Vec<DockerImage>), StoreError> {
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
        Ok((index, exported, docker.into_values().collect()))
    }

    fn export_layer(&self, layer: &Layer, form: LayerForm) -> Result<Exported, StoreError> {
        let (media, parts) = match form {
            LayerForm::Plain => {
                let parts = layer
                    .parts
                    .iter()
                    .map(|part| self.blob(&part.digest))
                    .collect();
                (media_type::LAYER, parts)
            }
            LayerForm::Gzip => {
                let parts = layer
                    .parts
                    .par_iter()
                    .map(|part| self.compressed(part))
                    .collect::<Result<Vec<PathBuf>, StoreError>>()?;
                (media_type::LAYER_GZIP, parts)
            }
        };
        let source = Source::Files(parts);
        let written = match form {
            LayerForm::Plain => Written {
                digest: layer.diff_id,
                size: layer.size,
            },
            LayerForm::Gzip => self.written(layer, &source)?,
        };
        Ok(Exported {
            descriptor: Descriptor::new(media, written.digest, written.size),
            source,
        })
    }

    /// The digest of the compressed layer, remembered or computed now.
    fn written(&self, layer: &Layer, source: &Source) -> Result<Written, StoreError> {
        let key = format!("gzip of {}", layer.diff_id);
        let known: Option<Written> = self.recall(&key);
        let size: u64 = source.size();
        if let Some(known) = known.filter(|known| known.size == size) {
            return Ok(known);
        }
        let mut reader = source.open().map_err(|error| self.fail(error))?;
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
        },
    );
}

impl Source {
    fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Source::Bytes(bytes) => Box::new(bytes.as_slice()),
            Source::Files(parts) => {
                let mut whole: Box<dyn Read> = Box::new(std::io::empty());
                for part in parts {
                    whole = Box::new(whole.chain(File::open(part)?));
                }
                whole
            }
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

/// Writes a file at once or not at all.
fn replace(path: &Path, source: &mut dyn Read) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let done = File::create(&draft)
        .and_then(|mut file| {
            std::io::copy(source, &mut file)?;
            file.sync_data()
        })
        .and_then(|()| fs_err::rename(&draft, path));
    if done.is_err() {
        let _ = fs_err::remove_file(&draft);
    }
    done
}

/// What may go wrong while an archive is put together.
enum ExportError {
    Store(StoreError),
    Files(crate::layer::FileSetError),
}

impl ExportError {
    fn into_store(self) -> StoreError {
        match self {
            ExportError::Store(error) => error,
            ExportError::Files(error) => StoreError::Layer(error.into()),
        }
    }
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        ExportError::Store(error)
    }
}

impl From<crate::layer::FileSetError> for ExportError {
    fn from(error: crate::layer::FileSetError) -> Self {
        ExportError::Files(error)
    }
}
