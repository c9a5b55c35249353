//! How a server of the Model Context Protocol speaks unless it is told otherwise: what flags, variables and branches
//! choose between its standard input and HTTP.

use tree_sitter::Node;

use super::function::Function;
use super::package::{is_text, text};
use crate::syntax::{Source, named_children};

/// Options that turn a server of HTTP on.
const OVER_HTTP: &[&str] = &[
    "http",
    "sse",
    "streamable-http",
    "streamable_http",
    "http-mode",
];

/// `flag.String("transport", "stdio", "…")`, `getEnv("MCP_TRANSPORT", "stdio")`, `flag.Bool("http", false, "…")`.
pub(super) fn chooses_stdio(source: &Source, method: &str, arguments: &[Node<'_>]) -> bool {
    let texts = arguments.iter().filter(|node| is_text(**node));
    let texts: Vec<String> = texts.map(|node| text(source, *node)).collect();
    let named = |text: &String| {
        let lower = text.to_ascii_lowercase();
        lower == "t" || lower.ends_with("transport") || lower.ends_with("mode")
    };
    let usual = texts.iter().position(|text| text == "stdio");
    let off = arguments.iter().any(|node| node.kind() == "false");
    let turned_on = method.starts_with("Bool")
        && texts
            .first()
            .is_some_and(|name| OVER_HTTP.contains(&name.as_str()));
    turned_on && off || usual.is_some_and(|usual| texts[..usual].iter().any(named))
}

/// Whether a branch speaks over standard input and output.
fn is_quiet(branch: &str) -> bool {
    ["StdioTransport", "ServeStdio", "NewStdioServer", "Stdio("]
        .iter()
        .any(|word| branch.contains(word))
}

/// Whether something asked says how the server speaks.
fn is_about_transport(asked: &str) -> bool {
    let lower = asked.to_ascii_lowercase();
    ["transport", "mode", "http", "sse"]
        .iter()
        .any(|word| lower.contains(word))
}

/// `if overHTTP { … } else { server.ServeStdio(…) }`.
pub(super) fn branch(source: &Source, node: Node<'_>, function: &mut Function) {
    let part = |name| {
        node.child_by_field_name(name)
            .map_or("", |part| source.text_of(part))
    };
    let condition = part("condition");
    function.quiet |= is_about_transport(condition)
        && !condition.contains("stdio")
        && is_quiet(part("alternative"))
        && !is_quiet(part("consequence"));
}

/// `switch transport { case "http": …; default: server.ServeStdio(…) }`.
pub(super) fn cases(source: &Source, node: Node<'_>, function: &mut Function) {
    let value = node.child_by_field_name("value");
    let asked = value.map_or("", |value| source.text_of(value));
    let mut cases = named_children(node).into_iter();
    let default = cases.find(|case| case.kind() == "default_case");
    function.quiet |=
        is_about_transport(asked) && default.is_some_and(|case| is_quiet(source.text_of(case)));
}
