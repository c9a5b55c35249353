//! What a container is told to be, and what is known of it.
//!
//! Plain data and pure decisions: the specification that the orchestrator writes, the state that
//! the supervisor writes, the log, the rules of health checks and restarts. Nothing here mounts,
//! forks or talks to the kernel beyond reading and writing its own files.

pub(crate) mod health;
mod health_command;
mod log_reader;
pub(crate) mod log_writer;
mod mount;
pub(crate) mod protocol;
mod resources;
pub(crate) mod restart;
mod spec;
mod state;
mod timestamp;
mod user;

pub use health_command::{ProbeCommand, translate};
pub use log_reader::{LogEntry, LogOptions, LogReader, LogStream, logs};
pub use mount::{
    FileContent, MountAccess, MountKind, MountPropagation, MountSpec, Recursive, VolumeSeed,
};
pub use resources::{
    BlockIoSpec, BlockOperation, BlockRateSpec, DeviceRuleSpec, DeviceSpec, LimitSpec,
    NamespaceSpec, UlimitSpec,
};
pub use spec::{
    Confinement, ContainerSpec, HealthSpec, HealthTest, HostEntry, InitProcess, LogKeeping,
    LogSpec, NetworkSpec, Privileges, Resolver, RootAccess, Seccomp, SpecError, StdinMode,
    StopSpec, Terminal, Unheard, UserSpec,
};
pub use state::{
    ContainerState, HealthRecord, HealthState, HealthStatus, Phase, StateError, Warning,
};
pub(crate) use state::{SOCKET_FILE, SPEC_FILE, STATE_FILE};
pub use timestamp::Timestamp;
pub use user::{UserError, home_of, resolve_user};

/// Search path of a container whose environment names none.
pub(crate) fn default_path() -> &'static str {
    spec::DEFAULT_PATH
}

#[cfg(test)]
pub(crate) use state::tests::sample as sample_state;
