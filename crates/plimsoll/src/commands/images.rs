//! `plimsoll images`: what is in the store.

use plimsoll_image::store::Store;

use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::{Align, size, table};
use crate::printer::{Form, Printer};
use crate::settings::Settings;

/// Lists the images.
pub(crate) fn run(settings: &Settings, printer: &Printer) -> Result<ExitStatus, Failure> {
    let store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let images = store.images().map_err(Failure::from_store)?;
    if printer.form() == Form::Json {
        let images: Vec<_> = images
            .iter()
            .map(|image| {
                serde_json::json!({
                    "reference": image.reference,
                    "digest": image.manifest,
                    "architecture": image.architecture.name(),
                    "layers": image.layers.len(),
                    "bytes": image.size(),
                })
            })
            .collect();
        printer.answer_json(&serde_json::json!({ "schema": 1, "images": images }));
        return Ok(ExitStatus::Success);
    }
    if images.is_empty() {
        printer.say("there are no images yet: `plimsoll build` makes them");
        return Ok(ExitStatus::Success);
    }
    let columns = [
        ("image", Align::Left),
        ("digest", Align::Left),
        ("platform", Align::Left),
        ("layers", Align::Right),
        ("size", Align::Right),
    ];
    let rows: Vec<Vec<String>> = images
        .iter()
        .map(|image| {
            let digest = image.manifest.to_string();
            let short: String = digest
                .rsplit(':')
                .next()
                .unwrap_or_default()
                .chars()
                .take(12)
                .collect();
            vec![
                image.reference.clone(),
                short,
                format!("linux/{}", image.architecture.name()),
                image.layers.len().to_string(),
                size(image.size()),
            ]
        })
        .collect();
    printer.answer(&table(&columns, &rows));
    Ok(ExitStatus::Success)
}
