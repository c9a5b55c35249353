//! Containers, live: every test starts real ones. Needs root; says so and skips without.
//!
//! This binary is also what the engine starts again as its helpers, and, as `tool`, a program in
//! the containers. So it has a `main` of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a program of its own, not a library")]

mod confinement;
mod fixture;
mod foreground;
mod jobs;
mod lifecycle;
mod mounts;
#[path = "../patience/mod.rs"]
mod patience;
mod resources;
mod sandboxing;
mod stack;
mod tools;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(code) = plimsoll_run::internal::dispatch(words.clone()) {
        return code;
    }
    if words.get(1).is_some_and(|word| word == "tool") {
        return tools::main(&words[2..]);
    }
    if words.get(1).is_some_and(|word| word == "in-foreground") {
        return foreground::main(&words[2..]);
    }
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("skipped: starting containers takes root");
    }
    let trials: Vec<Trial> = [
        confinement::TESTS,
        foreground::TESTS,
        jobs::TESTS,
        lifecycle::TESTS,
        mounts::TESTS,
        resources::TESTS,
        sandboxing::TESTS,
        stack::TESTS,
    ]
    .concat()
    .into_iter()
    .map(|(name, test)| Trial::test(name, move || patience::run(test)).with_ignored_flag(!is_root))
    .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    fixture::remove_image();
    conclusion.exit_code()
}
