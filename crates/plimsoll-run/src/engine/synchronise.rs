//! Files of the host, written into a container that runs.
//!
//! A root that is read-only for the container ([`RootAccess::Synchronised`]) is written to from the
//! side of its supervisor, which sees the same file system without that. What the container has
//! mounted over it is written to through the container itself, as far as it may be written to.
//! Every path is resolved inside of the container's root: a link in it leads nowhere else.

use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::{ContainerHandle, EngineError};
use crate::container::{ContainerSpec, Phase, RootAccess};
use crate::runtime::tree::Tree;

/// Writes into one container.
#[derive(Debug)]
pub struct Synchroniser {
    spec: ContainerSpec,
    /// The root as the container sees it.
    inside: Tree,
    /// The root below what is mounted over it; `None`: writes go through the container.
    below: Option<Tree>,
}

impl Synchroniser {
    /// For the container of a handle, which has to run.
    ///
    /// # Errors
    /// When it does not run, or its root cannot be looked into.
    pub fn new(handle: &ContainerHandle) -> Result<Self, EngineError> {
        let spec = handle.spec()?;
        let state = handle.state()?;
        let Some(pid) = state.pid.filter(|_| state.phase == Phase::Running) else {
            return Err(EngineError::Refused {
                dir: handle.dir().to_owned(),
                reason: "it does not run".to_owned(),
            });
        };
        let inside = Tree::open(Path::new(&format!("/proc/{pid}/root")))?;
        let below = match spec.root {
            RootAccess::Synchronised => {
                let root = format!("/proc/{}/root", state.supervisor);
                let own = handle.dir().join("root");
                let own = own.strip_prefix("/").unwrap_or(&own);
                Some(Tree::open(&Path::new(&root).join(own))?)
            }
            RootAccess::ReadOnly | RootAccess::Writable => None,
        };
        Ok(Self {
            spec,
            inside,
            below,
        })
    }

    /// Writes a file of the host at a path of the container, with the directories above it. It
    /// belongs to root there and everybody may read it, as with files of an image.
    ///
    /// # Errors
    /// When the file cannot be read, or the place cannot be written to.
    pub fn write(&self, source: &Path, target: &Path) -> io::Result<()> {
        let mut file = fs_err::File::open(source)?;
        let metadata = file.metadata()?;
        let mode = if metadata.permissions().mode() & 0o111 == 0 {
            0o644
        } else {
            0o755
        };
        let (parent, name) = self.parent(target, Missing::Make)?;
        // Beside it and renamed: a program that reads it meanwhile sees the old or the new one.
        let temporary = format!(".{}.plimsoll", name.to_string_lossy());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW;
        let written = rustix::fs::openat(
            &parent,
            &temporary,
            flags | OFlags::CLOEXEC,
            Mode::from_raw_mode(mode),
        )?;
        let mut written = std::fs::File::from(written);
        io::copy(&mut file, &mut written)?;
        written.flush()?;
        rustix::fs::fchmod(written.as_fd(), Mode::from_raw_mode(mode))?;
        match rustix::fs::renameat(&parent, &temporary, &parent, name) {
            Err(Errno::ISDIR) => {
                // What was a directory is a file now.
                self.remove(target)?;
                rustix::fs::renameat(&parent, &temporary, &parent, name)?;
                Ok(())
            }
            result => Ok(result?),
        }
    }

    /// Removes a file or a whole directory of the container; one that is not there is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, target: &Path) -> io::Result<()> {
        let (parent, name) = match self.parent(target, Missing::Tell) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        match remove_at(parent.as_fd(), name) {
            Err(Errno::NOENT) => Ok(()),
            result => Ok(result?),
        }
    }

    fn parent<'p>(
        &self,
        target: &'p Path,
        missing: Missing,
    ) -> io::Result<(std::os::fd::OwnedFd, &'p std::ffi::OsStr)> {
        let nowhere = || io::Error::new(io::ErrorKind::InvalidInput, "it has no place");
        let name = target.file_name().ok_or_else(nowhere)?;
        let parent = target.parent().ok_or_else(nowhere)?;
        let tree = self.tree(target);
        let directory = match missing {
            Missing::Make => tree.make_directory(parent)?,
            Missing::Tell => tree.open_at(parent, OFlags::PATH | OFlags::DIRECTORY)?,
        };
        Ok((directory, name))
    }

    /// The side from which a path is written to.
    fn tree(&self, target: &Path) -> &Tree {
        let mounted = self
            .spec
            .mounts
            .iter()
            .any(|mount| target.starts_with(&mount.target));
        match &self.below {
            Some(below) if !mounted => below,
            _ => &self.inside,
        }
    }

    /// The place of a path in this container that other mounts hide from the root, for telling why
    /// a write failed.
    pub fn mount_at(&self, target: &Path) -> Option<PathBuf> {
        let mounts = self.spec.mounts.iter().map(|mount| &mount.target);
        mounts
            .filter(|mount| target.starts_with(mount))
            .max_by_key(|mount| mount.components().count())
            .cloned()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    Tell,
}

/// Removes an entry of a directory, and what is below it, without following any link.
fn remove_at(
    parent: std::os::fd::BorrowedFd<'_>,
    name: &std::ffi::OsStr,
) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        result => return result,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let names: Vec<std::ffi::CString> = rustix::fs::Dir::read_from(&directory)?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_owned())
        .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
        .collect();
    for entry in names {
        use std::os::unix::ffi::OsStrExt as _;
        remove_at(
            directory.as_fd(),
            std::ffi::OsStr::from_bytes(entry.to_bytes()),
        )?;
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}
