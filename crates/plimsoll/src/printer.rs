//! The one door through which text leaves the program.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::MultiProgress;
use plimsoll_diag::{Diagnostic, Palette, render};
use serde::Serialize;

use crate::cli::{ColorChoice, GlobalArguments};
use crate::environment::{Environment, NO_COLOR};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Only what failed.
    Quiet,
    /// Answers, warnings, progress.
    Normal,
}

/// The form of a command's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Writes answers to standard output and everything else to standard error.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    verbosity: Verbosity,
    form: Form,
    output_palette: Palette,
    error_palette: Palette,
    root: PathBuf,
    rows: Option<Arc<MultiProgress>>,
}

impl Printer {
    /// A printer for these options. Colour and rows appear on terminals only.
    pub(crate) fn new(arguments: &GlobalArguments, environment: &Environment) -> Self {
        let palette = |terminal: bool| match arguments.color {
            ColorChoice::Always => Palette::Ansi,
            ColorChoice::Never => Palette::Plain,
            ColorChoice::Auto if terminal && environment.get(NO_COLOR).is_none() => Palette::Ansi,
            ColorChoice::Auto => Palette::Plain,
        };
        let error_terminal = std::io::stderr().is_terminal();
        let rows_wanted = error_terminal && !arguments.quiet && arguments.verbose == 0;
        Self {
            verbosity: if arguments.quiet {
                Verbosity::Quiet
            } else {
                Verbosity::Normal
            },
            form: if arguments.json {
                Form::Json
            } else {
                Form::Text
            },
            output_palette: palette(std::io::stdout().is_terminal()),
            error_palette: palette(error_terminal),
            root: arguments.directory.clone(),
            rows: rows_wanted.then(|| Arc::new(MultiProgress::new())),
        }
    }

    /// The form in which the answer is wanted.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Colours of standard output.
    pub(crate) fn palette(&self) -> Palette {
        self.output_palette
    }

    /// The live rows, where standard error is a terminal that should show them.
    pub(crate) fn rows(&self) -> Option<&MultiProgress> {
        self.rows.as_deref()
    }

    /// Prints a part of the answer, with the line end it brings itself.
    pub(crate) fn answer(&self, text: &str) {
        self.above_rows(|| write_all(std::io::stdout().lock(), text));
    }

    /// Prints the answer as JSON.
    pub(crate) fn answer_json(&self, value: &impl Serialize) {
        // Our own types have string keys and no failing serialiser.
        let text = serde_json::to_string_pretty(value).expect("our types serialise to JSON");
        self.answer(&format!("{text}\n"));
    }

    /// Prints one line that tells a person what was done; silent with `--quiet`.
    pub(crate) fn say(&self, line: &str) {
        if self.verbosity == Verbosity::Normal {
            self.above_rows(|| write_all(std::io::stderr().lock(), &format!("{line}\n")));
        }
    }

    /// Prints a diagnostic. Errors are always told; the rest not with `--quiet`.
    pub(crate) fn tell(&self, diagnostic: &Diagnostic) {
        let is_error = diagnostic.severity == plimsoll_diag::Severity::Error;
        if is_error || self.verbosity == Verbosity::Normal {
            let text = render(diagnostic, &self.root, self.error_palette);
            self.above_rows(|| write_all(std::io::stderr().lock(), &text));
        }
    }

    /// Colours of standard error.
    pub(crate) fn error_palette(&self) -> Palette {
        self.error_palette
    }

    fn above_rows(&self, write: impl FnOnce()) {
        match &self.rows {
            Some(rows) => rows.suspend(write),
            None => write(),
        }
    }
}

/// Writes and forgets a failure: a reader that went away (`plimsoll logs | head`) is no error.
fn write_all(mut stream: impl Write, text: &str) {
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}
