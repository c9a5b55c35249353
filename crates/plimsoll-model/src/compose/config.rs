//! What `config` prints: the canonical tree as YAML or JSON, and lists of names.
//!
//! A dollar is doubled, so that what is printed can be read again.

use std::collections::BTreeSet;

use serde_json::{Map as JsonMap, Value as Json};
use sha2::{Digest as _, Sha256};

use super::Resolved;
use super::keys::{PROJECT, SERVICE};
use super::shape::{Form, Print, Record};
use crate::yaml::{Map, Node, Value, to_yaml};

/// How a tree is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML.
    Yaml,
    /// JSON, indented.
    Json,
}

/// The project as text that loads to the same project.
pub fn render(resolved: &Resolved, format: Format) -> String {
    let text = match format {
        Format::Yaml => to_yaml(&resolved.model),
        Format::Json => {
            let json = project_json(&resolved.model);
            // A tree of texts and numbers always has a JSON form.
            serde_json::to_string_pretty(&json).unwrap_or_default()
        }
    };
    text.replace('$', "$$")
}

/// A project whose variables were not filled in, as text. Dollars stay as they are.
pub fn render_uninterpolated(model: &Node, format: Format) -> String {
    match format {
        Format::Yaml => to_yaml(model),
        Format::Json => serde_json::to_string_pretty(&model.to_json()).unwrap_or_default(),
    }
}

/// Names of the active services; those that others depend on come first.
pub fn services(resolved: &Resolved) -> Vec<String> {
    let mut names = Vec::new();
    let mut seen = BTreeSet::new();
    for (key, _) in section(&resolved.model, "services") {
        visit(&resolved.model, &key.text, &mut seen, &mut names);
    }
    names
}

fn visit(model: &Node, name: &str, seen: &mut BTreeSet<String>, names: &mut Vec<String>) {
    // Dependencies have no cycles by now; inactive ones are not services of the model.
    let Some(service) = model.find(&["services", name]) else {
        return;
    };
    if !seen.insert(name.to_owned()) {
        return;
    }
    let dependencies = service.get("depends_on").and_then(Node::as_map);
    for (key, _) in dependencies.into_iter().flat_map(Map::iter) {
        visit(model, &key.text, seen, names);
    }
    names.push(name.to_owned());
}

/// Images of the active services, in the order of their names; a service without one is named
/// after the project.
pub fn images(resolved: &Resolved) -> Vec<String> {
    section(&resolved.model, "services")
        .map(|(key, service)| {
            service
                .get("image")
                .and_then(Node::scalar_text)
                .unwrap_or_else(|| format!("{}-{}", resolved.name, key.text))
        })
        .collect()
}

/// Profiles of all services, active or not.
pub fn profiles(resolved: &Resolved) -> BTreeSet<String> {
    section(&resolved.model, "services")
        .chain(resolved.inactive.iter())
        .flat_map(|(_, service)| {
            let list = service.get("profiles").and_then(Node::as_list);
            list.unwrap_or(&[]).iter().filter_map(Node::scalar_text)
        })
        .collect()
}

/// Names of what one of the sections declares: `volumes`, `networks`, `models`…
pub fn names(resolved: &Resolved, of: &str) -> Vec<String> {
    section(&resolved.model, of)
        .map(|(key, _)| key.text.clone())
        .collect()
}

/// A service's hash: of what its containers are made from, without what only says how many, when
/// and from which sources.
pub fn hash(resolved: &Resolved, service: &str) -> Option<String> {
    let map = match resolved.before_env_files.get(service) {
        Some(map) => map,
        None => resolved.model.find(&["services", service])?.as_map()?,
    };
    let mut json = record_json(map, &SERVICE);
    for key in ["build", "pull_policy", "scale", "depends_on", "profiles"] {
        json.shift_remove(key);
    }
    // A required file is written as its path alone.
    for file in json
        .get_mut("env_file")
        .and_then(Json::as_array_mut)
        .into_iter()
        .flatten()
    {
        if file.get("required") == Some(&Json::Bool(true)) {
            *file = file.get("path").cloned().unwrap_or_default();
        }
    }
    if let Some(Json::Object(deploy)) = json.get_mut("deploy") {
        deploy.shift_remove("replicas");
    }
    let text = escape_for_web(&Json::Object(json).to_string());
    let digest = Sha256::digest(text.as_bytes());
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The peer's JSON writer keeps text safe for pages.
fn escape_for_web(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn section<'m>(
    model: &'m Node,
    name: &str,
) -> impl Iterator<Item = (&'m crate::yaml::Key, &'m Node)> {
    model
        .get(name)
        .and_then(Node::as_map)
        .into_iter()
        .flat_map(Map::iter)
}

/// The project as the peer writes it in JSON: keys in order; models, and extensions below the top
/// level, are left out.
fn project_json(model: &Node) -> Json {
    let Some(map) = model.as_map() else {
        return Json::Null;
    };
    let mut json = record_json(map, &PROJECT);
    json.shift_remove("models");
    for (key, node) in map.iter() {
        if key.text.starts_with("x-") {
            json.insert(key.text.clone(), node.to_json());
        }
    }
    json.sort_keys();
    Json::Object(json)
}

fn record_json(map: &Map, record: &Record) -> JsonMap<String, Json> {
    let mut json = JsonMap::new();
    for field in record.fields {
        let name = match record.print {
            Print::AlwaysCapital => capital(field.key),
            _ => field.key.to_owned(),
        };
        let node = map.get(field.key);
        let value = match (&field.form, node) {
            (Form::Words, None) => Json::Null,
            (Form::Struct(inner), None) => Json::Object(record_json(&Map::new(), inner)),
            (_, None) => continue,
            (Form::Record(inner) | Form::Struct(inner), Some(node)) => match node.as_map() {
                Some(map) => Json::Object(record_json(map, inner)),
                None => node.to_json(),
            },
            (Form::Records(inner), Some(node)) => node
                .as_list()
                .unwrap_or(&[])
                .iter()
                .map(|node| match node.as_map() {
                    Some(map) => Json::Object(record_json(map, inner)),
                    None => node.to_json(),
                })
                .collect(),
            (Form::Named(inner), Some(node)) => {
                let entries = node.as_map().into_iter().flat_map(Map::iter);
                let map: JsonMap<String, Json> = entries
                    .map(|(key, node)| {
                        let value = match node.as_map() {
                            Some(map) => Json::Object(record_json(map, inner)),
                            None => node.to_json(),
                        };
                        (key.text.clone(), value)
                    })
                    .collect();
                Json::Object(map)
            }
            (Form::Ulimits, Some(node)) => without_zeros(node),
            (_, Some(node)) => node.to_json(),
        };
        json.insert(name, value);
    }
    json
}

fn without_zeros(node: &Node) -> Json {
    let limits = node.as_map().into_iter().flat_map(Map::iter);
    let map: JsonMap<String, Json> = limits
        .map(|(key, limit)| {
            let value = match limit.as_map() {
                None => limit.to_json(),
                Some(map) => {
                    let parts = map
                        .iter()
                        .filter(|(_, node)| node.value != Value::Integer(0))
                        .map(|(key, node)| (key.text.clone(), node.to_json()))
                        .collect::<JsonMap<_, _>>();
                    Json::Object(parts)
                }
            };
            (key.text.clone(), value)
        })
        .collect();
    Json::Object(map)
}

fn capital(key: &str) -> String {
    let mut characters = key.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}
