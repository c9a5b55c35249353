//! What source files say.
//!
//! Reading a file's syntax tree takes a hundred times as long as reading what was found in it. An
//! entry goes by the file's text, so that it holds wherever the text stands and however old it is.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::entries::{Entries, Key, Written};

/// Begins what is kept; another form gets another name.
const FORM: &[u8] = b"plimsoll facts 2\n";

/// Bytes kept at most of what nobody asked for in a look, for the trees that were known as a whole.
const MOST_OTHERS: usize = 64 << 20;

/// Facts about the texts of files.
pub struct Texts {
    maker: Key,
    /// Read when the first text is asked about: a tree that is known needs none of it.
    kept: LazyLock<Entries, Box<dyn FnOnce() -> Entries + Send>>,
    used: Mutex<Used>,
}

/// What one look asked for.
#[derive(Debug, Default)]
struct Used {
    entries: HashMap<Key, Entry>,
    learnt: usize,
    /// Whether entries that nobody asked for may be asked for the next time.
    others_stay: bool,
}

#[derive(Debug)]
enum Entry {
    Kept,
    Learnt(Vec<u8>),
}

impl Texts {
    /// From what [`Texts::to_keep`] gave, read once it is needed. `maker` names the program that looks:
    /// another one may find something else in the same text, so that nothing of its entries is used.
    #[must_use]
    pub fn new(read: impl FnOnce() -> Vec<u8> + Send + 'static, maker: &str) -> Self {
        let maker: Key = Sha256::digest(maker).into();
        Self {
            maker,
            kept: LazyLock::new(Box::new(move || Entries::new(read(), FORM, &maker))),
            used: Mutex::default(),
        }
    }

    /// What to keep for the next look: what this one asked for. `None` where that is kept already.
    #[must_use]
    pub fn to_keep(&self) -> Option<Vec<u8>> {
        let used = self.used.lock().ok()?;
        if used.learnt == 0 && (used.others_stay || used.entries.is_empty()) {
            return None;
        }
        let kept = &*self.kept;
        // A few that nobody asks for any more are no reason to write all the others.
        if used.learnt == 0 && used.entries.len() * 2 > kept.len() {
            return None;
        }
        // Without a bound, what no tree asks for any more would stay for good.
        let others_stay = used.others_stay && kept.bytes() <= MOST_OTHERS;
        let others = kept
            .keys()
            .filter(|key| others_stay && !used.entries.contains_key(*key))
            .map(|key| (key, &Entry::Kept));
        let mut sorted: Vec<_> = used.entries.iter().chain(others).collect();
        sorted.sort_unstable_by_key(|(key, _)| **key);
        let mut written = Written::new(FORM, &self.maker);
        for (key, entry) in sorted {
            let value = match entry {
                Entry::Kept => kept.of(key),
                Entry::Learnt(value) => Some(value.as_slice()),
            };
            // One that is damaged is found anew.
            if let Some(value) = value {
                written.push(key, value);
            }
        }
        Some(written.bytes())
    }

    /// What `look` finds, or what it found before for the same key.
    pub(crate) fn recall<T: Serialize + DeserializeOwned>(
        &self,
        key: Key,
        look: impl FnOnce() -> T,
    ) -> T {
        if let Some(known) = self.known(&key) {
            self.note(key, Entry::Kept);
            return known;
        }
        let found = look();
        if let Ok(value) = postcard::to_stdvec(&found) {
            self.note(key, Entry::Learnt(value));
        }
        found
    }

    /// What was found before for a key.
    pub(crate) fn known<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let kept = self.kept.of(key);
        kept.and_then(|value| postcard::from_bytes(value).ok())
    }

    /// That a tree was known as a whole: what its texts say is asked for again once one of them changes.
    pub(crate) fn keep_others(&self) {
        if let Ok(mut used) = self.used.lock() {
            used.others_stay = true;
        }
    }

    fn note(&self, key: Key, entry: Entry) {
        if let Ok(mut used) = self.used.lock() {
            used.learnt += usize::from(matches!(entry, Entry::Learnt(_)));
            used.entries.insert(key, entry);
        }
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Texts")
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask(memory: &Texts, text: &str) -> (String, bool) {
        let mut looked = false;
        let found = memory.recall(Sha256::digest(text).into(), || {
            looked = true;
            text.to_uppercase()
        });
        (found, looked)
    }

    /// A later look.
    fn again(texts: &Texts) -> Texts {
        let kept = texts.to_keep().unwrap();
        Texts::new(move || kept, "a")
    }

    #[test]
    fn what_was_found_is_not_looked_for_again() {
        let first = Texts::new(Vec::new, "a");
        assert_eq!(ask(&first, "one"), ("ONE".to_owned(), true));
        assert_eq!(ask(&first, "two"), ("TWO".to_owned(), true));
        let kept = first.to_keep().unwrap();

        let second = again(&first);
        assert_eq!(ask(&second, "one"), ("ONE".to_owned(), false));
        assert_eq!(ask(&second, "two"), ("TWO".to_owned(), false));
        assert_eq!(second.to_keep(), None, "nothing is new");

        let other = Texts::new(move || kept, "b");
        assert_eq!(ask(&other, "one"), ("ONE".to_owned(), true));
    }

    #[test]
    fn what_is_asked_for_no_more_goes() {
        let first = Texts::new(Vec::new, "a");
        for text in ["one", "two", "three"] {
            ask(&first, text);
        }
        let second = again(&first);
        ask(&second, "one");
        let third = again(&second);
        assert_eq!(ask(&third, "one"), ("ONE".to_owned(), false));
        assert_eq!(ask(&third, "two"), ("TWO".to_owned(), true));
    }

    proptest! {
        #[test]
        fn damage_is_as_if_nothing_had_been_kept(place in 0_usize..200, value: u8, cut in 0_usize..200) {
            let first = Texts::new(Vec::new, "a");
            ask(&first, "one");
            ask(&first, "two");
            let mut kept = first.to_keep().unwrap();
            kept.truncate(kept.len() - cut % kept.len());
            if let Some(byte) = kept.get_mut(place) {
                *byte = value;
            }
            let second = Texts::new(move || kept, "a");
            prop_assert_eq!(ask(&second, "one").0, "ONE");
            prop_assert_eq!(ask(&second, "two").0, "TWO");
        }
    }
}
