//! `poetry.lock`, of every version.

use toml::{Table, Value};

use super::document::{below, text, texts};
use super::markers::Markers;
use super::selection::{Edge, Locked, Source, closure};
use super::{File, Wanted};
use crate::python::PythonError;
use crate::python::pinned::normalised;

/// Selects the packages of the project's own requirements, its wanted groups and extras.
pub(super) fn select(
    lock: &File<'_>,
    manifest: &File<'_>,
    wanted: &Wanted<'_>,
    markers: &Markers,
) -> Result<Vec<Locked>, PythonError> {
    let document = lock.toml()?;
    let packages: Vec<Locked> = document
        .get("package")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|package| locked(package, &document))
        .collect();
    let roots = roots(&manifest.toml()?, wanted);
    closure(&packages, &roots, wanted.extras, markers).map_err(|edge| {
        manifest.problem(
            manifest.line_of(&edge.name),
            format!(
                "`{}` is required here, but `{}` does not have it",
                edge.name,
                lock.path.display()
            ),
            "bring the lock file up to date: `poetry lock`",
        )
    })
}

fn locked(package: &Value, document: &Table) -> Option<Locked> {
    let name = text(package, "name")?;
    let apart = below(document, &["metadata", "files", name]);
    let files = package.get("files").or(apart);
    let hashes = files.and_then(Value::as_array).into_iter().flatten();
    let hashes = hashes
        .filter_map(|file| Some(text(file, "hash")?.to_string()))
        .collect();
    let extras = package.get("extras").and_then(Value::as_table);
    let mut edges = Vec::new();
    for (dependency, value) in package
        .get("dependencies")
        .and_then(Value::as_table)
        .into_iter()
        .flatten()
    {
        let dependency = normalised(dependency);
        let only_with: Vec<String> = extras
            .into_iter()
            .flatten()
            .filter(|(_, list)| {
                let list = list.as_array().into_iter().flatten();
                list.filter_map(Value::as_str)
                    .any(|one| Edge::parse(one).name == dependency)
            })
            .map(|(extra, _)| normalised(extra))
            .collect();
        edges.extend(edges_of(&dependency, value, &only_with));
    }
    Some(Locked {
        name: normalised(name),
        version: text(package, "version")?.to_string(),
        source: source(package.get("source")),
        hashes,
        marker: text(package, "markers").map(str::to_string),
        edges,
    })
}

/// A dependency is a version, a table, or a list of these for several platforms.
fn edges_of(name: &str, value: &Value, only_with: &[String]) -> Vec<Edge> {
    let one = |value: &Value| {
        let optional = value.get("optional").and_then(Value::as_bool) == Some(true);
        Edge {
            name: name.to_string(),
            versions: value
                .as_str()
                .or_else(|| text(value, "version"))
                .filter(|version| *version != "*")
                .map(str::to_string),
            extras: texts(value, "extras").into_iter().map(normalised).collect(),
            marker: text(value, "markers").map(str::to_string),
            only_with: match (optional, only_with.is_empty()) {
                (true, true) => vec!["\0".to_string()],
                (true, false) => only_with.to_vec(),
                _ => Vec::new(),
            },
        }
    };
    match value.as_array() {
        Some(list) => list.iter().map(one).collect(),
        None => vec![one(value)],
    }
}

fn source(source: Option<&Value>) -> Source {
    let kind = source.and_then(|source| text(source, "type"));
    let address = |source: &Value| text(source, "url").unwrap_or_default().to_string();
    match (kind, source) {
        (Some("legacy"), Some(source)) => Source::Index {
            url: Some(address(source)),
        },
        (Some("git"), Some(source)) => Source::Git {
            url: address(source),
            commit: text(source, "resolved_reference")
                .or_else(|| text(source, "reference"))
                .unwrap_or_default()
                .to_string(),
            subdirectory: text(source, "subdirectory").map(str::to_string),
        },
        (Some("url"), Some(source)) => Source::Address {
            url: address(source),
        },
        (Some("directory" | "file"), Some(source)) => Source::Directory {
            path: address(source),
        },
        _ => Source::Index { url: None },
    }
}

/// What the manifest requires: as every project states it, and as only Poetry's do.
fn roots(manifest: &Table, wanted: &Wanted<'_>) -> Vec<Edge> {
    let mut roots = Vec::new();
    let project = below(manifest, &["project"]);
    if let Some(project) = project {
        roots.extend(texts(project, "dependencies").into_iter().map(Edge::parse));
        let optional = project
            .get("optional-dependencies")
            .and_then(Value::as_table);
        for (extra, list) in optional.into_iter().flatten() {
            let list = list.as_array().into_iter().flatten();
            roots.extend(list.filter_map(Value::as_str).map(|one| Edge {
                only_with: vec![normalised(extra)],
                ..Edge::parse(one)
            }));
        }
    }
    let Some(poetry) = below(manifest, &["tool", "poetry"]) else {
        return roots;
    };
    let extras = poetry.get("extras").and_then(Value::as_table);
    let tables = [poetry.get("dependencies")]
        .into_iter()
        .chain(wanted.groups.iter().map(|group| {
            poetry
                .get("group")
                .and_then(|groups| groups.get(group)?.get("dependencies"))
        }))
        .flatten()
        .filter_map(Value::as_table);
    for (name, value) in tables.flatten() {
        let name = normalised(name);
        if name == "python" {
            continue;
        }
        let only_with: Vec<String> = extras
            .into_iter()
            .flatten()
            .filter(|(_, list)| {
                let list = list.as_array().into_iter().flatten();
                list.filter_map(Value::as_str)
                    .any(|one| normalised(one) == name)
            })
            .map(|(extra, _)| normalised(extra))
            .collect();
        // Versions are in Poetry's own terms here.
        roots.extend(
            edges_of(&name, value, &only_with)
                .into_iter()
                .map(|edge| Edge {
                    versions: None,
                    ..edge
                }),
        );
    }
    roots
}
