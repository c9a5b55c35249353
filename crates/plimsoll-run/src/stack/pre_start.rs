//! Containers that run to their end before a service's own starts (`pre_start`).
//!
//! Each is the service's container with another command, user or image: it has the same mounts,
//! variables and networks, and no ports, no health check and no name that others find it by.

use plimsoll_diag::{Diagnostic, ProgressEvent, Spanned};
use plimsoll_model::{Command, PreStart, PreStartRuns, Restart, Service};

use super::specification::SpecificationSources;
use super::up::UpRequest;
use super::{ServiceFailure, ServiceImage};
use crate::container::{Confinement, ContainerSpec, LogOptions, Phase, RootAccess};
use crate::engine::{Condition, Engine, Follow};

/// How much of what a hook said is told when it fails.
const LAST_LINES: usize = 10;

/// Before which of a service's containers hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Its first one: all of them run.
    First,
    /// Another one: those run that are meant for each.
    Further,
}

/// Runs the hooks of a service before its container `main`, whose networks they share.
///
/// # Errors
/// The first that fails, with its place and the last it said.
pub(super) fn run(
    engine: &Engine,
    request: &UpRequest<'_>,
    sources: &SpecificationSources<'_>,
    main: &ContainerSpec,
    occasion: Occasion,
) -> Result<(), Box<ServiceFailure>> {
    for (number, hook) in sources.service.pre_start.iter().enumerate() {
        if occasion == Occasion::Further && hook.runs == PreStartRuns::Once {
            continue;
        }
        request.progress.report(ProgressEvent::Started {
            subject: sources.service.name.clone(),
            step: format!("pre_start {}", number + 1),
        });
        run_one(engine, sources, main, hook, number + 1)?;
    }
    Ok(())
}

fn run_one(
    engine: &Engine,
    sources: &SpecificationSources<'_>,
    main: &ContainerSpec,
    hook: &Spanned<PreStart>,
    number: usize,
) -> Result<(), Box<ServiceFailure>> {
    let service = &sources.service.name;
    let failure = |reason: String, last_lines: Vec<String>| {
        let message = format!("`{service}`: `pre_start` {reason}");
        Box::new(ServiceFailure {
            service: service.clone(),
            diagnostic: Diagnostic::error(message).at(hook.span.clone()),
            last_lines,
        })
    };
    let container = format!("{}-pre-start-{number}", sources.container);
    let image = image_of(hook, sources).map_err(|reason| failure(reason, Vec::new()))?;
    let changed = as_service(sources.service, hook);
    let own = SpecificationSources {
        service: &changed,
        image,
        container: &container,
        read_only_root: RootAccess::ReadOnly,
        ..*sources
    };
    let mut spec = own.specification().map_err(|diagnostic| {
        Box::new(ServiceFailure {
            service: service.clone(),
            diagnostic,
            last_lines: Vec::new(),
        })
    })?;
    spec.hostname.clone_from(&main.hostname);
    spec.network = main.network.clone();
    spec.addresses.clone_from(&main.addresses);
    spec.resolver.clone_from(&main.resolver);
    spec.hosts.clone_from(&main.hosts);
    spec.pid = main.pid.clone();
    spec.ipc = main.ipc.clone();
    spec.health = None;
    spec.restart = Restart::No;
    if hook.privileged {
        spec.confinement = Confinement::Privileged;
    }
    let directory = sources.paths.container(&container);
    // Of an earlier try that was killed.
    let clean = |what: &str| {
        engine
            .clean(&directory)
            .map_err(|error| failure(format!("cannot {what}: {error}"), Vec::new()))
    };
    clean("be made again")?;
    let handle = engine
        .start(&spec, &directory)
        .map_err(|error| failure(format!("could not be run: {error}"), Vec::new()))?;
    let waited = handle.wait(Condition::Ended, None);
    let last_lines = || {
        let entries = handle.logs(Follow::No, &LogOptions::default()).ok();
        let lines = entries.into_iter().flatten().flatten();
        let mut lines: Vec<String> = lines
            .map(|entry| entry.text.trim_end_matches('\n').to_owned())
            .collect();
        lines.split_off(lines.len().saturating_sub(LAST_LINES))
    };
    let outcome = match waited.map(|waited| waited.state().clone()) {
        Ok(state) if state.exit_code == Some(0) => Ok(()),
        Ok(state) if state.phase == Phase::Lost => Err(failure(
            "was lost: its supervisor is gone".to_owned(),
            last_lines(),
        )),
        Ok(state) => {
            let code = state.exit_code.unwrap_or(-1);
            Err(failure(format!("exited with code {code}"), last_lines()))
        }
        Err(error) => Err(failure(error.to_string(), Vec::new())),
    };
    let cleaned = clean("be removed");
    // What it said is told where it failed; a file of its own would stay for good.
    let _ = fs_err::remove_file(&spec.log.path);
    outcome.and(cleaned)
}

fn image_of<'a>(
    hook: &PreStart,
    sources: &SpecificationSources<'a>,
) -> Result<&'a ServiceImage, String> {
    match &hook.image {
        None => Ok(sources.image),
        Some(image) => sources
            .images
            .get(&image.value)
            .ok_or_else(|| format!("has no image: `{}` is not there", image.value)),
    }
}

/// The service with what the hook says instead.
fn as_service(service: &Service, hook: &Spanned<PreStart>) -> Service {
    let mut changed = service.clone();
    let PreStart { hook: own, .. } = &hook.value;
    // What the service says of its program is not said of the hook's: the image's own holds.
    changed.entrypoint = None;
    changed.command = None;
    changed.user = None;
    changed.working_dir = None;
    if !own.command.is_empty() {
        changed.command = Some(Spanned::unplaced(Command(own.command.clone())));
    }
    for (name, value) in &own.environment {
        let value = Spanned::unplaced(value.clone());
        changed.environment.insert(name.clone(), value);
    }
    if let Some(user) = &own.user {
        changed.user = Some(Spanned {
            value: user.clone(),
            span: hook.span.clone(),
        });
    }
    if let Some(directory) = &own.working_dir {
        let directory = directory.to_string_lossy().into_owned();
        changed.working_dir = Some(Spanned::unplaced(directory));
    }
    changed
}
