//! Lines that belong together: continued ones joined, comments between them left out.

use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Position, Span};

/// The lines of a file, to be taken one after the other.
pub(super) struct Lines<'t> {
    lines: Vec<&'t str>,
    next: usize,
    file: Arc<Path>,
}

/// One instruction's text, knowing where each part of it stands.
#[derive(Debug, Clone)]
pub(super) struct LogicalLine {
    pub(super) text: String,
    /// Where each physical line begins: offset in `text`, its number, the column of its first
    /// character that counts.
    starts: Vec<(usize, u32, u32)>,
    file: Arc<Path>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str, file: Arc<Path>) -> Self {
        // A mark that some editors put before UTF-8 is no part of the first line.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines: Vec<&str> = text.split('\n').collect();
        if lines.last() == Some(&"") {
            lines.pop();
        }
        Self {
            lines,
            next: 0,
            file,
        }
    }

    /// The next physical line as it is, and its number.
    pub(super) fn physical(&mut self) -> Option<(u32, &'t str)> {
        let line = self.lines.get(self.next)?;
        self.next += 1;
        Some((number(self.next), line))
    }

    /// The same without taking it.
    pub(super) fn peek(&self) -> Option<&'t str> {
        self.lines.get(self.next).copied()
    }

    /// The next instruction's text.
    pub(super) fn logical(&mut self, escape: char) -> Option<LogicalLine> {
        let mut line = loop {
            let (number, raw) = self.physical()?;
            let trimmed = raw.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let text = raw.trim_start();
            let column = number_of(&raw[..raw.len() - text.len()]) + 1;
            break (text, number, column);
        };
        let mut whole = LogicalLine {
            text: String::new(),
            starts: Vec::new(),
            file: Arc::clone(&self.file),
        };
        loop {
            let (text, number, column) = line;
            whole.starts.push((whole.text.len(), number, column));
            let Some(part) = continued(text, escape) else {
                whole.text.push_str(text.trim_end());
                return Some(whole);
            };
            whole.text.push_str(part);
            line = loop {
                let Some((number, raw)) = self.physical() else {
                    return Some(whole);
                };
                let trimmed = raw.trim();
                // Comments do not end an instruction, and neither do empty lines.
                if !(trimmed.is_empty() || trimmed.starts_with('#')) {
                    break (raw, number, 1);
                }
            };
        }
    }
}

/// What is before the escape character at a line's end.
fn continued(line: &str, escape: char) -> Option<&str> {
    let part = line.trim_end().strip_suffix(escape)?;
    // An escaped escape character is one that stays.
    (!part.ends_with(escape)).then_some(part)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn number_of(text: &str) -> u32 {
    number(text.chars().count())
}

impl LogicalLine {
    /// Where the character at `offset` stands.
    pub(super) fn position(&self, offset: usize) -> Position {
        let index = self
            .starts
            .partition_point(|(start, ..)| *start <= offset)
            .saturating_sub(1);
        let (start, line, column) = self.starts[index];
        let before = self.text.get(start..offset).unwrap_or_default();
        Position {
            line,
            column: column + number_of(before),
        }
    }

    /// The place of a part of the text.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let last = self.position(end.saturating_sub(1).max(start));
        Span {
            file: Arc::clone(&self.file),
            start: self.position(start),
            end: Position {
                line: last.line,
                column: last.column + u32::from(end > start),
            },
        }
    }
}
