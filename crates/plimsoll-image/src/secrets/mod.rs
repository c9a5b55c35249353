//! Secrets must not enter an image: every layer, and all that its configuration says, is searched
//! before an image is given away.
//!
//! Known values are those that the caller hands in; a hit is certain. Shapes are what tokens and
//! private keys look like; files of packages are left out of these, since they are public anyway.
//! A value is never told, only its name and the place.

mod search;
mod shape;
#[cfg(test)]
mod tests;

use plimsoll_diag::Secret;

pub use search::SecretSearch;
pub use shape::Shape;

/// A secret whose value is known, and what it is called.
#[derive(Debug, Clone)]
pub struct KnownSecret {
    /// What people call it: `secret db_password`, `variable OPENAI_API_KEY of .env`.
    pub name: String,
    /// Its value.
    pub value: Secret<String>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretHit {
    /// Where.
    pub place: SecretPlace,
    /// What.
    pub what: SecretKind,
}

/// Where in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPlace {
    /// In a file of a layer, counted from 0 at the bottom.
    File {
        /// The layer.
        layer: usize,
        /// The file's path below the root.
        path: String,
    },
    /// In the configuration: `variable DATABASE_URL`, `label x`, `the command`.
    Configuration(String),
    /// Outside of any image: a note that builds left for later ones.
    Note(String),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretKind {
    /// The known secret of this name.
    Known(String),
    /// Something that looks like one.
    Shape(Shape),
}

impl std::fmt::Display for SecretPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretPlace::File { layer, path } => {
                write!(formatter, "`/{path}` in layer {}", layer + 1)
            }
            SecretPlace::Configuration(part) => write!(formatter, "{part} of its configuration"),
            SecretPlace::Note(key) => write!(formatter, "the note on `{key}`"),
        }
    }
}

/// Whether a value is so particular that finding it means finding the secret. `postgres` and
/// `changeme` are in many files that hold no secret.
pub fn is_particular(value: &str) -> bool {
    let kinds = [
        value.bytes().any(|byte| byte.is_ascii_lowercase()),
        value.bytes().any(|byte| byte.is_ascii_uppercase()),
        value.bytes().any(|byte| byte.is_ascii_digit()),
        value.bytes().any(|byte| !byte.is_ascii_alphanumeric()),
    ];
    let kinds = kinds.iter().filter(|kind| **kind).count();
    match value.len() {
        0..8 => false,
        8..16 => kinds >= 2,
        _ => true,
    }
}
