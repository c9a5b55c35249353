//! `plimsoll build`: the images of all services, or of those named.

use std::path::PathBuf;
use std::sync::Arc;

use plimsoll_diag::Diagnostic;
use plimsoll_image::builder::Outcome;
use plimsoll_image::store::{Image, LayerForm, Store};
use plimsoll_run::stack::start_order;

use crate::cli::BuildArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::{Form, Printer};
use crate::project;
use crate::service_images;
use crate::settings::Settings;
use crate::stack_of_project::engine;
use crate::terminal_progress::TerminalProgress;
use crate::workshop::Workshop;

/// Builds them.
pub(crate) fn run(
    settings: &Settings,
    arguments: &BuildArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let destination = arguments.output.as_deref().map(destination).transpose()?;
    let project::Loaded { project, warnings } = project::load(settings, &arguments.services)?;
    for warning in &warnings {
        printer.tell(warning);
    }
    let services: Vec<String> = if arguments.services.is_empty() {
        project.services.keys().cloned().collect()
    } else {
        // Tells names that are no services.
        start_order(&project, &arguments.services)?;
        arguments.services.clone()
    };
    let engine = engine()?;
    let workshop = Workshop::open(settings, &engine)?;
    let progress = Arc::new(TerminalProgress::new(printer));
    let prepared = service_images::prepare(
        &workshop.builder(progress)?,
        &project,
        &services,
        arguments.images.policy(),
    )?;
    if let Some(destination) = &destination {
        let images: Vec<_> = prepared
            .values()
            .map(|prepared| prepared.image.clone())
            .collect();
        write_out(workshop.store(), &images, destination)?;
    }
    if printer.form() == Form::Json {
        let images: Vec<_> = prepared
            .iter()
            .map(|(service, prepared)| {
                serde_json::json!({
                    "service": service,
                    "reference": prepared.image.reference,
                    "digest": prepared.image.manifest,
                    "bytes": prepared.image.size(),
                    "cached": prepared.built == Some(Outcome::Cached),
                    "seconds": prepared.took.as_secs_f64(),
                    "stand_in": prepared.stand_in.as_ref().map(|stand_in| &stand_in.product_version),
                })
            })
            .collect();
        printer.answer_json(
            &serde_json::json!({ "schema": 1, "project": project.name, "images": images }),
        );
    } else {
        service_images::tell(prepared.iter(), printer);
        if let Some(output) = &arguments.output {
            printer.say(&format!("  wrote    {output}"));
        }
    }
    Ok(ExitStatus::Success)
}

/// Where images are written to, besides the store.
enum Destination {
    OciLayout(PathBuf),
    DockerArchive(PathBuf),
}

fn write_out(store: &Store, images: &[Image], destination: &Destination) -> Result<(), Failure> {
    match destination {
        Destination::OciLayout(directory) => store
            .export_layout(images, LayerForm::Gzip, directory)
            .map_err(Failure::from_store),
        Destination::DockerArchive(path) => {
            // Beside its final place, so that nobody loads a half.
            let temporary = path.with_extension(format!("{}.new", std::process::id()));
            let mut file = fs_err::File::create(&temporary)?;
            let written = store
                .export_archive(images, LayerForm::Plain, &mut file)
                .map_err(Failure::from_store);
            if written.is_err() {
                fs_err::remove_file(&temporary)?;
            }
            written?;
            Ok(fs_err::rename(temporary, path)?)
        }
    }
}

/// Reads `oci:DIR` or `docker:FILE`.
fn destination(text: &str) -> Result<Destination, Failure> {
    match text.split_once(':') {
        Some(("oci", path)) if !path.is_empty() => Ok(Destination::OciLayout(PathBuf::from(path))),
        Some(("docker", path)) if !path.is_empty() => {
            Ok(Destination::DockerArchive(PathBuf::from(path)))
        }
        _ => Err(Failure::usage(
            Diagnostic::error(format!("`{text}` is no place to write images to"))
                .hint("`oci:DIR` writes an OCI layout, `docker:FILE.tar` what `docker load` reads"),
        )),
    }
}
