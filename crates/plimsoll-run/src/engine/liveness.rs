//! Whether a container's supervisor lives: a lock that the kernel lets go of when it ends.
//!
//! A process number would not do: numbers are used again.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use fs_err::File;

use crate::kernel;

const LOCK_FILE: &str = "supervisor.lock";

/// Holds the lock of the container in `dir` as long as the returned file is open.
///
/// # Errors
/// When another supervisor holds it.
pub(crate) fn hold(dir: &Path) -> io::Result<File> {
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(dir.join(LOCK_FILE))?;
    kernel::lock_file(file.as_fd())?;
    Ok(file)
}

/// Whether a supervisor holds the lock of the container in `dir`.
pub(crate) fn is_held(dir: &Path) -> io::Result<bool> {
    let file = match File::open(dir.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    kernel::is_locked(file.as_fd())
}

/// Waits until no supervisor holds the lock of the container in `dir`.
pub(crate) fn wait_until_free(dir: &Path) -> io::Result<()> {
    let file = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .open(dir.join(LOCK_FILE));
    match file {
        Ok(file) => kernel::wait_for_lock(file.as_fd()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_seen_while_it_is_held_and_by_one_only() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_held(dir.path()).unwrap());
        let file = hold(dir.path()).unwrap();
        assert!(is_held(dir.path()).unwrap());
        assert!(hold(dir.path()).is_err());
        drop(file);
        assert!(!is_held(dir.path()).unwrap());
    }
}
