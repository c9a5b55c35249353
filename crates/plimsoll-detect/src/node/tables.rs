//! Tables of variables that a program goes through when it starts: `[{ name: "KEY", required: true }, …]`.

use tree_sitter::Node;

use super::demands::{add, ends, ends_where_missing};
use super::sources::{Sources, text};
use super::startup::Moment;
use crate::syntax::{Source, named_children};

/// Keys that say that nothing works without a variable.
const REQUIRED: &[&str] = &["required", "mandatory"];

/// Whether what is looked up is asked for being there, rather than for what it says.
pub(super) fn asks_for_presence(source: &Source, lookup: Node<'_>) -> bool {
    let Some(parent) = lookup.parent() else {
        return false;
    };
    let is_negated =
        |node: Node<'_>| node.kind() == "unary_expression" && source.text_of(node).starts_with('!');
    if is_negated(parent)
        || ends_where_missing(source, lookup)
        || matches!(parent.kind(), "arrow_function" | "binary_expression")
    {
        return true;
    }
    // `const value = process.env[name];`, and what is asked of `value` afterwards.
    let name = parent
        .child_by_field_name("name")
        .filter(|_| parent.kind() == "variable_declarator");
    let Some(name) = name.map(|name| source.text_of(name)) else {
        // `process.env[name]?.trim()`, a function that tells of emptiness.
        return true;
    };
    let behind = source.text.get(parent.end_byte()..).unwrap_or_default();
    [
        format!("!{name}"),
        format!("{name} =="),
        format!("{name}.length"),
    ]
    .iter()
    .any(|asked| behind.contains(asked))
}

/// Notes the variables of a table that is gone through: `name` is what stands for one row, `key` where its variable is.
pub(super) fn described(
    source: &Source,
    (list, around): (Node<'_>, Node<'_>),
    (name, key): (&str, &str),
    when: &Moment,
    found: &mut Sources,
) {
    let inside = source.text_of(around);
    let asked = REQUIRED
        .iter()
        .find(|word| inside.contains(&format!("{name}.{word}")));
    // What is missing is gathered, and the file ends the program for it.
    let ended = ends(source, around) || inside.contains(".push(") && ends(source, source.root());
    for row in named_children(list) {
        let value = |wanted: &str| {
            named_children(row).into_iter().find_map(|pair| {
                let known = source.text_of(pair.child_by_field_name("key")?);
                (known.trim_matches(['"', '\'']) == wanted)
                    .then(|| pair.child_by_field_name("value"))
                    .flatten()
            })
        };
        let Some(place) = value(key) else {
            continue;
        };
        let Some(variable) = text(source, place) else {
            continue;
        };
        let required = match asked {
            Some(word) => ended && value(word).is_some_and(|said| source.text_of(said) == "true"),
            None => ends(source, around),
        };
        if required {
            found.missed.insert(found.variables.len(), when.clone());
        }
        add(source, place, &variable, None, required, found);
    }
}
