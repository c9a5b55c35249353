//! Memos: what an earlier run found out, so that the next one need not.
//!
//! A memo names the blobs and layers that its value speaks of, and is forgotten with any of them.

use std::io::Read as _;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::Digest;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memo<T> {
    pub(super) key: String,
    pub(super) needs: Vec<Digest>,
    pub(super) value: T,
}

impl Store {
    /// Writes down `value` under `key`. `needs` are the blobs and DiffIDs without which it is
    /// worth nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        needs: &[Digest],
    ) -> Result<(), StoreError> {
        let memo = Memo {
            key: key.to_owned(),
            needs: needs.to_vec(),
            value,
        };
        self.touch(key);
        let path = self.memo_path(key);
        let bytes = serde_json::to_vec(&memo).map_err(|error| StoreError::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        self.scratch
            .note(&path, &bytes)
            .map_err(|error| self.fail(error))
    }

    /// What was written down under `key`, if all that it needs is still there.
    pub fn recall<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let mut file = fs_err::File::open(self.memo_path(key)).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let memo: Memo<T> = serde_json::from_slice(&bytes).ok()?;
        let whole = memo.key == key && memo.needs.iter().all(|digest| self.holds(digest));
        if whole {
            self.touch(key);
            note_use(&file);
        }
        whole.then_some(memo.value)
    }

    /// The keys that were asked for with success, or written, since the store was opened.
    pub(super) fn touched_memos(&self) -> Vec<String> {
        let touched = self.touched.lock();
        let touched = touched.unwrap_or_else(std::sync::PoisonError::into_inner);
        touched.iter().cloned().collect()
    }

    /// A memo as it is, if it is there.
    pub(super) fn raw_memo(&self, key: &str) -> Option<Memo<serde_json::Value>> {
        serde_json::from_slice(&fs_err::read(self.memo_path(key)).ok()?).ok()
    }

    fn touch(&self, key: &str) {
        let touched = self.touched.lock();
        let mut touched = touched.unwrap_or_else(std::sync::PoisonError::into_inner);
        touched.insert(key.to_owned());
    }

    /// Whether there is a blob or layer with this digest.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.blob(digest).is_file() || self.layer_path(digest).is_file()
    }

    fn memo_path(&self, key: &str) -> std::path::PathBuf {
        self.root
            .join("memos")
            .join(Digest::of(key.as_bytes()).hex())
    }
}

/// Uses of one memo that are nearer to each other count as one.
const ONE_USE: Duration = Duration::from_secs(60 * 60);

/// Makes a memo's time that of its last use. Without it, what it speaks of only goes earlier.
fn note_use(memo: &fs_err::File) {
    let now = SystemTime::now();
    let noted = memo.metadata().and_then(|metadata| metadata.modified());
    let is_old = noted.is_ok_and(|noted| now.duration_since(noted).is_ok_and(|age| age > ONE_USE));
    if is_old && let Err(error) = memo.set_modified(now) {
        tracing::debug!(%error, "the use of a memo is not noted");
    }
}
