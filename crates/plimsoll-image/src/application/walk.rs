//! Walking a context: every file that counts, in the order of paths.
//!
//! Directories are read on all processors, and of a file only what `stat` says is looked at.
//! Bytes are read of files whose hash is not known.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use fs_err as fs;
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};

use super::ignore::Decided;
use super::known_hashes::Stamp;
use super::{ContextError, Ignore, KnownHashes, SourceFile, SourceKind};
use crate::Digest;

/// How many bytes of a directory's entries are read at once.
const ENTRIES: usize = 32 << 10;

/// Whoever makes a directory of a cache, such as cargo's `target`, says so by this file.
const CACHE: &str = "CACHEDIR.TAG";

/// What stays out.
#[derive(Debug)]
pub(super) struct Rules {
    /// Ours and the project's, which decide where both match.
    pub all: Ignore,
    /// The project's alone.
    pub own: Ignore,
}

/// What a walk found.
pub(super) struct Found {
    /// The files, sorted by path.
    pub files: Vec<SourceFile>,
    /// How many of them were read.
    pub read: usize,
}

/// A file or link as a directory shows it.
struct Seen {
    path: String,
    kind: SeenKind,
}

enum SeenKind {
    File { executable: bool, stamp: Stamp },
    Symlink { target: String },
}

pub(super) fn walk(
    context: &Path,
    rules: &Rules,
    known: &mut KnownHashes,
) -> Result<Found, ContextError> {
    let walk = Walk { context, rules };
    let mut seen = walk.all()?;
    seen.par_sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let remembered: Vec<Option<Digest>> = seen
        .iter()
        .map(|seen| match &seen.kind {
            SeenKind::File { stamp, .. } => known.get(&seen.path, stamp),
            SeenKind::Symlink { .. } => None,
        })
        .collect();
    let read = AtomicUsize::new(0);
    let files: Vec<(SourceFile, Option<Stamp>)> = seen
        .into_par_iter()
        .zip(remembered)
        .map(|(seen, remembered)| {
            let path = seen.path;
            let (executable, stamp) = match seen.kind {
                SeenKind::Symlink { target } => {
                    let kind = SourceKind::Symlink { target };
                    return Ok((SourceFile { path, kind }, None));
                }
                SeenKind::File { executable, stamp } => (executable, stamp),
            };
            let digest = match remembered {
                Some(digest) => digest,
                None => {
                    read.fetch_add(1, Ordering::Relaxed);
                    Digest::of_reader(&mut fs::File::open(context.join(&path))?)?.0
                }
            };
            let kind = SourceKind::File {
                executable,
                digest,
                size: stamp.size,
            };
            Ok((SourceFile { path, kind }, Some(stamp)))
        })
        .collect::<io::Result<_>>()?;
    for (file, stamp) in &files {
        if let (SourceKind::File { digest, .. }, Some(stamp)) = (&file.kind, stamp) {
            known.keep(&file.path, stamp, digest);
        }
    }
    Ok(Found {
        files: files.into_iter().map(|(file, _)| file).collect(),
        read: read.into_inner(),
    })
}

/// A directory still to read, and what decides about it.
struct Directory {
    /// Its path below the context.
    path: String,
    decided: Decided,
}

/// What one directory holds.
#[derive(Default)]
struct Entries {
    seen: Vec<Seen>,
    directories: Vec<Directory>,
}

struct Walk<'a> {
    context: &'a Path,
    rules: &'a Rules,
}

impl Walk<'_> {
    /// Everything that counts, in no order. One level of the tree after the other, so that no
    /// depth is too deep.
    fn all(&self) -> Result<Vec<Seen>, ContextError> {
        let mut all = Vec::new();
        let mut level = vec![Directory {
            path: String::new(),
            decided: Decided::default(),
        }];
        while !level.is_empty() {
            let read: Vec<Entries> = level
                .into_par_iter()
                .map(|directory| self.entries(&directory))
                .collect::<Result<_, _>>()?;
            level = Vec::new();
            for entries in read {
                all.extend(entries.seen);
                level.extend(entries.directories);
            }
        }
        Ok(all)
    }

    /// What counts in one directory: files and links, and directories to read.
    fn entries(&self, directory: &Directory) -> Result<Entries, ContextError> {
        let place = self.context.join(&directory.path);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open =
            rustix::fs::open(&place, flags, Mode::empty()).map_err(|error| at(&place, error))?;
        let mut found = Entries::default();
        let is_root = directory.path.is_empty();
        if !is_root && stat(&open, CACHE).is_ok_and(|stat| is(&stat, FileType::RegularFile)) {
            return Ok(found);
        }
        let (names, kinds) = list(&open, &place)?;
        let mut shown: Vec<&str> = match is_root {
            true => Vec::new(),
            false => directory.path.split('/').collect(),
        };
        let depth = shown.len();
        for (name, kind) in names.split_terminator('\0').zip(kinds) {
            shown.truncate(depth);
            shown.push(name);
            let decided = self.rules.all.decide(directory.decided, &shown);
            let left_out = self.rules.all.leaves_out(decided);
            let path = || match is_root {
                true => name.to_owned(),
                false => format!("{}/{name}", directory.path),
            };
            let failed = |error| at(&place.join(name), error);
            let kind = match kind {
                // Not every file system says.
                FileType::Unknown => {
                    FileType::from_raw_mode(stat(&open, name).map_err(failed)?.st_mode)
                }
                kind => kind,
            };
            match kind {
                // A pattern of ours that takes something back is no reason to walk
                // `node_modules`.
                FileType::Directory if !left_out || self.rules.own.may_keep_below(&shown) => {
                    let path = path();
                    found.directories.push(Directory { path, decided });
                }
                _ if left_out => {}
                FileType::Symlink => {
                    let target = rustix::fs::readlinkat(&open, name, Vec::new()).map_err(failed)?;
                    let Ok(target) = target.into_string() else {
                        let path = place.join(name);
                        return Err(ContextError::Name { path });
                    };
                    let (path, kind) = (path(), SeenKind::Symlink { target });
                    found.seen.push(Seen { path, kind });
                }
                FileType::RegularFile => {
                    let stat = stat(&open, name).map_err(failed)?;
                    let kind = SeenKind::File {
                        executable: stat.st_mode & 0o100 != 0,
                        stamp: Stamp::of(&stat),
                    };
                    found.seen.push(Seen { path: path(), kind });
                }
                // Sockets, pipes and devices are not content.
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The names in a directory, each with a NUL behind it, and of what kind each is.
fn list(directory: &OwnedFd, place: &Path) -> Result<(String, Vec<FileType>), ContextError> {
    let (mut names, mut kinds) = (String::new(), Vec::new());
    let mut buffer = Vec::with_capacity(ENTRIES);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|error| at(place, error))?;
        let name = entry.file_name();
        match name.to_str() {
            Ok("." | "..") => {}
            Ok(name) => {
                names.push_str(name);
                names.push('\0');
                kinds.push(entry.file_type());
            }
            Err(_) => {
                let path = place.join(OsStr::from_bytes(name.to_bytes()));
                return Err(ContextError::Name { path });
            }
        }
    }
    Ok((names, kinds))
}

fn stat(directory: &OwnedFd, name: &str) -> rustix::io::Result<Stat> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn is(stat: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}

fn at(place: &Path, error: rustix::io::Errno) -> ContextError {
    let error = io::Error::from(error);
    let told = format!("cannot read `{}`: {error}", place.display());
    io::Error::new(error.kind(), told).into()
}

#[cfg(test)]
mod tests {
    use super::super::Purpose;
    use super::*;

    fn found(root: &Path, patterns: &[&str]) -> Found {
        let context = root.join("context");
        let own = Ignore::from_patterns(patterns.iter().copied());
        let all = own.clone();
        let mut known =
            KnownHashes::open(&root.join("cache"), &context, Purpose::Image).trust_all();
        let found = walk(&context, &Rules { all, own }, &mut known).unwrap();
        known.save();
        found
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join("context").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn only_files_that_changed_are_read() {
        let root = tempfile::tempdir().unwrap();
        for index in 0..500 {
            write(root.path(), &format!("{}/{index}.txt", index % 7), "text");
        }
        let first = found(root.path(), &[]);
        assert_eq!((first.files.len(), first.read), (500, 500));
        let second = found(root.path(), &[]);
        assert_eq!((second.files == first.files, second.read), (true, 0));
        write(root.path(), "3/10.txt", "other text");
        let third = found(root.path(), &[]);
        assert_eq!(third.read, 1);
        let changed: Vec<&str> = third
            .files
            .iter()
            .zip(&first.files)
            .filter(|(new, old)| new != old)
            .map(|(new, _)| new.path.as_str())
            .collect();
        assert_eq!(changed, ["3/10.txt"]);
        write(root.path(), "a/new", "x");
        assert_eq!(found(root.path(), &[]).read, 1);
    }

    #[test]
    fn the_order_is_that_of_paths_and_depth_has_no_end() {
        let root = tempfile::tempdir().unwrap();
        let deep = vec!["d"; 400].join("/");
        for path in ["a/z", "a.b", "a-b", &format!("{deep}/end"), "ä ö\nü"] {
            write(root.path(), path, "x");
        }
        let found = found(root.path(), &["a.*"]);
        let paths: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a-b", "a/z", &format!("{deep}/end"), "ä ö\nü"]);
    }

    #[test]
    fn a_cache_is_passed_over_and_what_is_taken_back_is_found() {
        let root = tempfile::tempdir().unwrap();
        for path in ["target/CACHEDIR.TAG", "target/x", "a/keep/b", "a/c", "d"] {
            write(root.path(), path, "x");
        }
        let found = found(root.path(), &["*", "!a/keep", "!target"]);
        let paths: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a/keep/b"]);
    }
}
