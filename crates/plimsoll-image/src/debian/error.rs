//! Why a base could not be assembled from Debian packages.

use std::path::PathBuf;

use thiserror::Error;

use super::SignatureError;
use crate::fetch::{FetchError, ShownUrl};
use crate::layer::{FileSetError, LayerError};
use crate::oci::Architecture;
use crate::store::StoreError;

/// Why a base could not be assembled from Debian packages.
#[derive(Debug, Error)]
pub enum DebianError {
    /// The machine's apt knows no Debian archive.
    #[error("no Debian archive is among the apt sources in `{}`", place.display())]
    NoMirror {
        /// Where the sources were looked for.
        place: PathBuf,
    },
    /// A release that images are not built on.
    #[error("`{0}` is not a Debian release that images are built on: `trixie` or `bookworm`")]
    UnknownSuite(String),
    /// Something could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// An archive's index is not signed as it must be.
    #[error("`{url}` is not believed: {source}")]
    Signature {
        /// The signed file.
        url: ShownUrl,
        /// Why.
        source: SignatureError,
    },
    /// An archive's index is older than it allows itself to be: a mirror that stands still, or
    /// somebody who replays an old state.
    #[error(
        "`{url}` expired {hours} hours ago: the mirror is stale, or this machine's clock is wrong"
    )]
    Expired {
        /// The signed file.
        url: ShownUrl,
        /// Since when.
        hours: u64,
    },
    /// A file of an archive does not read as it must.
    #[error("`{place}` is malformed: {reason}")]
    Malformed {
        /// The file.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A package that is asked for by name does not exist.
    #[error("Debian {suite} has no package `{package}` for {architecture}")]
    NoPackage {
        /// The name.
        package: String,
        /// The release.
        suite: super::Suite,
        /// The processor.
        architecture: Architecture,
    },
    /// A package needs something that does not exist.
    #[error(
        "package `{package}` needs `{relation}`, which Debian {suite} does not have for {architecture}"
    )]
    Unsatisfied {
        /// Who needs it.
        package: String,
        /// What.
        relation: String,
        /// The release.
        suite: super::Suite,
        /// The processor.
        architecture: Architecture,
    },
    /// The index names a package that the archive no longer holds, also after a refresh.
    #[error("the archive no longer holds `{package}` {version}, which its own index names")]
    Gone {
        /// The package.
        package: String,
        /// The version.
        version: String,
    },
    /// A package cannot be unpacked.
    #[error("package `{package}` cannot be unpacked: {source}")]
    Package {
        /// The package.
        package: String,
        /// Why.
        source: PackageError,
    },
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written; the source names it.
    #[error(transparent)]
    Io(std::io::Error),
}

/// Why a package cannot be unpacked.
#[derive(Debug, Error)]
pub enum PackageError {
    /// Not what a `.deb` looks like.
    #[error("it is malformed: {0}")]
    Malformed(String),
    /// An archive inside that is refused.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// Files that cannot stand beside each other.
    #[error(transparent)]
    Files(#[from] FileSetError),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
