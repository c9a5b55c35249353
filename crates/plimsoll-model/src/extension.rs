//! `x-plimsoll`, typed: what Compose cannot say of a service or a project.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_diag::Spanned;
use serde::Serialize;

/// What a project says under `x-plimsoll`, and what its services do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Extensions {
    /// The project's own.
    pub project: Extension,
    /// Those of services, by name; only services that have the key.
    pub services: BTreeMap<String, Extension>,
}

/// One `x-plimsoll`. A project has only `egress`, `slo`, `budget`, `generate`, `thresholds` and
/// `waive`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Extension {
    /// What the service is.
    pub kind: Option<Spanned<Kind>>,
    /// When a service of kind `cron` runs.
    pub schedule: Option<Spanned<String>>,
    /// Path that answers as long as the process lives.
    pub live: Option<Spanned<String>>,
    /// How requests reach the service.
    pub route: Option<Spanned<Route>>,
    /// How a new version replaces the former.
    pub strategy: Option<Spanned<Strategy>>,
    /// How many containers, by load.
    pub scale: Option<Spanned<ScaleBounds>>,
    /// The data it keeps.
    pub data: Option<Spanned<Data>>,
    /// Hosts and networks it may reach; `None`: nothing is said.
    pub egress: Option<Vec<Spanned<String>>>,
    /// Variables that it starts without, whatever its code says.
    pub optional: Vec<Spanned<String>>,
    /// Variables that get a value of this machine's making where nothing sets them; only a project
    /// says them.
    pub generate: Vec<Spanned<String>>,
    /// What it promises.
    pub slo: Option<Spanned<Objectives>>,
    /// What it may cost.
    pub budget: Option<Spanned<Budget>>,
    /// Bounds past which somebody is told; only a project says them.
    pub thresholds: Option<Spanned<Thresholds>>,
    /// Rules that do not hold for it.
    pub waive: Vec<Spanned<Waiver>>,
}

/// What a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Answers requests.
    Web,
    /// Works off a queue.
    Worker,
    /// Runs once.
    Job,
    /// Runs at times.
    Cron,
    /// Keeps data.
    Database,
    /// Keeps what can be made again.
    Cache,
    /// Answers with a model.
    Model,
    /// Speaks the Model Context Protocol.
    Mcp,
}

/// How requests reach a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Host names.
    pub hosts: Vec<String>,
    /// Beginning of the paths.
    pub path: Option<String>,
    /// Port in the container.
    pub port: Option<u16>,
    /// Whether it is served over TLS.
    pub tls: Option<bool>,
    /// `http`, `grpc` or `tcp`.
    pub protocol: Option<String>,
    /// `cookie`, `header` or `none`.
    pub sticky: Option<String>,
    /// `sse`, `ws` or `grpc`.
    pub stream: Option<String>,
    /// How long a stream may go on when its container is replaced.
    pub max_stream: Option<Duration>,
}

/// How a new version replaces the former.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One container after the other.
    Rolling,
    /// All at once, beside the former.
    BlueGreen,
    /// A growing share of the traffic.
    Canary {
        /// Shares in percent.
        steps: Vec<u8>,
        /// How long each is watched.
        pause: Option<Duration>,
        /// Requests on each side without which none is judged.
        requests: Option<u64>,
    },
}

/// How many containers, by load.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ScaleBounds {
    /// At least.
    pub min: Option<u32>,
    /// At most.
    pub max: Option<u32>,
    /// Processor load to keep, in percent.
    pub cpu: Option<u8>,
    /// Memory use to keep, in percent.
    pub memory: Option<u8>,
    /// Requests a second to one container.
    pub rps: Option<f64>,
    /// Waiting jobs to one container.
    pub queue: Option<f64>,
}

/// Data that a service keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Data {
    /// What keeps it.
    pub engine: Option<String>,
    /// Room for it, in bytes.
    pub size: Option<u64>,
    /// Copies of it.
    pub backup: Option<Backup>,
    /// Whether its migrations keep the former version working.
    pub migration: Option<MigrationPhase>,
}

/// Copies of data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// When, as cron fields.
    pub schedule: Option<String>,
    /// How long copies are kept.
    pub retention: Option<Duration>,
    /// Whether any moment between copies can be restored.
    pub pitr: bool,
    /// How often a restore is tried.
    pub drill: Option<Duration>,
}

/// Whether a migration keeps the former version working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationPhase {
    /// It does.
    Expand,
    /// It does not.
    Contract,
}

/// What a service promises.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Objectives {
    /// Share of requests that succeed, in percent.
    pub availability: Option<f64>,
    /// Time in which 95 % of requests are answered.
    pub p95: Option<Duration>,
    /// Time to the first token of a stream.
    pub first_token: Option<Duration>,
}

/// What a service may cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Largest size of the image, in bytes.
    pub image: Option<u64>,
    /// Longest time until healthy.
    pub start: Option<Duration>,
}

/// Bounds past which somebody is told. Shares are in percent; what is not said has a usual value.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Thresholds {
    /// Temperature of a GPU, in degrees Celsius.
    pub gpu_temperature: Option<f64>,
    /// Load of a GPU.
    pub gpu_utilization: Option<f64>,
    /// Memory of a GPU in use.
    pub gpu_memory: Option<f64>,
    /// Memory in use, of a container's limit.
    pub memory: Option<f64>,
    /// Periods in which a container was held back from the processor.
    pub throttling: Option<f64>,
    /// Time that a certificate is still valid.
    pub certificate: Option<Duration>,
    /// Age of the newest backup.
    pub backup: Option<Duration>,
}

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiver {
    /// Its identifier.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// Last day it holds, as YYYY-MM-DD.
    pub until: Option<String>,
}

impl Extensions {
    /// Whether a service is said to start without a variable.
    pub fn is_optional(&self, service: &str, variable: &str) -> bool {
        self.services.get(service).is_some_and(|extension| {
            let mut names = extension.optional.iter();
            names.any(|name| name.value == variable)
        })
    }
}
