//! `plimsoll down`: stops the stack and removes what it made.

use std::time::{Duration, Instant};

use plimsoll_run::stack::{DownRequest, VolumesFate, down};

use crate::cli::DownArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::{count, elapsed};
use crate::printer::{Form, Printer};
use crate::project;
use crate::settings::Settings;
use crate::stack_of_project::{engine, lock, paths_of};
use crate::terminal_progress::TerminalProgress;

/// Takes the stack down.
pub(crate) fn run(
    settings: &Settings,
    arguments: &DownArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let engine = engine()?;
    let paths = paths_of(settings)?;
    let _lock = lock(&paths)?;
    // Only the order of stopping comes from the files: a project that cannot be read any more
    // stops all the same.
    let project = project::load(settings, &[])
        .ok()
        .map(|loaded| loaded.project);
    let began = Instant::now();
    let report = {
        let progress = TerminalProgress::new(printer);
        let request = DownRequest {
            paths: &paths,
            project: project.as_ref(),
            grace: arguments.timeout.map(Duration::from_secs),
            volumes: if arguments.volumes {
                VolumesFate::Removed
            } else {
                VolumesFate::Kept
            },
            progress: &progress,
        };
        down(&engine, &request).map_err(Failure::from_up)?
    };
    if printer.form() == Form::Json {
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "project": paths.project(),
            "containers": report.containers,
            "volumes": report.volumes,
        }));
        return Ok(ExitStatus::Success);
    }
    let volumes = match report.volumes.len() {
        0 => String::new(),
        several => format!(" and {}", count(several, "volume")),
    };
    printer.say(&match (report.containers.len(), report.volumes.len()) {
        (0, 0) => format!("`{}` was not up", paths.project()),
        (containers, _) => {
            format!(
                "removed {}{volumes} in {}",
                count(containers, "container"),
                elapsed(began.elapsed())
            )
        }
    });
    Ok(ExitStatus::Success)
}
