//! From text to instructions.

use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Diagnostics, Span, Spanned};

use super::heredoc::{self, openings};
use super::instruction::{
    Argument, CommandLine, Copy, CopyKind, Dockerfile, From, HealthInstruction, Instruction,
    InstructionKind, Pair, Run,
};
use super::line_part::{Cursor, Parsed, exec_form};
use super::logical_line::{Lines, LogicalLine};

/// The keywords, for hints.
const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

impl Dockerfile {
    /// Reads a text; `file` is how its path is shown.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn parse(text: &str, file: impl Into<Arc<Path>>) -> Result<Self, Diagnostics> {
        let file = file.into();
        let mut problems = Diagnostics::default();
        let mut whole = Self {
            syntax: None,
            escape: '\\',
            instructions: Vec::new(),
        };
        let mut lines = Lines::new(text, Arc::clone(&file));
        directives(&mut lines, &file, &mut whole, &mut problems);
        while let Some(line) = lines.logical(whole.escape) {
            let mut heredocs = Heredocs::Follow(&mut lines);
            match instruction(&line, 0, whole.escape, &mut heredocs) {
                Ok(instruction) => whole.instructions.push(instruction),
                Err(problem) => problems.push(*problem),
            }
        }
        match problems.is_empty() {
            true => Ok(whole),
            false => Err(problems),
        }
    }

    /// Reads what `ONBUILD` left in an image: one instruction without here-documents.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse_trigger(
        text: &str,
        file: impl Into<Arc<Path>>,
    ) -> Result<Instruction, Diagnostics> {
        let mut lines = Lines::new(text, file.into());
        let Some(line) = lines.logical('\\') else {
            return Err(Diagnostics(vec![Diagnostic::error(
                "an `ONBUILD` of the base says nothing",
            )]));
        };
        instruction(&line, 0, '\\', &mut Heredocs::Refused)
            .map_err(|problem| Diagnostics(vec![*problem]))
    }
}

/// Whether here-documents may follow.
enum Heredocs<'a, 't> {
    Follow(&'a mut Lines<'t>),
    Refused,
}

/// `# syntax=…` and `# escape=…`: only before anything else, also other comments.
fn directives(
    lines: &mut Lines<'_>,
    file: &Arc<Path>,
    whole: &mut Dockerfile,
    problems: &mut Diagnostics,
) {
    while let Some((name, value)) = lines.peek().and_then(directive) {
        let Some((number, raw)) = lines.physical() else {
            return;
        };
        let column = raw
            .find(value)
            .map_or(1, |at| raw[..at].chars().count() + 1);
        let column = u32::try_from(column).unwrap_or(1);
        let length = u32::try_from(value.chars().count()).unwrap_or(0);
        let span = Span::new(Arc::clone(file), number, column, length);
        match name.to_ascii_lowercase().as_str() {
            "syntax" => whole.syntax = Some(Spanned::new(value.to_owned(), span)),
            "escape" => match value {
                "\\" | "`" => whole.escape = value.chars().next().unwrap_or('\\'),
                _ => problems.push(
                    Diagnostic::error(format!("`{value}` cannot be the escape character"))
                        .at(span)
                        .hint("it is `\\` or `` ` ``"),
                ),
            },
            // `check=` sets up a linter.
            _ => {}
        }
    }
}

fn directive(line: &str) -> Option<(&str, &str)> {
    let comment = line
        .trim()
        .trim_start_matches('\u{feff}')
        .strip_prefix('#')?;
    let (name, value) = comment.split_once('=')?;
    let name = name.trim();
    let known = ["syntax", "escape", "check"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known));
    known.then(|| (name, value.trim()))
}

fn instruction(
    line: &LogicalLine,
    at: usize,
    escape: char,
    heredocs: &mut Heredocs<'_, '_>,
) -> Parsed<Instruction> {
    let text = &line.text[at..];
    let length = text.find(char::is_whitespace).unwrap_or(text.len());
    let keyword = &text[..length];
    let mut cursor = Cursor {
        line,
        at: at + length,
        escape,
    };
    cursor.skip_space();
    let known = keyword.to_ascii_uppercase();
    if !KEYWORDS.contains(&known.as_str()) {
        let mut problem = Diagnostic::error(format!("`{keyword}` is no instruction"))
            .at(line.span(at, at + length));
        if let Some(near) = KEYWORDS.iter().find(|name| is_near(name, &known)) {
            problem = problem.hint(format!("did you mean `{near}`?"));
        }
        return Err(Box::new(problem));
    }
    if cursor.rest().is_empty() && !matches!(known.as_str(), "CMD" | "ENTRYPOINT") {
        return Err(Box::new(
            Diagnostic::error(format!("`{known}` needs something to work on"))
                .at(line.span(at, at + length)),
        ));
    }
    let kind = match known.as_str() {
        "FROM" => InstructionKind::From(from(&mut cursor)?),
        "ARG" => InstructionKind::Arg(arguments(&cursor)?),
        "ENV" => InstructionKind::Env(pairs(&cursor, "ENV")?),
        "LABEL" => InstructionKind::Label(pairs(&cursor, "LABEL")?),
        "RUN" => InstructionKind::Run(run(&mut cursor, heredocs)?),
        "COPY" => InstructionKind::Copy(copy(&mut cursor, CopyKind::Copy, heredocs)?),
        "ADD" => InstructionKind::Copy(copy(&mut cursor, CopyKind::Add, heredocs)?),
        "CMD" => InstructionKind::Cmd(cursor.command()),
        "ENTRYPOINT" => InstructionKind::Entrypoint(cursor.command()),
        "WORKDIR" => InstructionKind::Workdir(cursor.whole()),
        "USER" => InstructionKind::User(cursor.whole()),
        "EXPOSE" => InstructionKind::Expose(cursor.plain_words()),
        "VOLUME" => InstructionKind::Volume(cursor.list()),
        "STOPSIGNAL" => InstructionKind::StopSignal(cursor.whole()),
        "HEALTHCHECK" => InstructionKind::Healthcheck(health(&mut cursor)?),
        "SHELL" => InstructionKind::Shell(shell(&cursor)?),
        "ONBUILD" => InstructionKind::Onbuild(trigger(&cursor)?),
        _ => InstructionKind::Maintainer(cursor.whole()),
    };
    Ok(Instruction {
        span: line.span(at, line.text.len()),
        kind,
    })
}

/// Whether one letter more, less or other makes them equal.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let same_start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[same_start..], &other[same_start..]);
    let same_end = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    one.len() - same_end <= 2 && other.len() - same_end <= 2
}

fn from(cursor: &mut Cursor<'_>) -> Parsed<From> {
    let flags = cursor.flags(&["platform"])?;
    let words = cursor.plain_words();
    let mut words = words.into_iter();
    let (base, keyword, name, more) = (words.next(), words.next(), words.next(), words.next());
    let Some(base) = base else {
        return Err(cursor.fail(
            "`FROM` names no image",
            "`FROM scratch` begins with nothing",
        ));
    };
    let named = keyword
        .as_ref()
        .is_none_or(|word| word.value.eq_ignore_ascii_case("as"));
    if !named || keyword.is_some() != name.is_some() || more.is_some() {
        return Err(cursor.fail(
            "`FROM` takes an image and a name",
            "write `FROM image AS name`",
        ));
    }
    if let Some(name) = &name {
        let mut characters = name.value.chars();
        let valid = characters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && characters.all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !valid {
            return Err(Box::new(
                Diagnostic::error(format!("`{}` cannot be the name of a stage", name.value))
                    .at(name.span.clone())
                    .hint("a letter, then letters, digits, `-`, `_` and `.`"),
            ));
        }
    }
    Ok(From {
        platform: flags.into_iter().next().and_then(|flag| flag.value),
        base,
        name: name.map(|name| name.map(|name| name.to_ascii_lowercase())),
    })
}

/// `NAME=value` at a word; the name's length.
fn split_pair(
    word: &Spanned<String>,
    cursor: &Cursor<'_>,
) -> (Spanned<String>, Option<Spanned<String>>) {
    let Some((name, value)) = word.value.split_once('=') else {
        return (word.clone(), None);
    };
    let span = |skip: usize, length: usize| {
        let mut span = word.span.clone().unwrap_or_else(|| cursor.rest_span());
        span.start.column += u32::try_from(skip).unwrap_or(0);
        if length > 0 {
            span.end = span.start;
            span.end.column += u32::try_from(length).unwrap_or(0);
        }
        span
    };
    let count = name.chars().count();
    (
        Spanned::new(name.to_owned(), span(0, count)),
        Some(Spanned::new(value.to_owned(), span(count + 1, 0))),
    )
}

fn arguments(cursor: &Cursor<'_>) -> Parsed<Vec<Argument>> {
    cursor
        .quoted_words()
        .into_iter()
        .map(|word| {
            let (name, default) = split_pair(&word, cursor);
            if name.value.is_empty() {
                return Err(Box::new(
                    Diagnostic::error("an argument has no name").at(word.span),
                ));
            }
            Ok(Argument { name, default })
        })
        .collect()
}

fn pairs(cursor: &Cursor<'_>, keyword: &str) -> Parsed<Vec<Pair>> {
    let words = cursor.quoted_words();
    let old = words.first().is_some_and(|word| !word.value.contains('='));
    if old {
        // `ENV name value and more`: everything after the name is the value.
        let name = words.into_iter().next().unwrap_or_default();
        let mut rest = Cursor {
            line: cursor.line,
            at: cursor.at + name.value.len(),
            escape: cursor.escape,
        };
        rest.skip_space();
        if rest.rest().is_empty() {
            return Err(cursor.fail(
                format!("`{keyword} {}` gives no value", name.value),
                "write `NAME=value`",
            ));
        }
        let mut value = rest.whole();
        // Printed as `NAME=value`, its spaces must stay its own.
        if value.value.contains(char::is_whitespace) {
            value.value = protected(&value.value, cursor.escape);
        }
        return Ok(vec![Pair { name, value }]);
    }
    words
        .into_iter()
        .map(|word| match split_pair(&word, cursor) {
            (name, Some(value)) if !name.value.is_empty() => Ok(Pair { name, value }),
            _ => Err(Box::new(
                Diagnostic::error(format!("`{}` is not of the form `NAME=value`", word.value))
                    .at(word.span)
                    .hint("put quotes around a value with spaces"),
            )),
        })
        .collect()
}

/// Puts the escape character before white space that no quote holds.
fn protected(value: &str, escape: char) -> String {
    let mut text = String::new();
    let mut quote: Option<char> = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, space) if space.is_whitespace() => text.push(escape),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if character == open => quote = None,
            (None | Some('"'), _) if character == escape => {
                text.push(character);
                text.extend(characters.next());
                continue;
            }
            _ => {}
        }
        text.push(character);
    }
    text
}

fn run(cursor: &mut Cursor<'_>, heredocs: &mut Heredocs<'_, '_>) -> Parsed<Run> {
    let flags = cursor.flags(&["mount", "network", "security", "device"])?;
    let command = cursor.command();
    if let CommandLine::Shell(line) = &command
        && line.is_empty()
    {
        return Err(cursor.fail("`RUN` names no command", "write what is to be run"));
    }
    let taken = match &command {
        CommandLine::Exec(_) => Vec::new(),
        CommandLine::Shell(_) => take_heredocs(cursor, heredocs)?,
    };
    Ok(Run {
        flags,
        command,
        heredocs: taken,
    })
}

fn take_heredocs(
    cursor: &Cursor<'_>,
    heredocs: &mut Heredocs<'_, '_>,
) -> Parsed<Vec<super::Heredoc>> {
    openings(cursor.rest(), cursor.escape)
        .into_iter()
        .map(|opening| {
            let Heredocs::Follow(lines) = heredocs else {
                return Err(cursor.fail(
                    "`ONBUILD` takes no here-document",
                    "copy a script, and run that",
                ));
            };
            let name = opening.name.clone();
            heredoc::take(lines, opening).ok_or_else(|| {
                cursor.fail(
                    format!("the here-document `{name}` has no end"),
                    &format!("end it with a line that is only `{name}`"),
                )
            })
        })
        .collect()
}

/// Flags of `COPY`.
const COPY_FLAGS: [&str; 6] = ["from", "chown", "chmod", "link", "parents", "exclude"];

/// Flags of `ADD`.
const ADD_FLAGS: [&str; 7] = [
    "chown",
    "chmod",
    "link",
    "exclude",
    "checksum",
    "keep-git-dir",
    "unpack",
];

fn copy(cursor: &mut Cursor<'_>, kind: CopyKind, heredocs: &mut Heredocs<'_, '_>) -> Parsed<Copy> {
    let flags = cursor.flags(match kind {
        CopyKind::Copy => &COPY_FLAGS,
        CopyKind::Add => &ADD_FLAGS,
    })?;
    let taken = match exec_form(cursor.rest()) {
        Some(_) => Vec::new(),
        None => take_heredocs(cursor, heredocs)?,
    };
    let mut sources = cursor.list();
    let destination = sources.pop();
    match destination {
        Some(destination) if !sources.is_empty() => Ok(Copy {
            kind,
            flags,
            sources,
            destination,
            heredocs: taken,
        }),
        _ => Err(cursor.fail(
            format!("`{kind}` needs a source and a destination"),
            "the last word is where it goes: `COPY . /app`",
        )),
    }
}

fn health(cursor: &mut Cursor<'_>) -> Parsed<HealthInstruction> {
    let flags = cursor.flags(&[
        "interval",
        "timeout",
        "start-period",
        "start-interval",
        "retries",
    ])?;
    let rest = cursor.rest();
    let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let word = &rest[..length];
    if word.eq_ignore_ascii_case("NONE") && rest[length..].trim().is_empty() {
        return Ok(HealthInstruction::Disabled);
    }
    if !word.eq_ignore_ascii_case("CMD") || rest[length..].trim().is_empty() {
        return Err(cursor.fail(
            "`HEALTHCHECK` says no check",
            "write `HEALTHCHECK CMD command`, or `HEALTHCHECK NONE`",
        ));
    }
    cursor.at += length;
    cursor.skip_space();
    Ok(HealthInstruction::Check {
        flags,
        command: cursor.command(),
    })
}

fn shell(cursor: &Cursor<'_>) -> Parsed<Vec<String>> {
    exec_form(cursor.rest())
        .filter(|words| !words.is_empty())
        .ok_or_else(|| {
            cursor.fail(
                "`SHELL` takes a list",
                r#"write `SHELL ["/bin/bash", "-c"]`"#,
            )
        })
}

fn trigger(cursor: &Cursor<'_>) -> Parsed<Spanned<String>> {
    let inner = instruction(
        cursor.line,
        cursor.at,
        cursor.escape,
        &mut Heredocs::Refused,
    )?;
    match inner.kind {
        InstructionKind::Onbuild(_) | InstructionKind::From(_) | InstructionKind::Maintainer(_) => {
            Err(cursor.fail(
                format!("`ONBUILD` takes no `{}`", inner.kind.keyword()),
                "name another instruction",
            ))
        }
        _ => Ok(cursor.whole()),
    }
}
