//! Taking away what no image in the index needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use super::compressed::Codec;
use super::memo::Memo;
use super::{Store, StoreError};
use crate::Digest;
use crate::cache;

/// What was taken away, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Blobs: segments, manifests, configuration files.
    pub blobs: usize,
    /// Layers, and their trees where they had one.
    pub layers: usize,
    /// Memos that spoke of something that is gone.
    pub memos: usize,
    /// Bytes of blobs.
    pub blob_bytes: u64,
    /// Bytes of what was compressed for exports.
    pub compressed_bytes: u64,
    /// Bytes of unpacked trees.
    pub tree_bytes: u64,
}

impl PruneReport {
    /// Bytes that were freed.
    pub fn bytes(&self) -> u64 {
        self.blob_bytes + self.compressed_bytes + self.tree_bytes
    }
}

/// What is pruned of what no image needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct PruneScope<'a> {
    /// Images that count as gone.
    pub without: Option<&'a BTreeSet<String>>,
    /// What was used by a build since then stays.
    pub unused_since: Option<SystemTime>,
}

impl Store {
    /// Takes away what neither an image in the index nor a [`super::Hold`] needs.
    ///
    /// # Errors
    /// When another process uses the store, or something cannot be read or removed.
    pub fn prune(&mut self) -> Result<PruneReport, StoreError> {
        self.alone(|store| store.prune_alone(PruneScope::default()))
    }

    /// The same, but what builds used since a time stays.
    ///
    /// # Errors
    /// As [`Store::prune`].
    pub fn prune_unused_since(&mut self, since: SystemTime) -> Result<PruneReport, StoreError> {
        let scope = PruneScope {
            without: None,
            unused_since: Some(since),
        };
        self.alone(|store| store.prune_alone(scope))
    }

    /// What pruning would take away.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn would_prune(&self, scope: PruneScope<'_>) -> Result<PruneReport, StoreError> {
        self.take_away(scope, &mut |_| Ok(()))
    }

    fn prune_alone(&self, scope: PruneScope<'_>) -> Result<PruneReport, StoreError> {
        let mut report = self.take_away(scope, &mut |path| self.discard(path))?;
        for diff_id in self.names("settling")? {
            if !self.tree(&diff_id).exists() {
                self.forget_settling(&diff_id);
            }
        }
        self.remove_locks()?;
        report.memos = self.forget()?;
        Ok(report)
    }

    /// Hands each thing that is to go to `discard`, records before what they speak of.
    pub(super) fn take_away(
        &self,
        scope: PruneScope<'_>,
        discard: &mut dyn FnMut(&Path) -> Result<(), StoreError>,
    ) -> Result<PruneReport, StoreError> {
        let mut report = PruneReport::default();
        let needed = self.needed(scope)?;
        for diff_id in self.names("layers")? {
            if !needed.layers.contains(&diff_id) {
                discard(&self.layer_path(&diff_id))?;
                report.layers += 1;
            }
        }
        for diff_id in self.names("unpacked")? {
            if !needed.layers.contains(&diff_id) {
                report.tree_bytes += self.tree_bytes(&diff_id);
                discard(&self.tree(&diff_id))?;
            }
        }
        for digest in self.names("blobs/sha256")? {
            if !needed.blobs.contains(&digest) {
                report.blob_bytes += self.blob_size(&digest).unwrap_or(0);
                discard(&self.blob(&digest))?;
                report.blobs += 1;
            }
        }
        for codec in Codec::ALL {
            for segment in self.names(codec.directory())? {
                let path = self.compressed_path(&segment, codec);
                if !needed.blobs.contains(&segment) {
                    report.compressed_bytes +=
                        fs_err::metadata(&path).map_or(0, |metadata| metadata.len());
                    discard(&path)?;
                }
            }
        }
        Ok(report)
    }

    /// Takes something from under its name. It is removed when the store is closed: what is killed
    /// meanwhile leaves nothing half, and nobody waits for the disk.
    pub(super) fn discard(&self, path: &Path) -> Result<(), StoreError> {
        fs_err::rename(path, self.scratch.path()).map_err(|error| self.fail(error))
    }

    pub(super) fn tree_bytes(&self, diff_id: &Digest) -> u64 {
        cache::allocated(&self.tree(diff_id)).unwrap_or(0)
    }

    /// Takes away the lock files of layers that are gone. Nobody can be about to take one: that
    /// needs an open store, and this process has it alone.
    fn remove_locks(&self) -> Result<(), StoreError> {
        let fail = |error| self.fail(error);
        for entry in fs_err::read_dir(self.root.join("locks")).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let layer = name.to_str().and_then(|name| {
                let hex = name.strip_prefix("use-").or(name.strip_prefix("unpack-"))?;
                Digest::from_hex(hex).ok()
            });
            if layer.is_some_and(|layer| !self.layer_path(&layer).exists()) {
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
