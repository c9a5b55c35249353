//! What the builders of all languages work with: the store, the sandbox, tools, caches, and one
//! lock for each piece of work, so that two services that need the same thing wait for one
//! another instead of making it twice.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use plimsoll_diag::{Diagnostic, Progress, ProgressEvent};
use plimsoll_model::settings::ScriptNetwork;
use serde::{Deserialize, Serialize};

use crate::base::Debian;
use crate::builder::Outcome;
use crate::clients::Registries;
use crate::fetch::Fetcher;
use crate::oci::Architecture;
use crate::project_lock::ProjectLock;
use crate::provenance::Material;
use crate::step::scratch::Scratch;
use crate::store::{ImageLayer, Store, StoreError};
use crate::toolchain::Toolchains;
use crate::variant::Variant;
use crate::{Digest, Sandbox};

/// What builders work with.
pub(crate) struct Workshop<'a> {
    pub store: &'a Store,
    pub sandbox: &'a dyn Sandbox,
    pub progress: &'a dyn Progress,
    pub toolchains: &'a Toolchains,
    pub registries: &'a Registries,
    /// The way to the network.
    pub fetcher: &'a Fetcher,
    pub debian: &'a Debian,
    pub locks: &'a KeyLocks,
    /// The project's lock file, where one is kept.
    pub project_lock: Option<&'a ProjectLock>,
    /// Downloads and scratch directories.
    pub cache: &'a Path,
    /// The processor the image is made for.
    pub architecture: Architecture,
    /// This machine's processor, which build steps run on.
    pub host: Architecture,
    /// Whether what earlier builds made counts.
    pub memory: Memory,
    /// What the image is for.
    pub variant: Variant,
    /// When a project's own build scripts have the network.
    pub script_network: ScriptNetwork,
    /// Whose work it is.
    pub subject: &'a str,
    /// How many pieces of work had to be done.
    pub made: AtomicUsize,
    /// What went in so far, and what it was made with.
    pub materials: Mutex<BTreeSet<Material>>,
}

/// Whether what earlier builds made counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Memory {
    /// Layers made from the same inputs are used again.
    #[default]
    Use,
    /// Everything is made anew, from the newest packages that fit.
    Ignore,
}

/// A layer as a memo keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptLayer {
    diff_id: Digest,
    created_by: String,
}

impl Workshop<'_> {
    /// Says what is done now.
    pub(crate) fn tell(&self, step: impl Into<String>) {
        self.progress.report(ProgressEvent::Started {
            subject: self.subject.to_string(),
            step: step.into(),
        });
    }

    /// Says something of the project, once for all services that it concerns.
    pub(crate) fn notice(&self, notice: Diagnostic) {
        let mut told = self
            .locks
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if told.insert(notice.to_string()) {
            self.progress.report(ProgressEvent::Notice(notice));
        }
    }

    /// Whether anything had to be made.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.made.load(Ordering::Relaxed) {
            0 => Outcome::Cached,
            _ => Outcome::Built,
        }
    }

    /// A directory for unfinished work.
    pub(crate) fn scratch(&self) -> std::io::Result<Scratch> {
        Scratch::new(&self.scratch_parent())
    }

    pub(crate) fn scratch_parent(&self) -> PathBuf {
        self.cache.join("work")
    }

    /// The layers that were made for `key`, or those that `make` makes now. Of several threads
    /// that ask for one key, one makes them.
    pub(crate) fn layers<E: From<StoreError>>(
        &self,
        key: &str,
        make: impl FnOnce() -> Result<Vec<ImageLayer>, E>,
    ) -> Result<Vec<ImageLayer>, E> {
        if let Some(known) = self.known(key) {
            self.note(self.store.recall(&materials_key(key)).unwrap_or_default());
            return Ok(known);
        }
        self.locks.alone(key, || {
            // Another thread may have made them meanwhile; that counts even when memory does not.
            if self.locks.was_made(key)
                && let Some(known) = self.recall(key)
            {
                self.note(self.store.recall(&materials_key(key)).unwrap_or_default());
                return Ok(known);
            }
            if let Some(known) = self.known(key) {
                self.note(self.store.recall(&materials_key(key)).unwrap_or_default());
                return Ok(known);
            }
            self.made.fetch_add(1, Ordering::Relaxed);
            let before = std::mem::take(&mut *self.noted());
            let made = make();
            let used = std::mem::replace(&mut *self.noted(), before);
            let layers = made?;
            let kept: Vec<KeptLayer> = layers
                .iter()
                .map(|entry| KeptLayer {
                    diff_id: entry.layer.diff_id,
                    created_by: entry.created_by.clone(),
                })
                .collect();
            let needs: Vec<Digest> = kept.iter().map(|layer| layer.diff_id).collect();
            self.store.remember(key, &kept, &needs)?;
            self.store.remember(&materials_key(key), &used, &needs)?;
            self.note(used);
            self.locks.made(key);
            Ok(layers)
        })
    }

    /// Writes down what went into the image, or what it is made with.
    pub(crate) fn note(&self, materials: BTreeSet<Material>) {
        self.noted().extend(materials);
    }

    /// What went in so far.
    pub(crate) fn noted_materials(&self) -> BTreeSet<Material> {
        self.noted().clone()
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, BTreeSet<Material>> {
        self.materials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &str) -> Option<Vec<ImageLayer>> {
        match self.memory {
            Memory::Use => self.recall(key),
            Memory::Ignore => None,
        }
    }

    fn recall(&self, key: &str) -> Option<Vec<ImageLayer>> {
        let kept: Vec<KeptLayer> = self.store.recall(key)?;
        kept.into_iter()
            .map(|entry| {
                Some(ImageLayer {
                    layer: self.store.layer(&entry.diff_id).ok()?,
                    created_by: entry.created_by,
                })
            })
            .collect()
    }

    /// The trees of layers, lowest first, as a step's root.
    pub(crate) fn trees(&self, layers: &[ImageLayer]) -> Result<Vec<PathBuf>, StoreError> {
        layers
            .iter()
            .map(|entry| self.store.unpacked(&entry.layer))
            .collect()
    }
}

/// Where the materials of layers are remembered.
fn materials_key(key: &str) -> String {
    format!("materials of {key}")
}

/// One lock for each key.
#[derive(Debug, Default)]
pub(crate) struct KeyLocks {
    keys: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    made: Mutex<std::collections::HashSet<String>>,
    /// What was said.
    told: Mutex<std::collections::HashSet<String>>,
}

impl KeyLocks {
    /// Runs `work` while no other thread runs work of the same key.
    pub(crate) fn alone<T>(&self, key: &str, work: impl FnOnce() -> T) -> T {
        let lock = {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(keys.entry(key.to_string()).or_default())
        };
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    fn made(&self, key: &str) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(key.to_string());
    }

    /// Whether this process has made what the key stands for.
    fn was_made(&self, key: &str) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn work_of_one_key_never_overlaps() {
        let locks = KeyLocks::default();
        let (inside, worst) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        locks.alone("key", || {
                            let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                            worst.fetch_max(now, Ordering::SeqCst);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert_eq!(worst.load(Ordering::SeqCst), 1);
    }
}
