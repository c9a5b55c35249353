//! The image of every service that is to run: assembled, pulled, or stood in for.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_image::Variant;
use plimsoll_image::builder::{BuildRequest, Builder, Memory, Outcome, PullPolicy};
use plimsoll_image::elf::Finding;
use plimsoll_image::oci::Architecture;
use plimsoll_image::project_lock::{LockChange, LockPolicy, NAME as LOCK, ProjectLock};
use plimsoll_image::stand_in::StandIn;
use plimsoll_image::store::{Image, Store};
use plimsoll_model::{HealthTest, Healthcheck, MountKind, Project, RecipeKind, Service};
use plimsoll_run::stack::{ImageDefaults, ImageOrigin, NamedImages, ServiceImage};

use crate::commit_time;
use crate::failure::Failure;
use crate::format::{elapsed, size};
use crate::printer::Printer;
use crate::variants::{VariantChoice, with_tools};

/// How many findings about images are told; the data has all of them.
const MOST_FINDINGS: usize = 5;

/// How images come to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImagePolicy {
    pub(crate) memory: Memory,
    pub(crate) pull: PullPolicy,
    pub(crate) variant: VariantChoice,
    pub(crate) checks: HealthChecks,
    pub(crate) lock: LockPolicy,
}

/// Who makes the health checks of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HealthChecks {
    /// This engine, which needs nothing of the image for it.
    ByEngine,
    /// Whatever runs the image: it says its check and holds what that calls.
    InImage,
}

/// A service's image and how it came.
pub(crate) struct Prepared {
    pub(crate) image: Image,
    pub(crate) origin: ImageOrigin,
    pub(crate) built: Option<Outcome>,
    pub(crate) took: Duration,
    pub(crate) stand_in: Option<StandIn>,
    /// Parts of the image that cannot be loaded and may never be.
    pub(crate) findings: Vec<Finding>,
}

/// A prepared image, unpacked for the engine.
pub(crate) struct Ready {
    pub(crate) prepared: Prepared,
    pub(crate) for_engine: ServiceImage,
}

/// Prepares the images of these services side by side.
pub(crate) fn prepare(
    builder: &Builder<'_>,
    project: &Project,
    services: &[String],
    policy: ImagePolicy,
) -> Result<BTreeMap<String, Prepared>, Failure> {
    prepare_for(builder, project, services, policy, builder.architecture())
}

/// Prepares the images of these services for a processor. Those that others publish are for this
/// machine.
pub(crate) fn prepare_for(
    builder: &Builder<'_>,
    project: &Project,
    services: &[String],
    policy: ImagePolicy,
    architecture: Architecture,
) -> Result<BTreeMap<String, Prepared>, Failure> {
    let results = Mutex::new(BTreeMap::new());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for name in services {
            let Some(service) = project.services.get(name) else {
                continue;
            };
            let (results, failures) = (&results, &failures);
            scope.spawn(move || {
                match prepare_one(builder, project, service, policy, architecture) {
                    Ok(prepared) => {
                        lock(results).insert(name.clone(), prepared);
                    }
                    Err(failure) => lock(failures).push(failure),
                }
            });
        }
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(status) = failures.first().map(|failure| failure.status) {
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for diagnostic in failures.into_iter().flat_map(|failure| failure.diagnostics) {
            // Services on one context fail for one reason.
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
        return Err(Failure {
            diagnostics,
            status,
        });
    }
    Ok(results
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn prepare_one(
    builder: &Builder<'_>,
    project: &Project,
    service: &Service,
    policy: ImagePolicy,
    architecture: Architecture,
) -> Result<Prepared, Failure> {
    if let Some(recipe) = &service.recipe {
        let variant = policy.variant.of(service);
        let reference = policy.variant.image_name(project, service);
        let recipe = &with_tools(recipe, service, variant);
        let built = builder
            .build(&BuildRequest {
                memory: policy.memory,
                variant,
                as_of: commit_time::moment(recipe),
                health: match policy.checks {
                    HealthChecks::ByEngine => None,
                    HealthChecks::InImage => service.healthcheck.as_ref().map(|check| &check.value),
                },
                ..BuildRequest::new(&service.name, &reference, recipe, architecture)
            })
            .map_err(|error| Failure::from_build(service, &error))?;
        return Ok(Prepared {
            image: built.image,
            // Commands of others may have left anything in it, as in an image from elsewhere.
            // Tools of development write among the sources.
            origin: match recipe.kind {
                RecipeKind::Dockerfile(_) => ImageOrigin::Pulled,
                _ if matches!(variant, Variant::Dev | Variant::Test) => ImageOrigin::Pulled,
                _ => ImageOrigin::Assembled,
            },
            built: Some(built.outcome),
            took: built.duration,
            stand_in: None,
            findings: built.findings,
        });
    }
    let Some(reference) = &service.image else {
        return Err(Failure::usage(
            Diagnostic::error(format!("how to build `{}` was not found", service.name))
                .at(service
                    .build
                    .as_ref()
                    .and_then(|build| build.context.span.clone())
                    .or(service.span.clone()))
                .hint("`plimsoll inspect` tells what was looked at"),
        ));
    };
    obtain(builder, reference, policy.pull_of(service)).map_err(|failure| {
        match service.facts.source {
            Some(_) => failure.hint(
                "it is this project's own: `--local-bases` builds it from the source here, as \
                 `pull_policy: build` beside `image` does",
            ),
            None => failure,
        }
    })
}

impl ImagePolicy {
    /// When a registry is asked for a service's image: what the command line says, else the file.
    fn pull_of(self, service: &Service) -> PullPolicy {
        match (self.pull, service.pull_policy.as_ref()) {
            (PullPolicy::Missing, Some(said)) => match said.value.as_str() {
                "always" => PullPolicy::Always,
                "never" => PullPolicy::Never,
                _ => PullPolicy::Missing,
            },
            (policy, _) => policy,
        }
    }
}

fn obtain(
    builder: &Builder<'_>,
    reference: &Spanned<String>,
    policy: PullPolicy,
) -> Result<Prepared, Failure> {
    let began = Instant::now();
    let obtained = builder
        .obtain(&reference.value, policy)
        .map_err(|error| Failure::from_obtain(reference, &error))?;
    Ok(Prepared {
        image: obtained.image,
        origin: if obtained.stand_in.is_some() {
            ImageOrigin::StandIn
        } else {
            ImageOrigin::Pulled
        },
        built: None,
        took: began.elapsed(),
        stand_in: obtained.stand_in,
        findings: Vec::new(),
    })
}

/// The images that mounts and hooks of these services name, by reference as it is written.
pub(crate) fn named(
    builder: &Builder<'_>,
    project: &Project,
    services: &BTreeMap<String, Ready>,
    policy: ImagePolicy,
    store: &Store,
) -> Result<NamedImages, Failure> {
    let mut images = NamedImages::new();
    let wanted = services
        .keys()
        .filter_map(|name| project.services.get(name));
    for reference in wanted.flat_map(named_by) {
        if images.contains_key(&reference.value) {
            continue;
        }
        // One of the project's own has it: built now, it is in no registry.
        let own = project.services.values().find(|service| {
            service.recipe.is_some() && image_name(project, service) == tagged(&reference.value)
        });
        let image = match own.and_then(|service| services.get(&service.name)) {
            Some(ready) => ready.for_engine.clone(),
            None => match own {
                Some(service) => for_engine(
                    store,
                    &prepare_one(builder, project, service, policy, builder.architecture())?,
                )?,
                None => for_engine(store, &obtain(builder, &reference, policy.pull)?)?,
            },
        };
        images.insert(reference.value, image);
    }
    Ok(images)
}

/// The references of a service's mounts and hooks.
fn named_by(service: &Service) -> Vec<Spanned<String>> {
    let hooks = service
        .pre_start
        .iter()
        .filter_map(|hook| hook.image.clone());
    let mounts = service
        .volumes
        .iter()
        .filter_map(|mount| match &mount.kind {
            MountKind::Image { reference, .. } => Some(Spanned {
                value: reference.clone(),
                span: mount.span.clone(),
            }),
            _ => None,
        });
    hooks.chain(mounts).collect()
}

/// The name a service's image has in the store, with a tag: other engines load no image without.
pub(crate) fn image_name(project: &Project, service: &Service) -> String {
    let name = match &service.image {
        Some(image) => image.value.clone(),
        None => format!("{}-{}", project.name, service.name),
    };
    tagged(&name)
}

fn tagged(name: &str) -> String {
    // A colon before the last slash belongs to a registry's port.
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

/// Unpacks the layers of prepared images.
pub(crate) fn unpack(
    store: &Store,
    prepared: BTreeMap<String, Prepared>,
) -> Result<BTreeMap<String, Ready>, Failure> {
    prepared
        .into_iter()
        .map(|(name, prepared)| {
            let for_engine = for_engine(store, &prepared)?;
            Ok((
                name,
                Ready {
                    prepared,
                    for_engine,
                },
            ))
        })
        .collect()
}

/// An image as the engine runs it.
fn for_engine(store: &Store, prepared: &Prepared) -> Result<ServiceImage, Failure> {
    let image = &prepared.image;
    let layers = image
        .layers
        .iter()
        .map(|layer| store.unpacked(layer))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::from_store)?;
    let config = &image.config;
    Ok(ServiceImage {
        digest: image.manifest.to_string(),
        size: image.size(),
        origin: prepared.origin,
        layers,
        defaults: ImageDefaults {
            user: config.user.clone(),
            environment: config.environment.clone(),
            entrypoint: config.entrypoint.clone(),
            command: config.command.clone(),
            working_dir: (!config.working_dir.is_empty())
                .then(|| config.working_dir.clone().into()),
            volumes: config.volumes.iter().map(Into::into).collect(),
            stop_signal: config.stop_signal.clone(),
            healthcheck: config.healthcheck.as_ref().map(|check| Healthcheck {
                test: health_test(&check.test),
                interval: check.interval,
                timeout: check.timeout,
                retries: check.retries,
                start_period: check.start_period,
                start_interval: check.start_interval,
            }),
        },
    })
}

/// An image's health test: `["CMD", …]`, `["CMD-SHELL", line]`, `["NONE"]`; empty: inherited.
fn health_test(words: &[String]) -> Option<HealthTest> {
    match words.split_first() {
        None => None,
        Some((kind, _)) if kind == "NONE" => Some(HealthTest::Disabled),
        Some((kind, rest)) if kind == "CMD-SHELL" => Some(HealthTest::Shell(rest.join(" "))),
        Some((_, rest)) => Some(HealthTest::Exec(rest.to_vec())),
    }
}

/// Says what was settled for good.
pub(crate) fn tell_lock(builder: &Builder<'_>, printer: &Printer) {
    let Some(LockChange {
        path,
        packages,
        as_of,
        is_aside,
    }) = builder.project_lock().and_then(ProjectLock::change)
    else {
        return;
    };
    let name = match is_aside {
        true => path.display().to_string(),
        false => LOCK.to_owned(),
    };
    let plural = if packages == 1 { "" } else { "s" };
    let moment = match as_of {
        Some(moment) => format!(" as of {moment}"),
        None => String::new(),
    };
    printer.say(&format!(
        "  wrote    {name:<12}           {packages} package{plural} settled{moment}"
    ));
}

/// Says what was built, and what stands in for what.
pub(crate) fn tell<'a>(
    prepared: impl Iterator<Item = (&'a String, &'a Prepared)> + Clone,
    printer: &Printer,
) {
    let palette = printer.error_palette();
    for (name, image) in prepared.clone() {
        let Some(outcome) = image.built else { continue };
        let how = match outcome {
            Outcome::Cached => palette.dim("cached"),
            Outcome::Built => elapsed(image.took),
        };
        printer.say(&format!(
            "  built    {:<12} {:>7}   {how}",
            name,
            size(image.image.size())
        ));
    }
    // Services with one set of dependencies share their findings.
    let mut told: Vec<String> = Vec::new();
    for finding in prepared.clone().flat_map(|(_, image)| &image.findings) {
        let text = finding.to_string();
        if !told.contains(&text) && told.len() < MOST_FINDINGS {
            printer.tell(&Diagnostic::warning(text.clone()));
            told.push(text);
        }
    }
    for stand_in in prepared.filter_map(|(_, image)| image.stand_in.as_ref()) {
        printer.say(&format!(
            "  base     {} → {}: {}",
            stand_in.requested, stand_in.product_version, stand_in.reason
        ));
    }
}
