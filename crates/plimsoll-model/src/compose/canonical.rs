//! Short forms become long ones.

use plimsoll_diag::{Diagnostic, Diagnostics, Span};

use super::path::Path;
use super::{mount, port};
use crate::yaml::{Key, Map, Node, Value};

/// What to do with a short form that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is an error.
    Refuse,
    /// It stays; it may hold variables that were not filled in.
    Keep,
}

/// Rewrites the whole project.
pub(super) fn canonicalise(project: &mut Map, unreadable: Unreadable, problems: &mut Diagnostics) {
    let mut work = Work {
        unreadable,
        problems,
    };
    for section in ["networks", "volumes", "secrets", "configs"] {
        for (name, node) in entries(project, section) {
            let at = Path::ROOT.child(section);
            work.external(node, &at.child(name));
        }
    }
    for (name, node) in entries(project, "services") {
        let services = Path::ROOT.child("services");
        if let Some(service) = node.as_map_mut() {
            work.service(service, &services.child(name));
        }
    }
}

fn entries<'m>(
    project: &'m mut Map,
    section: &str,
) -> impl Iterator<Item = (&'m str, &'m mut Node)> {
    project
        .get_mut(section)
        .and_then(Node::as_map_mut)
        .into_iter()
        .flat_map(Map::iter_mut)
        .map(|(key, node)| (key.text.as_str(), node))
}

struct Work<'w> {
    unreadable: Unreadable,
    problems: &'w mut Diagnostics,
}

impl Work<'_> {
    fn service(&mut self, service: &mut Map, path: &Path<'_>) {
        for (key, node) in service.iter_mut() {
            let path = path.child(&key.text);
            match key.text.as_str() {
                "build" => self.build(node, &path),
                "depends_on" => dependencies(node),
                "env_file" => env_files(node),
                "label_file" | "dns" => text_to_list(node),
                "extends" => text_to_map(node, "service"),
                "gpus" if node.as_text().is_some() => {
                    let all = Map::from_iter([(Key::made("count"), Node::made("all"))]);
                    *node = Node::at(vec![Node::at(all, None)], node.span.clone());
                }
                "networks" | "models" => names_to_map(node),
                "volumes" => self.each(node, |work, node| work.mount(node, &path)),
                "devices" => self.each(node, |work, node| work.device(node, &path)),
                "secrets" | "configs" => {
                    self.each(node, |_, node| text_to_map(node, "source"));
                }
                "ports" => self.ports(node, &path),
                "develop" => {
                    let watches = node
                        .as_map_mut()
                        .and_then(|develop| develop.get_mut("watch"))
                        .and_then(Node::as_list_mut);
                    for watch in watches.into_iter().flatten().filter_map(Node::as_map_mut) {
                        for key in ["ignore", "include"] {
                            if let Some(node) = watch.get_mut(key) {
                                text_to_list(node);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        // An empty DNS server means none.
        if let Some(list) = service.get_mut("dns").and_then(Node::as_list_mut) {
            list.retain(|node| !node.is_null() && node.as_text() != Some(""));
        }
    }

    fn each(&mut self, node: &mut Node, mut change: impl FnMut(&mut Self, &mut Node)) {
        for element in node.as_list_mut().into_iter().flatten() {
            change(self, element);
        }
    }

    fn refuse(&mut self, problem: Diagnostic) {
        if self.unreadable == Unreadable::Refuse {
            self.problems.push(problem);
        }
    }

    fn build(&mut self, node: &mut Node, path: &Path<'_>) {
        text_to_map(node, "context");
        let Some(build) = node.as_map_mut() else {
            return;
        };
        for (key, node) in build.iter_mut() {
            let path = path.child(&key.text);
            match key.text.as_str() {
                "secrets" => self.each(node, |_, node| text_to_map(node, "source")),
                "provenance" | "sbom" => {
                    if let Some(text) = node.scalar_text() {
                        node.value = Value::Text(text);
                    }
                }
                "additional_contexts" => self.contexts(node, &path),
                "ssh" => self.ssh(node, &path),
                _ => {}
            }
        }
    }

    fn contexts(&mut self, node: &mut Node, path: &Path<'_>) {
        let Some(list) = node.as_list() else { return };
        let mut map = Map::new();
        for entry in list {
            let Some((name, value)) = entry.as_text().and_then(|text| text.split_once('=')) else {
                let shown = entry.scalar_text().unwrap_or_default();
                self.refuse(
                    Diagnostic::error(format!("`{path}`: `{shown}` has no value"))
                        .at(entry.span.clone())
                        .hint("write NAME=CONTEXT"),
                );
                return;
            };
            map.insert(
                placed(name, &entry.span),
                Node::at(value, entry.span.clone()),
            );
        }
        node.value = Value::Map(map);
    }

    fn ssh(&mut self, node: &mut Node, path: &Path<'_>) {
        let Some(list) = node.as_list() else { return };
        let mut map = Map::new();
        for entry in list {
            let text = entry.scalar_text().unwrap_or_default();
            let span = entry.span.clone();
            match text.split_once('=') {
                Some((name, value)) => {
                    map.insert(placed(name, &span), Node::at(value, span));
                }
                None if text == "default" => {
                    map.insert(placed(&text, &span), Node::at(Value::Null, span));
                }
                None => {
                    self.refuse(
                        Diagnostic::error(format!("`{path}`: `{text}` names no key file"))
                            .at(span)
                            .hint("write `default`, or NAME=PATH"),
                    );
                    return;
                }
            }
        }
        node.value = Value::Map(map);
    }

    fn mount(&mut self, node: &mut Node, path: &Path<'_>) {
        let Some(text) = node.as_text() else { return };
        let short = match mount::parse(text) {
            Ok(short) => short,
            Err(problem) => {
                let problem =
                    Diagnostic::error(format!("`{path}`: `{text}` is no mount: {problem}"))
                        .at(node.span.clone())
                        .hint("a mount is SOURCE:TARGET[:OPTIONS], or the long form with `type:`");
                self.refuse(problem);
                return;
            }
        };
        let at = |value: Value| Node::at(value, node.span.clone());
        let mut map = Map::new();
        let is_bind = short.is_bind();
        map.insert("type", at(if is_bind { "bind" } else { "volume" }.into()));
        if !short.source.is_empty() {
            map.insert("source", at(short.source.into()));
        }
        map.insert("target", at(clean(&short.target).into()));
        if short.read_only {
            map.insert("read_only", at(true.into()));
        }
        // Options that do not belong to the kind of mount are kept, as the peer does.
        let mut bind = Map::new();
        if let Some(selinux) = short.selinux {
            bind.insert("selinux", at(selinux.into()));
        }
        if let Some(propagation) = short.propagation {
            bind.insert("propagation", at(propagation.into()));
        }
        if is_bind {
            bind.insert("create_host_path", at(true.into()));
        }
        if !bind.is_empty() {
            map.insert("bind", at(bind.into()));
        }
        let mut volume = Map::new();
        if short.nocopy {
            volume.insert("nocopy", at(true.into()));
        }
        // The peer takes very short texts as they are.
        let is_tiny = text.len() <= 2;
        if !volume.is_empty() || !(is_bind || is_tiny) {
            map.insert("volume", at(volume.into()));
        }
        node.value = Value::Map(map);
    }

    fn device(&mut self, node: &mut Node, path: &Path<'_>) {
        let Some(text) = node.as_text() else { return };
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, permissions) = match parts.as_slice() {
            [source] => (*source, *source, "rwm"),
            [source, target] => (*source, *target, "rwm"),
            [source, target, permissions] => (*source, *target, *permissions),
            _ => {
                let problem = Diagnostic::error(format!("`{path}`: `{text}` has too many colons"))
                    .at(node.span.clone())
                    .hint("use the long form: source, target, permissions");
                self.refuse(problem);
                return;
            }
        };
        let target = if target.is_empty() { source } else { target };
        let at = |text: &str| Node::at(text, node.span.clone());
        let map = Map::from_iter([
            (Key::made("source"), at(source)),
            (Key::made("target"), at(target)),
            (Key::made("permissions"), at(permissions)),
        ]);
        node.value = Value::Map(map);
    }

    fn ports(&mut self, node: &mut Node, path: &Path<'_>) {
        let Some(list) = node.as_list_mut() else {
            return;
        };
        let mut ports = Vec::with_capacity(list.len());
        for entry in std::mem::take(list) {
            let text = match &entry.value {
                Value::Text(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
                Value::Float(_) => {
                    let shown = entry.scalar_text().unwrap_or_default();
                    self.refuse(
                        Diagnostic::error(format!("`{path}`: {shown} is no port"))
                            .at(entry.span.clone())
                            .hint("put quotes around a port"),
                    );
                    continue;
                }
                _ => {
                    ports.push(entry);
                    continue;
                }
            };
            match port::parse(&text) {
                Ok(short) => {
                    ports.extend(short.into_iter().map(|port| long_port(port, &entry.span)));
                }
                Err(_) if self.unreadable == Unreadable::Keep => ports.push(entry),
                Err(problem) => {
                    self.problems.push(
                        Diagnostic::error(format!("`{path}`: `{text}` is no port: {problem}"))
                            .at(entry.span.clone())
                            .hint("a port is [ADDRESS:][HOST:]CONTAINER[/PROTOCOL], in quotes"),
                    );
                }
            }
        }
        *list = ports;
    }

    fn external(&mut self, node: &mut Node, path: &Path<'_>) {
        let Some(map) = node.as_map_mut() else { return };
        let Some(external) = map.get("external").filter(|node| node.as_map().is_some()) else {
            return;
        };
        let span = external.span.clone();
        let old_name = external.get("name").cloned();
        if let (Some(old), Some(name)) = (&old_name, map.get("name"))
            && old != name
        {
            self.problems.push(
                Diagnostic::error(format!("`{path}`: `name` and `external.name` differ"))
                    .at(old.span.clone())
                    .hint("keep only `name`"),
            );
        }
        map.insert("external", Node::at(true, span));
        if let Some(name) = old_name {
            map.entry_or("name", || name);
        }
    }
}

fn placed(text: &str, span: &Option<Span>) -> Key {
    Key {
        text: text.to_owned(),
        span: span.clone(),
    }
}

fn long_port(port: port::ShortPort, span: &Option<Span>) -> Node {
    let at = |value: Value| Node::at(value, span.clone());
    let mut map = Map::new();
    map.insert("mode", at("ingress".into()));
    if !port.host_ip.is_empty() {
        map.insert("host_ip", at(port.host_ip.into()));
    }
    map.insert("target", at(i64::from(port.target).into()));
    if !port.published.is_empty() {
        map.insert("published", at(port.published.into()));
    }
    map.insert("protocol", at(port.protocol.into()));
    at(map.into())
}

fn text_to_list(node: &mut Node) {
    if node.as_text().is_some() {
        let span = node.span.clone();
        let element = std::mem::take(node);
        *node = Node::at(vec![element], span);
    }
}

fn text_to_map(node: &mut Node, key: &str) {
    if node.as_text().is_some() {
        let span = node.span.clone();
        let element = std::mem::take(node);
        *node = Node::at(Map::from_iter([(Key::made(key), element)]), span);
    }
}

fn names_to_map(node: &mut Node) {
    if let Value::List(list) = &node.value {
        let map = list
            .iter()
            .filter_map(|item| {
                let name = item.as_text()?;
                Some((
                    placed(name, &item.span),
                    Node::at(Value::Null, item.span.clone()),
                ))
            })
            .collect::<Map>();
        node.value = Value::Map(map);
    }
}

fn dependencies(node: &mut Node) {
    let span = node.span.clone();
    match std::mem::take(&mut node.value) {
        Value::List(list) => {
            let mut map = Map::new();
            for item in list {
                if let Some(name) = item.as_text() {
                    map.insert(
                        placed(name, &item.span),
                        Node::at(Map::new(), item.span.clone()),
                    );
                }
            }
            node.value = Value::Map(map);
        }
        value => node.value = value,
    }
    for (_, dependency) in node.as_map_mut().into_iter().flat_map(Map::iter_mut) {
        let at = dependency.span.clone().or_else(|| span.clone());
        if let Some(map) = dependency.as_map_mut() {
            map.entry_or("condition", || Node::at("service_started", at.clone()));
            map.entry_or("required", || Node::at(true, at));
        }
    }
}

fn env_files(node: &mut Node) {
    text_to_list(node);
    for entry in node.as_list_mut().into_iter().flatten() {
        text_to_map(entry, "path");
        let span = entry.span.clone();
        if let Some(map) = entry.as_map_mut() {
            map.entry_or("required", || Node::at(true, span));
        }
    }
}

/// A path without `.`, `..` and doubled slashes, where that can be told from the text alone.
pub(super) fn clean(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Fills in what every project has when it says nothing else.
pub(super) fn set_defaults(project: &mut Map) {
    for (_, service) in entries(project, "services") {
        let Some(service) = service.as_map_mut() else {
            continue;
        };
        if let Some(build) = service.get_mut("build") {
            let span = build.span.clone();
            if let Some(build) = build.as_map_mut() {
                build.entry_or("context", || Node::at(".", span));
            }
        }
        for secret in list_in(service, &["secrets"]) {
            let span = secret.span.clone();
            if let Some(map) = secret.as_map_mut() {
                let source = map
                    .get("source")
                    .and_then(Node::scalar_text)
                    .unwrap_or_default();
                map.entry_or("target", || {
                    Node::at(format!("/run/secrets/{source}"), span)
                });
            }
        }
        for port in list_in(service, &["ports"]) {
            let span = port.span.clone();
            if let Some(map) = port.as_map_mut() {
                map.entry_or("protocol", || Node::at("tcp", span.clone()));
                map.entry_or("mode", || Node::at("ingress", span));
            }
        }
        for keys in [
            &["deploy", "resources", "reservations", "devices"][..],
            &["gpus"],
        ] {
            for device in list_in(service, keys) {
                let span = device.span.clone();
                if let Some(map) = device.as_map_mut()
                    && !map.contains("count")
                    && !map.contains("device_ids")
                {
                    map.insert("count", Node::at("all", span));
                }
            }
        }
    }
}

fn list_in<'m>(map: &'m mut Map, keys: &[&str]) -> impl Iterator<Item = &'m mut Node> {
    let mut at = keys.first().and_then(|key| map.get_mut(key));
    for key in keys.iter().skip(1) {
        at = at
            .and_then(Node::as_map_mut)
            .and_then(|map| map.get_mut(key));
    }
    at.and_then(Node::as_list_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_text() {
        for (path, cleaned) in [
            ("/a//b/./c/..", "/a/b"),
            ("a/../..", ".."),
            ("./", "."),
            ("/..", "/"),
            ("", ""),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }
}
