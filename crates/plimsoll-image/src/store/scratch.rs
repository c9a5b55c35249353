//! Where things are made before they are renamed into place.
//!
//! Each open store has a directory of its own below `tmp/` and holds a lock on it. Whoever opens
//! the store later takes away the directories whose owner has gone.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err::File;

use super::lock::lock_directory;
use crate::Digest;
use crate::digest::Hasher;

/// Distinguishes what one process makes.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A directory for unfinished things.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes one below `tmp`, and takes away those of dead processes.
    pub(super) fn create(tmp: &Path) -> io::Result<Self> {
        remove_abandoned(tmp)?;
        loop {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = tmp.join(format!("{}-{count}", std::process::id()));
            match fs_err::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            // Between making and locking, another process may have taken it for abandoned.
            match lock_directory(&path) {
                Ok(Some(lock)) if path.exists() => return Ok(Self { path, _lock: lock }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A path that nothing else uses.
    pub(super) fn path(&self) -> PathBuf {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        self.path.join(count.to_string())
    }

    /// Starts a file.
    pub(super) fn file(&self) -> io::Result<Draft> {
        let path = self.path();
        Ok(Draft {
            file: io::BufWriter::with_capacity(256 << 10, File::create_new(&path)?),
            path,
            hasher: Hasher::default(),
            length: 0,
            placed: false,
        })
    }

    /// Puts bytes at `destination` at once or not at all.
    pub(super) fn replace(&self, destination: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut draft = self.file()?;
        draft.write_all(bytes)?;
        draft.place(destination)
    }

    /// The same for bytes that may be lost in a power cut: whoever reads them takes a damaged
    /// file for none.
    pub(super) fn note(&self, destination: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut draft = self.file()?;
        draft.write_all(bytes)?;
        draft.rename(destination)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is taken away by the next who opens the store.
        let _ = fs_err::remove_dir_all(&self.path);
    }
}

/// How many scratch directories had lost their owner.
pub(super) fn remove_abandoned(tmp: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs_err::read_dir(tmp)? {
        let path = entry?.path();
        match lock_directory(&path) {
            Ok(Some(_lock)) => {
                tracing::debug!(path = %path.display(), "removing what a dead process left");
                match fs_err::remove_dir_all(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => removed += 1,
                }
            }
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// A file that is being written. Removed when dropped before it is placed.
pub(super) struct Draft {
    file: io::BufWriter<File>,
    path: PathBuf,
    hasher: Hasher,
    length: u64,
    placed: bool,
}

impl Draft {
    /// The digest and length so far.
    pub(super) fn identity(&self) -> (Digest, u64) {
        (self.hasher.clone().finish(), self.length)
    }

    /// Makes the bytes last, then gives the file its name.
    pub(super) fn place(mut self, destination: &Path) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()?;
        self.rename(destination)
    }

    fn rename(mut self, destination: &Path) -> io::Result<()> {
        self.file.flush()?;
        fs_err::rename(&self.path, destination)?;
        self.placed = true;
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs_err::remove_file(&self.path);
        }
    }
}
