//! What source files say, remembered from one look at a tree to the next.
//!
//! Reading a file's syntax tree takes a hundred times as long as reading what was found in it. An
//! entry goes by the file's text, so that it holds wherever the text stands and however old it is.
//! What cannot be read back is as if it had never been kept.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// What was found in a file, by a digest of what was looked for and of the file's text.
type Key = [u8; 32];

/// Begins what is kept; another form gets another name.
const NAME: &[u8] = b"plimsoll facts 1\n";

/// Facts about the texts of files.
#[derive(Debug)]
pub struct Memory {
    maker: Key,
    kept: Vec<u8>,
    /// Where in what was kept an entry lies.
    places: HashMap<Key, (usize, usize)>,
    used: Mutex<Used>,
}

/// What one look asked for.
#[derive(Debug, Default)]
struct Used {
    entries: HashMap<Key, Entry>,
    learnt: usize,
}

#[derive(Debug)]
enum Entry {
    Kept,
    Learnt(Vec<u8>),
}

impl Memory {
    /// From what [`Memory::to_keep`] gave. `maker` names the program that looks: another one may find
    /// something else in the same text, so that nothing of its entries is used.
    #[must_use]
    pub fn new(kept: Vec<u8>, maker: &str) -> Self {
        let maker: Key = Sha256::digest(maker).into();
        let places = entries(&kept, &maker).unwrap_or_default();
        Self {
            maker,
            kept,
            places,
            used: Mutex::default(),
        }
    }

    /// What to keep for the next look: what this one asked for. `None` where that is kept already.
    #[must_use]
    pub fn to_keep(&self) -> Option<Vec<u8>> {
        let used = self.used.lock().ok()?;
        // A few that nobody asks for any more are no reason to write all the others.
        if used.learnt == 0 && used.entries.len() * 2 > self.places.len() {
            return None;
        }
        let mut sorted: Vec<_> = used.entries.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| **key);
        let mut bytes = [NAME, &self.maker].concat();
        for (key, entry) in sorted {
            let value = match entry {
                Entry::Kept => self.of(key)?,
                Entry::Learnt(value) => value,
            };
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&check(value));
            bytes.extend_from_slice(value);
        }
        Some(bytes)
    }

    /// What `look` finds in `text`, or what it found before. `what` names what is looked for.
    pub(crate) fn recall<T: Serialize + DeserializeOwned>(
        &self,
        what: &str,
        text: &str,
        look: impl FnOnce() -> T,
    ) -> T {
        let mut digest = Sha256::new();
        digest.update((what.len() as u64).to_le_bytes());
        digest.update(what);
        digest.update(text);
        let key: Key = digest.finalize().into();
        let known = self
            .of(&key)
            .and_then(|value| postcard::from_bytes(value).ok());
        if let Some(known) = known {
            self.note(key, Entry::Kept);
            return known;
        }
        let found = look();
        if let Ok(value) = postcard::to_stdvec(&found) {
            self.note(key, Entry::Learnt(value));
        }
        found
    }

    fn of(&self, key: &Key) -> Option<&[u8]> {
        let (start, end) = *self.places.get(key)?;
        let (check_kept, value) = self.kept.get(start..end)?.split_at_checked(CHECK)?;
        (check(value) == check_kept).then_some(value)
    }

    fn note(&self, key: Key, entry: Entry) {
        if let Ok(mut used) = self.used.lock() {
            used.learnt += usize::from(matches!(entry, Entry::Learnt(_)));
            used.entries.insert(key, entry);
        }
    }
}

/// Bytes of an entry's check.
const CHECK: usize = 8;

/// Tells damage of the disk, not somebody's intent: who can write here can change the program as well.
fn check(value: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::digest(value);
    std::array::from_fn(|place| digest[place])
}

/// Where the entries lie, each from its check on; `None` where they are another program's.
fn entries(kept: &[u8], maker: &Key) -> Option<HashMap<Key, (usize, usize)>> {
    let mut rest = kept.strip_prefix(NAME)?.strip_prefix(maker)?;
    let mut places = HashMap::new();
    while let Some((key, after)) = rest.split_first_chunk::<32>() {
        let (length, after) = after.split_first_chunk::<8>()?;
        let start = kept.len() - after.len();
        let whole = usize::try_from(u64::from_le_bytes(*length))
            .ok()?
            .checked_add(CHECK)?;
        rest = after.get(whole..)?;
        places.insert(*key, (start, start + whole));
    }
    rest.is_empty().then_some(places)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask(memory: &Memory, text: &str) -> (String, bool) {
        let mut looked = false;
        let found = memory.recall("words", text, || {
            looked = true;
            text.to_uppercase()
        });
        (found, looked)
    }

    #[test]
    fn what_was_found_is_not_looked_for_again() {
        let first = Memory::new(Vec::new(), "a");
        assert_eq!(ask(&first, "one"), ("ONE".to_owned(), true));
        assert_eq!(ask(&first, "two"), ("TWO".to_owned(), true));
        let kept = first.to_keep().unwrap();

        let second = Memory::new(kept.clone(), "a");
        assert_eq!(ask(&second, "one"), ("ONE".to_owned(), false));
        assert_eq!(ask(&second, "two"), ("TWO".to_owned(), false));
        assert_eq!(second.to_keep(), None, "nothing is new");

        let other = Memory::new(kept, "b");
        assert_eq!(ask(&other, "one"), ("ONE".to_owned(), true));
    }

    #[test]
    fn what_is_asked_for_no_more_goes() {
        let first = Memory::new(Vec::new(), "a");
        for text in ["one", "two", "three"] {
            ask(&first, text);
        }
        let second = Memory::new(first.to_keep().unwrap(), "a");
        ask(&second, "one");
        let third = Memory::new(second.to_keep().unwrap(), "a");
        assert_eq!(ask(&third, "one"), ("ONE".to_owned(), false));
        assert_eq!(ask(&third, "two"), ("TWO".to_owned(), true));
    }

    proptest! {
        #[test]
        fn damage_is_as_if_nothing_had_been_kept(place in 0_usize..200, value: u8, cut in 0_usize..200) {
            let first = Memory::new(Vec::new(), "a");
            ask(&first, "one");
            ask(&first, "two");
            let mut kept = first.to_keep().unwrap();
            kept.truncate(kept.len() - cut % kept.len());
            if let Some(byte) = kept.get_mut(place) {
                *byte = value;
            }
            let second = Memory::new(kept, "a");
            prop_assert_eq!(ask(&second, "one").0, "ONE");
            prop_assert_eq!(ask(&second, "two").0, "TWO");
        }
    }
}
