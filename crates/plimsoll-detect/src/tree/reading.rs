//! Which files of a tree were looked into, what was asked of them, and how to tell later that they are as they were.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::question::Question;
use crate::memory::{FactKind, Key};

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

    /// The stamp, where every later change shows in it.
    pub(super) fn sure(self, listed: SystemTime) -> Option<Self> {
        self.is_sure(listed).then_some(self)
    }
}

/// A file that was looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Where it stands among the files.
    pub(super) place: u32,
    /// Its stamp, where every later change shows in it.
    pub(super) stamp: Option<Stamp>,
    pub(super) saw: Saw,
}

/// What was seen of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Saw {
    /// How many bytes it has: nothing else mattered.
    Size(u64),
    /// The digest of its bytes, and what of them mattered.
    Bytes(Key, Mattered),
}

/// What of a file's text mattered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mattered {
    /// All of it, for all that is known.
    All,
    /// What was asked of it and nothing else.
    Asked(Vec<Asked>),
}

/// What was asked of a file's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asked {
    /// What a reader finds in it.
    Facts(FactKind),
    /// The number of a question, and the answer to it.
    Question(u32, Vec<u32>),
}

/// What a look asked of the files of a tree.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Asking {
    pub(super) readings: Vec<Reading>,
    pub(super) questions: Vec<Arc<Question>>,
}

/// The files that were looked into so far.
#[derive(Debug, Default)]
pub(super) struct Readings(Mutex<Looks>);

#[derive(Debug, Default)]
struct Looks {
    sizes: BTreeMap<usize, u64>,
    /// Digests of the texts that were read, and what of them mattered.
    texts: BTreeMap<usize, (Key, Mattered)>,
    questions: Vec<Arc<Question>>,
    /// Whether a file could not be read, or was another one the second time.
    unsettled: bool,
}

impl Looks {
    /// What matters of the text of that digest so far.
    fn text(&mut self, place: usize, digest: Key) -> &mut Mattered {
        let new = || (digest, Mattered::Asked(Vec::new()));
        let (before, mattered) = self.texts.entry(place).or_insert_with(new);
        self.unsettled |= *before != digest;
        mattered
    }

    fn ask(&mut self, place: usize, digest: Key, asked: Asked) {
        if let Mattered::Asked(all) = self.text(place, digest)
            && !all.contains(&asked)
        {
            all.push(asked);
        }
    }

    /// The number of a question.
    fn number(&mut self, question: &Arc<Question>) -> u32 {
        let known = self.questions.iter().position(|known| known == question);
        let number = known.unwrap_or_else(|| {
            self.questions.push(question.clone());
            self.questions.len() - 1
        });
        number as u32
    }
}

impl Readings {
    /// That the size of a file mattered.
    pub(super) fn size(&self, place: usize, size: u64) {
        if let Ok(mut looks) = self.0.lock() {
            looks.sizes.entry(place).or_insert(size);
        }
    }

    /// That these are its bytes, and that all of them may have mattered.
    pub(super) fn bytes(&self, place: usize, bytes: &[u8]) {
        if let Ok(mut looks) = self.0.lock() {
            *looks.text(place, digest(bytes)) = Mattered::All;
        }
    }

    /// What was asked of the bytes of that digest.
    pub(super) fn facts(&self, place: usize, digest: Key, kind: FactKind) {
        if let Ok(mut looks) = self.0.lock() {
            looks.ask(place, digest, Asked::Facts(kind));
        }
    }

    /// What the answer was to a question about the bytes of that digest.
    pub(super) fn answer(
        &self,
        place: usize,
        digest: Key,
        question: &Arc<Question>,
        answer: &[u32],
    ) {
        if let Ok(mut looks) = self.0.lock() {
            let number = looks.number(question);
            looks.ask(place, digest, Asked::Question(number, answer.to_owned()));
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
        self.0.lock().map_or(0, |looks| looks.texts.len())
    }

    /// All that was asked; `None` where another look may see something else in the same files.
    pub(super) fn all(&self, stamp: impl Fn(usize) -> Stamp, listed: SystemTime) -> Option<Asking> {
        let looks = self.0.lock().ok()?;
        if looks.unsettled {
            return None;
        }
        let reading = |place: usize, saw: Saw| {
            Some(Reading {
                place: u32::try_from(place).ok()?,
                stamp: stamp(place).sure(listed),
                saw,
            })
        };
        let sizes = looks.sizes.iter();
        let sizes = sizes.filter(|(place, _)| !looks.texts.contains_key(place));
        let sizes = sizes.map(|(place, size)| reading(*place, Saw::Size(*size)));
        let texts = looks.texts.iter().map(|(place, (digest, mattered))| {
            reading(*place, Saw::Bytes(*digest, mattered.clone()))
        });
        Some(Asking {
            readings: sizes.chain(texts).collect::<Option<_>>()?,
            questions: looks.questions.clone(),
        })
    }
}

pub(super) fn digest(bytes: &[u8]) -> Key {
    Sha256::digest(bytes).into()
}
