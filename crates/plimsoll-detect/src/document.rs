//! TOML and JSON as one kind of value that knows its places.

use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Position;
use toml::de::{DeTable, DeValue};
use tree_sitter::Node;

use crate::syntax::{DEPTH, Grammar, LONGEST_LINE, Place, Source, named_children};

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) value: Data,
    pub(crate) place: Place,
}

/// What a value holds.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    Text(String),
    List(Vec<Item>),
    Table(Vec<(String, Item)>),
    /// A whole number.
    Number(i64),
    Boolean(bool),
    /// Another number, a date, nothing.
    Other,
}

impl Item {
    /// Parses TOML; the error is the message and its place.
    pub(crate) fn toml(text: &str) -> Result<Self, (String, Place)> {
        let lines = Lines::of(text);
        match DeTable::parse(text) {
            Ok(table) => Ok(Self {
                place: lines.place(table.span()),
                value: toml_table(table.get_ref(), &lines),
            }),
            Err(error) => {
                let place = error
                    .span()
                    .map_or(Place::line(1), |span| lines.place(span));
                Err((error.message().to_owned(), place))
            }
        }
    }

    /// Parses JSON, comments allowed.
    pub(crate) fn json(path: &Arc<Path>, text: String) -> Option<Self> {
        let source = Source::parse(path.clone(), text, Grammar::Json)?;
        let value = named_children(source.root())
            .into_iter()
            .find(|node| node.kind() != "comment")?;
        Some(json_value(value, &source, 0))
    }

    /// The value under a path of keys.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Item> {
        path.iter().try_fold(self, |item, key| {
            let Data::Table(entries) = &item.value else {
                return None;
            };
            entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value)
        })
    }

    /// The text under a path of keys.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        self.get(path)?.as_text()
    }

    /// The value, if it is text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text or the number, as text.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Data::Text(text) => Some(text.clone()),
            Data::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The number, be it written as text.
    pub(crate) fn port(&self) -> Option<u16> {
        self.scalar_text()?.trim().parse().ok()
    }

    /// Whether it is a plain yes.
    pub(crate) fn is_true(&self) -> bool {
        matches!(self.value, Data::Boolean(true))
    }

    /// The entries, if it is a list.
    pub(crate) fn list(&self) -> &[Item] {
        match &self.value {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// The texts of a list under a path of keys.
    pub(crate) fn texts(&self, path: &[&str]) -> Vec<&str> {
        self.get(path)
            .map(|item| item.list().iter().filter_map(Item::as_text).collect())
            .unwrap_or_default()
    }

    /// The entries, if it is a table.
    pub(crate) fn table(&self) -> &[(String, Item)] {
        match &self.value {
            Data::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The entries of the table under a path of keys.
    pub(crate) fn entries(&self, path: &[&str]) -> &[(String, Item)] {
        self.get(path).map(Item::table).unwrap_or_default()
    }
}

fn toml_table(table: &DeTable<'_>, lines: &Lines<'_>) -> Data {
    Data::Table(
        table
            .iter()
            .map(|(key, value)| {
                let item = Item {
                    value: toml_value(value.get_ref(), lines),
                    place: lines.place(value.span()),
                };
                (key.get_ref().to_string(), item)
            })
            .collect(),
    )
}

fn toml_value(value: &DeValue<'_>, lines: &Lines<'_>) -> Data {
    match value {
        DeValue::String(text) => Data::Text(text.to_string()),
        DeValue::Array(items) => Data::List(
            items
                .iter()
                .map(|item| Item {
                    value: toml_value(item.get_ref(), lines),
                    place: lines.place(item.span()),
                })
                .collect(),
        ),
        DeValue::Table(table) => toml_table(table, lines),
        DeValue::Integer(number) => number.to_string().parse().map_or(Data::Other, Data::Number),
        DeValue::Boolean(value) => Data::Boolean(*value),
        DeValue::Float(_) | DeValue::Datetime(_) => Data::Other,
    }
}

fn json_value(node: Node<'_>, source: &Source, depth: usize) -> Item {
    let value = match node.kind() {
        _ if depth > DEPTH => Data::Other,
        "string" => Data::Text(json_text(node, source)),
        "array" => Data::List(
            named_children(node)
                .into_iter()
                .filter(|node| node.kind() != "comment")
                .map(|node| json_value(node, source, depth + 1))
                .collect(),
        ),
        "object" => Data::Table(
            named_children(node)
                .into_iter()
                .filter_map(|pair| {
                    let key = pair.child_by_field_name("key")?;
                    let value = pair.child_by_field_name("value")?;
                    Some((json_text(key, source), json_value(value, source, depth + 1)))
                })
                .collect(),
        ),
        "number" => source
            .text_of(node)
            .parse()
            .map_or(Data::Other, Data::Number),
        "true" => Data::Boolean(true),
        "false" => Data::Boolean(false),
        _ => Data::Other,
    };
    Item {
        value,
        place: source.place(node),
    }
}

fn json_text(node: Node<'_>, source: &Source) -> String {
    let quoted = source.text_of(node);
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(quoted);
    // Names and commands carry no escapes but these.
    inner
        .replace("\\\"", "\"")
        .replace("\\/", "/")
        .replace("\\\\", "\\")
}

/// Where lines start, to turn offsets into places.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(index, _)| index + 1))
            .collect();
        Self { text, starts }
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        let column = if before.len() > LONGEST_LINE {
            before.len()
        } else {
            before.chars().count()
        };
        Position {
            line: line as u32,
            column: column as u32 + 1,
        }
    }

    fn place(&self, range: std::ops::Range<usize>) -> Place {
        Place {
            start: self.position(range.start),
            end: self.position(range.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_knows_its_places() {
        let item = Item::toml("[project]\nname = \"a\"\ndeps = [\n  \"x\",\n]\n").unwrap();
        assert_eq!(item.text(&["project", "name"]), Some("a"));
        let dependency = &item.get(&["project", "deps"]).unwrap().list()[0];
        assert_eq!(dependency.place.start, Position { line: 4, column: 3 });
    }

    #[test]
    fn json_with_comments_knows_its_places() {
        let path = Arc::from(Path::new("package.json"));
        let item = Item::json(&path, "{ // c\n  \"a\": [true, \"b\\\"c\"]\n}".to_owned()).unwrap();
        let list = item.get(&["a"]).unwrap();
        assert_eq!(list.place.start, Position { line: 2, column: 8 });
        assert_eq!(list.list()[1].as_text(), Some("b\"c"));
    }
}
