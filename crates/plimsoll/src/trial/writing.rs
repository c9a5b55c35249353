//! Files that a container made or changed, where it may.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use plimsoll_run::container::{ContainerSpec, MountAccess, MountKind};

/// More files than these are not looked for.
const MOST: usize = 20;
/// Directories below a mount that are looked into.
const DEEPEST: usize = 5;

/// Files in the container's writable mounts that were changed since `since`, in seconds since 1970.
pub(super) fn writes(process: i32, spec: &ContainerSpec, since: i64) -> Vec<String> {
    let root = PathBuf::from(format!("/proc/{process}/root"));
    let mut found = Vec::new();
    for mount in &spec.mounts {
        let is_writable = match &mount.kind {
            MountKind::Tmpfs { .. } => true,
            MountKind::Volume { access, .. } => *access == MountAccess::ReadWrite,
            _ => false,
        };
        let target = mount.target.strip_prefix("/").unwrap_or(&mount.target);
        if is_writable && !target.starts_with("dev") {
            look(&root, target, since, DEEPEST, &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Looks into a directory. Links are not followed: they lead where the container wants.
fn look(root: &Path, directory: &Path, since: i64, deeper: usize, found: &mut Vec<String>) {
    let Ok(entries) = fs_err::read_dir(root.join(directory)) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        if found.len() >= MOST {
            return;
        }
        let path = directory.join(entry.file_name());
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_dir() && deeper > 0 {
            look(root, &path, since, deeper - 1, found);
        } else if !metadata.is_dir() && metadata.ctime() >= since {
            found.push(format!("/{}", path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_are_seen_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs_err::write(outside.path().join("secret"), "").unwrap();
        fs_err::create_dir_all(root.path().join("data/deep")).unwrap();
        fs_err::write(root.path().join("data/deep/new.db"), "").unwrap();
        fs_err::os::unix::fs::symlink(outside.path(), root.path().join("data/link")).unwrap();
        let mut found = Vec::new();
        look(root.path(), Path::new("data"), 0, DEEPEST, &mut found);
        found.sort();
        assert_eq!(found, ["/data/deep/new.db", "/data/link"]);
        let mut none = Vec::new();
        look(root.path(), Path::new("data"), i64::MAX, DEEPEST, &mut none);
        assert!(none.is_empty());
    }
}
