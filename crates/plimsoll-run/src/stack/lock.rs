//! One command at a time changes a project's stack.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

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
        let patience = Instant::now() + LINGERING;
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(std::io::Error::from(error).into());
            }
            let holder = holder(&mut file)?;
            if holder.is_none_or(lives) || Instant::now() >= patience {
                return Err(LockError::Busy { holder });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

/// A process that was killed while it started another one leaves the lock to that one until it
/// executes its program: so long a dead holder's lock is waited for.
const LINGERING: Duration = Duration::from_secs(2);

/// The process that says it holds the lock; nobody while it is between opening and writing.
fn holder(file: &mut File) -> std::io::Result<Option<u32>> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.trim().parse().ok())
}

fn lives(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
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
