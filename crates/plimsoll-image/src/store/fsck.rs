//! Looking whether everything in the store is what its name says, and taking away what is not.

use std::collections::HashSet;
use std::path::PathBuf;

use fs_err::File;
use rayon::prelude::*;

use super::compressed::Codec;
use super::{Layer, Store, StoreError};
use crate::Digest;
use crate::layer::{Compression, first_difference};
use crate::oci::Index;

/// What was found, and taken away. What is gone is made again by the next build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// Blobs that were read and hashed.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were not what their name said, relative to the store.
    pub damaged: Vec<PathBuf>,
    /// Files that have no business in the store, relative to it.
    pub strays: Vec<PathBuf>,
    /// Layers that lost a part.
    pub layers: Vec<Digest>,
    /// Images that lost a part, by name.
    pub images: Vec<String>,
    /// Memos that spoke of something that is gone.
    pub memos: usize,
}

impl FsckReport {
    /// Whether nothing was amiss. Memos come and go, and a dead process's scratch is no damage.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty()
            && self.strays.is_empty()
            && self.layers.is_empty()
            && self.images.is_empty()
    }
}

impl Store {
    /// Checks everything, removes what is damaged or half, and tells what that was.
    ///
    /// # Errors
    /// When another process uses the store, or something cannot be read or removed.
    pub fn fsck(&mut self) -> Result<FsckReport, StoreError> {
        self.alone(Self::fsck_alone)
    }

    fn fsck_alone(&self) -> Result<FsckReport, StoreError> {
        let mut report = FsckReport::default();
        for directory in [
            "blobs/sha256",
            "layers",
            "memos",
            "unpacked",
            Codec::Gzip.directory(),
            Codec::Zstd.directory(),
        ] {
            self.remove_strays(directory, &mut report)?;
        }
        self.check_blobs(&mut report)?;
        self.check_layers(&mut report)?;
        for codec in Codec::ALL {
            self.check_members(codec, &mut report)?;
        }
        self.check_index(&mut report)?;
        report.memos = self.forget()?;
        Ok(report)
    }

    fn remove_strays(&self, directory: &str, report: &mut FsckReport) -> Result<(), StoreError> {
        let fail = |error| self.fail(error);
        for entry in fs_err::read_dir(self.root.join(directory)).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let known = name
                .to_str()
                .is_some_and(|name| Digest::from_hex(name).is_ok());
            let is_directory = entry.file_type().map_err(fail)?.is_dir();
            if known && is_directory == (directory == "unpacked") {
                continue;
            }
            if is_directory {
                fs_err::remove_dir_all(entry.path()).map_err(fail)?;
            } else {
                self.remove(&entry.path())?;
            }
            report.strays.push(PathBuf::from(directory).join(name));
        }
        report.strays.sort();
        Ok(())
    }

    fn check_blobs(&self, report: &mut FsckReport) -> Result<(), StoreError> {
        let names = self.names("blobs/sha256")?;
        let hashed: Vec<Option<u64>> = names
            .par_iter()
            .map(|name| {
                // A block that the disk cannot read is damage as well.
                let (digest, bytes) =
                    Digest::of_reader(&mut File::open(self.blob(name)).ok()?).ok()?;
                (digest == *name).then_some(bytes)
            })
            .collect();
        for (name, bytes) in names.iter().zip(hashed) {
            report.blobs += 1;
            match bytes {
                Some(bytes) => report.bytes += bytes,
                None => {
                    self.remove(&self.blob(name))?;
                    let path = PathBuf::from("blobs/sha256").join(name.hex());
                    report.damaged.push(path);
                }
            }
        }
        Ok(())
    }

    fn check_layers(&self, report: &mut FsckReport) -> Result<(), StoreError> {
        let mut whole: HashSet<Digest> = HashSet::new();
        for diff_id in self.names("layers")? {
            match self.layer(&diff_id).and_then(|layer| self.rehash(&layer)) {
                Ok(()) => {
                    whole.insert(diff_id);
                }
                Err(error) if error.is_damage() => {
                    self.remove(&self.layer_path(&diff_id))?;
                    report.layers.push(diff_id);
                }
                Err(error) => return Err(error),
            }
        }
        for diff_id in self.names("unpacked")? {
            // One that a power cut may have damaged is made again when it is needed.
            if !whole.contains(&diff_id) || !self.is_trusted(&diff_id) {
                self.remove_tree(&diff_id)?;
            } else if let Some(path) = self.difference(&diff_id)? {
                self.remove_tree(&diff_id)?;
                let tree = PathBuf::from("unpacked").join(diff_id.hex());
                report.damaged.push(tree.join(path));
            }
        }
        Ok(())
    }

    /// The first file of a layer's tree that is not as the layer has it.
    fn difference(&self, diff_id: &Digest) -> Result<Option<String>, StoreError> {
        let layer = self.layer(diff_id)?;
        let mut reader = std::io::BufReader::with_capacity(256 << 10, self.open_layer(&layer)?);
        first_difference(&mut reader, &self.tree(diff_id), layer.origin)
            .map_err(|error| self.refuse(error))
    }

    fn rehash(&self, layer: &Layer) -> Result<(), StoreError> {
        let (digest, _) =
            Digest::of_reader(&mut self.open_layer(layer)?).map_err(|error| self.fail(error))?;
        if digest == layer.diff_id {
            Ok(())
        } else {
            Err(self.corrupt(&layer.diff_id))
        }
    }

    fn check_members(&self, codec: Codec, report: &mut FsckReport) -> Result<(), StoreError> {
        for segment in self.names(codec.directory())? {
            let path = self.compressed_path(&segment, codec);
            let file = File::open(&path).map_err(|error| self.fail(error))?;
            let compression = match codec {
                Codec::Gzip => Compression::Gzip,
                Codec::Zstd => Compression::Zstd,
            };
            let plain = compression
                .reader(file)
                .and_then(|mut reader| Digest::of_reader(&mut reader));
            if !plain.is_ok_and(|(digest, _)| digest == segment) {
                self.remove(&path)?;
                let path = PathBuf::from(codec.directory()).join(segment.hex());
                report.damaged.push(path);
            }
        }
        Ok(())
    }

    fn check_index(&self, report: &mut FsckReport) -> Result<(), StoreError> {
        match self.index() {
            Ok(_) => {}
            Err(error) if error.is_damage() => {
                report.damaged.push(PathBuf::from("index.json"));
                self.write_index(&Index::default())?;
            }
            Err(error) => return Err(error),
        }
        self.change_index(|index| {
            index.manifests.retain(|entry| {
                let whole = self.read_image(entry).is_ok();
                if !whole {
                    let name = entry.reference().unwrap_or("without a name");
                    report.images.push(name.to_owned());
                }
                whole
            });
        })
    }
}
