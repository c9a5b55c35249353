//! Which files of a tree were looked into, and how to tell later that they are as they were.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::memory::Key;

/// Seconds that a file's stamps must be older than the listing which saw them. Within the step of a
/// file system's clock, a second change leaves the stamps as they are; the coarsest step is that of FAT.
const STEP: i64 = 2;

/// What changes when a file does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    size: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// The same of its metadata, which nobody sets at will.
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(data: &Metadata) -> Self {
        Self {
            size: data.len(),
            inode: data.ino(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }

    /// Whether every later change shows.
    fn is_sure(&self, listed: SystemTime) -> bool {
        let listed = listed
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
        self.modified.0.max(self.changed.0).saturating_add(STEP) < listed
    }
}

/// A file that was looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Where it stands among the files.
    place: u32,
    /// Its stamp, where every later change shows in it.
    stamp: Option<Stamp>,
    saw: Saw,
}

/// What was seen of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Saw {
    /// How many bytes it has: nothing else mattered.
    Size(u64),
    /// The digest of its bytes.
    Bytes(Key),
}

/// The files that were looked into so far.
#[derive(Debug, Default)]
pub(super) struct Readings(Mutex<Looks>);

#[derive(Debug, Default)]
struct Looks {
    by_place: BTreeMap<usize, Saw>,
    /// Whether a file could not be read, or was another one the second time.
    unsettled: bool,
}

impl Readings {
    /// That the size of a file mattered.
    pub(super) fn size(&self, place: usize, size: u64) {
        if let Ok(mut looks) = self.0.lock() {
            looks.by_place.entry(place).or_insert(Saw::Size(size));
        }
    }

    /// That these are its bytes.
    pub(super) fn bytes(&self, place: usize, bytes: &[u8]) {
        let saw = Saw::Bytes(digest(bytes));
        if let Ok(mut looks) = self.0.lock() {
            let before = looks.by_place.insert(place, saw);
            looks.unsettled |=
                before.is_some_and(|before| before != saw && matches!(before, Saw::Bytes(_)));
        }
    }

    /// That a file could not be read.
    pub(super) fn failed(&self) {
        if let Ok(mut looks) = self.0.lock() {
            looks.unsettled = true;
        }
    }

    /// How many files were read.
    pub(super) fn read(&self) -> usize {
        let read = |saw: &&Saw| matches!(saw, Saw::Bytes(_));
        self.0
            .lock()
            .map_or(0, |looks| looks.by_place.values().filter(read).count())
    }

    /// All of them; `None` where another look may see something else in the same files.
    pub(super) fn all(
        &self,
        stamp: impl Fn(usize) -> Stamp,
        listed: SystemTime,
    ) -> Option<Vec<Reading>> {
        let looks = self.0.lock().ok()?;
        let reading = |(place, saw): (&usize, &Saw)| {
            Some(Reading {
                place: u32::try_from(*place).ok()?,
                stamp: Some(stamp(*place)).filter(|stamp| stamp.is_sure(listed)),
                saw: *saw,
            })
        };
        if looks.unsettled {
            return None;
        }
        looks.by_place.iter().map(reading).collect()
    }
}

impl Reading {
    pub(super) fn place(&self) -> usize {
        self.place as usize
    }

    /// The same reading of a file that has this stamp now; `None` where it is another file. `read`
    /// gives its bytes.
    pub(super) fn again(
        &self,
        stamp: Stamp,
        listed: SystemTime,
        read: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Self> {
        if self.stamp == Some(stamp) {
            return Some(*self);
        }
        let same = match self.saw {
            Saw::Size(size) => size == stamp.size,
            Saw::Bytes(bytes) => bytes == digest(&read()?),
        };
        same.then_some(Self {
            stamp: Some(stamp).filter(|stamp| stamp.is_sure(listed)),
            ..*self
        })
    }
}

fn digest(bytes: &[u8]) -> Key {
    Sha256::digest(bytes).into()
}
