//! Which variant of its image a service runs, and what that changes of it besides the image.

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_image::Variant;
use plimsoll_image::variant::{add_tools_of, development, reloading};
use plimsoll_model::{
    Build, BuildRecipe, Command, Mount, MountKind, Project, Propagation, RecipeKind, Recursion,
    Service, Watch, WatchAction,
};

use crate::failure::Failure;
use crate::service_images::image_name;

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

/// Which variant of its image each service gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum VariantChoice {
    /// What `build.target` says of a service whose image is assembled; else production.
    #[default]
    ByTarget,
    /// The one that the command line names, for all.
    Named(Variant),
}

impl From<Option<Variant>> for VariantChoice {
    fn from(named: Option<Variant>) -> Self {
        named.map_or(Self::ByTarget, Self::Named)
    }
}

impl VariantChoice {
    /// The variant of a service's image. A Dockerfile that builds it has the stage itself.
    pub(crate) fn of(self, service: &Service) -> Variant {
        match (self, &service.recipe) {
            (Self::Named(variant), _) => variant,
            (Self::ByTarget, None) => Variant::Production,
            (Self::ByTarget, Some(recipe)) if matches!(recipe.kind, RecipeKind::Dockerfile(_)) => {
                Variant::Production
            }
            (Self::ByTarget, Some(_)) => service
                .build
                .as_ref()
                .and_then(Build::purpose)
                .map_or(Variant::Production, Variant::from),
        }
    }

    /// The name of a service's image in the store: the variant is the end of its tag, but where the
    /// file that chose the variant names the image itself.
    pub(crate) fn image_name(self, project: &Project, service: &Service) -> String {
        let name = image_name(project, service);
        let is_named_for_it = self == Self::ByTarget && service.image.is_some();
        match self.of(service) {
            Variant::Production => name,
            _ if is_named_for_it || name.contains('@') => name,
            variant => format!("{name}-{variant}"),
        }
    }
}

/// The recipe of a service's image for a variant: what the service's own command is started with is
/// in it while it is developed or tested.
pub(crate) fn with_tools(recipe: &BuildRecipe, service: &Service, variant: Variant) -> BuildRecipe {
    let mut recipe = recipe.clone();
    if let (Variant::Dev | Variant::Test, Some(command)) = (variant, &service.command) {
        add_tools_of(&mut recipe, &command.value.0);
    }
    recipe
}

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
    choice: VariantChoice,
    following: Following,
) -> Result<(), Failure> {
    if choice == VariantChoice::Named(Variant::Test) {
        return Err(Failure::usage(
            Diagnostic::error("the variant `test` runs tests and ends")
                .hint("`plimsoll run --variant test SERVICE` runs those of a service"),
        ));
    }
    // Rules that the project states are the only ones.
    let is_stated = project
        .services
        .values()
        .any(|service| !service.watch.is_empty());
    let is_developed = project
        .services
        .values()
        .any(|service| choice.of(service) == Variant::Dev);
    for service in project.services.values_mut() {
        let variant = choice.of(service);
        apply(service, choice, following)?;
        if is_developed && following == Following::Watched && !is_stated {
            service.watch = watches(service, variant)
                .into_iter()
                .map(Spanned::unplaced)
                .collect();
        }
    }
    Ok(())
}

/// What a change of a service's sources leads to while it is developed.
fn watches(service: &Service, variant: Variant) -> Vec<Watch> {
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
    if variant != Variant::Dev || !is_interpreted(recipe) {
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
        RecipeKind::StaticSite(site) => site.build.is_some(),
        _ => false,
    }
}

/// Changes a service that runs once.
pub(crate) fn apply_to_one(service: &mut Service, choice: VariantChoice) -> Result<(), Failure> {
    if choice.of(service) == Variant::Test && service.recipe.is_none() {
        return Err(Failure::usage(
            Diagnostic::error(format!(
                "`{}` is not built here and has no tests",
                service.name
            ))
            .at(service.span.clone()),
        ));
    }
    apply(service, choice, Following::Mounted)
}

fn apply(
    service: &mut Service,
    choice: VariantChoice,
    following: Following,
) -> Result<(), Failure> {
    match choice.of(service) {
        Variant::Dev => develop(service, following)?,
        // What the file says beside such a target is said of the tests.
        Variant::Test if choice != VariantChoice::ByTarget => {
            // The tests are the image's command, and answer no request.
            service.command = None;
            service.entrypoint = None;
            service.healthcheck = None;
            service.working_dir = None;
        }
        Variant::Production | Variant::Slim | Variant::Test | Variant::Debug => {}
    }
    Ok(())
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
