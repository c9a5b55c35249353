//! Images for others: as an OCI layout, and as an archive that `docker load`, `podman load` and
//! `ctr images import` take.

use std::io::{Read, Write};
use std::path::Path;

use super::shipment::{Collection, Exported, LayerForm, Source};
use super::{Image, LAYOUT, Store, StoreError};
use crate::digest::{Hasher, Hashing};
use crate::layer::{Attributes, Content, END, FileSet, Node, write_tar};
use crate::replacement::Replacement;

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
        let Collection {
            index, exported, ..
        } = self.collect(images, form)?;
        for blob in exported.values() {
            let path = blobs.join(blob.descriptor.digest.hex());
            let there =
                fs_err::metadata(&path).is_ok_and(|known| known.len() == blob.descriptor.size);
            if !there {
                self.copy_out(blob, &path)?;
            }
        }
        for (name, bytes) in [
            ("oci-layout", LAYOUT.as_bytes()),
            ("index.json", index.to_json().as_slice()),
        ] {
            let path = directory.join(name);
            if fs_err::read(&path).ok().as_deref() != Some(bytes) {
                replace(&path, &mut &*bytes).map_err(fail)?;
            }
        }
        Ok(())
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
        let Collection {
            index,
            exported,
            docker,
        } = self.collect(images, form)?;
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
                let content = match blob.source() {
                    Source::Bytes(bytes) => Content::Bytes(bytes.clone()),
                    Source::Files(parts) => match parts.as_slice() {
                        [one] => Content::File(one.clone()),
                        _ => {
                            let whole = drafts.join(digest.hex());
                            self.copy_out(blob, &whole)?;
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

    /// Writes a blob to a file, and makes sure that it is what its digest says.
    fn copy_out(&self, blob: &Exported, path: &Path) -> Result<(), StoreError> {
        let fail = |error| super::from_io(path, error);
        // What is damaged is found here at the latest, and compressed again where that helps.
        for last in [false, true] {
            let mut reader = Hashing {
                source: blob.open().map_err(fail)?,
                hasher: Hasher::default(),
            };
            replace(path, &mut reader).map_err(fail)?;
            if reader.hasher.finish() == blob.descriptor.digest {
                return Ok(());
            }
            fs_err::remove_file(path).map_err(fail)?;
            if !last {
                self.check_exported(blob)?;
            }
        }
        Err(self.corrupt(&blob.descriptor.digest))
    }
}

/// Writes a file at once or not at all, as far as processes can die. What a power cut takes is
/// taken of a copy: the store has it, and the next export finds the file short or gone.
fn replace(path: &Path, source: &mut dyn Read) -> std::io::Result<()> {
    let mut replacement = Replacement::of(path)?;
    std::io::copy(source, replacement.file())?;
    replacement.place()
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
