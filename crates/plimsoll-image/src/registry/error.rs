//! Why an image is not pulled or pushed.

use plimsoll_diag::Diagnostic;
use thiserror::Error;

use super::ReferenceError;
use crate::fetch::FetchError;
use crate::oci::Architecture;
use crate::store::StoreError;

/// Why an image is not pulled or pushed.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The text is no reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// No answer from the registry or any of its mirrors.
    #[error("the registry of `{reference}` cannot be reached: {source}")]
    Unreachable {
        /// The image.
        reference: String,
        /// What the last attempt met.
        source: FetchError,
    },
    /// The registry knows no such image, or does not tell us of it.
    #[error("the registry has no `{reference}`, or does not show it without other credentials")]
    NotFound {
        /// The image.
        reference: String,
    },
    /// The registry wants credentials, or others.
    #[error("the registry refuses `{reference}` ({status})")]
    Denied {
        /// The image.
        reference: String,
        /// The HTTP status.
        status: u16,
    },
    /// The image is not made for this processor.
    #[error("`{reference}` is not made for linux/{wanted}; there are {}", found.join(", "))]
    NoPlatform {
        /// The image.
        reference: String,
        /// This machine's processor.
        wanted: Architecture,
        /// What it is made for.
        found: Vec<String>,
    },
    /// The registry takes nothing away.
    #[error("the registry of `{reference}` does not let clients remove anything")]
    NoRemoval {
        /// The repository.
        reference: String,
    },
    /// An answer that is not what the protocol says.
    #[error("the registry of `{reference}` sent something unusable: {reason}")]
    Malformed {
        /// The image.
        reference: String,
        /// What is wrong.
        reason: String,
    },
    /// A transfer failed after the registry had answered.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl RegistryError {
    /// The error and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::Denied { .. } | Self::NotFound { .. } => {
                diagnostic.hint("log in with `docker login`, or check the name and tag")
            }
            Self::NoRemoval { .. } => diagnostic.hint("its operator can allow it"),
            Self::Unreachable { .. } => {
                diagnostic.hint("name a mirror that can be reached in `plimsoll.toml`")
            }
            _ => diagnostic,
        }
    }
}
