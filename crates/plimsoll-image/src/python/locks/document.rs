//! TOML of lock files and manifests, with the line on which something stands.

use toml::{Table, Value};

use super::File;
use crate::python::PythonError;

impl File<'_> {
    /// The file as TOML.
    pub(super) fn toml(&self) -> Result<Table, PythonError> {
        self.text.parse::<Table>().map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.problem(
                self.line_at(at),
                format!("this is no TOML: {}", error.message()),
                "make the lock file anew with its own tool, or take it from version control",
            )
        })
    }

    /// The line of a byte.
    pub(super) fn line_at(&self, at: usize) -> u32 {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The line on which a name first stands as a key or as a text.
    pub(super) fn line_of(&self, name: &str) -> u32 {
        let found = self.text.lines().position(|line| {
            let line = line.trim_start().trim_start_matches(['"', '\'']);
            crate::python::pinned::normalised(
                line.split(['=', '<', '>', '~', '!', ' ', '"', '\'', '[', ';'])
                    .next()
                    .unwrap_or_default(),
            ) == name
        });
        found.map_or(1, |index| u32::try_from(index + 1).unwrap_or(u32::MAX))
    }
}

/// A text below a table.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

/// Texts of an array below a table.
pub(super) fn texts<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// Something deep in a document.
pub(super) fn below<'v>(table: &'v Table, path: &[&str]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(table.get(*first)?, |value, key| value.get(key))
}
