//! Hashes of files, kept between runs beside what `stat` says of each file.
//!
//! A file whose size, times and inode are what they were has the bytes that it had. A file that
//! was written so recently that a further write could leave the same times is not trusted.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fs_err as fs;

use crate::Digest;

/// The first line of a file of this format.
const HEAD: &str = "plimsoll known hashes 1";

/// Times of a file that are closer than this to the moment of hashing prove nothing: the clock
/// that stamps files may tick only some milliseconds apart, and network file systems by seconds.
const TOO_RECENT: Duration = Duration::from_secs(2);

/// What `stat` says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: i128,
    changed: i128,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
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
}

/// The hashes known of one context.
#[derive(Debug)]
pub(crate) struct KnownHashes {
    file: PathBuf,
    before: HashMap<String, (Stamp, Digest)>,
    now: Vec<(String, Stamp, Digest)>,
    learned: bool,
    horizon: i128,
}

impl KnownHashes {
    /// What is known of a context from an earlier run. A missing or damaged file means nothing
    /// is known.
    pub(crate) fn open(cache: &Path, context: &Path) -> Self {
        let name = Digest::of(context.as_os_str().as_encoded_bytes()).hex();
        let file = cache.join(name);
        let before = fs::read_to_string(&file)
            .ok()
            .and_then(|text| parse(&text))
            .unwrap_or_default();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            file,
            before,
            now: Vec::new(),
            learned: false,
            horizon: i128::try_from(now.saturating_sub(TOO_RECENT).as_nanos()).unwrap_or(i128::MAX),
        }
    }

    /// The hash of a file that has not changed since it was hashed.
    pub(crate) fn get(&mut self, path: &str, metadata: &Metadata) -> Option<Digest> {
        let stamp = Stamp::of(metadata);
        let (known, digest) = *self.before.get(path)?;
        if known != stamp {
            return None;
        }
        self.now.push((path.to_string(), stamp, digest));
        Some(digest)
    }

    /// Keeps a hash, unless the file is too young to trust its times.
    pub(crate) fn learn(&mut self, path: &str, metadata: &Metadata, digest: Digest) {
        let stamp = Stamp::of(metadata);
        if stamp.modified.max(stamp.changed) < self.horizon {
            self.now.push((path.to_string(), stamp, digest));
            self.learned = true;
        }
    }

    /// Writes down what is known now. A failure only means that the next run hashes again.
    pub(crate) fn save(self) {
        if !self.learned && self.now.len() == self.before.len() {
            return;
        }
        let mut text = format!("{HEAD}\n");
        for (path, stamp, digest) in &self.now {
            if path.contains('\n') {
                continue;
            }
            text.push_str(&format!(
                "{} {} {} {} {} {path}\n",
                digest.hex(),
                stamp.size,
                stamp.modified,
                stamp.changed,
                stamp.inode
            ));
        }
        let _ = self.write(text.as_bytes());
    }

    fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let Some(directory) = self.file.parent() else {
            return Ok(());
        };
        fs::create_dir_all(directory)?;
        let temporary = self
            .file
            .with_extension(format!("{}.partial", std::process::id()));
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        fs::rename(&temporary, &self.file)
    }
}

fn parse(text: &str) -> Option<HashMap<String, (Stamp, Digest)>> {
    let mut lines = text.lines();
    if lines.next()? != HEAD {
        return None;
    }
    let mut known = HashMap::new();
    for line in lines {
        let mut fields = line.splitn(6, ' ');
        let digest = Digest::from_hex(fields.next()?).ok()?;
        let stamp = Stamp {
            size: fields.next()?.parse().ok()?,
            modified: fields.next()?.parse().ok()?,
            changed: fields.next()?.parse().ok()?,
            inode: fields.next()?.parse().ok()?,
        };
        known.insert(fields.next()?.to_string(), (stamp, digest));
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aged(path: &Path) -> Metadata {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        let time = SystemTime::now() - Duration::from_secs(60);
        file.set_modified(time).unwrap();
        fs::metadata(path).unwrap()
    }

    fn open(root: &Path) -> KnownHashes {
        let mut known = KnownHashes::open(&root.join("cache"), root);
        // The file's change time cannot be set back, so the horizon moves instead.
        known.horizon = i128::MAX;
        known
    }

    #[test]
    fn a_hash_is_believed_until_anything_about_the_file_changes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        fs::write(&path, "one").unwrap();
        let metadata = aged(&path);
        let mut known = open(root.path());
        assert_eq!(known.get("a", &metadata), None);
        known.learn("a", &metadata, Digest::of(b"one"));
        known.save();

        let mut known = open(root.path());
        assert_eq!(known.get("a", &metadata), Some(Digest::of(b"one")));
        known.save();

        fs::write(&path, "two").unwrap();
        let mut known = open(root.path());
        assert_eq!(known.get("a", &aged(&path)), None);
    }

    #[test]
    fn a_young_file_and_a_damaged_memory_are_not_believed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        fs::write(&path, "one").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let mut known = KnownHashes::open(&root.path().join("cache"), root.path());
        known.learn("a", &metadata, Digest::of(b"one"));
        assert!(known.now.is_empty());
        assert!(parse(&format!("{HEAD}\nnonsense")).is_none());
        assert!(parse("").is_none());
    }
}
