//! Taking away what no image in the index needs.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::compressed::Codec;
use super::lock::{Lock, Share};
use super::memo::Memo;
use super::{Layer, Store, StoreError};
use crate::Digest;

/// What was taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Blobs: segments, manifests, configuration files, compressed members.
    pub blobs: usize,
    /// Layers, and their trees where they had one.
    pub layers: usize,
    /// Memos that spoke of something that is gone.
    pub memos: usize,
    /// Bytes that were freed.
    pub bytes: u64,
}

impl Store {
    /// Takes away what neither an image in the index nor a [`super::Hold`] needs.
    ///
    /// # Errors
    /// When another process uses the store, or something cannot be read or removed.
    pub fn prune(&mut self) -> Result<PruneReport, StoreError> {
        self.alone(Self::prune_alone)
    }

    /// Empties a directory where builds keep what they fetched and compiled, while nobody else uses the store, and so
    /// nobody builds. Returns the bytes that were freed.
    ///
    /// It goes away under another name first: of what is killed on the way, nothing half removed is taken for whole.
    ///
    /// # Errors
    /// When another process uses the store, or something cannot be removed.
    pub fn empty_cache(&mut self, directory: &Path) -> Result<u64, StoreError> {
        self.alone(|store| {
            let fail = |error| store.fail(error);
            let removing = directory.with_extension("removing");
            // Of a removal that was cut off.
            let mut freed = remove(&removing).map_err(fail)?;
            match fs_err::rename(directory, &removing) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                renamed => {
                    renamed.map_err(fail)?;
                    freed += remove(&removing).map_err(fail)?;
                }
            }
            Ok(freed)
        })
    }

    fn prune_alone(&self) -> Result<PruneReport, StoreError> {
        let mut report = PruneReport::default();
        let mut keep: HashSet<Digest> = HashSet::new();
        let mut keep_layers: HashSet<Digest> = HashSet::new();
        let keep_layer = |layer: &Layer, keep: &mut HashSet<Digest>| {
            keep.extend(layer.parts.iter().map(|part| part.digest));
            keep.extend(&layer.keeps);
            layer.diff_id
        };
        for entry in &self.index()?.manifests {
            keep.insert(entry.digest);
            // An image that is not whole keeps nothing; `fsck` is what takes its name away.
            if let Ok(image) = self.read_image(entry) {
                keep.insert(image.id);
                keep_layers.extend(
                    image
                        .layers
                        .iter()
                        .map(|layer| keep_layer(layer, &mut keep)),
                );
            }
        }
        for diff_id in self.names("layers")? {
            let in_use = || -> Result<bool, StoreError> {
                let path = self.use_lock(&diff_id);
                let lock = Lock::attempt(&path, Share::Alone).map_err(|error| self.fail(error))?;
                Ok(lock.is_none())
            };
            if keep_layers.contains(&diff_id) {
                continue;
            }
            if self.use_lock(&diff_id).exists() && in_use()? {
                if let Ok(layer) = self.layer(&diff_id) {
                    keep_layers.insert(keep_layer(&layer, &mut keep));
                }
                continue;
            }
            self.remove(&self.layer_path(&diff_id))?;
            report.layers += 1;
        }
        for diff_id in self.names("unpacked")? {
            if !keep_layers.contains(&diff_id) {
                report.bytes += self.remove_tree(&diff_id)?;
            }
        }
        for digest in self.names("blobs/sha256")? {
            if !keep.contains(&digest) {
                report.bytes += self.blob_size(&digest).unwrap_or(0);
                self.remove(&self.blob(&digest))?;
                report.blobs += 1;
            }
        }
        for codec in Codec::ALL {
            for segment in self.names(codec.directory())? {
                let path = self.compressed_path(&segment, codec);
                if !keep.contains(&segment) {
                    report.bytes += fs_err::metadata(&path).map_or(0, |metadata| metadata.len());
                    self.remove(&path)?;
                }
            }
        }
        self.remove_locks(&keep_layers)?;
        report.memos = self.forget()?;
        Ok(report)
    }

    /// Takes away the lock files of layers that are gone. Nobody can be about to take one: that
    /// needs an open store, and this process has it alone.
    fn remove_locks(&self, keep: &HashSet<Digest>) -> Result<(), StoreError> {
        let fail = |error| self.fail(error);
        for entry in fs_err::read_dir(self.root.join("locks")).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let layer = name.to_str().and_then(|name| {
                let hex = name.strip_prefix("use-").or(name.strip_prefix("unpack-"))?;
                Digest::from_hex(hex).ok()
            });
            if layer.is_some_and(|layer| !keep.contains(&layer)) {
                self.remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// The digests that name the entries of a directory of the store.
    pub(super) fn names(&self, directory: &str) -> Result<Vec<Digest>, StoreError> {
        let mut names = Vec::new();
        for entry in fs_err::read_dir(self.root.join(directory)).map_err(|e| self.fail(e))? {
            let entry = entry.map_err(|error| self.fail(error))?;
            let name = entry.file_name();
            if let Some(digest) = name.to_str().and_then(|name| Digest::from_hex(name).ok()) {
                names.push(digest);
            }
        }
        names.sort();
        Ok(names)
    }

    pub(super) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        fs_err::remove_file(path).map_err(|error| self.fail(error))
    }

    /// Removes memos that need something which is gone; how many.
    pub(super) fn forget(&self) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for name in self.names("memos")? {
            let path = self.root.join("memos").join(name.hex());
            let bytes = fs_err::read(&path).map_err(|error| self.fail(error))?;
            let memo: Result<Memo<serde::de::IgnoredAny>, _> = serde_json::from_slice(&bytes);
            if !memo.is_ok_and(|memo| memo.needs.iter().all(|digest| self.holds(digest))) {
                self.remove(&path)?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }
}

/// Removes a directory, which may be missing, and tells how many bytes it took.
fn remove(directory: &Path) -> std::io::Result<u64> {
    if !directory.is_dir() {
        return Ok(0);
    }
    let bytes = allocated(directory)?;
    fs_err::remove_dir_all(directory)?;
    Ok(bytes)
}

/// Bytes that the files below a directory take on disk; one with several names counts once.
fn allocated(directory: &Path) -> std::io::Result<u64> {
    let mut seen = HashSet::new();
    let mut bytes = 0;
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs_err::read_dir(directory)? {
            let entry = entry?;
            let metadata = fs_err::symlink_metadata(entry.path())?;
            if metadata.is_dir() {
                open.push(entry.path());
            } else if metadata.nlink() == 1 || seen.insert((metadata.dev(), metadata.ino())) {
                bytes += metadata.blocks() * 512;
            }
        }
    }
    Ok(bytes)
}
