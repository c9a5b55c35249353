//! Why an image is not made, and what to do about it.

use plimsoll_diag::Diagnostic;
use thiserror::Error;

use crate::python::PythonError;
use crate::static_site::StaticSiteError;
use crate::store::StoreError;

/// Why an image is not made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A Python application.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// A site.
    #[error(transparent)]
    StaticSite(#[from] StaticSiteError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BuildError {
    /// The error with its place and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Python(error) => error.diagnostic(),
            Self::StaticSite(error) => error.diagnostic(),
            Self::Store(error) => Diagnostic::error(error.to_string()),
        }
    }
}
