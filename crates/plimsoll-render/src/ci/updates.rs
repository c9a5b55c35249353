//! `dependabot.yml`: updates of what the project stands on, in few pull requests.

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll_model::{NodeManager, PythonDependencies, RecipeKind};
use serde_json::{Value, json};

use crate::dockerfile::{self, plain, text};
use crate::header::header;
use crate::{Input, Rendering, Workload, yaml};

/// Writes the file.
pub(super) fn write(input: &Input<'_>, all: &[Workload<'_>], rendering: &mut Rendering) {
    // What there is to update, and below which directory.
    let mut kinds: BTreeSet<(&str, String)> = BTreeSet::new();
    kinds.insert(("github-actions", "/".to_owned()));
    if !input.project.files.is_empty() {
        kinds.insert(("docker-compose", "/".to_owned()));
    }
    for one in all {
        kinds.extend(of_service(input, one));
    }
    let updates: Vec<Value> = kinds
        .into_iter()
        .map(|(ecosystem, directory)| {
            json!({
                "package-ecosystem": ecosystem,
                "directory": directory,
                "schedule": { "interval": "weekly" },
                // A release that is withdrawn is so within days.
                "cooldown": { "default-days": 7 },
                "groups": {
                    (ecosystem): { "patterns": ["*"], "update-types": ["minor", "patch"] },
                },
            })
        })
        .collect();
    let value = json!({ "version": 2, "updates": updates });
    rendering.file(
        ".github/dependabot.yml",
        format!("{}\n{}", header(input, "ci"), yaml(&value)),
    );
}

fn of_service(input: &Input<'_>, one: &Workload<'_>) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let inside = |path: &Path| -> Option<String> {
        let path = path.strip_prefix(&input.project.directory).ok()?;
        Some(match text(&plain(path)).as_str() {
            "." => "/".to_owned(),
            path => format!("/{path}"),
        })
    };
    if let Some(build) = &one.service.build
        && dockerfile::path(one).is_none()
    {
        let name = build
            .dockerfile
            .as_ref()
            .map_or("Dockerfile", |name| &name.value);
        let file = build.context.value.join(name);
        all.extend(
            file.parent()
                .and_then(inside)
                .map(|directory| ("docker", directory)),
        );
    }
    let Some(recipe) = &one.service.recipe else {
        return all;
    };
    if dockerfile::path(one).is_some() {
        all.push(("docker", format!("/{}", dockerfile::DIRECTORY)));
    }
    let node = |manager: NodeManager| match manager {
        NodeManager::Bun => "bun",
        NodeManager::Npm | NodeManager::Pnpm | NodeManager::Yarn => "npm",
    };
    let below = |path: &Path| inside(&recipe.context.join(path));
    let language = match &recipe.kind {
        RecipeKind::Python(python) => match &python.dependencies {
            PythonDependencies::None => None,
            PythonDependencies::UvLock { lock, .. } => {
                lock.parent().and_then(below).map(|place| ("uv", place))
            }
            _ => below(&python.root).map(|place| ("pip", place)),
        },
        // A workspace's lock file stands above its packages.
        RecipeKind::StaticSite(site) if site.build.is_none() => None,
        RecipeKind::StaticSite(site) => {
            let place = site
                .lock
                .as_deref()
                .and_then(Path::parent)
                .unwrap_or(&site.root);
            below(place).map(|place| (node(site.manager), place))
        }
        RecipeKind::NodeServer(server) => {
            let place = server
                .lock
                .as_deref()
                .and_then(Path::parent)
                .unwrap_or(&server.root);
            below(place).map(|place| (node(server.manager), place))
        }
        RecipeKind::Go(go) => below(&go.root).map(|place| ("gomod", place)),
        RecipeKind::Rust(rust) => below(&rust.root).map(|place| ("cargo", place)),
        RecipeKind::Dockerfile(_) => None,
    };
    all.extend(language);
    all
}
