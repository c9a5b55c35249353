//! What builds of this store found out and made, in a form that another machine's store can take.
//!
//! Whoever takes it verifies every byte: parts by their digests, layers by their DiffIDs. What a
//! memo says is believed as the registry that it came from is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::memo::Memo;
use super::{Layer, Store, StoreError};
use crate::Digest;
use crate::digest::Hasher;

/// What is shared.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct SharedState {
    memos: Vec<Memo<serde_json::Value>>,
    /// Layers that memos speak of.
    pub layers: Vec<Layer>,
    /// Blobs that are no part of a layer: their digests and lengths, in order.
    pub loose: Vec<(Digest, u64)>,
}

impl SharedState {
    /// The memos: how their keys begin, for people, and all that they say. A key as a whole may
    /// hold what must not be shown.
    pub(crate) fn notes(&self) -> impl Iterator<Item = (String, String)> {
        self.memos.iter().map(|memo| {
            let words = memo.key.chars();
            let shown: String = words
                .take_while(|c| c.is_ascii_lowercase() || *c == ' ')
                .take(40)
                .collect();
            (
                shown.trim().to_owned(),
                format!("{}\n{}", memo.key, memo.value),
            )
        })
    }
}

impl Store {
    /// What this open store was asked and told since it was opened, with all that it leads to.
    ///
    /// # Errors
    /// When something of it cannot be read.
    pub(crate) fn shared_state(&self) -> Result<SharedState, StoreError> {
        let mut state = SharedState::default();
        let mut layers: BTreeMap<Digest, Layer> = BTreeMap::new();
        let mut loose: BTreeSet<Digest> = BTreeSet::new();
        for key in self.touched_memos() {
            let Some(memo) = self.raw_memo(&key) else {
                continue;
            };
            for need in &memo.needs {
                match self.layer(need) {
                    Ok(layer) => {
                        loose.extend(&layer.keeps);
                        layers.insert(*need, layer);
                    }
                    Err(_) => {
                        loose.insert(*need);
                    }
                }
            }
            state.memos.push(memo);
        }
        let parts: BTreeSet<Digest> = layers
            .values()
            .flat_map(|layer| layer.parts.iter().map(|part| part.digest))
            .collect();
        for digest in loose.difference(&parts) {
            if let Some(size) = self.blob_size(digest) {
                state.loose.push((*digest, size));
            }
        }
        state.layers = layers.into_values().collect();
        Ok(state)
    }

    /// Takes a layer whose archive the reader gives.
    ///
    /// # Errors
    /// When the content is not what the record says.
    pub(crate) fn take_layer(
        &self,
        record: &Layer,
        reader: &mut dyn Read,
    ) -> Result<(), StoreError> {
        let mut whole = Hasher::default();
        for part in &record.parts {
            let mut part_reader = crate::digest::Hashing {
                source: (&mut *reader).take(part.size),
                hasher: Hasher::default(),
            };
            self.put_blob(&mut part_reader, Some(part.digest))?;
            // The part is now known to be what it should be, so that its bytes are read back.
            std::io::copy(&mut self.open_blob(&part.digest)?, &mut whole)
                .map_err(|error| self.fail(error))?;
        }
        let actual = whole.finish();
        if actual != record.diff_id {
            return Err(StoreError::Unexpected {
                expected: record.diff_id,
                actual,
            });
        }
        self.put_layer(record)
    }

    /// Takes loose blobs, one after the other from one reader.
    ///
    /// # Errors
    /// When one is not what it should be.
    pub(crate) fn take_loose(
        &self,
        state: &SharedState,
        reader: &mut dyn Read,
    ) -> Result<(), StoreError> {
        for (digest, size) in &state.loose {
            self.put_blob(&mut (&mut *reader).take(*size), Some(*digest))?;
        }
        Ok(())
    }

    /// Takes memos whose layers and blobs are all here; how many.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(crate) fn take_memos(&self, state: &SharedState) -> Result<usize, StoreError> {
        let mut taken = 0;
        for memo in &state.memos {
            if memo.needs.iter().all(|need| self.holds(need)) {
                self.remember(&memo.key, &memo.value, &memo.needs)?;
                taken += 1;
            }
        }
        Ok(taken)
    }
}
