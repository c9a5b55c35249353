//! Variables of which one is enough: `if not (os.getenv("A") or os.getenv("B")): raise …`.

use std::sync::Arc;

use plimsoll_diag::Span;

use crate::found::FoundVariable;
use crate::python::environment::read_of;
use crate::python::module::Module;
use crate::python::startup::Startup;
use crate::python::value::Value;

/// How many names are followed one after the other.
const STEPS: usize = 4;

/// The variables of every check that ends a service when none of several is set. `known` is what it reads.
pub(crate) fn one_of(
    modules: &[Arc<Module>],
    startup: &Startup,
    known: &[FoundVariable],
) -> Vec<FoundVariable> {
    let mut found = Vec::new();
    for module in modules {
        let startup = startup.within(module);
        let mut add = |names: Option<Vec<String>>, span: Span| {
            let names = names.unwrap_or_default();
            let settled = |name: &String| {
                let mut read = known.iter().filter(|variable| variable.name == *name);
                read.any(|variable| {
                    variable.required
                        || variable
                            .default
                            .as_deref()
                            .is_some_and(|text| !text.is_empty())
                })
            };
            if !names.iter().any(settled) {
                found.extend(FoundVariable::one_of(names, &span));
            }
        };
        for check in &module.one_of {
            if !startup.insists(&check.scope) {
                continue;
            }
            let path = &check.scope.path;
            let mut names = all(&check.values, module, path, known, 0);
            if let (Some(known), Some(list)) = (&mut names, &check.over) {
                match listed(list, module, path) {
                    Some(more) => known.extend(more),
                    None => names = None,
                }
            }
            add(names, module.span(check.place));
        }
        // `key = os.getenv("A") or os.getenv("B")`, and a check of `key` afterwards.
        for (scope, name) in &module.insisted {
            let binding = module
                .bindings
                .iter()
                .rev()
                .find(|binding| binding.target == *name && binding.scope.path == *scope);
            let Some(binding) = binding.filter(|_| startup.reaches(scope)) else {
                continue;
            };
            let names = binding
                .value
                .as_ref()
                .and_then(|value| names(value, module, scope, known, 0));
            add(names, module.span(binding.place));
        }
    }
    found
}

fn all(
    values: &[Value],
    module: &Module,
    path: &str,
    known: &[FoundVariable],
    steps: usize,
) -> Option<Vec<String>> {
    let names: Option<Vec<_>> = values
        .iter()
        .map(|value| names(value, module, path, known, steps))
        .collect();
    Some(names?.concat())
}

/// The variables of which one is enough for a value to be there; `None` where something else may give it.
fn names(
    value: &Value,
    module: &Module,
    path: &str,
    known: &[FoundVariable],
    steps: usize,
) -> Option<Vec<String>> {
    if steps > STEPS {
        return None;
    }
    match value {
        Value::Call(call) => {
            let read = read_of(call, module)?;
            let mut found = vec![read.name.to_owned()];
            match read.default {
                None => {}
                Some(Value::Text(text)) if text.is_empty() => {}
                Some(other) => found.extend(names(other, module, path, known, steps + 1)?),
            }
            Some(found)
        }
        Value::Subscript(base, index) => {
            let of_environment = module.qualify(base.as_name()?) == "os.environ";
            Some(vec![index.as_text().filter(|_| of_environment)?.to_owned()])
        }
        Value::Either(values) => all(values, module, path, known, steps + 1),
        Value::Name(name) => {
            let binding = module.bindings.iter().rev().find(|binding| {
                binding.target == *name && (*binding.scope.path == *path || binding.scope.is_top())
            });
            if let Some(value) = binding.and_then(|binding| binding.value.as_ref()) {
                return names(value, module, path, known, steps + 1);
            }
            // `settings.openai_api_key` is what the settings read.
            let (_, field) = name.rsplit_once('.')?;
            let upper = field.to_ascii_uppercase();
            let mut read = known.iter();
            let read = read.find(|variable| variable.name.eq_ignore_ascii_case(&upper))?;
            Some(vec![read.name.clone()])
        }
        _ => None,
    }
}

/// The names of a list, as it is or by its name.
fn listed(list: &Value, module: &Module, path: &str) -> Option<Vec<String>> {
    let list = match list {
        Value::Name(name) => {
            let binding = module.bindings.iter().rev().find(|binding| {
                binding.target == *name && (*binding.scope.path == *path || binding.scope.is_top())
            });
            binding?.value.as_ref()?
        }
        other => other,
    };
    let Value::List(items) = list else {
        return None;
    };
    let texts = items.iter().map(|item| item.as_text().map(str::to_owned));
    texts.collect()
}
