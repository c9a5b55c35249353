//! `plimsoll ps`: the stack's containers.

use std::collections::BTreeSet;
use std::time::Duration;

use plimsoll_model::Protocol;
use plimsoll_run::container::{ContainerState, HealthStatus, Phase, Timestamp};
use plimsoll_run::stack::{ContainerReport, status};

use crate::cli::PsArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::{Align, age, size, table};
use crate::printer::{Form, Printer};
use crate::settings::Settings;
use crate::stack_of_project::{paths_of, require_started, sees_stacks};

/// Lists them.
pub(crate) fn run(
    settings: &Settings,
    arguments: &PsArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let paths = paths_of(settings)?;
    let mut reports = status(&paths).map_err(Failure::from_up)?;
    let started: BTreeSet<&str> = reports
        .iter()
        .map(|report| report.record.service.as_str())
        .collect();
    if !started.is_empty() {
        for service in &arguments.services {
            require_started(service, &started)?;
        }
    }
    let has_containers = !started.is_empty();
    reports.retain(|report| {
        let named =
            arguments.services.is_empty() || arguments.services.contains(&report.record.service);
        let shown = arguments.all
            || report
                .state
                .as_ref()
                .is_some_and(|state| !state.is_final() || is_broken(state));
        named && shown
    });
    if printer.form() == Form::Json {
        printer.answer_json(
            &serde_json::json!({ "schema": 1, "project": paths.project(), "containers": reports }),
        );
        return Ok(ExitStatus::Success);
    }
    let columns = [
        ("service", Align::Left),
        ("state", Align::Left),
        ("ports", Align::Left),
        ("image", Align::Left),
        ("size", Align::Right),
        ("up", Align::Right),
        ("restarts", Align::Right),
    ];
    let rows: Vec<Vec<String>> = reports.iter().map(row).collect();
    if rows.is_empty() {
        printer.say(&format!(
            "{}{}",
            if has_containers {
                format!("nothing of `{}` runs", paths.project())
            } else {
                format!("`{}` is not up", paths.project())
            },
            match (sees_stacks(), has_containers) {
                (false, _) => ", as far as you may see; stacks belong to root: `sudo plimsoll ps`",
                (true, true) => "; `plimsoll ps --all` shows what ended",
                (true, false) => "",
            }
        ));
    } else {
        printer.answer(&table(&columns, &rows));
    }
    Ok(ExitStatus::Success)
}

/// Whether a container that ended should be seen without being asked for.
fn is_broken(state: &ContainerState) -> bool {
    state.phase == Phase::Lost || state.exit_code.is_some_and(|code| code != 0)
}

fn row(report: &ContainerReport) -> Vec<String> {
    let record = &report.record;
    let service = if record.index == 1 {
        record.service.clone()
    } else {
        format!("{}-{}", record.service, record.index)
    };
    let ports: Vec<String> = record
        .published
        .iter()
        .map(|port| {
            let protocol = if port.protocol == Protocol::Udp {
                "/udp"
            } else {
                ""
            };
            format!("{}→{}{protocol}", port.address, port.target)
        })
        .collect();
    let up = report
        .state
        .as_ref()
        .filter(|state| state.phase == Phase::Running)
        .and_then(|state| state.started_at)
        .map(|started| age(since(started)))
        .unwrap_or_default();
    vec![
        service,
        report
            .state
            .as_ref()
            .map_or_else(|| "not started".to_owned(), state_words),
        ports.join(", "),
        record.image_name.clone(),
        size(record.image_size),
        up,
        report
            .state
            .as_ref()
            .map_or(0, |state| state.restarts)
            .to_string(),
    ]
}

/// A container's state in a few words.
pub(crate) fn state_words(state: &ContainerState) -> String {
    match (state.phase, state.health_status()) {
        (Phase::Created, _) => "starting".to_owned(),
        (Phase::Running, None) => "running".to_owned(),
        (Phase::Running, Some(HealthStatus::Starting)) => "running, not yet healthy".to_owned(),
        (Phase::Running, Some(HealthStatus::Healthy)) => "healthy".to_owned(),
        (Phase::Running, Some(HealthStatus::Unhealthy)) => "unhealthy".to_owned(),
        (Phase::Restarting, _) => "restarting".to_owned(),
        (Phase::Stopped, _) => "stopped".to_owned(),
        (Phase::Lost, _) => "killed with its supervisor".to_owned(),
        (Phase::Exited, _) if state.oom_killed => "killed: out of memory".to_owned(),
        (Phase::Exited, _) => format!("exited ({})", state.exit_code.unwrap_or_default()),
    }
}

fn since(moment: Timestamp) -> Duration {
    moment.to_system_time().elapsed().unwrap_or_default()
}
