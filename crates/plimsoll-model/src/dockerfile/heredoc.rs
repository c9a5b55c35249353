//! Here-documents: which words open them, and the lines up to their end.

use super::instruction::Heredoc;
use super::logical_line::Lines;

/// A word that opens a here-document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) word: String,
    pub(super) name: String,
    pub(super) expands: bool,
    pub(super) strips_tabs: bool,
}

/// The openings in a line, outside of quotes.
pub(super) fn openings(line: &str, escape: char) -> Vec<Opening> {
    super::line_part::shell_words(line, escape)
        .into_iter()
        .filter_map(|(start, end)| opening(&line[start..end]))
        .collect()
}

/// Reads `3<<-"EOF"`.
pub(super) fn opening(word: &str) -> Option<Opening> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix("<<")?;
    let (strips_tabs, name) = match rest.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, rest),
    };
    // `<<<` is a shell's own.
    if name.contains('<') || name.is_empty() {
        return None;
    }
    let plain: String = name.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let valid = !plain.is_empty() && !plain.contains(char::is_whitespace);
    valid.then(|| Opening {
        word: word.to_owned(),
        expands: plain.len() == name.len(),
        name: plain,
        strips_tabs,
    })
}

/// Takes the lines of a here-document; `None` when its end is missing.
pub(super) fn take(lines: &mut Lines<'_>, opening: Opening) -> Option<Heredoc> {
    let mut content = String::new();
    loop {
        let (_, raw) = lines.physical()?;
        let line = match opening.strips_tabs {
            true => raw.trim_start_matches('\t'),
            false => raw,
        };
        if line.strip_suffix('\r').unwrap_or(line) == opening.name {
            return Some(Heredoc {
                name: opening.name,
                opening: opening.word,
                expands: opening.expands,
                content,
                strips_tabs: opening.strips_tabs,
            });
        }
        content.push_str(line);
        content.push('\n');
    }
}
