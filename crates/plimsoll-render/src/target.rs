//! What can be rendered.

use serde::Serialize;

use crate::{Input, PathTaken, Rendering, docs, kubernetes};

/// A kind of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Manifests for Kubernetes, with overlays of kustomize.
    Kubernetes,
    /// Documents for the people who run the project.
    Docs,
}

impl Target {
    /// All of them.
    pub const ALL: &[Target] = &[Target::Kubernetes, Target::Docs];

    /// The word that is typed.
    pub fn word(self) -> &'static str {
        match self {
            Target::Kubernetes => "kubernetes",
            Target::Docs => "docs",
        }
    }

    fn renderer(self) -> fn(&Input<'_>) -> Rendering {
        match self {
            Target::Kubernetes => kubernetes::render,
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
        all.extend(target.renderer()(input))?;
    }
    Ok(all)
}
