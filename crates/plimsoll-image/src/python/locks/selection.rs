//! Which packages of a lock file a service needs: what its requirements lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

use super::markers::Markers;
use crate::python::pinned::normalised;

/// A package of a lock file.
#[derive(Debug, Clone)]
pub(super) struct Locked {
    /// Its normalised name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from.
    pub source: Source,
    /// `sha256:…` of its files.
    pub hashes: Vec<String>,
    /// When it applies at all.
    pub marker: Option<String>,
    /// What it needs.
    pub edges: Vec<Edge>,
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// An index; `None`: the machine's own.
    Index {
        /// Its address.
        url: Option<String>,
    },
    /// A file at an address.
    Address {
        /// The address.
        url: String,
    },
    /// A commit of a repository.
    Git {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
        /// The directory in it.
        subdirectory: Option<String>,
    },
    /// A directory beside the lock file.
    Directory {
        /// Its path.
        path: String,
    },
}

/// A requirement of a project or of a package.
#[derive(Debug, Clone, Default)]
pub(super) struct Edge {
    /// The normalised name.
    pub name: String,
    /// What versions, in PEP 440's terms, where these can be told.
    pub versions: Option<String>,
    /// Extras of it.
    pub extras: Vec<String>,
    /// When it applies.
    pub marker: Option<String>,
    /// Only with one of these extras of whoever requires it; empty: always.
    pub only_with: Vec<String>,
}

impl Edge {
    /// Reads a requirement as packaging files write it: `redis[hiredis]>=4 ; python_version > "3"`.
    pub(super) fn parse(text: &str) -> Self {
        let (requirement, marker) = match text.split_once(';') {
            Some((requirement, marker)) => (requirement, Some(marker.trim().to_string())),
            None => (text, None),
        };
        let requirement = requirement.trim();
        let end = requirement
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(requirement.len());
        let (name, rest) = requirement.split_at(end);
        let (extras, rest) = match rest.trim_start().strip_prefix('[') {
            Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
            None => ("", rest),
        };
        let versions = rest.trim().trim_matches(['(', ')']).to_string();
        Self {
            name: normalised(name),
            versions: (!versions.is_empty() && !versions.starts_with('@')).then_some(versions),
            extras: extras
                .split(',')
                .map(normalised)
                .filter(|extra| !extra.is_empty())
                .collect(),
            marker,
            only_with: Vec::new(),
        }
    }

    /// Whether a version is one of those that are asked for.
    pub(super) fn admits(&self, version: &str) -> bool {
        let Some(versions) = &self.versions else {
            return true;
        };
        match (
            VersionSpecifiers::from_str(versions),
            Version::from_str(version),
        ) {
            (Ok(specifiers), Ok(version)) => specifiers.contains(&version),
            _ => true,
        }
    }
}

/// Everything that `roots` lead to, by name. A root that the lock file lacks is an error: the edge.
pub(super) fn closure(
    packages: &[Locked],
    roots: &[Edge],
    extras: &[String],
    markers: &Markers,
) -> Result<Vec<Locked>, Edge> {
    let mut by_name: BTreeMap<&str, Vec<&Locked>> = BTreeMap::new();
    for package in packages {
        by_name.entry(&package.name).or_default().push(package);
    }
    let choose = |edge: &Edge| -> Option<&Locked> {
        let mut candidates: Vec<&Locked> = by_name.get(edge.name.as_str())?.clone();
        let applies = |package: &&Locked| {
            package
                .marker
                .as_deref()
                .is_none_or(|marker| markers.hold(marker, &[]))
        };
        candidates.retain(applies);
        let fitting = candidates
            .iter()
            .find(|package| edge.admits(&package.version));
        fitting.or(candidates.first()).copied()
    };
    let mut selected: BTreeMap<&str, &Locked> = BTreeMap::new();
    let mut done: BTreeSet<(String, Vec<String>)> = BTreeSet::new();
    let mut waiting: Vec<(&Edge, bool, &[String])> =
        roots.iter().map(|edge| (edge, true, extras)).collect();
    while let Some((edge, is_root, with)) = waiting.pop() {
        let wanted =
            edge.only_with.is_empty() || edge.only_with.iter().any(|one| with.contains(one));
        let holds = edge
            .marker
            .as_deref()
            .is_none_or(|marker| markers.hold(marker, with));
        if !wanted || !holds {
            continue;
        }
        let Some(package) = choose(edge) else {
            // A package may be left out where no marker of it holds; a direct requirement may not.
            if is_root && !by_name.contains_key(edge.name.as_str()) {
                return Err(edge.clone());
            }
            continue;
        };
        selected.insert(&package.name, package);
        if done.insert((package.name.clone(), edge.extras.clone())) {
            let next = package.edges.iter();
            waiting.extend(next.map(|inner| (inner, false, edge.extras.as_slice())));
        }
    }
    Ok(selected.into_values().cloned().collect())
}
