//! Variables that code reads through a function of its own: `getEnvOrThrow("KEY")`, wherever that is defined.

use std::collections::BTreeSet;

use plimsoll_diag::Span;
use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::demands::{Demand, checked_below, demand};
use super::environment::is_environment;
use super::facts::FileFacts;
use super::names::declaration;
use super::numbers::parameter_of;
use super::sources::text;
use super::startup::{Moment, moment};
use crate::found::FoundVariable;
use crate::syntax::{Source, named_children};

/// A function that reads the variable which a parameter names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reader {
    name: String,
    /// Which of its parameters is the variable's name.
    position: usize,
    /// Which one stands in for it.
    default: Option<usize>,
    /// Whether it ends the work where there is no value.
    insists: bool,
}

/// A call that hands the name of a variable to a function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    function: String,
    /// Its arguments, as far as they are written out.
    arguments: Vec<Option<String>>,
    /// Whether it is handed the environment as well: `required(process.env, "KEY")`.
    of_environment: bool,
    moment: Moment,
    span: Span,
}

/// Whether a text is spelled as variables are.
fn is_variable(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Notes a function that looks a variable up by a parameter: `process.env[name]`.
pub(super) fn looked_up(source: &Source, subscript: Node<'_>, facts: &mut FileFacts) {
    let (Some(object), Some(index)) = (
        subscript.child_by_field_name("object"),
        subscript.child_by_field_name("index"),
    ) else {
        return;
    };
    if !matches!(source.text_of(object), "process.env" | "Bun.env") || index.kind() != "identifier"
    {
        return;
    }
    let Some((name, position)) = parameter_of(source, index, source.text_of(index)) else {
        return;
    };
    // `process.env[name] ?? fallback`
    let mut whole = subscript;
    let mut default = None;
    let mut falls_back = false;
    while let Some(around) = whole.parent() {
        match around.kind() {
            "binary_expression" if around.child_by_field_name("left") == Some(whole) => {
                let Some(other) = around.child_by_field_name("right") else {
                    break;
                };
                let operator = around.child_by_field_name("operator");
                if !operator.is_some_and(|one| matches!(one.kind(), "||" | "??")) {
                    break;
                }
                let parameter = parameter_of(source, other, source.text_of(other));
                default = parameter.map(|(_, position)| position);
                falls_back |= default.is_none();
            }
            "parenthesized_expression" | "as_expression" => {}
            _ => break,
        }
        whole = around;
    }
    let checked = || {
        let declarator = whole.parent()?;
        let name = declarator.child_by_field_name("name")?;
        Some(
            declarator.kind() == "variable_declarator"
                && checked_below(source, declarator, source.text_of(name)),
        )
    };
    let insists =
        !falls_back && (demand(source, subscript) == Demand::Checked || checked() == Some(true));
    facts.readers.push(Reader {
        name,
        position,
        default,
        insists,
    });
}

/// Notes a call that may hand the name of a variable to such a function.
pub(super) fn asked(source: &Source, call: Node<'_>, facts: &mut FileFacts) {
    let (Some(function), Some(arguments)) = (
        call.child_by_field_name("function"),
        call.child_by_field_name("arguments"),
    ) else {
        return;
    };
    let nodes = named_children(arguments);
    let arguments: Vec<Option<String>> = nodes
        .iter()
        .map(|argument| match argument.kind() {
            "number" | "true" | "false" => Some(source.text_of(*argument).to_owned()),
            _ => text(source, *argument),
        })
        .collect();
    if !arguments.iter().flatten().any(|text| is_variable(text)) {
        return;
    }
    let name = source.text_of(function);
    let last = name.rsplit('.').next().unwrap_or(name);
    facts.asked.push(Asked {
        function: last.to_owned(),
        arguments,
        of_environment: nodes.iter().any(|node| stands_for_all(source, *node)),
        moment: moment(source, call),
        span: source.place(call).in_file(source.path.clone()),
    });
}

/// Whether an expression is the environment, or a name that this file gives it: `const env = options.env ?? process.env`.
fn stands_for_all(source: &Source, node: Node<'_>) -> bool {
    if is_environment(source, node) {
        return true;
    }
    // Only saves work.
    if node.kind() != "identifier" || !source.text.contains("process.env") {
        return false;
    }
    let declared = declaration(source, source.text_of(node));
    declared.is_some_and(|value| match value.kind() {
        "binary_expression" => ["left", "right"]
            .iter()
            .filter_map(|side| value.child_by_field_name(side))
            .any(|side| is_environment(source, side)),
        _ => is_environment(source, value),
    })
}

/// What a function that another module brings reads of the environment that it is handed.
fn of_environment(asked: &Asked, runs: bool) -> Option<FoundVariable> {
    if !asked.of_environment {
        return None;
    }
    let mut arguments = asked.arguments.iter();
    let name = arguments
        .by_ref()
        .flatten()
        .find(|text| is_variable(text))?;
    let other = arguments.next();
    let lower = asked.function.to_ascii_lowercase();
    let insists = ["require", "must", "orthrow"]
        .iter()
        .any(|word| lower.contains(word));
    Some(FoundVariable {
        required: insists && other.is_none() && runs,
        why: format!("reads `{name}` through `{}`", asked.function),
        ..FoundVariable::read(name, other.cloned().flatten(), asked.span.clone())
    })
}

/// The variables that files read through functions of theirs. `running` are those that run when the program starts.
pub(super) fn variables<'f>(
    reached: impl Iterator<Item = &'f FileFacts> + Clone,
    running: &BTreeSet<String>,
) -> Vec<FoundVariable> {
    let readers: Vec<&Reader> = reached.clone().flat_map(|facts| &facts.readers).collect();
    let read = |asked: &Asked| {
        let runs = match &asked.moment {
            Moment::Load => true,
            Moment::In(function) => running.contains(function),
            Moment::Later => false,
        };
        let Some(reader) = readers.iter().find(|one| one.name == asked.function) else {
            return of_environment(asked, runs);
        };
        let name = asked.arguments.get(reader.position)?.clone()?;
        let other = reader.default.and_then(|at| asked.arguments.get(at));
        let default = other.cloned().flatten();
        is_variable(&name).then(|| FoundVariable {
            required: reader.insists && other.is_none() && runs,
            why: format!("reads `{name}` through `{}`", asked.function),
            ..FoundVariable::read(&name, default, asked.span.clone())
        })
    };
    reached
        .flat_map(|facts| &facts.asked)
        .filter_map(read)
        .collect()
}
