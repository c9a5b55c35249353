//! Diagnostics as a person reads them: message, place, the line itself, what to do.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use crate::{Diagnostic, Severity, Span};

/// Whether text carries terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// No escape sequences.
    Plain,
    /// ANSI colours.
    Ansi,
}

impl Palette {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Palette::Plain => text.to_owned(),
            Palette::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    /// Text that names something.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Text that is detail.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Text that says what failed.
    pub fn failure(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Text that asks for attention.
    pub fn attention(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    /// Text that says what went well.
    pub fn success(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Text in one of several colours that tell sources apart; `index` counts the sources.
    pub fn tint(self, index: usize, text: &str) -> String {
        const TINTS: [&str; 8] = ["36", "33", "32", "35", "34", "96", "93", "95"];
        self.paint(TINTS[index % TINTS.len()], text)
    }
}

/// Renders one diagnostic. `root` is the directory that relative spans are relative to; a file
/// that cannot be read any more costs only the quoted line.
pub fn render(diagnostic: &Diagnostic, root: &Path, palette: Palette) -> String {
    let word = format!("{}:", diagnostic.severity);
    let word = match diagnostic.severity {
        Severity::Error => palette.failure(&word),
        Severity::Warning => palette.attention(&word),
        Severity::Note => palette.bold(&word),
    };
    let mut text = format!("{word} {}\n", visible(&diagnostic.message));
    if let Some(span) = &diagnostic.span {
        quote(&mut text, diagnostic, span, root, palette);
    }
    for hint in &diagnostic.hints {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "hint: {}", visible(hint));
    }
    text
}

/// Text with a picture for each control character: a file or an argument must not be able to steer
/// the terminal it is quoted on.
fn visible(text: &str) -> Cow<'_, str> {
    let is_unseen = |character: char| character.is_control() && !matches!(character, '\t' | '\n');
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let picture = |character: char| match character {
        '\u{7f}' => '\u{2421}',
        '\0'..'\u{20}' if is_unseen(character) => {
            char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ if is_unseen(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    };
    Cow::Owned(text.chars().map(picture).collect())
}

fn quote(text: &mut String, diagnostic: &Diagnostic, span: &Span, root: &Path, palette: Palette) {
    let _ = writeln!(text, "  {} {span}", palette.dim("-->"));
    let Some(line) = source_line(&root.join(&span.file), span.start.line) else {
        return;
    };
    let number = span.start.line.to_string();
    let margin = " ".repeat(number.len());
    let bar = palette.dim("|");
    let before = span.start.column.saturating_sub(1) as usize;
    // A tab keeps its width, so that the marks stand under the text they mark.
    let indent: String = line
        .chars()
        .take(before)
        .map(|character| if character == '\t' { '\t' } else { ' ' })
        .collect();
    let marked = if span.end.line == span.start.line {
        span.end.column.saturating_sub(span.start.column) as usize
    } else {
        line.chars().count().saturating_sub(before)
    };
    let marks = palette.attention(&"^".repeat(marked.max(1)));
    let label = diagnostic.label.as_deref().unwrap_or_default();
    let _ = writeln!(text, " {margin} {bar}");
    let _ = writeln!(text, " {number} {bar} {}", visible(&line));
    let _ = writeln!(
        text,
        " {margin} {bar} {}",
        format!("{indent}{marks} {label}").trim_end()
    );
}

/// Longest line worth quoting, in characters: a minified file helps nobody.
const LONGEST_QUOTE: usize = 400;

fn source_line(path: &Path, line: u32) -> Option<String> {
    let content = fs_err::read(path).ok()?;
    let content = String::from_utf8_lossy(&content);
    let line = content.lines().nth(line.checked_sub(1)? as usize)?;
    (line.chars().count() <= LONGEST_QUOTE).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_quotes_the_line_and_marks_the_place() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(
            directory.path().join("compose.yaml"),
            "services:\n  - \"8000:8000\"\n",
        )
        .unwrap();
        let diagnostic = Diagnostic::error("port 127.0.0.1:8000 is taken by `python3` (pid 4121)")
            .at(Span::new(Path::new("compose.yaml"), 2, 5, 11))
            .label("published by service `backend`")
            .hint("free it");
        insta::assert_snapshot!(render(&diagnostic, directory.path(), Palette::Plain), @r#"
        error: port 127.0.0.1:8000 is taken by `python3` (pid 4121)
          --> compose.yaml:2:5
           |
         2 |   - "8000:8000"
           |     ^^^^^^^^^^^ published by service `backend`
        hint: free it
        "#);
    }

    #[test]
    fn nothing_quoted_steers_the_terminal() {
        let directory = tempfile::tempdir().unwrap();
        let line = "a: \u{1b}[2J\u{7}\u{9b}\u{7f}\tb\r\n";
        fs_err::write(directory.path().join("compose.yaml"), line).unwrap();
        let diagnostic = Diagnostic::error("odd `\u{1b}[1m`")
            .at(Span::new(Path::new("compose.yaml"), 1, 4, 1))
            .hint("no \u{8}");
        insta::assert_snapshot!(render(&diagnostic, directory.path(), Palette::Plain), @"
        error: odd `␛[1m`
          --> compose.yaml:1:4
           |
         1 | a: ␛[2J␇�␡	b
           |    ^
        hint: no ␈
        ");
    }

    #[test]
    fn a_file_that_is_gone_costs_only_the_quote() {
        let diagnostic = Diagnostic::warning("odd").at(Span::line(Path::new("gone.yaml"), 3));
        insta::assert_snapshot!(render(&diagnostic, Path::new("/nonexistent"), Palette::Plain), @r"
        warning: odd
          --> gone.yaml:3:1
        ");
    }
}
