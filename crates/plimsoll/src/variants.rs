//! What a variant changes of a service that runs, besides its image.

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_image::Variant;
use plimsoll_image::variant::{development, reloading};
use plimsoll_model::{
    BuildRecipe, Command, Mount, MountKind, Project, Propagation, RecipeKind, Recursion, Service,
    Watch, WatchAction,
};

use crate::failure::Failure;

/// What dependencies are stated in: a change of one of these asks for another image.
const MANIFESTS: [&str; 17] = [
    "**/requirements*.txt",
    "**/requirements/*.txt",
    "**/pyproject.toml",
    "**/uv.lock",
    "**/poetry.lock",
    "**/pdm.lock",
    "**/pylock*.toml",
    "**/Pipfile",
    "**/Pipfile.lock",
    "**/setup.py",
    "**/setup.cfg",
    "**/package.json",
    "**/package-lock.json",
    "**/pnpm-lock.yaml",
    "**/yarn.lock",
    "**/bun.lock",
    "**/.python-version",
];

/// How changes of the sources reach a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Following {
    /// Plimsoll watches them.
    Watched,
    /// Only what is mounted shows them.
    Mounted,
}

/// Changes the services of a stack.
pub(crate) fn apply_to_stack(
    project: &mut Project,
    variant: Variant,
    following: Following,
) -> Result<(), Failure> {
    if variant == Variant::Test {
        return Err(Failure::usage(
            Diagnostic::error("the variant `test` runs tests and ends")
                .hint("`plimsoll run --variant test SERVICE` runs those of a service"),
        ));
    }
    if variant == Variant::Dev {
        // Rules that the project states are the only ones.
        let is_stated = project
            .services
            .values()
            .any(|service| !service.watch.is_empty());
        for service in project.services.values_mut() {
            develop(service, following)?;
            if following == Following::Watched && !is_stated {
                service.watch = watches(service)
                    .into_iter()
                    .map(Spanned::unplaced)
                    .collect();
            }
        }
    }
    Ok(())
}

/// What a change of a service's sources leads to while it is developed.
fn watches(service: &Service) -> Vec<Watch> {
    let Some(recipe) = &service.recipe else {
        return Vec::new();
    };
    let watch = |action: WatchAction| Watch {
        path: recipe.context.clone(),
        target: action.copies().then(|| "/app".into()),
        action,
        include: Vec::new(),
        ignore: Vec::new(),
        initial_sync: false,
    };
    let rebuilt = watch(WatchAction::Rebuild);
    if !is_interpreted(recipe) {
        return vec![rebuilt];
    }
    let manifests = MANIFESTS.map(str::to_owned).to_vec();
    let mut watches = vec![Watch {
        include: manifests.clone(),
        ..rebuilt
    }];
    let command = service.command.as_ref().map(|command| &command.value.0[..]);
    let reloads = plimsoll_image::variant::loads_again(recipe, command);
    let action = match (is_copied(recipe), reloads) {
        (true, true) => WatchAction::Sync,
        (true, false) => WatchAction::SyncRestart,
        // Its sources are mounted, and it looks at them itself.
        (false, true) => return watches,
        (false, false) => WatchAction::Restart,
    };
    watches.push(Watch {
        ignore: manifests,
        ..watch(action)
    });
    watches
}

/// Whether changed sources need no other image.
fn is_interpreted(recipe: &BuildRecipe) -> bool {
    matches!(recipe.kind, RecipeKind::Python(_)) || is_copied(recipe)
}

/// Whether changed sources are copied into the container. Packages of Node stand among the
/// sources, and a file that is mounted stays the old one when an editor puts a new one in its
/// place.
fn is_copied(recipe: &BuildRecipe) -> bool {
    match &recipe.kind {
        RecipeKind::NodeServer(_) => true,
        RecipeKind::StaticSite(site) => site.script.is_some(),
        _ => false,
    }
}

/// Changes a service that runs once.
pub(crate) fn apply_to_one(service: &mut Service, variant: Variant) -> Result<(), Failure> {
    match variant {
        Variant::Dev => develop(service, Following::Mounted),
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
fn develop(service: &mut Service, following: Following) -> Result<(), Failure> {
    let Some(recipe) = &service.recipe else {
        return Ok(());
    };
    let mut development = development(recipe)?;
    if following == Following::Watched && is_copied(recipe) {
        development.mounts.clear();
    }
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
