//! Entries in a file: each by its key, and checked when it is read.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

/// A digest that an entry goes by.
pub(crate) type Key = [u8; 32];

/// Bytes of an entry's check.
const CHECK: usize = 8;

/// Entries that were kept.
#[derive(Debug, Default)]
pub(super) struct Entries {
    bytes: Vec<u8>,
    /// Where in the bytes an entry lies, from its check on.
    places: HashMap<Key, (usize, usize)>,
}

impl Entries {
    /// From what [`Written`] gave; none where it is of another form, or another maker's.
    pub(super) fn new(bytes: Vec<u8>, form: &[u8], maker: &Key) -> Self {
        match places(&bytes, form, maker) {
            Some(places) => Self { bytes, places },
            None => Self::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many bytes all of them have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.places.keys()
    }

    /// The entry of that key, where it is undamaged.
    pub(super) fn of(&self, key: &Key) -> Option<&[u8]> {
        let (start, end) = *self.places.get(key)?;
        let (check_kept, value) = self.bytes.get(start..end)?.split_at_checked(CHECK)?;
        (check(value) == check_kept).then_some(value)
    }
}

/// Entries to keep.
#[derive(Debug)]
pub(super) struct Written(Vec<u8>);

impl Written {
    /// None yet, in a form of that name. `maker` is the digest of what names the program that found them.
    pub(super) fn new(form: &[u8], maker: &Key) -> Self {
        Self([form, maker].concat())
    }

    pub(super) fn push(&mut self, key: &Key, value: &[u8]) {
        self.0.extend_from_slice(key);
        self.0
            .extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(&check(value));
        self.0.extend_from_slice(value);
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Tells damage of the disk, not somebody's intent: who can write here can change the program as well.
fn check(value: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::digest(value);
    std::array::from_fn(|place| digest[place])
}

fn places(bytes: &[u8], form: &[u8], maker: &Key) -> Option<HashMap<Key, (usize, usize)>> {
    let mut rest = bytes.strip_prefix(form)?.strip_prefix(maker)?;
    let mut places = HashMap::new();
    while let Some((key, after)) = rest.split_first_chunk::<32>() {
        let (length, after) = after.split_first_chunk::<8>()?;
        let start = bytes.len() - after.len();
        let whole = usize::try_from(u64::from_le_bytes(*length))
            .ok()?
            .checked_add(CHECK)?;
        rest = after.get(whole..)?;
        places.insert(*key, (start, start + whole));
    }
    rest.is_empty().then_some(places)
}
