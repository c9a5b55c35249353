//! `plimsoll prune`: removes what no image needs.

use std::collections::BTreeSet;

use plimsoll_image::store::Store;
use plimsoll_run::stack::{StackPaths, StackRecord, known_projects};

use crate::cli::PruneArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::size;
use crate::printer::{Form, Printer};
use crate::settings::Settings;

/// Prunes the store.
pub(crate) fn run(
    settings: &Settings,
    arguments: &PruneArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let mut store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let mut images = Vec::new();
    if arguments.all {
        let used = images_in_use(settings)?;
        for image in store.images().map_err(Failure::from_store)? {
            if !used.contains(&image.manifest.to_string())
                && store
                    .remove_image(&image.reference)
                    .map_err(Failure::from_store)?
            {
                images.push(image.reference);
            }
        }
    }
    let report = store.prune().map_err(Failure::from_store)?;
    if printer.form() == Form::Json {
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "images": images,
            "blobs": report.blobs,
            "layers": report.layers,
            "bytes": report.bytes,
        }));
    } else {
        for image in &images {
            printer.answer(&format!("removed {image}\n"));
        }
        printer.answer(&format!("freed {}\n", size(report.bytes)));
    }
    Ok(ExitStatus::Success)
}

/// Digests of the images that running stacks use.
fn images_in_use(settings: &Settings) -> Result<BTreeSet<String>, Failure> {
    let mut used = BTreeSet::new();
    for project in known_projects(&settings.runtime)? {
        let paths = StackPaths::new(&settings.data, &settings.runtime, &project);
        let record = StackRecord::read(&paths)?.unwrap_or_default();
        used.extend(
            record
                .containers
                .into_values()
                .map(|container| container.image),
        );
    }
    Ok(used)
}
