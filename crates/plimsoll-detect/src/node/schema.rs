//! Schemas that the environment is checked against: zod, envalid, t3-env, and classes of Nest.

use tree_sitter::Node;

use super::names::declaration;
use super::sources::{Sources, text};
use super::startup::{Moment, moment};
use crate::found::FoundVariable;
use crate::syntax::{DEPTH, Source, named_children};

/// Variables of a schema that the environment is checked against: `z.object({ X: z.string() })`,
/// `cleanEnv(process.env, { X: str({ default: "d" }) })`, `createEnv({ server: { X: … } })`.
pub(super) fn schema(source: &Source, call: Node<'_>, found: &mut Sources) {
    // A schema of something else has other keys, and a file without it checks something else.
    let of_environment = ["process.env", "validationSchema", "validationOptions"];
    if !of_environment.iter().any(|word| source.text.contains(word)) {
        return;
    }
    let Some(arguments) = call.child_by_field_name("arguments") else {
        return;
    };
    let before = found.variables.len();
    for argument in named_children(arguments) {
        // `const options = { server: { … } }; createEnv(options)`
        let named = match argument.kind() {
            "identifier" => declaration(source, source.text_of(argument)),
            _ => None,
        };
        let mut argument = named.unwrap_or(argument);
        while matches!(argument.kind(), "as_expression" | "satisfies_expression") {
            let Some(inner) = argument.named_child(0) else {
                break;
            };
            argument = inner;
        }
        if argument.kind() != "object" {
            continue;
        }
        for pair in named_children(argument) {
            let (Some(key), Some(value)) = (
                pair.child_by_field_name("key"),
                pair.child_by_field_name("value"),
            ) else {
                continue;
            };
            let key_text = source.text_of(key).trim_matches(['"', '\'']);
            if matches!(key_text, "server" | "client" | "shared") && value.kind() == "object" {
                for inner in named_children(value) {
                    schema_entry(source, inner, found);
                }
            } else {
                schema_entry(source, pair, found);
            }
        }
    }
    if let Some(function) = checking(source, call) {
        let those = before..found.variables.len();
        found
            .checked_in
            .extend(those.map(|index| (function.clone(), index)));
    }
}

/// The only function that checks something against a schema of the file's own: `const schema = base.extend({ … })` and
/// `const settings = () => load(schema)`.
fn checking(source: &Source, call: Node<'_>) -> Option<String> {
    let declarator = call.parent()?;
    let name = declarator
        .child_by_field_name("name")
        .filter(|_| declarator.kind() == "variable_declarator")?;
    let mut functions = Vec::new();
    uses(
        source,
        source.root(),
        source.text_of(name),
        &mut functions,
        0,
    );
    match functions.as_slice() {
        [Moment::In(function)] => Some(function.clone()),
        _ => None,
    }
}

/// When a name is used, apart from where it is declared.
fn uses(source: &Source, node: Node<'_>, name: &str, found: &mut Vec<Moment>, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let declares = || {
        let parent = node.parent()?;
        Some(
            parent.kind() == "variable_declarator"
                && parent.child_by_field_name("name") == Some(node),
        )
    };
    if node.kind() == "identifier" && source.text_of(node) == name && declares() != Some(true) {
        let of_types = std::iter::successors(node.parent(), |one| one.parent())
            .any(|one| matches!(one.kind(), "type_query" | "type_alias_declaration"));
        if !of_types {
            found.push(moment(source, node));
        }
    }
    for child in named_children(node) {
        uses(source, child, name, found, depth + 1);
    }
}

fn schema_entry(source: &Source, pair: Node<'_>, found: &mut Sources) {
    let (Some(key), Some(value)) = (
        pair.child_by_field_name("key"),
        pair.child_by_field_name("value"),
    ) else {
        return;
    };
    let name = source.text_of(key).trim_matches(['"', '\'']).to_owned();
    let plain = name
        .chars()
        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if !plain
        || !name.contains(|c: char| c.is_ascii_uppercase())
        || value.kind() != "call_expression"
        || name == "NODE_ENV"
    {
        return;
    }
    let rule = source.text_of(value);
    let default = schema_default(source, value, 0);
    let optional = ["optional(", ".nullable(", ".nullish(", "default"]
        .iter()
        .any(|word| rule.contains(word));
    // Joi wants nothing unless it says so.
    let of_joi = rule.to_ascii_lowercase().starts_with("joi.");
    let optional = optional || of_joi && (!rule.contains(".required(") || rule.contains(".when("));
    if default.is_some() || rule.contains("default(") {
        found.filled.insert(name.clone());
    }
    found.variables.push(FoundVariable {
        required: !optional,
        why: format!("a schema of the environment has `{name}`"),
        ..FoundVariable::read(
            &name,
            default,
            source.place(pair).in_file(source.path.clone()),
        )
    });
}

/// A field of a class that the environment is made into and checked by: `@IsString() KEY!: string;`.
pub(super) fn field(source: &Source, field: Node<'_>, found: &mut Sources) {
    // Only saves work, and classes of something else have other fields.
    let checks = ["class-validator", "validateSync"];
    if !checks.iter().all(|word| source.text.contains(word)) {
        return;
    }
    let Some(name) = field.child_by_field_name("name") else {
        return;
    };
    let place = source.place(name).in_file(source.path.clone());
    let name = source.text_of(name);
    let plain = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if !plain || name == "NODE_ENV" {
        return;
    }
    let mut stated = source.text_of(field).to_owned();
    let mut before = field.prev_named_sibling();
    while let Some(decorator) = before.filter(|one| one.kind() == "decorator") {
        stated.push_str(source.text_of(decorator));
        before = decorator.prev_named_sibling();
    }
    let value = field.child_by_field_name("value");
    let optional = ["IsOptional(", "ValidateIf(", &format!("{name}?")]
        .iter()
        .any(|word| stated.contains(word));
    let default = value.and_then(|value| {
        let number = || source.text_of(value).replace('_', "");
        let plain = matches!(value.kind(), "number" | "true" | "false");
        text(source, value).or_else(|| plain.then(number))
    });
    if value.is_some() {
        found.filled.insert(name.to_owned());
    }
    found.variables.push(FoundVariable {
        required: value.is_none() && !optional,
        why: format!("a schema of the environment has `{name}`"),
        ..FoundVariable::read(name, default, place)
    });
}

/// `d` of `.default("d")` and of `{ default: "d" }`.
fn schema_default(source: &Source, node: Node<'_>, depth: usize) -> Option<String> {
    if depth > 12 {
        return None;
    }
    let value = |node: Node<'_>| {
        text(source, node).or_else(|| {
            matches!(node.kind(), "number" | "true" | "false")
                .then(|| source.text_of(node).to_owned())
        })
    };
    match node.kind() {
        "call_expression" => {
            let function = node.child_by_field_name("function")?;
            if source.text_of(function).ends_with(".default") {
                let first = node.child_by_field_name("arguments")?.named_child(0)?;
                return value(first);
            }
        }
        "pair" => {
            let key = node.child_by_field_name("key")?;
            if source.text_of(key) == "default" {
                return value(node.child_by_field_name("value")?);
            }
        }
        _ => {}
    }
    named_children(node)
        .into_iter()
        .find_map(|child| schema_default(source, child, depth + 1))
}
