//! `pdm.lock`.

use std::collections::BTreeMap;

use toml::Value;

use super::document::{below, text, texts};
use super::markers::Markers;
use super::selection::{Edge, Locked, Source, closure};
use super::{File, Wanted};
use crate::python::PythonError;
use crate::python::pinned::normalised;

/// Selects the packages of the default group and of the wanted ones.
pub(super) fn select(
    lock: &File<'_>,
    manifest: &File<'_>,
    wanted: &Wanted<'_>,
    markers: &Markers,
) -> Result<Vec<Locked>, PythonError> {
    let document = lock.toml()?;
    let packages = document.get("package").and_then(Value::as_array);
    let packages: Vec<&Value> = packages.into_iter().flatten().collect();
    let grouped = packages
        .iter()
        .any(|package| package.get("groups").is_some());
    if grouped {
        let mut selected: BTreeMap<String, Locked> = BTreeMap::new();
        for package in packages {
            let groups = texts(package, "groups");
            let is_wanted = groups.iter().any(|group| {
                *group == "default"
                    || wanted
                        .groups
                        .iter()
                        .chain(wanted.extras)
                        .any(|one| one == group)
            });
            let holds = text(package, "marker").is_none_or(|marker| markers.hold(marker, &[]));
            if is_wanted
                && holds
                && let Some(locked) = locked(package)
            {
                selected.entry(locked.name.clone()).or_insert(locked);
            }
        }
        return Ok(selected.into_values().collect());
    }
    let mut merged: BTreeMap<(String, String), Locked> = BTreeMap::new();
    for package in packages.iter().filter_map(|package| locked(package)) {
        // With extras a package stands there once more, with what these need.
        match merged.get_mut(&(package.name.clone(), package.version.clone())) {
            Some(known) => known.edges.extend(package.edges),
            None => {
                merged.insert((package.name.clone(), package.version.clone()), package);
            }
        }
    }
    let merged: Vec<Locked> = merged.into_values().collect();
    let manifest_document = manifest.toml()?;
    let roots: Vec<Edge> = below(&manifest_document, &["project"])
        .map(|project| texts(project, "dependencies"))
        .unwrap_or_default()
        .into_iter()
        .map(Edge::parse)
        .collect();
    closure(&merged, &roots, wanted.extras, markers).map_err(|edge| {
        manifest.problem(
            manifest.line_of(&edge.name),
            format!(
                "`{}` is required here, but `{}` does not have it",
                edge.name,
                lock.path.display()
            ),
            "bring the lock file up to date: `pdm lock`",
        )
    })
}

fn locked(package: &Value) -> Option<Locked> {
    let own = |key: &str| text(package, key).map(str::to_string);
    let source = match (own("git"), own("url"), own("path")) {
        (Some(url), ..) => Source::Git {
            url,
            commit: own("revision").or_else(|| own("ref"))?,
            subdirectory: own("subdirectory"),
        },
        (_, Some(url), _) => Source::Address { url },
        (.., Some(path)) => Source::Directory { path },
        _ => Source::Index { url: None },
    };
    let files = package.get("files").and_then(Value::as_array);
    Some(Locked {
        name: normalised(text(package, "name")?),
        version: own("version").unwrap_or_default(),
        source,
        hashes: files
            .into_iter()
            .flatten()
            .filter_map(|file| Some(text(file, "hash")?.to_string()))
            .collect(),
        marker: own("marker"),
        edges: texts(package, "dependencies")
            .into_iter()
            .map(Edge::parse)
            .collect(),
    })
}
