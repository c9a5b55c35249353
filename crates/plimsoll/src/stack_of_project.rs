//! Which stack a command means: that of the project here, or the one it names.

use std::collections::BTreeSet;

use plimsoll_diag::Diagnostic;
use plimsoll_run::Engine;
use plimsoll_run::stack::{LockError, StackLock, StackPaths};

use crate::failure::{Failure, chain};
use crate::project::project_name;
use crate::settings::Settings;

/// The paths of the stack. Works where the project's files cannot be read any more: a stack must
/// be reachable after its Compose file broke.
pub(crate) fn paths_of(settings: &Settings) -> Result<StackPaths, Failure> {
    Ok(StackPaths::new(
        &settings.data,
        &settings.runtime,
        &project_name(settings),
    ))
}

/// The engine of this machine.
pub(crate) fn engine() -> Result<Engine, Failure> {
    if !sees_stacks() {
        return Err(Failure::failed(
            Diagnostic::error("containers need root for now").hint("run it with `sudo`"),
        ));
    }
    Engine::new().map_err(|error| {
        Failure::internal(Diagnostic::error(format!(
            "cannot prepare the engine: {}",
            chain(&error)
        )))
    })
}

/// The failure of a command that needs a stack where there is none.
pub(crate) fn no_stack(project: &str) -> Failure {
    Failure::failed(
        Diagnostic::error(format!("`{project}` is not up")).hint(if sees_stacks() {
            "`plimsoll up` starts it"
        } else {
            "stacks belong to root: run it with `sudo`"
        }),
    )
}

/// Whether this user is the one to whom stacks belong.
pub(crate) fn sees_stacks() -> bool {
    rustix::process::geteuid().is_root()
}

/// Fails for a service of which the stack has no container.
pub(crate) fn require_started(service: &str, started: &BTreeSet<&str>) -> Result<(), Failure> {
    if started.contains(service) {
        return Ok(());
    }
    let names: Vec<String> = started.iter().map(|name| format!("`{name}`")).collect();
    Err(Failure::usage(
        Diagnostic::error(format!("no service `{service}` was started"))
            .hint(format!("started: {}", names.join(", "))),
    ))
}

/// Takes the lock of a stack that the command will change.
pub(crate) fn lock(paths: &StackPaths) -> Result<StackLock, Failure> {
    StackLock::take(&paths.lock()).map_err(|error| match error {
        LockError::Busy { .. } => Failure::failed(
            Diagnostic::error(format!("`{}`: {error}", paths.project()))
                .hint("wait for it, or press Ctrl-C there"),
        ),
        LockError::File(error) => error.into(),
    })
}
