//! Variables of the environment that Python code reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Span;

use crate::python::evaluate::evaluate;
use crate::python::module::{Branch, Function, Governed, Module, Moment};
use crate::python::startup::Startup;
use crate::python::value::{Call, Value};
use crate::python::workspace::Workspace;
use crate::python::{dynaconf, gathered, handed, insisting, settings};

/// One reading of a variable, as written.
pub(crate) struct Read<'c> {
    pub(crate) name: &'c str,
    pub(crate) default: Option<&'c Value>,
    /// Whether it fails when the variable is not there.
    pub(crate) strict: bool,
}

/// One reading of a variable, understood.
#[derive(Debug, Clone)]
pub(crate) struct VariableRead {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) secret: bool,
    pub(crate) default: Option<String>,
    /// The type that the code gives it, by its last name: `int`, `PostgresDsn`.
    pub(crate) type_name: Option<String>,
    pub(crate) span: Span,
    pub(crate) why: String,
}

/// The variable that a call reads, if it reads one.
pub(crate) fn read_of<'c>(call: &'c Call, module: &Module) -> Option<Read<'c>> {
    let callee = module.callee(call)?;
    let name = call.arguments.first().and_then(Value::as_text);
    let default = call
        .keyword("default")
        .or_else(|| call.arguments.get(1))
        .filter(|default| **default != Value::None);
    match callee.as_ref() {
        "os.getenv" | "os.environ.get" | "os.environ.setdefault" | "os.environ.pop" => Some(Read {
            name: name?,
            default,
            strict: false,
        }),
        // decouple, starlette and environs: without a default they fail.
        "decouple.config" | "decouple.AutoConfig" => Some(Read {
            name: name?,
            default: call
                .argument(1, "default")
                .filter(|default| **default != Value::None),
            strict: call.argument(1, "default").is_none(),
        }),
        "dj_database_url.config" => Some(Read {
            name: name
                .or_else(|| call.keyword("env").and_then(Value::as_text))
                .unwrap_or("DATABASE_URL"),
            default: call.keyword("default"),
            strict: false,
        }),
        _ => {
            // django-environ has usual names for what its methods make.
            let usual = || match call.method() {
                Some("db" | "db_url" | "dj_db_url") => Some("DATABASE_URL"),
                Some("cache" | "cache_url") => Some("CACHE_URL"),
                Some("email" | "email_url") => Some("EMAIL_URL"),
                _ => None,
            };
            let name = name.or_else(usual)?;
            if !looks_like_variable(name) {
                return None;
            }
            let receiver = call.receiver().unwrap_or(call.function.as_name()?);
            let first = receiver.split('.').next()?;
            let maker = module.top_value(first)?.value.as_ref()?.as_call()?;
            let maker = module.callee(maker)?;
            let reader = matches!(
                maker.as_ref(),
                "environ.Env"
                    | "environs.Env"
                    | "environs.env"
                    | "starlette.config.Config"
                    | "environ.FileAwareEnv"
            );
            reader.then(|| Read {
                name,
                default,
                strict: call.keyword("default").is_none() && call.arguments.len() < 2,
            })
        }
    }
}

/// Every variable that the files of a closure read.
pub(crate) fn reads(
    workspace: &Workspace<'_>,
    files: &BTreeMap<Arc<Path>, Moment>,
    startup: &Startup,
) -> Vec<VariableRead> {
    let loaded: Vec<Arc<Module>> = files
        .keys()
        .filter_map(|path| workspace.modules.get(path))
        .collect();
    let wrappers = wrappers(&loaded);
    let mut found = Vec::new();
    for module in &loaded {
        let startup = startup.within(module);
        plain_reads(module, startup, &mut found);
        iterated_reads(module, startup, &mut found);
        insisting::reads(module, startup, &mut found);
        wrapped_reads(module, &wrappers, startup, &mut found);
        handed::reads(workspace, module, &loaded, startup, &mut found);
        settings::reads(workspace, module, &loaded, &mut found);
        dynaconf::reads(workspace, module, &loaded, &mut found);
    }
    gathered::reads(&loaded, startup, &mut found);
    found
}

fn plain_reads(module: &Module, startup: &Startup, found: &mut Vec<VariableRead>) {
    for placed in &module.calls {
        let Some(read) = read_of(&placed.call, module) else {
            continue;
        };
        let default = read
            .default
            .and_then(|default| evaluate(default, module, &placed.scope.path).text);
        let required = default.is_none()
            && !matches!(read.default, Some(Value::Call(_)))
            && (read.default.is_none() && read.strict && startup.insists(&placed.scope)
                || is_insisted_on(module, &placed.call, &placed.scope.path)
                    && startup.reaches(&placed.scope.path));
        found.push(VariableRead {
            name: read.name.to_owned(),
            required,
            secret: false,
            type_name: type_around(module, &placed.call),
            default,
            span: module.span(placed.call.place),
            why: format!("reads `{}`", read.name),
        });
    }
    for subscript in &module.subscripts {
        let (Some(base), Some(name)) = (subscript.base.as_name(), subscript.index.as_text()) else {
            continue;
        };
        if module.qualify(base) == "os.environ" {
            found.push(VariableRead {
                name: name.to_owned(),
                required: startup.insists(&subscript.scope)
                    && !is_asked_for(module, name, &subscript.scope.path),
                secret: false,
                default: None,
                type_name: None,
                span: module.span(subscript.place),
                why: format!("reads `{name}` and fails without it"),
            });
        }
    }
}

/// Variables that a loop asks for by the names of a list: `[name for name in NAMES if not os.getenv(name)]`.
fn iterated_reads(module: &Module, startup: &Startup, found: &mut Vec<VariableRead>) {
    for iteration in &module.iterations {
        let reading = module.calls.iter().find(|placed| {
            let callee = module.callee(&placed.call);
            *placed.scope.path == *iteration.scope.path
                && matches!(callee.as_deref(), Some("os.getenv" | "os.environ.get"))
                && placed.call.arguments.len() == 1
                && placed.call.arguments[0].as_name() == Some(&iteration.name)
        });
        let Some(reading) = reading else {
            continue;
        };
        let listed = match &iteration.over {
            Value::Name(name) => module
                .bindings
                .iter()
                .rev()
                .find(|binding| {
                    binding.target == *name
                        && (binding.scope.is_top() || binding.scope.path == iteration.scope.path)
                })
                .and_then(|binding| binding.value.as_ref()),
            value => Some(value),
        };
        let names: Vec<&str> = match listed {
            Some(Value::List(items)) => items.iter().filter_map(Value::as_text).collect(),
            Some(Value::Table(entries)) => entries
                .iter()
                .filter_map(|(key, _)| key.as_text())
                .collect(),
            _ => continue,
        };
        let ends = module.insisted_calls.contains(&reading.call.place)
            || module
                .ended_by
                .iter()
                .any(|(scope, _)| **scope == *iteration.scope.path);
        let required = ends && startup.reaches(&iteration.scope.path);
        for name in names.into_iter().filter(|name| looks_like_variable(name)) {
            found.push(VariableRead {
                name: name.to_owned(),
                required,
                secret: false,
                default: None,
                type_name: None,
                span: module.span(reading.call.place),
                why: match required {
                    true => format!("asks for `{name}` and ends without it"),
                    false => format!("asks for `{name}`"),
                },
            });
        }
    }
}

pub(super) fn looks_like_variable(name: &str) -> bool {
    name.contains(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Whether the file gives the variable a value before it is read: `os.environ.setdefault("X", …)`,
/// `os.environ["X"] = …`.
fn is_asked_for(module: &Module, name: &str, path: &str) -> bool {
    module.calls.iter().any(|placed| {
        *placed.scope.path == *path
            && matches!(
                module.callee(&placed.call).as_deref(),
                Some("os.environ.setdefault" | "os.environ.__setitem__")
            )
            && placed.call.arguments.first().and_then(Value::as_text) == Some(name)
    })
}

/// Whether the value read is checked and its absence ends the work: `if not KEY: raise …`.
fn is_insisted_on(module: &Module, call: &Call, path: &str) -> bool {
    let governed = |checks: &dyn Fn(&Governed) -> bool| {
        let mut all = module.governed.iter();
        all.any(|check| checks(check) && is_governed_by_defaults(module, check))
    };
    module.insisted_calls.contains(&call.place)
        || governed(&|check| check.name.is_none() && check.value == call.place)
        || module.bindings.iter().any(|binding| {
            let bound = *binding.scope.path == *path
                && matches!(&binding.value, Some(Value::Call(bound)) if bound.place == call.place);
            let target = &binding.target;
            bound
                && (module
                    .insisted
                    .iter()
                    .any(|(scope, name)| **scope == *path && name == target)
                    || governed(&|check| {
                        *check.scope == *path && check.name.as_ref() == Some(target)
                    }))
        })
}

/// Whether the conditions around a check hold when nobody says otherwise: `if provider == "x":` where it is `x` by
/// default.
fn is_governed_by_defaults(module: &Module, check: &Governed) -> bool {
    let around: Vec<&Branch> = module
        .branches
        .iter()
        .filter(|branch| {
            branch.place.start <= check.value.start && check.value.end <= branch.place.end
        })
        .collect();
    around.len() >= check.conditions
        && around.iter().all(|branch| {
            let usual = evaluate(&branch.subject, module, &check.scope).text;
            usual.is_some_and(|text| branch.runs_for(&text))
        })
}

/// `int` of `int(os.getenv("PORT"))`.
fn type_around(module: &Module, call: &Call) -> Option<String> {
    module
        .calls
        .iter()
        .find(|outer| {
            matches!(outer.call.arguments.first(), Some(Value::Call(inner)) if inner.place == call.place)
        })
        .and_then(|outer| outer.call.method())
        .filter(|name| matches!(*name, "int" | "float" | "bool" | "Path"))
        .map(str::to_owned)
}

/// A function that reads the variable which a parameter names.
#[derive(Debug, Clone, PartialEq)]
struct Wrapper {
    name: String,
    /// Which of its parameters is the variable's name.
    position: usize,
    /// Which one is the default.
    default: Option<usize>,
    /// Whether it ends the work where the variable is not there; for one that a parameter `required` tells, that
    /// parameter's default.
    insists: Insists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Insists {
    Never,
    Always,
    WhenTold { usually: bool },
}

/// Functions that read the variable named by a parameter.
fn wrappers(modules: &[Arc<Module>]) -> Vec<Wrapper> {
    let mut found: Vec<Wrapper> = Vec::new();
    for module in modules {
        let takes_all = takes_whole_environment(module);
        for placed in &module.calls {
            let callee = module.callee(&placed.call);
            let reads = matches!(
                callee.as_deref(),
                Some("os.getenv" | "os.environ.get" | "environ.get")
            );
            // What was merged with the whole environment is asked by a method of its own.
            let asks = takes_all
                && matches!(
                    placed.call.method(),
                    Some("get" | "get_config" | "get_setting")
                );
            if !reads && !asks {
                continue;
            }
            let Some(function) = module.function(&placed.scope.path) else {
                continue;
            };
            let Some(position) = parameter(function, placed.call.arguments.first()) else {
                continue;
            };
            let default = parameter(function, placed.call.arguments.get(1))
                .or_else(|| parameter_called(function, &["default"]));
            let insisted = is_insisted_on(module, &placed.call, &placed.scope.path);
            add_wrapper(function, (position, default, insisted), &mut found);
        }
        for subscript in &module.subscripts {
            let environment = subscript
                .base
                .as_name()
                .is_some_and(|name| module.qualify(name) == "os.environ");
            let function = module.function(&subscript.scope.path);
            if let Some(function) = function.filter(|_| environment)
                && let Some(position) = parameter(function, Some(&subscript.index))
            {
                let told = (position, None, !subscript.scope.conditional);
                add_wrapper(function, told, &mut found);
            }
        }
    }
    found
}

fn add_wrapper(
    function: &Function,
    (position, default, insisted): (usize, Option<usize>, bool),
    found: &mut Vec<Wrapper>,
) {
    // So much else is called so that a call says nothing.
    if function.name == "get" {
        return;
    }
    let told = function
        .parameters
        .iter()
        .find(|parameter| matches!(parameter.name.as_str(), "required" | "mandatory"));
    let insists = match (told, insisted) {
        (_, true) => Insists::Always,
        (Some(told), false) => Insists::WhenTold {
            usually: told.default == Some(Value::Boolean(true)),
        },
        (None, false) => Insists::Never,
    };
    let wrapper = Wrapper {
        name: function.name.clone(),
        position,
        default,
        insists,
    };
    // What it reads twice it insists on where it does so once.
    match found
        .iter_mut()
        .find(|known| known.name == wrapper.name && known.position == position)
    {
        Some(known) if known.insists == Insists::Never => known.insists = insists,
        Some(_) => {}
        None => found.push(wrapper),
    }
}

/// Which parameter of a function a value is.
fn parameter(function: &Function, value: Option<&Value>) -> Option<usize> {
    parameter_called(function, &[value?.as_name()?])
}

fn parameter_called(function: &Function, names: &[&str]) -> Option<usize> {
    function
        .parameters
        .iter()
        .filter(|parameter| parameter.name != "self" && parameter.name != "cls")
        .position(|parameter| names.contains(&parameter.name.as_str()))
}

/// Whether a file takes the whole environment: `dict(os.environ)`, `{**os.environ}`.
fn takes_whole_environment(module: &Module) -> bool {
    let whole = |value: &Value| {
        value
            .as_name()
            .is_some_and(|name| module.qualify(name) == "os.environ")
    };
    module
        .calls
        .iter()
        .flat_map(|placed| &placed.call.arguments)
        .chain(
            module
                .bindings
                .iter()
                .filter_map(|binding| binding.value.as_ref()),
        )
        .any(whole)
}

fn wrapped_reads(
    module: &Module,
    wrappers: &[Wrapper],
    startup: &Startup,
    found: &mut Vec<VariableRead>,
) {
    if wrappers.is_empty() {
        return;
    }
    for placed in &module.calls {
        let Some(method) = placed.call.method() else {
            continue;
        };
        let Some(wrapper) = wrappers.iter().find(|known| known.name == method) else {
            continue;
        };
        let arguments = &placed.call.arguments;
        let Some(name) = arguments.get(wrapper.position).and_then(Value::as_text) else {
            continue;
        };
        if !name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        {
            continue;
        }
        let default = placed
            .call
            .keyword("default")
            .or_else(|| arguments.get(wrapper.default?));
        let given = default.is_some_and(|default| *default != Value::None);
        let default =
            default.and_then(|default| evaluate(default, module, &placed.scope.path).text);
        let told = |name: &str| placed.call.keyword(name);
        let insists = match wrapper.insists {
            Insists::Always => true,
            Insists::Never => false,
            Insists::WhenTold { usually } => told("required")
                .or_else(|| told("mandatory"))
                .map_or(usually, |value| *value == Value::Boolean(true)),
        };
        let path = &placed.scope.path;
        let required = !given
            && (is_insisted_on(module, &placed.call, path) && startup.reaches(path)
                || insists && startup.insists(&placed.scope));
        found.push(VariableRead {
            name: name.to_owned(),
            required,
            secret: false,
            default,
            type_name: None,
            span: module.span(placed.call.place),
            why: format!("reads `{name}` through `{method}`"),
        });
    }
}
