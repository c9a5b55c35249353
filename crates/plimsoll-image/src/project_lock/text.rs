//! The lock file's text: TOML with one table for each set of files that leaves versions open.

use serde::Deserialize;

/// How every file of ours begins.
const HEADER: &str = "# Versions that Plimsoll settled where this project's own files leave them open.\n\
     # Keep this file in version control. Remove it to settle everything anew.\n";

/// The format that is written, and the only one that is read.
const VERSION: i64 = 1;

/// What was settled for one set of files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settled {
    /// The files that leave versions open, relative to the project.
    pub files: Vec<String>,
    /// Requirements that no file states.
    #[serde(default)]
    pub undeclared: Vec<String>,
    /// Extras of the project that are wanted.
    #[serde(default)]
    pub extras: Vec<String>,
    /// Groups that are wanted besides the usual.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What the files say, as a digest.
    pub inputs: String,
    /// The interpreter it was settled for: `3.13`.
    pub python: String,
    /// The platform it was settled for: `linux/amd64`.
    pub platform: String,
    /// Versions published after this moment did not count.
    #[serde(default)]
    pub as_of: Option<String>,
    /// Directories of the project that are distributions themselves.
    #[serde(default)]
    pub members: Vec<String>,
    /// Exact requirements with hashes, line by line.
    pub requirements: String,
}

impl Settled {
    /// Whether it settles what another would.
    pub(super) fn is_for(&self, other: &Self) -> bool {
        self.inputs == other.inputs && self.is_in_place_of(other)
    }

    /// Whether it and another are about the same.
    fn is_in_place_of(&self, other: &Self) -> bool {
        self.files == other.files
            && self.platform == other.platform
            && self.undeclared == other.undeclared
            && self.extras == other.extras
            && self.groups == other.groups
    }

    /// `name==version` of everything settled.
    pub(super) fn packages(&self) -> impl Iterator<Item = String> {
        let starts = self.requirements.lines();
        starts
            .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()))
            .map(|line| {
                let end = line.find([' ', ';', '\\']).unwrap_or(line.len());
                line[..end].to_string()
            })
    }
}

/// Everything in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub entries: Vec<Settled>,
    /// Versions out of a damaged file, as a requirements file.
    pub salvaged: String,
}

/// Why a text is no lock file.
#[derive(Debug)]
pub(super) struct ReadError {
    pub line: u32,
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: i64,
    #[serde(default)]
    python: Vec<Settled>,
}

/// Whether Plimsoll wrote it.
pub(super) fn is_ours(text: &str) -> bool {
    HEADER
        .lines()
        .next()
        .is_some_and(|first| text.starts_with(first))
}

impl Content {
    pub(super) fn parse(text: &str) -> Result<Self, ReadError> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.as_bytes().get(..at).unwrap_or_default();
            let lines = before.iter().filter(|byte| **byte == b'\n').count();
            ReadError {
                line: u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1),
                reason: error.message().to_string(),
            }
        })?;
        if document.version != VERSION {
            let found = text.lines().position(|line| line.starts_with("version"));
            let line = u32::try_from(found.unwrap_or_default()).unwrap_or(u32::MAX);
            return Err(ReadError {
                line: line.saturating_add(1),
                reason: format!("version {} is not known here", document.version),
            });
        }
        Ok(Self {
            entries: document.python,
            salvaged: String::new(),
        })
    }

    /// What can still be read of a damaged file: the first version of each package.
    pub(super) fn salvaged(text: &str) -> Self {
        let mut known = std::collections::BTreeSet::new();
        let mut salvaged = String::new();
        for line in text.lines() {
            let Some((name, rest)) = line.split_once("==") else {
                continue;
            };
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let version = rest.split([' ', ';', '\\']).next().unwrap_or_default();
            let is_whole = !name.is_empty() && !version.is_empty() && name.chars().all(is_name);
            if is_whole && known.insert(name.to_string()) {
                salvaged.push_str(&format!("{name}=={version}\n"));
            }
        }
        Self {
            entries: Vec::new(),
            salvaged,
        }
    }

    /// Puts in what was settled, in place of what was settled for the same files as they were.
    pub(super) fn put(&mut self, settled: Settled) {
        self.entries.retain(|entry| {
            let is_of_before = entry.files == settled.files
                && entry.platform == settled.platform
                && entry.inputs != settled.inputs;
            !is_of_before && !entry.is_in_place_of(&settled)
        });
        self.entries.push(settled);
        self.entries.sort_by(|a, b| {
            let key = |entry: &Settled| {
                (
                    entry.files.clone(),
                    entry.undeclared.clone(),
                    entry.extras.clone(),
                    entry.groups.clone(),
                    entry.platform.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{HEADER}version = {VERSION}\n");
        for entry in &self.entries {
            text.push_str("\n[[python]]\n");
            let mut list = |name: &str, values: &[String]| {
                if !values.is_empty() {
                    let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                    text.push_str(&format!("{name} = [{}]\n", quoted.join(", ")));
                }
            };
            list("files", &entry.files);
            list("undeclared", &entry.undeclared);
            list("extras", &entry.extras);
            list("groups", &entry.groups);
            list("members", &entry.members);
            if entry.files.is_empty() {
                text.push_str("files = []\n");
            }
            let mut line = |name: &str, value: &str| {
                text.push_str(&format!("{name} = {}\n", quoted(value)));
            };
            line("inputs", &entry.inputs);
            line("python", &entry.python);
            line("platform", &entry.platform);
            if let Some(moment) = &entry.as_of {
                line("as-of", moment);
            }
            if entry.requirements.contains("'''") || entry.requirements.contains('\r') {
                line("requirements", &entry.requirements);
            } else {
                text.push_str(&format!("requirements = '''\n{}'''\n", entry.requirements));
            }
        }
        text
    }
}

/// A string of TOML, in single quotes where it can be.
fn quoted(value: &str) -> String {
    match value.contains('\'') || value.chars().any(char::is_control) {
        true => toml::Value::String(value.to_string()).to_string(),
        false => format!("'{value}'"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(any::<String>(), 0..3)
    }

    prop_compose! {
        fn settled()(
            files in texts(), undeclared in texts(), extras in texts(), groups in texts(), members in texts(),
            inputs in any::<String>(), python in any::<String>(), platform in any::<String>(),
            as_of in any::<Option<String>>(), requirements in any::<String>(),
        ) -> Settled {
            Settled { files, undeclared, extras, groups, inputs, python, platform, as_of, members, requirements }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(entries in proptest::collection::vec(settled(), 0..3)) {
            let content = Content { entries, salvaged: String::new() };
            prop_assert_eq!(Content::parse(&content.text()).unwrap(), content);
        }

        #[test]
        fn damage_is_an_error_with_a_line(text in any::<String>()) {
            let damaged = format!("{HEADER}{text}");
            match Content::parse(&damaged) {
                Ok(_) => {}
                Err(error) => prop_assert!(error.line >= 1),
            }
            Content::salvaged(&damaged);
        }
    }

    #[test]
    fn a_newer_format_is_told_with_its_line() {
        let error = Content::parse("# x\nversion = 2\n").unwrap_err();
        assert_eq!(
            (error.line, error.reason.as_str()),
            (2, "version 2 is not known here")
        );
    }
}
