//! What a variant changes of a service that runs, besides its image.

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_image::Variant;
use plimsoll_image::variant::{development, reloading};
use plimsoll_model::{Command, Mount, MountKind, Project, Propagation, Recursion, Service};

use crate::failure::Failure;

/// Changes the services of a stack.
pub(crate) fn apply_to_stack(project: &mut Project, variant: Variant) -> Result<(), Failure> {
    if variant == Variant::Test {
        return Err(Failure::usage(
            Diagnostic::error("the variant `test` runs tests and ends")
                .hint("`plimsoll run --variant test SERVICE` runs those of a service"),
        ));
    }
    if variant == Variant::Dev {
        for service in project.services.values_mut() {
            develop(service)?;
        }
    }
    Ok(())
}

/// Changes a service that runs once.
pub(crate) fn apply_to_one(service: &mut Service, variant: Variant) -> Result<(), Failure> {
    match variant {
        Variant::Dev => develop(service),
        Variant::Test if service.recipe.is_none() => Err(Failure::usage(
            Diagnostic::error(format!(
                "`{}` is not built here and has no tests",
                service.name
            ))
            .at(service.span.clone()),
        )),
        Variant::Test => {
            // The tests are the image's command, and answer no request.
            service.command = None;
            service.entrypoint = None;
            service.healthcheck = None;
            service.working_dir = None;
            Ok(())
        }
        Variant::Production | Variant::Slim | Variant::Debug => Ok(()),
    }
}

/// Shows a service its sources as they are on this machine, and has it load them again.
fn develop(service: &mut Service) -> Result<(), Failure> {
    let Some(recipe) = &service.recipe else {
        return Ok(());
    };
    let development = development(recipe)?;
    for (source, target) in development.mounts {
        // What the file mounts there is what is wanted there.
        if service
            .volumes
            .iter()
            .any(|mount| mount.target.starts_with(&target) || target.starts_with(&mount.target))
        {
            continue;
        }
        service.volumes.push(Spanned::unplaced(Mount {
            kind: MountKind::Bind {
                source,
                create: false,
                propagation: Propagation::default(),
                recursion: Recursion::default(),
            },
            target,
            read_only: true,
        }));
    }
    if let Some(directory) = development.working_dir
        && service.working_dir.is_none()
    {
        service.working_dir = Some(Spanned::unplaced(directory.display().to_string()));
    }
    for (name, value) in development.environment {
        service
            .environment
            .entry(name)
            .or_insert_with(|| Spanned::unplaced(Some(value)));
    }
    if let Some(command) = &mut service.command
        && let Some(changed) = reloading(&command.value.0)
    {
        command.value = Command(changed);
    }
    Ok(())
}
