//! Which of several ways a program takes by itself: the default of the value that chooses among them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::python::evaluate::evaluate;
use crate::python::graph::Target;
use crate::python::module::{Module, PlacedCall};
use crate::python::value::{Call, Value};
use crate::python::workspace::Workspace;

/// Whether the branches around a call are taken when nobody says otherwise; `None` where there are none, or where
/// the value's default is not known.
pub(crate) fn is_default(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    placed: &PlacedCall,
) -> Option<bool> {
    let around = module.branches.iter().filter(|branch| {
        branch.place.start <= placed.call.place.start && placed.call.place.end <= branch.place.end
    });
    let mut taken = None;
    for branch in around {
        let scope = &placed.scope.path;
        let Some(text) = default_of(workspace, module, scope, &branch.subject) else {
            continue;
        };
        if !branch.runs_for(&text) {
            return Some(false);
        }
        taken = Some(true);
    }
    taken
}

/// The text that a value is when nobody says otherwise: a constant, the default of an option, of a variable, or of a
/// field of that name in the settings that the file imports.
pub(crate) fn default_of(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    value: &Value,
) -> Option<String> {
    if let Some(text) = workspace.constant(module, scope, value).text {
        return Some(text);
    }
    // `settings.transport.lower().replace("-", "_")`.
    if let Value::Call(call) = value {
        let base = match &call.function {
            Value::Attribute(base, _) => Cow::Borrowed(&**base),
            Value::Name(name) => Cow::Owned(Value::Name(name.rsplit_once('.')?.0.to_owned())),
            _ => return None,
        };
        let text = default_of(workspace, module, scope, &base)?;
        return match (call.method()?, call.arguments.as_slice()) {
            ("lower", []) => Some(text.to_ascii_lowercase()),
            ("upper", []) => Some(text.to_ascii_uppercase()),
            ("strip", []) => Some(text.trim().to_owned()),
            ("replace", [from, to]) => Some(text.replace(from.as_text()?, to.as_text()?)),
            _ => None,
        };
    }
    let name = value.as_name()?;
    let bound = module
        .bindings
        .iter()
        .find(|binding| *binding.scope.path == *scope && binding.target == name);
    if let Some(Value::Call(call)) = bound.and_then(|binding| binding.value.as_ref())
        && matches!(call.method(), Some("lower" | "upper" | "strip" | "replace"))
    {
        return default_of(workspace, module, scope, &Value::Call(call.clone()));
    }
    // A parameter without a default is given by whoever calls the function.
    if !name.contains('.')
        && let Some(text) = handed(workspace, module, scope, name)
    {
        return Some(text);
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    option(module, last).or_else(|| field(workspace, module, last))
}

/// What the callers of a function in this file hand it as the parameter `name`.
fn handed(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    name: &str,
) -> Option<String> {
    let function = module.function(scope)?;
    let position = function
        .parameters
        .iter()
        .position(|parameter| parameter.name == name)?;
    module.calls.iter().find_map(|placed| {
        if placed.call.function.as_name() != Some(&function.name) || *placed.scope.path == *scope {
            return None;
        }
        let value = placed.call.argument(position, name)?;
        // One step only: callers of callers say less and less.
        let text = workspace.constant(module, &placed.scope.path, value).text;
        text.or_else(|| option(module, value.as_name()?.rsplit('.').next()?))
    })
}

/// The default of a command-line option of that name: click's and typer's.
fn option(module: &Module, name: &str) -> Option<String> {
    let flag = format!("--{}", name.replace('_', "-"));
    let says = |call: &Call| {
        let named = call
            .arguments
            .iter()
            .filter_map(Value::as_text)
            .any(|text| text == flag || text == name);
        (named && matches!(call.method(), Some("option" | "Option" | "add_argument")))
            .then(|| evaluate(call.keyword("default")?, module, "").text)
            .flatten()
    };
    let decorators = module
        .functions
        .iter()
        .flat_map(|function| &function.decorators)
        .filter_map(|(decorator, _)| decorator.as_call());
    let parameters = module
        .functions
        .iter()
        .flat_map(|function| &function.parameters)
        .filter(|parameter| parameter.name == name)
        .filter_map(|parameter| parameter.default.as_ref()?.as_call())
        .filter(|call| call.method() == Some("Option"))
        .find_map(|call| evaluate(call.argument(0, "default")?, module, "").text);
    decorators
        .chain(module.calls.iter().map(|placed| &placed.call))
        .find_map(says)
        .or(parameters)
}

/// The option that changes the address in a value, where it is the loopback or unknown when nobody says otherwise:
/// `--host` of `click.option("--host", default="localhost")`. What only a subcommand takes is no option of the program.
pub(crate) fn address_option(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    value: &Value,
) -> Option<String> {
    let name = value.as_name()?.rsplit('.').next()?;
    let flag = format!("--{}", name.replace('_', "-"));
    let says = |call: &Call, method: &str| {
        call.method() == Some(method)
            && call
                .arguments
                .iter()
                .any(|text| text.as_text() == Some(&flag))
    };
    let subcommands = module
        .calls
        .iter()
        .any(|placed| placed.call.method() == Some("add_subparsers"));
    let parsed = !subcommands
        && module
            .calls
            .iter()
            .any(|placed| says(&placed.call, "add_argument"));
    let decorated = module.functions.iter().any(|function| {
        let decorators = || {
            let calls = function.decorators.iter();
            calls.filter_map(|(decorator, _)| decorator.as_call())
        };
        decorators().any(|call| says(call, "option"))
            && decorators().any(|call| module.callee(call).as_deref() == Some("click.command"))
    });
    if !(parsed || decorated) {
        return None;
    }
    let open = default_of(workspace, module, scope, value)
        .is_some_and(|text| matches!(text.as_str(), "0.0.0.0" | "::" | "" | "*"));
    (!open).then_some(flag)
}

/// The default of a field of that name in a class of this file or of one that it imports, or of an option there.
fn field(workspace: &Workspace<'_>, module: &Arc<Module>, name: &str) -> Option<String> {
    let roots = workspace.roots(&module.path);
    let here = std::iter::once(module.clone());
    let imported = module.imports.iter().flat_map(|import| {
        match workspace.modules.resolve(module, import, &roots) {
            Target::Files(files) => files
                .iter()
                .filter_map(|file| workspace.modules.get(file))
                .collect(),
            _ => Vec::new(),
        }
    });
    here.chain(imported).find_map(|module| {
        let field = module.bindings.iter().find_map(|binding| {
            let inside_class = module.classes.iter().any(|class| {
                *binding.scope.path == *crate::python::module::join(&class.scope.path, &class.name)
            });
            if binding.target != name || !inside_class {
                return None;
            }
            match binding.value.as_ref()? {
                Value::Call(call) if call.method() == Some("Field") => {
                    evaluate(call.argument(0, "default")?, &module, "").text
                }
                value => workspace.constant(&module, &binding.scope.path, value).text,
            }
        });
        field.or_else(|| option(&module, name))
    })
}
