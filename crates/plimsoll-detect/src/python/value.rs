//! What an expression says, as far as detection needs to know.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::syntax::Place;

/// An expression. What is not understood is [`Value::Other`], never guessed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    /// A number with a point, as written.
    Decimal(String),
    Boolean(bool),
    None,
    /// A dotted name as written: `settings.port`.
    Name(String),
    Call(Box<Call>),
    /// An attribute of something that is no plain name: `FastMCP("x").run`.
    Attribute(Box<Value>, String),
    Subscript(Box<Value>, Box<Value>),
    List(Vec<Value>),
    Table(Vec<(Value, Value)>),
    /// One of several: `a or b`, `a if c else b`.
    Either(Vec<Value>),
    /// Texts and values joined: an f-string, `a + b`.
    Joined(Vec<Value>),
    Other,
}

/// The keyword of a table that a call spreads: `**options`.
pub(crate) const SPREAD: &str = "**";

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) function: Value,
    pub(crate) arguments: Vec<Value>,
    pub(crate) keywords: Vec<(String, Value)>,
    pub(crate) place: Place,
    #[serde(skip)]
    pub(crate) full_name: FullName,
}

/// The full name of what is called, put together when it is first asked for: every finder asks, for every service. It
/// follows from the file that the call stands in, so that two calls are not told apart by it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FullName(OnceLock<Option<Box<str>>>);

impl FullName {
    /// `name`, as `qualify` says it in full; that is often the same.
    pub(crate) fn of<'n>(&'n self, name: &'n str, qualify: impl FnOnce() -> String) -> &'n str {
        let full = self.0.get_or_init(|| {
            let full = qualify();
            (full != name).then(|| full.into_boxed_str())
        });
        full.as_deref().unwrap_or(name)
    }
}

impl PartialEq for FullName {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Call {
    /// The keyword argument `name`.
    pub(crate) fn keyword(&self, name: &str) -> Option<&Value> {
        self.keywords
            .iter()
            .find(|(keyword, _)| keyword == name)
            .map(|(_, value)| value)
    }

    /// The argument at `index`, or the keyword argument `name`.
    pub(crate) fn argument(&self, index: usize, name: &str) -> Option<&Value> {
        self.keyword(name).or_else(|| self.arguments.get(index))
    }

    /// The last part of the function's name: `run` of `uvicorn.run`.
    pub(crate) fn method(&self) -> Option<&str> {
        match &self.function {
            Value::Name(name) => Some(last_part(name)),
            Value::Attribute(_, name) => Some(name),
            _ => None,
        }
    }

    /// What the method is called on, as a dotted name: `uvicorn` of `uvicorn.run`.
    pub(crate) fn receiver(&self) -> Option<&str> {
        match &self.function {
            Value::Name(name) => name.rsplit_once('.').map(|(receiver, _)| receiver),
            _ => None,
        }
    }
}

/// The last part of a dotted name. Asked of every call of a program many times over.
pub(crate) fn last_part(name: &str) -> &str {
    let dot = name.bytes().rposition(|byte| byte == b'.');
    dot.map_or(name, |dot| &name[dot + 1..])
}

impl Value {
    /// The text, if it is a plain one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The dotted name, if it is one.
    pub(crate) fn as_name(&self) -> Option<&str> {
        match self {
            Value::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The call, if it is one.
    pub(crate) fn as_call(&self) -> Option<&Call> {
        match self {
            Value::Call(call) => Some(call),
            _ => None,
        }
    }

    /// The last part of a name, a call's function or a subscript's base: `Optional` of
    /// `typing.Optional[str]`.
    pub(crate) fn last_name(&self) -> Option<&str> {
        match self {
            Value::Name(name) => Some(last_part(name)),
            Value::Attribute(_, name) => Some(name),
            Value::Subscript(base, _) => base.last_name(),
            Value::Call(call) => call.method(),
            _ => None,
        }
    }

    /// Every value inside, itself first.
    pub(crate) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        visit(self);
        match self {
            Value::Call(call) => {
                call.function.walk(visit);
                call.arguments.iter().for_each(|value| value.walk(visit));
                call.keywords
                    .iter()
                    .for_each(|(_, value)| value.walk(visit));
            }
            Value::Attribute(base, _) => base.walk(visit),
            Value::Subscript(base, index) => {
                base.walk(visit);
                index.walk(visit);
            }
            Value::List(items) | Value::Either(items) | Value::Joined(items) => {
                items.iter().for_each(|value| value.walk(visit));
            }
            Value::Table(entries) => entries.iter().for_each(|(key, value)| {
                key.walk(visit);
                value.walk(visit);
            }),
            _ => {}
        }
    }
}
