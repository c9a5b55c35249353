//! Bringing a stack up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use plimsoll_diag::{Diagnostic, Progress, ProgressEvent};
use plimsoll_model::{NetworkMode, Project};
use thiserror::Error;

use super::board::Board;
use super::down::stop_containers;
use super::record::{PublishedRecord, StackRecord};
use super::specification::NamedImages;
use super::start::{Starter, reach_failed};
use super::{ServiceImage, StackPaths, StartOrder};
use crate::engine::{Engine, EngineError};
use crate::network::{Egress, Keeper, KeeperOptions, NetworkError, NetworkSpec};

/// What to bring up.
pub struct UpRequest<'a> {
    /// The project.
    pub project: &'a Project,
    /// The services to start.
    pub order: &'a StartOrder,
    /// The image of each service in the order.
    pub images: &'a BTreeMap<String, ServiceImage>,
    /// The images that mounts and hooks name.
    pub named_images: &'a NamedImages,
    /// Services whose containers get files of the host while they run.
    pub synchronised: &'a BTreeSet<String>,
    /// Where the stack keeps what it needs.
    pub paths: &'a StackPaths,
    /// The caller's environment, for secrets that come from it.
    pub environment: &'a BTreeMap<String, String>,
    /// Host address of published ports that name none.
    pub bind: IpAddr,
    /// Longest time until every service is up.
    pub patience: Duration,
    /// Set when the user wants to stop.
    pub cancelled: &'a AtomicBool,
    /// Receiver of progress.
    pub progress: &'a dyn Progress,
}

/// A stack that is up.
#[derive(Debug, Clone)]
pub struct UpReport {
    /// Its services, in the order in which they start.
    pub services: Vec<ServiceReport>,
}

/// A service that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceReport {
    /// Its name.
    pub service: String,
    /// How far it came.
    pub outcome: ServiceOutcome,
    /// Time from its start until then.
    pub took: Duration,
    /// Its ports on the host.
    pub published: Vec<PublishedRecord>,
}

/// How far a service came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceOutcome {
    /// It ran already and nothing about it changed.
    Unchanged,
    /// It runs; it has no health check.
    Started,
    /// It runs and its health check passes.
    Healthy,
    /// It ended with exit code 0.
    Completed,
}

/// Why a stack did not come up.
#[derive(Debug, Error)]
pub enum UpError {
    /// The user stopped it.
    #[error("stopped before the stack was up")]
    Cancelled,
    /// Services failed, or could not be started as their files ask.
    #[error("{}", services(.0))]
    Services(Vec<ServiceFailure>),
    /// What is to run cannot be run as its files ask.
    #[error("{0}")]
    Configuration(Diagnostic),
    /// The network keeper failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A service that did not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFailure {
    /// Its name.
    pub service: String,
    /// What happened, and where that is stated.
    pub diagnostic: Diagnostic,
    /// The last lines it wrote.
    pub last_lines: Vec<String>,
}

impl ServiceFailure {
    /// What happened, with the last lines of the service below it.
    pub fn with_last_lines(self) -> Diagnostic {
        let mut diagnostic = self.diagnostic;
        if !self.last_lines.is_empty() {
            diagnostic.message.push_str("; it last wrote:");
            for line in &self.last_lines {
                diagnostic.message.push_str("\n    | ");
                diagnostic.message.push_str(line);
            }
        }
        diagnostic
    }
}

fn services(failures: &[ServiceFailure]) -> String {
    let names: Vec<&str> = failures
        .iter()
        .map(|failure| failure.service.as_str())
        .collect();
    format!("did not come up: {}", names.join(", "))
}

/// Brings the stack up: starts what is missing, leaves what runs unchanged, replaces the rest.
///
/// The caller holds the project's [`super::StackLock`]. On an error, what was started runs on and
/// is in the stack's record, so that [`super::down`] finds it.
///
/// # Errors
/// See [`UpError`].
pub fn up(engine: &Engine, request: &UpRequest<'_>) -> Result<UpReport, UpError> {
    let before = StackRecord::read(request.paths)?.unwrap_or_default();
    let mut keeper = match Keeper::connect(&request.paths.keeper()) {
        Ok(keeper) => keeper,
        Err(NetworkError::NotRunning { .. }) => {
            // Without a keeper the containers of an earlier run have lost their networks.
            stop_containers(
                engine,
                request.paths,
                &engine_containers(engine, request.paths)?,
                None,
            )?;
            start_keeper(request.paths)?
        }
        Err(error) => return Err(error.into()),
    };
    let used = request
        .order
        .sequence()
        .iter()
        .filter_map(|name| request.project.services.get(name))
        .flat_map(|service| service.networks.keys().map(String::as_str));
    make_networks(&mut keeper, request, used)?;
    let kept = remove_orphans(engine, &mut keeper, request, &before)?;
    let record = Mutex::new(StackRecord {
        project: request.project.name.clone(),
        directory: request.project.directory.clone(),
        containers: kept,
        volumes: request
            .project
            .volumes
            .values()
            .filter(|volume| !volume.external)
            .map(|volume| volume.name.clone())
            .collect(),
    });
    record
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .write(request.paths)?;
    let board = Board::new(request.cancelled, Instant::now() + request.patience);
    let starter = Starter {
        engine,
        request,
        keeper: Mutex::new(keeper),
        record: &record,
        board: &board,
        machine_memory: machine_memory()?,
        replaced: Mutex::default(),
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = request
            .order
            .sequence()
            .iter()
            .map(|name| scope.spawn(|| (name.clone(), start_one(&starter, name))))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let mut services = Vec::new();
    let mut failures = Vec::new();
    for (_, result) in results {
        match result {
            Ok(report) => services.push(report),
            Err(Some(failure)) => failures.push(*failure),
            Err(None) => {}
        }
    }
    if board.is_cancelled() {
        return Err(UpError::Cancelled);
    }
    if failures.is_empty() {
        Ok(UpReport { services })
    } else {
        Err(UpError::Services(failures))
    }
}

fn start_one(
    starter: &Starter<'_>,
    name: &str,
) -> Result<ServiceReport, Option<Box<ServiceFailure>>> {
    let result = starter.start(name);
    starter.request.progress.report(ProgressEvent::Finished {
        subject: name.to_owned(),
    });
    if result.is_err() {
        reach_failed(starter.board, name);
    }
    result
}

/// Starts the project's network keeper.
pub(super) fn start_keeper(paths: &StackPaths) -> Result<Keeper, UpError> {
    // Unlike a container's helper it enters no container, so it needs no sealed copy.
    Ok(Keeper::start(
        &paths.keeper(),
        Path::new("/proc/self/exe"),
        &KeeperOptions::default(),
    )?)
}

/// Makes the project's networks of these names.
pub(super) fn make_networks<'a>(
    keeper: &mut Keeper,
    request: &UpRequest<'_>,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), UpError> {
    let project = request.project;
    let names: BTreeSet<&str> = names.collect();
    for name in names {
        let network = project.networks.get(name);
        let egress = if network.is_some_and(|network| network.internal) {
            Egress::None
        } else {
            Egress::Open
        };
        let mut spec = NetworkSpec::new(name, egress);
        if let Some(subnet) = network.and_then(|network| network.subnet.as_ref()) {
            spec.subnet = Some(subnet.parse().map_err(|_| NetworkError::System {
                action: format!("use the subnet of network `{name}`"),
                reason: format!("`{}` is no IPv4 subnet", subnet.value),
            })?);
        }
        spec.gateway = network
            .and_then(|network| network.gateway.as_ref())
            .map(|gateway| gateway.value);
        // Addresses that services name must not be given to others first.
        spec.reserved = project
            .services
            .values()
            .filter_map(|service| service.networks.get(name)?.ipv4_address)
            .chain(
                network
                    .into_iter()
                    .flat_map(|network| network.reserved.iter().copied()),
            )
            .collect();
        for warning in keeper.create_network(&spec)?.warnings {
            let notice = Diagnostic::warning(warning.to_string());
            request.progress.report(ProgressEvent::Notice(notice));
        }
    }
    Ok(())
}

/// Stops containers that the project no longer has; gives the record of the others.
fn remove_orphans(
    engine: &Engine,
    keeper: &mut Keeper,
    request: &UpRequest<'_>,
    before: &StackRecord,
) -> Result<BTreeMap<String, super::ContainerRecord>, UpError> {
    let project = request.project;
    let wanted: BTreeSet<String> = project
        .services
        .values()
        .flat_map(|service| {
            (1..=service.scale.value.max(1))
                .map(|index| container_name(project, &service.name, index))
        })
        .collect();
    let present = engine_containers(engine, request.paths)?;
    let orphans: Vec<String> = present
        .into_iter()
        .filter(|name| !wanted.contains(name))
        .collect();
    stop_containers(engine, request.paths, &orphans, None)?;
    for orphan in &orphans {
        match keeper.detach(orphan) {
            Ok(()) | Err(NetworkError::UnknownContainer { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut kept = before.containers.clone();
    kept.retain(|name, _| wanted.contains(name));
    Ok(kept)
}

/// The names of the containers that have a directory.
pub(super) fn engine_containers(
    engine: &Engine,
    paths: &StackPaths,
) -> Result<Vec<String>, UpError> {
    let handles = engine.containers(&paths.containers())?;
    let names = handles.iter().filter_map(|handle| handle.dir().file_name());
    Ok(names
        .map(|name| name.to_string_lossy().into_owned())
        .collect())
}

/// The name of a service's container: as `docker compose` names it, unless the file does.
pub(super) fn container_name(project: &Project, service: &str, index: u32) -> String {
    let named = project
        .services
        .get(service)
        .and_then(|service| service.container_name.as_ref());
    match named {
        Some(name) if index == 1 => name.value.clone(),
        _ => format!("{}-{service}-{index}", project.name),
    }
}

/// The service whose network a service shares, where it shares one.
pub(super) fn network_of(service: &plimsoll_model::Service) -> Option<&str> {
    match service.network_mode.as_ref().map(|mode| &mode.value) {
        Some(NetworkMode::Service(other)) => Some(other),
        _ => None,
    }
}

/// Memory of the machine in bytes, from `/proc/meminfo` (proc_meminfo(5)).
pub(super) fn machine_memory() -> std::io::Result<u64> {
    let text = fs_err::read_to_string("/proc/meminfo")?;
    let kibibytes = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    kibibytes
        .map(|number| number * 1024)
        .ok_or_else(|| std::io::Error::other("/proc/meminfo names no MemTotal"))
}
