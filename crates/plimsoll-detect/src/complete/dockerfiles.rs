//! Services that their Dockerfile builds.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Span, Spanned};
use plimsoll_model::{
    Build, BuildNetwork, BuildRecipe, DockerfileRecipe, DockerfileSource, FileObject, FileSource,
    RecipeKind, Service,
};
use std::collections::BTreeMap;

use crate::claims::matching::{Match, find, of_stage};
use crate::claims::{Dockerfile, Stage};
use crate::detection::{DetectedService, Detection, Health};
use crate::places;
use crate::tree::Tree;

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
    Some(by_dockerfile(
        build.context.value.clone(),
        DockerfileRecipe {
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
        },
    ))
}

/// Has each service of a tree without a Compose file built by the Dockerfile at its root. What has none, and what a shared
/// one does not start, is assembled as before, which is told.
pub fn build_by_dockerfiles(detection: &mut Detection, tree: &Tree) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let beside: Vec<Option<Beside>> = detection
        .services
        .iter()
        .map(|service| Beside::of(service, tree))
        .collect();
    let built: Vec<bool> = beside
        .iter()
        .enumerate()
        .map(|(index, own)| {
            let Some(own) = own else {
                return false;
            };
            let sharing: Vec<&DetectedService> = detection
                .services
                .iter()
                .zip(&beside)
                .filter(|(_, other)| other.as_ref().is_some_and(|other| other.path == own.path))
                .map(|(service, _)| service)
                .collect();
            let claim = of_stage(&own.stage, &own.context);
            matches!(find(&claim, &sharing), Match::One(one) if std::ptr::eq(one, &detection.services[index]))
        })
        .collect();
    for ((service, own), built) in detection.services.iter_mut().zip(beside).zip(built) {
        match own {
            _ if service.recipe.is_none() => {}
            Some(own) if built => {
                service.recipe = Some(own.recipe(tree));
                // It would run a program at a place that only an assembled image has.
                if matches!(service.health, Some(Health::Command { .. })) {
                    service.health = None;
                }
            }
            Some(own) => diagnostics.push(
                Diagnostic::warning(format!(
                    "`{}` is assembled: nothing says that this Dockerfile starts it",
                    service.name
                ))
                .at(Span::line(tree.shown(&own.path), 1))
                .hint("a Compose file says what each service of one image starts: `plimsoll init`"),
            ),
            None => diagnostics.push(
                Diagnostic::warning(format!(
                    "`{}` is assembled: it has no Dockerfile",
                    service.name
                ))
                .at(service.defined_at.clone())
                .hint(format!(
                    "write `{}`, or name one with `build.dockerfile` in a Compose file",
                    service.root.join(NAME).display()
                )),
            ),
        }
    }
    diagnostics
}

/// What a Dockerfile is called where nothing says otherwise.
const NAME: &str = "Dockerfile";

/// The Dockerfile at a service's root.
struct Beside {
    path: PathBuf,
    /// What it is built from, relative to the tree: the directory that has all it copies.
    context: PathBuf,
    stage: Stage,
}

impl Beside {
    fn of(service: &DetectedService, tree: &Tree) -> Option<Self> {
        let path = service.root.join(NAME);
        let file = Dockerfile::read(tree, &path)?;
        let whole = service.recipe.as_ref()?.context.as_path();
        let whole = whole.strip_prefix(tree.root()).unwrap_or(&service.root);
        let has_all = |directory: &Path| {
            let mut sources = file.stages.iter().flat_map(|stage| &stage.copies);
            sources.all(|source| {
                let found = places::within(directory, source.trim_end_matches('/'));
                let any = source.contains(['*', '?', '[', '$', ':']);
                any || found.is_some_and(|path| tree.root().join(path).exists())
            })
        };
        let context = match has_all(&service.root) || !has_all(whole) {
            true => service.root.clone(),
            false => whole.to_owned(),
        };
        let stage = file.image(None);
        Some(Self {
            path,
            context,
            stage,
        })
    }

    fn recipe(self, tree: &Tree) -> BuildRecipe {
        let context = tree.root().join(&self.context);
        by_dockerfile(
            context.components().collect(),
            DockerfileRecipe {
                source: DockerfileSource::File(tree.root().join(&self.path)),
                target: None,
                args: Vec::new(),
                contexts: Vec::new(),
                secrets: Vec::new(),
                ssh: Vec::new(),
                labels: Vec::new(),
                network: BuildNetwork::Host,
                shm_size: None,
            },
        )
    }
}

/// The recipe of an image that says itself how it starts.
fn by_dockerfile(context: PathBuf, file: DockerfileRecipe) -> BuildRecipe {
    BuildRecipe {
        context,
        kind: RecipeKind::Dockerfile(file),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: Vec::new(),
        working_dir: PathBuf::new(),
        ports: Vec::new(),
        pages: Vec::new(),
    }
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
        .map_or(NAME, |name| name.value.as_str());
    let path = build.context.value.join(Path::new(name));
    path.is_file().then_some(DockerfileSource::File(path))
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    const API: &str = "from fastapi import FastAPI\n\napp = FastAPI()\n";
    const WORKER: &str = "from celery import Celery\n\napp = Celery('jobs', broker='redis://redis')\n\n@app.task\ndef add(a, b):\n    return a + b\n";

    /// What builds each service, and what is told.
    fn built(files: &[(&str, &str)]) -> String {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let tree = Tree::read(root.path()).unwrap();
        let mut detection = crate::detect(&tree);
        let told = build_by_dockerfiles(&mut detection, &tree);
        let mut text = String::new();
        for service in &detection.services {
            let recipe = service.recipe.as_ref().unwrap();
            let context = recipe.context.strip_prefix(tree.root()).unwrap();
            let by = match &recipe.kind {
                RecipeKind::Dockerfile(file) => match &file.source {
                    DockerfileSource::File(path) => path.strip_prefix(tree.root()).unwrap(),
                    DockerfileSource::Inline(_) => unreachable!("no file says so"),
                },
                _ => Path::new("-"),
            };
            text += &format!(
                "{} {} of `{}`\n",
                service.name,
                by.display(),
                context.display()
            );
        }
        for one in told {
            text += &format!("{one}\n");
        }
        text
    }

    #[test]
    fn a_dockerfile_at_a_services_root_builds_it_and_a_missing_one_is_told() {
        let text = built(&[
            (
                "api/requirements.txt",
                "fastapi==0.115.6\nuvicorn==0.34.0\n",
            ),
            ("api/main.py", API),
            (
                "api/Dockerfile",
                "FROM python:3.13\nCOPY . .\nCMD uvicorn main:app\n",
            ),
            (
                "shop/package.json",
                r#"{"name":"shop","scripts":{"build":"vite build"},"devDependencies":{"vite":"6"}}"#,
            ),
            ("shop/vite.config.js", "export default {}\n"),
            ("shop/index.html", "<p>\n"),
        ]);
        insta::assert_snapshot!(text, @"
        api api/Dockerfile of `api`
        shop - of `shop`
        shop/vite.config.js:1:1: `shop` is assembled: it has no Dockerfile
        ");
    }

    #[test]
    fn a_dockerfile_of_several_services_builds_the_one_that_it_starts() {
        let text = built(&[
            (
                "requirements.txt",
                "fastapi==0.115.6\nuvicorn==0.34.0\ncelery==5.5.3\n",
            ),
            ("main.py", API),
            ("jobs.py", WORKER),
            (
                "Dockerfile",
                "FROM python:3.13\nCOPY . .\nCMD uvicorn main:app\n",
            ),
        ]);
        insta::assert_snapshot!(text, @"
        web Dockerfile of ``
        worker - of ``
        Dockerfile:1:1: `worker` is assembled: nothing says that this Dockerfile starts it
        ");
    }

    #[test]
    fn what_a_dockerfile_copies_says_what_it_is_built_from() {
        let text = built(&[
            ("package.json", r#"{"name":"all","workspaces":["apps/*"]}"#),
            ("package-lock.json", "{}"),
            (
                "apps/api/package.json",
                r#"{"name":"api","scripts":{"start":"node a.js"},"dependencies":{"express":"5"}}"#,
            ),
            ("apps/api/a.js", "require('express')().listen(3000)\n"),
            (
                "apps/api/Dockerfile",
                "FROM node:22\nCOPY package-lock.json apps/api ./\nCMD node a.js\n",
            ),
        ]);
        insta::assert_snapshot!(text, @"api apps/api/Dockerfile of ``");
    }
}
