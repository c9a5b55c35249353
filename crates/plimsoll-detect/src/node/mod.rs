//! JavaScript and TypeScript: what a `package.json` makes of its directory.

mod aliases;
mod bots;
mod clients;
mod component;
mod demands;
mod endless;
mod environment;
mod exports;
mod facts;
mod files;
mod framework;
mod generators;
mod insisting;
mod keys;
mod langgraph;
mod listening;
pub(crate) mod locations;
mod manifest;
mod names;
mod nest;
mod numbers;
mod nx;
mod one_of;
mod passing;
mod program_recipe;
mod public;
mod schema;
mod script;
mod server;
mod shelf;
mod site;
mod sources;
mod start;
mod startup;
mod svelte;
mod tables;
#[cfg(test)]
mod tests;
mod through;
mod vite;
mod watching;
mod workspace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Evidence, Span};
use plimsoll_model::NodeManager;

use crate::claims::NodeImage;
use crate::detection::{DetectedService, Rejected, ServiceKind};
use crate::found::Found;
use crate::places;
use crate::tree::Tree;

pub(crate) use facts::FileFacts;
pub(crate) use manifest::Package;
pub(crate) use names::Names;
pub(crate) use public::is_public;
pub(crate) use script::Line as StartLine;
use shelf::Shelf;
pub(crate) use site::{is_local, settle};
pub(crate) use sources::Sources;

/// What the packages of a tree hold.
#[derive(Debug, Default)]
pub(crate) struct NodeFindings {
    pub(crate) found: Vec<Found>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// What the images start that are made in a directory.
pub(crate) type Images<'i> = &'i dyn Fn(&Path) -> Vec<NodeImage>;

/// Finds the services that the packages of a tree make. `images` tells what Dockerfiles start.
pub(crate) fn find(tree: &Tree, images: Images<'_>) -> NodeFindings {
    let mut findings = NodeFindings::default();
    let manifests: Vec<Arc<Path>> = tree
        .files()
        .iter()
        .filter(|file| {
            file.path
                .file_name()
                .is_some_and(|name| name == "package.json")
        })
        .map(|file| file.path.clone())
        .collect();
    let directories: Vec<PathBuf> = manifests
        .iter()
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect();
    let packages: Vec<Package> = manifests
        .iter()
        .filter_map(|path| Package::read(tree, path))
        .collect();
    let own: BTreeSet<String> = packages
        .iter()
        .filter_map(|package| package.name.clone())
        .collect();
    let shelf = Shelf::new(tree, &packages, &directories);
    for package in &packages {
        let path = &package.path;
        if places::set_aside(path).is_none() {
            let told = crate::locks::chosen_of_node(tree, package);
            findings.problems.extend(told);
            let told = crate::locks::review_node(tree, package, &own);
            findings.problems.extend(told);
        }
        let Some((looks_like, verdicts)) = services(&shelf, package, images) else {
            continue;
        };
        for verdict in verdicts {
            let why = match (places::set_aside(path), verdict) {
                (Some(why), _) => why.to_owned(),
                (None, Ok(found)) => {
                    findings.found.push(*found);
                    continue;
                }
                (None, Err(why)) => why,
            };
            findings.rejected.push(Rejected {
                path: path.clone(),
                looks_like: looks_like.clone(),
                why,
            });
        }
    }
    nx::find(&shelf, &packages, &mut findings);
    findings
}

type Verdict = Result<Box<Found>, String>;

fn services(
    shelf: &Shelf<'_>,
    package: &Package,
    images: Images<'_>,
) -> Option<(String, Vec<Verdict>)> {
    let tree = shelf.tree;
    if let Some(bundler) = site::bundler(tree, package) {
        let sources = Sources::read(tree, &package.directory, &shelf.nested(package));
        let looks_like = format!("{} application", bundler.name);
        let aside = generators::Generator::of(package)
            .and_then(|generator| generator.set_aside(tree, package));
        if let Some(why) = aside {
            return Some((looks_like, vec![Err(why.to_owned())]));
        }
        // One package may hold a server and the pages that it hands out.
        if let Some((server, hands_out)) =
            server::beside_pages(shelf, package, &images(&package.directory))
        {
            let mut verdicts = Vec::new();
            if !hands_out {
                let mut sources = sources;
                // What only the server's files read is not the pages'.
                sources.variables.retain(|variable| {
                    let mut files = server.service.files.iter();
                    is_public(&variable.name)
                        || !files.any(|file| tree.shown(file) == variable.span.file)
                });
                verdicts.push(site::site(tree, package, &bundler, sources));
            }
            verdicts.insert(0, Ok(Box::new(server)));
            return Some((looks_like, verdicts));
        }
        let verdict = site::site(tree, package, &bundler, sources);
        return Some((looks_like, vec![verdict]));
    }
    server::services(shelf, package, &images(&package.directory))
}

/// `relative` below the tree's root, without a trailing slash for the root itself.
pub(crate) fn absolute(tree: &Tree, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() {
        tree.root().to_owned()
    } else {
        tree.root().join(relative)
    }
}

fn blank(
    package: &Package,
    tree: &Tree,
    kind: ServiceKind,
    framework: &str,
    defined_at: Span,
    why: String,
) -> Found {
    let file = package
        .lock
        .clone()
        .unwrap_or_else(|| package.path.to_path_buf());
    Found {
        says_port: false,
        over_http: None,
        service: DetectedService {
            name: String::new(),
            kind,
            language: if tree.has_file(&package.directory.join("tsconfig.json")) {
                "typescript".into()
            } else {
                "javascript".into()
            },
            framework: Some(framework.to_owned()),
            version: None,
            built_with: Vec::new(),
            language_version: package.node.clone(),
            manager: package.manager.map(|manager| match manager {
                NodeManager::Npm => "npm".to_owned(),
                NodeManager::Pnpm => "pnpm".to_owned(),
                NodeManager::Yarn => "yarn".to_owned(),
                NodeManager::Bun => "bun".to_owned(),
            }),
            dependencies_from: Some(file),
            root: package.directory.clone(),
            command: Vec::new(),
            working_dir: PathBuf::from(crate::python::IMAGE_ROOT),
            ports: Vec::new(),
            development_port: None,
            environment_files: Vec::new(),
            assumes_port: false,
            health: None,
            metrics: None,
            stream: None,
            replicas_max: None,
            writes: Vec::new(),
            packages: Vec::new(),
            needs: Vec::new(),
            shares_with: None,
            evidence: vec![Evidence::new(defined_at.clone(), why)],
            defined_at,
            recipe: None,
            trial: None,
            files: vec![package.path.clone()],
            routes: Vec::new(),
            target: package.name.clone().unwrap_or_default(),
        },
        variables: Vec::new(),
        needs: Vec::new(),
        problems: Vec::new(),
    }
}
