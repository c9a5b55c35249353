//! The content-addressed store that all images of a machine share.
//!
//! ```text
//! oci-layout, index.json   the images by name, as an OCI layout has them
//! blobs/sha256/HEX         manifests, configuration files, segments
//! compressed/HEX           the blob of that digest as gzip members, for exports
//! compressed-zstd/HEX      the same as Zstandard frames
//! layers/HEX               which blobs, one after the other, are the layer with this DiffID
//! memos/HEX                what an earlier run found out: key to value
//! unpacked/HEX/            a layer's tree, a lower directory for overlay mounts
//! settling/HEX             which trees the disk may not have yet; see `unpacked`
//! tmp/PID-N/               what is being made; see `scratch`
//! locks/                   files to `flock`
//! salt                     random bytes; see `private_name`
//! ```
//!
//! Everything appears by `rename` and whole. A process may die at any instant: what it leaves is
//! below `tmp/`, and the next one takes it away. A layer is kept as the list of its segments, so
//! that adding a package to a layer writes that package and no more; it becomes one file only
//! when an image is exported.

mod blob;
mod chain;
mod compressed;
mod error;
mod export;
mod fsck;
mod image;
mod layer;
pub(crate) mod lock;
mod memo;
mod private_name;
mod prune;
mod scratch;
mod shared;
mod shipment;
mod spare;
#[cfg(test)]
mod tests;
mod unpacked;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

pub use error::StoreError;
pub use fsck::FsckReport;
pub use image::{Image, ImageLayer, NewImage};
pub use layer::{Hold, Layer, Segment};
pub use prune::{PruneReport, PruneScope};
pub use shipment::LayerForm;

pub(crate) use layer::Part;
pub(crate) use shared::SharedState;
pub(crate) use shipment::{Document, Exported, Shipment};

use crate::Digest;
use crate::layer::LayerError;
use compressed::Codec;
use lock::{Lock, Share};
use scratch::Scratch;

/// The version of the directory's layout; another one is another directory.
const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";

/// The file that keeps those apart who look after the store.
const MAINTENANCE: &str = "locks/maintenance";

/// How often maintenance asks to have the store alone, every 10 ms.
const PATIENCE: u32 = 50;

/// What the store's directory holds.
const DIRECTORIES: [&str; 9] = [
    "blobs/sha256",
    "compressed",
    "compressed-zstd",
    "layers",
    "locks",
    "memos",
    "settling",
    "tmp",
    "unpacked",
];

/// An open store. Holds a lock that keeps [`Store::prune`] and [`Store::fsck`] of other processes
/// away, so a process that lives long drops it after its images are unpacked and keeps a
/// [`Hold`].
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    scratch: Scratch,
    users: Lock,
    /// Keys of the memos that were used.
    touched: Mutex<BTreeSet<String>>,
    /// How what is made now is given away in the end, where that is known.
    given_as: OnceLock<Codec>,
}

/// Nobody else looks after the store while it lives.
#[derive(Debug)]
pub struct Maintenance {
    _lock: Lock,
}

impl Store {
    /// Opens the store in a directory, which is made when missing.
    ///
    /// # Errors
    /// When the directory cannot be made or used.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let fail = |error| from_io(root, error);
        for directory in DIRECTORIES {
            fs_err::create_dir_all(root.join(directory)).map_err(fail)?;
        }
        let users = Lock::wait(&root.join("locks/store"), Share::Shared).map_err(fail)?;
        let scratch = Scratch::create(&root.join("tmp")).map_err(fail)?;
        let store = Self {
            root: root.to_owned(),
            scratch,
            users,
            touched: Mutex::default(),
            given_as: OnceLock::new(),
        };
        if !root.join("oci-layout").exists() {
            store
                .scratch
                .replace(&root.join("oci-layout"), LAYOUT.as_bytes())
                .map_err(fail)?;
        }
        Ok(store)
    }

    /// Waits for those who look after the store in a directory, and keeps them away. Whoever prunes
    /// or checks it takes this before opening it, so as not to stand in another's way.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn maintain(root: &Path) -> Result<Maintenance, StoreError> {
        let fail = |error| from_io(root, error);
        fs_err::create_dir_all(root.join("locks")).map_err(fail)?;
        let lock = Lock::wait(&root.join(MAINTENANCE), Share::Alone).map_err(fail)?;
        Ok(Maintenance { _lock: lock })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn fail(&self, error: io::Error) -> StoreError {
        from_io(&self.root, error)
    }

    fn refuse(&self, error: LayerError) -> StoreError {
        match error {
            LayerError::Write { source, .. } | LayerError::Read(source) if is_full(&source) => {
                from_io(&self.root, source)
            }
            other => StoreError::Layer(other),
        }
    }

    fn missing(&self, what: impl Into<String>) -> StoreError {
        StoreError::Missing {
            root: self.root.clone(),
            what: what.into(),
        }
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    fn lock(&self, name: &str) -> Result<Lock, StoreError> {
        let path = self.root.join("locks").join(name);
        Lock::wait(&path, Share::Alone).map_err(|error| self.fail(error))
    }

    /// Does maintenance while nobody else uses the store.
    fn alone<T>(
        &mut self,
        work: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let fail = |error| from_io(&self.root, error);
        // A program that another thread is just starting has our files, and so our locks, until
        // it is loaded. Nobody who really uses the store is gone so soon.
        let mut alone = false;
        for _ in 0..PATIENCE {
            alone = self.users.convert(Share::Alone).map_err(fail)?;
            if alone {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let result = if alone {
            work(self)
        } else {
            Err(StoreError::InUse {
                root: self.root.clone(),
            })
        };
        self.users.share_again().map_err(fail)?;
        result
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn from_io(root: &Path, error: io::Error) -> StoreError {
    if is_full(&error) {
        StoreError::DiskFull {
            root: root.to_owned(),
        }
    } else {
        StoreError::Io(error)
    }
}
