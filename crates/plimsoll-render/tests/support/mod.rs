//! Renders a directory as the program does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_detect::Tree;
use plimsoll_model::Project;
use plimsoll_model::compose::{self, LoadOptions};
use plimsoll_model::extension::Extensions;
use plimsoll_model::yaml::Node;
use plimsoll_render::{ClusterOptions, Input, Rendering, Stage, Target, render as render_targets};

/// Where the golden trees are.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A project as renderers see it.
pub struct Loaded {
    project: Project,
    extensions: Extensions,
    model: Option<Node>,
    contents: BTreeMap<PathBuf, String>,
}

/// Loads a directory: its Compose file, and what its source tells.
pub fn load(directory: &Path) -> Loaded {
    let contents = texts(directory);
    if compose::discover(directory).is_some() {
        let options = LoadOptions {
            directory: directory.to_owned(),
            ..LoadOptions::default()
        };
        let mut loaded = compose::load(&options).unwrap_or_else(|problems| panic!("{problems:#?}"));
        plimsoll_detect::complete(&mut loaded.project).unwrap();
        return Loaded {
            project: loaded.project,
            extensions: loaded.extensions,
            model: Some(loaded.resolved.model),
            contents,
        };
    }
    // Its name is its case's: the directory is called `in` everywhere.
    let name = directory.parent().unwrap().file_name().unwrap();
    let password = |service: &str| match service.contains(|c: char| c.is_ascii_lowercase()) {
        true => format!(
            "${{{}_PASSWORD}}",
            service.to_ascii_uppercase().replace('-', "_")
        ),
        false => format!("${{{service}}}"),
    };
    let (project, _) = plimsoll_detect::detect(&Tree::read(directory).unwrap()).into_project(
        name.to_str().unwrap(),
        directory,
        &password,
    );
    Loaded {
        project,
        extensions: Extensions::default(),
        model: None,
        contents,
    }
}

/// Renders what was loaded.
pub fn render_loaded(loaded: &Loaded, targets: &[Target]) -> Rendering {
    let images = BTreeMap::new();
    let input = Input {
        project: &loaded.project,
        extensions: &loaded.extensions,
        model: loaded.model.as_ref(),
        stage: Stage::Production,
        registry: Some("registry.example.com/acme"),
        images: &images,
        contents: &loaded.contents,
        cluster: ClusterOptions::default(),
    };
    render_targets(&input, targets).unwrap()
}

/// Loads and renders a directory.
pub fn render(directory: &Path, targets: &[Target]) -> Rendering {
    render_loaded(&load(directory), targets)
}

/// The files of a directory, which are small and text here.
fn texts(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut texts = BTreeMap::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs_err::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let text = fs_err::read_to_string(&path).unwrap();
                texts.insert(path, text);
            }
        }
    }
    texts
}
