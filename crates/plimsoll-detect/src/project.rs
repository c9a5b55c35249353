//! From a detection to a project, for a tree without a Compose file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{
    Command, Dependency, DependencyCondition, HealthTest, Healthcheck, Hook, Network,
    NetworkAttachment, NetworkMode, Port, Project, Protocol, RecipeKind, Restart, Service,
};

use crate::backing::{Backing, backing, value};
use crate::build_variables;
use crate::detection::{DetectedService, Detection, Health, NeedKind, ServiceKind, VariableKind};
use crate::node::{is_local, settle};
use crate::shims::{Help, Shim};

/// The profile of services that only a person starts: a program that talks over its standard input
/// has nobody to talk to in a stack.
const BY_HAND: &str = "stdio";

impl Detection {
    /// The project that the tree amounts to: its services, what they need beside them, and variables
    /// that lead them there. `password` makes the password of the service it is called with. The
    /// diagnostics tell what could not be settled.
    pub fn into_project(
        self,
        name: &str,
        directory: &Path,
        password: &dyn Fn(&str) -> String,
    ) -> (Project, Vec<Diagnostic>) {
        let mut project = Project {
            name: name.to_owned(),
            directory: directory.to_owned(),
            ..Project::default()
        };
        let mut diagnostics: Vec<Diagnostic> = self
            .problems
            .iter()
            .filter(|problem| problem.severity != plimsoll_diag::Severity::Note)
            .map(|problem| {
                let mut diagnostic = problem.to_diagnostic();
                // What is found is told; whether it stops anything is seen when it runs.
                diagnostic.severity = plimsoll_diag::Severity::Warning;
                diagnostic
            })
            .collect();
        project.networks.insert(
            "default".to_owned(),
            Network {
                name: format!("{name}_default"),
                ..Network::default()
            },
        );
        let backings = self.backings(name, password);
        let mut taken: BTreeSet<u16> = BTreeSet::new();
        for detected in &self.services {
            if detected.recipe.is_none() || detected.kind == ServiceKind::Cli {
                continue;
            }
            let service = self.service_of(detected, &backings, &mut taken, password);
            project.services.insert(detected.name.clone(), service);
        }
        lead_pages_to_backends(&self, &mut project);
        help(&self.shims, &mut project);
        diagnostics.extend(lead_proxies_to_services(&self, &mut project));
        for backing in backings.into_values() {
            project.volumes.extend(backing.volumes);
            project
                .services
                .insert(backing.service.name.clone(), backing.service);
        }
        for service in project.services.values_mut() {
            if service.network_mode.is_some() {
                continue;
            }
            service
                .networks
                .insert("default".to_owned(), NetworkAttachment::default());
        }
        project.variables = self.environment;
        (project, diagnostics)
    }

    fn backings(
        &self,
        project: &str,
        password: &dyn Fn(&str) -> String,
    ) -> BTreeMap<NeedKind, Backing> {
        self.needs
            .iter()
            .filter(|need| need.required)
            .map(|need| (need.kind, backing(project, need.kind, password)))
            .collect()
    }

    fn service_of(
        &self,
        detected: &DetectedService,
        backings: &BTreeMap<NeedKind, Backing>,
        taken: &mut BTreeSet<u16>,
        password: &dyn Fn(&str) -> String,
    ) -> Service {
        let daemon = detected.kind.is_daemon();
        let mut service = Service {
            name: detected.name.clone(),
            span: Some(detected.defined_at.clone()),
            recipe: detected.recipe.clone(),
            facts: detected.facts(),
            healthcheck: healthcheck(detected),
            restart: Spanned::unplaced(if daemon {
                Restart::UnlessStopped
            } else {
                Restart::No
            }),
            scale: Spanned::unplaced(1),
            stdin_open: detected.kind == ServiceKind::McpStdio,
            ..Service::default()
        };
        if !daemon {
            service.profiles.push(BY_HAND.to_owned());
        }
        if matches!(
            detected.kind,
            ServiceKind::Web | ServiceKind::Ui | ServiceKind::McpHttp
        ) {
            for target in &detected.ports {
                let published = (*target..=u16::MAX).find(|port| taken.insert(*port));
                service.ports.push(Spanned::unplaced(Port {
                    host_ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                    published,
                    target: *target,
                    protocol: Protocol::Tcp,
                }));
            }
        }
        for kind in &detected.needs {
            if let Some(backing) = backings.get(kind) {
                service.depends_on.insert(
                    backing.service.name.clone(),
                    Spanned::unplaced(Dependency {
                        condition: DependencyCondition::ServiceHealthy,
                        required: true,
                        restart: false,
                    }),
                );
            }
        }
        let mine = self
            .environment
            .iter()
            .filter(|variable| variable.services.contains(&detected.name));
        for variable in mine {
            let led = variable.need.and_then(|kind| {
                let backing = backings.get(&kind)?;
                let scheme = self
                    .needs
                    .iter()
                    .find(|need| need.kind == kind)?
                    .scheme
                    .as_deref();
                value(variable, kind, backing.password.as_deref(), scheme)
                    .map(|value| without_encryption(value, kind, detected))
            });
            let span = variable
                .evidence
                .first()
                .map(|evidence| evidence.span.clone());
            // A secret of the project's own can be made up; a key of somebody else's service cannot.
            let own_secret = variable.required && variable.secret && is_own_secret(&variable.name);
            let value = led.or_else(|| own_secret.then(|| password(&variable.name)));
            if value.is_some() || variable.default.is_none() {
                service
                    .environment
                    .insert(variable.name.clone(), Spanned { value, span });
            }
        }
        service
    }
}

/// A database beside the service speaks plainly, which the usual driver of Go refuses unless it is told.
fn without_encryption(value: String, kind: NeedKind, detected: &DetectedService) -> String {
    match kind {
        NeedKind::Postgres if detected.language == "go" && value.contains("://") => {
            format!("{value}?sslmode=disable")
        }
        _ => value,
    }
}

/// Gives the services of a project the help that they need.
fn help(shims: &[Shim], project: &mut Project) {
    for shim in shims {
        let span = shim.evidence.first().map(|evidence| evidence.span.clone());
        match &shim.help {
            // The recipe says it already.
            Help::ModulePath { .. } => {}
            Help::Peer { variable, value } => {
                if let Some(service) = project.services.get_mut(&shim.service) {
                    service.environment.insert(
                        variable.clone(),
                        Spanned {
                            value: Some(value.clone()),
                            span,
                        },
                    );
                }
            }
            Help::SharedNetwork { with } => {
                let Some(service) = project.services.get_mut(&shim.service) else {
                    continue;
                };
                service.network_mode = Some(Spanned {
                    value: NetworkMode::Service(with.clone()),
                    span,
                });
                // The network's owner publishes for both.
                let ports = std::mem::take(&mut service.ports);
                if let Some(owner) = project.services.get_mut(with) {
                    owner.ports.extend(ports);
                }
                if let Some(service) = project.services.get_mut(&shim.service) {
                    service.depends_on.insert(
                        with.clone(),
                        Spanned::unplaced(Dependency {
                            condition: DependencyCondition::ServiceStarted,
                            required: true,
                            restart: true,
                        }),
                    );
                }
            }
            Help::InitJob { name, command } => init_job(shim, name, command, project),
            Help::OwnTables { command } => {
                let span = shim.evidence.first().map(|evidence| evidence.span.clone());
                let hook = Hook {
                    command: command.clone(),
                    ..Hook::default()
                };
                if let Some(service) = project.services.get_mut(&shim.service) {
                    let hook = Spanned { value: hook, span };
                    service.post_start.push(hook);
                }
            }
            Help::SharedSecret { variable, with } => share(&shim.service, variable, with, project),
        }
    }
}

/// Runs a command once, to completion, before a service starts.
fn init_job(shim: &Shim, name: &str, command: &[String], project: &mut Project) {
    let Some(service) = project.services.get(&shim.service) else {
        return;
    };
    let mut job = Service {
        name: name.to_owned(),
        command: Some(Spanned::unplaced(Command(command.to_vec()))),
        healthcheck: None,
        restart: Spanned::unplaced(Restart::No),
        ports: Vec::new(),
        ..service.clone()
    };
    job.facts.kind = Some(ServiceKind::Job);
    job.facts.found_as = None;
    job.facts.ports.clear();
    job.facts.health = None;
    job.span = shim.evidence.first().map(|evidence| evidence.span.clone());
    if let Some(service) = project.services.get_mut(&shim.service) {
        service.depends_on.insert(
            name.to_owned(),
            Spanned::unplaced(Dependency {
                condition: DependencyCondition::ServiceCompletedSuccessfully,
                required: true,
                restart: false,
            }),
        );
    }
    project.services.insert(name.to_owned(), job);
}

/// Gives services the same secret, where one was made up for any of them.
fn share(service: &str, variable: &str, with: &[String], project: &mut Project) {
    let names = || std::iter::once(service).chain(with.iter().map(String::as_str));
    let known = names().find_map(|name| {
        project
            .services
            .get(name)?
            .environment
            .get(variable)?
            .value
            .clone()
    });
    let Some(value) = known else {
        return;
    };
    for name in names() {
        if let Some(service) = project.services.get_mut(name)
            && let Some(set) = service.environment.get_mut(variable)
        {
            set.value = Some(value.clone());
        }
    }
}

/// Whether a secret only has to be secret, as opposed to known to somebody else.
fn is_own_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    [
        "SECRET_KEY",
        "JWT_SECRET",
        "SESSION_SECRET",
        "APP_SECRET",
        "SIGNING_KEY",
        "COOKIE_SECRET",
        "JWT_SECRET_KEY",
        "AUTH_SECRET",
    ]
    .iter()
    .any(|own| upper.ends_with(own))
}

/// Gives every variable that is named without a value what `lookup` knows of it.
pub fn fill_environment(project: &mut Project, lookup: &dyn Fn(&str) -> Option<String>) {
    for service in project.services.values_mut() {
        for (name, value) in &mut service.environment {
            if value.value.is_none() {
                value.value = lookup(name);
            }
        }
    }
}

/// Gives services what the project's own variable file says of variables that have a default or are
/// named without a value. Where a service listens is settled here, and a file made for development
/// would lead it to the machine itself.
pub fn fill_from_file(project: &mut Project, lookup: &dyn Fn(&str) -> Option<Spanned<String>>) {
    for variable in &project.variables {
        let own_matter = matches!(variable.kind, VariableKind::Host | VariableKind::Port);
        let Some(value) = lookup(&variable.name) else {
            continue;
        };
        let local = own_matter || value.contains("localhost") || value.contains("127.0.0.1");
        for name in &variable.services {
            let Some(service) = project.services.get_mut(name) else {
                continue;
            };
            let site = service
                .recipe
                .as_ref()
                .is_some_and(|recipe| matches!(recipe.kind, RecipeKind::StaticSite(_)));
            match service.environment.get_mut(&variable.name) {
                Some(known) if known.value.is_none() => *known = value.clone().map(Some),
                None if !site && !local => {
                    let value = value.clone().map(Some);
                    service.environment.insert(variable.name.clone(), value);
                }
                _ => {}
            }
        }
    }
    build_variables::fill(project, lookup);
}

/// Gives jobs that run before a service what the service has by now: they run its code.
pub fn fill_jobs(project: &mut Project) {
    let mut helped = Vec::new();
    for service in project.services.values() {
        for (job, dependency) in &service.depends_on {
            if dependency.condition == DependencyCondition::ServiceCompletedSuccessfully {
                helped.push((job.clone(), service.environment.clone()));
            }
        }
    }
    for (job, environment) in helped {
        let Some(job) = project.services.get_mut(&job) else {
            continue;
        };
        for (name, value) in environment {
            let known = job.environment.entry(name).or_default();
            if known.value.is_none() {
                *known = value;
            }
        }
    }
}

/// The health check for what is known of a service's health.
pub(crate) fn healthcheck(detected: &DetectedService) -> Option<Spanned<Healthcheck>> {
    let probe = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let (test, heavy, span) = match detected.health.as_ref()? {
        Health::Http(route) => {
            let url = format!("http://127.0.0.1:{}{}", route.port, route.path);
            (
                probe(&["plimsoll-probe", "http", &url]),
                false,
                route.span.clone(),
            )
        }
        Health::Tcp { port } => {
            let address = format!("127.0.0.1:{port}");
            (probe(&["plimsoll-probe", "tcp", &address]), false, None)
        }
        Health::Command { command, .. } => (command.clone(), true, None),
        Health::McpHandshake => return None,
    };
    // A probe costs nothing; a command starts an interpreter.
    let (interval, timeout, start) = if heavy {
        (
            Duration::from_secs(60),
            Duration::from_secs(30),
            Duration::from_secs(3),
        )
    } else {
        (
            Duration::from_secs(10),
            Duration::from_secs(5),
            Duration::from_millis(500),
        )
    };
    Some(Spanned {
        value: Healthcheck {
            test: Some(HealthTest::Exec(test)),
            interval: Some(interval),
            timeout: Some(timeout),
            retries: Some(3),
            start_period: Some(Duration::from_secs(60)),
            start_interval: Some(start),
        },
        span,
    })
}

/// Pages are built with the address that a browser reaches the backend at.
fn lead_pages_to_backends(detection: &Detection, project: &mut Project) {
    let backends: Vec<(String, u16)> = detection
        .services
        .iter()
        .filter(|service| service.kind == ServiceKind::Web)
        .filter_map(|service| {
            let port = project
                .services
                .get(&service.name)?
                .ports
                .first()?
                .published?;
            Some((service.name.clone(), port))
        })
        .collect();
    let [(_, port)] = backends.as_slice() else {
        return;
    };
    for detected in detection
        .services
        .iter()
        .filter(|service| service.kind == ServiceKind::Ui)
    {
        let Some(service) = project.services.get_mut(&detected.name) else {
            continue;
        };
        let Some(recipe) = &mut service.recipe else {
            continue;
        };
        let build_environment = match &mut recipe.kind {
            RecipeKind::StaticSite(site) => &mut site.build_environment,
            RecipeKind::NodeServer(server) => &mut server.build_environment,
            _ => continue,
        };
        for variable in &detection.environment {
            let reads = variable.services.contains(&detected.name);
            let upper = variable.name.to_ascii_uppercase();
            let backend = ["API", "BACKEND", "SERVER"]
                .iter()
                .any(|word| upper.split('_').any(|part| part == *word));
            if !reads || !backend || variable.kind != VariableKind::Url {
                continue;
            }
            let address = format!("http://localhost:{port}");
            if variable.default.as_deref() != Some(address.as_str()) {
                build_environment.push((variable.name.clone(), address));
            }
        }
        // Variables of the build are no variables of the server of files.
        if matches!(recipe.kind, RecipeKind::StaticSite(_)) {
            service.environment.clear();
        }
    }
}

/// Paths that a development server passes on lead to the service that listens there.
fn lead_proxies_to_services(detection: &Detection, project: &mut Project) -> Vec<Diagnostic> {
    let backends: Vec<&DetectedService> = detection
        .services
        .iter()
        .filter(|service| project.services.contains_key(&service.name))
        .filter(|service| matches!(service.kind, ServiceKind::Web | ServiceKind::McpHttp))
        .collect();
    let find = |host: &str, port: u16| {
        let named = backends.iter().find(|service| service.name == host);
        let listens = || {
            backends
                .iter()
                .find(|service| service.ports.contains(&port))
        };
        let only = || match backends.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        let found = match is_local(host) {
            true => listens().or_else(only),
            false => named,
        }?;
        Some((found.name.clone(), *found.ports.first()?))
    };
    let mut diagnostics = Vec::new();
    for service in project.services.values_mut() {
        let Some(RecipeKind::StaticSite(site)) =
            service.recipe.as_mut().map(|recipe| &mut recipe.kind)
        else {
            continue;
        };
        let (led, told) = settle(site, &service.name, find);
        diagnostics.extend(told);
        for name in led {
            // Its server looks the names up when it starts.
            service.depends_on.entry(name).or_insert_with(|| {
                Spanned::unplaced(Dependency {
                    condition: DependencyCondition::ServiceStarted,
                    required: true,
                    restart: false,
                })
            });
        }
    }
    diagnostics
}
