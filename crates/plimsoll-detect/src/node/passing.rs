//! Listening that is over soon, and listening that is none of the network's: a program asks whether a port is free, waits for
//! one answer of a browser, or has a method of that name for something else.

use tree_sitter::Node;

use crate::syntax::{Source, named_children};

/// What a server is called in the names of those that have one.
const SERVERS: &[&str] = &[
    "app", "server", "fastify", "http", "io", "wss", "hono", "express",
];

/// Whether a call that looks as if it listened serves nobody.
pub(super) fn serves_nobody(source: &Source, call: Node<'_>) -> bool {
    let arguments = call
        .child_by_field_name("arguments")
        .map(named_children)
        .unwrap_or_default();
    match arguments.first() {
        // Whoever listens on any port at all tells nobody where.
        Some(first) => source.text_of(*first) == "0" || closes_again(source, call),
        None => !is_of_server(source, call),
    }
}

/// Whether what a method is called on is called a server.
fn is_of_server(source: &Source, call: Node<'_>) -> bool {
    let object = call
        .child_by_field_name("function")
        .and_then(|function| function.child_by_field_name("object"));
    object.is_none_or(|object| {
        let text = source.text_of(object).to_ascii_lowercase();
        let last = text.rsplit('.').next().unwrap_or(&text);
        SERVERS.iter().any(|name| last.contains(name)) || last.contains('(')
    })
}

/// Whether it stands in a promise that closes the server and gives a value: `new Promise((resolve) => { … server.close(); resolve(token); … })`.
/// What is closed when the program ends is another matter.
fn closes_again(source: &Source, call: Node<'_>) -> bool {
    let mut around = std::iter::successors(call.parent(), |node| node.parent());
    let promise = around.find(|node| {
        node.kind() == "new_expression"
            && node
                .child_by_field_name("constructor")
                .is_some_and(|made| source.text_of(made) == "Promise")
    });
    promise.is_some_and(|promise| {
        let text = source.text_of(promise);
        let ends = ["SIGTERM", "SIGINT", "process.exit"];
        text.contains(".close(") && !ends.iter().any(|word| text.contains(word))
    })
}
