//! Variables whose values are checked together in a table that names them, before the work ends without them:
//! `wanted = {"KEY": settings.key}`, `missing = [name for name, value in wanted.items() if not value]`.

use std::sync::Arc;

use crate::python::environment::{VariableRead, looks_like_variable};
use crate::python::module::{Iteration, Module};
use crate::python::startup::Startup;
use crate::python::value::Value;

/// Adds what such tables insist on. A name counts that some file reads as a variable without a default.
pub(crate) fn reads(modules: &[Arc<Module>], startup: &Startup, found: &mut Vec<VariableRead>) {
    let mut insisted = Vec::new();
    for module in modules {
        let startup = startup.within(module);
        for iteration in &module.iterations {
            if !ends_without(module, iteration) || !startup.insists(&iteration.scope) {
                continue;
            }
            for name in names(module, iteration) {
                let mut read = found.iter().filter(|read| read.name == name);
                let Some(first) = read.next() else {
                    continue;
                };
                let defaults = first.default.is_some() || read.any(|read| read.default.is_some());
                insisted.push(VariableRead {
                    required: !defaults,
                    why: format!("ends without `{name}`, which it checks among others"),
                    ..first.clone()
                });
            }
        }
    }
    found.extend(insisted);
}

/// Whether the work ends when a list holds anything that the loop filled.
fn ends_without(module: &Module, iteration: &Iteration) -> bool {
    iteration.gathers.iter().any(|list| {
        module
            .ended_by
            .iter()
            .any(|(scope, name)| *scope == iteration.scope.path && name == list)
    })
}

/// The names in the table: its keys, or the first of each of its pairs.
fn names<'m>(module: &'m Module, iteration: &'m Iteration) -> Vec<&'m str> {
    let over = match &iteration.over {
        Value::Call(call) if call.method() == Some("items") => match &call.function {
            Value::Name(name) => name.strip_suffix(".items"),
            Value::Attribute(base, _) => return keys(base),
            _ => None,
        },
        Value::Name(name) => Some(name.as_str()),
        value => return keys(value),
    };
    let bound = over.and_then(|name| {
        module.bindings.iter().rev().find(|binding| {
            binding.target == name
                && (binding.scope.is_top() || binding.scope.path == iteration.scope.path)
        })
    });
    bound
        .and_then(|binding| binding.value.as_ref())
        .map(keys)
        .unwrap_or_default()
}

fn keys(table: &Value) -> Vec<&str> {
    let names: Vec<Option<&str>> = match table {
        Value::Table(entries) => entries.iter().map(|(key, _)| key.as_text()).collect(),
        Value::List(pairs) => pairs
            .iter()
            .map(|pair| match pair {
                Value::List(parts) => parts.first()?.as_text(),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let variables = |name: &&str| looks_like_variable(name);
    names.into_iter().flatten().filter(variables).collect()
}
