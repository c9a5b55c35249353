//! Debian bases as builders ask for them: packages in, layers out.

use crate::Digest;
use crate::debian::{self, Assembled, BaseRequest, DebianError, DebianSettings, Freshness, User};
use crate::digest::Hasher;
use crate::fetch::Fetcher;
use crate::inventory::purl;
use crate::provenance::Material;
use crate::store::ImageLayer;
use crate::workshop::{Memory, Workshop};

/// The user that images run as.
pub(crate) const USER: &str = "65532:65532";
/// That user's number, and that of its group.
pub(crate) const USER_ID: u32 = 65532;
/// That user's home.
pub(crate) const HOME: &str = "/home/app";

/// That user's account.
pub(crate) fn account() -> User {
    User {
        name: "app".to_string(),
        uid: 65532,
        gid: 65532,
        home: HOME.to_string(),
    }
}

/// Where bases come from.
#[derive(Debug)]
pub(crate) struct Debian {
    pub fetcher: Fetcher,
    pub settings: DebianSettings,
}

/// A base for an image, or for the root of a build step.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    assembled: Assembled,
}

impl Base {
    /// Its layers, lowest first.
    pub(crate) fn layers(&self) -> &[ImageLayer] {
        &self.assembled.layers
    }

    /// Whether a package is in it.
    pub(crate) fn has(&self, package: &str) -> bool {
        self.assembled.version_of(package).is_some()
    }

    /// A package's version.
    pub(crate) fn version_of(&self, package: &str) -> Option<&str> {
        self.assembled.version_of(package)
    }

    /// What tells it from any other base.
    pub(crate) fn identity(&self) -> Digest {
        identity(self.layers())
    }

    /// What tells the layers up to the one with this package from any others.
    pub(crate) fn identity_up_to(&self, package: &str) -> Digest {
        let packages = &self.assembled.packages;
        let found = packages.iter().find(|entry| entry.name == package);
        let count = found.map_or(self.layers().len(), |entry| entry.layer + 1);
        identity(&self.layers()[..count])
    }
}

fn identity(layers: &[ImageLayer]) -> Digest {
    let mut hasher = Hasher::default();
    for entry in layers {
        hasher.update(entry.layer.diff_id.to_string().as_bytes());
    }
    hasher.finish()
}

/// Assembles a base. One request is assembled once at a time.
pub(crate) fn assemble(
    workshop: &Workshop<'_>,
    request: &BaseRequest,
) -> Result<Base, DebianError> {
    let base = debian::Base::new(
        workshop.store,
        &workshop.debian.fetcher,
        &workshop.debian.settings,
    );
    let freshness = match workshop.memory {
        Memory::Use => Freshness::Kept,
        Memory::Ignore => Freshness::Refreshed,
    };
    // All bases share most packages, so that two at once would fetch them twice.
    let assembled = workshop.locks.alone("debian base", || {
        base.assemble(workshop.subject, request, freshness)
    })?;
    workshop.note(
        assembled
            .packages
            .iter()
            .map(|package| {
                let url = purl(
                    "deb",
                    Some("debian"),
                    &package.name,
                    &package.version,
                    &[("arch", &package.architecture)],
                );
                Material::new(url, "sha256", package.digest.hex())
            })
            .collect(),
    );
    Ok(Base { assembled })
}
