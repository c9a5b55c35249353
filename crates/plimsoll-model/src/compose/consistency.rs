//! What must fit together across a whole project.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_diag::{Diagnostic, Diagnostics, Span};

use super::check::nearest;
use super::normal::is_true;
use crate::yaml::{Key, Map, Node, Value};

/// A project's parts, services of inactive profiles apart.
pub(super) struct Parts<'p> {
    /// The canonical project; its services are the active ones.
    pub(super) project: &'p Map,
    /// Services of inactive profiles.
    pub(super) inactive: &'p Map,
}

/// Collects everything that does not fit.
pub(super) fn check(parts: &Parts<'_>, problems: &mut Diagnostics) {
    for (key, service) in parts.services() {
        Service {
            parts,
            key,
            service,
            problems,
        }
        .check();
    }
    for section in ["secrets", "configs"] {
        for (key, object) in parts.section(section).into_iter().flat_map(Map::iter) {
            file_object(section, key, object, problems);
        }
    }
    for (key, volume) in parts.section("volumes").into_iter().flat_map(Map::iter) {
        external_volume(key, volume, problems);
    }
    container_names(parts, problems);
    if let Some(problem) = cycle(parts) {
        problems.push(problem);
    }
}

impl<'p> Parts<'p> {
    fn section(&self, name: &str) -> Option<&'p Map> {
        self.project.get(name)?.as_map()
    }

    fn services(&self) -> impl Iterator<Item = (&'p Key, &'p Map)> {
        self.section("services")
            .into_iter()
            .flat_map(Map::iter)
            .filter_map(|(key, node)| Some((key, node.as_map()?)))
    }

    fn has(&self, section: &str, name: &str) -> bool {
        self.section(section).is_some_and(|map| map.contains(name))
    }

    fn suggestion(&self, section: &str, name: &str) -> Option<String> {
        let known = self.section(section)?;
        nearest(name, known.iter().map(|(key, _)| key.text.as_str()))
            .map(|near| format!("did you mean `{near}`?"))
    }
}

struct Service<'s, 'p> {
    parts: &'s Parts<'p>,
    key: &'p Key,
    service: &'p Map,
    problems: &'s mut Diagnostics,
}

impl<'p> Service<'_, 'p> {
    fn get(&self, keys: &[&str]) -> Option<&'p Node> {
        let (first, rest) = keys.split_first()?;
        self.service.get(first)?.find(rest)
    }

    fn list(&self, keys: &[&str]) -> &'p [Node] {
        self.get(keys).and_then(Node::as_list).unwrap_or(&[])
    }

    fn text(&self, keys: &[&str]) -> Option<&'p str> {
        self.get(keys).and_then(Node::as_text)
    }

    fn wrong(&mut self, message: String, span: Option<Span>, hint: &str) {
        let problem = Diagnostic::error(format!("service `{}` {message}", self.key.text))
            .at(span.or_else(|| self.key.span.clone()));
        self.problems.push(if hint.is_empty() {
            problem
        } else {
            problem.hint(hint)
        });
    }

    fn undefined(&mut self, section: &str, what: &str, name: &str, span: Option<Span>) {
        let hint = self
            .parts
            .suggestion(section, name)
            .unwrap_or_else(|| format!("declare it under the top-level `{section}:`"));
        self.wrong(format!("refers to undefined {what} `{name}`"), span, &hint);
    }

    fn check(&mut self) {
        let runs_something = self.text(&["image"]).is_some()
            || self.get(&["build"]).is_some()
            || self.get(&["provider"]).is_some();
        if !runs_something {
            self.wrong(
                "has neither `image` nor `build`".to_owned(),
                None,
                "name an image to pull, or a directory to build from",
            );
        }
        self.build();
        self.networks();
        self.healthcheck();
        self.dependencies();
        self.files_and_models();
        self.mounts();
        self.numbers();
        self.watch();
        for keys in [
            &["gpus"][..],
            &["deploy", "resources", "reservations", "devices"],
        ] {
            for device in self.list(keys) {
                if device.get("count").is_some() && device.get("device_ids").is_some() {
                    self.wrong(
                        "asks for devices by `count` and by `device_ids`".to_owned(),
                        device.span.clone(),
                        "keep one of them",
                    );
                }
            }
        }
    }

    fn build(&mut self) {
        if self.get(&["build", "dockerfile_inline"]).is_some()
            && let Some(file) = self.get(&["build", "dockerfile"])
        {
            self.wrong(
                "has both `dockerfile` and `dockerfile_inline`".to_owned(),
                file.span.clone(),
                "keep one of them",
            );
        }
        let contexts = self.get(&["build", "additional_contexts"]);
        for (name, context) in contexts
            .and_then(Node::as_map)
            .into_iter()
            .flat_map(Map::iter)
        {
            let Some(target) = context
                .as_text()
                .and_then(|text| text.strip_prefix("service:"))
            else {
                continue;
            };
            if !self.parts.has("services", target) {
                self.undefined("services", "service", target, context.span.clone());
            } else if self
                .parts
                .section("services")
                .and_then(|services| services.get(target)?.get("build"))
                .is_none()
            {
                self.wrong(
                    format!(
                        "builds with `{target}` as context `{}`, which is not built",
                        name.text
                    ),
                    context.span.clone(),
                    "give that service a `build`",
                );
            }
        }
        if let Some(platform) = self.get(&["platform"]) {
            let platforms = self.list(&["build", "platforms"]);
            if !platforms.is_empty() && !platforms.contains(platform) {
                self.wrong(
                    "runs on a `platform` that `build.platforms` lacks".to_owned(),
                    platform.span.clone(),
                    "add it to `build.platforms`",
                );
            }
        }
        for secret in self.list(&["build", "secrets"]) {
            self.file_use("secrets", "build secret", secret);
        }
    }

    fn networks(&mut self) {
        let networks = self.get(&["networks"]).and_then(Node::as_map);
        if let (Some(mode), Some(networks)) = (self.get(&["network_mode"]), networks)
            && !networks.is_empty()
        {
            self.wrong(
                "has both `network_mode` and `networks`".to_owned(),
                mode.span.clone(),
                "keep one of them",
            );
        }
        for (name, attachment) in networks.into_iter().flat_map(Map::iter) {
            if !self.parts.has("networks", &name.text) {
                let span = name.span.clone().or_else(|| attachment.span.clone());
                self.undefined("networks", "network", &name.text, span);
            }
        }
        if let Some(mode) = self.get(&["network_mode"])
            && let Some(name) = mode
                .as_text()
                .and_then(|text| text.strip_prefix("service:"))
            && !self.parts.has("services", name)
        {
            self.undefined("services", "service", name, mode.span.clone());
        }
        for port in self.list(&["ports"]) {
            if let Some(address) = port.get("host_ip") {
                let valid = address
                    .as_text()
                    .is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok());
                if !valid {
                    self.wrong(
                        "publishes a port on what is no IP address".to_owned(),
                        address.span.clone(),
                        "",
                    );
                }
            }
        }
    }

    fn healthcheck(&mut self) {
        let Some(first) = self.list(&["healthcheck", "test"]).first() else {
            return;
        };
        if !matches!(first.as_text(), Some("CMD" | "CMD-SHELL" | "NONE")) {
            self.wrong(
                "has a health check whose test begins with neither CMD, CMD-SHELL nor NONE"
                    .to_owned(),
                first.span.clone(),
                "write [\"CMD\", \"program\", …], or one line of text for a shell",
            );
        }
    }

    fn dependencies(&mut self) {
        let dependencies = self.get(&["depends_on"]).and_then(Node::as_map);
        for (name, dependency) in dependencies.into_iter().flat_map(Map::iter) {
            if self.parts.has("services", &name.text) {
                continue;
            }
            let span = name.span.clone().or_else(|| dependency.span.clone());
            if !self.parts.inactive.contains(&name.text) {
                self.undefined("services", "service", &name.text, span);
            } else if dependency.get("required").is_none_or(is_true) {
                self.wrong(
                    format!("depends on `{}`, whose profile is not active", name.text),
                    span,
                    "activate its profile, or set `required: false`",
                );
            }
        }
    }

    fn file_use(&mut self, section: &str, what: &str, file: &Node) {
        if let Some(source) = file.get("source").and_then(Node::as_text)
            && !self.parts.has(section, source)
        {
            let span = file
                .get("source")
                .and_then(|node| node.span.clone())
                .or_else(|| file.span.clone());
            self.undefined(section, what, source, span);
        }
    }

    fn files_and_models(&mut self) {
        for (section, what) in [("secrets", "secret"), ("configs", "config")] {
            for file in self.list(&[section]) {
                self.file_use(section, what, file);
            }
        }
        let models = self.get(&["models"]).and_then(Node::as_map);
        for (name, _) in models.into_iter().flat_map(Map::iter) {
            if !self.parts.has("models", &name.text) {
                self.undefined("models", "model", &name.text, name.span.clone());
            }
        }
    }

    fn mounts(&mut self) {
        let mut taken: BTreeMap<String, Option<Span>> = BTreeMap::new();
        for entry in self.list(&["tmpfs"]) {
            let text = entry.as_text().unwrap_or_default();
            let path = text.split(':').next().unwrap_or(text);
            self.mount_point(path, entry, &mut taken);
        }
        for mount in self.list(&["volumes"]) {
            let source = mount.get("source").and_then(Node::as_text).unwrap_or("");
            let is_volume = mount.get("type").and_then(Node::as_text) == Some("volume");
            if is_volume && !source.is_empty() && !self.parts.has("volumes", source) {
                self.undefined("volumes", "volume", source, mount.span.clone());
            }
            match mount.get("target").and_then(Node::as_text) {
                Some(target) => self.mount_point(target, mount, &mut taken),
                None => self.wrong(
                    "has a mount without a `target`".to_owned(),
                    mount.span.clone(),
                    "`target` is the path in the container",
                ),
            }
        }
    }

    fn mount_point(&mut self, path: &str, node: &Node, taken: &mut BTreeMap<String, Option<Span>>) {
        if let Some(first) = taken.insert(path.to_owned(), node.span.clone()) {
            let hint = first.map_or_else(String::new, |span| {
                format!("the first mount stands at {span}")
            });
            self.wrong(
                format!("mounts two things at `{path}`"),
                node.span.clone(),
                &hint,
            );
        }
    }

    fn numbers(&mut self) {
        let whole = |node: &Node| match node.value {
            Value::Integer(number) => Some(number),
            _ => None,
        };
        let scale = self.get(&["scale"]);
        let replicas = self.get(&["deploy", "replicas"]);
        for node in [scale, replicas].into_iter().flatten() {
            if whole(node).is_some_and(|number| number < 0) {
                self.wrong(
                    "cannot have less than 0 containers".to_owned(),
                    node.span.clone(),
                    "",
                );
            }
        }
        for (short, long) in [
            (&["scale"][..], &["deploy", "replicas"][..]),
            (&["cpus"], &["deploy", "resources", "limits", "cpus"]),
            (&["mem_limit"], &["deploy", "resources", "limits", "memory"]),
            (
                &["mem_reservation"],
                &["deploy", "resources", "reservations", "memory"],
            ),
            (&["pids_limit"], &["deploy", "resources", "limits", "pids"]),
        ] {
            let Some(node) = self.get(short) else {
                continue;
            };
            // The section alone already counts as a value of its own.
            let section = &long[..long.len() - 1];
            let other = self.get(long);
            let differ = match (other, long.len()) {
                (Some(other), _) => other != node,
                (None, 2) => false,
                (None, _) => self.get(section).is_some(),
            };
            if differ {
                self.wrong(
                    format!("sets `{}` and `{}` differently", short[0], long.join(".")),
                    node.span.clone(),
                    "keep one of them",
                );
            }
        }
        let count = scale.or(replicas).and_then(whole).unwrap_or(1);
        if let (Some(name), true) = (self.get(&["container_name"]), count > 1) {
            self.wrong(
                format!("has {count} containers but one `container_name`"),
                name.span.clone(),
                "remove `container_name`",
            );
        }
    }

    fn watch(&mut self) {
        for watch in self.list(&["develop", "watch"]) {
            let action = watch.get("action").and_then(Node::as_text).unwrap_or("");
            if watch
                .get("path")
                .and_then(Node::as_text)
                .is_none_or(str::is_empty)
            {
                self.wrong("watches an empty path".to_owned(), watch.span.clone(), "");
            }
            if watch.get("target").is_none() && !matches!(action, "rebuild" | "restart") {
                self.wrong(
                    format!("watches with `{action}` but names no `target`"),
                    watch.span.clone(),
                    "`target` is the path in the container that is kept in step",
                );
            }
        }
    }
}

fn file_object(section: &str, key: &Key, object: &Node, problems: &mut Diagnostics) {
    let sources: &[&str] = if section == "secrets" {
        &["file", "environment"]
    } else {
        &["file", "environment", "content"]
    };
    let given: Vec<_> = sources
        .iter()
        .filter(|source| object.get(source).is_some())
        .collect();
    let name = format!("{} `{}`", &section[..section.len() - 1], key.text);
    if given.len() > 1 {
        problems.push(
            Diagnostic::error(format!("{name} has more than one source"))
                .at(key.span.clone())
                .hint(format!("keep one of {}", sources.join(", "))),
        );
    }
    let external = object.get("external").is_some_and(is_true);
    if given.is_empty() && !external && (section == "secrets" || object.get("driver").is_none()) {
        problems.push(
            Diagnostic::error(format!("{name} has no source"))
                .at(key.span.clone())
                .hint(format!(
                    "give it one of {}, or `external: true`",
                    sources.join(", ")
                )),
        );
    }
}

fn external_volume(key: &Key, volume: &Node, problems: &mut Diagnostics) {
    let Some(map) = volume.as_map() else { return };
    if !map.get("external").is_some_and(is_true) {
        return;
    }
    for (other, _) in map.iter() {
        if !matches!(other.text.as_str(), "name" | "external") && !other.text.starts_with("x-") {
            problems.push(
                Diagnostic::error(format!(
                    "volume `{}` is external, so `{}` cannot be set",
                    key.text, other.text
                ))
                .at(other.span.clone().or_else(|| key.span.clone()))
                .hint("remove it, or `external`"),
            );
        }
    }
}

fn container_names(parts: &Parts<'_>, problems: &mut Diagnostics) {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, service) in parts.services() {
        let Some(node) = service.get("container_name") else {
            continue;
        };
        let Some(name) = node.as_text() else { continue };
        if let Some(other) = taken.insert(name, &key.text) {
            problems.push(
                Diagnostic::error(format!(
                    "services `{other}` and `{}` both want the container name `{name}`",
                    key.text
                ))
                .at(node.span.clone()),
            );
        }
    }
}

/// A chain of dependencies that comes back to where it began.
fn cycle(parts: &Parts<'_>) -> Option<Diagnostic> {
    let edges = |name: &str| -> Vec<&Key> {
        parts
            .section("services")
            .and_then(|services| services.get(name)?.get("depends_on")?.as_map())
            .into_iter()
            .flat_map(Map::iter)
            .map(|(key, _)| key)
            .collect()
    };
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for (start, _) in parts.services() {
        if done.contains(start.text.as_str()) {
            continue;
        }
        // Depth-first, on a stack of our own: chains may be long.
        let mut chain: Vec<(&str, std::vec::IntoIter<&Key>)> =
            vec![(&start.text, edges(&start.text).into_iter())];
        let mut on_chain = BTreeSet::from([start.text.as_str()]);
        while let Some((name, next)) = chain.last_mut() {
            let Some(key) = next.next() else {
                on_chain.remove(*name);
                done.insert(name);
                chain.pop();
                continue;
            };
            if on_chain.contains(key.text.as_str()) {
                let mut names: Vec<&str> = chain
                    .iter()
                    .map(|(name, _)| *name)
                    .skip_while(|name| *name != key.text)
                    .collect();
                names.push(&key.text);
                return Some(
                    Diagnostic::error(format!(
                        "services wait for each other: {}",
                        names.join(" → ")
                    ))
                    .at(key.span.clone())
                    .label("closes the circle")
                    .hint("break the circle: `depends_on`, `links`, `volumes_from` and `service:…` make a service wait"),
                );
            }
            if !done.contains(key.text.as_str()) {
                on_chain.insert(&key.text);
                chain.push((&key.text, edges(&key.text).into_iter()));
            }
        }
    }
    None
}
