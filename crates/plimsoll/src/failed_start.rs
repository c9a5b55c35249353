//! Why services did not come up, told with the line of the project that failed and what would help:
//! their logs are read where the engine only knows that they ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use plimsoll_diag::Diagnostic;
use plimsoll_model::facts::ServiceKind;
use plimsoll_model::{Project, Service};
use plimsoll_run::container::{ContainerState, LogOptions};
use plimsoll_run::stack::{ServiceFailure, StackPaths, UpError};
use plimsoll_run::{ContainerHandle, Follow};

use crate::remedy::remedy;
use crate::trace::{self, Sources};

/// How long a program that nobody can ask must stay alive to count as started.
const STAY: Duration = Duration::from_secs(3);
/// How often it is looked whether it does.
const LOOK: Duration = Duration::from_millis(100);
/// Lines of a log in which the failure is looked for.
const LAST: usize = 400;
/// Lines of it that are shown.
const SHOWN: usize = 12;

/// The same error, each service's failure with what its log tells.
pub(crate) fn explained(error: UpError, project: &Project, paths: &StackPaths) -> UpError {
    let UpError::Services(failures) = error else {
        return error;
    };
    let explained = failures.into_iter().map(|failure| {
        let Some(service) = project.services.get(&failure.service) else {
            return failure;
        };
        let lines = log(paths, &project.name, &failure.service);
        explain(failure, &lines, service, project)
    });
    UpError::Services(explained.collect())
}

/// Those of these services that came up without any check and ended soon after.
pub(crate) fn soon_ended(
    project: &Project,
    services: &[String],
    paths: &StackPaths,
    cancelled: &AtomicBool,
) -> Vec<ServiceFailure> {
    let unasked = services
        .iter()
        .filter_map(|name| project.services.get(name))
        .filter(|service| service.healthcheck.is_none() && service.recipe.is_some())
        .filter(|service| service.facts.kind.is_some_and(ServiceKind::is_daemon));
    unasked
        .filter_map(|service| {
            loop {
                let container = paths.container(&format!("{}-{}-1", project.name, service.name));
                let state = ContainerHandle::new(&container).state().ok()?;
                if state.is_final() || state.restarts > 0 {
                    return Some(soon(
                        service,
                        &state,
                        log(paths, &project.name, &service.name),
                    ));
                }
                let started = state.started_at.map(|at| at.to_system_time());
                let since = started.and_then(|at| SystemTime::now().duration_since(at).ok());
                if since.is_none_or(|since| since > STAY) || cancelled.load(Ordering::Relaxed) {
                    return None;
                }
                std::thread::sleep(LOOK);
            }
        })
        .collect()
}

fn soon(service: &Service, state: &ContainerState, mut lines: Vec<String>) -> ServiceFailure {
    let code = state
        .exit_code
        .map(|code| format!(" with code {code}"))
        .unwrap_or_default();
    let message = format!("`{}` ended{code} soon after its start", service.name);
    ServiceFailure {
        service: service.name.clone(),
        diagnostic: Diagnostic::error(message).at(service.span.clone()),
        last_lines: lines.split_off(lines.len().saturating_sub(SHOWN)),
    }
}

fn explain(
    mut failure: ServiceFailure,
    lines: &[String],
    service: &Service,
    project: &Project,
) -> ServiceFailure {
    // What waited for others says so itself.
    if failure.last_lines.is_empty() {
        return failure;
    }
    let sources = Sources::of(project, service);
    let found = trace::failure(lines, &sources);
    let said = match &found {
        Some(found) => Some(found.what.clone()),
        None => trace::last_word(lines),
    };
    let place = match &found {
        Some(found) => found.span.clone(),
        None => said.as_ref().and_then(|said| trace::author(said, &sources)),
    };
    let hint = said.and_then(|said| remedy(&said, lines, service, project));
    let Diagnostic { message, span, .. } = &mut failure.diagnostic;
    if let Some(found) = found {
        // What a check said tells less than what the service itself said.
        let what = message.split(": its check says").next().unwrap_or_default();
        *message = format!("{what}: {}", found.what);
    }
    if place.is_some() {
        *span = place;
    }
    if let Some(hint) = hint {
        failure.diagnostic = failure.diagnostic.hint(hint);
    }
    failure
}

/// The last lines of a service's first container.
fn log(paths: &StackPaths, project: &str, service: &str) -> Vec<String> {
    let container = paths.container(&format!("{project}-{service}-1"));
    let options = LogOptions {
        tail: Some(LAST),
        ..LogOptions::default()
    };
    let Ok(entries) = ContainerHandle::new(&container).logs(Follow::No, &options) else {
        return Vec::new();
    };
    let entries = entries.filter_map(Result::ok);
    entries
        .flat_map(|entry| entry.text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
