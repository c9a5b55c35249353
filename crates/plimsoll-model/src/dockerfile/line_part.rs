//! The part of a logical line that is being read, word by word: plain words, words in quotes as a
//! shell sees them, flags, and lists in JSON.

use plimsoll_diag::{Diagnostic, Span, Spanned};

use super::instruction::{CommandLine, Flag};
use super::logical_line::LogicalLine;

/// What reading gives, or what is wrong, with its place.
pub(super) type Parsed<T> = Result<T, Box<Diagnostic>>;

/// The part of a line that is being read.
pub(super) struct Cursor<'l> {
    pub(super) line: &'l LogicalLine,
    /// Where the part begins.
    pub(super) at: usize,
    pub(super) escape: char,
}

impl<'l> Cursor<'l> {
    pub(super) fn rest(&self) -> &'l str {
        &self.line.text[self.at..]
    }

    pub(super) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        self.line.span(start, end)
    }

    pub(super) fn rest_span(&self) -> Span {
        self.span(self.at, self.line.text.len())
    }

    pub(super) fn spanned(&self, start: usize, end: usize) -> Spanned<String> {
        Spanned::new(self.line.text[start..end].to_owned(), self.span(start, end))
    }

    pub(super) fn fail(&self, message: impl Into<String>, hint: &str) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(message).at(self.rest_span()).hint(hint))
    }

    /// Words between white space, quotes or not.
    pub(super) fn plain_words(&self) -> Vec<Spanned<String>> {
        let text = &self.line.text;
        let mut words = Vec::new();
        let mut start = None;
        for (index, character) in text[self.at..].char_indices() {
            let index = self.at + index;
            match (character.is_whitespace(), start) {
                (true, Some(from)) => {
                    words.push(self.spanned(from, index));
                    start = None;
                }
                (false, None) => start = Some(index),
                _ => {}
            }
        }
        if let Some(from) = start {
            words.push(self.spanned(from, text.len()));
        }
        words
    }

    /// Words as a shell sees them, with their quotes.
    pub(super) fn quoted_words(&self) -> Vec<Spanned<String>> {
        shell_words(self.rest(), self.escape)
            .into_iter()
            .map(|(start, end)| self.spanned(self.at + start, self.at + end))
            .collect()
    }

    /// The whole rest as one word.
    pub(super) fn whole(&self) -> Spanned<String> {
        self.spanned(self.at, self.line.text.len())
    }

    /// Takes the flags at the beginning.
    pub(super) fn flags(&mut self, known: &[&str]) -> Parsed<Vec<Flag>> {
        let mut flags = Vec::new();
        loop {
            self.skip_space();
            if !self.rest().starts_with("--") {
                return Ok(flags);
            }
            let Some((_, length)) = shell_words(self.rest(), self.escape).first().copied() else {
                return Ok(flags);
            };
            let end = self.at + length;
            let word = &self.line.text[self.at..end];
            if word == "--" {
                self.at = end;
                self.skip_space();
                return Ok(flags);
            }
            let name_end = word.find('=').map_or(end, |index| self.at + index);
            let name = self.spanned(self.at + 2, name_end);
            if !known.contains(&name.value.as_str()) {
                let span = self.span(self.at, end);
                let mut problem =
                    Diagnostic::error(format!("`--{}` is no flag here", name.value)).at(span);
                if !known.is_empty() {
                    problem = problem.hint(format!("known are --{}", known.join(", --")));
                }
                return Err(Box::new(problem));
            }
            flags.push(Flag {
                name,
                value: (name_end < end).then(|| self.spanned(name_end + 1, end)),
            });
            self.at = end;
        }
    }

    /// The exec form where it is one, else the shell form.
    pub(super) fn command(&self) -> CommandLine {
        match exec_form(self.rest()) {
            Some(words) => CommandLine::Exec(words),
            None => CommandLine::Shell(self.rest().to_owned()),
        }
    }

    /// A list in JSON, or words between white space.
    pub(super) fn list(&self) -> Vec<Spanned<String>> {
        match exec_form(self.rest()) {
            Some(words) => words
                .into_iter()
                .map(|word| Spanned::new(word, self.rest_span()))
                .collect(),
            None => self.plain_words(),
        }
    }
}

/// A JSON list of strings and nothing else.
pub(super) fn exec_form(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    text.starts_with('[')
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

/// Where words begin and end; white space in quotes, or after the escape character, is theirs.
pub(super) fn shell_words(text: &str, escape: char) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut start: Option<usize> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match (quote, character) {
            (None, space) if space.is_whitespace() => {
                if let Some(from) = start.take() {
                    words.push((from, index));
                }
                continue;
            }
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if character == open => quote = None,
            (None | Some('"'), _) if character == escape => {
                characters.next();
            }
            _ => {}
        }
        start.get_or_insert(index);
    }
    if let Some(from) = start {
        words.push((from, text.len()));
    }
    words
}
