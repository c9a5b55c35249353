//! Blank space that the parser refuses and everybody accepts.
//!
//! Inside brackets, braces and quotes, indentation means nothing to a reader, yet the standard
//! wants it. Lines there are pushed to the right until the parser is content; places are told as
//! they stand in the file. Tabs behind the colon of a key, which the standard allows and the parser
//! does not, become as many spaces. Each push reads the text once more, so pushes are counted, and one that
//! changes nothing is none: what cannot be mended must end.

use std::collections::BTreeMap;

use saphyr_parser::ScanError;

/// Far enough to the right for any depth that is read.
const PUSH: usize = 300;

/// Lines pushed, and tabs replaced, in one file, at most.
const MOST: usize = 2_000;

/// Bytes read again for the sake of pushes, at most: a long file has fewer pushes.
const MOST_READ_AGAIN: usize = 16 << 20;

/// What the parser says of a tab behind a colon.
const TAB_BEHIND_COLON: &str = "':' must be followed by a valid YAML whitespace";

/// A text some of whose lines are pushed to the right.
pub(super) struct Pushed {
    pub(super) text: String,
    /// By line, from 1.
    lines: BTreeMap<usize, usize>,
    /// Places where tabs were replaced.
    replaced: usize,
    read_again: usize,
}

impl Pushed {
    /// A text as it is, but for the ends of lines: YAML has three and means the same by each, and
    /// all that counts lines here must count as the parser does.
    pub(super) fn new(text: &str) -> Self {
        let text = if text.contains('\r') {
            text.replace("\r\n", "\n").replace('\r', "\n")
        } else {
            text.to_owned()
        };
        Self {
            text,
            lines: BTreeMap::new(),
            replaced: 0,
            read_again: 0,
        }
    }

    /// Where a column of a line stands in the file.
    pub(super) fn column(&self, line: usize, column: usize) -> usize {
        column.saturating_sub(self.lines.get(&line).copied().unwrap_or(0))
    }

    /// Pushes the lines that `error` is about; `false` when it is about something else, or when
    /// nothing was left to push.
    pub(super) fn relax(&mut self, error: &ScanError) -> bool {
        let mark = error.marker();
        if error.info() == TAB_BEHIND_COLON {
            return self.replace_tabs_before(mark.line(), mark.col());
        }
        let lines = match error.info() {
            "invalid indentation" | "invalid indentation in flow construct" => {
                mark.line()..=mark.line()
            }
            "invalid indentation in quoted scalar" => {
                let last = self.last_line_of_quotes(mark.line(), mark.col());
                if last == mark.line() {
                    return false;
                }
                mark.line() + 1..=last
            }
            _ => return false,
        };
        // A line that was pushed already has another fault.
        if lines.clone().any(|line| self.lines.contains_key(&line))
            || self.lines.len() + lines.clone().count() > MOST
            || self.read_again > MOST_READ_AGAIN
        {
            return false;
        }
        let before = self.lines.len();
        let mut text = String::with_capacity(self.text.len() + PUSH);
        for (index, line) in self.text.split_inclusive('\n').enumerate() {
            if lines.contains(&(index + 1)) && !line.trim().is_empty() {
                text.extend(std::iter::repeat_n(' ', PUSH));
                self.lines.insert(index + 1, PUSH);
            }
            text.push_str(line);
        }
        self.text = text;
        self.read_again += self.text.len();
        self.lines.len() > before
    }

    /// Makes spaces of the tabs that end before a place; `false` when there are none.
    fn replace_tabs_before(&mut self, line: usize, column: usize) -> bool {
        if self.replaced >= MOST || self.read_again > MOST_READ_AGAIN {
            return false;
        }
        let start: usize = self
            .text
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let end: usize = self.text[start..]
            .chars()
            .take(column)
            .map(char::len_utf8)
            .sum::<usize>()
            + start;
        let tabs = self.text[start..end]
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\t')
            .count();
        self.text.replace_range(end - tabs..end, &" ".repeat(tabs));
        self.replaced += 1;
        self.read_again += self.text.len();
        tabs > 0
    }

    /// The line on which the quotes close that open at a place.
    fn last_line_of_quotes(&self, line: usize, column: usize) -> usize {
        let mut at = line;
        let rest = self
            .text
            .split_inclusive('\n')
            .skip(line - 1)
            .flat_map(str::chars)
            .skip(column);
        let mut quote = None;
        let mut escaped = false;
        for character in rest {
            if character == '\n' {
                at += 1;
            }
            match quote {
                None => quote = Some(character),
                Some('"') if escaped => escaped = false,
                Some('"') if character == '\\' => escaped = true,
                // A doubled single quote closes and opens: no harm is done in stopping early, the
                // parser then asks again.
                Some(open) if character == open => return at,
                Some(_) => {}
            }
        }
        at
    }
}
