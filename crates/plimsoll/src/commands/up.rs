//! `plimsoll up`: builds what is missing, starts the stack, follows it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use plimsoll_diag::Diagnostic;
use plimsoll_model::{Project, Protocol};
use plimsoll_run::Engine;
use plimsoll_run::network::Keeper;
use plimsoll_run::stack::{
    DownRequest, LogRequest, ServiceLine, ServiceOutcome, ServiceReport, StackPaths, UpError,
    UpReport, UpRequest, VolumesFate, down, follow_lines, start_order, start_order_of_these,
    taken_ports, up,
};

use crate::astray;
use crate::cli::UpArguments;
use crate::commands::logs::LineStyle;
use crate::environment_contract;
use crate::exit_status::ExitStatus;
use crate::failed_start;
use crate::failure::Failure;
use crate::format::{count, elapsed};
use crate::interruption::Interruption;
use crate::printer::{Form, Printer};
use crate::project;
use crate::service_images::{self, Ready};
use crate::settings::Settings;
use crate::stack_of_project::{engine, lock};
use crate::terminal_progress::TerminalProgress;
use crate::variants;
use crate::watch::{Stage, Watching};
use crate::workshop::Workshop;

/// How often the end of a followed stack is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Which profiles start which services, where none starts without one.
fn profiles_hint(settings: &Settings) -> Result<String, Failure> {
    let mut settings = settings.clone();
    settings.profiles = vec!["*".to_owned()];
    let all = project::load(&settings, &[])?.project;
    let mut started: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for service in all.services.values() {
        for profile in &service.profiles {
            started.entry(profile).or_default().push(&service.name);
        }
    }
    let hint = "services with a profile start with `--profile NAME`, or when they are named";
    let listed = started.iter().map(|(profile, services)| {
        let services = services.join("`, `");
        format!("`--profile {profile}` starts `{services}`")
    });
    let listed: Vec<String> = listed.collect();
    Ok(match listed.is_empty() {
        true => hint.to_owned(),
        false => format!("{hint}: {}", listed.join("; ")),
    })
}

/// Brings the stack up.
pub(crate) fn run(
    settings: &Settings,
    arguments: &UpArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let began = Instant::now();
    let project::Loaded {
        mut project,
        extensions,
        warnings,
    } = project::load_with(settings, &arguments.services, arguments.images.own_images())?;
    let is_inferred = project.files.is_empty();
    if is_inferred {
        project::leave_addresses_open(&mut project);
    }
    let following = match arguments.watch {
        true => variants::Following::Watched,
        false => variants::Following::Mounted,
    };
    let choice = arguments.images.variant.into();
    variants::apply_to_stack(&mut project, choice, following)?;
    tell_warnings(&project, &warnings, printer);
    let order = if arguments.no_deps {
        start_order_of_these(&project, &arguments.services)?
    } else {
        start_order(&project, &arguments.services)?
    };
    if order.sequence().is_empty() {
        let by_hand = project.services.values().find(|_| is_inferred);
        let hint = match by_hand {
            Some(service) => format!(
                "`{}` waits for whoever starts it: `plimsoll run -i {}`",
                service.name, service.name
            ),
            None => profiles_hint(settings)?,
        };
        return Err(Failure::usage(
            Diagnostic::error("there is no service to start").hint(hint),
        ));
    }
    environment_contract::hold(
        &project,
        &extensions,
        order.sequence(),
        arguments.bind,
        printer,
    )?;
    let engine = engine()?;
    let paths = StackPaths::new(&settings.data, &settings.runtime, &project.name);
    let interruption = Interruption::listen()?;
    let held = lock(&paths)?;
    let mut moves = Vec::new();
    if is_inferred {
        moves = astray::remembered(&project, &paths);
        for one in &moves {
            printer.tell(&astray::follow(&mut project, one, &paths));
        }
    }
    check_ports(&project, order.sequence(), &paths, arguments.bind)?;

    // From before the build: what changes meanwhile is not missed.
    let watching = if arguments.watch {
        Some(Watching::begin(&project, order.sequence())?)
    } else {
        None
    };
    let synchronised = watching
        .as_ref()
        .map(Watching::synchronised)
        .unwrap_or_default();
    let policy = arguments.images.policy();
    let (prepared, named) = {
        let progress = Arc::new(TerminalProgress::new(printer));
        let building = interruption.end_at_once(printer, &progress);
        let workshop = Workshop::open(settings, &engine)?;
        let builder = workshop.builder(progress, policy.lock)?;
        let prepared = service_images::prepare(&builder, &project, order.sequence(), policy)?;
        service_images::tell_lock(&builder, printer);
        let prepared = service_images::unpack(workshop.store(), prepared)?;
        let named = service_images::named(&builder, &project, &prepared, policy, workshop.store())?;
        drop(building);
        (prepared, named)
    };
    service_images::tell(
        prepared.iter().map(|(name, image)| (name, &image.prepared)),
        printer,
    );
    let images = prepared
        .iter()
        .map(|(name, image)| (name.clone(), image.for_engine.clone()))
        .collect();

    let result = loop {
        let progress = TerminalProgress::new(printer);
        let enough = AtomicBool::new(false);
        let request = UpRequest {
            project: &project,
            order: &order,
            images: &images,
            named_images: &named,
            synchronised: &synchronised,
            paths: &paths,
            environment: &settings.environment.0,
            bind: arguments.bind,
            patience: Duration::from_secs(arguments.wait_timeout),
            cancelled: if is_inferred {
                &enough
            } else {
                interruption.flag()
            },
            progress: &progress,
        };
        if !is_inferred {
            break up(&engine, &request);
        }
        let (result, seen) = watched(&engine, &request, &interruption, &enough);
        if seen.is_empty() || interruption.is_requested() {
            break result;
        }
        drop(progress);
        for one in &seen {
            printer.tell(&astray::follow(&mut project, one, &paths));
        }
        astray::join(&mut moves, seen);
    };
    let result = match result {
        Ok(report) if is_inferred => {
            astray::remember(&moves, &paths);
            let services = order.sequence();
            let ended = failed_start::soon_ended(&project, services, &paths, interruption.flag());
            match ended.is_empty() {
                true => Ok(report),
                false => Err(UpError::Services(ended)),
            }
        }
        result => result,
    };
    let report = match result {
        Ok(report) => report,
        Err(error) => {
            let failure = Failure::from_up(failed_start::explained(error, &project, &paths));
            if arguments.detach && !interruption.is_requested() {
                return Err(failure.hint("what started runs on: `plimsoll logs`, `plimsoll down`"));
            }
            for diagnostic in &failure.diagnostics {
                printer.tell(diagnostic);
            }
            take_down(&engine, &project, &paths, printer)?;
            return Ok(if interruption.is_requested() {
                ExitStatus::Program(130)
            } else {
                failure.status
            });
        }
    };
    tell(
        &report,
        &prepared,
        arguments,
        began.elapsed(),
        &paths,
        printer,
    );
    for warning in astray::unreachable(&project, &report.services, &paths) {
        printer.tell(&warning);
    }
    if arguments.detach {
        return Ok(ExitStatus::Success);
    }
    // Others may change the stack while it is only followed.
    drop(held);
    match watching {
        None => follow(&paths, &project, &interruption, printer)?,
        Some(watching) => {
            let (lines, more) = channel();
            let stage = Stage {
                settings,
                engine: &engine,
                project: &project,
                paths: &paths,
                policy,
                bind: arguments.bind,
                patience: Duration::from_secs(arguments.wait_timeout),
                synchronised: &synchronised,
                cancelled: interruption.flag(),
                lines,
            };
            std::thread::scope(|scope| {
                let (stage, interruption) = (&stage, &interruption);
                // What ends when it is dropped is the watching itself.
                scope.spawn(move || {
                    watching.run(stage, printer, &|| interruption.is_requested());
                });
                follow_on(&paths, &project, &more, interruption, printer)
            })?;
        }
    }
    let _held = lock(&paths)?;
    take_down(&engine, &project, &paths, printer)?;
    Ok(ExitStatus::Success)
}

/// Warnings that are told where a whole source tree was looked at.
const TOLD: usize = 3;

/// Tells what is worth knowing. Where nothing but the source says what is started, much of what is
/// found there has nothing to do with a start.
fn tell_warnings(project: &Project, warnings: &[Diagnostic], printer: &Printer) {
    let told = match project.files.is_empty() {
        true => TOLD,
        false => warnings.len(),
    };
    for warning in warnings.iter().take(told) {
        printer.tell(warning);
    }
    if let more @ 1.. = warnings.len().saturating_sub(told) {
        printer.say(&format!(
            "{} more about the source: plimsoll inspect",
            count(more, "warning")
        ));
    }
}

/// Brings a stack up whose ports were read from code, until some of its services are seen to listen
/// elsewhere.
fn watched(
    engine: &Engine,
    request: &UpRequest<'_>,
    interruption: &Interruption,
    enough: &AtomicBool,
) -> (Result<UpReport, UpError>, Vec<astray::Move>) {
    let over = AtomicBool::new(false);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let services = request.order.sequence();
        let watching =
            scope.spawn(|| astray::watch(request.project, services, request.paths, &over, enough));
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if interruption.is_requested() {
                    enough.store(true, Ordering::Relaxed);
                }
                std::thread::sleep(LOOK);
            }
        });
        let result = up(engine, request);
        over.store(true, Ordering::Relaxed);
        if result.is_err() {
            enough.store(true, Ordering::Relaxed);
        }
        let seen = watching.join().unwrap_or_default();
        ended.store(true, Ordering::Relaxed);
        (result, seen)
    })
}

/// Tells a taken port before anything is built, with who holds it.
fn check_ports(
    project: &Project,
    services: &[String],
    paths: &StackPaths,
    bind: IpAddr,
) -> Result<(), Failure> {
    let ours = Keeper::connect(&paths.keeper()).and_then(|mut keeper| keeper.status());
    let ours = ours.map(|status| status.published).unwrap_or_default();
    let problems = taken_ports(project, services, &ours, bind);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure {
            diagnostics: problems,
            status: ExitStatus::Failure,
        })
    }
}

fn tell(
    report: &UpReport,
    prepared: &BTreeMap<String, Ready>,
    arguments: &UpArguments,
    took: Duration,
    paths: &StackPaths,
    printer: &Printer,
) {
    if printer.form() == Form::Json {
        let services: Vec<_> = report
            .services
            .iter()
            .map(|service| json(service, prepared))
            .collect();
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "project": paths.project(),
            "seconds": took.as_secs_f64(),
            "services": services,
        }));
        return;
    }
    let palette = printer.error_palette();
    for (outcome, word) in [
        (ServiceOutcome::Healthy, "healthy"),
        (ServiceOutcome::Started, "started"),
        (ServiceOutcome::Completed, "done"),
        (ServiceOutcome::Unchanged, "running"),
    ] {
        let services: Vec<String> = report
            .services
            .iter()
            .filter(|service| service.outcome == outcome)
            .map(|service| match outcome {
                ServiceOutcome::Unchanged => service.service.clone(),
                _ => format!(
                    "{} {}",
                    service.service,
                    palette.dim(&elapsed(service.took))
                ),
            })
            .collect();
        if !services.is_empty() {
            printer.say(&format!("  {word:<8} {}", services.join(" · ")));
        }
    }
    printer.say("");
    let width = report
        .services
        .iter()
        .map(|service| service.service.chars().count())
        .max()
        .unwrap_or(0);
    for service in report
        .services
        .iter()
        .filter(|service| !service.published.is_empty())
    {
        let addresses: Vec<String> = service
            .published
            .iter()
            .map(|port| match port.protocol {
                Protocol::Udp => format!("{} (udp)", port.address),
                Protocol::Tcp if speaks_http(service, prepared, port.target) => {
                    format!("http://{}", port.address)
                }
                Protocol::Tcp => port.address.to_string(),
            })
            .collect();
        let name = palette.bold(&format!("{:<width$}", service.service));
        printer.say(&format!("  {name}  {}", addresses.join("  ")));
    }
    let rest = if arguments.detach {
        "plimsoll logs -f · plimsoll down"
    } else {
        "Ctrl-C stops it · plimsoll logs -f"
    };
    printer.say(&format!(
        "  up in {} {}",
        elapsed(took),
        palette.dim(&format!("· {rest}"))
    ));
}

/// Ports of data stores do not open in a browser; everything else that is published most likely does.
fn speaks_http(service: &ServiceReport, prepared: &BTreeMap<String, Ready>, port: u16) -> bool {
    const OTHER_PROTOCOLS: [u16; 8] = [1433, 3306, 5432, 5672, 6379, 9042, 11211, 27017];
    prepared.contains_key(&service.service) && !OTHER_PROTOCOLS.contains(&port)
}

fn json(service: &ServiceReport, prepared: &BTreeMap<String, Ready>) -> serde_json::Value {
    let image = prepared.get(&service.service);
    serde_json::json!({
        "name": service.service,
        "outcome": match service.outcome {
            ServiceOutcome::Unchanged => "unchanged",
            ServiceOutcome::Started => "started",
            ServiceOutcome::Healthy => "healthy",
            ServiceOutcome::Completed => "completed",
        },
        "seconds": service.took.as_secs_f64(),
        "published": service.published,
        "image": image.map(|image| image.for_engine.digest.clone()),
        "image_bytes": image.map(|image| image.for_engine.size),
        "stand_in": image.and_then(|image| image.prepared.stand_in.as_ref()).map(|stand_in| &stand_in.product_version),
    })
}

/// Shows what the services write until the user stops it or nothing runs any more.
fn follow(
    paths: &StackPaths,
    project: &Project,
    interruption: &Interruption,
    printer: &Printer,
) -> Result<(), Failure> {
    let lines = follow_lines(paths, &LogRequest::default()).map_err(Failure::from_up)?;
    let style = LineStyle::plain(printer, project.services.keys().map(String::as_str));
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => style.print(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                printer.say("every service has ended");
                return Ok(());
            }
        }
        if interruption.is_requested() {
            return Ok(());
        }
    }
}

/// The same, with containers that are started meanwhile, until the user stops it: a service that
/// has ended may come back with the next change.
fn follow_on(
    paths: &StackPaths,
    project: &Project,
    more: &Receiver<Receiver<ServiceLine>>,
    interruption: &Interruption,
    printer: &Printer,
) -> Result<(), Failure> {
    let mut sources = vec![follow_lines(paths, &LogRequest::default()).map_err(Failure::from_up)?];
    let style = LineStyle::plain(printer, project.services.keys().map(String::as_str));
    while !interruption.is_requested() {
        sources.extend(more.try_iter());
        let mut silent = true;
        sources.retain(|lines| {
            loop {
                match lines.try_recv() {
                    Ok(line) => {
                        silent = false;
                        style.print(&line);
                    }
                    Err(TryRecvError::Empty) => return true,
                    Err(TryRecvError::Disconnected) => return false,
                }
            }
        });
        if silent {
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}

fn take_down(
    engine: &Engine,
    project: &Project,
    paths: &StackPaths,
    printer: &Printer,
) -> Result<(), Failure> {
    let began = Instant::now();
    let progress = TerminalProgress::new(printer);
    let request = DownRequest {
        paths,
        project: Some(project),
        grace: None,
        volumes: VolumesFate::Kept,
        progress: &progress,
    };
    let report = down(engine, &request).map_err(|error: UpError| {
        let failure = Failure::from_up(error);
        failure.hint("`plimsoll down` tries again")
    })?;
    drop(progress);
    printer.say(&format!(
        "stopped {} in {}; volumes are kept",
        count(report.containers.len(), "container"),
        elapsed(began.elapsed())
    ));
    Ok(())
}
