//! A requirements file with exact versions, taken apart line by line.
//!
//! It says what uv is given to install; it resolves nothing.

use std::fmt;

/// Exact requirements, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pinned {
    entries: Vec<Entry>,
}

/// One requirement with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The distribution's normalised name; empty for an option or a path.
    pub name: String,
    /// The lines as they stand, hashes included.
    pub text: String,
}

impl Pinned {
    /// Reads a requirements file. Lines that end in a backslash belong together.
    pub(super) fn parse(text: &str) -> Self {
        let mut entries = Vec::new();
        let mut open = String::new();
        for line in text.lines() {
            if open.is_empty() && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
                continue;
            }
            open.push_str(line);
            if line.trim_end().ends_with('\\') {
                open.push('\n');
                continue;
            }
            entries.push(Entry::new(std::mem::take(&mut open)));
        }
        if !open.trim().is_empty() {
            entries.push(Entry::new(open));
        }
        Self { entries }
    }

    /// Takes out what `wanted` says.
    pub(super) fn take(&mut self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let (taken, kept) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| wanted(entry));
        self.entries = kept;
        taken
    }

    /// Adds one at the end.
    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            writeln!(formatter, "{}", entry.text)?;
        }
        Ok(())
    }
}

impl Entry {
    fn new(text: String) -> Self {
        let start = text.trim_start();
        let end = start
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(start.len());
        let name = match start.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            true => normalised(&start[..end]),
            false => String::new(),
        };
        Self { name, text }
    }

    /// Whether it comes out of a version control system.
    pub(super) fn is_git(&self) -> bool {
        self.text.contains("git+")
    }

    /// Whether it names a file or an address that is no wheel, so that it has to be built.
    pub(super) fn is_source_address(&self) -> bool {
        let Some((_, address)) = self.text.split_once(" @ ") else {
            return false;
        };
        let address = address
            .split([' ', '#', '\\', ';', '\n'])
            .next()
            .unwrap_or_default();
        self.is_git() || !address.ends_with(".whl")
    }

    /// `mmh3==4.1.0` without marker and hashes, for messages.
    pub(super) fn shown(&self) -> &str {
        let text = self.text.trim_start();
        let end = text.find([' ', ';', '\\']).unwrap_or(text.len());
        &text[..end]
    }
}

/// A distribution's name as indexes compare them.
pub(super) fn normalised(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.trim().chars() {
        if !matches!(character, '-' | '_' | '.') {
            text.extend(character.to_lowercase());
        } else if !text.ends_with('-') {
            text.push('-');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# made by a tool\nFoo_Bar==1.0 ; python_version > '3' \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nidna==3.7\n\ntool @ git+https://git.example/tool@abc\nwheel @ https://files.example/w-1-py3-none-any.whl#sha256=00\n";

    #[test]
    fn entries_keep_their_lines() {
        let pinned = Pinned::parse(TEXT);
        let names: Vec<&str> = pinned.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["foo-bar", "idna", "tool", "wheel"]);
        let first = pinned.iter().next().unwrap();
        assert_eq!(first.shown(), "Foo_Bar==1.0");
        assert!(first.text.ends_with("--hash=sha256:11"));
        assert_eq!(Pinned::parse(&pinned.to_string()), pinned);
    }

    #[test]
    fn what_must_be_built_is_known_by_its_address() {
        let mut pinned = Pinned::parse(TEXT);
        let sources = pinned.take(Entry::is_source_address);
        assert_eq!(sources.len(), 1);
        assert!(sources[0].is_git());
        assert_eq!(pinned.iter().count(), 3);
    }
}
