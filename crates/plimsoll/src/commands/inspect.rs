//! `plimsoll inspect`: what was found in the source, and why.

use std::time::Instant;

use plimsoll_detect::View;

use crate::cli::InspectArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::{Form, Printer};
use crate::project::detect;
use crate::settings::Settings;

/// Shows what was found.
pub(crate) fn run(
    settings: &Settings,
    arguments: &InspectArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let began = Instant::now();
    let detection = detect(settings)?;
    if printer.form() == Form::Json {
        printer.answer_json(&detection);
        return Ok(ExitStatus::Success);
    }
    let view = match (arguments.environment, arguments.rejected) {
        (true, _) => View::Environment,
        (false, true) => View::Rejected,
        (false, false) => View::Summary,
    };
    printer.answer(&detection.text(view, printer.palette(), began.elapsed()));
    Ok(ExitStatus::Success)
}
