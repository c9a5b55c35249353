//! Which projects are tried: what `up` would start, and what else the source holds; each made one
//! that leaves nothing behind and that nobody outside sees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plimsoll_detect::{Detection, ServiceKind, Trial};
use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::contract::{Exposure, Fault, Terms, breaches};
use plimsoll_model::extension::Extensions;
use plimsoll_model::facts::VariableKind;
use plimsoll_model::{NetworkMode, Project, Protocol, Restart, Service, VolumeBacking};
use plimsoll_run::stack::start_order;

use super::Trials;
use super::loading::TELL_IMPORTS;
use super::mounts;
use super::observe::serves;
use crate::failure::Failure;
use crate::project::{self, Loaded};
use crate::settings::Settings;

/// What the name of a trial's stack ends with.
const SUFFIX: &str = "-try";
/// Time between checks of a service that is starting.
const CHECKED: Duration = Duration::from_secs(1);

/// A project of which services are tried.
pub(super) struct Candidates {
    pub(super) project: Project,
    extensions: Extensions,
    /// The services to try; what they need is started beside them.
    pub(super) names: BTreeSet<String>,
    /// Services that would be built, if it were known how.
    unknown: BTreeSet<String>,
}

/// The projects to try. A Compose file is tried as it is; what it does not start, but the source
/// holds, follows as a project of its own. The diagnostics tell why something cannot be loaded.
pub(super) fn of(
    settings: &Settings,
    detection: &Detection,
    wanted: &[String],
) -> Result<(Vec<Candidates>, Vec<Diagnostic>), Failure> {
    let mut all = Vec::new();
    let mut told = Vec::new();
    let mut covered: BTreeSet<String> = BTreeSet::new();
    if project::has_compose_file(settings) {
        match project::load(settings, &[]) {
            Ok(loaded) => {
                covered = loaded
                    .project
                    .services
                    .values()
                    .flat_map(|service| {
                        [service.facts.found_as.clone(), Some(service.name.clone())]
                    })
                    .flatten()
                    .collect();
                told.extend(loaded.warnings.iter().cloned());
                all.push(Candidates::of_loaded(loaded, &|_| true));
            }
            // What `up` would say; the source can be tried all the same.
            Err(failure) => told.extend(failure.diagnostics),
        }
    }
    let rest: BTreeSet<&str> = detection
        .services
        .iter()
        .filter(|service| service.recipe.is_some() && service.kind != ServiceKind::Cli)
        .map(|service| service.name.as_str())
        .filter(|name| !covered.contains(*name))
        .collect();
    if !rest.is_empty() {
        let mut settings = settings.clone();
        // Programs that only a person starts are tried as well.
        settings.profiles = vec!["*".to_owned()];
        let loaded = project::load_inferred(&settings, detection.clone(), &[])?;
        let others: BTreeSet<String> = loaded
            .project
            .services
            .keys()
            .filter(|name| detection.service(name).is_some() && !rest.contains(name.as_str()))
            .cloned()
            .collect();
        all.push(Candidates::of_loaded(loaded, &|name| {
            !others.contains(name)
        }));
    }
    if !wanted.is_empty() {
        for name in wanted {
            if !all.iter().any(|one| one.names.contains(name)) {
                return Err(unknown(name, &all));
            }
        }
        for one in &mut all {
            one.names.retain(|name| wanted.contains(name));
            one.unknown.clear();
        }
    }
    all.retain(|one| !one.names.is_empty() || !one.unknown.is_empty());
    Ok((all, told))
}

fn unknown(name: &str, all: &[Candidates]) -> Failure {
    let known: Vec<String> = all
        .iter()
        .flat_map(|one| &one.names)
        .map(|name| format!("`{name}`"))
        .collect();
    Failure::usage(
        Diagnostic::error(format!("there is no service `{name}` to try"))
            .hint(format!("there are {}", known.join(", "))),
    )
}

impl Candidates {
    fn of_loaded(loaded: Loaded, wanted: &dyn Fn(&str) -> bool) -> Self {
        let built = |service: &&Service| service.recipe.is_some() && wanted(&service.name);
        let unknown = |service: &&Service| service.recipe.is_none() && service.build.is_some();
        let services = || loaded.project.services.values();
        let names = |service: &Service| service.name.clone();
        Self {
            names: services().filter(built).map(names).collect(),
            unknown: services().filter(unknown).map(names).collect(),
            project: loaded.project,
            extensions: loaded.extensions,
        }
    }

    /// The services to try and all that they need, each after what it waits for.
    pub(super) fn order(&self) -> Result<Vec<String>, Failure> {
        let names: Vec<String> = self.names.iter().cloned().collect();
        if names.is_empty() {
            return Ok(names);
        }
        let order = start_order(&self.project, &names)?;
        let known = order.sequence().iter();
        Ok(known
            .filter(|name| !self.unknown.contains(*name))
            .cloned()
            .collect())
    }

    /// A trial for each service. Required variables that nothing sets get a value: what else is
    /// wrong is to be seen, too.
    pub(super) fn trials(&mut self) -> Trials {
        let mut trials: Trials = self
            .names
            .iter()
            .map(|name| (name.clone(), Trial::default()))
            .collect();
        for name in &self.unknown {
            let why = "how to build it was not found";
            trials.insert(name.clone(), Trial::not_tried(why));
        }
        let names: Vec<String> = self.project.services.keys().cloned().collect();
        let terms = Terms {
            documented: BTreeMap::new(),
            exposure: Exposure::ThisMachine,
            extensions: self.extensions.clone(),
        };
        for breach in breaches(&self.project, &names, &terms) {
            if !matches!(
                breach.fault,
                Fault::Missing | Fault::Empty | Fault::NoneSet { .. }
            ) {
                continue;
            }
            for name in &breach.services {
                if let Some(service) = self.project.services.get_mut(name) {
                    let value = Spanned::unplaced(Some(made_up(breach.kind).to_owned()));
                    service.environment.insert(breach.variable.clone(), value);
                }
                if let Some(trial) = trials.get_mut(name) {
                    trial.made_up.push(breach.variable.clone());
                }
            }
        }
        trials
    }

    /// Makes the project one that leaves nothing behind and that nobody outside sees. Services
    /// that are not `there` are left out.
    pub(super) fn isolate(&mut self, there: &BTreeSet<String>, patience: Duration) {
        let project = &mut self.project;
        project.name.push_str(SUFFIX);
        let name = project.name.clone();
        for (key, volume) in &mut project.volumes {
            volume.external = false;
            volume.name = format!("{name}_{key}");
            if matches!(volume.backing, VolumeBacking::Bind { .. }) {
                volume.backing = VolumeBacking::Directory;
            }
        }
        for (key, network) in &mut project.networks {
            network.external = false;
            network.name = format!("{name}_{key}");
        }
        project
            .services
            .retain(|service, _| there.contains(service));
        for service in project.services.values_mut() {
            alone(service, there, patience);
        }
    }
}

/// Changes a service so that it runs once, unseen, and writes to nothing of the host.
fn alone(service: &mut Service, there: &BTreeSet<String>, patience: Duration) {
    // What is published is believed, unless the code says that it answers no requests.
    if service.facts.ports.is_empty() && (serves(service) || service.facts.kind.is_none()) {
        let tcp = service
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Tcp);
        service.facts.ports = tcp.map(|port| port.target).collect();
    }
    service.ports.clear();
    service.container_name = None;
    service.restart = Spanned::unplaced(Restart::No);
    service.scale = Spanned::unplaced(1);
    service.profiles.clear();
    service.depends_on.retain(|other, _| there.contains(other));
    let mode = service.network_mode.as_ref().map(|mode| &mode.value);
    if matches!(mode, Some(NetworkMode::Host)) {
        service.network_mode = None;
    }
    mounts::unwritten(&mut service.volumes);
    if service.recipe.is_none() {
        return;
    }
    if let Some(check) = &mut service.healthcheck {
        let check = &mut check.value;
        check.start_interval = Some(
            check
                .start_interval
                .map_or(CHECKED, |every| every.min(CHECKED * 3)),
        );
        // Whoever watches decides when it was long enough.
        check.start_period = Some(patience * 2);
    }
    let tell = Spanned::unplaced(Some("1".to_owned()));
    service.environment.insert(TELL_IMPORTS.to_owned(), tell);
}

/// A value that fits the kind, for a variable that nothing sets.
fn made_up(kind: VariableKind) -> &'static str {
    match kind {
        VariableKind::Url => "http://127.0.0.1:9",
        VariableKind::Host => "127.0.0.1",
        VariableKind::Port | VariableKind::Number => "1",
        VariableKind::Boolean => "false",
        VariableKind::Path => "/tmp",
        VariableKind::Text => "made-up-for-a-trial",
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Mount, MountKind, Port};

    use super::*;

    #[test]
    fn a_service_of_a_trial_is_alone() {
        let data = tempfile::tempdir().unwrap();
        let bind = |source: &std::path::Path| {
            Spanned::unplaced(Mount {
                kind: MountKind::Bind {
                    source: source.to_owned(),
                    create: true,
                    propagation: plimsoll_model::Propagation::default(),
                    recursion: plimsoll_model::Recursion::default(),
                },
                target: "/data".into(),
                read_only: false,
            })
        };
        let filled = tempfile::tempdir().unwrap();
        fs_err::write(filled.path().join("seed.json"), "{}").unwrap();
        let mut service = Service {
            name: "web".to_owned(),
            scale: Spanned::unplaced(3),
            restart: Spanned::unplaced(Restart::Always),
            ports: vec![Spanned::unplaced(Port {
                host_ip: None,
                published: Some(8000),
                target: 8000,
                protocol: Protocol::Tcp,
            })],
            volumes: vec![bind(data.path()), bind(filled.path())],
            ..Service::default()
        };
        alone(&mut service, &BTreeSet::new(), Duration::from_secs(60));
        assert!(service.ports.is_empty());
        assert_eq!(service.facts.ports, [8000]);
        assert_eq!(service.scale.value, 1);
        assert_eq!(service.restart.value, Restart::No);
        assert!(matches!(
            service.volumes[0].kind,
            MountKind::Volume { name: None, .. }
        ));
        assert!(service.volumes[1].read_only);
    }
}
