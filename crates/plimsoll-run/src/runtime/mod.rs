//! What happens in the kernel for one container: mounts, control groups, the system call filter,
//! and the process itself through `libcontainer`.
//!
//! Runs only in single-threaded processes started for it (see [`crate::internal`]): `libcontainer`
//! forks without care for threads, and changes the working directory of the process.

mod block_io;
pub(crate) mod bundle;
pub(crate) mod cgroup;
pub(crate) mod credentials;
mod device;
pub(crate) mod executor;
pub(crate) mod files;
pub(crate) mod head_start;
mod reaper;
pub(crate) mod root;
pub(crate) mod seccomp;
mod syscalls;
pub(crate) mod tree;
mod ulimit;
mod volume;

use std::fmt::Display;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A container could not be started. Crosses process borders as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{stage}: {message}")]
pub struct StartFailure {
    /// What was being done.
    pub stage: StartStage,
    /// What went wrong.
    pub message: String,
}

/// What was being done when a container could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartStage {
    /// Reading the specification.
    Specification,
    /// Mounting the root file system.
    Root,
    /// Preparing what is mounted into it.
    Mounts,
    /// Making the container's namespaces, control groups and limits.
    Container,
    /// Executing the program: it is missing.
    ProgramMissing,
    /// Executing the program: it is there and cannot be executed.
    ProgramRefused,
}

impl StartStage {
    /// Exit code that stands for a container that never ran, as Docker has it.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::ProgramMissing => 127,
            Self::ProgramRefused => 126,
            Self::Specification | Self::Root | Self::Mounts | Self::Container => 125,
        }
    }
}

impl Display for StartStage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Specification => "cannot read the specification",
            Self::Root => "cannot mount the root file system",
            Self::Mounts => "cannot prepare the mounts",
            Self::Container => "cannot make the container",
            Self::ProgramMissing | Self::ProgramRefused => "cannot execute the program",
        })
    }
}

impl StartFailure {
    pub(crate) fn new(stage: StartStage, message: impl Display) -> Self {
        Self {
            stage,
            message: message.to_string(),
        }
    }
}

/// Adds the stage and a path to an error.
pub(crate) trait AtPath<T> {
    fn at(self, stage: StartStage, path: &Path) -> Result<T, StartFailure>;
}

impl<T, E: Display> AtPath<T> for Result<T, E> {
    fn at(self, stage: StartStage, path: &Path) -> Result<T, StartFailure> {
        self.map_err(|error| StartFailure::new(stage, format!("`{}`: {error}", path.display())))
    }
}
