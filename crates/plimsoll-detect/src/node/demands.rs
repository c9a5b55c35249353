//! What code says it does not work without: checks of variables that throw or leave the program.

use tree_sitter::Node;

use super::environment::is_environment;
use super::names::declaration;
use super::sources::{Sources, text};
use super::startup::moment;
use super::tables;
use crate::found::FoundVariable;
use crate::syntax::{DEPTH, Source, named_children};

/// How code insists on what an expression reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// Not at all.
    None,
    /// By saying so to the type checker: `process.env.X!`.
    Stated,
    /// By ending where it is not there.
    Checked,
}

/// Whether the code says that nothing works without what `node` reads.
pub(super) fn demand(source: &Source, node: Node<'_>) -> Demand {
    let Some(parent) = node.parent() else {
        return Demand::None;
    };
    if parent.kind() == "non_null_expression" {
        return Demand::Stated;
    }
    if ends_where_missing(source, node)
        || is_asserted(source, parent)
        || is_first_of(source, node, parent)
    {
        return Demand::Checked;
    }
    // `const key = process.env.X;`, and a check of `key` afterwards.
    let bound = (parent.kind() == "variable_declarator"
        && parent.child_by_field_name("value") == Some(node))
    .then(|| parent.child_by_field_name("name"))
    .flatten()
    .filter(|name| name.kind() == "identifier");
    match bound {
        Some(name) if checked_below(source, parent, source.text_of(name)) => Demand::Checked,
        Some(name) if is_handed_over(source, parent, source.text_of(name)) => Demand::Checked,
        _ => Demand::None,
    }
}

/// Calls that fail where their first argument is nothing, by the library that brings them.
const INSISTING: &[(&str, &str)] = &[
    ("mongoose", "mongoose.connect"),
    ("mongoose", "mongoose.createConnection"),
    ("mongodb", "new MongoClient"),
    ("discord.js", ".login"),
    ("grammy", "new Bot"),
    ("telegraf", "new Telegraf"),
    ("@neondatabase/serverless", "neon"),
];

/// Such calls of libraries that a file imports.
fn insisting(source: &Source) -> impl Iterator<Item = &'static str> + '_ {
    let imports = |library: &str| {
        ['"', '\'']
            .iter()
            .any(|quote| source.text.contains(&format!("{quote}{library}{quote}")))
    };
    let calls = INSISTING
        .iter()
        .filter(move |(library, _)| imports(library));
    calls.map(|(_, call)| *call)
}

/// Whether it is the first argument of such a call: `mongoose.connect(process.env.X)`.
fn is_first_of(source: &Source, node: Node<'_>, arguments: Node<'_>) -> bool {
    let Some(call) = arguments
        .parent()
        .filter(|_| arguments.kind() == "arguments")
    else {
        return false;
    };
    let whole = source.text_of(call);
    let before = whole.split('(').next().unwrap_or_default().trim();
    arguments.named_child(0) == Some(node)
        && insisting(source).any(|call| match call.strip_prefix('.') {
            Some(_) => before.ends_with(call),
            None => before == call,
        })
}

/// Whether a name that is given a value is the first argument of such a call behind it.
fn is_handed_over(source: &Source, declarator: Node<'_>, name: &str) -> bool {
    let behind = source.text.get(declarator.end_byte()..).unwrap_or_default();
    // Where it is asked for first, nothing fails without it.
    let asked = [
        format!("{name} ?"),
        format!("{name} &&"),
        format!("if ({name}"),
    ];
    if asked.iter().any(|asked| behind.contains(asked)) {
        return false;
    }
    insisting(source).any(|call| {
        [",", ")"]
            .iter()
            .any(|end| behind.contains(&format!("{call}({name}{end}")))
    })
}

/// Whether `node` stands in the condition of an `if` that ends the work where it is empty: `!x`, `x === undefined`,
/// alone or as one of several of which each is enough.
pub(super) fn ends_where_missing(source: &Source, node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else {
        return false;
    };
    let negated = parent.kind() == "unary_expression" && source.text_of(parent).starts_with('!');
    let compared = parent.kind() == "binary_expression" && {
        let text = source.text_of(parent);
        [
            "=== undefined",
            "== undefined",
            "== null",
            "=== null",
            "=== ''",
            "=== \"\"",
            "== ''",
            "== \"\"",
        ]
        .iter()
        .any(|end| text.ends_with(end))
    };
    if !negated && !compared {
        return false;
    }
    let mut above = parent.parent();
    while let Some(node) = above {
        match node.kind() {
            "parenthesized_expression" => above = node.parent(),
            "binary_expression"
                if node
                    .child_by_field_name("operator")
                    .is_some_and(|operator| operator.kind() == "||") =>
            {
                above = node.parent();
            }
            "if_statement" => {
                return node
                    .child_by_field_name("consequence")
                    .is_some_and(|then| ends(source, then) || gathered(source, node, then));
            }
            _ => return false,
        }
    }
    false
}

/// Whether a body only notes what is missing, and a check below ends the work for it:
/// `errors.push("…")` and then `if (errors.length > 0) throw …`.
fn gathered(source: &Source, condition: Node<'_>, body: Node<'_>) -> bool {
    let text = source.text_of(body);
    let Some((before, _)) = text.split_once(".push(") else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
    let list = before.rsplit(|c| !plain(c)).next().unwrap_or_default();
    let mut next = condition.next_named_sibling();
    while let Some(statement) = next {
        let checks = statement.kind() == "if_statement"
            && statement
                .child_by_field_name("condition")
                .is_some_and(|test| source.text_of(test).contains(&format!("{list}.length")))
            && statement
                .child_by_field_name("consequence")
                .is_some_and(|then| ends(source, then));
        if checks && !list.is_empty() {
            return true;
        }
        next = statement.next_named_sibling();
    }
    false
}

/// Whether a body ends the work.
pub(super) fn ends(source: &Source, body: Node<'_>) -> bool {
    let text = source.text_of(body);
    text.contains("throw ") || text.contains("process.exit(1")
}

/// `assert(process.env.X)`, `invariant(process.env.X, "…")`.
fn is_asserted(source: &Source, parent: Node<'_>) -> bool {
    parent.kind() == "arguments"
        && parent
            .parent()
            .and_then(|call| call.child_by_field_name("function"))
            .is_some_and(|function| {
                matches!(
                    source.text_of(function),
                    "assert" | "assert.ok" | "invariant" | "ok" | "assertEnv"
                )
            })
}

/// Whether a statement beside a declaration ends the work where the declared name is empty.
pub(super) fn checked_below(source: &Source, declarator: Node<'_>, name: &str) -> bool {
    let Some(block) = declarator.parent().and_then(|statement| {
        let around = statement.parent()?;
        match around.kind() {
            "export_statement" => around.parent(),
            _ => Some(around),
        }
    }) else {
        return false;
    };
    named_children(block)
        .into_iter()
        .filter(|statement| statement.kind() == "if_statement")
        .filter_map(|statement| statement.child_by_field_name("condition"))
        .any(|condition| checks(source, condition, name, 0))
        || listed_below(source, block, name)
}

/// Whether a list that is made of a name is asked for being empty: `const list = (name ?? "").split(",")`, and then
/// `if (list.length === 0) throw …`.
fn listed_below(source: &Source, block: Node<'_>, name: &str) -> bool {
    let statements = named_children(block);
    let declared = statements
        .iter()
        .filter(|statement| statement.kind() == "lexical_declaration")
        .flat_map(|statement| named_children(*statement));
    let mut lists = declared.filter_map(|declarator| {
        let value = source.text_of(declarator.child_by_field_name("value")?);
        let of_it = value.trim_start_matches('(').strip_prefix(name)?;
        let plain = of_it.starts_with(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let list = declarator.child_by_field_name("name")?;
        (plain && value.contains(".split(")).then(|| source.text_of(list))
    });
    lists.any(|list| {
        let empty = [
            format!("{list}.length === 0"),
            format!("{list}.length == 0"),
            format!("!{list}.length"),
        ];
        statements.iter().any(|statement| {
            let part = |field| statement.child_by_field_name(field);
            let asked = part("condition").map_or("", |condition| source.text_of(condition));
            let asked = asked.trim_matches(['(', ')']);
            empty.iter().any(|empty| asked == empty)
                && part("consequence").is_some_and(|body| ends(source, body))
        })
    })
}

fn checks(source: &Source, node: Node<'_>, name: &str, depth: usize) -> bool {
    if depth > 12 {
        return false;
    }
    node.kind() == "identifier" && source.text_of(node) == name && ends_where_missing(source, node)
        || named_children(node)
            .into_iter()
            .any(|child| checks(source, child, name, depth + 1))
}

/// `const { X, Y = "d" } = process.env`.
pub(super) fn taken_apart(source: &Source, declarator: Node<'_>, found: &mut Sources) {
    let (Some(pattern), Some(value)) = (
        declarator.child_by_field_name("name"),
        declarator.child_by_field_name("value"),
    ) else {
        return;
    };
    if pattern.kind() != "object_pattern" || !is_environment(source, value) {
        return;
    }
    for part in named_children(pattern) {
        let (name, local, default) = match part.kind() {
            "shorthand_property_identifier_pattern" => (part, part, None),
            "pair_pattern" => {
                let (Some(key), Some(value)) = (
                    part.child_by_field_name("key"),
                    part.child_by_field_name("value"),
                ) else {
                    continue;
                };
                (key, value, None)
            }
            "object_assignment_pattern" => {
                let (Some(left), Some(right)) = (
                    part.child_by_field_name("left"),
                    part.child_by_field_name("right"),
                ) else {
                    continue;
                };
                (left, left, text(source, right))
            }
            _ => continue,
        };
        let checked = default.is_none() && checked_below(source, declarator, source.text_of(local));
        if checked {
            found
                .missed
                .insert(found.variables.len(), moment(source, declarator));
        }
        add(source, name, source.text_of(name), default, checked, found);
    }
}

/// `const required = ["X", "Y"]`, each of which is looked up and ends the work: the lookup by a name that is not
/// written out.
pub(super) fn listed(source: &Source, subscript: Node<'_>, found: &mut Sources) {
    let (Some(object), Some(index)) = (
        subscript.child_by_field_name("object"),
        subscript.child_by_field_name("index"),
    ) else {
        return;
    };
    if source.text_of(object) != "process.env" {
        return;
    }
    // `process.env[name]`, or `process.env[one.name]` where each of the list has the name under a key.
    let (name, key) = match index.kind() {
        "identifier" => (source.text_of(index), None),
        "member_expression" => match source.text_of(index).split_once('.') {
            Some((name, key)) => (name, Some(key)),
            None => return,
        },
        _ => return,
    };
    let Some((list, around)) = goes_through(source, subscript, name) else {
        return;
    };
    let list = match list.kind() {
        "identifier" => declaration(source, source.text_of(list)),
        _ => Some(list),
    };
    let Some(mut list) = list else {
        return;
    };
    while matches!(list.kind(), "as_expression" | "satisfies_expression") {
        let Some(inner) = list.named_child(0) else {
            return;
        };
        list = inner;
    }
    if list.kind() != "array" {
        return;
    }
    let when = moment(source, around);
    if let Some(key) = key {
        tables::described(source, (list, around), (name, key), &when, found);
        return;
    }
    // The work ends in the loop itself, or in a check of what it gathered, right behind it.
    let ended = (ends(source, around)
        || around
            .next_named_sibling()
            .is_some_and(|next| next.kind() == "if_statement" && ends(source, next)))
        && tables::asks_for_presence(source, subscript);
    for item in named_children(list) {
        let Some(name) = text(source, item) else {
            continue;
        };
        if ended {
            found.missed.insert(found.variables.len(), when.clone());
        }
        add(source, item, &name, None, ended, found);
    }
}

/// What the loop around a lookup goes through, and the statement of the loop: `for (const name of LIST)`,
/// `LIST.filter((name) => …)`.
fn goes_through<'t>(
    source: &'t Source,
    lookup: Node<'t>,
    name: &str,
) -> Option<(Node<'t>, Node<'t>)> {
    let mut inner = lookup;
    for _ in 0..DEPTH {
        let around = inner.parent()?;
        if around.kind() == "for_in_statement"
            && around
                .child_by_field_name("left")
                .is_some_and(|left| source.text_of(left).ends_with(name))
        {
            return Some((around.child_by_field_name("right")?, around));
        }
        let callback = matches!(around.kind(), "arrow_function" | "function_expression")
            && around
                .child_by_field_name("parameter")
                .or_else(|| around.child_by_field_name("parameters"))
                .is_some_and(|parameters| {
                    let text = source.text_of(parameters).trim_matches(['(', ')']);
                    text.split([':', ',']).next() == Some(name)
                });
        if callback {
            let call = around.parent()?.parent()?;
            let function = call.child_by_field_name("function")?;
            let list = function.child_by_field_name("object")?;
            let mut statement = call;
            while !statement.kind().ends_with("_statement")
                && !statement.kind().ends_with("_declaration")
            {
                statement = statement.parent()?;
            }
            return Some((list, statement));
        }
        inner = around;
    }
    None
}

pub(super) fn add(
    source: &Source,
    place: Node<'_>,
    name: &str,
    default: Option<String>,
    required: bool,
    found: &mut Sources,
) {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !plain || name == "NODE_ENV" {
        return;
    }
    let span = source.place(place).in_file(source.path.clone());
    found
        .variables
        .push(FoundVariable::read(name, default, span).required(required));
}
