//! Starting one service: waiting for what it needs, its network, its ports, its containers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use plimsoll_diag::{Diagnostic, ProgressEvent};
use plimsoll_model::{Dependency, DependencyCondition, Port, Service};
use sha2::{Digest as _, Sha256};

use super::attachment::{attach_request, connect, own_network};
use super::board::{Board, CANCELLATION_LOOK, Interruption, Stage};
use super::down::remove_container;
use super::hooks;
use super::order::Awaited;
use super::pre_start::{self, Occasion};
use super::record::{ContainerRecord, PublishedRecord, StackRecord};
use super::resources::join_namespaces;
use super::specification::{SpecificationSources, may_end};
use super::up::{
    ServiceFailure, ServiceOutcome, ServiceReport, UpRequest, container_name, network_of,
};
use crate::container::{
    ContainerSpec, ContainerState, HealthStatus, MountKind, NetworkSpec, Phase, RootAccess,
};
use crate::engine::{ContainerHandle, Engine, EngineError};
use crate::network::{AttachmentDetails, Keeper, NetworkError, PublishRequest};

/// Restarts before a service was ever up that mean it will not come up by itself.
const HOPELESS: u32 = 3;

/// What the threads that start services share.
pub(super) struct Starter<'a> {
    pub(super) engine: &'a Engine,
    pub(super) request: &'a UpRequest<'a>,
    pub(super) keeper: Mutex<Keeper>,
    pub(super) record: &'a Mutex<StackRecord>,
    pub(super) board: &'a Board<'a>,
    pub(super) machine_memory: u64,
    /// Services of which a container was started now.
    pub(super) replaced: Mutex<BTreeSet<String>>,
}

/// A service's failure; `None`: it did not come to it, because the user stopped.
type Outcome<T> = Result<T, Option<Box<ServiceFailure>>>;

/// Tells those that wait that the service will not come up.
pub(super) fn reach_failed(board: &Board<'_>, service: &str) {
    board.reach(service, Stage::Failed);
}

impl Starter<'_> {
    /// Starts a service and waits until it is up.
    pub(super) fn start(&self, name: &str) -> Outcome<ServiceReport> {
        // The order holds only services of the project.
        let Some(service) = self.request.project.services.get(name) else {
            return Err(None);
        };
        for (dependency, how) in self.request.order.waits_of(name) {
            self.wait_for(service, dependency, *how)?;
        }
        self.tell(name, "starting");
        let began = Instant::now();
        let mut outcomes = Vec::new();
        let mut published = Vec::new();
        let mut handles = Vec::new();
        for index in 1..=service.scale.value {
            let container = container_name(self.request.project, name, index);
            let (handle, record, fresh) = self.start_container(service, &container, index)?;
            published.extend(record.published);
            handles.push((handle, fresh));
        }
        if handles
            .iter()
            .any(|(_, fresh)| *fresh == Freshness::Started)
        {
            self.replaced().insert(name.to_owned());
        }
        self.board.reach(name, Stage::Started);
        for (handle, fresh) in &handles {
            outcomes.push(self.wait_until_up(service, handle, *fresh, began)?);
        }
        let unchanged = !handles.is_empty()
            && handles
                .iter()
                .all(|(_, fresh)| *fresh == Freshness::Unchanged);
        let outcome = outcomes
            .into_iter()
            .next()
            .unwrap_or(ServiceOutcome::Started);
        self.board.reach(
            name,
            match outcome {
                ServiceOutcome::Completed => Stage::Completed,
                _ => Stage::Healthy,
            },
        );
        Ok(ServiceReport {
            service: name.to_owned(),
            outcome: if unchanged && outcome != ServiceOutcome::Completed {
                ServiceOutcome::Unchanged
            } else {
                outcome
            },
            took: began.elapsed(),
            published,
        })
    }

    fn wait_for(&self, service: &Service, dependency: &str, how: Dependency) -> Outcome<()> {
        let state = match how.condition {
            DependencyCondition::ServiceStarted => "start",
            DependencyCondition::ServiceHealthy => "be healthy",
            DependencyCondition::ServiceCompletedSuccessfully => "complete",
        };
        self.tell(
            &service.name,
            &format!("waiting for {dependency} to {state}"),
        );
        let place = service
            .depends_on
            .get(dependency)
            .and_then(|how| how.span.clone());
        let message = match self.board.wait_for(dependency, how.condition) {
            Ok(()) => return Ok(()),
            Err(_) if !how.required => return Ok(()),
            Err(Interruption::Cancelled) => return Err(None),
            Err(Interruption::Impossible) => {
                format!(
                    "`{}` was not started: `{dependency}` did not {}",
                    service.name,
                    did_not(how.condition)
                )
            }
            Err(Interruption::TimedOut) => {
                format!(
                    "`{}` still waits for `{dependency}` to {state}",
                    service.name
                )
            }
        };
        Err(Some(Box::new(ServiceFailure {
            service: service.name.clone(),
            diagnostic: Diagnostic::error(message).at(place),
            last_lines: Vec::new(),
        })))
    }

    fn start_container(
        &self,
        service: &Service,
        container: &str,
        index: u32,
    ) -> Outcome<(ContainerHandle, ContainerRecord, Freshness)> {
        let request = self.request;
        let fail = |diagnostic: Diagnostic| {
            Some(Box::new(ServiceFailure {
                service: service.name.clone(),
                diagnostic,
                last_lines: Vec::new(),
            }))
        };
        let Some(image) = request.images.get(&service.name) else {
            return Err(fail(
                Diagnostic::error(format!("`{}` has no image", service.name))
                    .at(service.span.clone()),
            ));
        };
        let sources = SpecificationSources {
            project: request.project,
            images: request.named_images,
            paths: request.paths,
            environment: request.environment,
            service,
            image,
            container,
            machine_memory: self.machine_memory,
            read_only_root: if request.synchronised.contains(&service.name) {
                RootAccess::Synchronised
            } else {
                RootAccess::ReadOnly
            },
        };
        let mut spec = sources.specification().map_err(fail)?;
        let hash = self.hash(&spec, service, &image.digest);
        let directory = request.paths.container(container);
        if !self.must_restart(service)
            && let Some((handle, record)) = self.unchanged(container, &hash)
        {
            return Ok((handle, record, Freshness::Unchanged));
        }
        let before = self.record().clone();
        let removed = remove_container(self.engine, request.paths, &before, container, None);
        removed.map_err(|error| {
            fail(Diagnostic::error(format!(
                "cannot replace `{container}`: {error}"
            )))
        })?;
        let network_problem = |error: NetworkError| fail(network_diagnostic(service, &error));
        let published = if own_network(&mut spec, service) {
            Vec::new()
        } else if let Some(other) = network_of(service) {
            let other = container_name(request.project, other, 1);
            let place = self.place_of(&other).map_err(network_problem)?;
            connect(&mut spec, service, &place);
            Vec::new()
        } else {
            let place = self
                .attach(service, container, &spec)
                .map_err(network_problem)?;
            connect(&mut spec, service, &place);
            self.publish(service, container, index)
                .map_err(network_problem)?
        };
        join_namespaces(&mut spec, request.project, request.paths, service).map_err(fail)?;
        // Those for the service as a whole come with its first container.
        let occasion = match index {
            1 => Occasion::First,
            _ => Occasion::Further,
        };
        pre_start::run(self.engine, request, &sources, &spec, occasion).map_err(Some)?;
        let pre_stop = service
            .pre_stop
            .iter()
            .map(|hook| hooks::program(hook, image));
        let pre_stop = pre_stop.collect::<Result<_, _>>().map_err(fail)?;
        let record = ContainerRecord {
            service: service.name.clone(),
            index,
            image: image.digest.clone(),
            image_name: service.image.as_ref().map_or_else(
                || format!("{}-{}", request.project.name, service.name),
                |image| image.value.clone(),
            ),
            image_size: image.size,
            hash,
            published,
            pre_stop,
        };
        // Recorded before it runs: a command that is killed in between must leave a trace of it.
        self.remember(container, &record).map_err(|error| {
            fail(Diagnostic::error(format!(
                "cannot record the stack: {error}"
            )))
        })?;
        let handle = self.engine.start(&spec, &directory).map_err(|error| {
            fail(
                Diagnostic::error(format!("cannot start `{}`: {error}", service.name))
                    .at(service.span.clone()),
            )
        })?;
        self.tell_warnings(service, &handle);
        hooks::after_start(self.engine, &handle, service, image).map_err(Some)?;
        Ok((handle, record, Freshness::Started))
    }

    /// Tells what of the specification this machine could not give.
    fn tell_warnings(&self, service: &Service, handle: &ContainerHandle) {
        for warning in handle
            .state()
            .map(|state| state.warnings)
            .unwrap_or_default()
        {
            let notice = Diagnostic::warning(format!("`{}`: {warning}", service.name))
                .at(service.span.clone());
            self.request.progress.report(ProgressEvent::Notice(notice));
        }
    }

    /// The container as it runs, if it is what would be started now.
    fn unchanged(&self, container: &str, hash: &str) -> Option<(ContainerHandle, ContainerRecord)> {
        let record = self
            .record()
            .containers
            .get(container)
            .filter(|record| record.hash == hash)
            .cloned()?;
        let handle = ContainerHandle::new(&self.request.paths.container(container));
        let state = handle.state().ok()?;
        matches!(state.phase, Phase::Running).then_some((handle, record))
    }

    fn wait_until_up(
        &self,
        service: &Service,
        handle: &ContainerHandle,
        fresh: Freshness,
        began: Instant,
    ) -> Outcome<ServiceOutcome> {
        let awaited = Awaited::of(self.request.order, &service.name);
        loop {
            let state = match self.settled_state(handle, awaited) {
                Ok(Some(state)) => state,
                Ok(None) if self.board.is_cancelled() => return Err(None),
                Ok(None) if Instant::now() >= self.board.deadline() => {
                    return Err(Some(self.request.too_slow(service, handle, awaited)));
                }
                Ok(None) => continue,
                Err(error) => {
                    return Err(Some(Box::new(ServiceFailure {
                        service: service.name.clone(),
                        diagnostic: Diagnostic::error(format!("`{}`: {error}", service.name)),
                        last_lines: Vec::new(),
                    })));
                }
            };
            if state.is_final() || state.restarts >= HOPELESS {
                return match state.exit_code {
                    Some(0) if may_end(service) && state.is_final() => {
                        Ok(ServiceOutcome::Completed)
                    }
                    _ => Err(Some(self.request.ended(service, &state, began))),
                };
            }
            return match state.health_status() {
                Some(HealthStatus::Unhealthy) => Err(Some(self.request.unhealthy(service, &state))),
                _ if fresh == Freshness::Unchanged => Ok(ServiceOutcome::Unchanged),
                _ if state.health.is_some() => Ok(ServiceOutcome::Healthy),
                _ => Ok(ServiceOutcome::Started),
            };
        }
    }

    /// The container's state once it says how the start went; `None`: not yet.
    fn settled_state(
        &self,
        handle: &ContainerHandle,
        awaited: Awaited,
    ) -> Result<Option<ContainerState>, EngineError> {
        let look = (Instant::now() + CANCELLATION_LOOK).min(self.board.deadline());
        for state in handle.states(Some(look))? {
            let state = state?;
            if state.restarts >= HOPELESS {
                return Ok(Some(state));
            }
            let is_up = match state.health_status() {
                Some(status) => status != HealthStatus::Starting,
                None => state.phase == Phase::Running,
            };
            if is_up && awaited == Awaited::Up || state.is_final() {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    fn attach(
        &self,
        service: &Service,
        container: &str,
        spec: &ContainerSpec,
    ) -> Result<AttachmentDetails, NetworkError> {
        let request = attach_request(self.request.project, service, container, spec);
        let mut keeper = self.keeper();
        match keeper.attach(&request) {
            Err(NetworkError::AttachedDifferently { .. }) => {
                keeper.detach(container)?;
                keeper.attach(&request)
            }
            result => result,
        }
        // The keeper holds the namespace open as long as the container is attached.
        .map(|attachment| attachment.details)
    }

    fn place_of(&self, container: &str) -> Result<AttachmentDetails, NetworkError> {
        let status = self.keeper().status()?;
        status
            .containers
            .into_iter()
            .find(|candidate| candidate.container == container)
            .map(|candidate| candidate.attachment)
            .ok_or_else(|| NetworkError::UnknownContainer {
                container: container.to_owned(),
            })
    }

    fn publish(
        &self,
        service: &Service,
        container: &str,
        index: u32,
    ) -> Result<Vec<PublishedRecord>, NetworkError> {
        let mut published = Vec::new();
        let mut keeper = self.keeper();
        for port in &service.ports {
            // Only the first of several containers can have a port of the host that is named.
            if index > 1 && port.published.is_some() {
                continue;
            }
            let address = keeper.publish(&publish_request(self.request, container, port))?;
            published.push(PublishedRecord {
                address,
                target: port.target,
                protocol: port.protocol,
            });
        }
        Ok(published)
    }

    /// What determines a container, without what differs from start to start.
    fn hash(&self, spec: &ContainerSpec, service: &Service, image: &str) -> String {
        let mut stable = spec.clone();
        stable.network = NetworkSpec::None;
        let mut hash = Sha256::new();
        let names: Vec<_> = attach_request(self.request.project, service, "", spec)
            .networks
            .into_iter()
            .map(|network| network.names)
            .collect();
        let written = (
            (&stable, names, &service.pid),
            (&service.dns, &service.dns_search, &service.dns_opt),
            (&service.pre_start, &service.post_start, &service.pre_stop),
            &service.ports,
            (&service.networks, &service.mac_address, &service.ipc),
            &service.network_mode,
            &service.extra_hosts,
            self.request.bind,
        );
        hash.update(serde_json::to_vec(&written).unwrap_or_default());
        hash.update(image);
        for mount in &spec.mounts {
            if let MountKind::File { content, .. } = &mount.kind {
                hash.update(content.expose());
            }
        }
        hash.finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }

    fn remember(&self, container: &str, record: &ContainerRecord) -> std::io::Result<()> {
        let mut whole = self.record();
        whole
            .containers
            .insert(container.to_owned(), record.clone());
        whole.write(self.request.paths)
    }

    fn tell(&self, service: &str, step: &str) {
        self.request.progress.report(ProgressEvent::Started {
            subject: service.to_owned(),
            step: step.to_owned(),
        });
    }

    /// Whether something it depends on was replaced, and it asked to be, too, in that case.
    fn must_restart(&self, service: &Service) -> bool {
        let replaced = self.replaced();
        let mut dependencies = service.depends_on.iter();
        dependencies.any(|(name, how)| how.restart && replaced.contains(name))
    }

    fn replaced(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self) -> MutexGuard<'_, StackRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a container was started now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Unchanged,
    Started,
}

fn did_not(condition: DependencyCondition) -> &'static str {
    match condition {
        DependencyCondition::ServiceStarted => "start",
        DependencyCondition::ServiceHealthy => "become healthy",
        DependencyCondition::ServiceCompletedSuccessfully => "complete",
    }
}

/// The host's side of a published port.
fn publish_request(request: &UpRequest<'_>, container: &str, port: &Port) -> PublishRequest {
    PublishRequest {
        host: port.host_ip.unwrap_or(request.bind),
        host_port: port.published.unwrap_or(0),
        protocol: port.protocol,
        container: container.to_owned(),
        container_port: port.target,
    }
}

/// A network's refusal, at the place that asked for it.
fn network_diagnostic(service: &Service, error: &NetworkError) -> Diagnostic {
    match error {
        NetworkError::PortTaken { address, .. } | NetworkError::CannotListen { address, .. } => {
            port_diagnostic(service, *address, error)
        }
        _ => Diagnostic::error(format!("`{}`: {error}", service.name)).at(service.span.clone()),
    }
}

fn port_diagnostic(service: &Service, address: SocketAddr, error: &NetworkError) -> Diagnostic {
    let port = service
        .ports
        .iter()
        .find(|port| port.published == Some(address.port()));
    Diagnostic::error(error.to_string())
        .at(port
            .and_then(|port| port.span.clone())
            .or(service.span.clone()))
        .label(format!("published by service `{}`", service.name))
        .hint("free it, or publish another port")
}
