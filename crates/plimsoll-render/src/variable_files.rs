//! The files of variables that services cannot start without: `env_file`. They hold values of one
//! machine, so none of them is in a repository.

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll_model::yaml::{Node, parse};

use crate::Input;

/// A file of variables, from the project's directory.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VariableFile {
    /// Its path, as it is written.
    pub(crate) path: String,
    /// Whether its template, with `.example` at the end, is there to begin with.
    pub(crate) has_template: bool,
}

impl VariableFile {
    /// The command that makes it where it is not there.
    pub(crate) fn command(&self) -> String {
        let path = &self.path;
        match self.has_template {
            true => format!("test -e {path} || cp {path}.example {path}"),
            false => format!("touch {path}"),
        }
    }
}

/// The files that the project's services name and do not call optional.
pub(crate) fn needed(input: &Input<'_>) -> BTreeSet<VariableFile> {
    let directory = &input.project.directory;
    input
        .project
        .files
        .iter()
        .filter_map(|file| parse(input.contents.get(file)?, file.as_path()).ok())
        .flatten()
        .flat_map(|document| named(&document))
        .map(|path| {
            let template = directory.join(format!("{path}.example"));
            VariableFile {
                has_template: input.contents.contains_key(&template),
                path,
            }
        })
        .collect()
}

/// The paths under `env_file` that stay within the project.
fn named(root: &Node) -> Vec<String> {
    let Some(services) = root.get("services").and_then(Node::as_map) else {
        return Vec::new();
    };
    let entries = services
        .iter()
        .filter_map(|(_, service)| service.get("env_file"));
    entries
        .flat_map(|entry| match entry.as_list() {
            Some(list) => list.iter().collect(),
            None => vec![entry],
        })
        .filter_map(|entry| match entry.get("path") {
            Some(path) => {
                let required = entry.get("required").and_then(Node::scalar_text);
                path.as_text()
                    .filter(|_| required.as_deref() != Some("false"))
            }
            None => entry.as_text(),
        })
        .map(|path| path.trim_start_matches("./").to_owned())
        .filter(|path| is_plain(path))
        .collect()
}

/// Whether a path can stand in a command as it is, and leads nowhere else.
fn is_plain(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    !path.is_empty()
        && path.chars().all(plain)
        && Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_must_be_there_are_found_in_every_form() {
        let text = "services:\n  a:\n    env_file: .env\n  b:\n    env_file: [./b.env, ../c.env, '${D}']\n  \
                    e:\n    env_file:\n      - path: e.env\n      - path: f.env\n        required: false\n";
        let documents = parse(text, Path::new("compose.yaml")).unwrap();
        assert_eq!(named(&documents[0]), [".env", "b.env", "e.env"]);
    }
}
