//! What a renderer works from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_model::Project;
use plimsoll_model::extension::{Extension, Extensions};
use plimsoll_model::yaml::Node;
use serde::Serialize;

use crate::ClusterOptions;
use crate::kubernetes::allowed_namespace as allowed;

/// Everything a renderer knows.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The application.
    pub project: &'a Project,
    /// What stands under `x-plimsoll`.
    pub extensions: &'a Extensions,
    /// The Compose model in canonical form, for the keys that [`Project`] does not type; `None` for
    /// a project that was inferred from its source.
    pub model: Option<&'a Node>,
    /// The environment that is rendered for.
    pub stage: Stage,
    /// Where images are published, without the services' names: `ghcr.io/acme/desk`.
    pub registry: Option<&'a str>,
    /// Images whose content is known, by service.
    pub images: &'a BTreeMap<String, ImagePin>,
    /// The text of small files of the project that services mount, by absolute path.
    pub contents: &'a BTreeMap<PathBuf, String>,
    /// Choices for clusters.
    pub cluster: ClusterOptions,
}

/// An environment that an application runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// On a developer's machine.
    Development,
    /// Like production, for trying.
    Staging,
    /// For users.
    Production,
}

impl Stage {
    /// All of them, in the order in which a change goes through them.
    pub const ALL: [Stage; 3] = [Stage::Development, Stage::Staging, Stage::Production];

    /// The short name that is typed and stands in file names.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Development => "dev",
            Stage::Staging => "staging",
            Stage::Production => "prod",
        }
    }
}

/// An image whose content is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePin {
    /// The name it is asked by: `postgres:16`.
    pub reference: String,
    /// Its digest, `sha256:…`, where it is known.
    pub digest: Option<String>,
    /// Its numeric user, `uid:gid`, where it states one.
    pub user: Option<String>,
}

impl<'a> Input<'a> {
    /// What a service's `x-plimsoll` says.
    pub fn extension(&self, service: &str) -> Option<&'a Extension> {
        self.extensions.services.get(service)
    }

    /// The namespace that the project has in a cluster: its name. One that nobody wrote, the name of
    /// its directory, takes the form that Kubernetes allows.
    pub(crate) fn namespace(&self) -> Cow<'a, str> {
        match self.names_itself() {
            true => Cow::Borrowed(&self.project.name),
            false => allowed(&self.project.name),
        }
    }

    /// Whether a Compose file says the project's name.
    pub(crate) fn names_itself(&self) -> bool {
        self.model
            .and_then(|model| model.get("name"))
            .is_some_and(|name| name.span.is_some())
    }

    /// A service's entry in the Compose model.
    pub fn node(&self, service: &str) -> Option<&'a Node> {
        self.model?.find(&["services", service])
    }
}
