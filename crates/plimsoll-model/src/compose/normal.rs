//! What a project says without writing it: the default network, dependencies that follow from
//! links and shared namespaces, names of resources.

use super::canonical::clean;
use super::interpolate::{Variables, boolean};
use crate::yaml::{Key, Map, Node, Value};

/// Rewrites the whole project. `name` is its name.
pub(super) fn normalise(project: &mut Map, name: &str, variables: &Variables) {
    // Where it is said stays known, unless it is said otherwise on the command line.
    let said = project
        .get("name")
        .filter(|said| said.as_text() == Some(name))
        .and_then(|said| said.span.clone());
    project.insert("name", Node::at(name, said));
    let mut uses_default = false;
    for service in services(project) {
        uses_default |= join_default_network(service);
        normalise_service(service, variables);
    }
    if uses_default {
        let networks = project.entry_or("networks", || Node::made(Map::new()));
        if networks.is_null() {
            networks.value = Value::Map(Map::new());
        }
        if let Some(networks) = networks.as_map_mut() {
            networks.entry_or("default", Node::default);
        }
    }
    if project
        .get("networks")
        .and_then(Node::as_map)
        .is_some_and(Map::is_empty)
    {
        project.remove("networks");
    }
    for section in ["networks", "volumes", "configs", "secrets"] {
        let entries = project.get_mut(section).and_then(Node::as_map_mut);
        for (key, node) in entries.into_iter().flat_map(Map::iter_mut) {
            if node.is_null() {
                node.value = Value::Map(Map::new());
            }
            let Some(map) = node.as_map_mut() else {
                continue;
            };
            if map.get("name").is_none_or(Node::is_null) {
                let external = map.get("external").is_some_and(is_true);
                let full = if external {
                    key.text.clone()
                } else {
                    format!("{name}_{}", key.text)
                };
                map.insert("name", Node::at(full, key.span.clone()));
            }
        }
    }
}

/// Whether a boolean, or a text that stands for one, is true.
pub(super) fn is_true(node: &Node) -> bool {
    match &node.value {
        Value::Bool(value) => *value,
        Value::Text(text) => boolean(text).unwrap_or(text == "1"),
        _ => false,
    }
}

fn services(project: &mut Map) -> impl Iterator<Item = &mut Map> {
    project
        .get_mut("services")
        .and_then(Node::as_map_mut)
        .into_iter()
        .flat_map(Map::iter_mut)
        .filter_map(|(_, service)| service.as_map_mut())
}

/// Whether the service uses the default network; one that names none joins it.
fn join_default_network(service: &mut Map) -> bool {
    if service.contains("provider") || service.contains("network_mode") {
        return false;
    }
    let joined = service.get("networks").and_then(Node::as_map);
    match joined {
        Some(networks) if !networks.is_empty() => networks.contains("default"),
        _ => {
            let default = Map::from_iter([(Key::made("default"), Node::default())]);
            service.insert("networks", Node::made(default));
            true
        }
    }
}

fn normalise_service(service: &mut Map, variables: &Variables) {
    if let Some(policy) = service.get_mut("pull_policy")
        && policy.as_text() == Some("if_not_present")
    {
        policy.value = "missing".into();
    }
    if let Some(build) = service.get_mut("build").and_then(Node::as_map_mut) {
        build.entry_or("context", || Node::made("."));
        if !build.contains("dockerfile") && !build.contains("dockerfile_inline") {
            build.insert("dockerfile", Node::made("Dockerfile"));
        }
        if let Some(args) = build.get_mut("args") {
            look_up(args, variables, KeepUnset::No);
        }
    }
    if let Some(environment) = service.get_mut("environment") {
        look_up(environment, variables, KeepUnset::Yes);
    }
    for mount in service
        .get_mut("volumes")
        .and_then(Node::as_list_mut)
        .into_iter()
        .flatten()
    {
        if let Some(target) = mount.as_map_mut().and_then(|map| map.get_mut("target"))
            && let Some(text) = target.as_text()
        {
            target.value = match clean(text) {
                empty if empty.is_empty() => ".".into(),
                text => text.into(),
            };
        }
    }
    if let Some(scale) = service
        .get("scale")
        .filter(|scale| !scale.is_null())
        .cloned()
        && let Some(deploy) = service.get_mut("deploy").and_then(Node::as_map_mut)
    {
        deploy.entry_or("replicas", || scale);
    }
    add_dependencies(service);
    inherit_image(service);
}

/// A `pre_start` hook runs in the service's image unless it names one.
fn inherit_image(service: &mut Map) {
    let Some(image) = service
        .get("image")
        .filter(|image| image.as_text().is_some_and(|text| !text.is_empty()))
        .cloned()
    else {
        return;
    };
    let hooks = service.get_mut("pre_start").and_then(Node::as_list_mut);
    for hook in hooks.into_iter().flatten().filter_map(Node::as_map_mut) {
        hook.entry_or("image", || image.clone());
    }
}

fn add_dependencies(service: &mut Map) {
    let mut implied: Vec<(Key, bool)> = Vec::new();
    let texts = |service: &Map, key: &str| -> Vec<(String, Option<plimsoll_diag::Span>)> {
        let list = service.get(key).and_then(Node::as_list).unwrap_or(&[]);
        list.iter()
            .filter_map(|node| Some((node.as_text()?.to_owned(), node.span.clone())))
            .collect()
    };
    for (link, span) in texts(service, "links") {
        let mut parts = link.split(':');
        let text = match (parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(_), None) => name.to_owned(),
            _ => link.clone(),
        };
        implied.push((Key { text, span }, true));
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let Some(node) = service.get(key) else {
            continue;
        };
        if let Some(name) = node
            .as_text()
            .and_then(|text| text.strip_prefix("service:"))
        {
            let key = Key {
                text: name.to_owned(),
                span: node.span.clone(),
            };
            implied.push((key, true));
        }
    }
    for (source, span) in texts(service, "volumes_from") {
        if !source.starts_with("container:") {
            let text = source.split(':').next().unwrap_or(&source).to_owned();
            implied.push((Key { text, span }, false));
        }
    }
    if implied.is_empty() {
        return;
    }
    let dependencies = service.entry_or("depends_on", || Node::made(Map::new()));
    let Some(dependencies) = dependencies.as_map_mut() else {
        return;
    };
    for (key, restart) in implied {
        if dependencies.contains(&key.text) {
            continue;
        }
        let at = |value: Value| Node::at(value, key.span.clone());
        let mut map = Map::new();
        map.insert("condition", at("service_started".into()));
        map.insert("restart", at(restart.into()));
        map.insert("required", at(true.into()));
        let node = at(map.into());
        dependencies.insert(key, node);
    }
}

/// What becomes of a name without a value that is not set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeepUnset {
    Yes,
    No,
}

/// Gives names without a value the caller's value.
fn look_up(node: &mut Node, variables: &Variables, keep: KeepUnset) {
    match &mut node.value {
        Value::List(list) => list.retain_mut(|entry| {
            let Some(name) = entry.as_text().filter(|text| !text.contains('=')) else {
                return true;
            };
            match variables.values.get(name) {
                Some(value) => {
                    entry.value = format!("{name}={value}").into();
                    true
                }
                None => keep == KeepUnset::Yes,
            }
        }),
        Value::Map(map) => map.retain(|key, value| {
            if !value.is_null() {
                return true;
            }
            match variables.values.get(&key.text) {
                Some(text) => {
                    value.value = text.as_str().into();
                    true
                }
                None => keep == KeepUnset::Yes,
            }
        }),
        _ => {}
    }
}
