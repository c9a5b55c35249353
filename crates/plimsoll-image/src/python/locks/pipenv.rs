//! `Pipfile.lock`.

use serde_json::Value;

use super::markers::Markers;
use super::selection::{Locked, Source};
use super::{File, Wanted};
use crate::python::PythonError;
use crate::python::pinned::normalised;

/// Selects the default section, and the other one for a wanted group.
pub(super) fn select(
    lock: &File<'_>,
    wanted: &Wanted<'_>,
    markers: &Markers,
) -> Result<Vec<Locked>, PythonError> {
    let document: Value = serde_json::from_str(&lock.text).map_err(|error| {
        lock.problem(
            u32::try_from(error.line()).unwrap_or(1).max(1),
            format!("this is no JSON: {error}"),
            "make the lock file anew: `pipenv lock`",
        )
    })?;
    let sources = document.pointer("/_meta/sources").and_then(Value::as_array);
    let index_of = |name: &str| {
        sources.into_iter().flatten().find_map(|source| {
            let known = source.get("name")?.as_str()? == name;
            known.then(|| Some(source.get("url")?.as_str()?.to_string()))?
        })
    };
    let Some(default) = document.get("default").and_then(Value::as_object) else {
        return Err(lock.problem(
            1,
            "this has no section `default`",
            "make the lock file anew: `pipenv lock`",
        ));
    };
    let develop = document
        .get("develop")
        .and_then(Value::as_object)
        .filter(|_| wanted.groups.iter().any(|group| group == "dev"));
    let others = develop
        .into_iter()
        .flatten()
        .filter(|(name, _)| !default.contains_key(*name));
    let mut selected: Vec<Locked> = default
        .iter()
        .chain(others)
        .filter_map(|(name, package)| {
            let own = |key: &str| Some(package.get(key)?.as_str()?.to_string());
            if own("markers").is_some_and(|marker| !markers.hold(&marker, &[])) {
                return None;
            }
            let source = match (own("git"), own("file"), own("path")) {
                (Some(url), ..) => Source::Git {
                    url,
                    commit: own("ref")?,
                    subdirectory: own("subdirectory"),
                },
                (_, Some(url), _) => Source::Address { url },
                (.., Some(path)) => Source::Directory { path },
                // What is called so is the machine's own index.
                _ => Source::Index {
                    url: own("index")
                        .filter(|name| name != "pypi")
                        .and_then(|name| index_of(&name)),
                },
            };
            let hashes = package.get("hashes").and_then(Value::as_array);
            Some(Locked {
                name: normalised(name),
                version: own("version")
                    .unwrap_or_default()
                    .trim_start_matches('=')
                    .to_string(),
                source,
                hashes: hashes
                    .into_iter()
                    .flatten()
                    .filter_map(|hash| Some(hash.as_str()?.to_string()))
                    .collect(),
                marker: None,
                edges: Vec::new(),
            })
        })
        .collect();
    selected.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(selected)
}
