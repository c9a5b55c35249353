//! Subcommands of a program: what each is called, what it runs, and which of them serves.

use tree_sitter::Node;

use super::function::Function;
use super::package::text;
use crate::claims::ImageClaim;
use crate::syntax::{Source, named_children};

/// Subcommands that start a server.
const SERVES: &[&str] = &[
    "serve", "server", "start", "run", "web", "api", "daemon", "http", "up", "gateway",
];

/// Types that describe a subcommand, the field with its name, and those with what it runs.
const KINDS: &[(&str, &str, &[&str])] = &[
    (
        "cobra.Command",
        "Use",
        &["Run", "RunE", "PreRun", "PreRunE"],
    ),
    ("cli.Command", "Name", &["Action", "Before"]),
];

/// What stands for the program itself among its subcommands.
const ROOT: &str = "";

/// Whether a description is that of the program itself, by what it is called: `var rootCmd = &cobra.Command{…}`.
pub(super) fn is_root(source: &Source, inside: Node<'_>) -> bool {
    let mut around = std::iter::successors(inside.parent(), |node| node.parent());
    let named = around.find_map(|node| {
        ["left", "name"]
            .iter()
            .find_map(|field| node.child_by_field_name(field))
    });
    named.is_some_and(|name| {
        let name = source.text_of(name).to_ascii_lowercase();
        name.contains("root")
    })
}

/// What a subcommand runs.
pub(super) struct Run<'n> {
    pub command: String,
    /// A name for the function that does it, which no other has.
    pub name: String,
    pub body: Node<'n>,
}

/// Whether a field of a type has a subcommand's name.
pub(super) fn is_name(field: &str, made: &str) -> bool {
    KINDS
        .iter()
        .any(|(kind, name, _)| *name == field && made.ends_with(kind))
}

/// What a field of the description of a subcommand runs: `RunE: serve`, `Run: func(…) { … }`.
pub(super) fn run<'n>(source: &Source, field: Node<'n>) -> Option<Run<'n>> {
    let parts = named_children(field);
    let [key, body] = parts.as_slice() else {
        return None;
    };
    let fields = field.parent()?;
    let kind = source.text_of(fields.parent()?.child_by_field_name("type")?);
    let (_, named, runs) = KINDS.iter().find(|(made, ..)| kind.ends_with(made))?;
    if !runs.contains(&source.text_of(*key)) {
        return None;
    }
    let word = named_children(fields).into_iter().find_map(|other| {
        let parts = named_children(other);
        let [key, value] = parts.as_slice() else {
            return None;
        };
        (source.text_of(*key) == *named).then(|| text(source, *value))
    })?;
    let command = match is_root(source, fields) {
        true => ROOT.to_owned(),
        false => word.split_whitespace().next()?.to_owned(),
    };
    let line = source.place(field).start.line;
    Some(Run {
        name: format!("{command} at {}:{line}", source.path.display()),
        command,
        body: *body,
    })
}

/// The subcommand that serves: the one that an image names, or one that is called as servers are; none where the program
/// itself does something, or is started by its image without one.
pub(super) fn served<'f>(
    reached: &[&'f Function],
    program: &str,
    claim: Option<&ImageClaim>,
) -> Option<&'f str> {
    let known = || {
        let all = reached.iter().flat_map(|function| &function.commands);
        all.map(String::as_str).filter(|name| *name != program)
    };
    let told = claim.into_iter().flat_map(|claim| &claim.arguments);
    let told = told
        .filter_map(|word| known().find(|name| name == word))
        .next();
    let without = claim.is_some_and(|claim| claim.started && claim.arguments.is_empty());
    let itself = root(reached, program).filter(|_| without);
    told.or(itself).or_else(|| {
        SERVES
            .iter()
            .find_map(|name| known().find(|known| known == name))
    })
}

/// What the program itself is among its subcommands, where it does something without one.
pub(super) fn root<'f>(reached: &[&'f Function], program: &str) -> Option<&'f str> {
    let mut runs = reached.iter().flat_map(|function| &function.runs);
    let (command, _) = runs.find(|(command, _)| command == ROOT || command == program)?;
    Some(command)
}
