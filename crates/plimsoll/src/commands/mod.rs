//! One file a command. A command gets its settings whole; it does not read the environment.

mod build;
mod completions;
mod config;
mod down;
mod exec;
mod fsck;
mod images;
mod init;
mod inspect;
mod logs;
mod prune;
mod ps;
mod push;
mod render;
mod run;
mod sbom;
mod sign;
mod up;
mod verify;
mod why;

use plimsoll_diag::Diagnostic;

use crate::cli::{Cli, Command};
use crate::environment::Environment;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::settings::Settings;

/// Runs the command that was typed.
pub(crate) fn run(
    cli: Cli,
    environment: Environment,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    refuse_json(&cli)?;
    if let Command::Completions { shell } = cli.command {
        return Ok(completions::run(shell, printer));
    }
    let mut settings = Settings::resolve(&cli.global, environment)?;
    match &cli.command {
        // A stack must be reachable after its project's files broke.
        Command::Down(_) | Command::Ps(_) | Command::Logs(_) | Command::Exec(_) => {}
        _ => settings.read_file()?,
    }
    match cli.command {
        Command::Inspect(arguments) => inspect::run(&settings, &arguments, printer),
        Command::Init(arguments) => init::run(&settings, &arguments, printer),
        Command::Config(arguments) => config::run(&settings, &arguments, printer),
        Command::Render(arguments) => render::run(&settings, &arguments, printer),
        Command::Build(arguments) => build::run(&settings, &arguments, printer),
        Command::Push(arguments) => push::run(&settings, &arguments, printer),
        Command::Up(arguments) => up::run(&settings, &arguments, printer),
        Command::Down(arguments) => down::run(&settings, &arguments, printer),
        Command::Ps(arguments) => ps::run(&settings, &arguments, printer),
        Command::Logs(arguments) => logs::run(&settings, &arguments, printer),
        Command::Exec(arguments) => exec::run(&settings, arguments),
        Command::Run(arguments) => run::run(&settings, arguments, printer),
        Command::Images(arguments) if arguments.why => {
            why::run(&settings, &arguments.services, printer)
        }
        Command::Images(_) => images::run(&settings, printer),
        Command::Sbom(arguments) => sbom::run(&settings, &arguments, printer),
        Command::Sign(arguments) => sign::run(&settings, &arguments, printer),
        Command::Verify(arguments) => verify::run(&settings, &arguments, printer),
        Command::Prune(arguments) => prune::run(&settings, &arguments, printer),
        Command::Fsck => fsck::run(&settings, printer),
        Command::Completions { .. } => Ok(ExitStatus::Success),
    }
}

/// What prints a script, or what a program prints, cannot print data besides.
fn refuse_json(cli: &Cli) -> Result<(), Failure> {
    let (name, what) = match &cli.command {
        Command::Exec(_) => ("exec", "what the program prints"),
        Command::Run(_) => ("run", "what the program prints"),
        Command::Completions { .. } => ("completions", "a script for a shell"),
        _ => return Ok(()),
    };
    if !cli.global.json {
        return Ok(());
    }
    Err(Failure::usage(
        Diagnostic::error(format!("`{name}` prints {what}, there is no data to print"))
            .hint("leave out `--json`"),
    ))
}
