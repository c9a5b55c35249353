//! `plimsoll config`: the resolved Compose model.

use plimsoll_diag::Diagnostic;
use plimsoll_model::compose::{self, Resolved, ServiceEnvFiles, config};

use crate::cli::{ConfigArguments, ConfigFormat};
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::{Form, Printer};
use crate::project::{has_compose_file, load_options};
use crate::settings::Settings;

/// Prints the model, or the part of it that was asked for.
pub(crate) fn run(
    settings: &Settings,
    arguments: &ConfigArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    if !has_compose_file(settings) {
        let directory = &settings.directory;
        let problem = Diagnostic::error(format!(
            "there is no Compose file in `{}`",
            directory.display()
        ));
        return Err(Failure::usage(match compose::discover_above(directory) {
            Some(above) => problem.hint(format!(
                "there is one above: `plimsoll -C {} config`",
                above.display()
            )),
            None => problem.hint("`plimsoll inspect` shows what the source tells without one"),
        }));
    }
    let mut options = load_options(settings)?;
    options.services = arguments.names.clone();
    let format = match (printer.form(), arguments.format) {
        (Form::Json, _) | (_, ConfigFormat::Json) => config::Format::Json,
        (Form::Text, ConfigFormat::Yaml) => config::Format::Yaml,
    };
    if arguments.variables {
        let variables = compose::variables(&options)?;
        print_variables(variables.into_values(), printer);
        return Ok(ExitStatus::Success);
    }
    if arguments.no_interpolate {
        let model = compose::load_uninterpolated(&options)?;
        tell(&model.warnings, printer);
        if !arguments.quiet {
            printer.answer(&with_line_end(config::render_uninterpolated(
                &model.model,
                format,
            )));
        }
        return Ok(ExitStatus::Success);
    }
    let is_part = arguments.services
        || arguments.images
        || arguments.list_profiles
        || arguments.volumes
        || arguments.networks
        || arguments.hash.is_some();
    if is_part {
        options.service_env_files = ServiceEnvFiles::LeftAlone;
    }
    let resolved = compose::resolve(&options)?;
    tell(&resolved.warnings, printer);
    if arguments.quiet {
        return Ok(ExitStatus::Success);
    }
    let lines: Vec<String> = if arguments.services {
        config::services(&resolved)
    } else if arguments.images {
        config::images(&resolved)
    } else if arguments.list_profiles {
        config::profiles(&resolved).into_iter().collect()
    } else if arguments.volumes {
        config::names(&resolved, "volumes")
    } else if arguments.networks {
        config::names(&resolved, "networks")
    } else if let Some(wanted) = &arguments.hash {
        hashes(&resolved, wanted)?
    } else {
        printer.answer(&with_line_end(config::render(&resolved, format)));
        return Ok(ExitStatus::Success);
    };
    if printer.form() == Form::Json {
        printer.answer_json(&serde_json::json!({ "schema": 1, "names": lines }));
        return Ok(ExitStatus::Success);
    }
    for line in lines {
        printer.answer(&format!("{line}\n"));
    }
    Ok(ExitStatus::Success)
}

fn tell(warnings: &[Diagnostic], printer: &Printer) {
    for warning in warnings {
        printer.tell(warning);
    }
}

fn with_line_end(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// `service hash` of the services wanted: names with commas between, or `*`.
fn hashes(resolved: &Resolved, wanted: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = if wanted == "*" {
        let mut names = config::services(resolved);
        names.sort();
        names
    } else {
        wanted.split(',').map(str::to_owned).collect()
    };
    let hash = |name: String| {
        let hash = config::hash(resolved, &name).ok_or_else(|| {
            let mut known = config::services(resolved);
            known.sort();
            Failure::usage(
                Diagnostic::error(format!("no service `{name}` is active"))
                    .hint(format!("active: {}", known.join(", "))),
            )
        })?;
        Ok(format!("{name} {hash}"))
    };
    names.into_iter().map(hash).collect()
}

fn print_variables(variables: impl Iterator<Item = compose::Variable>, printer: &Printer) {
    use crate::format::{Align, table};
    let variables: Vec<_> = variables.collect();
    if printer.form() == Form::Json {
        let variables: Vec<_> = variables
            .iter()
            .map(|variable| {
                serde_json::json!({
                    "name": variable.name,
                    "required": variable.required,
                    "default": variable.default,
                    "alternative": variable.alternative,
                })
            })
            .collect();
        printer.answer_json(&serde_json::json!({ "schema": 1, "variables": variables }));
        return;
    }
    let columns = [
        ("NAME", Align::Left),
        ("REQUIRED", Align::Left),
        ("DEFAULT VALUE", Align::Left),
        ("ALTERNATE VALUE", Align::Left),
    ];
    let rows: Vec<Vec<String>> = variables
        .into_iter()
        .map(|variable| {
            vec![
                variable.name,
                variable.required.to_string(),
                variable.default,
                variable.alternative,
            ]
        })
        .collect();
    printer.answer(&table(&columns, &rows));
}
