//! `plimsoll prune`: removes what no image needs, and what builds keep to be faster.

use std::collections::BTreeSet;

use plimsoll_diag::Diagnostic;
use plimsoll_image::store::Store;
use plimsoll_run::stack::{StackPaths, StackRecord, known_projects};

use crate::cli::PruneArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::size;
use crate::printer::{Form, Printer};
use crate::registry_retention;
use crate::settings::Settings;

/// Prunes the store.
pub(crate) fn run(
    settings: &Settings,
    arguments: &PruneArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    if let Some(repository) = &arguments.registry {
        return registry_retention::run(settings, arguments, repository, printer);
    }
    let mut store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let used = images_in_use(settings)?;
    let present = store.images().map_err(Failure::from_store)?;
    let named: BTreeSet<String> = present
        .iter()
        .map(|image| image.manifest.to_string())
        .collect();
    if !used.is_subset(&named) {
        return Err(Failure::failed(
            Diagnostic::error("a running stack uses an image that was built anew since: its files are still needed")
                .hint("`plimsoll up` there takes the new image, `plimsoll down` stops it"),
        ));
    }
    let mut images = Vec::new();
    if arguments.all {
        for image in present {
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
    let cached = match arguments.cache {
        true => store
            .empty_cache(&settings.cache())
            .map_err(Failure::from_store)?,
        false => 0,
    };
    if printer.form() == Form::Json {
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "images": images,
            "blobs": report.blobs,
            "layers": report.layers,
            "cache_bytes": cached,
            "bytes": report.bytes + cached,
        }));
    } else {
        for image in &images {
            printer.answer(&format!("removed {image}\n"));
        }
        printer.answer(&format!("freed {}\n", size(report.bytes + cached)));
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
