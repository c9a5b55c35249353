//! Where a Python project states what it is developed and tested with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Names that groups and extras for development go by.
const NAMES: [&str; 8] = [
    "dev",
    "develop",
    "development",
    "dev-dependencies",
    "packages-dev",
    "test",
    "tests",
    "testing",
];

/// Requirements files for development, beside one for production.
const FILES: [&str; 10] = [
    "requirements-dev.txt",
    "dev-requirements.txt",
    "requirements_dev.txt",
    "requirements.dev.txt",
    "requirements-test.txt",
    "test-requirements.txt",
    "requirements_test.txt",
    "requirements-tests.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
];

/// What a `pyproject.toml` or `Pipfile` states for development.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stated {
    /// Groups, by the names their manager knows.
    pub groups: Vec<String>,
    /// Extras of the project.
    pub extras: Vec<String>,
}

/// Reads a manifest. One that cannot be read states nothing: the build tells what is wrong with it.
pub(super) fn stated(manifest: &str) -> Stated {
    let document: Table = manifest.parse().unwrap_or_default();
    let at = |path: &[&str]| -> Option<&Table> {
        let mut table = &document;
        for part in path {
            table = table.get(*part)?.as_table()?;
        }
        Some(table)
    };
    let mut groups = BTreeSet::new();
    for path in [
        &["dependency-groups"][..],
        &["tool", "poetry", "group"],
        &["tool", "pdm", "dev-dependencies"],
    ] {
        groups.extend(wanted(at(path)));
    }
    let tables = [
        (&["tool", "poetry"][..], "dev-dependencies"),
        (&["tool", "uv"], "dev-dependencies"),
        (&[], "dev-packages"),
    ];
    for (path, key) in tables {
        if at(path).is_some_and(|table| table.contains_key(key)) {
            groups.insert("dev".to_owned());
        }
    }
    Stated {
        groups: groups.into_iter().collect(),
        extras: wanted(at(&["project", "optional-dependencies"])),
    }
}

fn wanted(table: Option<&Table>) -> Vec<String> {
    let keys = table.into_iter().flat_map(Table::iter);
    keys.filter(|(_, value)| matches!(value, Value::Array(_) | Value::Table(_)))
        .map(|(name, _)| name.clone())
        .filter(|name| NAMES.contains(&name.to_ascii_lowercase().as_str()))
        .collect()
}

/// Requirements files for development beside those that are used.
pub(super) fn files(context: &Path, used: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for file in used {
        let directory = file.parent().unwrap_or(Path::new(""));
        let mut candidates: Vec<PathBuf> = FILES.iter().map(|name| directory.join(name)).collect();
        if directory.ends_with("requirements") {
            candidates
                .extend(["dev.txt", "test.txt", "tests.txt"].map(|name| directory.join(name)));
        }
        for candidate in candidates {
            let is_new = !used.contains(&candidate) && !found.contains(&candidate);
            if is_new && context.join(&candidate).is_file() {
                found.push(candidate);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_managers_way_to_state_them_is_read() {
        let text = "[dependency-groups]\ndev = ['pytest']\ndocs = ['sphinx']\n\
            [tool.poetry.group.test.dependencies]\npytest = '*'\n\
            [project.optional-dependencies]\ntests = ['x']\nredis = ['y']\n";
        assert_eq!(
            stated(text),
            Stated {
                groups: vec!["dev".to_owned(), "test".to_owned()],
                extras: vec!["tests".to_owned()],
            }
        );
        assert_eq!(stated("[dev-packages]\npytest = '*'\n").groups, ["dev"]);
        assert_eq!(stated("not toml"), Stated::default());
    }

    #[test]
    fn files_beside_the_one_that_is_used_are_found_once() {
        let root = tempfile::tempdir().unwrap();
        for name in ["requirements.txt", "requirements-dev.txt", "other.txt"] {
            fs_err::write(root.path().join(name), "").unwrap();
        }
        let used = ["requirements.txt", "other.txt"].map(PathBuf::from);
        assert_eq!(
            files(root.path(), &used),
            [PathBuf::from("requirements-dev.txt")]
        );
    }
}
