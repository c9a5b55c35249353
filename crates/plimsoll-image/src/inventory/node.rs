//! npm packages as their `package.json` tells them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NodePackage {
    pub name: String,
    pub version: String,
    pub licence: Option<String>,
    /// Names that it needs in production.
    pub needs: Vec<String>,
}

/// The package's directory when `path` is a package's own `package.json`:
/// `…/node_modules/@scope/name/package.json`. Others belong to a package's inside.
pub(super) fn root(path: &str) -> Option<&str> {
    let root = path.strip_suffix("/package.json")?;
    let (_, name) = root.rsplit_once("node_modules/")?;
    let parts = name.split('/').count();
    let whole = if name.starts_with('@') { 2 } else { 1 };
    (parts == whole && !name.is_empty()).then_some(root)
}

/// Directories of packages that may own `path`, the innermost first.
pub(super) fn roots_of(path: &str) -> impl Iterator<Item = &str> {
    const MARK: &str = "node_modules/";
    let mut starts: Vec<usize> = path
        .match_indices(MARK)
        .map(|(index, _)| index + MARK.len())
        .collect();
    starts.reverse();
    starts.into_iter().filter_map(move |start| {
        let mut end = start + path[start..].find('/')?;
        if path[start..].starts_with('@') {
            end += 1 + path[end + 1..].find('/')?;
        }
        Some(&path[..end])
    })
}

/// Reads a `package.json`; one without name or version is no package.
pub(super) fn package(bytes: &[u8]) -> Option<NodePackage> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let licence = text("license")
        .or_else(|| {
            let old = value.get("license")?.get("type")?.as_str()?;
            Some(old.to_owned())
        })
        .or_else(|| {
            let several = value.get("licenses")?.as_array()?.iter();
            let names: Vec<&str> = several
                .filter_map(|entry| entry.get("type")?.as_str())
                .collect();
            (!names.is_empty()).then(|| names.join(" OR "))
        });
    let needs = ["dependencies", "optionalDependencies"]
        .iter()
        .filter_map(|key| value.get(key)?.as_object())
        .flat_map(|map| map.keys().cloned())
        .collect();
    Some(NodePackage {
        name: text("name").filter(|name| !name.is_empty())?,
        version: text("version").filter(|version| !version.is_empty())?,
        licence,
        needs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_packages_own_file_counts() {
        assert_eq!(
            root("app/node_modules/a/package.json"),
            Some("app/node_modules/a")
        );
        assert_eq!(
            root("app/node_modules/@s/a/package.json"),
            Some("app/node_modules/@s/a")
        );
        assert_eq!(root("app/node_modules/a/dist/package.json"), None);
        assert_eq!(root("app/package.json"), None);
    }

    #[test]
    fn the_innermost_package_owns() {
        let roots: Vec<&str> = roots_of("app/node_modules/a/node_modules/@s/b/x/y.js").collect();
        assert_eq!(
            roots,
            ["app/node_modules/a/node_modules/@s/b", "app/node_modules/a"]
        );
    }

    #[test]
    fn licences_come_in_three_forms() {
        let of = |text: &str| package(text.as_bytes()).and_then(|package| package.licence);
        assert_eq!(
            of(r#"{"name":"a","version":"1","license":"MIT"}"#).as_deref(),
            Some("MIT")
        );
        assert_eq!(
            of(r#"{"name":"a","version":"1","license":{"type":"ISC"}}"#).as_deref(),
            Some("ISC")
        );
        assert_eq!(
            of(r#"{"name":"a","version":"1","licenses":[{"type":"MIT"},{"type":"X"}]}"#).as_deref(),
            Some("MIT OR X")
        );
        assert!(package(br#"{"type":"module"}"#).is_none());
    }
}
