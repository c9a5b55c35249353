//! `GUNICORN_CMD_ARGS`: what Gunicorn is told by the environment. It counts more than its configuration file, and less
//! than its command.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Span, Spanned};
use plimsoll_model::compose;

use super::review::Reviewed;
use super::start_scripts::port;
use crate::tree::Tree;

const VARIABLE: &str = "GUNICORN_CMD_ARGS";

/// What one place tells.
#[derive(Debug, Clone)]
pub(crate) struct GunicornArguments {
    said_by: SaidBy,
    /// The variable's value.
    pub(crate) text: String,
    /// The port of the address that it listens on.
    pub(crate) port: Option<Spanned<u16>>,
    /// How many processes serve.
    pub(crate) workers: Option<Spanned<u32>>,
    /// Whether an image sets the variable, so that it has to be set in another one, too.
    pub(crate) of_image: bool,
}

/// What says it, by its number in the list of its kind.
#[derive(Debug, Clone)]
enum SaidBy {
    Program(usize),
    Image(usize),
    Script(usize),
    /// An `.env` file in this directory.
    File(PathBuf),
}

impl GunicornArguments {
    fn new(said_by: SaidBy, text: &str, span: Option<Span>) -> Self {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let bind = words
            .iter()
            .find_map(|word| word.strip_prefix("-b")?.parse().ok());
        let placed = |value: u16| Spanned {
            value,
            span: span.clone(),
        };
        Self {
            of_image: matches!(said_by, SaidBy::Image(_)),
            said_by,
            text: text.to_owned(),
            port: port(&words).or(bind).map(placed),
            workers: workers(&words).map(|value| Spanned {
                value,
                span: span.clone(),
            }),
        }
    }
}

/// `4` of `--workers 4`, `--workers=4`, `-w 4` and `-w4`.
fn workers(words: &[String]) -> Option<u32> {
    words.iter().enumerate().find_map(|(index, word)| {
        let value = match word.as_str() {
            "--workers" | "-w" => words.get(index + 1)?,
            word => word
                .strip_prefix("--workers=")
                .or_else(|| word.strip_prefix("-w"))?,
        };
        value.parse().ok()
    })
}

/// Whether a command starts Gunicorn.
fn starts_gunicorn(words: &[String]) -> bool {
    let named = |part: &str| part.rsplit('/').next() == Some("gunicorn");
    words.iter().any(|word| word.split_whitespace().any(named))
}

/// Everything that a tree tells, what counts most first.
pub(super) fn read(tree: &Tree, reviewed: &Reviewed) -> Vec<GunicornArguments> {
    let mut found = Vec::new();
    for (index, program) in reviewed.deployments.programs.iter().enumerate() {
        let told = program.variables.iter().find(|(name, _)| name == VARIABLE);
        if let Some((_, Some(text))) = told {
            let span = Some(program.span.clone());
            found.push(GunicornArguments::new(SaidBy::Program(index), text, span));
        }
    }
    for (index, file) in reviewed.files.iter().enumerate() {
        let image = file.image(None);
        let told = image.environment.iter().rfind(|(name, _)| name == VARIABLE);
        let mut lines = image.entrypoint.iter().chain(&image.command);
        if let Some((_, value)) = told
            && lines.any(|line| starts_gunicorn(&line.value.words()))
        {
            let span = value.span.clone();
            found.push(GunicornArguments::new(
                SaidBy::Image(index),
                &value.value,
                span,
            ));
        }
    }
    for (index, launched) in reviewed.launched.iter().enumerate() {
        let told = launched
            .environment
            .iter()
            .find(|(name, _)| name == VARIABLE);
        if let Some((_, text)) = told {
            let span = Some(launched.span.clone());
            found.push(GunicornArguments::new(SaidBy::Script(index), text, span));
        }
    }
    for file in tree
        .files()
        .iter()
        .filter(|file| file.path.ends_with(".env"))
    {
        let shown = tree.shown(&file.path);
        let Some(source) = tree
            .source(&file.path)
            .filter(|text| text.contains(VARIABLE))
        else {
            continue;
        };
        let values = compose::dotenv_of_text(&source, &shown).unwrap_or_default();
        let line = source
            .lines()
            .position(|line| line.contains(VARIABLE))
            .unwrap_or(0);
        if let Some(text) = values.get(VARIABLE) {
            let directory = file.path.parent().unwrap_or(Path::new("")).to_owned();
            let span = Span::line(shown, line as u32 + 1);
            found.push(GunicornArguments::new(
                SaidBy::File(directory),
                text,
                Some(span),
            ));
        }
    }
    found
}

impl Reviewed {
    /// What Gunicorn is told when it serves the application in the file at `path`, whose module is `dotted`.
    pub(crate) fn gunicorn_told(&self, dotted: &str, path: &Path) -> Option<&GunicornArguments> {
        self.gunicorn.iter().find(|told| match &told.said_by {
            SaidBy::Program(index) => {
                let program = &self.deployments.programs[*index];
                program.is_about(dotted, path, &self.files)
            }
            SaidBy::Image(index) => self.files[*index].is_about(dotted, path),
            SaidBy::Script(index) => self.launched[*index].starts.is_about(dotted),
            SaidBy::File(directory) => path.starts_with(directory),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_tell_port_and_workers() {
        for (text, port, count) in [
            ("--bind=0.0.0.0:8080 --workers=2", Some(8080), Some(2)),
            ("-b :9000 -w 3", Some(9000), Some(3)),
            ("--bind unix:/run/a -w4", None, Some(4)),
            ("--timeout 30", None, None),
        ] {
            let told = GunicornArguments::new(SaidBy::Image(0), text, None);
            assert_eq!(told.port.map(|port| port.value), port, "{text}");
            assert_eq!(told.workers.map(|workers| workers.value), count, "{text}");
        }
    }
}
