//! Places in files, and values that know theirs.

use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize};

/// A place in a text file. Lines and columns count from 1; a column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A range of text in one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file, as it should be shown: relative to the project where it lies inside it.
    pub file: Arc<Path>,
    /// First character of the range.
    pub start: Position,
    /// One past the last character of the range.
    pub end: Position,
}

impl Span {
    /// A range of `length` characters on one line.
    pub fn new(file: impl Into<Arc<Path>>, line: u32, column: u32, length: u32) -> Self {
        let start = Position { line, column };
        let end = Position {
            line,
            column: column + length,
        };
        Self {
            file: file.into(),
            start,
            end,
        }
    }

    /// The start of a whole line.
    pub fn line(file: impl Into<Arc<Path>>, line: u32) -> Self {
        Self::new(file, line, 1, 0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.start;
        write!(formatter, "{}:{line}:{column}", self.file.display())
    }
}

/// A value and the place it was read from; no place means that no file states it.
///
/// Equality and order look at the value alone, so that two spellings of one fact compare equal. People
/// are shown the value alone; what is kept for a program to read back has its place, too.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Spanned<T> {
    /// The value itself.
    pub value: T,
    /// Where the value stands.
    pub span: Option<Span>,
}

impl<T> Spanned<T> {
    /// A value read at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self {
            value,
            span: Some(span),
        }
    }

    /// A value that no file states: a default, or one made by the program.
    pub fn unplaced(value: T) -> Self {
        Self { value, span: None }
    }

    /// Applies `change` to the value and keeps its place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: change(self.value),
            span: self.span,
        }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: PartialOrd> PartialOrd for Spanned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Spanned<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return self.value.serialize(serializer);
        }
        let mut whole = serializer.serialize_struct("Spanned", 2)?;
        whole.serialize_field("value", &self.value)?;
        whole.serialize_field("span", &self.span)?;
        whole.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_shows_as_an_editor_reads_it() {
        assert_eq!(
            Span::new(Path::new("compose.yaml"), 18, 9, 11).to_string(),
            "compose.yaml:18:9"
        );
    }

    #[test]
    fn spanned_values_compare_by_value() {
        let here = Spanned::new(1, Span::line(Path::new("a"), 1));
        assert_eq!(here, Spanned::unplaced(1));
        assert!(here < Spanned::unplaced(2));
    }
}
