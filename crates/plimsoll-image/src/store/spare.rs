//! What images need, what builds used, and when: all else in the store is spare.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use super::compressed::Codec;
use super::lock::{Lock, Share};
use super::memo::Memo;
use super::{Layer, PruneScope, Store, StoreError};
use crate::Digest;

/// What must stay.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) blobs: HashSet<Digest>,
    pub(super) layers: HashSet<Digest>,
}

impl Needed {
    fn layer(&mut self, layer: &Layer) {
        self.layers.insert(layer.diff_id);
        self.blobs
            .extend(layer.parts.iter().map(|part| part.digest));
        self.blobs.extend(&layer.keeps);
    }
}

impl Store {
    /// When builds last used what no image needs, and the bytes it takes.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn spare(&self) -> Result<Vec<(SystemTime, u64)>, StoreError> {
        let needed = self.needed(PruneScope::default())?;
        let uses = self.last_uses()?;
        let used = |digest: &Digest| uses.get(digest).copied().unwrap_or(SystemTime::UNIX_EPOCH);
        let mut spare = Vec::new();
        for digest in self.names("blobs/sha256")? {
            if needed.blobs.contains(&digest) {
                continue;
            }
            let compressed = Codec::ALL.map(|codec| {
                let path = self.compressed_path(&digest, codec);
                fs_err::metadata(path).map_or(0, |metadata| metadata.len())
            });
            let bytes = self.blob_size(&digest).unwrap_or(0) + compressed.iter().sum::<u64>();
            spare.push((used(&digest), bytes));
        }
        for diff_id in self.names("unpacked")? {
            if !needed.layers.contains(&diff_id) {
                spare.push((used(&diff_id), self.tree_bytes(&diff_id)));
            }
        }
        Ok(spare)
    }

    /// What images and holds need, and what the scope spares besides.
    pub(super) fn needed(&self, scope: PruneScope<'_>) -> Result<Needed, StoreError> {
        let mut needed = Needed::default();
        let gone = |name: &str| scope.without.is_some_and(|without| without.contains(name));
        for entry in &self.index()?.manifests {
            if entry.reference().is_some_and(gone) {
                continue;
            }
            needed.blobs.insert(entry.digest);
            // An image that is not whole keeps nothing; `fsck` is what takes its name away.
            if let Ok(image) = self.read_image(entry) {
                needed.blobs.insert(image.id);
                for layer in &image.layers {
                    needed.layer(layer);
                }
            }
        }
        if let Some(since) = scope.unused_since {
            for (digest, used) in self.last_uses()? {
                if used >= since {
                    needed.blobs.insert(digest);
                    needed.layers.insert(digest);
                }
            }
        }
        for diff_id in self.names("layers")? {
            if !needed.layers.contains(&diff_id)
                && self.is_held(&diff_id)?
                && let Ok(layer) = self.layer(&diff_id)
            {
                needed.layer(&layer);
            }
        }
        Ok(needed)
    }

    /// Whether a [`super::Hold`] of any process keeps a layer.
    fn is_held(&self, diff_id: &Digest) -> Result<bool, StoreError> {
        let path = self.use_lock(diff_id);
        if !path.exists() {
            return Ok(false);
        }
        let lock = Lock::attempt(&path, Share::Alone).map_err(|error| self.fail(error))?;
        Ok(lock.is_none())
    }

    /// When a memo that speaks of a blob or layer was last used. The parts of a layer are used with
    /// it.
    fn last_uses(&self) -> Result<HashMap<Digest, SystemTime>, StoreError> {
        let mut uses: HashMap<Digest, SystemTime> = HashMap::new();
        for name in self.names("memos")? {
            let path = self.root.join("memos").join(name.hex());
            let read = || {
                let memo: Memo<serde::de::IgnoredAny> =
                    serde_json::from_slice(&fs_err::read(&path).ok()?).ok()?;
                Some((memo, fs_err::metadata(&path).ok()?.modified().ok()?))
            };
            // A damaged one is forgotten when the store is pruned.
            let Some((memo, used)) = read() else {
                continue;
            };
            for need in memo.needs {
                let last = uses.entry(need).or_insert(used);
                *last = used.max(*last);
            }
        }
        for diff_id in self.names("layers")? {
            let (Some(used), Ok(layer)) = (uses.get(&diff_id).copied(), self.layer(&diff_id))
            else {
                continue;
            };
            let parts = layer.parts.iter().map(|part| part.digest);
            for digest in parts.chain(layer.keeps.iter().copied()) {
                let last = uses.entry(digest).or_insert(used);
                *last = used.max(*last);
            }
        }
        Ok(uses)
    }
}
