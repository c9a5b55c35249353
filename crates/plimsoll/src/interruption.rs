//! Ctrl-C, and the other signals that ask a command to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::printer::Printer;
use crate::terminal_progress::TerminalProgress;

/// Exit code of a command that a second Ctrl-C ended at once: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// How often it is looked whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(50);

/// The time in which Ctrl-C ends the process at once.
pub(crate) struct EndsAtOnce(Arc<AtomicBool>);

impl Drop for EndsAtOnce {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

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

    /// While the value that is given exists, the first Ctrl-C ends the process, with a word on what
    /// was under way: there is nothing to take down yet, and what is finished is kept.
    pub(crate) fn end_at_once(
        &self,
        printer: &Printer,
        progress: &Arc<TerminalProgress>,
    ) -> EndsAtOnce {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, requested) = (Arc::clone(&is_over), Arc::clone(&self.requested));
        let (printer, progress) = (printer.clone(), Arc::downgrade(progress));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if requested.load(Ordering::Relaxed) {
                    let subjects = progress
                        .upgrade()
                        .map(|progress| progress.subjects())
                        .unwrap_or_default();
                    let what = if subjects.is_empty() {
                        String::new()
                    } else {
                        format!(" ({})", subjects.join(", "))
                    };
                    printer.say(&format!(
                        "stopped while building{what}; what is finished is kept"
                    ));
                    // Builders have no way to be asked to stop, and leave nothing that a next run
                    // does not mend.
                    std::process::exit(INTERRUPTED);
                }
                std::thread::sleep(LOOK);
            }
        });
        EndsAtOnce(is_over)
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
