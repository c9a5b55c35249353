//! The command line: words in, exit code out.
//!
//! The only crate that prints, reads the environment, and decides the exit code.

mod all_in_one;
mod astray;
mod attestations;
mod build_cache;
mod cache_limit;
mod cli;
mod commands;
mod commit_time;
mod environment;
mod environment_contract;
mod exit_status;
mod failed_start;
mod failure;
mod format;
mod init;
mod interruption;
mod known_facts;
mod machine_key;
mod made_up_values;
mod misplaced_option;
mod printer;
mod project;
mod publish;
mod published_images;
mod registry_retention;
mod remedy;
mod rendered_files;
mod rendered_report;
mod secret_guard;
mod service_images;
mod settings;
mod source_directories;
mod stack_of_project;
mod tag_rules;
mod terminal_progress;
mod trace;
mod trial;
mod variables;
mod variants;
mod verification;
mod watch;
mod weight;
mod workshop;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, GlobalArguments};
use crate::environment::{Environment, PLIMSOLL_LOG};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

fn main() -> ExitCode {
    // What is written here and in containers has the permissions that are said, on every machine.
    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    // Supervisors and the network keeper are this executable too. They must begin before any
    // thread exists: containers are forked from a single-threaded process.
    if let Some(code) = plimsoll_run::internal::dispatch(std::env::args_os()) {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            let message = misplaced_option::explain(message);
            let asked = !message.use_stderr();
            // A terminal that went away is no reason to fail differently.
            let _ = message.print();
            return if asked {
                ExitStatus::Success
            } else {
                ExitStatus::Usage
            }
            .into();
        }
    };
    let environment = Environment::of_process();
    start_log(&cli.global, &environment);
    let printer = Printer::new(&cli.global, &environment);
    match commands::run(cli, environment, &printer) {
        Ok(status) => status.into(),
        Err(failure) => {
            for diagnostic in &failure.diagnostics {
                printer.tell(diagnostic);
            }
            failure.status.into()
        }
    }
}

fn start_log(arguments: &GlobalArguments, environment: &Environment) {
    let filter = match (environment.get(PLIMSOLL_LOG), arguments.verbose) {
        (Some(filter), _) => filter.to_owned(),
        (None, 0) => return,
        (None, 1) => "warn,plimsoll=info,plimsoll_detect=info,plimsoll_image=info,plimsoll_model=info,plimsoll_run=info".to_owned(),
        (None, _) => "info,plimsoll=debug,plimsoll_detect=debug,plimsoll_image=debug,plimsoll_model=debug,plimsoll_run=debug".to_owned(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .init();
}
