//! Services of a project without a Compose file that listen on another port than their code seemed to
//! say, or whose code does not say one: seen while they start, followed, and remembered for the next
//! start on this machine. A port that a file states stays as it is stated.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_image::Replacement;
use plimsoll_model::facts::{Health, ServiceKind};
use plimsoll_model::{HealthTest, NetworkMode, Port, Project, Protocol, Service};
use plimsoll_run::stack::{ServiceReport, StackPaths, taken_ports};
use plimsoll_run::{ContainerHandle, listening};
use serde::{Deserialize, Serialize};

/// How often it is looked where services listen.
const LOOK: Duration = Duration::from_millis(250);
/// How long a service that listens elsewhere gets to open the port that was expected, too.
const SETTLED: Duration = Duration::from_secs(8);
/// How long it gets to open another, where none was expected.
const FIRST: Duration = Duration::from_secs(1);
/// How long after all are up a service is waited for that should listen somewhere.
const AFTERWARDS: Duration = Duration::from_secs(30);
/// Where it is remembered, below the project's data.
const MEMORY: &str = "listens.json";

/// A service that listens elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Move {
    service: String,
    /// Where its code seemed to listen; `None`: it did not seem to anywhere.
    from: Option<u16>,
    /// Where it does.
    to: u16,
}

/// Watches services while they start, until `over`, and until all listen somewhere; once some are seen
/// to be astray, sets `enough`, and gives them.
pub(crate) fn watch(
    project: &Project,
    services: &[String],
    paths: &StackPaths,
    over: &AtomicBool,
    enough: &AtomicBool,
) -> Vec<Move> {
    let watched: Vec<&Service> = services
        .iter()
        .filter_map(|name| project.services.get(name))
        .filter(|service| answers(service))
        .collect();
    let mut since: BTreeMap<&str, (u16, Instant)> = BTreeMap::new();
    let mut all_up: Option<Instant> = None;
    while !watched.is_empty() {
        let mut settled = Vec::new();
        let mut silent = false;
        for service in &watched {
            let expected = &service.facts.ports;
            let runs = process(project, paths, service);
            silent |= expected.is_empty() && runs.is_some();
            let open = open_ports(&runs.map(listening).unwrap_or_default());
            let Some(to) = elsewhere(expected, &open) else {
                since.remove(service.name.as_str());
                continue;
            };
            let seen = since
                .entry(&service.name)
                .or_insert_with(|| (to, Instant::now()));
            if seen.0 != to {
                *seen = (to, Instant::now());
            }
            let patience = match expected.is_empty() {
                true => FIRST,
                false => SETTLED,
            };
            if seen.1.elapsed() > patience {
                settled.push(Move {
                    service: service.name.clone(),
                    from: expected.first().copied(),
                    to,
                });
            }
        }
        if !settled.is_empty() {
            enough.store(true, Ordering::Relaxed);
            return settled;
        }
        if over.load(Ordering::Relaxed) {
            let since = *all_up.get_or_insert_with(Instant::now);
            if !silent || since.elapsed() > AFTERWARDS || enough.load(Ordering::Relaxed) {
                break;
            }
        }
        std::thread::sleep(LOOK);
    }
    Vec::new()
}

/// The one open port of a service that listens on none that was expected.
fn elsewhere(expected: &[u16], open: &BTreeSet<u16>) -> Option<u16> {
    let mut all = open.iter();
    match (all.next(), all.next()) {
        (Some(port), None) if !expected.contains(port) => Some(*port),
        _ => None,
    }
}

fn answers(service: &Service) -> bool {
    matches!(
        service.facts.kind,
        Some(ServiceKind::Web | ServiceKind::Ui | ServiceKind::McpHttp)
    )
}

/// The first process of a service that runs.
fn process(project: &Project, paths: &StackPaths, service: &Service) -> Option<i32> {
    let container = paths.container(&format!("{}-{}-1", project.name, service.name));
    let state = ContainerHandle::new(&container).state().ok()?;
    match state.is_final() {
        true => None,
        false => state.pid,
    }
}

/// The ports among these addresses that others reach.
fn open_ports(addresses: &[SocketAddr]) -> BTreeSet<u16> {
    let open = addresses
        .iter()
        .filter(|address| !address.ip().to_canonical().is_loopback());
    open.map(SocketAddr::port).collect()
}

/// Has the project say where a service really listens; tells it.
pub(crate) fn follow(project: &mut Project, one: &Move, paths: &StackPaths) -> Diagnostic {
    let Move { service, from, to } = one;
    let span = project
        .services
        .get(service)
        .and_then(|service| service.span.clone());
    if let Some(from) = from {
        lead(project, service, *from, *to);
    } else if let Some(found) = project.services.get_mut(service) {
        found.facts.ports.push(*to);
    }
    publish(project, one, paths);
    let seemed = match from {
        Some(from) => format!("not on {from} as its code reads"),
        None => "which its code does not show".to_owned(),
    };
    Diagnostic::warning(format!(
        "`{service}` listens on {to}, {seemed}: it is published from there"
    ))
    .at(span)
    .hint("`plimsoll init` writes a `compose.yaml` where `ports` and `healthcheck` can say so")
}

/// Leads checks and the other services to the port.
fn lead(project: &mut Project, service: &str, from: u16, to: u16) {
    if let Some(moved) = project.services.get_mut(service) {
        for port in moved.facts.ports.iter_mut().filter(|port| **port == from) {
            *port = to;
        }
        match &mut moved.facts.health {
            Some(Health::Http(route)) if route.port == from => route.port = to,
            Some(Health::Tcp { port }) if *port == from => *port = to,
            _ => {}
        }
        if let Some(check) = &mut moved.healthcheck
            && let Some(HealthTest::Exec(words)) = &mut check.value.test
        {
            for word in words {
                *word = with_port(word, "127.0.0.1", from, to);
            }
        }
    }
    for other in project.services.values_mut() {
        for value in other.environment.values_mut() {
            if let Some(text) = &mut value.value {
                *text = with_port(text, service, from, to);
            }
        }
    }
}

/// A text in which an address has another port.
fn with_port(text: &str, host: &str, from: u16, to: u16) -> String {
    let old = format!("{host}:{from}");
    let mut parts = text.split(old.as_str()).peekable();
    let mut out = String::new();
    while let Some(part) = parts.next() {
        out.push_str(part);
        let Some(next) = parts.peek() else { break };
        // `api:80` is no part of `api:8000`, and `my-api:80` is another host.
        let ends = !next.starts_with(|c: char| c.is_ascii_digit());
        let begins = !part.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'));
        match ends && begins {
            true => out.push_str(&format!("{host}:{to}")),
            false => out.push_str(&old),
        }
    }
    out
}

/// Publishes the port, at the same number where that is free.
fn publish(project: &mut Project, one: &Move, paths: &StackPaths) {
    let owner = match project
        .services
        .get(&one.service)
        .and_then(|service| service.network_mode.as_ref())
        .map(|mode| &mode.value)
    {
        Some(NetworkMode::Service(other)) => other.clone(),
        _ => one.service.clone(),
    };
    let Some(service) = project.services.get_mut(&owner) else {
        return;
    };
    let is_meant =
        |port: &&mut Spanned<Port>| Some(port.target) == one.from && port.protocol == Protocol::Tcp;
    let before = match service.ports.iter_mut().find(is_meant) {
        Some(port) => {
            port.value.target = one.to;
            port.value.published.replace(one.to)
        }
        None => {
            service.ports.push(Spanned::unplaced(Port {
                host_ip: None,
                published: Some(one.to),
                target: one.to,
                protocol: Protocol::Tcp,
            }));
            None
        }
    };
    let bind = Ipv4Addr::LOCALHOST.into();
    let names: Vec<String> = project.services.keys().cloned().collect();
    let ours = plimsoll_run::network::Keeper::connect(&paths.keeper())
        .and_then(|mut keeper| keeper.status())
        .map(|status| status.published)
        .unwrap_or_default();
    let is_taken = !taken_ports(project, &names, &ours, bind).is_empty();
    if is_taken
        && let Some(service) = project.services.get_mut(&owner)
        && let Some(port) = service.ports.iter_mut().find(|port| port.target == one.to)
    {
        port.value.published = before;
    }
}

/// What earlier starts of the project showed, as far as the code still seems to say the same.
pub(crate) fn remembered(project: &Project, paths: &StackPaths) -> Vec<Move> {
    let text = fs_err::read_to_string(paths.project_data().join(MEMORY)).unwrap_or_default();
    let moves: Vec<Move> = serde_json::from_str(&text).unwrap_or_default();
    let fits = |one: &Move| {
        let service = project.services.get(&one.service);
        service.is_some_and(|service| match one.from {
            Some(from) => service.facts.ports.contains(&from),
            None => service.facts.ports.is_empty(),
        })
    };
    moves.into_iter().filter(fits).collect()
}

/// Keeps it for the next start. A memory that cannot be written is none.
pub(crate) fn remember(moves: &[Move], paths: &StackPaths) {
    let directory = paths.project_data();
    let text = serde_json::to_string(moves).unwrap_or_default();
    let _ = fs_err::create_dir_all(&directory)
        .and_then(|()| Replacement::write(&directory.join(MEMORY), text.as_bytes()));
}

/// Adds what was seen now to what is known: a service that moved twice came from where it was first.
pub(crate) fn join(known: &mut Vec<Move>, seen: Vec<Move>) {
    for one in seen {
        match known
            .iter_mut()
            .find(|other| other.service == one.service && Some(other.to) == one.from)
        {
            Some(other) => other.to = one.to,
            None => known.push(one),
        }
    }
    known.retain(|one| one.from != Some(one.to));
}

/// Published ports behind which a service listens for its own container alone.
pub(crate) fn unreachable(
    project: &Project,
    reports: &[ServiceReport],
    paths: &StackPaths,
) -> Vec<Diagnostic> {
    let shares = |service: &Service| service.network_mode.is_some();
    // Who listens for whom is not told apart there.
    if project.services.values().any(shares) {
        return Vec::new();
    }
    let mut told = Vec::new();
    for report in reports {
        let Some(service) = project.services.get(&report.service) else {
            continue;
        };
        if service.recipe.is_none() || report.published.is_empty() {
            continue;
        }
        let runs = process(project, paths, service);
        let addresses = runs.map(listening).unwrap_or_default();
        let open = open_ports(&addresses);
        let is_shut = |port: &u16| {
            !open.contains(port) && addresses.iter().any(|address| address.port() == *port)
        };
        let mut targets = report.published.iter().map(|port| port.target);
        if let Some(port) = targets.find(is_shut) {
            let name = &service.name;
            told.push(
                Diagnostic::warning(format!(
                    "`{name}` listens on 127.0.0.1:{port} inside of its container, where nobody \
                     else reaches it"
                ))
                .at(service.span.clone())
                .hint("have it listen on 0.0.0.0"),
            );
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use plimsoll_model::Healthcheck;

    use super::*;

    #[test]
    fn only_a_service_with_one_other_port_is_astray() {
        let open = |ports: &[u16]| ports.iter().copied().collect::<BTreeSet<u16>>();
        assert_eq!(elsewhere(&[8000], &open(&[8003])), Some(8003));
        assert_eq!(elsewhere(&[8000], &open(&[8000])), None);
        assert_eq!(elsewhere(&[8000], &open(&[8000, 9100])), None);
        assert_eq!(elsewhere(&[8000], &open(&[8003, 9100])), None);
        assert_eq!(elsewhere(&[8000], &open(&[])), None);
        assert_eq!(elsewhere(&[], &open(&[8003])), Some(8003));
    }

    #[test]
    fn all_that_leads_to_a_service_follows_it() {
        let mut project = Project::default();
        let mut api = Service {
            name: "api".to_owned(),
            ports: vec![Spanned::unplaced(Port {
                host_ip: None,
                published: Some(8000),
                target: 8000,
                protocol: Protocol::Tcp,
            })],
            healthcheck: Some(Spanned::unplaced(Healthcheck {
                test: Some(HealthTest::Exec(vec![
                    "plimsoll-probe".to_owned(),
                    "http://127.0.0.1:8000/health".to_owned(),
                ])),
                interval: None,
                timeout: None,
                retries: None,
                start_period: None,
                start_interval: None,
            })),
            ..Service::default()
        };
        api.facts.ports.push(8000);
        let mut page = Service::default();
        let address = "http://api:8000/v1,http://my-api:8000,http://api:80001";
        let address = Spanned::unplaced(Some(address.to_owned()));
        page.environment.insert("API".to_owned(), address);
        project.services.insert("api".to_owned(), api);
        project.services.insert("page".to_owned(), page);
        lead(&mut project, "api", 8000, 8003);
        let api = &project.services["api"];
        assert_eq!(api.facts.ports, [8003]);
        let test = api.healthcheck.as_ref().unwrap().test.as_ref().unwrap();
        assert!(matches!(test, HealthTest::Exec(words) if words[1].ends_with(":8003/health")));
        assert_eq!(
            project.services["page"].environment["API"].as_deref(),
            Some("http://api:8003/v1,http://my-api:8000,http://api:80001")
        );
    }

    #[test]
    fn what_was_seen_is_kept_as_long_as_the_code_says_the_same() {
        let data = tempfile::tempdir().unwrap();
        let paths = StackPaths::new(data.path(), Path::new("/nowhere"), "desk");
        let of = |from, to| Move {
            service: "api".to_owned(),
            from: Some(from),
            to,
        };
        let mut known = Vec::new();
        join(&mut known, vec![of(8000, 8003)]);
        join(&mut known, vec![of(8003, 8004)]);
        assert_eq!(known, [of(8000, 8004)]);
        remember(&known, &paths);
        let mut project = Project::default();
        let mut api = Service::default();
        api.facts.ports.push(8000);
        project.services.insert("api".to_owned(), api);
        assert_eq!(remembered(&project, &paths), known);
        let api = project.services.get_mut("api").unwrap();
        api.facts.ports = vec![9000];
        assert_eq!(remembered(&project, &paths), []);
        // Back to where it was expected.
        join(&mut known, vec![of(8004, 8000)]);
        assert_eq!(known, []);
    }
}
