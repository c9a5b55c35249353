//! `plimsoll build`: the images of all services, or of those named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::Diagnostic;
use plimsoll_image::Replacement;
use plimsoll_image::builder::Outcome;
use plimsoll_image::docker_engine::DockerEngine;
use plimsoll_image::inventory::Inventory;
use plimsoll_image::oci::{Architecture, UnknownArchitecture};
use plimsoll_image::store::{Image, LayerForm, Store};
use plimsoll_model::Project;
use plimsoll_model::extension::Extensions;
use plimsoll_run::stack::start_order;

use crate::all_in_one;
use crate::attestations::{Wanted, attachments};
use crate::build_cache;
use crate::cli::BuildArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::{Form, Printer};
use crate::project;
use crate::publish;
use crate::secret_guard;
use crate::service_images::{self, HealthChecks, ImagePolicy, Prepared};
use crate::settings::Settings;
use crate::stack_of_project::engine;
use crate::terminal_progress::TerminalProgress;
use crate::verification;
use crate::weight;
use crate::workshop::{Workshop, client_settings};

/// Builds them.
pub(crate) fn run(
    settings: &Settings,
    arguments: &BuildArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let destination = arguments.output.as_deref().map(destination).transpose()?;
    let wanted = wanted(settings, arguments, destination.as_ref())?;
    let project::Loaded {
        mut project,
        warnings,
        ..
    } = project::load_with(settings, &arguments.services, arguments.images.own_images())?;
    for warning in &warnings {
        printer.tell(warning);
    }
    let mut services: Vec<String> = if arguments.services.is_empty() {
        project.services.keys().cloned().collect()
    } else {
        // Tells names that are no services.
        start_order(&project, &arguments.services)?;
        arguments.services.clone()
    };
    if arguments.all_in_one {
        services = all_in_one::members(&project, &services, printer)?;
    }
    let platforms = platforms(&project, &services, &arguments.platform)?;
    let engine = engine()?;
    let workshop = Workshop::open(settings, &engine)?;
    if matches!(
        destination,
        Some(Destination::OciLayout(_) | Destination::Push)
    ) {
        let form = publish::form(arguments.publish.compression);
        workshop.store().will_give(form);
    }
    let progress = Arc::new(TerminalProgress::new(printer));
    let builder = workshop.builder(progress, arguments.images.policy().lock)?;
    build_cache::load(settings, workshop.store(), &arguments.cache_from, printer)?;
    let mut built: Vec<(Architecture, BTreeMap<String, Prepared>)> = Vec::new();
    // The supervisor of several makes their checks itself.
    let checks = match arguments.all_in_one {
        true => HealthChecks::ByEngine,
        false => HealthChecks::InImage,
    };
    for (architecture, services) in platforms {
        let prepared = service_images::prepare_for(
            &builder,
            &project,
            &services,
            ImagePolicy {
                checks,
                ..arguments.images.policy()
            },
            architecture,
        )?;
        built.push((architecture, prepared));
    }
    if arguments.all_in_one {
        let told = built.iter().flat_map(|(_, prepared)| prepared.iter());
        service_images::tell(told, printer);
        for (architecture, prepared) in &mut built {
            let memory = arguments.images.policy().memory;
            let joined =
                all_in_one::join(&builder, &project, prepared, *architecture, memory, printer)?;
            *prepared = BTreeMap::from([(all_in_one::NAME.to_owned(), joined)]);
        }
        services = vec![all_in_one::NAME.to_owned()];
        all_in_one::enter(&mut project);
    }
    let images: Vec<Image> = built
        .iter()
        .flat_map(|(_, prepared)| prepared.values())
        .map(|prepared| prepared.image.clone())
        .collect();
    if printer.form() == Form::Text {
        for (architecture, prepared) in &built {
            if built.len() > 1 {
                printer.say(&format!("  linux/{architecture}"));
            }
            service_images::tell(prepared.iter(), printer);
        }
        service_images::tell_lock(&builder, printer);
    }
    let verified = match arguments.verify {
        true => {
            let own: Vec<(&str, &Image)> = built
                .iter()
                .flat_map(|(_, prepared)| prepared)
                .filter(|(_, one)| one.built.is_some())
                .map(|(name, one)| (name.as_str(), &one.image))
                .collect();
            verification::verify(
                settings,
                arguments,
                workshop.store(),
                &project,
                &own,
                printer,
            )?
        }
        false => Vec::new(),
    };
    verification::tell(&verified, printer)?;
    let extensions = project::extensions(settings)?;
    for (_, prepared) in &built {
        hold_budgets(workshop.store(), &project, prepared, &extensions)?;
    }
    // What is pushed is looked at there.
    let is_given = destination
        .as_ref()
        .is_some_and(|destination| !matches!(destination, Destination::Push));
    if is_given || !arguments.cache_to.is_empty() {
        let secrets = secret_guard::known(settings, &project, &client_settings(settings));
        for (_, prepared) in &built {
            let images = prepared
                .iter()
                .map(|(name, one)| (name.as_str(), &one.image));
            let images = images.collect();
            secret_guard::check(workshop.store(), &images, &secrets, &extensions, printer)?;
        }
        if !arguments.cache_to.is_empty() {
            secret_guard::check_cache(workshop.store(), &secrets)?;
        }
    }
    build_cache::save(settings, workshop.store(), &arguments.cache_to, printer)?;
    let published = match &destination {
        Some(Destination::Push) => publish::publish(
            settings,
            workshop.store(),
            &project,
            &services,
            &arguments.publish,
            &wanted,
            printer,
        )?,
        Some(destination) => {
            write_out(workshop.store(), &images, destination, arguments, settings)?;
            if let Destination::OciLayout(directory) = destination {
                for (_, prepared) in &built {
                    let images = prepared
                        .iter()
                        .map(|(name, one)| (name.as_str(), &one.image));
                    let (store, images) = (workshop.store(), images.collect());
                    let place = (
                        directory.as_path(),
                        publish::form(arguments.publish.compression),
                    );
                    attach(settings, store, &project, &images, &wanted, place)?;
                }
            }
            Vec::new()
        }
        None => Vec::new(),
    };
    if printer.form() == Form::Json {
        let images: Vec<_> = built
            .iter()
            .flat_map(|(architecture, prepared)| {
                prepared
                    .iter()
                    .map(move |(service, prepared)| (architecture, service, prepared))
            })
            .map(|(architecture, service, prepared)| {
                serde_json::json!({
                    "service": service,
                    "reference": prepared.image.reference,
                    "architecture": architecture,
                    "digest": prepared.image.manifest,
                    "bytes": prepared.image.size(),
                    "cached": prepared.built == Some(Outcome::Cached),
                    "seconds": prepared.took.as_secs_f64(),
                    "findings": prepared.findings,
                    "stand_in": prepared.stand_in.as_ref().map(|stand_in| &stand_in.product_version),
                })
            })
            .collect();
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "project": project.name,
            "images": images,
            "pushed": publish::json(&published),
            "verified": verified.iter().map(|one| &one.service).collect::<Vec<_>>(),
        }));
    } else {
        publish::tell(&published, printer);
        match (&destination, &arguments.output) {
            (Some(Destination::Push), _) | (_, None) => {}
            (Some(Destination::DockerEngine), _) => {
                printer.say("  loaded   into the Docker engine")
            }
            (_, Some(output)) => printer.say(&format!("  wrote    {output}")),
        }
    }
    Ok(ExitStatus::Success)
}

/// Which services are built for which processor: as the command line says, else as the Compose
/// file does, else for this machine.
fn platforms(
    project: &Project,
    services: &[String],
    named: &[String],
) -> Result<BTreeMap<Architecture, Vec<String>>, Failure> {
    let read = |text: &str, span| -> Result<Architecture, Failure> {
        text.parse().map_err(|error: UnknownArchitecture| {
            Failure::usage(
                Diagnostic::error(error.to_string())
                    .at(span)
                    .hint("`linux/amd64`, `linux/arm64`, or both with a comma between"),
            )
        })
    };
    let host = Architecture::host()
        .map_err(|error| Failure::failed(Diagnostic::error(error.to_string())))?;
    let named = named
        .iter()
        .map(|text| read(text.trim(), None))
        .collect::<Result<BTreeSet<_>, _>>()?;
    let mut wanted: BTreeMap<Architecture, Vec<String>> = BTreeMap::new();
    for name in services {
        let Some(service) = project.services.get(name) else {
            continue;
        };
        let stated = service
            .build
            .iter()
            .flat_map(|build| &build.platforms)
            .chain(&service.platform);
        let mut architectures = BTreeSet::new();
        if service.recipe.is_none() {
            // What others publish is obtained for the machine that runs it.
            architectures.insert(host);
        } else if named.is_empty() {
            for platform in stated {
                architectures.insert(read(&platform.value, platform.span.clone())?);
            }
        } else {
            architectures.clone_from(&named);
        }
        if architectures.is_empty() {
            architectures.insert(host);
        }
        for architecture in architectures {
            wanted.entry(architecture).or_default().push(name.clone());
        }
    }
    Ok(wanted)
}

/// What is to be attached; only where it has a place beside the image.
fn wanted(
    settings: &Settings,
    arguments: &BuildArguments,
    destination: Option<&Destination>,
) -> Result<Wanted, Failure> {
    let variant = arguments.images.variant.into();
    let wanted = Wanted::read(settings, &arguments.attestations, variant)?;
    let has_place = matches!(
        destination,
        Some(Destination::OciLayout(_) | Destination::Push)
    );
    if wanted.is_nothing() || has_place {
        return Ok(wanted);
    }
    Err(Failure::usage(
        Diagnostic::error("there is nothing to attach a bill, provenance or signature to")
            .hint("`--output push` and `--output oci:DIR` have a place for them"),
    ))
}

/// Refuses images that are larger than their budget.
fn hold_budgets(
    store: &Store,
    project: &Project,
    prepared: &BTreeMap<String, Prepared>,
    extensions: &Extensions,
) -> Result<(), Failure> {
    let mut over = Vec::new();
    for (name, prepared) in prepared {
        // What others made cannot be made smaller here.
        let own = project
            .services
            .get(name)
            .is_some_and(|s| s.recipe.is_some());
        let stated = extensions.services.contains_key(name);
        let Some(budget) = weight::budget(extensions, name).filter(|_| own || stated) else {
            continue;
        };
        if budget
            .value
            .image
            .is_none_or(|most| prepared.image.size() <= most)
        {
            continue;
        }
        let inventory = Inventory::of(store, &prepared.image).map_err(Failure::from_store)?;
        over.extend(weight::over_budget(
            name,
            &prepared.image,
            budget,
            &inventory,
        ));
    }
    if over.is_empty() {
        return Ok(());
    }
    Err(Failure {
        diagnostics: over,
        status: ExitStatus::Failure,
    })
}

/// Attaches what was asked for to the images of a layout.
fn attach(
    settings: &Settings,
    store: &Store,
    project: &Project,
    images: &BTreeMap<&str, &Image>,
    wanted: &Wanted,
    (directory, form): (&Path, LayerForm),
) -> Result<(), Failure> {
    if wanted.is_nothing() {
        return Ok(());
    }
    for (name, image) in images {
        let Some(service) = project.services.get(*name) else {
            continue;
        };
        let subject = store
            .given_manifest(image, form)
            .map_err(Failure::from_store)?;
        let attached = attachments(settings, store, service, image, &subject, wanted)?;
        plimsoll_image::attach_in_layout(directory, &subject, &attached)?;
    }
    Ok(())
}

/// Where images are written to, besides the store.
enum Destination {
    OciLayout(PathBuf),
    DockerArchive(PathBuf),
    DockerEngine,
    Push,
}

fn write_out(
    store: &Store,
    images: &[Image],
    destination: &Destination,
    arguments: &BuildArguments,
    settings: &Settings,
) -> Result<(), Failure> {
    match destination {
        Destination::Push => Ok(()),
        Destination::DockerEngine => {
            let engine = DockerEngine::new(&engine_socket(settings)?);
            // It takes one image for a name: that for its own processor.
            let own = Architecture::host().ok();
            let images: Vec<Image> = images
                .iter()
                .filter(|image| Some(image.architecture) == own)
                .cloned()
                .collect();
            engine.load(store, &images).map_err(|error| {
                Failure::failed(
                    Diagnostic::error(error.to_string())
                        .hint("`--output docker:FILE.tar` writes what `docker load` reads"),
                )
            })
        }
        Destination::OciLayout(directory) => store
            .export_layout(
                images,
                publish::form(arguments.publish.compression),
                directory,
            )
            .map_err(Failure::from_store),
        Destination::DockerArchive(path) => {
            // Beside its final place, so that nobody loads a half.
            let mut archive = Replacement::of(path)?;
            store
                .export_archive(images, LayerForm::Plain, archive.file())
                .map_err(Failure::from_store)?;
            Ok(archive.place()?)
        }
    }
}

/// The socket that a Docker or Podman engine listens on.
fn engine_socket(settings: &Settings) -> Result<PathBuf, Failure> {
    let environment = &settings.environment;
    if let Some(host) = environment.get("DOCKER_HOST") {
        return match host.strip_prefix("unix://") {
            Some(path) => Ok(path.into()),
            None => Err(Failure::usage(
                Diagnostic::error(format!(
                    "`DOCKER_HOST` names `{host}`, which is no Unix socket"
                ))
                .hint("`--output docker:FILE.tar` writes what `docker load` reads"),
            )),
        };
    }
    let user = environment
        .get("XDG_RUNTIME_DIR")
        .map(|directory| PathBuf::from(directory).join("podman/podman.sock"));
    let candidates = ["/var/run/docker.sock", "/run/podman/podman.sock"];
    candidates
        .iter()
        .map(PathBuf::from)
        .chain(user)
        .find(|path| path.exists())
        .ok_or_else(|| {
            Failure::failed(
                Diagnostic::error("no Docker or Podman engine listens on this machine").hint(
                    "`--output docker:FILE.tar` writes what `docker load` and `podman load` read",
                ),
            )
        })
}

/// Reads `push`, `docker`, `oci:DIR` or `docker:FILE`.
fn destination(text: &str) -> Result<Destination, Failure> {
    match text {
        "push" => return Ok(Destination::Push),
        "docker" => return Ok(Destination::DockerEngine),
        _ => {}
    }
    match text.split_once(':') {
        Some(("oci", path)) if !path.is_empty() => Ok(Destination::OciLayout(PathBuf::from(path))),
        Some(("docker", path)) if !path.is_empty() => {
            Ok(Destination::DockerArchive(PathBuf::from(path)))
        }
        _ => Err(Failure::usage(
            Diagnostic::error(format!("`{text}` is no place to write images to"))
                .hint("`oci:DIR` writes an OCI layout, `docker:FILE.tar` what `docker load` reads")
                .hint("`docker` loads them into the engine here, `push` sends them to a registry"),
        )),
    }
}
