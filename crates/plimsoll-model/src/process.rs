//! What a service asks of its processes beyond a command: limits, devices, namespaces, hooks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_diag::Spanned;
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IpcMode {
    /// With nobody but those that name its service (`private`, `shareable`).
    Own,
    /// With the host.
    Host,
    /// With another service.
    Service(String),
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

/// One entry of `pre_start`: a container that runs to its end before the service's own starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PreStart {
    /// What is run; its `command` is empty where the image's own is meant.
    pub hook: Hook,
    /// Its image; `None`: the service's.
    pub image: Option<Spanned<String>>,
    /// How far it may go in the machine.
    pub privileged: bool,
    /// How often it runs.
    pub runs: PreStartRuns,
}

/// How often a `pre_start` hook runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PreStartRuns {
    /// Once for the service, however many containers it has.
    #[default]
    Once,
    /// Once for each container (`per_replica: true`).
    PerReplica,
}

/// `blkio_config`: a container's share of the disks, and its limits on single ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BlockIo {
    /// Share of the disks when they are busy: 10 to 1000.
    pub weight: Option<u16>,
    /// Bytes read in a second.
    pub read_bytes: Vec<DeviceRate>,
    /// Bytes written in a second.
    pub write_bytes: Vec<DeviceRate>,
    /// Reads in a second.
    pub reads: Vec<DeviceRate>,
    /// Writes in a second.
    pub writes: Vec<DeviceRate>,
}

/// A limit on one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceRate {
    /// Absolute path of the device on the host.
    pub device: PathBuf,
    /// So much in a second.
    pub rate: u64,
}

/// One entry of `device_cgroup_rules`: device nodes that the container may use once it has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceRule {
    /// `a`, `b` or `c`: any, block, character.
    pub kind: char,
    /// Major number; `None`: any.
    pub major: Option<u32>,
    /// Minor number; `None`: any.
    pub minor: Option<u32>,
    /// Any of `r`, `w` and `m`.
    pub permissions: String,
}

/// Whether a container has a namespace of its own or is in the host's: `uts`, `cgroup`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// One of its own.
    #[default]
    Own,
    /// The host's.
    Host,
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
