//! Directories that live as long as one build.
//!
//! An installed environment is thousands of small files, and a disk that is busy makes each removal
//! wait. Nothing of a build needs that to be over, so removal goes on beside it; what a process
//! leaves behind when it ends, the next one's [`sweep`] takes away.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use fs_err as fs;

/// Distinguishes directories of one process.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Removals that go on.
static REMOVALS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// What the names of directories begin with that nobody uses any more.
const DOOMED: &str = "doomed-";

/// A directory that is removed when dropped. Its name carries the process, so that what a killed
/// process left is recognised and removed by [`sweep`].
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new directory below `parent`.
    pub(crate) fn new(parent: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(parent)?;
        loop {
            let path = parent.join(name(""));
            match fs::create_dir(&path) {
                // Of a dead process with our number; where processes are few, that is common.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)),
            }
        }
    }

    /// Makes a directory below it that `owner` may write to.
    pub(crate) fn directory(&self, name: &str, owner: (u32, u32)) -> std::io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::create_dir_all(&path)?;
        chown(&path, Some(owner.0), Some(owner.1))?;
        Ok(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it now; dropping it only begins to.
    pub(crate) fn remove(self) -> std::io::Result<()> {
        let removed = fs::remove_dir_all(&self.0);
        if removed.is_ok() {
            std::mem::forget(self);
        }
        removed
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The name says to every later process, whatever its number, that nobody uses it.
        let doomed = self.0.with_file_name(name(DOOMED));
        let path = match fs::rename(&self.0, &doomed) {
            Ok(()) => doomed,
            Err(_) => self.0.clone(),
        };
        remove_beside(vec![path]);
    }
}

fn name(prefix: &str) -> String {
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{}-{count}", std::process::id())
}

/// Removes directories while the caller goes on. What cannot be removed is left to a later sweep.
fn remove_beside(paths: Vec<PathBuf>) {
    let remove = move || {
        for path in paths {
            let _ = fs::remove_dir_all(path);
        }
    };
    let removal = std::thread::Builder::new().name("removal".to_string());
    // Without a thread the sweep removes them.
    if let Ok(removal) = removal.spawn(remove) {
        let mut removals = REMOVALS.lock().unwrap_or_else(PoisonError::into_inner);
        removals.retain(|removal| !removal.is_finished());
        removals.push(removal);
    }
}

/// Waits until what was dropped is gone: whoever failed for want of room gets it back.
pub(crate) fn wait_for_removals() {
    let mut removals = REMOVALS.lock().unwrap_or_else(PoisonError::into_inner);
    for removal in removals.drain(..) {
        // One that panicked has left something to the next sweep, as one that failed has.
        let _ = removal.join();
    }
}

/// Gives everything below a directory to `owner`.
pub(crate) fn give(path: &Path, owner: (u32, u32)) -> std::io::Result<()> {
    fs::os::unix::fs::lchown(path, Some(owner.0), Some(owner.1))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

/// Removes the directories of processes that are gone, while the caller goes on.
pub(crate) fn sweep(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let left: Vec<PathBuf> = entries
        .filter(|entry| is_left(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    if !left.is_empty() {
        remove_beside(left);
    }
}

/// Whether a directory with this name is nobody's.
fn is_left(name: &str) -> bool {
    let process = name.split('-').next().unwrap_or_default();
    let is_process = !process.is_empty() && process.bytes().all(|b| b.is_ascii_digit());
    name.starts_with(DOOMED) || is_process && !Path::new("/proc").join(process).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_goes_with_its_owner_and_after_a_kill() {
        let root = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(root.path()).unwrap();
        let kept = scratch.path().to_path_buf();
        // No process has a number beyond the kernel's limit.
        let left = root.path().join("4194305-0");
        // Ours, were it not said that it is nobody's.
        let doomed = root.path().join(format!("doomed-{}-0", std::process::id()));
        for directory in [&left, &doomed] {
            fs::create_dir_all(directory.join("x")).unwrap();
        }
        sweep(root.path());
        wait_for_removals();
        assert!(kept.exists() && !left.exists() && !doomed.exists());
        fs::write(kept.join("file"), "text").unwrap();
        drop(scratch);
        assert!(!kept.exists(), "its name is free at once");
        wait_for_removals();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_dead_process_with_our_number_left_is_not_taken_over() {
        let root = tempfile::tempdir().unwrap();
        let next = COUNTER.load(Ordering::Relaxed);
        for count in next..next + 50 {
            let left = root.path().join(format!("{}-{count}", std::process::id()));
            fs::create_dir_all(left.join("stale")).unwrap();
        }
        let scratch = Scratch::new(root.path()).unwrap();
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
