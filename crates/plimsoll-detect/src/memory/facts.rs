//! What is read from the text of one file alone, so that it can be remembered by that text.

use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entries::Key;
use crate::tree::Bounds;

/// What a text says to one reader. It may name the file, and where in the file something stands.
pub(crate) trait Facts: Serialize + DeserializeOwned {
    /// Tells it from what other readers find.
    const KIND: FactKind;

    /// Bytes of a file that is read at all.
    fn most(bounds: &Bounds) -> u64 {
        bounds.source_bytes
    }

    /// Reads a text. `path` is the file's in the tree, `shown` what people see of it.
    fn read(path: &Path, shown: Arc<Path>, text: String) -> Option<Self>;
}

/// Who reads a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FactKind {
    GoFile,
    LoadedPaths,
    PythonEntry,
    PythonLock,
    PythonModule,
    RustFile,
    ScriptFacts,
    ScriptSources,
}

/// What the facts of a file go by: what is found may name the file.
pub(crate) fn key(kind: FactKind, shown: &Path, text: &Key) -> Key {
    let mut digest = Sha256::new();
    digest.update([kind as u8]);
    digest.update(text);
    digest.update(shown.as_os_str().as_encoded_bytes());
    digest.finalize().into()
}
