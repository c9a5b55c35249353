//! A file that is not yet whole.
//!
//! It stands beside its destination under a name that everyone who wants the file uses, and is
//! locked: two who fetch the same file wait for each other, and what a killed process had got
//! goes on from where it ended. It is named like the destination only when it is whole and
//! verified.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};
use rustix::fs::{FlockOperation, flock};

use crate::Digest;
use crate::digest::Hasher;

/// What becomes of the bytes when a download fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// They stay: the next attempt goes on from them, and a digest tells whether they were right.
    ForLater,
    /// They go: nothing could tell whether they belong to the file.
    Nothing,
}

/// A partial file, locked while this lives.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    destination: PathBuf,
    hasher: Hasher,
    /// How much is there.
    pub(super) length: u64,
    /// The strong `ETag` of the version these bytes are from.
    pub(super) version: Option<String>,
    keep: Keep,
    published: bool,
}

impl Partial {
    /// Waits for the partial file of a destination, and takes over what it holds.
    pub(super) fn open(destination: &Path, keep: Keep) -> io::Result<Self> {
        let mut name = destination.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let path = destination.with_file_name(name);
        if let Some(parent) = destination.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let file = loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            // Whoever had the lock may have renamed or removed the file meanwhile.
            let locked = file.metadata()?.ino();
            if fs_err::metadata(&path).is_ok_and(|named| named.ino() == locked) {
                break file;
            }
        };
        let mut partial = Self {
            file,
            path,
            destination: destination.to_owned(),
            hasher: Hasher::default(),
            length: 0,
            version: None,
            keep,
            published: false,
        };
        match keep {
            Keep::ForLater => partial.take_over()?,
            Keep::Nothing => partial.restart()?,
        }
        Ok(partial)
    }

    fn take_over(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = self.file.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.hasher.update(&buffer[..count]);
            self.length += count as u64;
        }
    }

    /// The digest of what is there.
    pub(super) fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Adds bytes at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        if written.is_err() {
            // Most likely the disk is full; then its room is worth more than its bytes.
            self.keep = Keep::Nothing;
        }
        written?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what is there.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::default();
        self.length = 0;
        self.version = None;
        Ok(())
    }

    /// Gives the file the name of its destination.
    pub(super) fn publish(mut self) -> io::Result<()> {
        // A file with a known digest is checked against it before it is used again, so a power
        // cut costs no more than fetching it again.
        if self.keep == Keep::Nothing {
            self.file.sync_data()?;
        }
        fs_err::rename(&self.path, &self.destination)?;
        self.published = true;
        Ok(())
    }

    /// Removes the file: it is not needed.
    pub(super) fn discard(mut self) {
        self.keep = Keep::Nothing;
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let worthless = self.keep == Keep::Nothing || self.length == 0;
        if worthless && !self.published {
            // Nothing depends on it, and the failure that led here is what the user should read.
            let _ = fs_err::remove_file(&self.path);
        }
    }
}
