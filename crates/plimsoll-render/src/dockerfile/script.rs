//! The text of a Dockerfile, instruction by instruction.

use std::fmt::Write as _;

/// A Dockerfile as it is written.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
}

impl Script {
    pub(super) fn new(header: &str) -> Self {
        Self {
            text: header.to_owned(),
        }
    }

    pub(super) fn text(self) -> String {
        self.text
    }

    /// A comment of one or more lines.
    pub(super) fn note(&mut self, text: &str) {
        for line in text.lines() {
            let line = format!("# {line}");
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    /// Begins a stage, after a line that says what it is for.
    pub(super) fn stage(&mut self, from: &str, name: &str, what: &str) {
        self.text.push('\n');
        self.note(what);
        let _ = writeln!(self.text, "FROM {from} AS {name}");
    }

    /// An instruction as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// `ENV`, one variable a line.
    pub(super) fn environment<'a>(
        &mut self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        self.pairs("ENV", variables);
    }

    /// `LABEL`, one label a line.
    pub(super) fn labels<'a>(&mut self, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.pairs("LABEL", labels);
    }

    fn pairs<'a>(&mut self, keyword: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={}", quoted(value)))
            .collect();
        if !pairs.is_empty() {
            let joined = pairs.join(" \\\n    ");
            let _ = writeln!(self.text, "{keyword} {joined}");
        }
    }

    /// `RUN` with mounts; commands are joined by `&&`.
    pub(super) fn run(&mut self, mounts: &[String], commands: &[String]) {
        let mut parts: Vec<String> = mounts
            .iter()
            .map(|mount| format!("--mount={mount}"))
            .collect();
        parts.push(commands.join(" \\\n    && "));
        let _ = writeln!(self.text, "RUN {}", parts.join(" \\\n    "));
    }

    /// `CMD`, `ENTRYPOINT` or the like in exec form.
    pub(super) fn exec(&mut self, keyword: &str, words: &[String]) {
        let _ = writeln!(self.text, "{keyword} {}", json_list(words));
    }
}

/// A list of words as JSON on one line.
pub(super) fn json_list(words: &[String]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| serde_json::Value::from(word.as_str()).to_string())
        .collect();
    format!("[{}]", words.join(", "))
}

/// A literal value of `ENV` or `LABEL`.
fn quoted(value: &str) -> String {
    if is_plain(value) {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    text
}

/// A word for a shell.
pub(super) fn word(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._:-+@%,=".contains(c);
    !text.is_empty() && text.chars().all(plain)
}
