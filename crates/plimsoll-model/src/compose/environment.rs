//! What `env_file` and `label_file` bring into a service.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_diag::{Diagnostic, Diagnostics, Span};

use super::files::shown;
use super::interpolate::Variables;
use super::keys::SERVICE;
use super::normal::is_true;
use super::{ServiceEnvFiles, dotenv};
use crate::yaml::{self, Key, Map, Node, Value};

/// Reads a service's environment files into its environment, and forgets the files.
pub(super) fn read_env_files(
    service: &mut Map,
    root: &Path,
    variables: &Variables,
    wanted: ServiceEnvFiles,
    problems: &mut Diagnostics,
) {
    let Some(Value::List(files)) = service.remove("env_file").map(|node| node.value) else {
        return;
    };
    let own = service
        .get("environment")
        .and_then(Node::as_map)
        .cloned()
        .unwrap_or_default();
    let own_value = |name: &str| own.get(name).and_then(Node::as_text).map(str::to_owned);
    let outer = |name: &str| {
        let value = variables.values.get(name).cloned();
        value.or_else(|| own_value(name))
    };
    let mut values: BTreeMap<String, String> = own
        .iter()
        .filter_map(|(key, node)| Some((key.text.clone(), node.as_text()?.to_owned())))
        .collect();
    // The last file that sets a name is where its value stands.
    let mut places: BTreeMap<String, Option<Span>> = BTreeMap::new();
    for file in &files {
        let Some(path) = file.get("path").and_then(Node::as_text) else {
            continue;
        };
        let span = file
            .get("path")
            .and_then(|path| path.span.clone())
            .or_else(|| file.span.clone());
        let absence = match file.get("required").is_none_or(is_true) {
            false => Absence::Allowed,
            true if wanted == ServiceEnvFiles::ReadIfThere => Absence::Told,
            true => Absence::Refused,
        };
        let Some(text) = read(
            path,
            root,
            FileKind::Environment,
            absence,
            span.clone(),
            problems,
        ) else {
            continue;
        };
        let before = values.clone();
        let name = shown(Path::new(path), root);
        let outcome = match file.get("format").and_then(Node::as_text) {
            None | Some("") => dotenv::parse(&text, &name, &mut values, &outer),
            Some("raw") => {
                raw(&text, &mut values, &outer);
                Ok(())
            }
            Some(format) => Err(Diagnostic::error(format!(
                "unknown format `{format}` of an environment file"
            ))
            .at(span.clone())
            .hint("leave `format` out, or write `raw`")),
        };
        if let Err(problem) = outcome {
            problems.push(problem);
        }
        for (key, value) in &values {
            if before.get(key) != Some(value) {
                places.insert(
                    key.clone(),
                    Some(Span::line(shown(Path::new(path), root), 1)),
                );
            }
        }
    }
    let mut environment = Map::new();
    for (name, value) in values {
        let span = places.remove(&name).flatten();
        environment.insert(name, Node::at(value, span));
    }
    for (key, node) in own {
        environment.remove(&key.text);
        environment.insert(key, node);
    }
    environment.sort();
    if !environment.is_empty() {
        let span = service
            .get("environment")
            .and_then(|node| node.span.clone());
        service.insert("environment", Node::at(environment, span));
    }
    in_order(service);
}

/// Puts the keys of a service in their usual order.
fn in_order(service: &mut Map) {
    let place = |key: &Key| {
        SERVICE
            .fields
            .iter()
            .position(|field| field.key == key.text)
    };
    service.sort_by_key(|key| place(key).unwrap_or(usize::MAX));
}

/// `NAME=value` lines whose values are taken as they are.
fn raw(text: &str, values: &mut BTreeMap<String, String>, outer: &dyn Fn(&str) -> Option<String>) {
    for line in text.lines() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) => {
                values.insert(name.to_owned(), value.to_owned());
            }
            None => {
                if let Some(value) = outer(line.trim_end()) {
                    values.insert(line.trim_end().to_owned(), value);
                }
            }
        }
    }
}

/// Reads a service's label files into its labels, and forgets the files.
pub(super) fn read_label_files(service: &mut Map, root: &Path, problems: &mut Diagnostics) {
    let Some(Value::List(files)) = service.remove("label_file").map(|node| node.value) else {
        return;
    };
    let mut values = BTreeMap::new();
    for file in &files {
        let Some(path) = file.as_text() else { continue };
        let Some(text) = read(
            path,
            root,
            FileKind::Labels,
            Absence::Refused,
            file.span.clone(),
            problems,
        ) else {
            continue;
        };
        let known = values.clone();
        let look_up = |name: &str| known.get(name).cloned();
        if let Err(problem) =
            dotenv::parse(&text, &shown(Path::new(path), root), &mut values, &look_up)
        {
            problems.push(problem);
        }
    }
    let mut labels: Map = values
        .into_iter()
        .map(|(name, value)| (Key::made(name), Node::made(value)))
        .collect();
    let span = service.get("labels").and_then(|node| node.span.clone());
    if let Some(Value::Map(own)) = service.remove("labels").map(|node| node.value) {
        for (key, node) in own {
            labels.remove(&key.text);
            labels.insert(key, node);
        }
    }
    labels.sort();
    if !labels.is_empty() {
        service.insert("labels", Node::at(labels, span));
    }
    in_order(service);
}

/// What a file is for.
#[derive(Clone, Copy)]
enum FileKind {
    Environment,
    Labels,
}

impl FileKind {
    fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Labels => "label",
        }
    }

    /// What helps where it is missing.
    fn hint(self) -> &'static str {
        match self {
            Self::Environment => "create it, or write `required: false` beside its `path`",
            Self::Labels => "create it, or remove it from `label_file`",
        }
    }
}

/// What it means that a file is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    Allowed,
    Told,
    Refused,
}

fn read(
    path: &str,
    root: &Path,
    kind: FileKind,
    absence: Absence,
    span: Option<Span>,
    problems: &mut Diagnostics,
) -> Option<String> {
    match fs_err::read(path) {
        Ok(bytes) => match yaml::utf8(bytes, &shown(Path::new(path), root)) {
            Ok(text) => Some(text),
            Err(problem) => {
                problems.push(problem);
                None
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let what = format!("{} file {path} does not exist", kind.name());
            let problem = match absence {
                Absence::Allowed => return None,
                Absence::Told => Diagnostic::warning(what),
                Absence::Refused => Diagnostic::error(what),
            };
            problems.push(problem.at(span).hint(kind.hint()));
            None
        }
        Err(error) => {
            problems.push(
                Diagnostic::error(format!("cannot read the {} file: {error}", kind.name()))
                    .at(span),
            );
            None
        }
    }
}
