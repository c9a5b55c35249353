//! What a service asks of its processes beyond a command: limits, devices, namespaces, hooks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// One entry of `ulimits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ulimit {
    /// What holds until the process itself changes it; `None`: no limit.
    pub soft: Option<u64>,
    /// How far the process may raise it; `None`: no limit.
    pub hard: Option<u64>,
}

/// One entry of `devices`: a device node of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path in the container.
    pub target: PathBuf,
    /// Any of `r`, `w` and `m`: reading, writing, making the node.
    pub permissions: String,
}

/// `pid`: whose processes a container sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PidMode {
    /// Those of the host.
    Host,
    /// Those of another service.
    Service(String),
}

/// `ipc`: with whom a container shares memory and message queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IpcMode {
    /// With nobody (`private`, and `shareable` as long as nobody joins).
    Own,
    /// With the host.
    Host,
}

/// One entry of `volumes_from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumesFrom {
    /// The service whose mounts are taken.
    pub service: String,
    /// Whether writing to them is refused, whatever that service may do.
    pub read_only: bool,
}

/// One entry of `links` that gives another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The service.
    pub service: String,
    /// The name under which it is found, too.
    pub alias: String,
}

/// One entry of `post_start` or `pre_stop`: a program that is run in the container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Program and arguments.
    pub command: Vec<String>,
    /// `user[:group]`; `None`: the container's own.
    pub user: Option<String>,
    /// Working directory; `None`: the container's own.
    pub working_dir: Option<PathBuf>,
    /// Variables on top of the container's own.
    pub environment: BTreeMap<String, Option<String>>,
}

/// `logging.driver`, as far as there is one here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LoggingDriver {
    /// Files of the engine (`json-file`, `local`).
    #[default]
    Files,
    /// Output is thrown away.
    None,
}
