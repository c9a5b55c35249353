//! How an image came about, as SLSA provenance of version 1.
//!
//! It is reproducible: no clock, no random number, no path of the machine; and no secret, since
//! materials are named by package URLs, never by the address they were fetched from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::oci::Architecture;
use crate::store::{Image, Store, StoreError};

/// The predicate's type.
pub const SLSA_PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// What kind of build it was; `docs/provenance.md` says what its parameters mean.
const BUILD_TYPE: &str = "urn:plimsoll:build:v1";

/// Who built it: this program, on a machine that nobody vouches for.
const BUILDER: &str = "urn:plimsoll:builder:local";

/// Something that a build used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Material {
    /// A package URL.
    pub uri: String,
    /// Digests by algorithm: `sha256`, `sha512`, `dirHash1`. Hexadecimal digits.
    pub digests: BTreeMap<String, String>,
}

impl Material {
    /// With one digest.
    pub fn new(uri: impl Into<String>, algorithm: &str, hex: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            digests: [(algorithm.to_owned(), hex.into())].into(),
        }
    }

    /// What nothing pins: that it went in is all that can be said.
    pub fn unpinned(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            digests: BTreeMap::new(),
        }
    }
}

/// The commit that the sources are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCommit {
    /// Where others find it, without credentials; nothing when it has no remote.
    pub repository: Option<String>,
    /// The commit's identifier.
    pub commit: String,
    /// Whether the tree differed from it.
    pub changed: bool,
}

/// A build.
#[derive(Debug, Clone)]
pub struct BuildFacts<'a> {
    /// The service.
    pub service: &'a str,
    /// How it was made: `python`, `static-site`.
    pub recipe: &'a str,
    /// Which variant: `production`.
    pub variant: &'a str,
    /// The processor it is for.
    pub architecture: Architecture,
    /// The sources.
    pub source: Option<&'a SourceCommit>,
    /// What went in, and what it was made with.
    pub materials: &'a BTreeSet<Material>,
}

/// The predicate.
pub fn provenance(build: &BuildFacts<'_>) -> Value {
    let mut external = Map::new();
    external.insert("service".to_owned(), build.service.into());
    external.insert("recipe".to_owned(), build.recipe.into());
    external.insert("variant".to_owned(), build.variant.into());
    let platform = format!("linux/{}", build.architecture.name());
    external.insert("platform".to_owned(), platform.into());
    let mut dependencies: Vec<Value> = Vec::new();
    if let Some(source) = build.source {
        let uri = match &source.repository {
            Some(repository) => format!("git+{repository}"),
            None => "git+local".to_owned(),
        };
        external.insert(
            "source".to_owned(),
            json!({ "uri": uri, "commit": source.commit, "changed": source.changed }),
        );
        dependencies.push(json!({
            "uri": uri,
            "digest": { "gitCommit": source.commit },
            "annotations": { "changed": source.changed },
        }));
    }
    dependencies.extend(
        build
            .materials
            .iter()
            .map(|material| match material.digests.is_empty() {
                true => json!({ "uri": material.uri }),
                false => json!({ "uri": material.uri, "digest": material.digests }),
            }),
    );
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": external,
            "internalParameters": {},
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": {
                "id": BUILDER,
                "version": { "plimsoll": env!("CARGO_PKG_VERSION") },
            },
        },
    })
}

/// Writes down what an image was made of and with.
pub(crate) fn remember_materials(
    store: &Store,
    image: &Image,
    materials: &BTreeSet<Material>,
) -> Result<(), StoreError> {
    store.remember(&materials_key(image), materials, &[image.id])
}

/// What an image that was built here was made of and with, as far as its build wrote it down.
pub fn materials_of(store: &Store, image: &Image) -> BTreeSet<Material> {
    store.recall(&materials_key(image)).unwrap_or_default()
}

fn materials_key(image: &Image) -> String {
    format!("materials of image {}", image.id)
}

/// A repository's address without what may be secret in it; the two forms that git writes.
pub fn public_address(remote: &str) -> Option<String> {
    let remote = remote.trim();
    if let Some((scheme, rest)) = remote.split_once("://") {
        if scheme == "file" {
            return None;
        }
        let (host, path) = rest.split_once('/')?;
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        return Some(format!("{scheme}://{host}/{path}"));
    }
    let (host, path) = remote.split_once(':')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    // `C:\…` and paths are nobody else's.
    (host.contains('.') && !host.contains('/')).then(|| format!("ssh://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_credentials() {
        let shown = |remote: &str| public_address(remote).unwrap_or_else(|| "-".to_owned());
        assert_eq!(
            shown("https://user:token@git.example.org/team/desk.git?x=1"),
            "https://git.example.org/team/desk.git"
        );
        assert_eq!(
            shown("git@git.example.org:team/desk.git"),
            "ssh://git.example.org/team/desk.git"
        );
        assert_eq!(shown("file:///srv/desk.git"), "-");
        assert_eq!(shown("/srv/desk.git"), "-");
        assert_eq!(shown("../desk.git"), "-");
    }

    #[test]
    fn the_predicate_has_the_form_of_slsa() {
        let materials = BTreeSet::from([
            Material::new("pkg:pypi/a@1.0", "sha256", "ab"),
            Material::unpinned("urn:plimsoll:network:needed"),
        ]);
        let source = SourceCommit {
            repository: None,
            commit: "c0ffee".to_owned(),
            changed: true,
        };
        let predicate = provenance(&BuildFacts {
            service: "web",
            recipe: "python",
            variant: "production",
            architecture: Architecture::Arm64,
            source: Some(&source),
            materials: &materials,
        });
        insta::assert_snapshot!(serde_json::to_string_pretty(&predicate).unwrap(), @r#"
        {
          "buildDefinition": {
            "buildType": "urn:plimsoll:build:v1",
            "externalParameters": {
              "service": "web",
              "recipe": "python",
              "variant": "production",
              "platform": "linux/arm64",
              "source": {
                "uri": "git+local",
                "commit": "c0ffee",
                "changed": true
              }
            },
            "internalParameters": {},
            "resolvedDependencies": [
              {
                "uri": "git+local",
                "digest": {
                  "gitCommit": "c0ffee"
                },
                "annotations": {
                  "changed": true
                }
              },
              {
                "uri": "pkg:pypi/a@1.0",
                "digest": {
                  "sha256": "ab"
                }
              },
              {
                "uri": "urn:plimsoll:network:needed"
              }
            ]
          },
          "runDetails": {
            "builder": {
              "id": "urn:plimsoll:builder:local",
              "version": {
                "plimsoll": "0.1.0"
              }
            }
          }
        }
        "#);
    }
}
