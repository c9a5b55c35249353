//! Programs that work again and again until they are stopped: loops that nothing in them ends.

use std::path::Path;

use plimsoll_diag::Span;
use tree_sitter::Node;

use super::facts::FileFacts;
use super::startup::{Moment, moment, names};
use crate::syntax::Source;

/// Libraries that talk with whoever sits before a terminal: a loop around them waits for a person.
const TERMINALS: &[&str] = &[
    "readline",
    "readline/promises",
    "node:readline",
    "node:readline/promises",
    "inquirer",
    "@inquirer/prompts",
    "@clack/prompts",
    "prompts",
    "enquirer",
    "ink",
    "blessed",
];

/// Words of a pause between two turns.
const PAUSES: &[&str] = &["sleep(", "delay(", "wait(", "setTimeout", "Bun.sleep"];

/// Notes a loop that goes on until the program is stopped.
pub(super) fn looped(source: &Source, node: Node<'_>, facts: &mut FileFacts) {
    let Some(body) = node.child_by_field_name("body") else {
        return;
    };
    let body = source.text_of(body);
    let pauses = PAUSES.iter().any(|word| body.contains(word));
    let condition = node
        .child_by_field_name("condition")
        .map_or("", |condition| source.text_of(condition));
    let condition = condition.trim_matches(['(', ')', ';', ' ']);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.' | '!');
    let endless = match (node.kind(), condition) {
        ("for_statement", "") | ("while_statement", "true" | "1") => true,
        // `while (!stopping)`, `while (this.running)`
        ("while_statement", condition) => pauses && condition.chars().all(plain),
        _ => false,
    };
    let ends = ["break", "return"].iter().any(|word| body.contains(word));
    if endless && body.contains("await ") && (pauses || !ends) {
        let span = source.place(node).in_file(source.path.clone());
        facts.endless.push((moment(source, node), span));
    }
}

/// Where a program works again and again that reaches these files.
pub(super) fn place(reached: &[(&Path, &FileFacts)]) -> Option<Span> {
    let modules = || reached.iter().flat_map(|(_, facts)| &facts.imports);
    let mut loops = reached.iter().flat_map(|(_, facts)| &facts.endless);
    loops.next()?;
    if modules().any(|(module, _)| TERMINALS.contains(&module.as_str())) {
        return None;
    }
    let running = names(reached.iter().copied());
    let mut loops = reached.iter().flat_map(|(_, facts)| &facts.endless);
    let found = loops.find(|(moment, _)| match moment {
        Moment::Load => true,
        Moment::In(name) => running.contains(name),
        Moment::Later => false,
    });
    found.map(|(_, span)| span.clone())
}
