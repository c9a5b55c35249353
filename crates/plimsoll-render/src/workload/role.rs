//! What a service does, and whether it keeps data for others.

use plimsoll_model::Service;
use plimsoll_model::extension::{Extension, Kind};
use plimsoll_model::facts::{NeedKind, ServiceKind};
use serde::Serialize;

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Answers requests of programs.
    Web,
    /// Shows pages to people.
    Ui,
    /// Works off a queue.
    Worker,
    /// Starts work at set times, as long as it runs.
    Scheduler,
    /// Runs once.
    Job,
    /// Is started at set times.
    Cron,
    /// Keeps data.
    Datastore,
    /// Speaks to one client over standard input and output.
    Stdio,
    /// Anything else that keeps running.
    Daemon,
}

impl Role {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Web => "web",
            Role::Ui => "ui",
            Role::Worker => "worker",
            Role::Scheduler => "scheduler",
            Role::Job => "job",
            Role::Cron => "cron",
            Role::Datastore => "datastore",
            Role::Stdio => "stdio",
            Role::Daemon => "daemon",
        }
    }
}

/// What a backing service keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Store {
    /// What it is; `None`: a database of a kind that is not known.
    pub kind: Option<NeedKind>,
}

pub(super) fn store(service: &Service, extension: Option<&Extension>) -> Option<Store> {
    let kind = service
        .facts
        .provides
        .or_else(|| NeedKind::of_image(&service.image.as_ref()?.value));
    let said = extension
        .and_then(|extension| extension.kind.as_ref())
        .is_some_and(|kind| matches!(kind.value, Kind::Database | Kind::Cache));
    (said || kind.is_some()).then_some(Store { kind })
}

pub(super) fn role(service: &Service, extension: Option<&Extension>, store: Option<Store>) -> Role {
    if let Some(kind) = extension.and_then(|extension| extension.kind.as_ref()) {
        return match kind.value {
            Kind::Web | Kind::Model => Role::Web,
            Kind::Worker => Role::Worker,
            Kind::Job => Role::Job,
            Kind::Cron => Role::Cron,
            Kind::Database | Kind::Cache => Role::Datastore,
            Kind::Mcp if service.facts.kind == Some(ServiceKind::McpStdio) => Role::Stdio,
            Kind::Mcp => Role::Web,
        };
    }
    if store.is_some() {
        return Role::Datastore;
    }
    match service.facts.kind {
        Some(ServiceKind::Web | ServiceKind::McpHttp) => Role::Web,
        Some(ServiceKind::Ui) => Role::Ui,
        Some(ServiceKind::Worker) => Role::Worker,
        Some(ServiceKind::Scheduler) => Role::Scheduler,
        Some(ServiceKind::McpStdio) => Role::Stdio,
        Some(ServiceKind::Cli | ServiceKind::Job) => Role::Job,
        None if !service.ports.is_empty() => Role::Web,
        None => Role::Daemon,
    }
}
