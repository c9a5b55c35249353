//! Debian bases for builders: which packages, as which layers.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::Digest;
use crate::digest::Hasher;
use crate::store::{ImageLayer, StoreError};
use crate::workshop::Workshop;

/// The user that images run as.
pub(crate) const USER: &str = "65532:65532";
/// That user's home.
pub(crate) const HOME: &str = "/home/app";

/// A base cannot be had.
#[derive(Debug, Error)]
pub enum BaseError {
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A Debian base.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// Its layers, lowest first.
    pub layers: Vec<ImageLayer>,
    /// Versions by package.
    pub packages: BTreeMap<String, String>,
    /// Whether git is among them.
    pub git: bool,
}

impl Base {
    /// What tells it from any other base.
    pub(crate) fn identity(&self) -> Digest {
        let mut hasher = Hasher::default();
        for entry in &self.layers {
            hasher.update(entry.layer.diff_id.to_string().as_bytes());
        }
        hasher.finish()
    }
}

/// Assembles a base of these packages.
pub(crate) fn assemble(
    _workshop: &Workshop<'_>,
    _suite: &str,
    _packages: &[String],
) -> Result<Base, BaseError> {
    Ok(Base {
        layers: Vec::new(),
        packages: BTreeMap::new(),
        git: false,
    })
}
