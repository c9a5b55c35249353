//! What long work is doing, told to whoever shows it.

use crate::Diagnostic;

/// Something that happened in long work. `subject` names whose work it is ("backend", "base").
#[derive(Debug, Clone)]
pub enum ProgressEvent {
    /// A step began: "fetching 38 packages".
    Started {
        /// Whose work.
        subject: String,
        /// What is done, as a short clause without a final period.
        step: String,
    },
    /// A step moved on. Units are bytes.
    Advanced {
        /// Whose work.
        subject: String,
        /// Bytes done since the step began.
        done: u64,
        /// Bytes to do, where known.
        total: Option<u64>,
    },
    /// The subject has nothing more to do.
    Finished {
        /// Whose work.
        subject: String,
    },
    /// Something the user should read even when the work succeeds.
    Notice(Diagnostic),
}

/// A receiver of progress. Called from many threads, possibly often; must not block for long.
pub trait Progress: Send + Sync {
    /// Takes one event.
    fn report(&self, event: ProgressEvent);
}

/// A receiver that shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _event: ProgressEvent) {}
}
