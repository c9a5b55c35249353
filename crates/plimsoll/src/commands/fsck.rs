//! `plimsoll fsck`: the store's content against its digests.

use plimsoll_image::store::Store;

use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::{count, size};
use crate::printer::{Form, Printer};
use crate::settings::Settings;

/// Checks the store; damaged content is set aside, so that it is fetched or built again.
pub(crate) fn run(settings: &Settings, printer: &Printer) -> Result<ExitStatus, Failure> {
    let _maintenance = Store::maintain(&settings.store()).map_err(Failure::from_store)?;
    let mut store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let report = store.fsck().map_err(Failure::from_store)?;
    let status = if report.damaged.is_empty() {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    };
    if printer.form() == Form::Json {
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "blobs": report.blobs,
            "bytes": report.bytes,
            "damaged": report.damaged,
            "strays": report.strays,
            "images": report.images,
        }));
        return Ok(status);
    }
    printer.answer(&format!(
        "{}, {} checked\n",
        count(report.blobs, "blob"),
        size(report.bytes)
    ));
    for path in &report.damaged {
        printer.answer(&format!(
            "removed: {} does not hold what its name says\n",
            path.display()
        ));
    }
    if !report.strays.is_empty() {
        printer.answer(&format!(
            "removed {}\n",
            count(report.strays.len(), "unfinished file")
        ));
    }
    for image in &report.images {
        printer.answer(&format!(
            "forgotten: {image} needs what was removed; build it again\n"
        ));
    }
    Ok(status)
}
