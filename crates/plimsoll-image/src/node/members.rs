//! The packages of a workspace: which of them a service is made of.

use std::collections::{BTreeMap, BTreeSet};

use fs_err as fs;
use serde_json::Value;

use crate::application::Application;

/// A package of a workspace.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Its directory below the context; empty for the context itself.
    pub directory: String,
    pub manifest: Value,
}

/// All packages of a context.
#[derive(Debug, Default)]
pub(super) struct Members {
    by_directory: BTreeMap<String, Member>,
}

impl Members {
    /// Reads every `package.json` of a context. One that is not JSON is none of ours.
    pub(super) fn read(sources: &Application) -> Self {
        let mut by_directory = BTreeMap::new();
        for file in sources.files() {
            let directory = match file.path.as_str() {
                "package.json" => "",
                path => match path.strip_suffix("/package.json") {
                    Some(directory) => directory,
                    None => continue,
                },
            };
            let manifest = fs::read_to_string(sources.place(file))
                .ok()
                .and_then(|text| serde_json::from_str(text.trim_start_matches('\u{feff}')).ok());
            if let Some(manifest) = manifest {
                let member = Member {
                    directory: directory.to_string(),
                    manifest,
                };
                by_directory.insert(directory.to_string(), member);
            }
        }
        Self { by_directory }
    }

    /// The package in a directory.
    pub(super) fn at(&self, directory: &str) -> Option<&Member> {
        self.by_directory.get(directory)
    }

    /// The service's package last, and before each package those of the same workspace that it
    /// depends on, to run or to be built.
    pub(super) fn closure(&self, root: &str) -> Vec<&Member> {
        let by_name: BTreeMap<&str, &Member> = self
            .by_directory
            .values()
            .filter_map(|member| Some((member.manifest.get("name")?.as_str()?, member)))
            .collect();
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        if let Some(service) = self.at(root) {
            visit(service, &by_name, &mut seen, &mut order);
        }
        order
    }

    /// The directory of the package that a file of the context belongs to.
    pub(super) fn owned_by(&self, path: &str) -> Option<&str> {
        self.by_directory
            .keys()
            .filter(|directory| is_below(path, directory))
            .max_by_key(|directory| directory.len())
            .map(String::as_str)
    }

    /// Whether a file of the context belongs to one of these packages rather than to another one.
    pub(super) fn owns(&self, closure: &[&Member], path: &str) -> bool {
        let owner = self.owned_by(path);
        owner.is_some_and(|owner| closure.iter().any(|member| member.directory == owner))
    }

    /// Whether a file of the context is nobody's or the whole workspace's: a shared configuration.
    pub(super) fn belongs_to_nobody(&self, path: &str) -> bool {
        self.owned_by(path).is_none_or(str::is_empty)
    }
}

/// Whether a path is in a directory.
pub(super) fn is_below(path: &str, directory: &str) -> bool {
    directory.is_empty()
        || path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn visit<'m>(
    member: &'m Member,
    by_name: &BTreeMap<&str, &'m Member>,
    seen: &mut BTreeSet<&'m str>,
    order: &mut Vec<&'m Member>,
) {
    if !seen.insert(&member.directory) {
        return;
    }
    for name in names(&member.manifest) {
        if let Some(other) = by_name.get(name) {
            visit(other, by_name, seen, order);
        }
    }
    order.push(member);
}

/// Tables of a `package.json` that name what the package needs, to run and to be built.
const TABLES: &[&str] = &[
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    "devDependencies",
];

/// Names of the packages that a `package.json` depends on, to run and to be built.
pub(super) fn names(manifest: &Value) -> impl Iterator<Item = &str> {
    TABLES
        .iter()
        .filter_map(|table| manifest.get(table)?.as_object())
        .flat_map(|table| table.keys().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(all: &[(&str, &str)]) -> Members {
        let by_directory = all
            .iter()
            .map(|(directory, text)| {
                let member = Member {
                    directory: directory.to_string(),
                    manifest: serde_json::from_str(text).unwrap(),
                };
                (directory.to_string(), member)
            })
            .collect();
        Members { by_directory }
    }

    #[test]
    fn a_service_is_made_of_its_own_package_and_those_it_depends_on() {
        let members = members(&[
            ("", r#"{"name":"all"}"#),
            ("apps/api", r#"{"name":"api","dependencies":{"core":"*"}}"#),
            ("apps/web", r#"{"name":"web","dependencies":{"ui":"*"}}"#),
            (
                "packages/core",
                r#"{"name":"core","devDependencies":{"config":"*"},"dependencies":{"api":"*"}}"#,
            ),
            ("packages/config", r#"{"name":"config"}"#),
            ("packages/ui", r#"{"name":"ui"}"#),
        ]);
        let closure = members.closure("apps/api");
        let places: Vec<&str> = closure.iter().map(|m| m.directory.as_str()).collect();
        assert_eq!(places, ["packages/config", "packages/core", "apps/api"]);
        assert!(members.owns(&closure, "packages/core/src/a.ts"));
        assert!(!members.owns(&closure, "packages/ui/src/a.ts"));
        assert!(!members.owns(&closure, "apps/apiary.txt"));
    }
}
