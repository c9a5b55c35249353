//! From the syntax tree of an expression to a [`Value`].

use tree_sitter::Node;

use crate::python::value::{Call, FullName, SPREAD, Value};
use crate::syntax::{Source, named_children};

/// How deep an expression is taken apart: each call is also kept inside the calls around it, so
/// depth costs more than it shows.
const VALUE_DEPTH: usize = 10;

/// Entries of a list or table that are kept.
const LONGEST_LIST: usize = 200;

/// The arguments of a call: positional ones, and those with keywords.
pub(crate) fn arguments_of(
    source: &Source,
    list: Node<'_>,
    depth: usize,
) -> (Vec<Value>, Vec<(String, Value)>) {
    let mut arguments = Vec::new();
    let mut keywords = Vec::new();
    for child in named_children(list).into_iter().take(LONGEST_LIST) {
        match child.kind() {
            "keyword_argument" => {
                let (Some(name), Some(value)) = (
                    child.child_by_field_name("name"),
                    child.child_by_field_name("value"),
                ) else {
                    continue;
                };
                keywords.push((
                    source.text_of(name).to_owned(),
                    value_of(source, value, depth + 1),
                ));
            }
            "comment" => {}
            "dictionary_splat" => {
                let spread = child.named_child(0);
                let spread = spread.map_or(Value::Other, |one| value_of(source, one, depth + 1));
                keywords.push((SPREAD.to_owned(), spread));
                // It may say anything.
                arguments.push(Value::Other);
            }
            _ => arguments.push(value_of(source, child, depth + 1)),
        }
    }
    (arguments, keywords)
}

/// What an expression says.
pub(crate) fn value_of(source: &Source, node: Node<'_>, depth: usize) -> Value {
    if depth > VALUE_DEPTH {
        return Value::Other;
    }
    let child = |name: &str| node.child_by_field_name(name);
    let below = |node: Node<'_>| value_of(source, node, depth + 1);
    match node.kind() {
        "string" => text_of(source, node, depth),
        "concatenated_string" => joined(named_children(node).into_iter().map(below).collect()),
        "integer" => source
            .text_of(node)
            .replace('_', "")
            .parse()
            .map_or(Value::Other, Value::Integer),
        "float" => Value::Decimal(source.text_of(node).replace('_', "")),
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        "none" => Value::None,
        "ellipsis" => Value::Name("...".to_owned()),
        "identifier" => Value::Name(source.text_of(node).to_owned()),
        "attribute" => {
            let (Some(object), Some(attribute)) = (child("object"), child("attribute")) else {
                return Value::Other;
            };
            let attribute = source.text_of(attribute);
            match below(object) {
                Value::Name(name) => Value::Name(format!("{name}.{attribute}")),
                Value::Other => Value::Other,
                base => Value::Attribute(Box::new(base), attribute.to_owned()),
            }
        }
        "call" => {
            let (Some(function), Some(list)) = (child("function"), child("arguments")) else {
                return Value::Other;
            };
            let (arguments, keywords) = arguments_of(source, list, depth);
            if let Some(formatted) = formatted(source, function, &arguments, &keywords) {
                return formatted;
            }
            Value::Call(Box::new(Call {
                function: below(function),
                arguments,
                keywords,
                place: source.place(node),
                full_name: FullName::default(),
            }))
        }
        "subscript" => {
            let (Some(base), Some(index)) = (child("value"), child("subscript")) else {
                return Value::Other;
            };
            Value::Subscript(Box::new(below(base)), Box::new(below(index)))
        }
        // A generic annotation: `Annotated[str, Field(alias="X")]`.
        "generic_type" => {
            let parts = named_children(node);
            let [base, list] = parts.as_slice() else {
                return Value::Other;
            };
            let list = named_children(*list).into_iter().map(below).collect();
            Value::Subscript(Box::new(below(*base)), Box::new(Value::List(list)))
        }
        "type"
        | "parenthesized_expression"
        | "await"
        | "expression_statement"
        | "as_pattern"
        | "list_splat"
        | "interpolation" => node.named_child(0).map_or(Value::Other, below),
        "list" | "tuple" | "set" | "expression_list" => Value::List(
            named_children(node)
                .into_iter()
                .take(LONGEST_LIST)
                .map(below)
                .collect(),
        ),
        "dictionary" => Value::Table(
            named_children(node)
                .into_iter()
                .take(LONGEST_LIST)
                .filter_map(|pair| {
                    Some((
                        below(pair.child_by_field_name("key")?),
                        below(pair.child_by_field_name("value")?),
                    ))
                })
                .collect(),
        ),
        "boolean_operator" => {
            let operator = child("operator").map(|node| node.kind());
            match (child("left"), child("right"), operator) {
                (Some(left), Some(right), Some("or")) => {
                    Value::Either(vec![below(left), below(right)])
                }
                // `a and b` is `b` where it matters.
                (Some(left), Some(right), _) => Value::Either(vec![below(right), below(left)]),
                _ => Value::Other,
            }
        }
        "conditional_expression" => {
            let parts = named_children(node);
            let [then, test, other] = parts.as_slice() else {
                return Value::Other;
            };
            Value::Either(vec![below(*then), below(*other), below(*test)])
        }
        "binary_operator" => match (child("left"), child("operator"), child("right")) {
            (Some(left), Some(operator), Some(right)) if operator.kind() == "+" => {
                joined(vec![below(left), below(right)])
            }
            (Some(left), Some(operator), Some(right)) if operator.kind() == "|" => {
                Value::Either(vec![below(left), below(right)])
            }
            (Some(left), Some(operator), Some(right)) if operator.kind() == "/" => {
                Value::Joined(vec![below(left), below(right), Value::Other])
            }
            _ => Value::Other,
        },
        // What is made when it is asked for: `default_factory=lambda: …`.
        "lambda" if child("parameters").is_none() => child("body").map_or(Value::Other, below),
        "union_type" => Value::Either(named_children(node).into_iter().map(below).collect()),
        "comparison_operator" | "not_operator" => {
            Value::List(named_children(node).into_iter().map(below).collect())
        }
        _ => Value::Other,
    }
}

/// Joins texts that are all known; keeps the parts otherwise.
fn joined(parts: Vec<Value>) -> Value {
    let mut text = String::new();
    for part in &parts {
        match part {
            Value::Text(piece) => text.push_str(piece),
            _ => return Value::Joined(parts),
        }
    }
    Value::Text(text)
}

/// `"a{}b{name}".format(x, name=y)` as the parts that it joins.
fn formatted(
    source: &Source,
    function: Node<'_>,
    arguments: &[Value],
    keywords: &[(String, Value)],
) -> Option<Value> {
    let method = function.child_by_field_name("attribute")?;
    let template = function.child_by_field_name("object")?;
    if source.text_of(method) != "format" || template.kind() != "string" {
        return None;
    }
    let Value::Text(template) = text_of(source, template, 0) else {
        return None;
    };
    let mut parts = Vec::new();
    let mut next = 0;
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            parts.push(Value::Text(before.to_owned()));
        }
        let (field, after) = after.split_once('}')?;
        let name = field.split([':', '!', '.', '[']).next().unwrap_or(field);
        let value = if name.is_empty() {
            next += 1;
            arguments.get(next - 1)
        } else if let Ok(position) = name.parse::<usize>() {
            arguments.get(position)
        } else {
            keywords
                .iter()
                .find(|(keyword, _)| keyword == name)
                .map(|(_, value)| value)
        };
        parts.push(value.cloned().unwrap_or(Value::Other));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Value::Text(rest.to_owned()));
    }
    Some(joined(parts))
}

fn text_of(source: &Source, node: Node<'_>, depth: usize) -> Value {
    let mut parts = Vec::new();
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        match child.kind() {
            "string_start" if source.text_of(child).to_ascii_lowercase().contains('b') => {
                return Value::Other;
            }
            "string_content" => parts.push(Value::Text(unescape(source.text_of(child)))),
            "interpolation" => parts.push(
                child
                    .named_child(0)
                    .map_or(Value::Other, |inner| value_of(source, inner, depth + 1)),
            ),
            _ => {}
        }
    }
    joined(parts)
}

/// The escapes that occur in names, paths and URLs.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    text.replace("\\n", "\n")
        .replace("\\t", "\t")
        .replace("\\\"", "\"")
        .replace("\\'", "'")
        .replace("\\\\", "\\")
}
