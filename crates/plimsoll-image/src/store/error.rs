//! Why the store could not do its part.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::Digest;
use crate::layer::LayerError;

/// Why the store could not do its part.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file system is full. The store is as whole as before.
    #[error("no space is left for the store at `{}`", root.display())]
    DiskFull {
        /// The store.
        root: PathBuf,
    },
    /// The system refused something; the source names the path.
    #[error(transparent)]
    Io(io::Error),
    /// Content that does not have the digest it is stored under.
    #[error("`{digest}` in the store at `{}` is damaged", root.display())]
    Corrupt {
        /// The store.
        root: PathBuf,
        /// What it should be.
        digest: Digest,
    },
    /// Something that should be in the store is not.
    #[error("the store at `{}` does not hold {what}", root.display())]
    Missing {
        /// The store.
        root: PathBuf,
        /// What is asked for.
        what: String,
    },
    /// A file of the store that cannot be understood.
    #[error("`{}` is damaged: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A stream that does not have the digest that was announced.
    #[error("the content has the digest {actual}, expected {expected}")]
    Unexpected {
        /// What was announced.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// Two segments of one layer hold the same file.
    #[error("two packages of one layer hold `{path}`")]
    Overlap {
        /// The file.
        path: String,
    },
    /// A layer without any file, which some engines refuse.
    #[error("a layer needs at least one segment")]
    EmptyLayer,
    /// Maintenance needs the store alone.
    #[error("another process uses the store at `{}`", root.display())]
    InUse {
        /// The store.
        root: PathBuf,
    },
    /// An archive was refused, or could not be made.
    #[error(transparent)]
    Layer(LayerError),
}

impl StoreError {
    /// Whether running [`super::Store::fsck`] may mend this.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            StoreError::Corrupt { .. } | StoreError::Malformed { .. } | StoreError::Missing { .. }
        )
    }
}
