//! Prints a project as `docker compose config` does, for comparing the two by hand.
//!
//! Arguments: `[-f FILE]… [--profile NAME]… [--yaml] [--hash] [--no-interpolate] [--check]
//! [--variables] [DIRECTORY]`; `--check` tells what an engine would not honour.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program of its own, not a library"
)]

use std::path::PathBuf;

use plimsoll_diag::{Palette, render};
use plimsoll_model::compose::{LoadOptions, config, load, load_uninterpolated, resolve, variables};

fn main() {
    let mut options = LoadOptions {
        directory: PathBuf::from("."),
        environment: std::env::vars().collect(),
        ..LoadOptions::default()
    };
    let mut format = config::Format::Json;
    let mut keep_variables = false;
    let mut hash = false;
    let mut check = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--yaml" => format = config::Format::Yaml,
            "--hash" => hash = true,
            "--variables" => return print_variables(&options),
            "--check" => check = true,
            "--no-interpolate" => keep_variables = true,
            "-f" => options.files.extend(arguments.next().map(PathBuf::from)),
            "--profile" => options.profiles.extend(arguments.next()),
            directory => options.directory = PathBuf::from(directory),
        }
    }
    let outcome = if keep_variables {
        load_uninterpolated(&options).map(|read| {
            (
                config::render_uninterpolated(&read.model, format),
                read.warnings,
            )
        })
    } else if check {
        load(&options).map(|loaded| {
            let lines = loaded.project.services.values().flat_map(|service| {
                let keys = service.unsupported.iter();
                keys.map(|key| format!("{}: {}\n", service.name, key.value))
            });
            (lines.collect(), loaded.resolved.warnings)
        })
    } else {
        resolve(&options).map(|loaded| {
            let text = if hash {
                config::names(&loaded, "services")
                    .iter()
                    .filter_map(|name| Some(format!("{name} {}\n", config::hash(&loaded, name)?)))
                    .collect()
            } else {
                config::render(&loaded, format)
            };
            (text, loaded.warnings)
        })
    };
    let root = options.directory.as_path();
    match outcome {
        Ok((text, warnings)) => {
            for warning in warnings {
                eprint!("{}", render(&warning, root, Palette::Plain));
            }
            print!("{text}");
        }
        Err(problems) => {
            for problem in &problems.0 {
                eprint!("{}", render(problem, root, Palette::Plain));
            }
            std::process::exit(2);
        }
    }
}

fn print_variables(options: &LoadOptions) {
    match variables(options) {
        Ok(variables) => {
            for (name, variable) in variables {
                println!(
                    "{name}|{}|{}|{}",
                    variable.required, variable.default, variable.alternative
                );
            }
        }
        Err(problems) => eprintln!("{problems}"),
    }
}
