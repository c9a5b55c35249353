//! A test that would wait without end fails instead, and says so.

use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;

/// Longest time a test may take; a machine that is busy is no failure.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs a test; one that does not end is left behind, on a thread that ends with the process.
pub fn run(test: fn()) -> Result<(), Failed> {
    let (verdict, came) = mpsc::channel();
    thread::spawn(move || {
        let _ = verdict.send(panic::catch_unwind(AssertUnwindSafe(test)));
    });
    match came.recv_timeout(LONGEST) {
        Ok(Ok(())) => Ok(()),
        // The harness tells panics of a test itself.
        Ok(Err(panicked)) => panic::resume_unwind(panicked),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Err(format!("not ended after {} s", LONGEST.as_secs()).into())
        }
    }
}
