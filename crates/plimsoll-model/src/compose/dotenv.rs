//! `.env` files, in the syntax that `docker compose` reads.
//!
//! One `NAME=value` a line, `export` before it if one likes. Single quotes keep text as it is,
//! double quotes know escapes, both may span lines; unquoted values end at ` #`. Variables are
//! filled in everywhere but in single quotes. A name alone takes the caller's value.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};

use super::template::{self, Lookup};

/// Reads `text` into `values`. `outer` is asked before `values` when a variable is filled in.
pub(super) fn parse(
    text: &str,
    file: &Arc<Path>,
    values: &mut BTreeMap<String, String>,
    outer: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Diagnostic> {
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n");
    let mut reader = Reader {
        text: &text,
        at: 0,
        file,
    };
    while reader.skip_to_statement() {
        reader.statement(values, outer)?;
    }
    Ok(())
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    file: &'t Arc<Path>,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn place(&self, offset: usize) -> Option<Span> {
        let before = &self.text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |line| line.chars().count())
            + 1;
        Some(Span::new(
            Arc::clone(self.file),
            u32::try_from(line).unwrap_or(u32::MAX),
            u32::try_from(column).unwrap_or(u32::MAX),
            1,
        ))
    }

    /// Skips blank lines and comments; `false` at the end.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let rest = self.rest();
            if rest.is_empty() {
                return false;
            }
            if !rest.starts_with('#') {
                return true;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn statement(
        &mut self,
        values: &mut BTreeMap<String, String>,
        outer: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), Diagnostic> {
        if let Some(rest) = self.rest().strip_prefix("export") {
            let trimmed = rest.trim_start();
            if trimmed.len() < rest.len() {
                self.at += "export".len() + rest.len() - trimmed.len();
            }
        }
        let start = self.at;
        let rest = self.rest();
        let end = rest.find(['=', ':', '\n']);
        let name = &rest[..end.unwrap_or(rest.len())];
        if let Some((offset, odd)) = name.char_indices().find(|(_, character)| {
            !(character.is_alphanumeric() || is_blank(*character) || "_.-[]".contains(*character))
        }) {
            return Err(Diagnostic::error(format!(
                "unexpected character `{odd}` in a variable name"
            ))
            .at(self.place(start + offset))
            .hint("a line is NAME=value; put values with line ends into quotes"));
        }
        let name = name.trim_end();
        if name.is_empty() {
            return Err(Diagnostic::error("a variable without a name")
                .at(self.place(start))
                .hint("a line is NAME=value"));
        }
        if name.contains(' ') {
            return Err(
                Diagnostic::error(format!("variable name `{name}` contains a space"))
                    .at(self.place(start)),
            );
        }
        // A name alone on its line is taken from the caller.
        let Some(end) = end.filter(|&end| !rest[end..].starts_with('\n')) else {
            self.at += end.map_or(rest.len(), |end| end + 1);
            if let Some(value) = outer(name) {
                values.insert(name.to_owned(), value);
            }
            return Ok(());
        };
        self.at += end + 1;
        let after = self.rest();
        self.at += after.len() - after.trim_start_matches(is_blank).len();
        let value = self.value(values, outer)?;
        values.insert(name.to_owned(), value);
        Ok(())
    }

    fn value(
        &mut self,
        values: &BTreeMap<String, String>,
        outer: &dyn Fn(&str) -> Option<String>,
    ) -> Result<String, Diagnostic> {
        let start = self.at;
        let rest = self.rest();
        let quote = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            _ => {
                let line = rest.split('\n').next().unwrap_or(rest);
                self.at += (line.len() + 1).min(rest.len());
                let value = line.split(" #").next().unwrap_or(line).trim_end();
                return self.fill(value, start, values, outer);
            }
        };
        let mut value = String::new();
        let mut escaped = false;
        for (offset, character) in rest.char_indices().skip(1) {
            if character == quote && !escaped {
                self.at += offset + 1;
                return if quote == '"' {
                    self.fill(&unescape(&value), start, values, outer)
                } else {
                    Ok(value)
                };
            }
            if character == '\\' && !escaped {
                escaped = true;
                continue;
            }
            if escaped && character != quote {
                value.push('\\');
            }
            escaped = false;
            value.push(character);
        }
        Err(Diagnostic::error("this quote is never closed").at(self.place(start)))
    }

    fn fill(
        &self,
        value: &str,
        offset: usize,
        values: &BTreeMap<String, String>,
        outer: &dyn Fn(&str) -> Option<String>,
    ) -> Result<String, Diagnostic> {
        struct Known<'k> {
            values: &'k BTreeMap<String, String>,
            outer: &'k dyn Fn(&str) -> Option<String>,
        }
        impl Lookup for Known<'_> {
            fn get(&self, name: &str) -> Option<String> {
                (self.outer)(name).or_else(|| self.values.get(name).cloned())
            }
            fn unset(&mut self, _: &str) {}
        }
        template::substitute(value, &mut Known { values, outer }).map_err(|error| {
            Diagnostic::error(error.to_string())
                .at(self.place(offset))
                .hint("write `$$` for a dollar, or put the value into single quotes")
        })
    }
}

fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}'
    )
}

fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(slash) = rest.find('\\') {
        text.push_str(&rest[..slash]);
        let after = &rest[slash + 1..];
        let mut taken = 1;
        match after.chars().next() {
            Some('a') => text.push('\u{7}'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('v') => text.push('\u{b}'),
            Some('"') => text.push('"'),
            Some('\\') => text.push('\\'),
            // A dollar that is filled in no more.
            Some('$') => text.push_str("$$"),
            // \0 and three octal digits; the zero is only a mark.
            Some('0') => {
                let digits = after[1..]
                    .bytes()
                    .take(3)
                    .take_while(|byte| (b'0'..=b'7').contains(byte))
                    .count();
                let code = (digits == 3)
                    .then(|| u32::from_str_radix(&after[1..4], 8).ok())
                    .flatten()
                    .and_then(char::from_u32);
                match code {
                    Some(character) => {
                        text.push(character);
                        taken = 4;
                    }
                    None => {
                        text.push('\\');
                        taken = 0;
                    }
                }
            }
            _ => {
                text.push('\\');
                taken = 0;
            }
        }
        rest = &after[taken..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
        let mut values = BTreeMap::new();
        let outer = |name: &str| (name == "OUTER").then(|| "from outside".to_owned());
        parse(text, &Arc::from(Path::new(".env")), &mut values, &outer)
            .map_err(|problem| problem.to_string())?;
        Ok(values)
    }

    #[test]
    fn a_variable_without_a_name_is_refused() {
        for text in [":", "=x\n", "A=1\nexport =2\n"] {
            assert!(read(text).unwrap_err().contains("without a name"), "{text}");
        }
    }

    #[test]
    fn the_usual_forms() {
        let values = read(concat!(
            "# comment\n",
            "export A=1\n",
            "B = spaced # comment\n",
            "C='single $A \\n'\n",
            "D=\"double ${A}\\n\\$A\"\n",
            "E=\"two\nlines\"\n",
            "F: yaml\n",
            "OUTER\n",
            "G=${OUTER}#kept\n",
            "H=\n",
            "I=\"a\\0101b\"\r\n",
            "J='it\\'s'",
        ))
        .unwrap();
        let expected = [
            ("A", "1"),
            ("B", "spaced"),
            ("C", "single $A \\n"),
            ("D", "double 1\n$A"),
            ("E", "two\nlines"),
            ("F", "yaml"),
            ("G", "from outside#kept"),
            ("H", ""),
            ("I", "aAb"),
            ("J", "it's"),
            ("OUTER", "from outside"),
        ];
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(values, expected);
    }

    #[test]
    fn errors_name_the_place() {
        assert_eq!(
            read("A=1\nB%C=2\n").unwrap_err(),
            ".env:2:2: unexpected character `%` in a variable name"
        );
        assert_eq!(
            read("A='x\ny").unwrap_err(),
            ".env:1:3: this quote is never closed"
        );
        assert_eq!(
            read("A=${B:?tell me}").unwrap_err(),
            ".env:1:3: required variable `B` is missing a value: tell me"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-Z=:'\"\\\\$#{}\n\r 0-7ntéexport]{0,60}") {
            let _ = read(&text);
        }

        #[test]
        fn single_quotes_keep_text(text in "[^'\\\\\r]{0,30}") {
            prop_assert_eq!(&read(&format!("A='{text}'")).unwrap()["A"], &text);
        }
    }
}
