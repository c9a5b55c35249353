//! `package-lock.json` as a plan: which packages lie where, and which tarball each of them is.
//!
//! Only plain lock files are read so: everything from the machine's registry, nothing linked,
//! bundled or behind its `package.json`. Any other is npm's to read.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::install::runs_on;
use crate::oci::Architecture;

/// A package to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockedPackage {
    /// Where it lies below the project: `node_modules/a/node_modules/b`.
    pub place: String,
    /// Where its tarball is.
    pub url: String,
    /// What the tarball's SHA-512 is.
    pub sha512: Vec<u8>,
    /// Files of it that are programs.
    pub programs: BTreeSet<String>,
}

/// The packages that a service needs to run, or `None` where npm has to find them.
pub(super) fn plan(
    lock: &str,
    manifest: &Value,
    registry: &str,
    architecture: Architecture,
) -> Option<Vec<LockedPackage>> {
    let lock: Value = serde_json::from_str(lock).ok()?;
    if !matches!(lock.get("lockfileVersion")?.as_u64()?, 2 | 3) {
        return None;
    }
    let entries = lock.get("packages")?.as_object()?;
    if !states_the_same(entries.get("")?, manifest) {
        return None;
    }
    let mut packages = Vec::new();
    for (place, entry) in entries.iter().filter(|(place, _)| !place.is_empty()) {
        let marked = |mark: &str| entry.get(mark).and_then(Value::as_bool) == Some(true);
        if !place.starts_with("node_modules/") || marked("link") || marked("extraneous") {
            return None;
        }
        if marked("dev") || !runs_on(entry, architecture) {
            continue;
        }
        if marked("inBundle") {
            return None;
        }
        packages.push(package(place, entry, registry.trim_end_matches('/'))?);
    }
    Some(packages)
}

/// Whether a lock file was made from this `package.json`.
fn states_the_same(root: &Value, manifest: &Value) -> bool {
    let empty = Map::new();
    [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ]
    .iter()
    .all(|table| {
        let read = |value: &Value| {
            let table = value.get(table).and_then(Value::as_object);
            table.unwrap_or(&empty).clone()
        };
        read(root) == read(manifest)
    }) && manifest.get("workspaces").is_none()
        && manifest.get("bundleDependencies").is_none()
        && manifest.get("bundledDependencies").is_none()
}

fn package(place: &str, entry: &Value, registry: &str) -> Option<LockedPackage> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let (_, own) = place.rsplit_once("node_modules/")?;
    let name = text("name").unwrap_or(own);
    let last = name.rsplit('/').next()?;
    let version = text("version")?;
    let url = match text("resolved") {
        Some(url) => url.to_string(),
        None => format!("{registry}/{name}/-/{last}-{version}.tgz"),
    };
    let is_here = url
        .strip_prefix(registry)
        .is_some_and(|rest| rest.starts_with('/'));
    let hash = text("integrity")?.strip_prefix("sha512-")?;
    let sha512 = STANDARD.decode(hash).ok().filter(|hash| hash.len() == 64)?;
    let programs = match entry.get("bin") {
        None => BTreeSet::new(),
        Some(Value::String(file)) => BTreeSet::from([plain(file)?]),
        Some(Value::Object(table)) => table
            .values()
            .map(|file| plain(file.as_str()?))
            .collect::<Option<_>>()?,
        Some(_) => return None,
    };
    is_here.then(|| LockedPackage {
        place: place.to_string(),
        url,
        sha512,
        programs,
    })
}

/// `./bin/a.js` → `bin/a.js`.
fn plain(file: &str) -> Option<String> {
    let file = file.strip_prefix("./").unwrap_or(file);
    let is_plain = file.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_plain.then(|| file.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "https://registry.example/npm/";

    fn integrity() -> String {
        format!("sha512-{}", STANDARD.encode([7; 64]))
    }

    fn lock(entry: &str) -> String {
        format!(
            r#"{{"lockfileVersion":3,"packages":{{"":{{"dependencies":{{"a":"^1"}}}},{entry}}}}}"#
        )
    }

    fn planned(lock: &str) -> Option<Vec<LockedPackage>> {
        let manifest = serde_json::json!({"dependencies": {"a": "^1"}});
        plan(lock, &manifest, REGISTRY, Architecture::Amd64)
    }

    #[test]
    fn packages_of_the_registry_become_a_plan() {
        let integrity = integrity();
        let lock = lock(&format!(
            r#""node_modules/@s/a":{{"version":"1.2.3","integrity":"{integrity}","bin":{{"a":"./bin/a.js"}}}},
            "node_modules/@s/a/node_modules/b":{{"version":"2.0.0","resolved":"https://registry.example/npm/b/-/b-2.0.0.tgz","integrity":"{integrity}"}},
            "node_modules/other":{{"version":"1.0.0","integrity":"{integrity}","cpu":["arm64"],"optional":true}},
            "node_modules/tool":{{"version":"1.0.0","dev":true}}"#
        ));
        let packages = planned(&lock).unwrap();
        let shown: Vec<(&str, &str)> = packages
            .iter()
            .map(|package| (package.place.as_str(), package.url.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "node_modules/@s/a",
                    "https://registry.example/npm/@s/a/-/a-1.2.3.tgz"
                ),
                (
                    "node_modules/@s/a/node_modules/b",
                    "https://registry.example/npm/b/-/b-2.0.0.tgz"
                ),
            ]
        );
        assert!(packages[0].programs.contains("bin/a.js"));
    }

    #[test]
    fn anything_unusual_is_left_to_npm() {
        let integrity = integrity();
        let own = format!(r#""version":"1.0.0","integrity":"{integrity}""#);
        assert!(planned(&lock(&format!(r#""node_modules/a":{{{own}}}"#))).is_some());
        for entry in [
            format!(r#""node_modules/a":{{{own},"resolved":"https://other.example/a.tgz"}}"#),
            format!(
                r#""node_modules/a":{{{own},"resolved":"https://registry.example/npmx/a.tgz"}}"#
            ),
            format!(r#""node_modules/a":{{{own},"inBundle":true}}"#),
            format!(r#""node_modules/a":{{{own},"link":true}}"#),
            format!(r#""packages/a":{{{own}}}"#),
            format!(r#""node_modules/a":{{{own},"bin":"../a.js"}}"#),
            r#""node_modules/a":{"version":"1.0.0","integrity":"sha1-aa"}"#.to_string(),
            r#""node_modules/a":{"version":"1.0.0"}"#.to_string(),
        ] {
            assert_eq!(planned(&lock(&entry)), None, "{entry}");
        }
        let behind = serde_json::json!({"dependencies": {"a": "^2"}});
        let text = lock(&format!(r#""node_modules/a":{{{own}}}"#));
        assert_eq!(plan(&text, &behind, REGISTRY, Architecture::Amd64), None);
    }
}
