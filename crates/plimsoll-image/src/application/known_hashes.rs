//! Hashes of files, kept between runs beside what `stat` says of each file.
//!
//! A file whose size, times and inode are what they were has the bytes that it had. A file that
//! was written so recently that a further write could leave the same times is not trusted.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fs_err as fs;
use rustix::fs::Stat;

use super::Purpose;
use crate::Digest;
use crate::replacement::Replacement;

/// How a file of this format begins. What follows are entries sorted by path, each a [`Stamp`],
/// a digest, the length of the path and the path; numbers are little-endian.
const HEAD: &[u8] = b"plimsoll known hashes 2\n";

/// The bytes of an entry before its path.
const FIXED: usize = 8 + 16 + 16 + 8 + 32 + 2;

/// Times of a file that are closer than this to the moment of hashing prove nothing: the clock
/// that stamps files may tick only some milliseconds apart, and network file systems by seconds.
const TOO_RECENT: Duration = Duration::from_secs(2);

/// What `stat` says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(super) size: u64,
    modified: i128,
    changed: i128,
    inode: u64,
}

impl Stamp {
    pub(crate) fn of_metadata(metadata: &Metadata) -> Self {
        let time = |seconds: i64, nanoseconds: i64| {
            i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
        };
        Self {
            size: metadata.len(),
            modified: time(metadata.mtime(), metadata.mtime_nsec()),
            changed: time(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    pub(super) fn of(stat: &Stat) -> Self {
        let time =
            |seconds: i64, nanoseconds: i128| i128::from(seconds) * 1_000_000_000 + nanoseconds;
        Self {
            size: stat.st_size.try_into().unwrap_or_default(),
            modified: time(stat.st_mtime, stat.st_mtime_nsec.into()),
            changed: time(stat.st_ctime, stat.st_ctime_nsec.into()),
            inode: stat.st_ino,
        }
    }
}

/// The hashes known of one context. They are kept as they lie in their file; of an entry nothing
/// is made but where it begins.
#[derive(Debug)]
pub(crate) struct KnownHashes {
    file: PathBuf,
    before: Entries,
    /// The entry that is asked for next, where paths are asked for in their order.
    next: usize,
    now: Entries,
    horizon: i128,
}

impl KnownHashes {
    /// What is known of a context from an earlier run for the same purpose. A missing or damaged file means nothing
    /// is known.
    pub(crate) fn open(cache: &Path, context: &Path, purpose: Purpose) -> Self {
        let mut name = context.as_os_str().as_encoded_bytes().to_vec();
        name.extend_from_slice(format!("\0{purpose:?}").as_bytes());
        let file = cache.join(Digest::of(&name).hex());
        let before = fs::read(&file).ok().and_then(Entries::parse);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            file,
            before: before.unwrap_or_default(),
            next: 0,
            now: Entries::default(),
            horizon: i128::try_from(now.saturating_sub(TOO_RECENT).as_nanos()).unwrap_or(i128::MAX),
        }
    }

    /// Trusts the times of young files, too: a test cannot make a file old.
    #[cfg(test)]
    pub(super) fn trust_all(mut self) -> Self {
        self.horizon = i128::MAX;
        self
    }

    /// The hash of a file that has not changed since it was hashed. Fastest when paths are asked
    /// for in their order.
    pub(crate) fn get(&mut self, path: &str, stamp: &Stamp) -> Option<Digest> {
        let path = path.as_bytes();
        let index = match self.before.path(self.next) {
            Some(known) if known == path => self.next,
            _ => self.before.find(path)?,
        };
        self.next = index + 1;
        let (known, digest) = self.before.value(index)?;
        (known == *stamp).then_some(digest)
    }

    /// Takes a hash that was known or computed, unless the file is too young to trust its times.
    pub(crate) fn keep(&mut self, path: &str, stamp: &Stamp, digest: &Digest) {
        if stamp.modified.max(stamp.changed) < self.horizon {
            self.now.push(path, stamp, digest);
        }
    }

    /// Writes down what is known now. A failure only means that the next run hashes again.
    pub(crate) fn save(mut self) {
        self.now.sort();
        if self.now.bytes != self.before.bytes {
            let _ = self.write();
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let Some(directory) = self.file.parent() else {
            return Ok(());
        };
        fs::create_dir_all(directory)?;
        Replacement::write(&self.file, &self.now.bytes)
    }
}

/// Entries as they lie in a file, and where each begins.
#[derive(Debug)]
struct Entries {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            bytes: HEAD.to_vec(),
            starts: Vec::new(),
        }
    }
}

impl Entries {
    /// What a file holds, if there is nothing in it but entries, and these in order.
    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let mut starts = Vec::new();
        let mut at = HEAD.len();
        let mut last: &[u8] = b"";
        if !bytes.starts_with(HEAD) {
            return None;
        }
        while at < bytes.len() {
            let path = path_at(&bytes, at)?;
            if path <= last {
                return None;
            }
            last = path;
            starts.push(at);
            at += FIXED + path.len();
        }
        Some(Self { bytes, starts })
    }

    fn path(&self, index: usize) -> Option<&[u8]> {
        path_at(&self.bytes, *self.starts.get(index)?)
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        let known = |start: &usize| path_at(&self.bytes, *start).unwrap_or_default();
        self.starts
            .binary_search_by(|start| known(start).cmp(path))
            .ok()
    }

    fn value(&self, index: usize) -> Option<(Stamp, Digest)> {
        let fixed = self.bytes.get(*self.starts.get(index)?..)?;
        let stamp = Stamp {
            size: u64::from_le_bytes(field(fixed, 0)?),
            modified: i128::from_le_bytes(field(fixed, 8)?),
            changed: i128::from_le_bytes(field(fixed, 24)?),
            inode: u64::from_le_bytes(field(fixed, 40)?),
        };
        Some((stamp, Digest::from_bytes(field(fixed, 48)?)))
    }

    fn push(&mut self, path: &str, stamp: &Stamp, digest: &Digest) {
        // Linux takes no path that is longer.
        let Ok(length) = u16::try_from(path.len()) else {
            return;
        };
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(&stamp.size.to_le_bytes());
        self.bytes.extend_from_slice(&stamp.modified.to_le_bytes());
        self.bytes.extend_from_slice(&stamp.changed.to_le_bytes());
        self.bytes.extend_from_slice(&stamp.inode.to_le_bytes());
        self.bytes.extend_from_slice(digest.bytes());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(path.as_bytes());
    }

    /// Puts the entries in order; of several with one path the last is the one that counts.
    fn sort(&mut self) {
        let path = |start: &usize| path_at(&self.bytes, *start).unwrap_or_default();
        if self.starts.is_sorted_by(|a, b| path(a) < path(b)) {
            return;
        }
        let mut starts = self.starts.clone();
        starts.sort_by(|a, b| path(a).cmp(path(b)));
        let mut sorted = Self::default();
        for (index, start) in starts.iter().enumerate() {
            let own = path(start);
            if starts.get(index + 1).is_some_and(|next| path(next) == own) {
                continue;
            }
            sorted.starts.push(sorted.bytes.len());
            let entry = &self.bytes[*start..*start + FIXED + own.len()];
            sorted.bytes.extend_from_slice(entry);
        }
        *self = sorted;
    }
}

/// The path of the entry that begins at an offset, if it is whole.
fn path_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let begin = at.checked_add(FIXED)?;
    let length = u16::from_le_bytes(field(bytes, begin - 2)?);
    bytes.get(begin..begin + usize::from(length))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp_of(path: &Path) -> Stamp {
        Stamp::of(&rustix::fs::lstat(path).unwrap())
    }

    fn aged(path: &Path) -> Stamp {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        let time = SystemTime::now() - Duration::from_secs(60);
        file.set_modified(time).unwrap();
        stamp_of(path)
    }

    fn open(root: &Path) -> KnownHashes {
        // The file's change time cannot be set back, so the horizon moves instead.
        KnownHashes::open(&root.join("cache"), root, Purpose::Image).trust_all()
    }

    #[test]
    fn a_hash_is_believed_until_anything_about_the_file_changes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        fs::write(&path, "one").unwrap();
        let stamp = aged(&path);
        let mut known = open(root.path());
        assert_eq!(known.get("a", &stamp), None);
        known.keep("a", &stamp, &Digest::of(b"one"));
        known.save();

        let mut known = open(root.path());
        assert_eq!(known.get("a", &stamp), Some(Digest::of(b"one")));

        fs::write(&path, "two").unwrap();
        let mut known = open(root.path());
        assert_eq!(known.get("a", &aged(&path)), None);
    }

    #[test]
    fn files_that_came_and_went_do_not_hide_the_others() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "x").unwrap();
        let stamp = aged(&path);
        let mut known = open(root.path());
        for name in ["a", "b/c", "d"] {
            known.keep(name, &stamp, &Digest::of(name.as_bytes()));
        }
        known.save();
        let mut known = open(root.path());
        let found = ["0", "a", "b", "d", "e"].map(|name| known.get(name, &stamp).is_some());
        assert_eq!(found, [false, true, false, true, false]);
        assert!(known.get("a", &stamp).is_some(), "out of order");
    }

    #[test]
    fn hashes_may_come_in_any_order_and_twice() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "x").unwrap();
        let stamp = aged(&path);
        let mut known = open(root.path());
        for (name, text) in [("b", "1"), ("a", "2"), ("b", "3")] {
            known.keep(name, &stamp, &Digest::of(text.as_bytes()));
        }
        known.save();
        let mut known = open(root.path());
        assert_eq!(known.get("a", &stamp), Some(Digest::of(b"2")));
        assert_eq!(known.get("b", &stamp), Some(Digest::of(b"3")));
    }

    #[test]
    fn a_young_file_and_a_damaged_memory_are_not_believed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        fs::write(&path, "one").unwrap();
        let stamp = stamp_of(&path);
        let mut known = KnownHashes::open(&root.path().join("cache"), root.path(), Purpose::Image);
        known.keep("a", &stamp, &Digest::of(b"one"));
        assert_eq!(known.now.bytes, HEAD);

        known.horizon = i128::MAX;
        known.keep("a", &stamp, &Digest::of(b"one"));
        known.keep("b", &stamp, &Digest::of(b"two"));
        let whole = known.now.bytes.clone();
        let of = |bytes: &[u8]| Entries::parse(bytes.to_vec()).map(|found| found.starts.len());
        assert_eq!(of(&whole), Some(2));
        let one = FIXED + 1;
        for length in 0..whole.len() {
            let expected = match length.checked_sub(HEAD.len()) {
                Some(rest) if rest % one == 0 => Some(rest / one),
                _ => None,
            };
            assert_eq!(of(&whole[..length]), expected, "{length}");
        }
        assert_eq!(of(&vec![0; whole.len()]), None);
    }
}
