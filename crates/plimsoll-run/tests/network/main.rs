//! Live tests of the network keeper: real namespaces, sockets and processes.
//!
//! The whole program moves into a network namespace of its own first, which plays the host. The
//! machine's network is neither used nor changed. The keeper under test is this executable, run
//! again.

mod client;
mod faults;
mod names;
mod ports;
mod topology;
mod way_out;
mod world;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

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
    // The throughput figures need an otherwise idle machine, and are asked for by name.
    options.test_threads = options.test_threads.or(Some(4));
    libtest_mimic::run(&options, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    [
        topology::trials(),
        names::trials(),
        ports::trials(),
        way_out::trials(),
        faults::trials(),
    ]
    .into_iter()
    .flatten()
    .map(|(name, run)| {
        Trial::test(name, move || {
            run();
            Ok::<(), Failed>(())
        })
    })
    .collect()
}

/// A test and its name.
type Case = (&'static str, fn());
