//! Live tests of the network keeper: real namespaces, sockets and processes.
//!
//! The whole program moves into a network namespace of its own first, which plays the host. The
//! machine's network is neither used nor changed. The keeper under test is this executable, run
//! again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a program of its own, not a library")]
#![expect(
    clippy::zombie_processes,
    reason = "the process is waited for where it is dropped"
)]

mod client;
mod faults;
mod measure;
mod names;
#[path = "../patience/mod.rs"]
mod patience;
mod ports;
mod topology;
mod way_out;
mod world;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["internal", "keep-network", directory] => {
            return plimsoll_run::network::keeper::main(Path::new(directory));
        }
        ["outside"] => return world::outside::main(),
        _ => {}
    }
    let mut options = Arguments::from_args();
    if let Err(reason) = world::enter() {
        println!("skipped: {reason}");
        return ExitCode::SUCCESS;
    }
    options.test_threads = options.test_threads.or(Some(4));
    libtest_mimic::run(&options, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let verdicts = [
        topology::cases(),
        names::cases(),
        ports::cases(),
        way_out::cases(),
        faults::cases(),
    ];
    let trial = |(name, run): Case| Trial::test(name, move || patience::run(run));
    let mut trials: Vec<Trial> = verdicts.into_iter().flatten().map(trial).collect();
    // They need a machine with nothing else to do.
    trials.extend(
        measure::cases()
            .into_iter()
            .map(|case| trial(case).with_ignored_flag(true)),
    );
    trials
}

/// A test and its name.
type Case = (&'static str, fn());
