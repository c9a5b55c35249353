//! Nodes of the tree.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};

use indexmap::IndexMap;
use plimsoll_diag::Span;

use super::number::show_float;

/// One value of a document and its place.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands; `None` when the program made it.
    pub span: Option<Span>,
    /// A tag that changes how files are merged.
    pub tag: Option<Tag>,
    /// What is written behind a scalar as a comment; nothing that is read has one.
    pub comment: Option<Box<str>>,
}

/// A tag that changes how files are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// `!reset`: what earlier files said is forgotten.
    Reset,
    /// `!override`: what earlier files said is replaced instead of merged.
    Override,
}

/// What a node holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value {
    /// Nothing, or `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// Equality looks at values alone: two spellings of one document are equal.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Node {
    /// A node that the program made.
    pub fn made(value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
            span: None,
            tag: None,
            comment: None,
        }
    }

    /// The node with a comment behind it.
    #[must_use]
    pub fn commented(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into().into_boxed_str());
        self
    }

    /// A value that stands in for what was written at `span`.
    pub fn at(value: impl Into<Value>, span: Option<Span>) -> Self {
        Self {
            value: value.into(),
            span,
            tag: None,
            comment: None,
        }
    }

    /// The text, when it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The mapping, when it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, to change it, when it is one.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The sequence, when it is one.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The sequence, to change it, when it is one.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The value under `key`, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// The value at the end of a chain of keys.
    pub fn find(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// What kind of value it is, with its article: "a mapping".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// How a scalar reads as text; `None` for sequences, mappings and nothing.
    pub fn scalar_text(&self) -> Option<String> {
        Some(match &self.value {
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => show_float(*value),
            Value::Text(value) => value.clone(),
            Value::Null | Value::List(_) | Value::Map(_) => return None,
        })
    }

    /// The tree without places, as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            // JSON has one kind of number: 2.0 is printed as 2.
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
                (*value as i64).into()
            }
            Value::Float(value) => serde_json::Number::from_f64(*value)
                .map_or_else(|| show_float(*value).into(), Into::into),
            Value::Text(value) => value.clone().into(),
            Value::List(list) => list.iter().map(Node::to_json).collect(),
            Value::Map(map) => map
                .iter()
                .map(|(key, node)| (key.text.clone(), node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<Vec<Node>> for Value {
    fn from(value: Vec<Node>) -> Self {
        Value::List(value)
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Value::Map(value)
    }
}

/// A key of a mapping and its place. Keys are equal when their texts are.
#[derive(Clone)]
pub struct Key {
    /// The key itself.
    pub text: String,
    /// Where it stands.
    pub span: Option<Span>,
}

impl Key {
    /// A key that the program made.
    pub fn made(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            span: None,
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::made(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::made(text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.text
    }
}

/// A mapping in the order it was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map(IndexMap<Key, Node>);

impl Map {
    /// A mapping without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.0.get(key)
    }

    /// The value under `key`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.get_mut(key)
    }

    /// The key as it was written, with its place.
    pub fn key(&self, key: &str) -> Option<&Key> {
        self.0.get_key_value(key).map(|(key, _)| key)
    }

    /// Whether there is an entry for `key`, be it `null`.
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Sets a value. The key of an entry that was there keeps its place in file and order.
    pub fn insert(&mut self, key: impl Into<Key>, node: Node) -> Option<Node> {
        self.0.insert(key.into(), node)
    }

    /// The value under `key`; a new one is inserted first where there is none.
    pub fn entry_or(&mut self, key: &str, make: impl FnOnce() -> Node) -> &mut Node {
        self.0.entry(Key::made(key)).or_insert_with(make)
    }

    /// Takes an entry out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.0.shift_remove(key)
    }

    /// Keeps the entries that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&Key, &mut Node) -> bool) {
        self.0.retain(|key, node| keep(key, node));
    }

    /// Entries in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Node)> + ExactSizeIterator {
        self.0.iter()
    }

    /// Entries in order, to change the values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Node)> {
        self.0.iter_mut()
    }

    /// Orders the entries by what `order` makes of their keys; equal ones stay in order.
    pub fn sort_by_key<O: Ord>(&mut self, order: impl Fn(&Key) -> O) {
        self.0
            .sort_by(|left, _, right, _| order(left).cmp(&order(right)));
    }

    /// Orders the entries by key.
    pub fn sort(&mut self) {
        self.0
            .sort_by(|left, _, right, _| left.text.cmp(&right.text));
    }
}

impl IntoIterator for Map {
    type Item = (Key, Node);
    type IntoIter = indexmap::map::IntoIter<Key, Node>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(Key, Node)> for Map {
    fn from_iter<I: IntoIterator<Item = (Key, Node)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
