//! A directory of pages that nothing builds: it is served as it is.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Evidence, Span};
use plimsoll_model::{BuildRecipe, NodeManager, RecipeKind, StaticSiteRecipe};

use super::STATIC_PORT;
use crate::detection::{DetectedService, Health, Route, ServiceKind};
use crate::tree::Tree;

/// Manifests of what has to be built, or run, before there is anything to serve.
const MANIFESTS: &[&str] = &[
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "go.mod",
    "Cargo.toml",
];

/// What serves the pages of a directory, where it has some and no program.
pub(super) fn of(tree: &Tree, directory: &Path) -> Option<DetectedService> {
    let page = directory.join("index.html");
    let has_program = MANIFESTS
        .iter()
        .any(|name| tree.has_file(&directory.join(name)));
    if has_program || !tree.has_file(&page) {
        return None;
    }
    let defined_at = Span::line(tree.shown(&page), 1);
    let working_dir = PathBuf::from(crate::python::IMAGE_ROOT);
    Some(DetectedService {
        name: String::new(),
        kind: ServiceKind::Ui,
        language: "html".into(),
        framework: None,
        version: None,
        built_with: Vec::new(),
        language_version: None,
        manager: None,
        dependencies_from: None,
        root: directory.to_owned(),
        command: Vec::new(),
        working_dir: working_dir.clone(),
        ports: vec![STATIC_PORT],
        development_port: None,
        environment_files: Vec::new(),
        assumes_port: false,
        health: Some(Health::Http(Route {
            path: "/".to_owned(),
            port: STATIC_PORT,
            span: None,
        })),
        metrics: None,
        stream: None,
        replicas_max: None,
        writes: Vec::new(),
        packages: Vec::new(),
        needs: Vec::new(),
        shares_with: None,
        evidence: vec![Evidence::new(
            defined_at.clone(),
            "is a page, and nothing builds or runs it",
        )],
        defined_at,
        recipe: Some(BuildRecipe {
            context: crate::node::absolute(tree, directory),
            kind: RecipeKind::StaticSite(StaticSiteRecipe {
                root: PathBuf::from("."),
                manager: NodeManager::Npm,
                lock: None,
                build: None,
                output: PathBuf::from("."),
                build_environment: Vec::new(),
                proxies: Vec::new(),
            }),
            system_packages: Vec::new(),
            environment: Vec::new(),
            command: Vec::new(),
            working_dir,
            ports: vec![STATIC_PORT],
            pages: Vec::new(),
        }),
        trial: None,
        files: Vec::new(),
        routes: Vec::new(),
        target: String::new(),
    })
}
