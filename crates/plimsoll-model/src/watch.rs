//! `develop.watch`: what happens to a running service when its source changes.

use std::path::PathBuf;

use serde::Serialize;

use crate::Hook;

/// One rule: files below a path, and what is done when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Watch {
    /// Absolute path of a file or directory on the host.
    pub path: PathBuf,
    /// What is done.
    pub action: WatchAction,
    /// Where the path is in the container; there for every action that copies.
    pub target: Option<PathBuf>,
    /// Patterns of what counts, relative to the path; none: everything.
    pub include: Vec<String>,
    /// Patterns of what does not count.
    pub ignore: Vec<String>,
    /// Whether everything is copied once before anything changes.
    pub initial_sync: bool,
}

/// What a change leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchAction {
    /// The image is built again and the containers are replaced.
    Rebuild,
    /// The files are copied into the containers.
    Sync,
    /// The containers' program is started again.
    Restart,
    /// The files are copied, then the program is started again.
    SyncRestart,
    /// The files are copied, then this is run in the containers.
    SyncExec(Hook),
}

impl WatchAction {
    /// Whether files are copied.
    pub fn copies(&self) -> bool {
        matches!(self, Self::Sync | Self::SyncRestart | Self::SyncExec(_))
    }
}
