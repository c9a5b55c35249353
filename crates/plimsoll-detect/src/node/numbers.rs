//! Numbers in JavaScript and TypeScript, ports above all: followed through names, objects, classes and parameters of
//! the same file. Nothing is computed.

use tree_sitter::Node;

use super::names::{declaration, handed_to};
use super::sources::text;
use crate::syntax::{DEPTH, Source, named_children};

/// The number that an expression is where the file shows it.
pub(super) fn number(source: &Source, node: Node<'_>, depth: usize) -> Option<u16> {
    if depth > 6 {
        return None;
    }
    match node.kind() {
        "number" => source.text_of(node).parse().ok(),
        "string" => text(source, node)?.parse().ok(),
        "identifier" | "shorthand_property_identifier" => {
            let name = source.text_of(node);
            let value = declaration(source, name).or_else(|| handed_over(source, node, name))?;
            number(source, value, depth + 1)
        }
        // The second argument is the base: `parseInt(process.env.PORT, 10)`.
        "call_expression" if is_parse(source, node) => number(
            source,
            node.child_by_field_name("arguments")?.named_child(0)?,
            depth + 1,
        ),
        // `z.coerce.number().default(3000).max(65535)`, `port({ default: 3000, devDefault: 4000 })`.
        "call_expression" if default_of(source, node, 0).is_some() => {
            number(source, default_of(source, node, 0)?, depth + 1)
        }
        "object" if value_of(source, node, "default").is_some() => {
            number(source, value_of(source, node, "default")?, depth + 1)
        }
        // An index, a count of tries, another number of the same object are no ports.
        "subscript_expression" | "object" => None,
        // What clients ask where an address says nothing: `url.protocol === "https:" ? 443 : 80`.
        "ternary_expression" if source.text_of(node).contains("https") => None,
        "binary_expression" if is_arithmetic(source, node) => None,
        "member_expression" => {
            let value = property(source, node).or_else(|| own_value(source, node))?;
            number(source, value, depth + 1)
        }
        // What is asked is no answer: `port > 0 ? port : 3000`.
        "ternary_expression" => ["alternative", "consequence"]
            .iter()
            .filter_map(|part| node.child_by_field_name(part))
            .find_map(|part| number(source, part, depth + 1)),
        _ => {
            let children = named_children(node);
            children
                .into_iter()
                .rev()
                .find_map(|child| number(source, child, depth + 1))
        }
    }
}

/// Whether an operator makes another number of its sides.
fn is_arithmetic(source: &Source, node: Node<'_>) -> bool {
    node.child_by_field_name("operator")
        .is_some_and(|operator| !matches!(source.text_of(operator), "||" | "??" | "&&"))
}

/// The value of `object.key` where the file declares the object.
fn property<'t>(source: &'t Source, member: Node<'t>) -> Option<Node<'t>> {
    let object = member.child_by_field_name("object")?;
    let key = source.text_of(member.child_by_field_name("property")?);
    // `config.server.port`.
    let mut declared = match object.kind() {
        "identifier" => declaration(source, source.text_of(object))?,
        "member_expression" => property(source, object)?,
        _ => return None,
    };
    while matches!(declared.kind(), "as_expression" | "satisfies_expression") {
        declared = declared.named_child(0)?;
    }
    value_of(source, declared, key)
}

/// The value of a key of an object that is written out.
fn value_of<'t>(source: &'t Source, object: Node<'t>, key: &str) -> Option<Node<'t>> {
    named_children(object).into_iter().find_map(|pair| {
        let known = source.text_of(pair.child_by_field_name("key")?);
        (known.trim_matches(['"', '\'']) == key)
            .then(|| pair.child_by_field_name("value"))
            .flatten()
    })
}

/// What a rule of a schema falls back to: the argument of `.default(…)` among its calls.
fn default_of<'t>(source: &'t Source, call: Node<'t>, depth: usize) -> Option<Node<'t>> {
    let function = call.child_by_field_name("function")?;
    if depth > 12 || function.kind() != "member_expression" {
        return None;
    }
    let property = function.child_by_field_name("property")?;
    if source.text_of(property) == "default" {
        return call.child_by_field_name("arguments")?.named_child(0);
    }
    let inner = function.child_by_field_name("object")?;
    (inner.kind() == "call_expression").then(|| default_of(source, inner, depth + 1))?
}

/// Whether a call turns a text into a number: `parseInt(x, 10)`.
pub(super) fn is_parse(source: &Source, call: Node<'_>) -> bool {
    call.child_by_field_name("function").is_some_and(|name| {
        let name = source.text_of(name);
        matches!(name.rsplit('.').next(), Some("parseInt" | "parseFloat"))
    })
}

/// What the class around `this.key` gives it: `this.key = value`, a field, a parameter of the constructor.
fn own_value<'t>(source: &'t Source, member: Node<'t>) -> Option<Node<'t>> {
    let object = member.child_by_field_name("object")?;
    if object.kind() != "this" {
        return None;
    }
    let key = source.text_of(member.child_by_field_name("property")?);
    let mut around = member.parent()?;
    while around.kind() != "class_body" {
        around = around.parent()?;
    }
    given_in_class(source, around, key, 0)
}

fn given_in_class<'t>(
    source: &'t Source,
    node: Node<'t>,
    key: &str,
    depth: usize,
) -> Option<Node<'t>> {
    if depth > DEPTH {
        return None;
    }
    let text = |field: &str| {
        node.child_by_field_name(field)
            .map(|name| source.text_of(name))
    };
    let given = match node.kind() {
        "assignment_expression" if text("left").is_some_and(|left| is_own(left, key)) => {
            node.child_by_field_name("right")
        }
        "public_field_definition" | "field_definition"
            if text("name").or_else(|| text("property")) == Some(key) =>
        {
            node.child_by_field_name("value")
        }
        // `constructor(private port = 3000)`
        "required_parameter" | "optional_parameter"
            if text("pattern") == Some(key)
                && named_children(node)
                    .iter()
                    .any(|child| child.kind() == "accessibility_modifier") =>
        {
            node.child_by_field_name("value")
        }
        _ => None,
    };
    given.or_else(|| {
        named_children(node)
            .into_iter()
            .find_map(|child| given_in_class(source, child, key, depth + 1))
    })
}

/// Whether a text is `this.key`.
fn is_own(text: &str, key: &str) -> bool {
    text.strip_prefix("this.") == Some(key)
}

/// What a parameter is: what the only kind of caller in the file hands over (`3000` for `port` of `start(port)` where
/// something says `start(3000)`), else what it is without being told.
fn handed_over<'t>(source: &'t Source, node: Node<'t>, name: &str) -> Option<Node<'t>> {
    let (function, position) = parameter_of(source, node, name)?;
    let mut around = node;
    while around.child_by_field_name("parameters").is_none() {
        around = around.parent()?;
    }
    let body = around.byte_range();
    let called = match function.as_str() {
        "constructor" => class_around(source, around)?,
        _ => function,
    };
    handed_to(source, &called, position, &body).or_else(|| {
        let parameters = around.child_by_field_name("parameters")?;
        let parameter = named_children(parameters).into_iter().nth(position)?;
        parameter
            .child_by_field_name("value")
            .or_else(|| parameter.child_by_field_name("right"))
    })
}

/// The name of the class around a node.
fn class_around(source: &Source, node: Node<'_>) -> Option<String> {
    let mut above = node.parent()?;
    while above.kind() != "class_body" {
        above = above.parent()?;
    }
    let name = above.parent()?.child_by_field_name("name")?;
    Some(source.text_of(name).to_owned())
}

/// The function around `node` of which `name` is a parameter, and which one it is.
pub(super) fn parameter_of(source: &Source, node: Node<'_>, name: &str) -> Option<(String, usize)> {
    let mut above = node.parent();
    while let Some(around) = above {
        above = around.parent();
        let Some(parameters) = around.child_by_field_name("parameters") else {
            continue;
        };
        let position = named_children(parameters).into_iter().position(|one| {
            let pattern = one
                .child_by_field_name("pattern")
                .or_else(|| one.child_by_field_name("left"))
                .unwrap_or(one);
            source.text_of(pattern) == name
        });
        let Some(position) = position else {
            continue;
        };
        let named = around.child_by_field_name("name").or_else(|| {
            let declared = around.parent()?;
            (declared.kind() == "variable_declarator")
                .then(|| declared.child_by_field_name("name"))
                .flatten()
        })?;
        return Some((source.text_of(named).to_owned(), position));
    }
    None
}
