//! Files of variables that code or a start command loads by their path: `load_dotenv("config/desk.env")`,
//! `DOTENV_CONFIG_PATH=config/desk.env`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};

use crate::memory::{FactKind, Facts};
use crate::places;
use crate::tree::Tree;

/// What stands before the path of such a file.
const LOADERS: &[&str] = &[
    "load_dotenv(",
    "dotenv_values(",
    "dotenv_path=",
    "DOTENV_CONFIG_PATH=",
    "dotenv_config_path=",
    "DOTENV_CONFIG_PATH: ",
    "dotenv.config(",
    "godotenv.Load(",
    "dotenvy::from_filename(",
    "--env-file=",
    "--env-file ",
];

/// Finds out whether a text has any of them: most have none, and need not be gone through line by line.
static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(LOADERS).ok());

/// The paths that a file loads, as written.
#[derive(Serialize, Deserialize)]
pub(crate) struct LoadedPaths(Vec<String>);

impl Facts for LoadedPaths {
    const KIND: FactKind = FactKind::LoadedPaths;

    fn read(_: &Path, _: Arc<Path>, text: String) -> Option<Self> {
        if SEARCH
            .as_ref()
            .is_some_and(|search| !search.is_match(&text))
        {
            return None;
        }
        let paths = text.lines().flat_map(paths);
        Some(Self(paths.map(str::to_owned).collect()))
    }
}

/// Files of the tree that are loaded by a path that is written out.
pub(super) fn loaded(tree: &Tree) -> BTreeSet<PathBuf> {
    let candidates: Vec<&Path> = tree
        .files()
        .iter()
        .map(|file| &*file.path)
        .filter(|path| !super::environment_file::documents(path))
        .filter(|path| holds_variables(path) && places::set_aside(path).is_none())
        .collect();
    let mut found = BTreeSet::new();
    // Most trees have none, and nothing is read for them.
    if candidates.is_empty() {
        return found;
    }
    for file in tree.files() {
        if !may_load(&file.path) || places::set_aside(&file.path).is_some() {
            continue;
        }
        let Some(LoadedPaths(paths)) = tree.facts(&file.path) else {
            continue;
        };
        let directory = file.path.parent().unwrap_or(Path::new(""));
        for path in &paths {
            // Seen from the file, or from where the program is started.
            let named = [directory, Path::new("")]
                .into_iter()
                .filter_map(|from| places::within(from, path))
                .find(|path| candidates.contains(&path.as_path()));
            found.extend(named);
        }
    }
    found
}

/// Whether a file holds variables, by its name. `.env` itself is a person's own.
fn holds_variables(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name != ".env" && (name.starts_with(".env") || name.ends_with(".env")))
}

fn may_load(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        let ends = [
            ".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".go", ".rs", ".sh", ".yaml", ".yml",
        ];
        name == "package.json"
            || name == "Procfile"
            || name.starts_with("Dockerfile")
            || ends.iter().any(|end| name.ends_with(end))
    })
}

/// The paths that a line loads.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    LOADERS.iter().filter_map(move |loader| {
        let (_, rest) = line.split_once(loader)?;
        // `dotenv.config({ path: "x" })`, `load_dotenv(dotenv_path="x")`.
        let quoted = rest.find(['"', '\'']).map(|start| &rest[start + 1..]);
        let plain = loader.ends_with(['=', ' ']) && !rest.starts_with(['"', '\'']);
        let path = match plain {
            true => rest,
            false => quoted?,
        };
        path.split(['"', '\'', ' ', ',']).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_files() {
        for (line, path) in [
            ("load_dotenv(\"config/desk.env\")", "config/desk.env"),
            ("load_dotenv(dotenv_path='a.env', override=True)", "a.env"),
            (
                "\"start\": \"DOTENV_CONFIG_PATH=./b.env node -r dotenv/config x.js\"",
                "./b.env",
            ),
            ("require('dotenv').config({ path: 'c.env' })", ""),
            ("dotenv.config({ path: 'c.env' })", "c.env"),
            ("node --env-file=d.env x.js", "d.env"),
        ] {
            assert_eq!(paths(line).next().unwrap_or_default(), path, "{line}");
        }
    }
}
