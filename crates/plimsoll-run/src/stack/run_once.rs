//! One service's image, once, in the foreground.

use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plimsoll_model::{Restart, Service};

use super::attachment::{attach_request, connect, name_of_container, own_network};
use super::hooks;
use super::record::StackRecord;
use super::resources::join_namespaces;
use super::specification::SpecificationSources;
use super::up::{UpError, UpRequest, machine_memory, make_networks, start_keeper, up};
use super::{ServiceFailure, ServiceImage};
use crate::container::{ContainerSpec, Phase, RootAccess, StdinMode, Terminal};
use crate::engine::{ContainerHandle, Engine};
use crate::network::{Keeper, NetworkError};

/// How often it is looked whether the program runs, which its hooks wait for.
const HOOK_LOOK: Duration = Duration::from_millis(20);

/// What to run.
pub struct RunRequest<'a> {
    /// The services it depends on, to bring up first; the order may be empty.
    pub up: UpRequest<'a>,
    /// The service, changed as the command line says.
    pub service: &'a Service,
    /// Its image.
    pub image: &'a ServiceImage,
    /// What standard input is.
    pub stdin: StdinMode,
    /// Whether it gets a terminal.
    pub terminal: Terminal,
    /// Who speaks with it.
    pub partner: Partner<'a>,
    /// Called once what it depends on is up, before it starts: the place to let go of locks.
    pub ready: &'a mut dyn FnMut(),
}

/// Who is at the other end of a program's standard streams.
pub enum Partner<'a> {
    /// Whoever called this process.
    Caller,
    /// This process itself, by pipes; see [`Engine::run_piped`].
    Itself(&'a mut dyn FnMut(&mut Child) -> std::io::Result<()>),
}

/// Runs it to its end and gives its exit code. Its container is removed; what it depends on runs on.
///
/// # Errors
/// When it cannot be started. A program that ends with a failure is not an error.
pub fn run_once(engine: &Engine, request: RunRequest<'_>) -> Result<i32, UpError> {
    let RunRequest {
        up: before,
        service,
        image,
        stdin,
        terminal,
        partner,
        ready,
    } = request;
    if !before.order.sequence().is_empty() {
        up(engine, &before)?;
    }
    let paths = before.paths;
    let container = format!(
        "{}-{}-run-{}",
        before.project.name,
        service.name,
        std::process::id()
    );
    let sources = SpecificationSources {
        project: before.project,
        images: before.named_images,
        paths,
        environment: before.environment,
        service,
        image,
        container: &container,
        machine_memory: machine_memory()?,
        read_only_root: RootAccess::ReadOnly,
    };
    let mut spec = sources.specification().map_err(UpError::Configuration)?;
    spec.stdin = stdin;
    spec.terminal = terminal;
    spec.health = None;
    // Whoever runs it sees it end.
    spec.restart = Restart::No;
    let mut keeper = if own_network(&mut spec, service) {
        None
    } else {
        Some(join_networks(&before, service, &container, &mut spec)?)
    };
    join_namespaces(&mut spec, before.project, paths, service).map_err(UpError::Configuration)?;
    ready();
    let directory = paths.container(&container);
    let ended = AtomicBool::new(false);
    let (code, hooks) = std::thread::scope(|scope| {
        let hooks = (!service.post_start.is_empty())
            .then(|| scope.spawn(|| after_start(engine, &directory, &ended, service, image)));
        let code = match partner {
            Partner::Caller => engine.run_foreground(&spec, &directory),
            Partner::Itself(talk) => engine.run_piped(&spec, &directory, talk),
        };
        ended.store(true, Ordering::Relaxed);
        (code, hooks.and_then(|hooks| hooks.join().ok()))
    });
    if let Some(keeper) = &mut keeper {
        keeper.detach(&container)?;
    }
    if let Some(mut keeper) = keeper
        && StackRecord::read(paths)?.is_none_or(|record| record.containers.is_empty())
        && keeper.status()?.containers.is_empty()
    {
        keeper.shutdown()?;
    }
    if let Some(Err(failure)) = hooks {
        return Err(UpError::Services(vec![*failure]));
    }
    Ok(code?)
}

/// Runs the `post_start` hooks as soon as the program in the foreground runs. One that fails ends
/// it, as it does with services that are brought up.
fn after_start(
    engine: &Engine,
    directory: &Path,
    ended: &AtomicBool,
    service: &Service,
    image: &ServiceImage,
) -> Result<(), Box<ServiceFailure>> {
    let handle = ContainerHandle::new(directory);
    // Its files appear with it, so there is nothing to wait on before.
    while !handle
        .state()
        .is_ok_and(|state| state.phase == Phase::Running)
    {
        if ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        std::thread::sleep(HOOK_LOOK);
    }
    let result = hooks::after_start(engine, &handle, service, image);
    match result {
        Err(_) if ended.load(Ordering::Relaxed) => Ok(()),
        Err(failure) => {
            let _ = handle.stop(None);
            Err(failure)
        }
        Ok(()) => Ok(()),
    }
}

fn join_networks(
    before: &UpRequest<'_>,
    service: &Service,
    container: &str,
    spec: &mut ContainerSpec,
) -> Result<Keeper, UpError> {
    let mut keeper = match Keeper::connect(&before.paths.keeper()) {
        Err(NetworkError::NotRunning { .. }) => start_keeper(before.paths)?,
        result => result?,
    };
    make_networks(
        &mut keeper,
        before,
        service.networks.keys().map(String::as_str),
    )?;
    // Others look up the service's running containers by its name, not this one.
    let mut request = attach_request(before.project, service, container, spec);
    for network in &mut request.networks {
        network.names = name_of_container(container).into_iter().collect();
    }
    let place = keeper.attach(&request)?.details;
    connect(spec, service, &place);
    Ok(keeper)
}
