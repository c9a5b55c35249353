//! Variables that code of Nest reads through the service that has its settings: `config.get("KEY")`.

use tree_sitter::Node;

use super::demands::{Demand, demand};
use super::sources::{Sources, default, text};
use super::startup::moment;
use crate::found::FoundVariable;
use crate::syntax::Source;

/// The module that brings the service.
const MODULE: &str = "@nestjs/config";

/// Options of libraries that fail where they are given nothing.
const INSISTING: &[&str] = &["secretOrKey"];

/// Whether a text is spelled as variables are; other keys are of settings that the program puts together.
fn is_variable(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Notes the variable that a call asks the settings for.
pub(super) fn call(source: &Source, node: Node<'_>, found: &mut Sources) {
    // Only saves work.
    if !source.text.contains(MODULE) {
        return;
    }
    let (Some(function), Some(arguments)) = (
        node.child_by_field_name("function"),
        node.child_by_field_name("arguments"),
    ) else {
        return;
    };
    let called = source.text_of(function).replace('?', "");
    let Some((object, method)) = called.rsplit_once('.') else {
        return;
    };
    let of_settings = object.to_ascii_lowercase().ends_with("config")
        || object.to_ascii_lowercase().ends_with("configservice");
    if !of_settings || !matches!(method, "get" | "getOrThrow") {
        return;
    }
    let name = arguments
        .named_child(0)
        .and_then(|first| text(source, first));
    let Some(name) = name.filter(|name| is_variable(name) && name != "NODE_ENV") else {
        return;
    };
    let other = arguments.named_child(1);
    let stated = other.and_then(|other| {
        text(source, other).or_else(|| {
            matches!(other.kind(), "number" | "true" | "false")
                .then(|| source.text_of(other).to_owned())
        })
    });
    let default = stated.or_else(|| default(source, node));
    let insists = other.is_none()
        && default.is_none()
        && (method == "getOrThrow"
            || demand(source, node) == Demand::Checked
            || is_insisted_on(source, node));
    if insists {
        found
            .missed
            .insert(found.variables.len(), moment(source, node));
    }
    let place = source.place(node).in_file(source.path.clone());
    found
        .variables
        .push(FoundVariable::read(&name, default, place).required(insists));
}

/// Whether it is given to an option that has to hold something: `{ secretOrKey: config.get("KEY") }`.
fn is_insisted_on(source: &Source, node: Node<'_>) -> bool {
    let mut inner = node;
    while let Some(around) = inner.parent() {
        match around.kind() {
            "non_null_expression" | "as_expression" => inner = around,
            "pair" => {
                let key = around.child_by_field_name("key");
                return key.is_some_and(|key| INSISTING.contains(&source.text_of(key)));
            }
            _ => return false,
        }
    }
    false
}
