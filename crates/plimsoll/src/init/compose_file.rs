//! The Compose file of a project that has none: what was found, each entry below its evidence.

use std::collections::BTreeSet;

use plimsoll_detect::{DetectedService, Detection, Shim};
use plimsoll_model::facts::{Health, Stream};
use plimsoll_model::yaml::{Key, Map, Node, to_yaml};
use plimsoll_model::{Project, Service};

use super::service_entry::{entry, references};

/// Width of a comment's line.
const WIDTH: usize = 96;
/// Lines of evidence that a service gets at most.
const MOST_EVIDENCE: usize = 4;

const HEADER: &str = "\
# What `plimsoll init` found in the source. Edit it: it is yours. After a change of the code
# `plimsoll init` adds what is new and leaves what you edited.
#
#   plimsoll up         needs nothing else
#   docker compose up   needs Dockerfiles (`plimsoll render dockerfile`) and a `.env` (`.env.example`)
";

/// A Compose file with the comments above its entries.
#[derive(Debug, Clone)]
pub(crate) struct ComposeFile {
    /// What it holds.
    pub(crate) tree: Node,
    header: String,
    services: Vec<(String, Vec<String>)>,
}

impl ComposeFile {
    /// The file for a project that was inferred from its source.
    pub(crate) fn of(project: &Project, detection: &Detection) -> Self {
        let mut services = Map::new();
        let mut comments = Vec::new();
        for service in project.services.values() {
            services.insert(service.name.as_str(), Node::made(entry(project, service)));
            comments.push((service.name.clone(), comment(project, service, detection)));
        }
        let mut root = Map::from_iter([(Key::made("services"), Node::made(services))]);
        if !project.volumes.is_empty() {
            let volumes: Map = project
                .volumes
                .keys()
                .map(|name| (Key::made(name.clone()), Node::made(Map::new())))
                .collect();
            root.insert("volumes", Node::made(volumes));
        }
        let generated = generated(project);
        if !generated.is_empty() {
            let names = generated.into_iter().map(Node::made).collect::<Vec<_>>();
            let own = Map::from_iter([(Key::made("generate"), Node::made(names))]);
            root.insert("x-plimsoll", Node::made(own));
        }
        Self {
            tree: Node::made(root),
            header: HEADER.to_owned(),
            services: comments,
        }
    }

    /// A file of services that already exist elsewhere.
    pub(crate) fn overlay(
        header: String,
        services: Map,
        comments: Vec<(String, Vec<String>)>,
    ) -> Self {
        Self {
            tree: Node::made(Map::from_iter([(
                Key::made("services"),
                Node::made(services),
            )])),
            header,
            services: comments,
        }
    }

    /// The lines above a service.
    pub(crate) fn comment(&self, service: &str) -> &[String] {
        let known = self.services.iter().find(|(name, _)| name == service);
        known.map_or(&[], |(_, lines)| lines)
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        let mut text = self.header.clone();
        for (key, node) in self.tree.as_map().into_iter().flat_map(Map::iter) {
            text.push('\n');
            if key.text != "services" {
                text.push_str(&alone(&key.text, node));
                continue;
            }
            if node
                .as_map()
                .is_none_or(|services| services.iter().next().is_none())
            {
                text.push_str("services: {}\n");
                continue;
            }
            text.push_str("services:\n");
            for (index, (name, node)) in node.as_map().into_iter().flat_map(Map::iter).enumerate() {
                if index > 0 {
                    text.push('\n');
                }
                for line in self.comment(&name.text) {
                    text.push_str(format!("  # {line}").trim_end());
                    text.push('\n');
                }
                for line in alone(&name.text, node).lines() {
                    text.push_str(format!("  {line}").trim_end());
                    text.push('\n');
                }
            }
        }
        text
    }
}

fn alone(key: &str, node: &Node) -> String {
    to_yaml(&Node::made(Map::from_iter([(
        Key::made(key),
        node.clone(),
    )])))
}

/// The variables that hold what this machine makes up.
pub(super) fn generated(project: &Project) -> BTreeSet<String> {
    let values = project
        .services
        .values()
        .flat_map(|service| service.environment.values())
        .filter_map(|value| value.value.as_deref());
    values.flat_map(references).map(str::to_owned).collect()
}

/// What is known of a service, a line each.
fn comment(project: &Project, service: &Service, detection: &Detection) -> Vec<String> {
    let mut lines = Vec::new();
    match detection.service(&service.name) {
        Some(detected) => of_detected(detected, &mut lines),
        None => of_other(project, service, detection, &mut lines),
    }
    for shim in &detection.shims {
        if shim.service == service.name {
            lines.push(help_line(shim));
        }
    }
    lines.iter().flat_map(|line| wrapped(line)).collect()
}

/// Help, and why it is needed.
pub(super) fn help_line(shim: &Shim) -> String {
    let place = shim.evidence.first().map_or(String::new(), |evidence| {
        format!(" ({}: {})", place(&evidence.span), evidence.why)
    });
    format!("help: {}{place}", shim.words())
}

fn of_detected(detected: &DetectedService, lines: &mut Vec<String>) {
    let mut what = detected
        .framework
        .clone()
        .unwrap_or_else(|| detected.language.clone().into_owned());
    if let Some(version) = &detected.version {
        what.push_str(&format!(" {version}"));
    }
    for other in &detected.built_with {
        what.push_str(&format!(", {other}"));
    }
    if let Some(from) = &detected.dependencies_from {
        what.push_str(&format!(" · {}", from.display()));
    }
    lines.push(format!("{what} · {}", place(&detected.defined_at)));
    for evidence in detected.evidence.iter().take(MOST_EVIDENCE) {
        lines.push(format!("{} · {}", evidence.why, place(&evidence.span)));
    }
    match &detected.health {
        Some(Health::Http(route)) => {
            let at = route
                .span
                .as_ref()
                .map(|span| format!(" · {}", place(span)));
            lines.push(format!(
                "health: GET {} on port {}{}",
                route.path,
                route.port,
                at.unwrap_or_default()
            ));
        }
        Some(Health::Tcp { port }) => lines.push(format!("health: port {port} is listened on")),
        Some(Health::Command { name, .. }) => lines.push(format!("health: answers its {name}")),
        Some(Health::McpHandshake) | None => {}
    }
    match detected.stream {
        Some(Stream::Sse) => lines.push("streams by server-sent events".to_owned()),
        Some(Stream::Websocket) => lines.push("streams over WebSocket".to_owned()),
        None => {}
    }
    if let Some(most) = detected.replicas_max {
        lines.push(format!(
            "at most {most} of it may run: its state is its own"
        ));
    }
    if !detected.writes.is_empty() {
        lines.push(format!("writes {}", detected.writes.join(", ")));
    }
}

fn of_other(project: &Project, service: &Service, detection: &Detection, lines: &mut Vec<String>) {
    let need = service.facts.provides.and_then(|kind| {
        let mut needs = detection.needs.iter();
        needs.find(|need| need.kind == kind)
    });
    if let Some(need) = need {
        let how = need.how.as_deref().map(|how| format!(" by {how}"));
        lines.push(format!(
            "needed by {}{}",
            need.services.join(", "),
            how.unwrap_or_default()
        ));
        for evidence in need.evidence.iter().take(2) {
            lines.push(format!("{} · {}", evidence.why, place(&evidence.span)));
        }
        return;
    }
    let waits: Vec<&str> = project
        .services
        .values()
        .filter(|other| other.depends_on.contains_key(&service.name))
        .map(|other| other.name.as_str())
        .collect();
    if !waits.is_empty() {
        lines.push(format!("runs before {}", waits.join(", ")));
    }
}

pub(super) fn place(span: &plimsoll_diag::Span) -> String {
    format!("{}:{}", span.file.display(), span.start.line)
}

/// A comment in lines that are not too long. A line end in it would end the comment.
pub(super) fn wrapped(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let word: String = word.chars().filter(|c| !c.is_control()).collect();
        if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
            lines.push(std::mem::take(&mut line));
            line.push(' ');
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
