//! Why services did not come up, told with the line of the project that failed and what would help:
//! their logs are read where the engine only knows that they ended.

use plimsoll_diag::Diagnostic;
use plimsoll_model::{Project, Service};
use plimsoll_run::container::LogOptions;
use plimsoll_run::stack::{ServiceFailure, StackPaths, UpError};
use plimsoll_run::{ContainerHandle, Follow};

use crate::remedy::remedy;
use crate::trace::{self, Sources};

/// Lines of a log in which the failure is looked for.
const LAST: usize = 400;

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
