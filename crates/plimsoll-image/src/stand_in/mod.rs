//! Well known images, assembled from Debian packages where their registry cannot be reached.
//!
//! A stand-in takes the variables, arguments, directories, user and stop signal that people know
//! from the image it stands for. It is another build of the same software, often another version:
//! whoever gets one is told so ([`StandIn`]).

mod catalogue;
mod servers;
mod systems;
#[cfg(test)]
mod tests_of_programs;

use serde::{Deserialize, Serialize};

use crate::base;
use crate::debian::{BaseRequest, DebianError, Suite, User};
use crate::dockerfile::DockerfileError;
use crate::layer::{Attributes, FileSet, FileSetError};
use crate::oci::ImageConfig;
use crate::registry::Reference;
use crate::store::{Image, ImageLayer, NewImage, StoreError};
use crate::workshop::Workshop;

use thiserror::Error;

/// Changes whenever stand-ins come out otherwise.
const RULES: &str = "stand-in 2";

/// The label of every stand-in: what it is.
pub(crate) const LABEL: &str = "plimsoll.stand-in";

/// The label of stand-ins that packages can be installed in: their sources are the machine's, shown
/// for the time of a build step.
const SOURCES_LABEL: &str = "plimsoll.package-sources";

/// Whether an image has apt and no sources of its own.
pub(crate) fn has_no_sources(config: &ImageConfig) -> bool {
    config.labels.contains_key(SOURCES_LABEL)
}

/// What stands in for what, to be told to the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// The reference that was asked for.
    pub requested: String,
    /// What there is instead: `PostgreSQL 17.6 from Debian 13`.
    pub product_version: String,
    /// Why.
    pub reason: String,
}

/// A stand-in cannot be assembled.
#[derive(Debug, Error)]
pub enum StandInError {
    /// The Debian packages cannot be had.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// The files cannot be put together.
    #[error(transparent)]
    Files(#[from] FileSetError),
    /// A system cannot be installed.
    #[error(transparent)]
    System(#[from] DockerfileError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a stand-in is made.
#[derive(Debug, Clone)]
struct Recipe {
    /// `PostgreSQL`.
    product: &'static str,
    suite: Suite,
    /// The server's own packages; the first one's version is the product's.
    packages: Vec<&'static str>,
    /// What scripts and health checks use besides.
    tools: &'static [&'static str],
    without: &'static [&'static str],
    user: User,
    files: FileSet,
    config: ImageConfig,
}

/// Whether there is a stand-in for a reference.
pub fn is_known(reference: &Reference) -> bool {
    catalogue::find(reference).is_some_and(|recipe| recipe.is_ok())
        || catalogue::system(reference).is_some()
}

/// Takes the labels away that speak of a base alone.
pub(crate) fn forget_labels(config: &mut ImageConfig) {
    for label in [LABEL, SOURCES_LABEL] {
        config.labels.remove(label);
    }
}

/// Assembles the stand-in for a reference; `None` when there is none.
pub(crate) fn assemble(
    workshop: &Workshop<'_>,
    reference: &Reference,
    reason: &str,
) -> Result<Option<(Image, StandIn)>, StandInError> {
    if let Some(system) = catalogue::system(reference) {
        let (layers, config, product_version) = systems::assemble(workshop, &system)?;
        let stand_in = StandIn {
            requested: reference.to_string(),
            product_version,
            reason: reason.to_string(),
        };
        let image = put(workshop, reference, &layers, &config)?;
        return Ok(Some((image, stand_in)));
    }
    let Some(recipe) = catalogue::find(reference).transpose()? else {
        return Ok(None);
    };
    let mut request = BaseRequest::new(recipe.suite, workshop.architecture);
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
    };
    request.runtime = owned(&recipe.packages);
    request.extra = owned(recipe.tools);
    request.without = owned(recipe.without);
    request.users = vec![recipe.user.clone()];
    let base = base::assemble(workshop, &request)?;
    let version = recipe
        .packages
        .first()
        .and_then(|package| base.version_of(package))
        .unwrap_or_default();
    let stand_in = StandIn {
        requested: reference.to_string(),
        product_version: format!(
            "{} {} from Debian {}",
            recipe.product,
            upstream(version),
            recipe.suite.version()
        ),
        reason: reason.to_string(),
    };
    let mut layers = base.layers().to_vec();
    if !recipe.files.is_empty() {
        layers.push(own_layer(workshop, &recipe)?);
    }
    let mut config = recipe.config;
    config
        .labels
        .insert(LABEL.to_string(), stand_in.product_version.clone());
    let image = put(workshop, reference, &layers, &config)?;
    Ok(Some((image, stand_in)))
}

fn put(
    workshop: &Workshop<'_>,
    reference: &Reference,
    layers: &[ImageLayer],
    config: &ImageConfig,
) -> Result<Image, StoreError> {
    workshop.store.put_image(&NewImage {
        reference: &name(reference),
        architecture: workshop.architecture,
        config,
        layers,
        annotations: std::collections::BTreeMap::new(),
    })
}

/// The name that a stand-in is kept under: not that of the image it stands for, so that the real
/// one is pulled as soon as it can be.
fn name(reference: &Reference) -> String {
    format!("plimsoll/stand-in/{reference}")
}

fn own_layer(workshop: &Workshop<'_>, recipe: &Recipe) -> Result<ImageLayer, StandInError> {
    let mut hasher = crate::digest::Hasher::default();
    crate::layer::write_tar(&recipe.files, &mut hasher).map_err(StoreError::Layer)?;
    let key = format!("{RULES} files {}", hasher.finish());
    let mut layers = workshop.layers(&key, || {
        let segment = workshop.store.put_segment(&key, &recipe.files)?;
        Ok::<_, StandInError>(vec![ImageLayer {
            layer: workshop.store.commit_layer(&[segment])?,
            created_by: format!("stand-in for {}", recipe.product),
        }])
    })?;
    layers
        .pop()
        .ok_or(StandInError::Store(StoreError::EmptyLayer))
}

/// `5:8.0.2-3+deb13u1` → `8.0.2`.
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let version = version.rsplit_once('-').map_or(version, |(start, _)| start);
    version.split(['+', '~']).next().unwrap_or(version)
}

/// A program written by us, at its usual place.
fn program(files: &mut FileSet, path: &str, text: &str) -> Result<(), FileSetError> {
    files.file(path, Attributes::PROGRAM, text)
}

/// A directory that the server's user owns.
fn owned(files: &mut FileSet, path: &str, mode: u32, user: &User) -> Result<(), FileSetError> {
    files.directory(path, Attributes::root(mode).owned_by(user.uid, user.gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debian_version_tells_the_upstream_one() {
        assert_eq!(upstream("5:8.0.2-3+deb13u1"), "8.0.2");
        assert_eq!(upstream("17.6-0+deb13u1"), "17.6");
        assert_eq!(upstream("2.53.3+ds1-2"), "2.53.3");
        assert_eq!(upstream("8.1.1+dfsg1-3"), "8.1.1");
    }

    #[test]
    fn every_stand_in_can_be_put_together() {
        for name in [
            "postgres:16",
            "postgres:15-alpine",
            "pgvector/pgvector:pg17",
            "redis:7-alpine",
            "valkey/valkey:8",
            "nginx",
            "memcached:1.6",
            "prom/prometheus:v2.53.0",
            "prom/alertmanager",
            "nats:2",
            "caddy:2.10-alpine",
            "prom/node-exporter:v1.9.1",
            "prom/blackbox-exporter",
            "prometheuscommunity/postgres-exporter:v0.17.1",
            "oliver006/redis_exporter:v1.74.0",
        ] {
            assert!(is_known(&name.parse().unwrap()), "{name}");
        }
        for name in ["postgrest/postgrest", "mongo:7", "r.example/nginx-proxy"] {
            assert!(!is_known(&name.parse().unwrap()), "{name}");
        }
    }
}
