//! Applications that only Nx knows how to build: their `project.json` lies beside no `package.json`, or beside one
//! without scripts, and what they depend on stands in the one of the whole workspace. They are not assembled, and it
//! is said so.

use std::path::Path;

use plimsoll_diag::{Diagnostic, Span};

use super::NodeFindings;
use crate::detection::Rejected;
use crate::document::Item;
use crate::places;
use crate::tree::Tree;

/// Targets that an application has, and a library has not.
const STARTING: &[&str] = &["serve", "start", "dev"];

/// Tells the applications of the workspaces of a tree.
pub(super) fn tell(tree: &Tree, findings: &mut NodeFindings) {
    let workspaces = tree.files().iter().filter(|file| {
        let called = file.path.file_name().is_some_and(|name| name == "nx.json");
        called && places::set_aside(&file.path).is_none()
    });
    for workspace in workspaces {
        let root = workspace.path.parent().unwrap_or(Path::new(""));
        let mut names = Vec::new();
        for file in tree.files().iter().filter(|file| {
            file.path.starts_with(root)
                && file
                    .path
                    .file_name()
                    .is_some_and(|name| name == "project.json")
        }) {
            if let Some(start) = started_by_nx(tree, &file.path) {
                findings.problems.push(start);
                continue;
            }
            let Some((name, builder)) = application(tree, &file.path) else {
                continue;
            };
            let manifest = file.path.with_file_name("package.json");
            let why = match tree.has_file(&manifest) {
                false => "has no `package.json` of its own",
                true => "its `package.json` has no script",
            };
            findings
                .rejected
                .retain(|rejected| *rejected.path != *manifest);
            findings.rejected.push(Rejected {
                path: file.path.clone(),
                looks_like: "Nx application".to_owned(),
                why: format!(
                    "{why}: {builder} builds it from that of the workspace, which Plimsoll does not do"
                ),
            });
            names.push(format!("`{name}`"));
        }
        if names.is_empty() {
            continue;
        }
        let what = format!(
            "only Nx knows how to build {} of this workspace, so that Plimsoll does not assemble {}",
            names.join(", "),
            if names.len() == 1 { "it" } else { "them" }
        );
        findings.problems.push(
            Diagnostic::warning(what)
                .at(Span::line(tree.shown(&workspace.path), 1))
                .hint("give each a `package.json` with its dependencies and a `start` script, or name its image in a Compose file"),
        );
    }
}

/// Tells a package whose `start` is Nx's own server for development: what it builds runs without it.
fn started_by_nx(tree: &Tree, path: &Path) -> Option<Diagnostic> {
    let manifest = path.parent()?.join("package.json");
    let package = Item::json(&manifest.as_path().into(), tree.source(&manifest)?)?;
    let start = package.get(&["scripts", "start"])?;
    let words: Vec<&str> = start.as_text()?.split_whitespace().collect();
    if !matches!(words.as_slice(), ["nx", ..] | ["npx", "nx", ..]) {
        return None;
    }
    let project = Item::json(&path.into(), tree.source(path)?)?;
    let option = |name: &str| project.text(&["targets", "build", "options", name]);
    let output = option("outputPath")?;
    let entry = Path::new(option("main").unwrap_or("main.ts")).file_stem()?;
    let what = "`start` runs Nx's server for development, which no image holds";
    Some(
        Diagnostic::warning(what)
            .at(start.place.in_file(tree.shown(&manifest)))
            .hint(format!(
                "start what `nx build` makes: `node {output}/{}.js`",
                entry.to_str()?
            )),
    )
}

/// The name of the application that a `project.json` describes, and what builds it.
fn application(tree: &Tree, path: &Path) -> Option<(String, String)> {
    let directory = path.parent()?;
    let name = directory.file_name()?.to_str()?;
    let tests = name.ends_with("-e2e");
    let manifest = directory.join("package.json");
    let is_a_package = tree.has_file(&manifest) && {
        let item = tree
            .source(&manifest)
            .and_then(|text| Item::json(&manifest.as_path().into(), text));
        item.is_none_or(|item| !item.entries(&["scripts"]).is_empty())
    };
    if tests || places::set_aside(path).is_some() || is_a_package {
        return None;
    }
    let item = Item::json(&path.into(), tree.source(path)?)?;
    let target = |name: &str| {
        let target = item
            .get(&["targets", name])
            .or_else(|| item.get(&["architect", name]))?;
        Some(target.text(&["executor"]).unwrap_or_default().to_owned())
    };
    let starts = STARTING.iter().any(|name| target(name).is_some());
    let stated = item.text(&["projectType"]);
    if stated == Some("library") || stated.is_none() && !starts {
        return None;
    }
    let builder = target("build").filter(|executor| !executor.is_empty());
    let builder = builder.map_or_else(|| "Nx".to_owned(), |executor| format!("`{executor}`"));
    Some((item.text(&["name"]).unwrap_or(name).to_owned(), builder))
}
