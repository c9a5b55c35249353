//! Layers as tar: writing them so that equal files give equal bytes, and unpacking those of
//! others without trusting them.
//!
//! Nothing here knows about the store, images or packages.

mod compare;
mod compression;
mod cuts;
mod extract;
mod file_set;
mod own_paths;
mod path;
mod unpack;
mod ustar;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use compression::Compression;
pub use file_set::{Attributes, Content, FileSet, FileSetError, Node};
pub use path::{PathError, leads_out, normalised};
pub use unpack::{Limits, Origin, Unpacked, unpack};
pub use ustar::{END, FIXED_TIME, write_tar};

pub(crate) use compare::first_difference;
pub(crate) use cuts::Cuts;
pub(crate) use own_paths::{contents, each_path, paths};
pub(crate) use ustar::{write_directories, write_files};

/// Why a layer cannot be written, or an archive is not unpacked.
#[derive(Debug, Error)]
pub enum LayerError {
    /// A name that would leave the root, or cannot be kept.
    #[error("the archive is refused: {0}")]
    Path(#[from] PathError),
    /// Files that cannot stand beside each other.
    #[error(transparent)]
    Files(#[from] FileSetError),
    /// A file whose directory is a symbolic link or a file.
    #[error("the archive is refused: `{0}` lies below something that is not a directory")]
    ThroughLink(String),
    /// A link whose target is outside, or is not in the archive.
    #[error("the archive is refused: `{link}` links to `{target}`, which is not inside it")]
    LinksOut {
        /// The link.
        link: String,
        /// Where it points.
        target: String,
    },
    /// A device node or a pipe.
    #[error("the archive is refused: `{0}` is a device node or pipe")]
    Device(String),
    /// Something that is not a file, directory or link.
    #[error("the archive is refused: `{path}` is of the unknown kind {kind:?}")]
    UnknownKind {
        /// The entry.
        path: String,
        /// Its type flag.
        kind: char,
    },
    /// More bytes than can be right.
    #[error("the archive is refused: it unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// More files than can be right.
    #[error("the archive is refused: it holds more than {0} entries")]
    TooMany(u64),
    /// Bytes that are no archive.
    #[error("the archive cannot be read: {0}")]
    Malformed(io::Error),
    /// A file that was there could not be read.
    #[error(transparent)]
    Read(io::Error),
    /// A file that became shorter while it was read, or another one since it was looked at.
    #[error("`{}` changed while it was read", .0.display())]
    Changed(PathBuf),
    /// The output could not be written.
    #[error("cannot write {what}: {source}")]
    Write {
        /// The file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl From<io::Error> for LayerError {
    fn from(source: io::Error) -> Self {
        LayerError::Write {
            what: "a segment".to_owned(),
            source,
        }
    }
}
