//! One command at a time changes a project's stack.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use fs_err::{File, OpenOptions};
use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// A held lock; dropping it, or the process's end, lets go.
#[derive(Debug)]
pub struct StackLock {
    _file: File,
}

/// The lock could not be had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another command changes the stack right now.
    #[error("another command is changing this stack{}", match holder { Some(pid) => format!(" (pid {pid})"), None => String::new() })]
    Busy {
        /// Its process id, where the file tells.
        holder: Option<u32>,
    },
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

impl StackLock {
    /// Takes the lock at once or fails.
    ///
    /// # Errors
    /// [`LockError::Busy`] while another process holds it.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        if let Some(directory) = path.parent() {
            fs_err::create_dir_all(directory)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // The holder may be between opening and writing: then nobody is named.
                let _ = file.read_to_string(&mut text);
                return Err(LockError::Busy {
                    holder: text.trim().parse().ok(),
                });
            }
            Err(error) => return Err(std::io::Error::from(error).into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_learns_who_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/desk.lock");
        let held = StackLock::take(&path).unwrap();
        let refused = StackLock::take(&path).unwrap_err();
        assert!(
            matches!(refused, LockError::Busy { holder: Some(pid) } if pid == std::process::id())
        );
        drop(held);
        StackLock::take(&path).unwrap();
    }
}
