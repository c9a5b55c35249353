//! `plimsoll push`: built images to a registry.

use plimsoll_image::store::Store;
use plimsoll_run::stack::start_order;

use crate::attestations::Wanted;
use crate::cli::PushArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::{Form, Printer};
use crate::project;
use crate::publish;
use crate::settings::Settings;

/// Pushes them.
pub(crate) fn run(
    settings: &Settings,
    arguments: &PushArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let variant = arguments.variant.into();
    let wanted = Wanted::read(settings, &arguments.attestations, variant)?;
    let project::Loaded { project, .. } = project::load(settings, &arguments.services)?;
    let services: Vec<String> = if arguments.services.is_empty() {
        project.services.keys().cloned().collect()
    } else {
        // Tells names that are no services.
        start_order(&project, &arguments.services)?;
        arguments.services.clone()
    };
    let store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let published = publish::publish(
        settings,
        &store,
        &project,
        &services,
        &arguments.publish,
        &wanted,
        printer,
    )?;
    if printer.form() == Form::Json {
        let pushed = publish::json(&published);
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "project": project.name,
            "pushed": pushed,
        }));
    } else {
        publish::tell(&published, printer);
    }
    Ok(ExitStatus::Success)
}
