//! Whether a signal would reach a program at all.
//!
//! The kernel drops every signal that the first process of a PID namespace has no handler for:
//! what ends any other program (Node, Python, a shell) leaves it running. Waiting for such a
//! program to stop is waiting for nothing. A program that ignores the signal on purpose, or waits
//! for it with `sigwait`, is another matter.

use fs_err as fs;
use rustix::process::Pid;

/// Whether the program is the first of its PID namespace, and the kernel drops this signal there.
/// Where it cannot be found out, the signal counts as heard.
pub(super) fn is_dropped(pid: Pid, signal: i32) -> bool {
    let number = pid.as_raw_nonzero();
    let Ok(status) = fs::read_to_string(format!("/proc/{number}/status")) else {
        return false;
    };
    if !is_first(&status) || !has(&status, "SigCgt", signal, false) {
        return false;
    }
    if !has(&status, "SigIgn", signal, false) {
        return false;
    }
    // Who takes signals with `signalfd` blocks them in all threads; who waits for them with
    // `sigwait` too, but for the thread that is waiting.
    let Ok(threads) = fs::read_dir(format!("/proc/{number}/task")) else {
        return false;
    };
    let mut takes_it = false;
    for thread in threads.flatten() {
        let read = |name: &str| fs::read_to_string(thread.path().join(name));
        let (Ok(status), Ok(call)) = (read("status"), read("syscall")) else {
            return false;
        };
        if waits_for_signals(&call) {
            return false;
        }
        takes_it |= has(&status, "SigBlk", signal, false);
    }
    takes_it
}

/// Whether a thread waits for signals, by the system call that it is in.
fn waits_for_signals(call: &str) -> bool {
    let number = call.split_whitespace().next();
    number.and_then(|number| number.parse().ok()) == Some(libc::SYS_rt_sigtimedwait)
}

/// Whether the innermost PID namespace of a process begins with it.
fn is_first(status: &str) -> bool {
    let numbers = field(status, "NSpid").unwrap_or_default();
    let mut numbers = numbers.split_whitespace();
    numbers.next().is_some() && numbers.next_back() == Some("1")
}

/// Whether a set of signals is known, and holds this one or not.
fn has(status: &str, set: &str, signal: i32, wanted: bool) -> bool {
    let set = field(status, set).and_then(|set| u64::from_str_radix(set, 16).ok());
    let bit = u32::try_from(signal - 1).ok();
    match (set, bit) {
        (Some(set), Some(bit)) if bit < u64::BITS => (set >> bit & 1 == 1) == wanted,
        _ => false,
    }
}

fn field<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tnode\nNSpid:\t4711\t1\nSigBlk:\t0000000000000000\n\
                          SigIgn:\t0000000000001000\nSigCgt:\t0000000100004202\n";

    #[test]
    fn sets_of_signals_are_read_by_their_bits() {
        assert!(is_first(STATUS));
        assert!(!is_first("NSpid:\t1\n") && !is_first("NSpid:\t12\t7\n"));
        assert!(has(STATUS, "SigCgt", 15, true), "SIGTERM is handled");
        assert!(has(STATUS, "SigCgt", 3, false), "SIGQUIT is not");
        assert!(has(STATUS, "SigIgn", 13, true), "SIGPIPE is ignored");
        assert!(
            !has(STATUS, "SigXyz", 3, false),
            "what is unknown is neither"
        );
        assert!(!has(STATUS, "SigCgt", 0, false));
    }

    #[test]
    fn a_thread_that_waits_for_signals_is_told_by_its_system_call() {
        let waiting = format!(
            "{} 0x7f 0x7e 0x0 0x8 0x0 0x0 0x7f 0x7f",
            libc::SYS_rt_sigtimedwait
        );
        assert!(waits_for_signals(&waiting));
        assert!(!waits_for_signals("running\n") && !waits_for_signals("0 0x0 0x0\n"));
    }

    #[test]
    fn a_program_beside_others_hears_everything() {
        assert!(!is_dropped(rustix::process::getpid(), libc::SIGTERM));
    }
}
