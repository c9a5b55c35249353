//! Services as every target sees them: what they are, what they listen on, how their health shows,
//! what in their environment is secret, where they write.
//!
//! A fact comes from the Compose file where it says so, else from what detection found in the
//! source. Renderers decide on workloads, so that no two of them read the same service otherwise.

mod command;
mod home;
mod image;
mod limits;
mod listeners;
mod mounts;
mod probe;
mod role;
mod secrets;
mod tools;

use std::collections::BTreeSet;
use std::path::PathBuf;

use plimsoll_diag::Spanned;
use plimsoll_model::extension::Extension;
use plimsoll_model::facts::Route;
use plimsoll_model::{DependencyCondition, Mount, MountKind, Service};

use crate::{Fidelity, Input, Loss};
pub(crate) use limits::Limits;
pub use listeners::Listener;
pub(crate) use mounts::has_volume;
pub use probe::{Probe, ProbeTest};
pub use role::{Role, Store};
pub(crate) use secrets::{holds_password, is_secret_name};

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
    /// Whether it keeps something in a volume that no other service mounts.
    pub owns_volumes: bool,
    /// Directories it must be able to write to: mounts, and memory where the image needs it.
    pub writable: Vec<PathBuf>,
    /// The reference of its image: as written, or as it will be published.
    pub image: String,
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
        let store = role::store(service, extension);
        let probe = probe::probe(service);
        Self {
            service,
            extension,
            role: match mode(input, service) {
                Some("replicated-job" | "global-job") => Role::Job,
                _ => role::role(service, extension, store),
            },
            everywhere: mode(input, service) == Some("global"),
            store,
            listeners: listeners::listeners(service, extension, store, probe.as_ref()),
            metrics: service.facts.metrics.clone(),
            secret_variables: secrets::secret_variables(input, service),
            shares_volumes: mounts::shares_volumes(input.project, service),
            owns_volumes: mounts::owns_volumes(input.project, service),
            mounts: mounts::mounts(input.project, service),
            writable: mounts::writable(service),
            image: image::image(input, service),
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

    /// Whether it is a tool of whoever runs the stack: nothing that others are to reach.
    pub(crate) fn is_tool(&self) -> bool {
        tools::is_tool(self.service)
    }

    /// Whether it is a proxy of the project's own in front of other services.
    pub(crate) fn is_door(&self) -> bool {
        tools::is_door(self.service)
    }

    /// The home of its user, where its image is assembled.
    pub fn home(&self) -> Option<&str> {
        home::home(self.service)
    }

    /// The home that its mounts were written for, where that is another one.
    pub fn mounted_home(&self) -> Option<String> {
        home::mounted_home(self.service)
    }

    /// That its image is another one on another day; `None` where a version is named.
    pub(crate) fn moving_image(&self) -> Option<Loss> {
        image::without_version(self.service)
    }

    /// Whether its image is built from source.
    pub(crate) fn is_built(&self) -> bool {
        image::is_built(self.service)
    }

    /// That a cluster is not told where its image was published, or which one it is.
    pub(crate) fn unpublished_image(&self, input: &Input<'_>) -> Option<Loss> {
        image::unpublished(input, self.service, &self.image)
    }

    /// Its command where it is to last: `None` unless the one that is written loads changed code
    /// again, which is for development.
    pub(crate) fn lasting_command(&self, losses: &mut Vec<Loss>) -> Option<Vec<String>> {
        let said = self.service.command.as_ref()?;
        let lasting = command::lasting(&said.value.0)?;
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.command", self.name()),
                "loading changed code again is for development; the command goes without it",
            )
            .at(said.span.clone()),
        );
        Some(lasting)
    }

    /// Whether its image has what a mount of its shows: mounts of the source, and volumes that keep
    /// what is installed from being hidden by them, are for development.
    pub(crate) fn is_in_image(&self, mount: &Mount) -> bool {
        mounts::is_in_image(self.service, mount)
    }

    /// The names of volumes that it keeps something in, with the path each.
    pub fn volumes(&self) -> impl Iterator<Item = (&str, &std::path::Path)> {
        self.mounts
            .iter()
            .filter(|mount| !self.is_in_image(&mount.value))
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

    /// What it may use at most where nothing is said.
    pub(crate) fn usual_limits(&self) -> Limits {
        limits::usual(self.role, self.store)
    }

    /// Whether one of it at a time can run in a cluster: it keeps data for itself.
    pub(crate) fn keeps_alone(&self) -> bool {
        self.owns_volumes || (self.role == Role::Datastore && self.is_stateful())
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
