//! What a renderer gives: files, and what they do not say.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Loss;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Its text, with a final line end.
    pub text: String,
    /// Whether it is a program.
    pub executable: bool,
}

/// Files and losses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rendering {
    /// Files by path, relative to the output directory, with `/` between parts.
    pub files: BTreeMap<String, Artifact>,
    /// What the files do not say as the model does.
    pub losses: Vec<Loss>,
}

/// Two renderers give the same file differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTaken(
    /// The path.
    pub String,
);

impl Rendering {
    /// Adds a text file.
    pub fn file(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.put(path.into(), text.into(), false);
    }

    /// Adds a program.
    pub fn program(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.put(path.into(), text.into(), true);
    }

    fn put(&mut self, path: String, mut text: String, executable: bool) {
        debug_assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."));
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.files.insert(path, Artifact { text, executable });
    }

    /// Adds what another renderer gave.
    ///
    /// # Errors
    /// When both give a file of one path with another content.
    pub fn extend(&mut self, other: Rendering) -> Result<(), PathTaken> {
        for (path, artifact) in other.files {
            if self.files.get(&path).is_some_and(|own| *own != artifact) {
                return Err(PathTaken(path));
            }
            self.files.insert(path, artifact);
        }
        for loss in other.losses {
            if !self.losses.contains(&loss) {
                self.losses.push(loss);
            }
        }
        Ok(())
    }
}
