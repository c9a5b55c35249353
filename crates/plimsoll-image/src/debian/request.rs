//! What a base is asked to be, and what it came to be.

use serde::{Deserialize, Serialize};

use super::Suite;
use super::accounts::User;
use super::content::{BasePurpose, RULES};
use crate::layer::{FileSet, write_tar};
use crate::oci::Architecture;
use crate::store::{ImageLayer, StoreError};
use crate::{Digest, Hasher};

/// What every base has, whatever runs on it: shared by all images of a release.
pub(super) const FOUNDATION: [&str; 9] = [
    "base-files",
    "ca-certificates",
    "libc-bin",
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "media-types",
    "netbase",
    "tzdata",
];

/// What a base has for programs that bring everything along: no C library, nothing that runs.
const DATA_ONLY: [&str; 5] = [
    "base-files",
    "ca-certificates",
    "media-types",
    "netbase",
    "tzdata",
];

/// What is lowest in a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Foundation {
    /// The C and C++ libraries, and what programs expect of a system.
    #[default]
    Libraries,
    /// What static programs read: certificates, time zones, names of services and accounts.
    DataOnly,
}

impl Foundation {
    pub(super) fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Libraries => &FOUNDATION,
            Self::DataOnly => &DATA_ONLY,
        }
    }
}

/// A base to assemble.
#[derive(Debug, Clone)]
pub struct BaseRequest {
    /// The release.
    pub suite: Suite,
    /// The processor.
    pub architecture: Architecture,
    /// What is lowest in it.
    pub foundation: Foundation,
    /// What it is for.
    pub purpose: BasePurpose,
    /// Packages of the language or server itself: `python3.13`. A layer of their own.
    pub runtime: Vec<String>,
    /// Packages that the service needs besides: `git`, `libpq5`. A layer of their own.
    pub extra: Vec<String>,
    /// Packages left out wherever others depend on them.
    pub without: Vec<String>,
    /// Accounts besides root and `nonroot`.
    pub users: Vec<User>,
    /// Files that belong to the runtime: links, a configuration.
    pub files: FileSet,
}

impl BaseRequest {
    /// The libraries' foundation alone.
    pub fn new(suite: Suite, architecture: Architecture) -> Self {
        Self {
            suite,
            architecture,
            foundation: Foundation::Libraries,
            purpose: BasePurpose::Run,
            runtime: Vec::new(),
            extra: Vec::new(),
            without: Vec::new(),
            users: Vec::new(),
            files: FileSet::new(),
        }
    }

    /// Everything that the result depends on, besides the archive.
    pub(super) fn key(&self) -> Result<String, StoreError> {
        let mut files = Hasher::default();
        write_tar(&self.files, &mut files).map_err(StoreError::Layer)?;
        let compile = match self.purpose {
            BasePurpose::Run => "",
            BasePurpose::Slim => " slim",
            BasePurpose::Compile => " to compile",
        };
        Ok(format!(
            "debian base, rules {RULES}: {} {}{compile} {:?} {:?} {:?} {:?} {:?} {}",
            self.suite,
            self.architecture,
            self.foundation.packages(),
            self.runtime,
            self.extra,
            self.without,
            self.users,
            files.finish()
        ))
    }
}

/// A package of a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `amd64`, `arm64` or `all`.
    pub architecture: String,
    /// The digest of its `.deb`.
    pub digest: Digest,
    /// Which layer it is in, counted from the lowest.
    pub layer: usize,
}

/// An assembled base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// Foundation, runtime, extra packages: lowest first, none empty.
    pub layers: Vec<ImageLayer>,
    /// What is in them, by layer and name.
    pub packages: Vec<InstalledPackage>,
}

impl Assembled {
    /// A package's version, if it is in the base.
    pub fn version_of(&self, name: &str) -> Option<&str> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .map(|package| package.version.as_str())
    }
}
