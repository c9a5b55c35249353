//! Options of the project typed behind the command, where clap alone would not know them.

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::Cli;

/// Adds to an error about an unknown option where the option belongs, when it is one that comes
/// before the command.
pub(crate) fn explain(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let typed = typed.split('=').next().unwrap_or(typed);
    let is_before_command = Cli::command().get_arguments().any(|option| {
        let long = option.get_long().map(|long| format!("--{long}"));
        let short = option.get_short().map(|short| format!("-{short}"));
        !option.is_global_set()
            && [long, short]
                .iter()
                .flatten()
                .any(|written| written == typed)
    });
    if is_before_command {
        let tip = format!("`{typed}` comes before the command: `plimsoll {typed} … COMMAND`");
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![tip.into()]),
        );
    }
    error
}
