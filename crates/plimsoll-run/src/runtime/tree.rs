//! A directory tree that is not trusted: paths in it are resolved as if it were the root.
//!
//! Images can hold symbolic links to anywhere. Everything here goes through `openat2` with
//! `RESOLVE_IN_ROOT`, so that a link's target is looked up inside of the tree and `..` ends at
//! its top.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

use crate::container::UserSpec;

/// The top of a tree.
#[derive(Debug)]
pub(crate) struct Tree {
    top: OwnedFd,
}

impl Tree {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(Self { top })
    }

    /// Opens what `path` leads to inside of the tree.
    pub(crate) fn open_at(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        self.open_mode(path, flags, Mode::empty())
    }

    fn open_mode(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            let opened = rustix::fs::openat2(
                &self.top,
                relative(path),
                flags | OFlags::CLOEXEC,
                mode,
                resolve,
            );
            match opened {
                // A rename elsewhere on the machine raced with the resolution.
                Err(Errno::AGAIN) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Makes a directory and those above it. What is there already stays, links included, as
    /// long as they lead to directories inside of the tree.
    pub(crate) fn make_directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let wanted = OFlags::PATH | OFlags::DIRECTORY;
        match self.open_at(path, wanted) {
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {}
            other => return other,
        }
        let mut so_far = PathBuf::new();
        let mut parent = self.open_at(Path::new("/"), wanted)?;
        for component in relative(path).components() {
            let Component::Normal(name) = component else {
                continue;
            };
            so_far.push(name);
            parent = match self.open_at(&so_far, wanted) {
                Ok(directory) => directory,
                Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
                    // A link that leads nowhere makes this fail with EEXIST, which is right:
                    // following it by hand is how roots are escaped.
                    rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
                    self.open_at(&so_far, wanted)?
                }
                Err(error) => return Err(error),
            };
        }
        Ok(parent)
    }

    /// Makes `user` the owner of a directory, if one is there.
    pub(crate) fn give_directory(&self, path: &Path, user: &UserSpec) -> io::Result<()> {
        let missing = [Errno::NOENT, Errno::NOTDIR].map(|errno| Some(errno.raw_os_error()));
        let directory = match self.open_at(path, OFlags::PATH | OFlags::DIRECTORY) {
            Err(error) if missing.contains(&error.raw_os_error()) => return Ok(()),
            opened => opened?,
        };
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        rustix::fs::chownat(&directory, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
        Ok(())
    }

    /// Makes sure that a directory is really there, not a link: for what the runtime fills itself.
    pub(crate) fn make_plain_directory(&self, name: &str) -> io::Result<()> {
        match rustix::fs::statat(&self.top, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                return Ok(());
            }
            Ok(_) => rustix::fs::unlinkat(&self.top, name, AtFlags::empty())?,
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        rustix::fs::mkdirat(&self.top, name, Mode::from_raw_mode(0o755))?;
        Ok(())
    }

    /// Makes an empty file at `path` if nothing is there. A link that leads nowhere is replaced.
    pub(crate) fn make_file(&self, path: &Path) -> io::Result<()> {
        match self.open_at(path, OFlags::PATH) {
            Err(error) if is_missing(&error) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
        let parent = self.make_directory(path.parent().unwrap_or(Path::new("/")))?;
        let name = path.file_name().unwrap_or(OsStr::new("file"));
        match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW;
        rustix::fs::openat(
            parent.as_fd(),
            name,
            flags | OFlags::CLOEXEC,
            Mode::from_raw_mode(0o644),
        )?;
        Ok(())
    }
}

/// Whether something is not there, or a link to it leads nowhere.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw_os_error),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
    )
}

fn relative(path: &Path) -> &Path {
    match path.strip_prefix("/") {
        Ok(rest) if rest.as_os_str().is_empty() => Path::new("."),
        Ok(rest) => rest,
        Err(_) => path,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("root");
        fs_err::create_dir_all(inner.join("etc")).unwrap();
        fs_err::write(inner.join("etc/passwd"), "inside").unwrap();
        fs_err::create_dir(dir.path().join("outside")).unwrap();
        let tree = Tree::open(&inner).unwrap();
        (dir, tree)
    }

    fn read(tree: &Tree, path: &str) -> Option<String> {
        let file = tree.open_at(Path::new(path), OFlags::RDONLY).ok()?;
        std::io::read_to_string(std::fs::File::from(file)).ok()
    }

    #[test]
    fn links_and_dots_stay_inside() {
        let (dir, tree) = tree();
        let root = dir.path().join("root");
        symlink("/etc", root.join("absolute")).unwrap();
        symlink("../../../etc", root.join("climbing")).unwrap();
        for path in [
            "/etc/passwd",
            "/absolute/passwd",
            "/climbing/passwd",
            "/../etc/passwd",
        ] {
            assert_eq!(read(&tree, path).as_deref(), Some("inside"), "{path}");
        }
    }

    #[test]
    fn directories_are_made_inside_only() {
        let (dir, tree) = tree();
        let root = dir.path().join("root");
        symlink(dir.path().join("outside"), root.join("out")).unwrap();
        // The link's target does not exist inside of the tree.
        assert!(tree.make_directory(Path::new("/out/new")).is_err());
        assert!(!dir.path().join("outside/new").exists());
        tree.make_directory(Path::new("/a/b/c")).unwrap();
        assert!(root.join("a/b/c").is_dir());
        tree.make_directory(Path::new("/")).unwrap();
    }

    #[test]
    fn files_are_made_inside_only() {
        let (dir, tree) = tree();
        let root = dir.path().join("root");
        symlink(dir.path().join("outside/target"), root.join("etc/hosts")).unwrap();
        tree.make_file(Path::new("/etc/hosts")).unwrap();
        assert!(!dir.path().join("outside/target").exists());
        assert!(
            fs_err::symlink_metadata(root.join("etc/hosts"))
                .unwrap()
                .is_file()
        );
        tree.make_file(Path::new("/etc/passwd")).unwrap();
        assert_eq!(
            fs_err::read_to_string(root.join("etc/passwd")).unwrap(),
            "inside"
        );
    }

    #[test]
    fn links_in_place_of_system_directories_are_replaced() {
        let (dir, tree) = tree();
        let root = dir.path().join("root");
        symlink(dir.path().join("outside"), root.join("dev")).unwrap();
        tree.make_plain_directory("dev").unwrap();
        assert!(fs_err::symlink_metadata(root.join("dev")).unwrap().is_dir());
        tree.make_plain_directory("etc").unwrap();
        assert!(root.join("etc/passwd").exists());
    }
}
