//! Which functions of JavaScript and TypeScript run when a program starts, as opposed to when somebody asks it for
//! something. A check inside of a handler stops a request, not the program.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::facts::FileFacts;
use super::names::declaration;
use crate::syntax::{Source, named_children};

/// Methods that hand a function on to be called later, once for each request or event.
const LATER: &[&str] = &[
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "all",
    "use",
    "route",
    "on",
    "once",
    "handle",
    "tool",
    "registerTool",
    "registerResource",
    "registerPrompt",
    "setRequestHandler",
    "command",
    "action",
    "hears",
    "event",
    "message",
    "middleware",
    "setTimeout",
    "setInterval",
    "addEventListener",
    "procedure",
    "query",
    "mutation",
    "add",
    "schedule",
];

/// Methods whose function runs right away, or when what they wait for is there.
const NOW: &[&str] = &[
    "then", "catch", "finally", "forEach", "map", "filter", "find", "some", "every", "reduce",
    "flatMap", "all", "listen", "connect", "from",
];

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Moment {
    /// It runs when the file is loaded.
    Load,
    /// It runs when the function or class of this name is called.
    In(String),
    /// It runs for a request or an event.
    Later,
}

/// A call, as far as starting is concerned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Lead {
    pub(crate) moment: Moment,
    pub(crate) name: String,
}

/// When the statement around `node` runs.
pub(crate) fn moment(source: &Source, node: Node<'_>) -> Moment {
    let mut inner = node;
    while let Some(around) = inner.parent() {
        match around.kind() {
            "function_declaration" | "generator_function_declaration" => {
                return named(source, around);
            }
            "method_definition" => {
                let name = around
                    .child_by_field_name("name")
                    .map(|name| source.text_of(name));
                // What a class does when one of it is made is known by the class.
                if matches!(
                    name,
                    Some("constructor" | "onModuleInit" | "onApplicationBootstrap")
                ) {
                    let class = around.parent().and_then(|body| body.parent());
                    return class.map_or(Moment::Later, |class| made(source, class));
                }
                return named(source, around);
            }
            "public_field_definition" | "field_definition" if inner.kind() != "arrow_function" => {
                let class = around.parent().and_then(|body| body.parent());
                return class.map_or(Moment::Later, |class| made(source, class));
            }
            "arrow_function" | "function_expression" | "function" => {
                if let Some(found) = of_expression(source, around) {
                    return found;
                }
            }
            "if_statement" if depends(source, around, inner) => return Moment::Later,
            "switch_case" | "switch_default" => return Moment::Later,
            "ternary_expression" if around.child_by_field_name("condition") != Some(inner) => {
                return Moment::Later;
            }
            "binary_expression" if stands_in(around, inner) => return Moment::Later,
            // What is caught and told of does not end the program.
            "try_statement" if is_swallowed(source, around, inner) => return Moment::Later,
            _ => {}
        }
        inner = around;
    }
    Moment::Load
}

/// Whether a part of an `if` runs only in some settings. That a file is the program's own is no setting.
fn depends(source: &Source, condition: Node<'_>, part: Node<'_>) -> bool {
    let Some(test) = condition.child_by_field_name("condition") else {
        return false;
    };
    if test == part {
        return false;
    }
    let own = |text: &str| {
        ["require.main", "import.meta", "process.argv[1]"]
            .iter()
            .any(|own| text.contains(own))
    };
    // `const entry = process.argv[1]; if (entry.endsWith("index.js")) …`
    let text = source.text_of(test);
    let object = text
        .trim_start_matches('(')
        .split('.')
        .next()
        .unwrap_or(text);
    let declared = || {
        let value = declaration(source, object)?;
        Some(source.text_of(value))
    };
    let named = || source.text.contains("process.argv[1]") && declared().is_some_and(own);
    !(own(text) || named())
}

/// Whether a part of an expression is looked at only for what stands before it: `on && x`, `first ?? x`. Of several
/// checks in a row (`!a || !b`) each is one.
fn stands_in(expression: Node<'_>, part: Node<'_>) -> bool {
    let operator = expression
        .child_by_field_name("operator")
        .map_or("", |operator| operator.kind());
    let check = matches!(
        part.kind(),
        "unary_expression" | "binary_expression" | "parenthesized_expression"
    );
    expression.child_by_field_name("right") == Some(part)
        && (matches!(operator, "&&" | "??") || operator == "||" && !check)
}

/// Whether what fails in a part of a `try` is caught and goes no further.
fn is_swallowed(source: &Source, attempt: Node<'_>, part: Node<'_>) -> bool {
    let body = attempt.child_by_field_name("body");
    let handler = attempt.child_by_field_name("handler");
    body == Some(part)
        && handler.is_some_and(|handler| {
            let text = source.text_of(handler);
            !text.contains("throw") && !text.contains("exit(")
        })
}

/// Decorators of Nest, which makes one of each class that has one when the application starts.
const PROVIDED: &[&str] = &[
    "Injectable",
    "Controller",
    "Module",
    "Resolver",
    "Catch",
    "Processor",
    "WebSocketGateway",
];

/// When one of a class is made.
fn made(source: &Source, class: Node<'_>) -> Moment {
    let exported = class
        .parent()
        .filter(|node| node.kind() == "export_statement");
    let decorators = std::iter::once(class)
        .chain(exported)
        .flat_map(named_children)
        .filter(|node| node.kind() == "decorator");
    let mut names = decorators.map(|node| {
        let text = source.text_of(node).trim_start_matches('@');
        text.split('(').next().unwrap_or(text)
    });
    match names.any(|name| PROVIDED.contains(&name)) {
        true => Moment::Load,
        false => named(source, class),
    }
}

fn named(source: &Source, node: Node<'_>) -> Moment {
    node.child_by_field_name("name")
        .map_or(Moment::Later, |name| {
            Moment::In(source.text_of(name).to_owned())
        })
}

/// When a function without a name of its own runs; `None` where the statement around it says.
fn of_expression(source: &Source, function: Node<'_>) -> Option<Moment> {
    let mut outer = function.parent()?;
    while matches!(
        outer.kind(),
        "parenthesized_expression" | "as_expression" | "await_expression"
    ) {
        outer = outer.parent()?;
    }
    match outer.kind() {
        "variable_declarator" | "public_field_definition" | "field_definition" => {
            Some(named(source, outer))
        }
        "pair" | "assignment_expression" => Some(
            outer
                .child_by_field_name("key")
                .or_else(|| outer.child_by_field_name("left"))
                .map_or(Moment::Later, |name| {
                    let text = source.text_of(name);
                    Moment::In(text.rsplit('.').next().unwrap_or(text).to_owned())
                }),
        ),
        // `(async () => { … })()`.
        "call_expression" => None,
        "arguments" => {
            let call = outer.parent()?;
            let called = call
                .child_by_field_name("function")
                .map(|name| source.text_of(name))
                .unwrap_or_default();
            let method = called.rsplit('.').next().unwrap_or_default();
            let now = NOW.contains(&method) && called.contains('.');
            (!now).then_some(Moment::Later)
        }
        "export_statement" => Some(Moment::In("default".to_owned())),
        _ => Some(Moment::Later),
    }
}

/// The name that a call leads to, where it may be one of the program's own.
pub(crate) fn called(source: &Source, call: Node<'_>) -> Option<String> {
    let function = call
        .child_by_field_name("function")
        .or_else(|| call.child_by_field_name("constructor"))?;
    let text = source.text_of(function);
    let (object, name) = text.rsplit_once('.').unwrap_or(("", text));
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '#'));
    // A method of an object may be any method of that name: it counts where the program's own first lines call it.
    let known = object.is_empty()
        || object == "this"
        || object.starts_with(|c: char| c.is_ascii_uppercase())
        || object
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'))
            && moment(source, call) == Moment::Load;
    (plain && known && !name.is_empty() && !LATER.contains(&name)).then(|| name.to_owned())
}

/// Functions that a framework calls when it starts, by the stem of their file.
const CALLED_AT_START: &[(&str, &str)] =
    &[("instrumentation", "register"), ("hooks.server", "init")];

/// Names of functions and classes that run when a program starts that reaches these files.
pub(crate) fn names<'f>(
    reached: impl Iterator<Item = (&'f Path, &'f FileFacts)> + Clone,
) -> BTreeSet<String> {
    let mut running: BTreeSet<String> = reached
        .clone()
        .filter_map(|(path, _)| path.file_stem()?.to_str())
        .filter_map(|stem| CALLED_AT_START.iter().find(|(file, _)| *file == stem))
        .map(|(_, function)| (*function).to_owned())
        .collect();
    let mut leads: Vec<&Lead> = reached.flat_map(|(_, facts)| &facts.leads).collect();
    loop {
        let before = running.len();
        leads.retain(|lead| {
            let runs = match &lead.moment {
                Moment::Load => true,
                Moment::In(name) => running.contains(name),
                Moment::Later => false,
            };
            if runs {
                running.insert(lead.name.clone());
            }
            !runs && lead.moment != Moment::Later
        });
        if running.len() == before {
            return running;
        }
    }
}
