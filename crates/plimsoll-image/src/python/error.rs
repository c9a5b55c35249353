//! Why a Python application does not become an image.

use plimsoll_diag::{Diagnostic, Span, Spanned};
use thiserror::Error;

use super::InstalledError;
use super::failure::UvFailure;
use super::interpreter::available;
use crate::SandboxError;
use crate::application::{ContextError, PackError};
use crate::clients::UnknownRegistry;
use crate::oci::Architecture;
use crate::project_lock::LockError;
use crate::store::StoreError;
use crate::toolchain::ToolchainError;

/// Why a Python application does not become an image.
#[derive(Debug, Error)]
pub enum PythonError {
    /// No interpreter satisfies what the project requires.
    #[error("no Python here satisfies `{requirement}`: there are {}", available(), requirement = requirement.value)]
    NoInterpreter {
        /// The requirement and its place.
        requirement: Spanned<String>,
    },
    /// `requires-python` is no set of version specifiers.
    #[error("`{}` is no Python version requirement: {reason}", requirement.value)]
    RequiresPython {
        /// The requirement and its place.
        requirement: Spanned<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// uv could not do its part.
    #[error("{}", told(.0))]
    Uv(UvFailure),
    /// A step used more memory than it may.
    #[error("`{step}` used more memory than it may and was killed")]
    OutOfMemory {
        /// The step.
        step: String,
    },
    /// Something has no wheel for the image's processor, and what is compiled here does not run
    /// there.
    #[error(
        "`{package}` has no wheel for linux/{architecture}, and what it compiles to on this machine (linux/{host}) does not run there"
    )]
    NativeSource {
        /// The distribution.
        package: String,
        /// The image's processor.
        architecture: Architecture,
        /// This machine's.
        host: Architecture,
    },
    /// A module that was installed is for another processor.
    #[error("`{path}` is not for linux/{architecture}")]
    ForeignObject {
        /// Its path.
        path: String,
        /// The image's processor.
        architecture: Architecture,
    },
    /// A lock file cannot be used.
    #[error("{message}")]
    Lock {
        /// What is wrong.
        message: String,
        /// Where.
        span: Span,
        /// What to do.
        hint: String,
    },
    /// The project's lock file cannot be used, or not without a change.
    #[error(transparent)]
    ProjectLock(#[from] LockError),
    /// The step could not run.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Nobody says where the index is.
    #[error(transparent)]
    Registry(#[from] UnknownRegistry),
    /// uv itself cannot be had.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The Debian base cannot be had.
    #[error(transparent)]
    Base(#[from] crate::debian::DebianError),
    /// The application's files cannot be read.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// What was installed cannot be read back.
    #[error(transparent)]
    Installed(#[from] InstalledError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<PackError> for PythonError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Context(error) => Self::Context(error),
            PackError::Store(error) => Self::Store(error),
        }
    }
}

impl From<crate::layer::FileSetError> for PythonError {
    fn from(error: crate::layer::FileSetError) -> Self {
        Self::Context(ContextError::Files(error))
    }
}

impl PythonError {
    /// The error with its place and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::NoInterpreter { requirement } => diagnostic
                .at(requirement.span.clone())
                .label("required here")
                .hint("widen the requirement, if the code allows it")
                .hint("a Dockerfile of your own may start from any Python: it is built as it is"),
            Self::RequiresPython { requirement, .. } => diagnostic.at(requirement.span.clone()),
            Self::Uv(failure) => failure
                .hints
                .iter()
                .fold(diagnostic, |diagnostic, hint| diagnostic.hint(hint.clone())),
            Self::OutOfMemory { .. } => {
                diagnostic.hint("require versions that have a wheel, which need no building")
            }
            Self::NativeSource {
                package,
                architecture,
                ..
            } => diagnostic.hint(format!(
                "require a version of {package} that has a wheel for linux/{architecture}, or build \
                 this image on such a machine"
            )),
            Self::Lock { span, hint, .. } => diagnostic.at(span.clone()).hint(hint.clone()),
            Self::ProjectLock(error) => error.diagnostic(),
            Self::Registry(unknown) => {
                diagnostic.hint(format!("set {} to the index's address", unknown.variable))
            }
            _ => diagnostic,
        }
    }
}

fn told(failure: &UvFailure) -> String {
    use super::failure::UvFailureKind as Kind;
    let what = match (failure.kind, failure.package.as_deref()) {
        (Kind::Build, Some(package)) => format!("`{package}` does not build"),
        (Kind::OnlySource, Some(package)) => format!("`{package}` has no wheel"),
        (Kind::DiskFull, _) => "the disk is full".to_string(),
        (Kind::Network, _) => "the Python package index cannot be reached".to_string(),
        _ => "the Python dependencies do not resolve".to_string(),
    };
    format!("{what}: {failure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_neither_an_index_nor_a_resolution() {
        let text =
            "error: Failed to write to the cache\n  cause: No space left on device (os error 28)";
        let text = told(&UvFailure::read(text));
        assert!(
            text.starts_with("the disk is full: Failed to write"),
            "{text}"
        );
    }
}
