//! Entries of lists that mean the same thing: the last one counts, at the place of the first.

use std::collections::HashMap;

use super::mount;
use super::path::Path;
use crate::yaml::{Map, Node, Value};

/// Makes entries one, in the whole project.
pub(super) fn enforce(project: &mut Map) {
    walk_map(project, &Path::ROOT);
}

fn walk_map(map: &mut Map, path: &Path<'_>) {
    for (key, node) in map.iter_mut() {
        let path = path.child(&key.text);
        match &mut node.value {
            Value::Map(map) => walk_map(map, &path),
            Value::List(list) => {
                if let Some(identity) = path.view(identity_at) {
                    make_unique(list, identity);
                }
            }
            _ => {}
        }
    }
}

type Identity = fn(&Node) -> Option<String>;

fn identity_at(path: &[&str]) -> Option<Identity> {
    Some(match path {
        ["networks", _, "labels"] | ["networks", _, "ipam", "options"] => name_of_pair,
        ["services", _, rest @ ..] => match rest {
            [
                "annotations" | "cap_add" | "cap_drop" | "dns" | "dns_opt" | "dns_search"
                | "environment" | "labels" | "links" | "profiles" | "sysctls" | "tmpfs",
            ]
            | [
                "build",
                "args" | "additional_contexts" | "platform" | "tags" | "labels",
            ]
            | ["deploy", "labels"]
            | ["networks", _, "aliases" | "link_local_ips"] => name_of_pair,
            ["expose"] => Node::scalar_text,
            ["ports"] => port,
            ["volumes"] => mount_target,
            ["devices"] => device_target,
            ["configs"] => config_target,
            ["secrets"] => secret_target,
            ["env_file"] => env_file,
            _ => return None,
        },
        _ => return None,
    })
}

fn make_unique(list: &mut Vec<Node>, identity: Identity) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut unique: Vec<Node> = Vec::with_capacity(list.len());
    for node in list.drain(..) {
        // What has no identity is wrong; the check tells.
        let place = identity(&node).and_then(|identity| match places.entry(identity) {
            std::collections::hash_map::Entry::Occupied(entry) => Some(*entry.get()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(unique.len());
                None
            }
        });
        match place {
            Some(place) => unique[place] = node,
            None => unique.push(node),
        }
    }
    *list = unique;
}

fn name_of_pair(node: &Node) -> Option<String> {
    let text = node.as_text()?;
    Some(text.split('=').next().unwrap_or(text).to_owned())
}

fn port(node: &Node) -> Option<String> {
    let Some(map) = node.as_map() else {
        return node.scalar_text();
    };
    let part = |key: &str, default: &str| {
        map.get(key)
            .and_then(Node::scalar_text)
            .unwrap_or_else(|| default.to_owned())
    };
    Some(format!(
        "{}:{}:{}/{}",
        part("host_ip", "0.0.0.0"),
        part("published", ""),
        map.get("target")?.scalar_text()?,
        part("protocol", "tcp")
    ))
}

fn mount_target(node: &Node) -> Option<String> {
    match node.as_text() {
        Some(text) => Some(mount::parse(text).ok()?.target),
        None => node.get("target")?.scalar_text(),
    }
}

fn device_target(node: &Node) -> Option<String> {
    match node.as_text() {
        Some(text) => {
            let mut parts = text.split(':');
            let first = parts.next()?;
            Some(parts.next().unwrap_or(first).to_owned())
        }
        None => node.get("target")?.scalar_text(),
    }
}

fn config_target(node: &Node) -> Option<String> {
    file_target(node, "")
}

fn secret_target(node: &Node) -> Option<String> {
    file_target(node, "/run/secrets")
}

fn file_target(node: &Node, directory: &str) -> Option<String> {
    match node.as_text() {
        Some(text) => Some(format!("{directory}/{text}")),
        None => match node.get("target") {
            Some(target) => target.scalar_text(),
            None => Some(format!(
                "{directory}/{}",
                node.get("source")?.scalar_text()?
            )),
        },
    }
}

fn env_file(node: &Node) -> Option<String> {
    match node.as_text() {
        Some(text) => Some(text.to_owned()),
        None => node.get("path")?.scalar_text(),
    }
}
