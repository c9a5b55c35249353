//! What a container is given of the machine: limits, devices, namespaces of others.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Resource limits of a whole container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitSpec {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Memory in bytes that is left to it when the machine runs short.
    #[serde(default)]
    pub memory_reservation: Option<u64>,
    /// Memory and swap in bytes together; -1: swap without limit. `None`: what the kernel gives.
    #[serde(default)]
    pub memory_and_swap: Option<i64>,
    /// Processors, in fractions.
    pub cpus: Option<f64>,
    /// Share of the processors when they are all busy; others have 1024.
    #[serde(default)]
    pub cpu_shares: Option<u64>,
    /// Which processors: `0-2,4`.
    #[serde(default)]
    pub cpuset: Option<String>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// How readily memory goes to swap: 0 to 100.
    #[serde(default)]
    pub swappiness: Option<u64>,
    /// Period in which real-time processes get their time, in microseconds.
    #[serde(default)]
    pub realtime_period: Option<u64>,
    /// Time that they get in each, in microseconds.
    #[serde(default)]
    pub realtime_runtime: Option<i64>,
}

/// A container's part of the disks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockIoSpec {
    /// Share of the disks when they are busy: 10 to 1000.
    pub weight: Option<u16>,
    /// Limits on single disks.
    pub rates: Vec<BlockRateSpec>,
}

/// A limit on one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRateSpec {
    /// What is limited.
    pub operation: BlockOperation,
    /// The disk's number.
    pub device: (u32, u32),
    /// So much in a second.
    pub rate: u64,
}

/// What a limit on a disk counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockOperation {
    /// Bytes read.
    ReadBytes,
    /// Bytes written.
    WriteBytes,
    /// Reads.
    Reads,
    /// Writes.
    Writes,
}

/// Device nodes that a container may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRuleSpec {
    /// `a`, `b` or `c`.
    pub kind: char,
    /// Major number; `None`: any.
    pub major: Option<u32>,
    /// Minor number; `None`: any.
    pub minor: Option<u32>,
    /// Any of `r`, `w` and `m`.
    pub permissions: String,
}

/// A limit of each process (getrlimit(2)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UlimitSpec {
    /// Name as `nofile`.
    pub name: String,
    /// What holds until the process changes it; `None`: no limit.
    pub soft: Option<u64>,
    /// How far it may be raised; `None`: no limit.
    pub hard: Option<u64>,
}

/// A device node of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path in the container, below `/dev`.
    pub target: PathBuf,
    /// Any of `r`, `w` and `m`.
    pub permissions: String,
}

/// Whose namespace a container is in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamespaceSpec {
    /// One of its own.
    #[default]
    Own,
    /// The host's.
    Host,
    /// One that exists, named by a path that can be opened: `/proc/PID/ns/pid`.
    Joined(PathBuf),
}
