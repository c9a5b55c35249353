//! Renders a directory as the program does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_model::compose::{self, LoadOptions};
use plimsoll_render::{ClusterOptions, Input, Rendering, Stage, Target, render as render_targets};

/// Where the golden trees are.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Renders the Compose file of a directory.
pub fn render(directory: &Path, targets: &[Target]) -> Rendering {
    let options = LoadOptions {
        directory: directory.to_owned(),
        ..LoadOptions::default()
    };
    let loaded = compose::load(&options).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let images = BTreeMap::new();
    let contents = BTreeMap::new();
    let input = Input {
        project: &loaded.project,
        extensions: &loaded.extensions,
        model: Some(&loaded.resolved.model),
        stage: Stage::Production,
        registry: Some("registry.example.com/acme"),
        images: &images,
        contents: &contents,
        cluster: ClusterOptions::default(),
    };
    render_targets(&input, targets).unwrap()
}
