//! A first process for programs that do not reap their children or take no care of signals.
//!
//! It is this very process, forked: nothing has to be in the image. The child goes on to execute
//! the program; the parent stays as process 1, passes signals on, reaps, and ends as the program
//! ended.

use std::io;
use std::os::fd::RawFd;

use rustix::process::{Pid, WaitOptions};

use crate::kernel::{self, Fork};

/// Returns in the child. The parent never returns.
pub(super) fn become_init(report: RawFd) -> io::Result<()> {
    kernel::block_all_signals();
    match kernel::fork()? {
        Fork::Child => Ok(()),
        Fork::Parent(child) => {
            // So that the supervisor learns of the child's execution.
            kernel::close_number(report);
            let _ = rustix::thread::set_name(c"plimsoll-init");
            serve(child)
        }
    }
}

fn serve(child: Pid) -> ! {
    loop {
        let Some(signal) = kernel::next_signal() else {
            continue;
        };
        if signal.number == libc::SIGCHLD {
            reap(child);
        } else if !signal.from_kernel {
            // What a terminal sends goes to the whole foreground group: the program has it
            // already. The child is not reaped yet, so the number is still its own.
            let _ = kernel::send_signal(child, signal.number);
        }
    }
}

fn reap(child: Pid) {
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == child {
            // Ends process 1, and with it whatever the program left behind.
            kernel::exit_now(crate::supervisor::code_of(status));
        }
    }
}
