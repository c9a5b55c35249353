//! What is known of a container, as the supervisor writes it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::timestamp::Timestamp;

/// State of one container: `state.json` in its directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// The container's name.
    pub id: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// The supervisor's process.
    pub supervisor: i32,
    /// The program's process on the host, while it runs.
    pub pid: Option<i32>,
    /// When the supervisor began.
    pub created_at: Timestamp,
    /// When the program was last started.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub finished_at: Option<Timestamp>,
    /// How it last ended; 128 + signal when a signal ended it.
    pub exit_code: Option<i32>,
    /// Whether the kernel killed a process of it for using more memory than allowed.
    pub oom_killed: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// Health, where there is a check.
    pub health: Option<HealthState>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Why it could not be started, where that is so.
    pub error: Option<String>,
    /// What the machine could not give it.
    pub warnings: Vec<Warning>,
    /// Path of its control group below each hierarchy's mount point.
    pub cgroup: String,
    /// Directory of the host that its writes to the root go to.
    pub scratch: PathBuf,
}

impl ContainerState {
    /// Whether the container has ended for good.
    pub fn is_final(&self) -> bool {
        matches!(self.phase, Phase::Exited | Phase::Stopped | Phase::Lost)
    }

    /// The health status, where there is a check.
    pub fn health_status(&self) -> Option<HealthStatus> {
        self.health.as_ref().map(|health| health.status)
    }

    /// Reads the state of the container in `dir`.
    pub(crate) fn read(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(STATE_FILE);
        let text = fs_err::read(&path)?;
        serde_json::from_slice(&text).map_err(|source| StateError::Malformed { path, source })
    }

    /// Writes the state so that a reader sees the old or the new one, never a part.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), StateError> {
        let path = dir.join(STATE_FILE);
        let temporary = dir.join(".state.json.new");
        let text = serde_json::to_vec(self).map_err(|source| StateError::Malformed {
            path: path.clone(),
            source,
        })?;
        fs_err::write(&temporary, text)?;
        fs_err::rename(&temporary, &path)?;
        Ok(())
    }
}

/// Name of the state's file.
pub(crate) const STATE_FILE: &str = "state.json";
/// Name of the specification's file.
pub(crate) const SPEC_FILE: &str = "spec.json";
/// Name of the control socket.
pub(crate) const SOCKET_FILE: &str = "control.sock";

/// The state's file cannot be read or written.
#[derive(Debug, Error)]
pub enum StateError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file holds something else.
    #[error("`{}` is not a container's state", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Being made.
    Created,
    /// The program runs.
    Running,
    /// It ended and will be started again.
    Restarting,
    /// It ended.
    Exited,
    /// It was stopped on request.
    Stopped,
    /// Its supervisor was killed, and the container with it. Never written: readers find it out.
    Lost,
}

/// Health of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthState {
    /// Status.
    pub status: HealthStatus,
    /// Failures in a row.
    pub failing_streak: u32,
    /// The last checks, oldest first.
    pub log: Vec<HealthRecord>,
}

/// Health status, as Docker names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// No check has passed yet, none counted as a failure too many.
    #[default]
    Starting,
    /// The last checks passed.
    Healthy,
    /// Too many failed in a row.
    Unhealthy,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthRecord {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Exit code; -1 when it did not end in time.
    pub exit_code: i32,
    /// What it said, shortened.
    pub output: String,
}

/// Something the machine could not give a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum Warning {
    /// A limit is not in effect.
    #[error(
        "the kernel offers no `{controller}` control group: the {limit} limit is not in effect"
    )]
    ControllerMissing {
        /// The controller.
        controller: String,
        /// The limit.
        limit: String,
    },
    /// A limit of processes that this process may not set as high.
    #[error("the `{limit}` limit cannot be as high as asked: it is {given}")]
    UlimitLowered {
        /// Name of the limit.
        limit: String,
        /// The highest value it may have.
        given: u64,
    },
    /// The kernel spares no process of ours more than the engine itself.
    #[error("`oom_score_adj` cannot be as low as asked: it is {given}")]
    OomScoreRaised {
        /// The lowest value it may have.
        given: i32,
    },
    /// A capability that this machine does not have itself.
    #[error("this machine may not give `{capability}`: the container goes without")]
    CapabilityMissing {
        /// The capability.
        capability: String,
    },
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> ContainerState {
        ContainerState {
            id: "web".to_owned(),
            phase: Phase::Running,
            supervisor: 7,
            pid: Some(8),
            created_at: Timestamp::now(),
            started_at: None,
            finished_at: None,
            exit_code: None,
            oom_killed: false,
            restarts: 0,
            health: None,
            addresses: Vec::new(),
            error: None,
            warnings: vec![Warning::ControllerMissing {
                controller: "pids".to_owned(),
                limit: "process".to_owned(),
            }],
            cgroup: "/plimsoll/web".to_owned(),
            scratch: PathBuf::from("/scratch"),
        }
    }

    #[test]
    fn what_is_written_is_read_and_no_part_stays_behind() {
        let dir = tempfile::tempdir().unwrap();
        let state = sample();
        state.write(dir.path()).unwrap();
        assert_eq!(ContainerState::read(dir.path()).unwrap(), state);
        let names: Vec<_> = fs_err::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, [STATE_FILE]);
    }

    #[test]
    fn a_broken_state_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join(STATE_FILE), "{").unwrap();
        let error = ContainerState::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains(STATE_FILE), "{error}");
    }
}
