//! Values that a program's own configuration file holds, for settings that have no default in code.

use std::path::Path;
use std::sync::Arc;

use plimsoll_model::yaml;

use crate::document::Item;
use crate::python::evaluate::Constant;
use crate::python::workspace::Workspace;

/// Names of configuration files, without their extension.
const NAMES: &[&str] = &["settings", "config", "conf", "application"];

/// What the configuration files near the file at `path` say under a path of keys.
pub(crate) fn configured(
    workspace: &Workspace<'_>,
    path: &Path,
    keys: &[&str],
) -> Option<Constant> {
    let project = workspace
        .project_of(path)
        .map(|project| project.directory.as_path());
    let beside = path.parent();
    let mut directories: Vec<&Path> = beside.into_iter().chain(project).collect();
    directories.push(Path::new(""));
    directories.dedup();
    directories.into_iter().find_map(|directory| {
        ["", "config", "conf"].into_iter().find_map(|below| {
            NAMES.iter().find_map(|name| {
                ["yaml", "yml", "toml"].into_iter().find_map(|extension| {
                    let file = directory.join(below).join(format!("{name}.{extension}"));
                    value(workspace, &file, keys).map(|text| constant(&text))
                })
            })
        })
    })
}

/// The text of the scalar under a path of keys of one file.
fn value(workspace: &Workspace<'_>, file: &Path, keys: &[&str]) -> Option<String> {
    if !workspace.tree.has_file(file) {
        return None;
    }
    let text = workspace.tree.source(file)?;
    if file
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return Item::toml(&text).ok()?.get(keys)?.scalar_text();
    }
    let shown: Arc<Path> = workspace.tree.shown(file);
    let documents = yaml::parse(&text, shown).ok()?;
    documents
        .iter()
        .find_map(|document| document.find(keys)?.scalar_text())
}

/// `${NAME:fallback}` and `${NAME:-fallback}` as what they come to, anything else as it is.
fn constant(text: &str) -> Constant {
    let inside = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    let Some(inside) = inside else {
        return Constant::of(text);
    };
    let (names, fallback) = match inside.split_once(':') {
        Some((names, fallback)) => (names, Some(fallback.trim_start_matches('-'))),
        None => (inside, None),
    };
    Constant {
        text: fallback
            .filter(|fallback| !fallback.is_empty())
            .map(str::to_owned),
        variable: names.split(',').next().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_for_variables_are_understood() {
        for (text, wanted, variable) in [
            ("8080", Some("8080"), None),
            ("${PORT:8080}", Some("8080"), Some("PORT")),
            ("${PORT:-8080}", Some("8080"), Some("PORT")),
            ("${A,B:x}", Some("x"), Some("A")),
            ("${PORT}", None, Some("PORT")),
        ] {
            let constant = constant(text);
            assert_eq!(constant.text.as_deref(), wanted, "{text}");
            assert_eq!(constant.variable.as_deref(), variable, "{text}");
        }
    }
}
