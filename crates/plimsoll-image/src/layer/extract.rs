//! Making files below a directory without ever leaving it.
//!
//! Every component of a path is opened by itself and without following links, from a handle of
//! the directory above it. So whatever an archive made before, nothing it makes later can land
//! outside.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::file_set::Attributes;
use super::ustar::FIXED_TIME;
use super::{LayerError, path};

/// Makes files below a root directory.
pub(super) struct Extractor {
    root: OwnedFd,
    /// Handles of the directories that lead to the last parent, the highest first.
    open: Vec<(String, OwnedFd)>,
    /// Directories that were made or stated; what they get when everything is in them.
    directories: BTreeMap<String, Attributes>,
    owners: Owners,
}

/// Whether files can be given to other users.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owners {
    /// The process may.
    Kept,
    /// Only root may: everything belongs to who unpacks.
    Dropped,
}

fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

fn failed(name: &str) -> impl FnOnce(Errno) -> LayerError {
    let what = format!("`{name}`");
    move |errno| LayerError::Write {
        what,
        source: errno.into(),
    }
}

const DIRECTORY: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Extractor {
    pub(super) fn new(root: &Path) -> Result<Self, LayerError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, root, flags, Mode::empty())
            .map_err(failed(&root.display().to_string()))?;
        Ok(Self {
            root,
            open: Vec::new(),
            directories: BTreeMap::new(),
            owners: if rustix::process::geteuid().is_root() {
                Owners::Kept
            } else {
                Owners::Dropped
            },
        })
    }

    /// The directory itself. Those that are missing are made.
    fn enter(&mut self, directory: &str) -> Result<BorrowedFd<'_>, LayerError> {
        let keep = self
            .open
            .iter()
            .take_while(|(name, _)| {
                directory == name
                    || directory
                        .strip_prefix(name.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            })
            .count();
        self.open.truncate(keep);
        let known = self.open.last().map_or(0, |(name, _)| name.len());
        for end in path::parents(directory)
            .map(str::len)
            .chain([directory.len()])
            .filter(|end| *end > known)
        {
            let name = &directory[..end];
            let (_, last) = split(name);
            let above = self
                .open
                .last()
                .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
            let fd = match rustix::fs::openat(above, last, DIRECTORY, Mode::empty()) {
                Err(Errno::NOENT) => {
                    rustix::fs::mkdirat(above, last, Mode::RWXU).map_err(failed(name))?;
                    self.directories
                        .entry(name.to_owned())
                        .or_insert(Attributes::DIRECTORY);
                    rustix::fs::openat(above, last, DIRECTORY, Mode::empty())
                        .map_err(failed(name))?
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return Err(LayerError::ThroughLink(directory.to_owned()));
                }
                other => other.map_err(failed(name))?,
            };
            self.open.push((name.to_owned(), fd));
        }
        Ok(self
            .open
            .last()
            .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd()))
    }

    /// What stands at a path, if anything does.
    fn existing(&mut self, name: &str) -> Result<Option<Stat>, LayerError> {
        let (directory, last) = split(name);
        let parent = self.enter(directory)?;
        match rustix::fs::statat(parent, last, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(name)(errno)),
        }
    }

    /// Takes away what an earlier entry of the same archive left at this path.
    fn make_room(&mut self, name: &str) -> Result<(), LayerError> {
        let Some(stat) = self.existing(name)? else {
            return Ok(());
        };
        let (directory, last) = split(name);
        let flags = if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            self.directories.remove(name);
            AtFlags::REMOVEDIR
        } else {
            AtFlags::empty()
        };
        let parent = self.enter(directory)?;
        rustix::fs::unlinkat(parent, last, flags).map_err(failed(name))
    }

    /// Makes a directory, or states the attributes of one that is there.
    pub(super) fn directory(
        &mut self,
        name: &str,
        attributes: Attributes,
    ) -> Result<(), LayerError> {
        if name.is_empty() {
            self.directories.insert(String::new(), attributes);
            return Ok(());
        }
        let existing = self.existing(name)?;
        let covered = existing.as_ref().is_some_and(is_whiteout);
        let stands = existing
            .is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
        if !stands {
            self.make_room(name)?;
            let (directory, last) = split(name);
            let parent = self.enter(directory)?;
            rustix::fs::mkdirat(parent, last, Mode::RWXU).map_err(failed(name))?;
        }
        if covered {
            // The archive hides what lower layers have here and puts a directory in its place.
            self.opaque(name)?;
        }
        self.directories.insert(name.to_owned(), attributes);
        Ok(())
    }

    /// Makes a file and lets `fill` write it.
    pub(super) fn file(
        &mut self,
        name: &str,
        attributes: Attributes,
        fill: impl FnOnce(&mut File) -> Result<(), LayerError>,
    ) -> Result<(), LayerError> {
        let (directory, last) = split(name);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let parent = self.enter(directory)?;
        let fd = match rustix::fs::openat(parent, last, flags, mode) {
            Err(Errno::EXIST) => {
                self.make_room(name)?;
                let parent = self.enter(directory)?;
                rustix::fs::openat(parent, last, flags, mode)
            }
            other => other,
        }
        .map_err(failed(name))?;
        let mut file = File::from(fd);
        fill(&mut file)?;
        self.finish(&file, name, attributes)
    }

    /// Gives a file that was made before its file capabilities. Without the right to, it has none:
    /// a program then works for root alone.
    pub(super) fn capabilities(&mut self, name: &str, bytes: &[u8]) -> Result<(), LayerError> {
        let (directory, last) = split(name);
        let parent = self.enter(directory)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent, last, flags, Mode::empty()).map_err(failed(name))?;
        match rustix::fs::fsetxattr(file, "security.capability", bytes, XattrFlags::empty()) {
            Ok(()) | Err(Errno::PERM | Errno::NOTSUP) => Ok(()),
            Err(errno) => Err(failed(name)(errno)),
        }
    }

    /// Makes a symbolic link; its target is text, nothing is resolved.
    pub(super) fn symlink(
        &mut self,
        name: &str,
        target: &str,
        attributes: Attributes,
    ) -> Result<(), LayerError> {
        self.make_room(name)?;
        let owners = self.owners;
        let (directory, last) = split(name);
        let parent = self.enter(directory)?;
        rustix::fs::symlinkat(target, parent, last).map_err(failed(name))?;
        if owners == Owners::Kept {
            let (uid, gid) = owner(attributes);
            rustix::fs::chownat(parent, last, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed(name))?;
        }
        rustix::fs::utimensat(parent, last, &times(), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed(name))
    }

    /// Makes another name for a file that the archive made before.
    pub(super) fn hardlink(&mut self, name: &str, target: &str) -> Result<(), LayerError> {
        if name == target {
            return Ok(());
        }
        let links_out = || LayerError::LinksOut {
            link: name.to_owned(),
            target: target.to_owned(),
        };
        self.make_room(name)?;
        let (directory, last) = split(target);
        let from = self.enter(directory)?.try_clone_to_owned()?;
        let stat =
            rustix::fs::statat(&from, last, AtFlags::SYMLINK_NOFOLLOW).map_err(|_| links_out())?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(links_out());
        }
        let (directory, new) = split(name);
        let parent = self.enter(directory)?;
        rustix::fs::linkat(&from, last, parent, new, AtFlags::empty()).map_err(failed(name))
    }

    /// Hides what lower layers have at this path.
    pub(super) fn whiteout(&mut self, name: &str) -> Result<(), LayerError> {
        match self.existing(name)? {
            // The archive itself puts something there: only what is below in lower layers goes.
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                self.opaque(name)
            }
            Some(_) => Ok(()),
            None => {
                let (directory, last) = split(name);
                let parent = self.enter(directory)?;
                let kind = FileType::CharacterDevice;
                rustix::fs::mknodat(parent, last, kind, Mode::empty(), 0).map_err(failed(name))
            }
        }
    }

    /// Hides everything that lower layers have in this directory.
    pub(super) fn opaque(&mut self, name: &str) -> Result<(), LayerError> {
        let directory = self.readable(name)?;
        rustix::fs::fsetxattr(
            &directory,
            "trusted.overlay.opaque",
            b"y",
            XattrFlags::empty(),
        )
        .map_err(failed(name))
    }

    /// Gives every directory its attributes; to be called last, since making files in a directory
    /// changes its time.
    pub(super) fn finish_directories(&mut self) -> Result<(), LayerError> {
        let directories = std::mem::take(&mut self.directories);
        for (name, attributes) in directories.iter().rev() {
            let directory = File::from(self.readable(name)?);
            self.finish(&directory, name, *attributes)?;
        }
        Ok(())
    }

    fn readable(&mut self, name: &str) -> Result<OwnedFd, LayerError> {
        let directory = self.enter(name)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(directory, ".", flags, Mode::empty()).map_err(failed(name))
    }

    fn finish(&self, file: &File, name: &str, attributes: Attributes) -> Result<(), LayerError> {
        if self.owners == Owners::Kept && (attributes.uid, attributes.gid) != (0, 0) {
            let (uid, gid) = owner(attributes);
            rustix::fs::fchown(file, uid, gid).map_err(failed(name))?;
        }
        // After the owner: giving a file away clears its set-id bits.
        let mode = Mode::from_raw_mode(attributes.mode & 0o7777);
        rustix::fs::fchmod(file, mode).map_err(failed(name))?;
        rustix::fs::futimens(file, &times()).map_err(failed(name))
    }
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn owner(attributes: Attributes) -> (Option<Uid>, Option<Gid>) {
    (
        Some(Uid::from_raw(attributes.uid)),
        Some(Gid::from_raw(attributes.gid)),
    )
}

fn times() -> Timestamps {
    let fixed = Timespec {
        tv_sec: FIXED_TIME.cast_signed(),
        tv_nsec: 0,
    };
    Timestamps {
        last_access: fixed,
        last_modification: fixed,
    }
}
