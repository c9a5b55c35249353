//! `NAME=VALUE` on the command line.

use plimsoll_diag::Diagnostic;

use crate::failure::Failure;
use crate::settings::Settings;

/// The variables named by `--env`; one without a value takes that of the caller's environment.
pub(crate) fn assignments(
    arguments: &[String],
    settings: &Settings,
) -> Result<Vec<(String, String)>, Failure> {
    let mut variables = Vec::new();
    for argument in arguments {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (
                argument.as_str(),
                settings.environment.0.get(argument).cloned(),
            ),
        };
        if name.is_empty() {
            return Err(Failure::usage(
                Diagnostic::error(format!("`{argument}` names no variable"))
                    .hint("as in `--env NAME=VALUE`"),
            ));
        }
        variables.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(variables)
}
