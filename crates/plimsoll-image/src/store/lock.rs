//! Locks between processes: `flock` on files, released by the kernel however a process ends.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use fs_err::{File, OpenOptions};
use rustix::fs::{FlockOperation, flock};

/// Whom a lock lets in beside its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Others that share it.
    Shared,
    /// Nobody.
    Alone,
}

/// A lock that is held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Waits for the lock.
    pub(crate) fn wait(path: &Path, share: Share) -> io::Result<Self> {
        let file = open(path)?;
        let operation = match share {
            Share::Shared => FlockOperation::LockShared,
            Share::Alone => FlockOperation::LockExclusive,
        };
        rustix::io::retry_on_intr(|| flock(&file, operation))?;
        Ok(Self { file })
    }

    /// Takes the lock if nobody stands against it.
    pub(crate) fn attempt(path: &Path, share: Share) -> io::Result<Option<Self>> {
        let lock = Self { file: open(path)? };
        Ok(lock.convert(share)?.then_some(lock))
    }

    /// Makes the lock file's time now.
    pub(crate) fn touch(&self) -> io::Result<()> {
        self.file.set_modified(SystemTime::now())
    }

    /// Changes a lock that is held. On `false` it may be lost: ask for it again.
    pub(super) fn convert(&self, share: Share) -> io::Result<bool> {
        let operation = match share {
            Share::Shared => FlockOperation::NonBlockingLockShared,
            Share::Alone => FlockOperation::NonBlockingLockExclusive,
        };
        match rustix::io::retry_on_intr(|| flock(&self.file, operation)) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until the lock is shared again after a failed conversion.
    pub(super) fn share_again(&self) -> io::Result<()> {
        rustix::io::retry_on_intr(|| flock(&self.file, FlockOperation::LockShared))?;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Whether a directory is locked by its owner; used for scratch directories, whose owner may be
/// dead.
pub(super) fn lock_directory(path: &Path) -> io::Result<Option<File>> {
    let directory = File::open(path)?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(directory)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
