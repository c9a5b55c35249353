//! Why an image is not made, and what to do about it.

use plimsoll_diag::Diagnostic;
use thiserror::Error;

use crate::dockerfile::DockerfileError;
use crate::elf::{Finding, Severity};
use crate::go::GoError;
use crate::node::NodeError;
use crate::probe::ProbeError;
use crate::python::PythonError;
use crate::registry::RegistryError;
use crate::rust::RustError;
use crate::stand_in::StandInError;
use crate::store::StoreError;
use crate::variant::VariantError;

/// Why an image is not made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A Python application.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// A site or a server of Node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A program of Go.
    #[error(transparent)]
    Go(#[from] GoError),
    /// A program of Rust.
    #[error(transparent)]
    Rust(#[from] RustError),
    /// A Dockerfile.
    #[error(transparent)]
    Dockerfile(#[from] DockerfileError),
    /// The probe of its health check.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// An image that others publish.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A stand-in.
    #[error(transparent)]
    StandIn(#[from] StandInError),
    /// It has no such variant.
    #[error(transparent)]
    Variant(#[from] VariantError),
    /// A kind of recipe that nothing assembles.
    #[error("images of this kind are not assembled")]
    NotAssembled,
    /// Files of the image that could never be loaded.
    #[error("the image cannot work: {}", told(findings))]
    Unfit {
        /// They, the worst first.
        findings: Vec<Finding>,
    },
    /// The store has no such image, and nothing may be fetched.
    #[error("there is no image `{reference}` here, and it may not be pulled")]
    NotHere {
        /// The image.
        reference: String,
    },
    /// Only what Debian packages stand in for is wanted, and none does.
    #[error(
        "nothing stands in for the image `{reference}`, and with local bases no registry is asked"
    )]
    NoStandIn {
        /// The image.
        reference: String,
    },
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BuildError {
    /// The error with its place and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Python(error) => error.diagnostic(),
            Self::Node(error) => error.diagnostic(),
            Self::Go(error) => error.diagnostic(),
            Self::Rust(error) => error.diagnostic(),
            Self::Dockerfile(error) => error.diagnostic(),
            Self::Probe(error) => Diagnostic::error(error.to_string()),
            Self::Registry(error) => error.diagnostic(),
            Self::StandIn(StandInError::System(error)) => error.diagnostic(),
            Self::StandIn(error) => Diagnostic::error(error.to_string()),
            Self::Unfit { .. } => Diagnostic::error(self.to_string())
                .hint("add the packages that hold what is missing, for this platform"),
            Self::NotHere { .. } => Diagnostic::error(self.to_string())
                .hint("allow it: `--pull missing`, and `pull_policy: missing` in the Compose file"),
            Self::NoStandIn { .. } => Diagnostic::error(self.to_string()).hint(
                "without `--local-bases` it is pulled; `plimsoll images` shows what is here already",
            ),
            Self::Variant(error) => Diagnostic::error(error.to_string()),
            Self::NotAssembled => {
                Diagnostic::error(self.to_string()).hint("name an image that holds it: `image:`")
            }
            Self::Store(error) => Diagnostic::error(error.to_string()),
        }
    }
}

/// The findings that cannot be borne.
fn told(findings: &[Finding]) -> String {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let told: Vec<String> = errors.map(ToString::to_string).collect();
    told.join("; ")
}
