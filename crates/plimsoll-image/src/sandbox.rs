//! The place where build steps run that must execute something.
//!
//! This crate assembles images; it cannot run containers. The engine implements [`Sandbox`].

use std::path::PathBuf;
use std::time::Duration;

use plimsoll_diag::Secret;
use thiserror::Error;

/// Runs one program in a container that is thrown away.
pub trait Sandbox: Send + Sync {
    /// Runs the step to its end. A program that ends with a failure is not an error of the
    /// sandbox: see [`StepOutcome::exit_code`].
    ///
    /// # Errors
    /// When the container cannot be made, or the step outlives its time.
    fn run(&self, step: &Step) -> Result<StepOutcome, SandboxError>;

    /// Runs a step that changes a system: what it writes to its root is kept.
    ///
    /// # Errors
    /// As [`Sandbox::run`]; also when this sandbox cannot keep anything.
    fn change(&self, change: &SystemChange) -> Result<StepOutcome, SandboxError> {
        Err(SandboxError::Start {
            step: change.step.name.clone(),
            reason: "this sandbox cannot keep what a step writes".to_string(),
        })
    }
}

/// A step whose writes become a layer. Root in it may do what package managers need: give files
/// away, become other users, set file capabilities.
#[derive(Debug, Clone)]
pub struct SystemChange {
    /// The step.
    pub step: Step,
    /// Where the upper directory of its overlay is moved to once it ended by itself: a path that
    /// does not exist, on the file system of the sandbox's own scratch files where that can be.
    pub writes: PathBuf,
    /// Groups besides the user's own.
    pub additional_groups: Vec<u32>,
    /// Places in memory.
    pub memory: Vec<MemoryMount>,
    /// Files that exist in memory only.
    pub files: Vec<MemoryFile>,
    /// Size of `/dev/shm`; `None`: the engine's.
    pub shm_size: Option<u64>,
}

/// An empty directory in memory.
#[derive(Debug, Clone)]
pub struct MemoryMount {
    /// Absolute path in the container.
    pub target: PathBuf,
    /// Size in bytes.
    pub size: Option<u64>,
}

/// A file in memory, such as a secret.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    /// Absolute path in the container.
    pub target: PathBuf,
    /// What it holds.
    pub content: Secret<Vec<u8>>,
    /// Permission bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
}

/// One program to run.
#[derive(Debug, Clone)]
pub struct Step {
    /// Name for messages and process lists: `canvas: npm run build`.
    pub name: String,
    /// Unpacked layers that make the root file system, lowest first. Writes go to a layer that is
    /// thrown away.
    pub root: Vec<PathBuf>,
    /// Directories and files of the host shown in the container.
    pub mounts: Vec<BindMount>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// Working directory in the container.
    pub working_dir: PathBuf,
    /// What the step may reach.
    pub network: StepNetwork,
    /// Numeric user and group the program runs as.
    pub user: (u32, u32),
    /// Longest time it may take.
    pub timeout: Duration,
    /// Memory in bytes it may use.
    pub memory: Option<u64>,
    /// Processes it may have at once.
    pub pids: Option<u32>,
}

/// A directory or file of the host shown in a step's container.
#[derive(Debug, Clone)]
pub struct BindMount {
    /// Absolute path on the host; it exists.
    pub source: PathBuf,
    /// Absolute path in the container; made when missing.
    pub target: PathBuf,
    /// Who may write there.
    pub access: Access,
}

/// Whether a mount can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
    /// Reading a copy in memory that belongs to the step's user: files with credentials are nobody
    /// else's to read than their owner's.
    OwnCopy,
}

/// What a step may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepNetwork {
    /// Nothing but its own loopback.
    None,
    /// What the host reaches: for steps that fetch.
    Host,
}

/// How a step ended.
#[derive(Debug, Clone)]
pub struct StepOutcome {
    /// Exit code; 128 + signal when a signal ended it.
    pub exit_code: i32,
    /// Standard output, at most the last mebibyte.
    pub stdout: Vec<u8>,
    /// Standard error, at most the last mebibyte.
    pub stderr: Vec<u8>,
    /// Whether the kernel killed it for using more memory than allowed.
    pub out_of_memory: bool,
}

/// The sandbox could not do its part.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The container could not be made.
    #[error("cannot start `{step}` in a sandbox: {reason}")]
    Start {
        /// The step's name.
        step: String,
        /// What the engine said.
        reason: String,
    },
    /// The program did not end in time and was killed.
    #[error("`{step}` did not end within {} s and was killed", timeout.as_secs())]
    TimedOut {
        /// The step's name.
        step: String,
        /// The time it had.
        timeout: Duration,
    },
}
