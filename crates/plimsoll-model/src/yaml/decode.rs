//! From bytes to text: which encodings a file may have, and which characters.
//!
//! YAML has UTF-8 and, behind a byte order mark, UTF-16; nothing is guessed, and nothing that does
//! not fit is replaced.

use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};

/// The text of a file.
pub fn decode(bytes: Vec<u8>, file: &Arc<Path>) -> Result<String, Diagnostic> {
    match bytes.as_slice() {
        [0xff, 0xfe, units @ ..] => wide(units, u16::from_le_bytes, file),
        [0xfe, 0xff, units @ ..] => wide(units, u16::from_be_bytes, file),
        _ => utf8(bytes, file),
    }
}

/// The text of a file that can only be UTF-8.
pub(crate) fn utf8(bytes: Vec<u8>, file: &Arc<Path>) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        Diagnostic::error("not valid UTF-8")
            .at(Some(place_after(&before, file)))
            .hint("save the file as UTF-8")
    })
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16, file: &Arc<Path>) -> Result<String, Diagnostic> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
    match String::from_utf16(&units) {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(
            Diagnostic::error("not valid UTF-16, which its first bytes say it is")
                .at(Some(Span::line(Arc::clone(file), 1)))
                .hint("save the file as UTF-8"),
        ),
    }
}

/// Refuses the first character that no YAML text may hold as it is.
pub(super) fn refuse_control_characters(text: &str, file: &Arc<Path>) -> Result<(), Diagnostic> {
    // Most texts are told to have none by a look at their bytes.
    let is_suspect = |byte: u8| {
        (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r'))
            || matches!(byte, 0x7f | 0xc2 | 0xef)
    };
    if !text.bytes().any(is_suspect) {
        return Ok(());
    }
    match text
        .char_indices()
        .find(|(_, character)| is_control(*character))
    {
        None => Ok(()),
        Some((at, character)) => Err(Diagnostic::error(format!(
            "not valid YAML: a control character (U+{:04X})",
            u32::from(character)
        ))
        .at(Some(place_after(&text[..at], file)))
        .hint("remove it, or write it as an escape, such as \"\\x07\", in double quotes")),
    }
}

fn is_control(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        character => character.is_control(),
    }
}

/// Where the text after `before` begins.
fn place_after(before: &str, file: &Arc<Path>) -> Span {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default();
    Span::new(
        Arc::clone(file),
        number(line),
        number(column.chars().count() + 1),
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<Path> {
        Arc::from(Path::new("compose.yaml"))
    }

    fn wide_bytes(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf_16_is_read_where_it_is_marked() {
        let text = "a: \u{1f980}\n";
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            assert_eq!(decode(wide_bytes(text, bytes), &file()).unwrap(), text);
        }
        let mut odd = wide_bytes(text, u16::to_le_bytes);
        odd.pop();
        insta::assert_snapshot!(decode(odd, &file()).unwrap_err(), @"compose.yaml:1:1: not valid UTF-16, which its first bytes say it is");
    }

    #[test]
    fn what_is_no_text_has_a_place() {
        let problem = decode(b"a: 1\nb: caf\xe9\n".to_vec(), &file()).unwrap_err();
        insta::assert_snapshot!(problem, @"compose.yaml:2:7: not valid UTF-8");
        let problem = refuse_control_characters("a: 1\nb: \u{e9}\u{7}\n", &file()).unwrap_err();
        insta::assert_snapshot!(problem, @"compose.yaml:2:5: not valid YAML: a control character (U+0007)");
    }

    #[test]
    fn only_control_characters_are_refused() {
        for fine in [
            "\t\r\n", "\u{85}", "\u{2028}", "\u{feff}", "\u{e9}", "\u{ff01}",
        ] {
            assert!(refuse_control_characters(fine, &file()).is_ok(), "{fine:?}");
        }
        for wrong in [
            "\0", "\u{1b}", "\u{7f}", "\u{80}", "\u{9f}", "\u{fffe}", "\u{ffff}",
        ] {
            assert!(
                refuse_control_characters(wrong, &file()).is_err(),
                "{wrong:?}"
            );
        }
    }
}
