//! Checks that end a program when none of several variables is set: `if (!process.env.A && !process.env.B) throw …`.

use tree_sitter::Node;

use super::demands::ends;
use super::names::declaration;
use super::sources::{Sources, variable};
use super::startup::moment;
use crate::found::FoundVariable;
use crate::syntax::Source;

/// How deep expressions are followed.
const DEPTH: usize = 12;

/// Notes the variables of an `if` that ends the work where none of them is there.
pub(super) fn check(source: &Source, node: Node<'_>, found: &mut Sources) {
    let (Some(condition), Some(body)) = (
        node.child_by_field_name("condition"),
        node.child_by_field_name("consequence"),
    ) else {
        return;
    };
    if !ends(source, body) {
        return;
    }
    let mut names = Vec::new();
    let known = absent(source, condition, &mut names, 0);
    if known.is_none() {
        return;
    }
    let span = source.place(condition).in_file(source.path.clone());
    for one in FoundVariable::one_of(names, &span) {
        found
            .missed
            .insert(found.variables.len(), moment(source, node));
        found.variables.push(one);
    }
}

/// Variables all of which have to be missing for a condition to hold; `None` where something else is asked, too.
fn absent(source: &Source, node: Node<'_>, names: &mut Vec<String>, depth: usize) -> Option<()> {
    if depth > DEPTH {
        return None;
    }
    match node.kind() {
        "parenthesized_expression" => absent(source, node.named_child(0)?, names, depth + 1),
        "binary_expression" if operator(node) == "&&" => {
            absent(source, node.child_by_field_name("left")?, names, depth + 1)?;
            absent(source, node.child_by_field_name("right")?, names, depth + 1)
        }
        "unary_expression" if operator(node) == "!" => {
            let argument = node.child_by_field_name("argument")?;
            any_of(
                source,
                asked(source, argument, Asks::IsThere),
                names,
                depth + 1,
            )
        }
        "call_expression" => {
            let value = asked(source, node, Asks::IsAbsent);
            (value != node).then(|| any_of(source, value, names, depth + 1))?
        }
        "binary_expression" if operator(node).starts_with("==") => {
            let right = source.text_of(node.child_by_field_name("right")?);
            let empty = matches!(right, "undefined" | "null" | "''" | "\"\"");
            let left = node.child_by_field_name("left").filter(|_| empty)?;
            any_of(source, left, names, depth + 1)
        }
        _ => None,
    }
}

/// What a function asks of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    IsThere,
    IsAbsent,
}

/// What a function of one parameter is asked about that tells by its name what it asks: `isNotEmpty(value)`; any other
/// expression stands for itself.
fn asked<'t>(source: &Source, node: Node<'t>, asks: Asks) -> Node<'t> {
    let value = || {
        let function = node.child_by_field_name("function")?;
        let arguments = node.child_by_field_name("arguments")?;
        let name = source.text_of(function).to_ascii_lowercase();
        let empty = ["empty", "blank", "missing", "nil", "undefined"];
        let empty = empty.iter().any(|word| name.contains(word));
        let denied = ["not", "non"].iter().any(|word| name.contains(word));
        let there = denied == empty
            && (empty
                || ["has", "isset", "ispresent", "isdefined"]
                    .iter()
                    .any(|word| name.contains(word)));
        let fits = match asks {
            Asks::IsThere => there,
            Asks::IsAbsent => empty && !denied,
        };
        (fits && arguments.named_child_count() == 1).then(|| arguments.named_child(0))?
    };
    match node.kind() {
        "call_expression" => value().unwrap_or(node),
        _ => node,
    }
}

/// Variables of which one is enough for a value to be there.
pub(super) fn any_of(
    source: &Source,
    node: Node<'_>,
    names: &mut Vec<String>,
    depth: usize,
) -> Option<()> {
    if depth > DEPTH {
        return None;
    }
    if let Some(name) = variable(source, node) {
        names.push(name);
        return Some(());
    }
    match node.kind() {
        "parenthesized_expression" | "as_expression" | "non_null_expression" => {
            any_of(source, node.named_child(0)?, names, depth + 1)
        }
        "binary_expression" if matches!(operator(node), "||" | "??") => {
            any_of(source, node.child_by_field_name("left")?, names, depth + 1)?;
            any_of(source, node.child_by_field_name("right")?, names, depth + 1)
        }
        "identifier" | "shorthand_property_identifier" => {
            let value = declaration(source, source.text_of(node))?;
            any_of(source, value, names, depth + 1)
        }
        _ => None,
    }
}

fn operator<'t>(node: Node<'t>) -> &'t str {
    node.child_by_field_name("operator")
        .map_or("", |operator| operator.kind())
}
