//! Which stack a command means: that of the project here, or the one it names.

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
    if !rustix::process::geteuid().is_root() {
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
