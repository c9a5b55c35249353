//! Directories that live as long as one build.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err as fs;

/// Distinguishes directories of one process.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A directory that is removed when dropped. Its name carries the process, so that what a killed
/// process left is recognised and removed by [`sweep`].
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new directory below `parent`.
    pub(crate) fn new(parent: &Path) -> std::io::Result<Self> {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{}-{count}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
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
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next sweep.
        let _ = fs::remove_dir_all(&self.0);
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

/// Removes the directories of processes that are gone.
pub(crate) fn sweep(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.split('-').next().unwrap_or_default();
        let is_process = !process.is_empty() && process.bytes().all(|b| b.is_ascii_digit());
        if is_process && !Path::new("/proc").join(process).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
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
        fs::create_dir_all(left.join("x")).unwrap();
        sweep(root.path());
        assert!(kept.exists() && !left.exists());
        drop(scratch);
        assert!(!kept.exists());
    }
}
