//! Addresses of this machine that code calls: other services of the project, as a developer starts them.

use std::sync::Arc;

use plimsoll_diag::Span;

use crate::found::FoundVariable;
use crate::places;
use crate::python::environment::read_of;
use crate::python::module::{Module, Moment};
use crate::python::value::{Call, Value};

/// An address of this machine that a service calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) port: u16,
    /// The address as it is written.
    pub(crate) address: String,
    /// The variable that changes it.
    pub(crate) variable: Option<String>,
    pub(crate) span: Span,
}

/// Methods whose arguments are only shown.
const SHOWN: &[&str] = &[
    "print",
    "info",
    "debug",
    "warning",
    "error",
    "exception",
    "log",
    "echo",
    "add_argument",
    "write",
    "markdown",
    "Field",
    "text_input",
];

/// The peers of a service: by its variables, and fixed in its files.
pub(crate) fn peers(modules: &[Arc<Module>], variables: &[FoundVariable]) -> Vec<Peer> {
    let mut found: Vec<Peer> = Vec::new();
    for variable in variables {
        if let Some(default) = variable.default.as_deref()
            && let Some(port) = local_port(default)
            && !default.contains(',')
            && !is_origin(&variable.name)
        {
            found.push(Peer {
                port,
                address: default.to_owned(),
                variable: Some(variable.name.clone()),
                span: variable.span.clone(),
            });
        }
    }
    let by_variable: Vec<u16> = found.iter().map(|peer| peer.port).collect();
    for module in modules {
        if places::set_aside(&module.path).is_none() {
            fixed(module, &by_variable, &mut found);
        }
    }
    found
}

fn fixed(module: &Module, by_variable: &[u16], found: &mut Vec<Peer>) {
    let mut note = |value: &Value, span: Span| {
        value.walk(&mut |value| {
            let Some(text) = written(value) else {
                return;
            };
            if let Some(port) = local_port(text)
                && !by_variable.contains(&port)
                && !found
                    .iter()
                    .any(|peer| peer.port == port && peer.variable.is_none())
            {
                found.push(Peer {
                    port,
                    address: text.to_owned(),
                    variable: None,
                    span: span.clone(),
                });
            }
        });
    };
    for placed in &module.calls {
        if placed.scope.main || placed.scope.moment == Moment::Never {
            continue;
        }
        let keywords = placed.call.keywords.iter();
        let named = keywords.map(|(name, value)| (name.as_str(), value));
        let values = named.chain(placed.call.arguments.iter().map(|value| ("", value)));
        // Calls inside are looked at by themselves.
        let mut values = values
            .filter(|(_, value)| !matches!(value, Value::Call(_)) && names_one(value))
            .filter(|(name, _)| !is_origin(name) && *name != "default")
            .peekable();
        if values.peek().is_none() || is_aside(&placed.call, module) {
            continue;
        }
        let span = module.span(placed.call.place);
        for (_, value) in values {
            note(value, span.clone());
        }
    }
    for binding in &module.bindings {
        if let Some(value) = &binding.value
            && !binding.scope.main
            && !matches!(value, Value::Call(_) | Value::Either(_))
            && names_one(value)
            && !is_origin(&binding.target)
        {
            note(value, module.span(binding.place));
        }
    }
}

/// A text, or what one that is put together begins with.
fn written(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Joined(parts) => parts.first()?.as_text(),
        _ => None,
    }
}

/// Whether an address of this machine is among what a value holds.
fn names_one(value: &Value) -> bool {
    let mut found = false;
    value.walk(&mut |value| found |= written(value).and_then(local_port).is_some());
    found
}

/// Whether a call shows its arguments, reads a variable, or says who may call.
fn is_aside(call: &Call, module: &Module) -> bool {
    let method = call.method().unwrap_or_default();
    SHOWN.contains(&method)
        || method.contains("Middleware")
        || method == "CORS"
        || read_of(call, module).is_some()
}

fn is_origin(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    [
        "ORIGIN", "CORS", "REFERER", "CALLBACK", "REDIRECT", "ALLOWED", "FRONTEND", "PUBLIC",
    ]
    .iter()
    .any(|word| upper.contains(word))
}

/// `8000` of `http://localhost:8000/x`.
pub(crate) fn local_port(text: &str) -> Option<u16> {
    // Nearly every text of a program comes by here.
    if !text.starts_with("http") && !text.starts_with("ws") {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    if !matches!(scheme, "http" | "https" | "ws" | "wss") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = authority.rsplit_once(':')?;
    let local = matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0");
    local.then(|| port.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_count() {
        assert_eq!(local_port("http://localhost:8000/x"), Some(8000));
        assert_eq!(local_port("ws://127.0.0.1:9"), Some(9));
        assert_eq!(local_port("http://api:8000"), None);
        assert_eq!(local_port("redis://localhost:6379"), None);
        assert_eq!(local_port("http://localhost"), None);
    }
}
