//! `plimsoll inspect`: what was found in the source, and why.

use std::time::{Duration, Instant};

use plimsoll_detect::View;

use crate::cli::InspectArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::{Form, Printer};
use crate::project::detect;
use crate::settings::Settings;
use crate::trial;

/// Shows what was found.
pub(crate) fn run(
    settings: &Settings,
    arguments: &InspectArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let began = Instant::now();
    let mut detection = detect(settings)?;
    let took = began.elapsed();
    if arguments.trial {
        let patience = Duration::from_secs(arguments.wait_timeout);
        trial::run(
            settings,
            &mut detection,
            &arguments.services,
            patience,
            printer,
        )?;
    }
    let status = match trial::fails(&detection) {
        true => ExitStatus::Failure,
        false => ExitStatus::Success,
    };
    if printer.form() == Form::Json {
        printer.answer_json(&detection);
        return Ok(status);
    }
    let view = match (arguments.environment, arguments.rejected) {
        (true, _) => View::Environment,
        (false, true) => View::Rejected,
        (false, false) => View::Summary,
    };
    printer.answer(&detection.text(view, printer.palette(), took));
    Ok(status)
}
