//! The images that are built from source, and where they are published.

use std::path::Path;

use plimsoll_model::{BuildRecipe, DockerfileSource, RecipeKind};

use crate::dockerfile::{self, Place};
use crate::{Fidelity, Input, Loss, Workload};

/// The registry that is taken when none is named: that of the repository's own host.
const GITHUBS: &str = "ghcr.io";

/// Where images are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registry {
    /// Its host.
    pub(super) host: String,
    /// What stands between the host and a service's name; `None`: the repository's own name.
    pub(super) path: Option<String>,
}

impl Registry {
    pub(super) fn of(input: &Input<'_>) -> Self {
        match input.registry {
            None => Self {
                host: GITHUBS.to_owned(),
                path: None,
            },
            Some(prefix) => {
                let (host, path) = prefix.split_once('/').unwrap_or((prefix, ""));
                Self {
                    host: host.to_owned(),
                    path: Some(path.to_owned()),
                }
            }
        }
    }

    /// Whether the token of a job signs in there.
    pub(super) fn is_githubs(&self) -> bool {
        self.host == GITHUBS
    }
}

/// An image that is built from source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// The service it is named after.
    pub(super) name: String,
    /// Every service that runs it.
    pub(super) services: Vec<String>,
    pub(super) context: String,
    pub(super) file: String,
    pub(super) target: Option<String>,
    /// Build arguments with a value; those of secrets are left out.
    pub(super) arguments: Vec<(String, String)>,
    /// The stage that runs the project's tests, where there is one.
    pub(super) tests: Option<Tests>,
    /// Whether its Dockerfile is the project's own.
    pub(super) is_own: bool,
}

/// How an image's tests are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tests {
    /// By pytest, which ends with 5 when there are none.
    Python,
    /// By a program that ends with 0 when there are none.
    Other,
}

impl Image {
    /// The identifier of its job.
    pub(super) fn job(&self) -> String {
        let name: String = self
            .name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        format!("image-{name}")
    }
}

/// The images of a project. Services that are built alike share one.
pub(super) fn images(
    input: &Input<'_>,
    all: &[Workload<'_>],
    losses: &mut Vec<Loss>,
) -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    let mut tested: Vec<&BuildRecipe> = Vec::new();
    for one in all {
        let Some(mut image) = image(input, one, losses) else {
            continue;
        };
        // Services of one source tree have one set of tests.
        if let (Some(_), Some(recipe)) = (image.tests, &one.service.recipe) {
            if tested.iter().any(|known| same_source(known, recipe)) {
                image.tests = None;
            }
            tested.push(recipe);
        }
        let same = images.iter_mut().find(|known| {
            known.is_own
                && (&known.context, &known.file, &known.target, &known.arguments)
                    == (&image.context, &image.file, &image.target, &image.arguments)
        });
        match same {
            Some(known) => known.services.push(one.name().to_owned()),
            None => images.push(image),
        }
    }
    images
}

fn same_source(one: &BuildRecipe, other: &BuildRecipe) -> bool {
    let root = |recipe: &BuildRecipe| {
        let below = match &recipe.kind {
            RecipeKind::Python(python) => &python.root,
            RecipeKind::StaticSite(site) => &site.root,
            RecipeKind::NodeServer(node) => &node.root,
            RecipeKind::Go(go) => &go.root,
            RecipeKind::Rust(rust) => &rust.root,
            RecipeKind::Dockerfile(_) => return recipe.context.clone(),
        };
        dockerfile::plain(&recipe.context.join(below))
    };
    root(one) == root(other)
}

fn image(input: &Input<'_>, one: &Workload<'_>, losses: &mut Vec<Loss>) -> Option<Image> {
    let service = one.service;
    let mut image = Image {
        name: one.name().to_owned(),
        services: vec![one.name().to_owned()],
        context: ".".to_owned(),
        file: String::new(),
        target: None,
        arguments: Vec::new(),
        tests: None,
        is_own: true,
    };
    let mut dropped = |what: &str| {
        losses.push(
            Loss::new(
                Fidelity::Dropped,
                format!("services.{}.build", one.name()),
                what,
            )
            .at(service.span.clone()),
        );
        None
    };
    if let Some(path) = dockerfile::path(one) {
        let recipe = service.recipe.as_ref()?;
        if Place::of(input, recipe).is_none() {
            return dropped(
                "its files are outside of the repository, which a pipeline checks out alone",
            );
        }
        image.file = path;
        image.target = Some("production".to_owned());
        image.tests = tests(input, one);
        image.is_own = false;
        return Some(image);
    }
    let relative = |path: &Path| {
        let inside = path.strip_prefix(&input.project.directory).ok()?;
        Some(dockerfile::text(&dockerfile::plain(inside)))
    };
    let (context, file, target, arguments) = match (&service.build, &service.recipe) {
        (Some(build), _) => {
            if build.dockerfile_inline.is_some() {
                return dropped(
                    "its Dockerfile stands in the Compose file, where no pipeline finds it",
                );
            }
            let file = build
                .dockerfile
                .as_ref()
                .map_or("Dockerfile", |name| &name.value);
            (
                build.context.value.clone(),
                build.context.value.join(file),
                build.target.as_ref().map(|target| target.value.clone()),
                build.args.clone().into_iter().collect::<Vec<_>>(),
            )
        }
        (None, Some(recipe)) => {
            let RecipeKind::Dockerfile(own) = &recipe.kind else {
                return None;
            };
            let DockerfileSource::File(file) = &own.source else {
                return None;
            };
            (
                recipe.context.clone(),
                file.clone(),
                own.target.as_ref().map(|target| target.value.clone()),
                own.args.clone(),
            )
        }
        (None, None) => return None,
    };
    let (Some(context), Some(file)) = (relative(&context), relative(&file)) else {
        return dropped(
            "its files are outside of the repository, which a pipeline checks out alone",
        );
    };
    image.context = context;
    image.file = file;
    image.target = target;
    image.arguments = arguments
        .into_iter()
        .filter(|(name, _)| !crate::workload::is_secret_name(name))
        .filter_map(|(name, value)| Some((name, value?)))
        .filter(|(_, value)| !crate::workload::holds_password(value))
        .collect();
    Some(image)
}

/// How the tests of a service with a rendered Dockerfile are run; `None`: it says none.
fn tests(input: &Input<'_>, one: &Workload<'_>) -> Option<Tests> {
    let recipe = one.service.recipe.as_ref()?;
    let root = match &recipe.kind {
        RecipeKind::Python(_) => return Some(Tests::Python),
        RecipeKind::Go(_) | RecipeKind::Rust(_) => return Some(Tests::Other),
        RecipeKind::StaticSite(site) => &site.root,
        RecipeKind::NodeServer(node) => &node.root,
        RecipeKind::Dockerfile(_) => return None,
    };
    let manifest = input
        .contents
        .get(&recipe.context.join(root).join("package.json"))?;
    let manifest: serde_json::Value = serde_json::from_str(manifest).ok()?;
    let script = manifest["scripts"]["test"].as_str()?;
    // What `npm init` writes for a project without tests.
    (!script.contains("no test specified")).then_some(Tests::Other)
}
