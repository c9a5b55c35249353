//! What whole trees hold.
//!
//! What is found in a tree follows from which files it has and from the texts that were read. Where
//! both are as they were, it is what was found before. Of a text that was read, the stamps of its
//! file are enough to tell, as with an index of Git: only a file that was changed about when the tree
//! was listed is read again, since its stamps might not show another change of that moment.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entries::{Entries, Key, Written};
use super::kept_detection::KeptDetection;
use crate::detection::Detection;
use crate::tree::{Asking, Tree};

/// Begins what is kept; another form gets another name.
const FORM: &[u8] = b"plimsoll trees 2\n";

/// Trees that are kept at most: a project and the contexts that its services are built from.
const MOST: usize = 8;

/// What trees hold, as far as it was found before.
#[derive(Debug)]
pub struct Trees {
    maker: Key,
    kept: Entries,
    used: Mutex<HashMap<Key, Entry>>,
}

#[derive(Debug)]
enum Entry {
    Kept,
    Learnt(Vec<u8>),
}

/// One tree, as it is kept.
#[derive(Serialize, Deserialize)]
struct Known<'d> {
    asking: Asking,
    detection: KeptDetection<'d>,
}

impl Trees {
    /// From what [`Trees::to_keep`] gave. `maker` names the program that looks: another one may find
    /// something else in the same tree, so that nothing of its entries is used.
    #[must_use]
    pub fn new(kept: Vec<u8>, maker: &str) -> Self {
        let maker: Key = Sha256::digest(maker).into();
        Self {
            maker,
            kept: Entries::new(kept, FORM, &maker),
            used: Mutex::default(),
        }
    }

    /// What to keep for the next look. `None` where that is kept already.
    #[must_use]
    pub fn to_keep(&self) -> Option<Vec<u8>> {
        let used = self.used.lock().ok()?;
        let learnt = |entry: &Entry| matches!(entry, Entry::Learnt(_));
        if !used.values().any(learnt) {
            return None;
        }
        let mut written = Written::new(FORM, &self.maker);
        let others = self.kept.keys().filter(|key| !used.contains_key(*key));
        let mut keys: Vec<&Key> = used.keys().chain(others).take(MOST).collect();
        keys.sort_unstable();
        for key in keys {
            let value = match used.get(key) {
                Some(Entry::Learnt(value)) => Some(value.as_slice()),
                _ => self.kept.of(key),
            };
            if let Some(value) = value {
                written.push(key, value);
            }
        }
        Some(written.bytes())
    }

    /// What was found in the tree, where it is as it was then.
    pub(crate) fn recall(&self, tree: &Tree) -> Option<Detection> {
        let key = tree.listing();
        let mut known: Known<'_> = rmp_serde::from_slice(self.kept.of(&key)?).ok()?;
        let again = tree.ask_again(&mut known.asking)?;
        if !again.moves.are_none() {
            known.detection = again.moves.apply(&known.detection)?;
        }
        let entry = match again.renewed.then(|| rmp_serde::to_vec_named(&known)) {
            Some(Ok(bytes)) => Entry::Learnt(bytes),
            _ => Entry::Kept,
        };
        self.note(key, entry);
        Some(known.detection.into())
    }

    /// Remembers what was found in the tree.
    pub(crate) fn learn(&self, tree: &Tree, detection: &Detection) {
        let Some(asking) = tree.asking() else {
            return;
        };
        let known = Known {
            asking,
            detection: detection.into(),
        };
        if let Ok(bytes) = rmp_serde::to_vec_named(&known) {
            self.note(tree.listing(), Entry::Learnt(bytes));
        }
    }

    fn note(&self, key: Key, entry: Entry) {
        if let Ok(mut used) = self.used.lock() {
            used.insert(key, entry);
        }
    }
}
