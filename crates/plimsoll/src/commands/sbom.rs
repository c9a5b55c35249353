//! `plimsoll sbom`: the software bill of one image.

use plimsoll_diag::Diagnostic;
use plimsoll_image::oci::Architecture;
use plimsoll_image::sbom::SbomFormat;
use plimsoll_image::store::{Image, LayerForm, Store};
use plimsoll_model::Service;

use crate::attestations::{bill, created};
use crate::cli::{BillFormat, SbomArguments};
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::project;
use crate::settings::Settings;
use crate::variants::VariantChoice;

impl From<BillFormat> for SbomFormat {
    fn from(format: BillFormat) -> Self {
        match format {
            BillFormat::Cyclonedx => SbomFormat::CycloneDx,
            BillFormat::Spdx => SbomFormat::Spdx,
        }
    }
}

/// Prints it.
pub(crate) fn run(
    settings: &Settings,
    arguments: &SbomArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let (image, service) = find(settings, &store, arguments.image.as_deref())?;
    let subject = store
        .given_manifest(&image, LayerForm::Gzip)
        .map_err(Failure::from_store)?;
    let bytes = bill(
        &store,
        service.as_ref(),
        &image,
        &subject,
        &created(&settings.environment)?,
        arguments.format.into(),
    )?;
    printer.answer(&String::from_utf8_lossy(&bytes));
    Ok(ExitStatus::Success)
}

/// The image that a word means: a service's, or one of the store by its reference.
pub(crate) fn find(
    settings: &Settings,
    store: &Store,
    word: Option<&str>,
) -> Result<(Image, Option<Service>), Failure> {
    let architecture = Architecture::host()
        .map_err(|error| Failure::failed(Diagnostic::error(error.to_string())))?;
    if let Some(word) = word {
        let images = store.images().map_err(Failure::from_store)?;
        let tagged = format!("{word}:latest");
        let mut named = images
            .into_iter()
            .filter(|image| image.reference == word || image.reference == tagged);
        if let Some(image) = named.next() {
            return Ok((image, None));
        }
    }
    let named: Vec<String> = word.map(str::to_owned).into_iter().collect();
    let project::Loaded { project, .. } = project::load(settings, &named)?;
    let mut built = project
        .services
        .values()
        .filter(|service| service.recipe.is_some());
    let service = match word {
        Some(word) => project.services.get(word),
        None => built.next().filter(|_| built.next().is_none()),
    };
    let Some(service) = service else {
        let names: Vec<&str> = project.services.keys().map(String::as_str).collect();
        let message = match word {
            Some(word) => format!("`{word}` is neither a service nor an image of the store"),
            None => "which image is meant? the project has several".to_owned(),
        };
        return Err(Failure::usage(
            Diagnostic::error(message).hint(format!("services: {}", names.join(", "))),
        ));
    };
    let reference = VariantChoice::ByTarget.image_name(&project, service);
    match store
        .image(&reference, architecture)
        .map_err(Failure::from_store)?
    {
        Some(image) => Ok((image, Some(service.clone()))),
        None => Err(Failure::failed(
            Diagnostic::error(format!("`{}` has no image yet", service.name))
                .hint(format!("plimsoll build {}", service.name)),
        )),
    }
}
