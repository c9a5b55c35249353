//! `plimsoll run`: one service's image, once, in the foreground.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{Command, MountKind, Project, Service, compose};
use plimsoll_run::container::{StdinMode, Terminal};
use plimsoll_run::stack::{
    Partner, RunRequest, StackPaths, StartOrder, UpRequest, run_once, start_order,
};

use crate::cli::RunArguments;
use crate::environment_contract;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::project;
use crate::service_images::{self, ImagePolicy};
use crate::settings::Settings;
use crate::stack_of_project::{engine, lock};
use crate::terminal_progress::TerminalProgress;
use crate::variables::assignments;
use crate::variants::{self, VariantChoice};
use crate::workshop::Workshop;

/// Longest time for what the service depends on to come up.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs it and passes its exit code on. Standard output is the program's alone.
pub(crate) fn run(
    settings: &Settings,
    arguments: RunArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let project::Loaded {
        mut project,
        extensions,
        warnings,
    } = project::load_with(
        settings,
        std::slice::from_ref(&arguments.service),
        arguments.images.own_images(),
    )?;
    for warning in &warnings {
        printer.tell(warning);
    }
    // Also tells a service that does not exist.
    let whole = start_order(&project, std::slice::from_ref(&arguments.service))?;
    let before = dependencies(&project, &arguments)?;
    let Some(declared) = project.services.get(&arguments.service) else {
        return Err(Failure::usage(Diagnostic::error(format!(
            "no service is called `{}`",
            arguments.service
        ))));
    };
    let choice = VariantChoice::from(arguments.images.variant);
    let mut declared = declared.clone();
    variants::apply_to_one(&mut declared, choice)?;
    // What it depends on is not what is worked on.
    let of_others = VariantChoice::ByTarget;
    variants::apply_to_stack(&mut project, of_others, variants::Following::Mounted)?;
    let service = changed(&declared, &project, &arguments, settings)?;
    let mut as_run = project.clone();
    as_run
        .services
        .insert(service.name.clone(), service.clone());
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    environment_contract::hold(&as_run, &extensions, whole.sequence(), loopback, printer)?;
    let engine = engine()?;
    let paths = StackPaths::new(&settings.data, &settings.runtime, &project.name);
    let mut held = Some(lock(&paths)?);
    let wanted: &[String] = if arguments.no_deps {
        std::slice::from_ref(&arguments.service)
    } else {
        whole.sequence()
    };
    let progress = Arc::new(TerminalProgress::new(printer));
    let workshop = Workshop::open(settings, &engine)?;
    let policy = arguments.images.policy();
    let builder = workshop.builder(progress.clone(), policy.lock)?;
    let (own, others): (Vec<String>, Vec<String>) = wanted
        .iter()
        .cloned()
        .partition(|name| *name == arguments.service);
    let mut prepared = service_images::prepare(&builder, &as_run, &own, policy)?;
    let for_others = ImagePolicy {
        variant: of_others,
        ..policy
    };
    prepared.extend(service_images::prepare(
        &builder, &project, &others, for_others,
    )?);
    service_images::tell_lock(&builder, printer);
    let prepared = service_images::unpack(workshop.store(), prepared)?;
    let named = service_images::named(&builder, &project, &prepared, for_others, workshop.store())?;
    let images: BTreeMap<_, _> = prepared
        .iter()
        .map(|(name, image)| (name.clone(), image.for_engine.clone()))
        .collect();
    let Some(image) = images.get(&arguments.service) else {
        return Err(Failure::internal(Diagnostic::error(format!(
            "`{}` has no image",
            arguments.service
        ))));
    };
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    // Ctrl-C belongs to the program that runs in the foreground.
    let never = AtomicBool::new(false);
    let request = RunRequest {
        up: UpRequest {
            project: &project,
            order: &before,
            images: &images,
            named_images: &named,
            synchronised: &BTreeSet::new(),
            paths: &paths,
            environment: &settings.environment.0,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            patience: PATIENCE,
            cancelled: &never,
            progress: progress.as_ref(),
        },
        service: &service,
        image,
        stdin: if arguments.interactive || on_terminal {
            StdinMode::Open
        } else {
            StdinMode::Closed
        },
        terminal: if on_terminal && !arguments.no_tty {
            Terminal::Allocate
        } else {
            Terminal::None
        },
        partner: Partner::Caller,
        ready: &mut || held = None,
    };
    let code = run_once(&engine, request).map_err(Failure::from_up)?;
    Ok(ExitStatus::of_program(code))
}

/// What the service depends on, without the service itself.
fn dependencies(project: &Project, arguments: &RunArguments) -> Result<StartOrder, Failure> {
    let names: Vec<String> = match project.services.get(&arguments.service) {
        Some(service) if !arguments.no_deps => {
            let known = service
                .depends_on
                .keys()
                .filter(|name| project.services.contains_key(*name));
            known.cloned().collect()
        }
        _ => Vec::new(),
    };
    if names.is_empty() {
        return Ok(StartOrder::default());
    }
    Ok(start_order(project, &names)?)
}

/// The service as the command line changes it.
fn changed(
    declared: &Service,
    project: &Project,
    arguments: &RunArguments,
    settings: &Settings,
) -> Result<Service, Failure> {
    let mut service = declared.clone();
    service.ports.clear();
    for (name, value) in assignments(&arguments.env, settings)? {
        service
            .environment
            .insert(name, Spanned::unplaced(Some(value)));
    }
    for volume in &arguments.volume {
        let mount = compose::parse_volume(volume, &settings.directory).map_err(Failure::usage)?;
        if let MountKind::Volume {
            name: Some(name), ..
        } = &mount.kind
            && !project.volumes.contains_key(name.as_str())
        {
            return Err(Failure::usage(
                Diagnostic::error(format!("the project has no volume `{name}`")).hint(format!(
                    "a directory begins with `./` or `/`: `--volume ./{name}:…`"
                )),
            ));
        }
        service.volumes.retain(|other| other.target != mount.target);
        service.volumes.push(Spanned::unplaced(mount));
    }
    if let Some(user) = &arguments.user {
        service.user = Some(Spanned::unplaced(user.clone()));
    }
    if let Some(directory) = &arguments.workdir {
        service.working_dir = Some(Spanned::unplaced(directory.to_string_lossy().into_owned()));
    }
    if let Some(entrypoint) = &arguments.entrypoint {
        service.entrypoint = Some(Spanned::unplaced(Command(vec![entrypoint.clone()])));
        service.command = None;
    }
    if !arguments.command.is_empty() {
        service.command = Some(Spanned::unplaced(Command(arguments.command.clone())));
    }
    Ok(service)
}
