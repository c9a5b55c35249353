//! Which services and resources are part of a project: profiles, wanted services, what is used.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_diag::{Diagnostic, Diagnostics};

use super::interpolate::Variables;
use super::{LoadOptions, check, entries_mut, normal};
use crate::yaml::{Map, Node};

/// The active profiles.
pub(super) fn profiles(options: &LoadOptions, variables: &Variables) -> Vec<String> {
    if !options.profiles.is_empty() {
        return options.profiles.clone();
    }
    let named = variables.values.get("COMPOSE_PROFILES");
    named
        .into_iter()
        .flat_map(|list| list.split(','))
        .map(|profile| profile.trim().to_owned())
        .filter(|profile| !profile.is_empty())
        .collect()
}

fn profiles_of(service: &Node) -> impl Iterator<Item = &str> {
    let list = service.get("profiles").and_then(Node::as_list);
    list.unwrap_or(&[]).iter().filter_map(Node::as_text)
}

/// Takes the services out whose profiles are not active.
pub(super) fn take_inactive(project: &mut Map, active: &[String]) -> Map {
    let mut inactive = Map::new();
    let is_active = |service: &Node| {
        let mut profiles = profiles_of(service).peekable();
        profiles.peek().is_none()
            || active.iter().any(|profile| profile == "*")
            || profiles.any(|profile| active.iter().any(|active| active == profile))
    };
    if let Some(services) = project.get_mut("services").and_then(Node::as_map_mut) {
        services.retain(|key, service| {
            let keep = is_active(service);
            if !keep {
                inactive.insert(key.clone(), std::mem::take(service));
            }
            keep
        });
    }
    inactive
}

/// Keeps the named services and what they depend on; a named service is activated with its
/// profiles.
pub(super) fn select(
    project: &mut Map,
    mut inactive: Map,
    wanted: &[String],
    problems: &mut Diagnostics,
) -> Map {
    if wanted.is_empty() {
        return inactive;
    }
    let Some(services) = project.get_mut("services").and_then(Node::as_map_mut) else {
        return inactive;
    };
    let activated: Vec<String> = wanted
        .iter()
        .filter_map(|name| inactive.get(name))
        .flat_map(profiles_of)
        .map(str::to_owned)
        .collect();
    let mut still = Map::new();
    for (key, service) in inactive {
        if profiles_of(&service).any(|profile| activated.iter().any(|active| active == profile)) {
            services.insert(key, service);
        } else {
            still.insert(key, service);
        }
    }
    inactive = still;
    let mut kept: Vec<String> = Vec::new();
    let mut queue: Vec<(String, bool)> = wanted.iter().map(|name| (name.clone(), true)).collect();
    while let Some((name, required)) = queue.pop() {
        if kept.contains(&name) {
            continue;
        }
        let Some(service) = services.get(&name) else {
            if required {
                let names = services.iter().map(|(key, _)| key.text.as_str());
                let mut problem = Diagnostic::error(format!("there is no service `{name}`"));
                if let Some(near) = check::nearest(&name, names) {
                    problem = problem.hint(format!("did you mean `{near}`?"));
                } else {
                    let names = services.iter().chain(inactive.iter());
                    let names: Vec<String> =
                        names.map(|(key, _)| format!("`{}`", key.text)).collect();
                    problem = problem.hint(format!("there are {}", names.join(", ")));
                }
                problems.push(problem);
            }
            continue;
        };
        let dependencies = service.get("depends_on").and_then(Node::as_map);
        queue.extend(
            dependencies
                .into_iter()
                .flat_map(Map::iter)
                .map(|(key, node)| {
                    let required = node.get("required").is_none_or(normal::is_true);
                    (key.text.clone(), required)
                }),
        );
        kept.push(name);
    }
    services.retain(|key, service| {
        let keep = kept.contains(&key.text);
        if let Some(service) = service.as_map_mut().filter(|_| keep) {
            if let Some(dependencies) = service.get_mut("depends_on").and_then(Node::as_map_mut) {
                dependencies.retain(|key, _| kept.contains(&key.text));
            }
            return true;
        }
        inactive.insert(key.clone(), std::mem::take(service));
        false
    });
    services.sort();
    inactive
}

/// Drops networks, volumes, secrets, configs and models that no service uses.
pub(super) fn drop_unused(project: &mut Map) {
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (_, service) in entries_mut(project, "services") {
        for section in ["networks", "models"] {
            let map = service.get(section).and_then(Node::as_map);
            for (key, _) in map.into_iter().flat_map(Map::iter) {
                used.entry(section).or_default().insert(key.text.clone());
            }
        }
        let mut note = |section, list: Option<&Node>| {
            for node in list.and_then(Node::as_list).unwrap_or(&[]) {
                let is_other = section == "volumes"
                    && node.get("type").and_then(Node::as_text) != Some("volume");
                if let Some(source) = node.get("source").and_then(Node::as_text)
                    && !is_other
                {
                    used.entry(section).or_default().insert(source.to_owned());
                }
            }
        };
        note("volumes", service.get("volumes"));
        note("secrets", service.get("secrets"));
        note("secrets", service.find(&["build", "secrets"]));
        note("configs", service.get("configs"));
    }
    for section in ["networks", "volumes", "secrets", "configs", "models"] {
        let Some(map) = project.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        let used = used.get(section);
        map.retain(|key, _| used.is_some_and(|used| used.contains(&key.text)));
        if map.is_empty() {
            project.remove(section);
        }
    }
}
