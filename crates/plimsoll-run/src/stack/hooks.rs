//! Programs that a service has run in its container, after the start and before the stop.

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{Hook, Service};

use super::specification::user_of_image;
use super::{ServiceFailure, ServiceImage, StackPaths, StackRecord};
use crate::engine::{ContainerHandle, Engine};
use crate::exec::ExecSpec;

/// A hook as the engine runs it.
///
/// # Errors
/// A user that the image does not know, with the hook's place.
pub(super) fn program(hook: &Spanned<Hook>, image: &ServiceImage) -> Result<ExecSpec, Diagnostic> {
    let mut exec = ExecSpec::new(hook.command.clone());
    exec.working_dir = hook.working_dir.clone();
    exec.environment = hook
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
        .collect();
    if let Some(user) = &hook.user {
        let user = user_of_image(&image.layers, user)
            .map_err(|error| Diagnostic::error(error.to_string()).at(hook.span.clone()))?;
        exec.user = Some(user);
    }
    Ok(exec)
}

/// Runs what a service wants after its start.
///
/// # Errors
/// The first hook that fails, with its place and the last it said.
pub(super) fn after_start(
    engine: &Engine,
    handle: &ContainerHandle,
    service: &Service,
    image: &ServiceImage,
) -> Result<(), Box<ServiceFailure>> {
    for hook in &service.post_start {
        let failed = |reason: String| {
            Diagnostic::error(format!("`{}`: `post_start` {reason}", service.name))
                .at(hook.span.clone())
        };
        let failure = |diagnostic, last_lines| {
            Box::new(ServiceFailure {
                service: service.name.clone(),
                diagnostic,
                last_lines,
            })
        };
        let exec = program(hook, image).map_err(|problem| failure(problem, Vec::new()))?;
        match engine.exec_captured(handle.dir(), &exec) {
            Ok((0, ..)) => {}
            Ok((code, stdout, stderr)) => {
                let said = [stdout, stderr].concat();
                let said = String::from_utf8_lossy(&said).into_owned();
                let lines = said.lines().map(str::to_owned).collect();
                return Err(failure(failed(format!("exited with code {code}")), lines));
            }
            Err(error) => {
                let diagnostic = failed(format!("could not be run: {error}"));
                return Err(failure(diagnostic, Vec::new()));
            }
        }
    }
    Ok(())
}

/// Runs what the container's service wanted before a stop. A hook that fails keeps nothing alive.
pub(super) fn before_stop(engine: &Engine, paths: &StackPaths, record: &StackRecord, name: &str) {
    let hooks = record
        .containers
        .get(name)
        .map_or(&[][..], |container| &container.pre_stop);
    for hook in hooks {
        match engine.exec_captured(&paths.container(name), hook) {
            Ok((0, ..)) => {}
            Ok((code, ..)) => tracing::warn!("`{name}`: `pre_stop` exited with code {code}"),
            Err(error) => tracing::warn!("`{name}`: `pre_stop` could not be run: {error}"),
        }
    }
}
