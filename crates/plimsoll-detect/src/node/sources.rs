//! What JavaScript and TypeScript files say: variables, listening.

use std::path::Path;

use plimsoll_diag::Span;
use tree_sitter::Node;

use super::schema::schema;
use crate::found::FoundVariable;
use crate::needs::{is_secret, kind_of};
use crate::places;
use crate::syntax::{DEPTH, Grammar, Source, named_children};
use crate::tree::Tree;

/// What the sources of a package say.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) variables: Vec<FoundVariable>,
    /// Where it listens, and the port where that is plain.
    pub(crate) listens: Option<(Span, Option<u16>)>,
    /// Where it serves MCP over standard input and output.
    pub(crate) stdio_transport: Option<Span>,
}

/// Files read at most for one package.
const MOST_FILES: usize = 5_000;

impl Sources {
    /// Reads the sources below `directory`, those of packages inside left out.
    pub(crate) fn read(tree: &Tree, directory: &Path, nested: &[&Path]) -> Self {
        let mut found = Self::default();
        let files = tree
            .files()
            .iter()
            .filter(|file| file.path.starts_with(directory))
            .filter(|file| nested.iter().all(|inner| !file.path.starts_with(inner)))
            .filter(|file| {
                places::set_aside(places::below(&file.path, directory).as_path()).is_none()
            })
            .take(MOST_FILES);
        for file in files {
            let Some(grammar) = Grammar::of(&file.path).filter(|grammar| {
                !matches!(grammar, Grammar::Python | Grammar::Go | Grammar::Json)
            }) else {
                continue;
            };
            let Some(text) = tree.source(&file.path) else {
                continue;
            };
            // Only saves work: what the file says is read from its syntax tree.
            let worth = ["env", "listen", "serve", "StdioServerTransport"]
                .iter()
                .any(|word| text.contains(word));
            if !worth {
                continue;
            }
            if let Some(source) = Source::parse(tree.shown(&file.path), text, grammar) {
                walk(&source, source.root(), &mut found, 0);
            }
        }
        found
    }
}

pub(super) fn walk(source: &Source, node: Node<'_>, found: &mut Sources, depth: usize) {
    if depth > DEPTH {
        return;
    }
    match node.kind() {
        "member_expression" | "subscript_expression" => {
            if let Some(name) = variable(source, node) {
                let default = default(source, node);
                let span = source.place(node).in_file(source.path.clone());
                let why = format!("reads `{name}`");
                // Set by the tools themselves.
                if !matches!(
                    name.as_str(),
                    "NODE_ENV" | "DEV" | "PROD" | "MODE" | "SSR" | "BASE_URL"
                ) {
                    found.variables.push(FoundVariable {
                        required: default.is_none() && is_demanded(source, node),
                        secret: is_secret(&name),
                        kind: kind_of(&name, default.as_deref(), None),
                        default,
                        type_name: None,
                        span,
                        why,
                        name,
                    });
                }
            }
        }
        "call_expression" => {
            if let Some(function) = node.child_by_field_name("function") {
                let text = source.text_of(function);
                let method = text.rsplit('.').next().unwrap_or(text);
                let serves = method == "listen" && text.contains('.')
                    || matches!(text, "serve" | "Bun.serve" | "Deno.serve");
                if matches!(method, "object" | "cleanEnv" | "createEnv") {
                    schema(source, node, found);
                }
                if serves && found.listens.is_none() {
                    let span = source.place(node).in_file(source.path.clone());
                    found.listens = Some((span, port(source, node)));
                }
            }
        }
        "new_expression" => {
            let made = node
                .child_by_field_name("constructor")
                .map(|name| source.text_of(name));
            if made == Some("StdioServerTransport") && found.stdio_transport.is_none() {
                found.stdio_transport = Some(source.place(node).in_file(source.path.clone()));
            }
        }
        _ => {}
    }
    for child in named_children(node) {
        walk(source, child, found, depth + 1);
    }
}

/// `X` of `process.env.X`, `process.env["X"]` and `import.meta.env.X`.
fn variable(source: &Source, node: Node<'_>) -> Option<String> {
    let object = node.child_by_field_name("object")?;
    let plain: String = source
        .text_of(object)
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '?')
        .collect();
    if !matches!(
        plain.as_str(),
        "process.env" | "import.meta.env" | "Bun.env"
    ) {
        return None;
    }
    let name = match node.child_by_field_name("property") {
        Some(property) => source.text_of(property).to_owned(),
        None => text(source, node.child_by_field_name("index")?)?,
    };
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then_some(name)
}

/// Whether the code says that nothing works without a variable: `process.env.X!`, or an `if` that
/// throws or exits where it is not set.
fn is_demanded(source: &Source, node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else {
        return false;
    };
    if parent.kind() == "non_null_expression" {
        return true;
    }
    if parent.kind() != "unary_expression" || !source.text_of(parent).starts_with('!') {
        return false;
    }
    let mut above = parent.parent();
    while let Some(node) = above {
        match node.kind() {
            "parenthesized_expression" => above = node.parent(),
            "binary_expression" if source.text_of(node).contains("||") => above = node.parent(),
            "if_statement" => {
                return node.child_by_field_name("consequence").is_some_and(|then| {
                    let text = source.text_of(then);
                    text.contains("throw ") || text.contains("process.exit(1")
                });
            }
            _ => return false,
        }
    }
    false
}

/// `d` of `variable || "d"` and `variable ?? "d"`.
fn default(source: &Source, node: Node<'_>) -> Option<String> {
    let mut outer = node.parent()?;
    while matches!(
        outer.kind(),
        "parenthesized_expression" | "as_expression" | "non_null_expression"
    ) {
        outer = outer.parent()?;
    }
    if outer.kind() != "binary_expression" {
        return None;
    }
    let operator = outer.child_by_field_name("operator")?.kind();
    if !matches!(operator, "||" | "??") {
        return None;
    }
    let right = outer.child_by_field_name("right")?;
    text(source, right)
        .or_else(|| (right.kind() == "number").then(|| source.text_of(right).to_owned()))
}

pub(super) fn text(source: &Source, node: Node<'_>) -> Option<String> {
    let quoted = match node.kind() {
        "string" => source.text_of(node),
        "template_string"
            if node.named_child_count() <= 1 && !source.text_of(node).contains("${") =>
        {
            source.text_of(node)
        }
        _ => return None,
    };
    Some(quoted.trim_matches(['"', '\'', '`']).to_owned())
}

/// The port in `listen(3000)`, `listen(process.env.PORT || 3000)` and `listen({ port: 3000 })`; a name is
/// looked for in the same file.
fn port(source: &Source, call: Node<'_>) -> Option<u16> {
    let arguments = call.child_by_field_name("arguments")?;
    let first = arguments.named_child(0)?;
    let value = match first.kind() {
        "object" => named_children(first).into_iter().find_map(|pair| {
            let key = pair
                .child_by_field_name("key")
                .map(|key| source.text_of(key));
            (key == Some("port"))
                .then(|| pair.child_by_field_name("value"))
                .flatten()
        })?,
        _ => first,
    };
    number(source, value, 0)
}

pub(super) fn number(source: &Source, node: Node<'_>, depth: usize) -> Option<u16> {
    if depth > 6 {
        return None;
    }
    match node.kind() {
        "number" => source.text_of(node).parse().ok(),
        "string" => text(source, node)?.parse().ok(),
        "identifier" => number(
            source,
            declaration(source, source.root(), source.text_of(node), 0)?,
            depth + 1,
        ),
        _ => {
            let children = named_children(node);
            children
                .into_iter()
                .rev()
                .find_map(|child| number(source, child, depth + 1))
        }
    }
}

pub(super) fn declaration<'t>(
    source: &'t Source,
    node: Node<'t>,
    name: &str,
    depth: usize,
) -> Option<Node<'t>> {
    if depth > 12 {
        return None;
    }
    if node.kind() == "variable_declarator"
        && node
            .child_by_field_name("name")
            .map(|found| source.text_of(found))
            == Some(name)
    {
        return node.child_by_field_name("value");
    }
    named_children(node)
        .into_iter()
        .find_map(|child| declaration(source, child, name, depth + 1))
}
