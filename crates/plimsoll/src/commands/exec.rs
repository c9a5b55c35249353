//! `plimsoll exec`: a command in a running container.

use std::io::IsTerminal as _;

use plimsoll_diag::Diagnostic;
use plimsoll_run::container::{Phase, StdinMode, Terminal};
use plimsoll_run::stack::{status, user_of_image};
use plimsoll_run::{ContainerHandle, ExecSpec};

use crate::cli::ExecArguments;
use crate::exit_status::ExitStatus;
use crate::failure::{Failure, chain};
use crate::settings::Settings;
use crate::stack_of_project::{engine, no_stack, paths_of, require_started};
use crate::variables::assignments;

/// Runs it and passes its exit code on.
pub(crate) fn run(settings: &Settings, arguments: ExecArguments) -> Result<ExitStatus, Failure> {
    let paths = paths_of(settings)?;
    let engine = engine()?;
    let containers = status(&paths).map_err(Failure::from_up)?;
    if containers.is_empty() {
        return Err(no_stack(paths.project()));
    }
    let started = containers.iter();
    let started = started.map(|one| one.record.service.as_str()).collect();
    require_started(&arguments.service, &started)?;
    let found = containers.iter().find(|container| {
        container.record.service == arguments.service && container.record.index == arguments.index
    });
    let Some(container) = found else {
        return Err(Failure::usage(Diagnostic::error(format!(
            "`{}` has no container number {}",
            arguments.service, arguments.index
        ))));
    };
    if container
        .state
        .as_ref()
        .is_none_or(|state| state.phase != Phase::Running)
    {
        return Err(Failure::failed(
            Diagnostic::error(format!("`{}` does not run", arguments.service))
                .hint("`plimsoll ps --all` tells more"),
        ));
    }
    let directory = paths.container(&container.name);
    let user = match &arguments.user {
        Some(user) => {
            let spec = ContainerHandle::new(&directory)
                .spec()
                .map_err(|error| Failure::failed(Diagnostic::error(chain(&error))))?;
            let user = user_of_image(&spec.layers, user).map_err(|error| {
                Failure::usage(Diagnostic::error(format!(
                    "`{}`: {error}",
                    arguments.service
                )))
            })?;
            Some(user)
        }
        None => None,
    };
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let spec = ExecSpec {
        command: arguments.command,
        environment: assignments(&arguments.env, settings)?,
        user,
        working_dir: arguments.workdir,
        stdin: StdinMode::Open,
        timeout: None,
        terminal: if on_terminal && !arguments.no_tty {
            Terminal::Allocate
        } else {
            Terminal::None
        },
    };
    let code = engine
        .exec(&directory, &spec)
        .map_err(|error| Failure::failed(Diagnostic::error(chain(&error))))?;
    Ok(ExitStatus::of_program(code))
}
