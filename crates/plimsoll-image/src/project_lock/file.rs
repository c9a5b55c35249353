//! Reading and replacing the lock file: whole or not at all, one process at a time.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fs_err as fs;
use rustix::fs::{FlockOperation, flock};

use super::text::Content;
use crate::replacement::Replacement;

/// The file's text, where there is one.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file cannot be written where it belongs, whatever is tried.
pub(super) fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}

/// Changes the file by what `change` makes of its present text.
pub(super) fn update(
    path: &Path,
    change: impl FnOnce(Option<&str>) -> Content,
) -> io::Result<Content> {
    let directory = path.parent().unwrap_or(Path::new("."));
    if !directory.is_dir() {
        fs::create_dir_all(directory)?;
    }
    // The directory itself is the lock: no file of ours is left in the user's tree.
    let held = fs::File::open(directory)?;
    rustix::io::retry_on_intr(|| flock(&held, FlockOperation::LockExclusive))?;
    let present = read(path)?;
    let content = change(present.as_deref());
    let text = content.text();
    if present.as_deref() != Some(&text) {
        let mut replacement = Replacement::of(path)?;
        replacement.file().write_all(text.as_bytes())?;
        replacement.file().sync_data()?;
        give_to_owner_of(&held, replacement.draft())?;
        replacement.place()?;
    }
    Ok(content)
}

/// A file that root makes in a user's tree is the user's.
fn give_to_owner_of(directory: &fs::File, draft: &Path) -> io::Result<()> {
    let owner = directory.metadata()?;
    let made = fs::metadata(draft)?;
    if (owner.uid(), owner.gid()) == (made.uid(), made.gid()) || made.uid() != 0 {
        return Ok(());
    }
    std::os::unix::fs::chown(draft, Some(owner.uid()), Some(owner.gid()))
}
