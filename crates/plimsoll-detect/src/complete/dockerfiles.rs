//! Services that their Dockerfile builds.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{
    Build, BuildNetwork, BuildRecipe, DockerfileRecipe, DockerfileSource, FileObject, FileSource,
    RecipeKind, Service,
};
use std::collections::BTreeMap;

/// When a service's Dockerfile builds its image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DockerfileUse {
    /// When nothing else is known to make the image.
    #[default]
    Fallback,
    /// Wherever there is one.
    Preferred,
    /// Never.
    Never,
}

/// The recipe that a service's Dockerfile is; `None` where there is none. What of `build` the
/// recipe leaves out is told.
pub(super) fn recipe(
    service: &Service,
    secrets: &BTreeMap<String, FileObject>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<BuildRecipe> {
    let build = service.build.as_ref()?;
    let source = source(build)?;
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for (id, name) in &build.secrets {
        match secrets.get(name).map(|secret| &secret.source) {
            Some(FileSource::File(path)) => files.push((id.clone(), path.clone())),
            _ => diagnostics.push(
                Diagnostic::warning(format!(
                    "the secret `{name}` is not given to the build of `{}`: it is no file",
                    service.name
                ))
                .at(service.span.clone())
                .hint("name a `file` for it"),
            ),
        }
    }
    let network = match build.network.as_ref().map(|network| network.as_str()) {
        Some("none") => BuildNetwork::None,
        _ => BuildNetwork::Host,
    };
    let pairs = |map: &BTreeMap<String, String>| {
        map.iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    Some(BuildRecipe {
        context: build.context.value.clone(),
        kind: RecipeKind::Dockerfile(DockerfileRecipe {
            source,
            target: build.target.clone(),
            args: build
                .args
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            contexts: pairs(&build.additional_contexts),
            secrets: files,
            ssh: Vec::new(),
            labels: pairs(&build.labels),
            network,
            shm_size: build.shm_size,
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: Vec::new(),
        working_dir: PathBuf::new(),
        ports: Vec::new(),
        pages: Vec::new(),
    })
}

fn source(build: &Build) -> Option<DockerfileSource> {
    if let Some(text) = &build.dockerfile_inline {
        return Some(DockerfileSource::Inline(Spanned {
            value: text.value.clone(),
            span: text.span.clone(),
        }));
    }
    let name = build
        .dockerfile
        .as_ref()
        .map_or("Dockerfile", |name| name.value.as_str());
    let path = build.context.value.join(Path::new(name));
    path.is_file().then_some(DockerfileSource::File(path))
}
