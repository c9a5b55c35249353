//! What was worked out for a key, for all threads that look at a tree.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

/// Values by their keys. Two threads may work out the same one at a time; the first one stays.
#[derive(Debug)]
pub(crate) struct Cache<K, V>(RwLock<HashMap<K, V>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The value of a key, where it is known.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(key).cloned()
    }

    /// Keeps a value, and gives the one that is kept.
    pub(crate) fn keep(&self, key: K, value: V) -> V {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert(value).clone()
    }
}
