//! Services as every target sees them: what they are, what they listen on, how their health shows,
//! what in their environment is secret, where they write.
//!
//! A fact comes from the Compose file where it says so, else from what detection found in the
//! source. Renderers decide on workloads, so that no two of them read the same service otherwise.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_diag::{Span, Spanned};
use plimsoll_model::extension::{Extension, Kind};
use plimsoll_model::facts::{Health, NeedKind, Route, ServiceKind};
use plimsoll_model::{
    DependencyCondition, HealthRequest, HealthTest, Mount, MountKind, Project, Protocol, Service,
};
use serde::Serialize;

use crate::Input;

/// One service as targets see it.
#[derive(Debug, Clone)]
pub struct Workload<'a> {
    /// The service.
    pub service: &'a Service,
    /// What its `x-plimsoll` says.
    pub extension: Option<&'a Extension>,
    /// What it does.
    pub role: Role,
    /// Whether there is one of it on each node (`deploy.mode: global`).
    pub everywhere: bool,
    /// What it keeps for others, where it is a backing service.
    pub store: Option<Store>,
    /// What it listens on, by port; the first one that carries requests is its main one.
    pub listeners: Vec<Listener>,
    /// How its health shows.
    pub probe: Option<Probe>,
    /// Where Prometheus reads its metrics; only what the source really serves.
    pub metrics: Option<Route>,
    /// Names of its variables that hold secrets.
    pub secret_variables: BTreeSet<String>,
    /// Its mounts, with those it takes from others (`volumes_from`).
    pub mounts: Vec<Spanned<Mount>>,
    /// Whether another service mounts a volume of its.
    pub shares_volumes: bool,
    /// Directories it must be able to write to: mounts, and memory where the image needs it.
    pub writable: Vec<PathBuf>,
    /// The reference of its image: as written, or as it will be published.
    pub image: String,
}

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Answers requests of programs.
    Web,
    /// Shows pages to people.
    Ui,
    /// Works off a queue.
    Worker,
    /// Starts work at set times, as long as it runs.
    Scheduler,
    /// Runs once.
    Job,
    /// Is started at set times.
    Cron,
    /// Keeps data.
    Datastore,
    /// Speaks to one client over standard input and output.
    Stdio,
    /// Anything else that keeps running.
    Daemon,
}

impl Role {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Web => "web",
            Role::Ui => "ui",
            Role::Worker => "worker",
            Role::Scheduler => "scheduler",
            Role::Job => "job",
            Role::Cron => "cron",
            Role::Datastore => "datastore",
            Role::Stdio => "stdio",
            Role::Daemon => "daemon",
        }
    }
}

/// What a backing service keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Store {
    /// What it is; `None`: a database of a kind that is not known.
    pub kind: Option<NeedKind>,
}

/// A port that a service listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// Whether it carries HTTP.
    pub http: bool,
    /// The ports of the host it is published on.
    pub published: Vec<u16>,
    /// Whether it is published on loopback addresses only.
    pub loopback: bool,
    /// Its place.
    pub span: Option<Span>,
}

/// How a service's health shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is tried.
    pub test: ProbeTest,
    /// Time between two tries.
    pub interval: Duration,
    /// Time a try may take.
    pub timeout: Duration,
    /// Failures in a row that mean unhealthy.
    pub retries: u32,
    /// Time after the start in which failures do not count.
    pub start_period: Duration,
    /// Time between two tries in that time.
    pub start_interval: Duration,
    /// Its place.
    pub span: Option<Span>,
}

/// What a health check tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeTest {
    /// A GET of this path.
    Http {
        /// The port.
        port: u16,
        /// The path, with its leading slash.
        path: String,
    },
    /// A connection.
    Tcp {
        /// The port.
        port: u16,
    },
    /// A program in the container.
    Exec(Vec<String>),
    /// A line for the container's shell.
    Shell(String),
}

/// The workloads of a project, by name.
pub fn workloads<'a>(input: &Input<'a>) -> Vec<Workload<'a>> {
    input
        .project
        .services
        .values()
        .map(|service| Workload::of(input, service))
        .collect()
}

impl<'a> Workload<'a> {
    /// What one service is.
    pub fn of(input: &Input<'a>, service: &'a Service) -> Self {
        let extension = input.extensions.services.get(&service.name);
        let store = store(service, extension);
        let probe = probe(service);
        Self {
            service,
            extension,
            role: match mode(input, service) {
                Some("replicated-job" | "global-job") => Role::Job,
                _ => role(service, extension, store),
            },
            everywhere: mode(input, service) == Some("global"),
            store,
            listeners: listeners(service, extension, store, probe.as_ref()),
            metrics: service.facts.metrics.clone(),
            secret_variables: secret_variables(input, service),
            shares_volumes: shares_volumes(input.project, service),
            mounts: mounts(input.project, service),
            writable: writable(service),
            image: image(input, service),
            probe,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        &self.service.name
    }

    /// The listener that requests go to.
    pub fn main(&self) -> Option<&Listener> {
        self.listeners
            .iter()
            .find(|listener| listener.http)
            .or_else(|| self.listeners.first())
    }

    /// The command, in exec form, by which its image itself can tell whether it works; `None`
    /// where nothing is known or the image cannot ask.
    pub fn health_command(&self) -> Option<Vec<String>> {
        crate::health::command(self)
    }

    /// Whether it keeps running.
    pub fn is_daemon(&self) -> bool {
        !matches!(self.role, Role::Job | Role::Cron | Role::Stdio)
    }

    /// The names of volumes it mounts, with the path each.
    pub fn volumes(&self) -> impl Iterator<Item = (&str, &std::path::Path)> {
        self.mounts
            .iter()
            .filter_map(|mount| match &mount.value.kind {
                MountKind::Volume {
                    name: Some(name), ..
                } => Some((name.as_str(), mount.value.target.as_path())),
                _ => None,
            })
    }

    /// Whether it keeps data between two starts.
    pub fn is_stateful(&self) -> bool {
        self.volumes().next().is_some()
    }

    /// Whether others wait until it has ended with success.
    pub fn is_awaited_to_end(&self, all: &[Workload<'_>]) -> bool {
        all.iter().any(|other| {
            other
                .service
                .depends_on
                .get(self.name())
                .is_some_and(|dependency| {
                    dependency.value.condition == DependencyCondition::ServiceCompletedSuccessfully
                })
        })
    }
}

/// `deploy.mode`, where it is said.
fn mode<'a>(input: &Input<'a>, service: &Service) -> Option<&'a str> {
    input
        .node(&service.name)?
        .find(&["deploy", "mode"])?
        .as_text()
}

/// The mounts of a service, with those of the services in its `volumes_from` behind them; of two
/// with one target the first counts.
pub(crate) fn mounts(project: &Project, service: &Service) -> Vec<Spanned<Mount>> {
    let mut all = service.volumes.clone();
    for from in &service.volumes_from {
        let Some(other) = project.services.get(&from.value.service) else {
            continue;
        };
        for mount in &other.volumes {
            if all.iter().all(|own| own.value.target != mount.value.target) {
                let mut mount = mount.clone();
                mount.value.read_only |= from.value.read_only;
                all.push(mount);
            }
        }
    }
    all
}

/// Whether a service mounts this volume of the project.
pub(crate) fn has_volume(project: &Project, service: &Service, volume: &str) -> bool {
    mounts(project, service).iter().any(|mount| {
        matches!(&mount.value.kind, MountKind::Volume { name: Some(name), .. } if name == volume)
    })
}

fn shares_volumes(project: &Project, service: &Service) -> bool {
    mounts(project, service)
        .iter()
        .any(|mount| match &mount.value.kind {
            MountKind::Volume {
                name: Some(name), ..
            } => project
                .services
                .values()
                .any(|other| other.name != service.name && has_volume(project, other, name)),
            _ => false,
        })
}

fn store(service: &Service, extension: Option<&Extension>) -> Option<Store> {
    let kind = service
        .facts
        .provides
        .or_else(|| NeedKind::of_image(&service.image.as_ref()?.value));
    let said = extension
        .and_then(|extension| extension.kind.as_ref())
        .is_some_and(|kind| matches!(kind.value, Kind::Database | Kind::Cache));
    (said || kind.is_some()).then_some(Store { kind })
}

fn role(service: &Service, extension: Option<&Extension>, store: Option<Store>) -> Role {
    if let Some(kind) = extension.and_then(|extension| extension.kind.as_ref()) {
        return match kind.value {
            Kind::Web | Kind::Model => Role::Web,
            Kind::Worker => Role::Worker,
            Kind::Job => Role::Job,
            Kind::Cron => Role::Cron,
            Kind::Database | Kind::Cache => Role::Datastore,
            Kind::Mcp if service.facts.kind == Some(ServiceKind::McpStdio) => Role::Stdio,
            Kind::Mcp => Role::Web,
        };
    }
    if store.is_some() {
        return Role::Datastore;
    }
    match service.facts.kind {
        Some(ServiceKind::Web | ServiceKind::McpHttp) => Role::Web,
        Some(ServiceKind::Ui) => Role::Ui,
        Some(ServiceKind::Worker) => Role::Worker,
        Some(ServiceKind::Scheduler) => Role::Scheduler,
        Some(ServiceKind::McpStdio) => Role::Stdio,
        Some(ServiceKind::Cli | ServiceKind::Job) => Role::Job,
        None if !service.ports.is_empty() => Role::Web,
        None => Role::Daemon,
    }
}

/// Ports from `ports`, `expose`, the source, and the health check, each once.
fn listeners(
    service: &Service,
    extension: Option<&Extension>,
    store: Option<Store>,
    probe: Option<&Probe>,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    let datastore = store.is_some();
    let mut add = |port: u16, protocol: Protocol, span: Option<Span>| {
        let known = listeners
            .iter()
            .position(|listener| listener.port == port && listener.protocol == protocol);
        known.unwrap_or_else(|| {
            listeners.push(Listener {
                port,
                protocol,
                http: protocol == Protocol::Tcp && !datastore,
                published: Vec::new(),
                loopback: true,
                span,
            });
            listeners.len() - 1
        })
    };
    if let Some(port) = extension
        .and_then(|extension| extension.route.as_ref())
        .and_then(|route| route.value.port)
    {
        add(port, Protocol::Tcp, None);
    }
    let published: Vec<(usize, Option<u16>, bool)> = service
        .ports
        .iter()
        .map(|port| {
            let index = add(port.value.target, port.value.protocol, port.span.clone());
            let loopback = port.value.host_ip.is_some_and(|ip| ip.is_loopback());
            (index, port.value.published, loopback)
        })
        .collect();
    for exposed in &service.expose {
        let (port, protocol) = match exposed.value.split_once('/') {
            Some((port, "udp")) => (port, Protocol::Udp),
            Some((port, _)) => (port, Protocol::Tcp),
            None => (exposed.value.as_str(), Protocol::Tcp),
        };
        if let Ok(port) = port.parse() {
            add(port, protocol, exposed.span.clone());
        }
    }
    let usual = store.and_then(|store| store.kind).map(NeedKind::port);
    for port in usual.iter().chain(&service.facts.ports) {
        add(*port, Protocol::Tcp, None);
    }
    if let Some(recipe) = &service.recipe {
        for port in &recipe.ports {
            add(*port, Protocol::Tcp, None);
        }
    }
    if let Some(ProbeTest::Http { port, .. } | ProbeTest::Tcp { port }) =
        probe.map(|probe| &probe.test)
    {
        add(*port, Protocol::Tcp, None);
    }
    for (index, port, loopback) in published {
        listeners[index].published.extend(port);
        listeners[index].loopback &= loopback;
    }
    listeners
}

fn probe(service: &Service) -> Option<Probe> {
    let Some(check) = &service.healthcheck else {
        return found_probe(service);
    };
    let value = &check.value;
    let test = match value.test.as_ref() {
        None => return found_probe(service),
        Some(HealthTest::Disabled) => return None,
        Some(test) => request(test).unwrap_or_else(|| match test {
            HealthTest::Exec(words) => ProbeTest::Exec(words.clone()),
            HealthTest::Shell(line) => ProbeTest::Shell(line.clone()),
            HealthTest::Disabled => ProbeTest::Exec(Vec::new()),
        }),
    };
    // Docker's own defaults.
    Some(Probe {
        test,
        interval: value.interval.unwrap_or(Duration::from_secs(30)),
        timeout: value.timeout.unwrap_or(Duration::from_secs(30)),
        retries: value.retries.unwrap_or(3),
        start_period: value.start_period.unwrap_or_default(),
        start_interval: value.start_interval.unwrap_or(Duration::from_secs(5)),
        span: check.span.clone(),
    })
}

/// What the source tells of a service's health.
fn found_probe(service: &Service) -> Option<Probe> {
    let (test, span) = match service.facts.health.as_ref()? {
        Health::Http(route) => (
            ProbeTest::Http {
                port: route.port,
                path: route.path.clone(),
            },
            route.span.clone(),
        ),
        Health::Tcp { port } => (ProbeTest::Tcp { port: *port }, None),
        Health::Command { command, .. } => (ProbeTest::Exec(command.clone()), None),
        Health::McpHandshake => return None,
    };
    Some(Probe {
        test,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        retries: 3,
        start_period: Duration::from_secs(60),
        start_interval: Duration::from_secs(2),
        span,
    })
}

/// The request that a test makes to the service itself.
fn request(test: &HealthTest) -> Option<ProbeTest> {
    let (address, is_http) = match HealthRequest::of_test(test)? {
        HealthRequest::Http(url) => (url, true),
        // Kubernetes knows no probe that any status satisfies.
        HealthRequest::HttpAnyStatus(_) => return None,
        HealthRequest::Tcp(address) => (address, false),
    };
    let rest = address.strip_prefix("http://").unwrap_or(&address);
    if rest.contains("://") {
        return None;
    }
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    if !matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0") {
        return None;
    }
    Some(if is_http {
        ProbeTest::Http {
            port,
            path: path.to_owned(),
        }
    } else {
        ProbeTest::Tcp { port }
    })
}

/// Variables that detection or their name calls secret. The value of a connection string is one,
/// too, when a password stands in it.
fn secret_variables(input: &Input<'_>, service: &Service) -> BTreeSet<String> {
    let known: BTreeSet<&str> = input
        .project
        .variables
        .iter()
        .filter(|variable| variable.secret)
        .map(|variable| variable.name.as_str())
        .collect();
    service
        .environment
        .iter()
        .filter(|(name, value)| {
            known.contains(name.as_str())
                || is_secret_name(name)
                || value.value.as_deref().is_some_and(holds_password)
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// Whether a name is that of a secret: `API_TOKEN`, `POSTGRES_PASSWORD`. A name that ends with
/// `_FILE` says where one is.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if upper.ends_with("_FILE") || upper.ends_with("_PATH") {
        return false;
    }
    let parts: Vec<&str> = upper.split('_').collect();
    let has = |word: &str| parts.contains(&word);
    has("PASSWORD")
        || has("PASSWD")
        || has("SECRET")
        || has("CREDENTIALS")
        || (has("TOKEN") && !has("MAX") && !has("LIMIT") && !has("COUNT"))
        || (has("KEY")
            && [
                "API",
                "SECRET",
                "PRIVATE",
                "ACCESS",
                "ENCRYPTION",
                "SIGNING",
                "JWT",
                "MASTER",
            ]
            .iter()
            .any(|word| has(word)))
        || has("APIKEY")
        || upper.ends_with("DSN") && has("SENTRY")
}

/// Whether a URL holds a password.
pub(crate) fn holds_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

fn writable(service: &Service) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = service
        .volumes
        .iter()
        .filter(|mount| !mount.value.read_only)
        .map(|mount| mount.value.target.clone())
        .collect();
    if service.recipe.is_some() {
        paths.push("/tmp".into());
    }
    paths.sort();
    paths.dedup();
    paths
}

/// The reference of a service's image: what it is published as when it is built from source.
fn image(input: &Input<'_>, service: &Service) -> String {
    let written = service.image.as_ref().map(|image| image.value.as_str());
    let is_built = service.build.is_some() || service.recipe.is_some();
    match (written, input.registry) {
        (Some(reference), _) => reference.to_owned(),
        (None, Some(prefix)) if is_built => format!("{prefix}/{}", service.name),
        (None, _) => format!("{}-{}", input.project.name, service.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in [
            "POSTGRES_PASSWORD",
            "API_TOKEN",
            "OPENAI_API_KEY",
            "JWT_SECRET",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "POSTGRES_PASSWORD_FILE",
            "MAX_TOKENS",
            "TOKEN_LIMIT",
            "PRIMARY_KEY",
            "KEYBOARD",
            "LOG_LEVEL",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn passwords_in_addresses_are_seen() {
        assert!(holds_password("postgresql://u:p@db:5432/x"));
        assert!(holds_password("redis://:p@redis/0"));
        assert!(!holds_password("redis://redis:6379/0"));
        assert!(!holds_password("postgresql://u:@db/x"));
        assert!(!holds_password("https://example.org/a:b@c"));
    }

    #[test]
    fn a_check_of_the_service_itself_is_a_request() {
        let test = |line: &str| request(&HealthTest::Shell(line.to_owned()));
        assert_eq!(
            test("curl -f http://localhost:8000/health || exit 1"),
            Some(ProbeTest::Http {
                port: 8000,
                path: "/health".to_owned()
            })
        );
        assert_eq!(
            test("nc -z 127.0.0.1 5432"),
            Some(ProbeTest::Tcp { port: 5432 })
        );
        assert_eq!(test("curl -f http://db:8000/health"), None);
        assert_eq!(test("curl http://localhost:8000/health"), None);
        assert_eq!(test("pg_isready"), None);
    }
}
