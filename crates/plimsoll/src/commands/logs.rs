//! `plimsoll logs`: what the services wrote.

use std::collections::BTreeSet;

use plimsoll_diag::Palette;
use plimsoll_run::container::LogOptions;
use plimsoll_run::stack::{LogRequest, ServiceLine, StackRecord, follow_lines, present_lines};
use serde::Serialize;

use crate::cli::LogsArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::{Form, Printer};
use crate::settings::Settings;
use crate::stack_of_project::{no_stack, paths_of, require_started};

/// Prints the lines that are there, and with `--follow` those to come.
pub(crate) fn run(
    settings: &Settings,
    arguments: &LogsArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let paths = paths_of(settings)?;
    let record = StackRecord::read(&paths)?.ok_or_else(|| no_stack(paths.project()))?;
    let started = record.containers.values();
    let started: BTreeSet<&str> = started.map(|one| one.service.as_str()).collect();
    for service in &arguments.services {
        require_started(service, &started)?;
    }
    let request = LogRequest {
        services: arguments.services.clone(),
        options: LogOptions {
            tail: arguments.tail,
            ..LogOptions::default()
        },
    };
    let labels = record
        .containers
        .values()
        .map(|container| container.service.as_str());
    let style = LineStyle::new(printer, labels, arguments);
    if arguments.follow {
        for line in follow_lines(&paths, &request).map_err(Failure::from_up)? {
            style.print(&line);
        }
    } else {
        for line in present_lines(&paths, &request).map_err(Failure::from_up)? {
            style.print(&line);
        }
    }
    Ok(ExitStatus::Success)
}

/// How lines look: a prefix in the service's colour, padded to one width.
pub(crate) struct LineStyle<'a> {
    printer: &'a Printer,
    labels: Vec<String>,
    width: usize,
    prefix: Prefix,
    times: Times,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Service,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Shown,
    Hidden,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    service: &'a str,
    stream: plimsoll_run::container::LogStream,
    time: String,
    line: &'a str,
}

impl<'a> LineStyle<'a> {
    /// The style for lines of these services as `logs` wants it.
    fn new<'b>(
        printer: &'a Printer,
        labels: impl Iterator<Item = &'b str>,
        arguments: &LogsArguments,
    ) -> Self {
        let mut style = Self::plain(printer, labels);
        if arguments.no_log_prefix {
            style.prefix = Prefix::None;
        }
        if arguments.timestamps {
            style.times = Times::Shown;
        }
        style
    }

    /// The style for lines of these services as `up` shows them.
    pub(crate) fn plain<'b>(printer: &'a Printer, labels: impl Iterator<Item = &'b str>) -> Self {
        let mut labels: Vec<String> = labels.map(str::to_owned).collect();
        labels.sort();
        labels.dedup();
        let width = labels
            .iter()
            .map(|label| label.chars().count())
            .max()
            .unwrap_or(0);
        Self {
            printer,
            labels,
            width,
            prefix: Prefix::Service,
            times: Times::Hidden,
        }
    }

    /// Prints one line.
    pub(crate) fn print(&self, line: &ServiceLine) {
        let text = line.entry.text.trim_end_matches(['\n', '\r']);
        if self.printer.form() == Form::Json {
            let json = JsonLine {
                service: &line.label,
                stream: line.entry.stream,
                time: line.entry.time.to_string(),
                line: text,
            };
            // Our own type has string keys and no failing serialiser.
            let json = serde_json::to_string(&json).expect("our types serialise to JSON");
            self.printer.answer(&format!("{json}\n"));
            return;
        }
        let palette = self.printer.palette();
        let prefix = self.prefix_of(&line.label, palette);
        let time = match self.times {
            Times::Shown => format!("{} ", palette.dim(&line.entry.time.to_string())),
            Times::Hidden => String::new(),
        };
        self.printer.answer(&format!("{prefix}{time}{text}\n"));
    }

    fn prefix_of(&self, label: &str, palette: Palette) -> String {
        if self.prefix == Prefix::None {
            return String::new();
        }
        let index = self
            .labels
            .iter()
            .position(|known| known == label)
            .unwrap_or(0);
        palette.tint(index, &format!("{label:<width$} | ", width = self.width))
    }
}
