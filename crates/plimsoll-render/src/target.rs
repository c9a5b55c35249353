//! What can be rendered.

use serde::Serialize;

use crate::{
    Input, PathTaken, Rendering, ci, cloud, compose, dockerfile, docs, helm, kubernetes, monitoring,
};

/// A kind of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Dockerfiles, one for each service that is assembled from source.
    Dockerfile,
    /// Compose files: a base where there is none, and overlays.
    Compose,
    /// Manifests for Kubernetes, with overlays of kustomize.
    Kubernetes,
    /// A chart of Helm with the same manifests.
    Helm,
    /// Pipelines of GitHub Actions.
    Ci,
    /// Files for homes in clouds that run one image each.
    Cloud,
    /// What watches the project: metrics, alerts, dashboards, logs and traces.
    Monitoring,
    /// Documents for the people who run the project.
    Docs,
}

impl Target {
    /// All of them.
    pub const ALL: &[Target] = &[
        Target::Dockerfile,
        Target::Compose,
        Target::Kubernetes,
        Target::Helm,
        Target::Ci,
        Target::Cloud,
        Target::Monitoring,
        Target::Docs,
    ];

    /// The word that is typed.
    pub fn word(self) -> &'static str {
        match self {
            Target::Dockerfile => "dockerfile",
            Target::Compose => "compose",
            Target::Kubernetes => "kubernetes",
            Target::Helm => "helm",
            Target::Ci => "ci",
            Target::Cloud => "cloud",
            Target::Monitoring => "monitoring",
            Target::Docs => "docs",
        }
    }

    /// Renders it alone.
    pub(crate) fn render(self, input: &Input<'_>) -> Rendering {
        self.renderer()(input)
    }

    fn renderer(self) -> fn(&Input<'_>) -> Rendering {
        match self {
            Target::Dockerfile => dockerfile::render,
            Target::Compose => compose::render,
            Target::Kubernetes => kubernetes::render,
            Target::Helm => helm::render,
            Target::Ci => ci::render,
            Target::Cloud => cloud::render,
            Target::Monitoring => monitoring::render,
            Target::Docs => docs::render,
        }
    }
}

/// Renders these targets into one set of files.
///
/// # Errors
/// When two of them give one file differently.
pub fn render(input: &Input<'_>, targets: &[Target]) -> Result<Rendering, PathTaken> {
    let mut all = Rendering::default();
    for target in targets {
        all.extend(target.render(input))?;
    }
    Ok(all)
}
