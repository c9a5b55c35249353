//! Variants of a service's image: for production, smaller, to develop in, to look into, to test.
//!
//! A variant is a change of the recipe and of a few rules; the builders of the languages do the
//! rest. Nothing here builds.

mod development;
mod groups;
mod recipe;
mod reload;
mod shell;
pub(crate) mod slim;
mod tools;

use std::str::FromStr;

use plimsoll_model::StagePurpose;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use development::{Development, development};
pub use reload::{loads_again, reloading};
pub use tools::add_tools_of;

pub(crate) use recipe::{Adapted, adapted};
pub(crate) use shell::attach as attach_shell;

/// What an image of a service is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// What runs the service.
    #[default]
    Production,
    /// The same without what only makes starts faster, or is never loaded: bytecode, tests,
    /// translations, types.
    Slim,
    /// With development dependencies, and a command that loads changed sources again.
    Dev,
    /// What runs the service, and a shell.
    Debug,
    /// With development dependencies and the project's tests, which are its command.
    Test,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Production,
        Self::Slim,
        Self::Dev,
        Self::Debug,
        Self::Test,
    ];

    /// `production`, `slim`, `dev`, `debug`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Slim => "slim",
            Self::Dev => "dev",
            Self::Debug => "debug",
            Self::Test => "test",
        }
    }

    /// Whether tools of development are in it.
    pub(crate) fn has_tools(self) -> bool {
        matches!(self, Self::Dev | Self::Test)
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The image that a stage of this purpose stands for.
impl From<StagePurpose> for Variant {
    fn from(purpose: StagePurpose) -> Self {
        match purpose {
            StagePurpose::Production => Self::Production,
            StagePurpose::Slim => Self::Slim,
            StagePurpose::Development => Self::Dev,
            StagePurpose::Debugging => Self::Debug,
            StagePurpose::Tests => Self::Test,
        }
    }
}

/// A word that names no variant.
#[derive(Debug, Error)]
#[error("`{0}` is no variant: `production`, `slim`, `dev`, `debug` or `test`")]
pub struct UnknownVariant(String);

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Self, UnknownVariant> {
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == text)
            .ok_or_else(|| UnknownVariant(text.to_owned()))
    }
}

/// A service has no image of this variant.
#[derive(Debug, Error)]
pub enum VariantError {
    /// Nothing says how its tests are run.
    #[error("no tests were found to run: {0}")]
    NoTests(String),
    /// Its Dockerfile has no stage for it.
    #[error("the Dockerfile has no stage called {wanted} for the variant `{variant}`")]
    NoStage {
        /// The variant.
        variant: Variant,
        /// Names that were looked for.
        wanted: &'static str,
    },
    /// Debian's package of the shell holds no such program.
    #[error("`busybox-static` has no `bin/busybox`")]
    NoShell,
    /// A file of the project cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// The shell cannot be had.
    #[error(transparent)]
    Shell(#[from] crate::debian::DebianError),
    /// The layer cannot be put together.
    #[error(transparent)]
    Files(#[from] crate::layer::FileSetError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}
