//! Ctrl-C, and the other signals that ask a command to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit code of a command that a second Ctrl-C ended at once: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Whether the user wants the command to end.
#[derive(Debug, Clone)]
pub(crate) struct Interruption {
    requested: Arc<AtomicBool>,
}

impl Interruption {
    /// From here on the first Ctrl-C only asks; a second one ends the process at once.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let requested = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Looks at the flag before it is set below: the second signal ends the process.
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&requested))?;
            flag::register(signal, Arc::clone(&requested))?;
        }
        Ok(Self { requested })
    }

    /// Whether it was asked for.
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// The flag itself, for work that looks at it.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.requested
    }
}
