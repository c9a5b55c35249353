//! What the services of a stack wrote, as one stream.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::StackPaths;
use super::record::StackRecord;
use super::up::UpError;
use crate::container::{ContainerSpec, LogEntry, LogOptions, LogSpec, logs as container_logs};

/// A line of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceLine {
    /// Name to show: the service's, with a number where it has several containers.
    pub label: String,
    /// The line.
    pub entry: LogEntry,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    /// Services; none: all.
    pub services: Vec<String>,
    /// What of each container's log.
    pub options: LogOptions,
}

/// Lines that wait for a slow reader before writers of the stream wait too.
const BACKLOG: usize = 1024;

struct Source {
    label: String,
    log: LogSpec,
    directory: PathBuf,
}

/// The lines that are there, in the order of their times.
///
/// # Errors
/// When the record or a log cannot be read.
pub fn present_lines(
    paths: &StackPaths,
    request: &LogRequest,
) -> Result<Vec<ServiceLine>, UpError> {
    let mut lines = Vec::new();
    for source in sources(paths, request)? {
        for entry in container_logs(&source.log, None, &request.options)? {
            lines.push(ServiceLine {
                label: source.label.clone(),
                entry: entry?,
            });
        }
    }
    // Stable: lines of one container stay in their order when the clock does not tell them apart.
    lines.sort_by_key(|line| line.entry.time);
    Ok(lines)
}

/// The lines that are there and those to come, until every container has ended or the receiver
/// is dropped. Containers that start later are not part of it.
///
/// # Errors
/// When the record cannot be read.
pub fn follow_lines(
    paths: &StackPaths,
    request: &LogRequest,
) -> Result<Receiver<ServiceLine>, UpError> {
    let (sender, receiver) = sync_channel(BACKLOG);
    for source in sources(paths, request)? {
        let sender = sender.clone();
        let options = request.options.clone();
        // Ends with its container, or at the first line nobody takes.
        std::thread::spawn(move || forward(&source, &options, &sender));
    }
    Ok(receiver)
}

fn forward(source: &Source, options: &LogOptions, sender: &SyncSender<ServiceLine>) {
    let entries = match container_logs(&source.log, Some(&source.directory), options) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!("cannot follow the log of {}: {error}", source.label);
            return;
        }
    };
    for entry in entries {
        let Ok(entry) = entry else { return };
        if sender
            .send(ServiceLine {
                label: source.label.clone(),
                entry,
            })
            .is_err()
        {
            return;
        }
    }
}

fn sources(paths: &StackPaths, request: &LogRequest) -> Result<Vec<Source>, UpError> {
    let record = StackRecord::read(paths)?.unwrap_or_default();
    let several = |service: &str| {
        record
            .containers
            .values()
            .filter(|container| container.service == service)
            .count()
            > 1
    };
    let wanted =
        |service: &String| request.services.is_empty() || request.services.contains(service);
    let mut sources = Vec::new();
    for (name, container) in &record.containers {
        if !wanted(&container.service) {
            continue;
        }
        let label = if several(&container.service) {
            format!("{}-{}", container.service, container.index)
        } else {
            container.service.clone()
        };
        sources.push(Source {
            label,
            log: log_spec(paths, name),
            directory: paths.container(name),
        });
    }
    Ok(sources)
}

/// Where a container's log is: as its specification says, or where it would be by default.
pub(super) fn log_spec(paths: &StackPaths, container: &str) -> LogSpec {
    let read = || -> Option<ContainerSpec> {
        let text = fs_err::read(paths.container(container).join("spec.json")).ok()?;
        serde_json::from_slice(&text).ok()
    };
    read().map_or_else(
        || LogSpec::new(paths.logs().join(format!("{container}.log"))),
        |spec| spec.log,
    )
}
