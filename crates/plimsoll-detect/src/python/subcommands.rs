//! Programs that do one of several things, as their first argument says: commands of click and typer, and branches on
//! an argument that argparse reads.

use crate::detection::ServiceKind;
use crate::python::candidate::{Candidate, Launch};
use crate::python::module::{Function, Module, Taken};
use crate::python::value::Value;
use crate::syntax::Place;

/// Gives candidates that are started by their own file the words without which it does something else, or nothing.
pub(crate) fn settle(candidates: &mut [Candidate]) {
    for candidate in candidates {
        let by_itself = matches!(
            candidate.launch,
            Launch::Module | Launch::ConsoleScript(_) | Launch::Package(_)
        );
        if !by_itself {
            continue;
        }
        let module = &candidate.module;
        let mut places = candidate
            .evidence
            .iter()
            .filter(|evidence| evidence.span.file == module.shown)
            .map(|evidence| Place {
                start: evidence.span.start,
                end: evidence.span.end,
            });
        let words = places.find_map(|place| {
            let around = module
                .functions
                .iter()
                .find(|function| function.scope.is_top() && holds(function.place, place));
            let of_group = around.and_then(|function| of_function(module, function));
            // Transports are chosen by flags, which others look at.
            let speaks = matches!(candidate.kind, ServiceKind::McpStdio | ServiceKind::McpHttp);
            of_group
                .map(|command| vec![command])
                .or_else(|| of_branch(module, place, around).filter(|_| !speaks))
        });
        candidate.arguments = words.unwrap_or_default();
    }
}

fn holds(outer: Place, inner: Place) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The name that a function has as one of several commands: `@app.command()` of typer, `@cli.command("serve")` of click.
pub(crate) fn of_function(module: &Module, function: &Function) -> Option<String> {
    let (group, named) = decorated(function)?;
    let several = is_group_of_click(module, group) || {
        let mut all = module.functions.iter();
        let of_typer = is_typer(module, group);
        let calls_back = all.clone().any(|other| {
            let mut decorators = other.decorators.iter();
            decorators.any(|(decorator, _)| {
                let by = decorator.as_call().and_then(|call| call.function.as_name());
                by.and_then(|by| by.strip_suffix(".callback")) == Some(group)
            })
        });
        let other = all.any(|other| {
            other.name != function.name && decorated(other).is_some_and(|(by, _)| by == group)
        });
        of_typer && (other || calls_back)
    };
    several.then(|| named.map_or_else(|| function.name.replace('_', "-"), str::to_owned))
}

/// The object that a function is a command of, and the name it is given there.
fn decorated(function: &Function) -> Option<(&str, Option<&str>)> {
    function.decorators.iter().find_map(|(decorator, _)| {
        let call = decorator.as_call()?;
        let group = call.function.as_name()?.strip_suffix(".command")?;
        let named = call.argument(0, "name").and_then(Value::as_text);
        function.scope.is_top().then_some((group, named))
    })
}

fn is_typer(module: &Module, name: &str) -> bool {
    let made = module
        .top_value(name)
        .and_then(|binding| binding.value.as_ref());
    let call = made.and_then(Value::as_call);
    call.and_then(|call| module.callee(call)).as_deref() == Some("typer.Typer")
}

fn is_group_of_click(module: &Module, name: &str) -> bool {
    module.function(name).is_some_and(|function| {
        let mut decorators = function.decorators.iter();
        decorators.any(|(decorator, _)| {
            let name = match decorator {
                Value::Call(call) => call.function.as_name(),
                other => other.as_name(),
            };
            name.is_some_and(|name| module.qualify(name) == "click.group")
        })
    })
}

/// Functions of a file that are commands of an object which calling `name` starts.
pub(crate) fn commands_of<'m>(module: &'m Module, name: &str) -> Vec<&'m str> {
    if !(is_typer(module, name) || is_group_of_click(module, name)) {
        return Vec::new();
    }
    let functions = module.functions.iter();
    functions
        .filter(|function| decorated(function).is_some_and(|(group, _)| group == name))
        .map(|function| function.name.as_str())
        .collect()
}

/// The words for which a branch around a place is taken, or around a call of the function that it stands in.
fn of_branch(module: &Module, place: Place, around: Option<&Function>) -> Option<Vec<String>> {
    let calls = module.calls.iter().filter(|placed| {
        around.is_some_and(|function| placed.call.function.as_name() == Some(&function.name))
    });
    let passed = module.calls.iter().filter(|placed| {
        let mut values = placed.call.arguments.iter();
        around.is_some_and(|function| values.any(|value| value.as_name() == Some(&function.name)))
    });
    let mut places =
        std::iter::once(place).chain(calls.chain(passed).map(|placed| placed.call.place));
    places.find_map(|place| {
        let mut branches = module.branches.iter();
        branches.find_map(|branch| {
            let [text] = branch.texts.as_slice() else {
                return None;
            };
            let taken = branch.taken == Taken::WhenOne && holds(branch.place, place);
            let name = branch.subject.as_name().filter(|_| taken)?;
            words_for(module, name.rsplit('.').next()?, text)
        })
    })
}

/// What a command line says for `args.name` to be `text`, where it is something else otherwise.
fn words_for(module: &Module, name: &str, text: &str) -> Option<Vec<String>> {
    let flag = format!("--{}", name.replace('_', "-"));
    let other = format!("--{name}");
    module.calls.iter().find_map(|placed| {
        let call = &placed.call;
        let first = call.arguments.first().and_then(Value::as_text);
        let default = call.keyword("default").and_then(Value::as_text);
        match call.method()? {
            "add_subparsers" => {
                let dest = call.keyword("dest").and_then(Value::as_text);
                (dest == Some(name)).then(|| vec![text.to_owned()])
            }
            "add_argument" if default == Some(text) => None,
            "add_argument" if first == Some(name) => Some(vec![text.to_owned()]),
            "add_argument" => {
                let mut flags = call.arguments.iter().filter_map(Value::as_text);
                let named = flags.find(|one| *one == flag || *one == other)?;
                Some(vec![named.to_owned(), text.to_owned()])
            }
            _ => None,
        }
    })
}
