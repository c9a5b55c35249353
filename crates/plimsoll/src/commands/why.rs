//! `plimsoll images --why`: whose the bytes of the services' images are.

use plimsoll_diag::Diagnostic;
use plimsoll_image::inventory::Inventory;
use plimsoll_image::oci::Architecture;
use plimsoll_image::store::{Image, Store};
use plimsoll_model::Service;

use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::{count, size};
use crate::printer::{Form, Printer};
use crate::project;
use crate::settings::Settings;
use crate::variants::VariantChoice;
use crate::weight::{self, counts, shares, together};

/// How many owners of each image are told.
const MOST: usize = 12;

/// Tells them.
pub(crate) fn run(
    settings: &Settings,
    services: &[String],
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let project::Loaded { project, .. } = project::load(settings, services)?;
    for name in services {
        if !project.services.contains_key(name) {
            let message = format!("no service is called `{name}`");
            return Err(Failure::usage(Diagnostic::error(message)));
        }
    }
    let architecture = Architecture::host()
        .map_err(|error| Failure::failed(Diagnostic::error(error.to_string())))?;
    let mut found: Vec<(&Service, Image, Inventory)> = Vec::new();
    let mut missing = Vec::new();
    for service in project.services.values() {
        let asked = services.is_empty() || services.contains(&service.name);
        if !asked {
            continue;
        }
        let reference = VariantChoice::ByTarget.image_name(&project, service);
        let image = store
            .image(&reference, architecture)
            .map_err(Failure::from_store)?;
        match image {
            Some(image) => {
                let inventory = Inventory::of(&store, &image).map_err(Failure::from_store)?;
                found.push((service, image, inventory));
            }
            None => missing.push(service.name.as_str()),
        }
    }
    if found.is_empty() {
        return Err(Failure::failed(
            Diagnostic::error("no image of these services is in the store")
                .hint("`plimsoll build` makes them"),
        ));
    }
    let total = together(found.iter().map(|(_, image, _)| image));
    if printer.form() == Form::Json {
        let services: Vec<_> = found
            .iter()
            .map(|(service, image, inventory)| {
                serde_json::json!({
                    "service": service.name,
                    "reference": image.reference,
                    "bytes": image.size(),
                    "owners": shares(inventory),
                    "waste": weight::waste(inventory, Some(service)).map(|waste| serde_json::json!({
                        "kind": waste.kind,
                        "bytes": waste.bytes,
                        "owners": waste.owners,
                        "fix": waste.kind.fix(),
                    })).collect::<Vec<_>>(),
                })
            })
            .collect();
        printer.answer_json(&serde_json::json!({
            "schema": 1, "bytes": total, "services": services, "missing": missing,
        }));
        return Ok(ExitStatus::Success);
    }
    let mut text = String::new();
    for (service, image, inventory) in &found {
        text.push_str(&told(service, image, inventory));
        text.push('\n');
    }
    let summed: u64 = found.iter().map(|(_, image, _)| image.size()).sum();
    text.push_str(&format!(
        "{} in {}",
        size(total),
        count(found.len(), "image")
    ));
    if summed > total {
        text.push_str(&format!(", {} of them shared", size(summed - total)));
    }
    text.push('\n');
    if !missing.is_empty() {
        text.push_str(&format!("not built: {}\n", missing.join(", ")));
    }
    printer.answer(&text);
    Ok(ExitStatus::Success)
}

/// One image: its size, the owners of its bytes, its waste.
fn told(service: &Service, image: &Image, inventory: &Inventory) -> String {
    let kinds: Vec<String> = counts(inventory)
        .into_iter()
        .map(|(ecosystem, number)| format!("{number} {}", ecosystem.label()))
        .collect();
    let mut text = format!(
        "{}  {}  {} · {}\n",
        service.name,
        size(image.size()),
        count(image.layers.len(), "layer"),
        kinds.join(" · ")
    );
    let shares = shares(inventory);
    for share in shares.iter().take(MOST) {
        let version = match share.version.as_str() {
            "" => String::new(),
            version => format!(" {version}"),
        };
        let part = share.bytes * 100 / image.size().max(1);
        text.push_str(&format!(
            "  {:>7}  {part:>3} %  {:<6}  {}{version}\n",
            size(share.bytes),
            share.kind,
            share.name
        ));
    }
    if shares.len() > MOST {
        let rest: u64 = shares[MOST..].iter().map(|share| share.bytes).sum();
        let others = shares.len() - MOST;
        text.push_str(&format!(
            "  {:>7}  {:>3} %          {others} more\n",
            size(rest),
            rest * 100 / image.size().max(1)
        ));
    }
    for waste in weight::waste(inventory, Some(service)) {
        text.push_str(&format!(
            "  waste: {}\n         {}\n",
            weight::words(waste),
            waste.kind.fix()
        ));
    }
    text
}
