//! What an attribute of a settings object is when nobody says otherwise, wherever the object is made.

use std::path::Path;
use std::sync::Arc;

use super::{Described, Owner, STEPS, holds};
use crate::python::configured::configured;
use crate::python::evaluate::{Constant, evaluate};
use crate::python::module::Module;
use crate::python::value::{Call, Value};
use crate::python::workspace::Workspace;

/// What an attribute of a settings object is when nobody says otherwise: `settings.server.port`,
/// `get_settings().port`, `Config.PORT`, or a name that is bound to one.
pub(crate) fn constant(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    value: &Value,
) -> Option<Constant> {
    followed(workspace, module, scope, value, 0)
}

fn followed(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    value: &Value,
    depth: usize,
) -> Option<Constant> {
    if depth > STEPS {
        return None;
    }
    match value {
        Value::Call(call) if matches!(call.method(), Some("int" | "str")) => {
            let inner = call.arguments.first()?;
            return followed(workspace, module, scope, inner, depth + 1);
        }
        Value::Either(values) => {
            return values
                .iter()
                .find_map(|value| followed(workspace, module, scope, value, depth + 1));
        }
        Value::Name(name) if !name.contains('.') => {
            let binding = module
                .bindings
                .iter()
                .rfind(|binding| binding.target == *name && *binding.scope.path == *scope)?;
            let value = binding.value.as_ref()?;
            return followed(workspace, module, scope, value, depth + 1);
        }
        _ => {}
    }
    let (root, names) = steps(value)?;
    match root {
        Some(call) => {
            let owner = made(workspace, module, scope, call, 0);
            attribute(workspace, module, owner, &names)
        }
        None => (1..names.len()).rev().find_map(|at| {
            let (object, rest) = names.split_at(at);
            let owner = object_class(workspace, module, scope, &object.join("."))?;
            attribute(workspace, module, Some(owner), rest)
        }),
    }
}

/// The call that an attribute is asked of, and the names of the attributes, outermost object first.
fn steps(value: &Value) -> Option<(Option<&Call>, Vec<&str>)> {
    let mut names = Vec::new();
    let mut value = value;
    loop {
        match value {
            Value::Attribute(base, name) => {
                names.insert(0, name.as_str());
                value = base;
            }
            Value::Call(call) if !names.is_empty() => return Some((Some(call), names)),
            Value::Name(name) => {
                let mut whole: Vec<&str> = name.split('.').collect();
                whole.append(&mut names);
                return (whole.len() > 1).then_some((None, whole));
            }
            _ => return None,
        }
    }
}

/// The class of the object that a name stands for.
fn object_class(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    name: &str,
) -> Option<Owner> {
    if let Some(definition) = workspace.definition(module, scope, name) {
        return match &definition.binding.value {
            Some(Value::Call(call)) => made(workspace, &definition.module, scope, call, 0),
            _ => holds(workspace, &definition.module, &definition.binding),
        };
    }
    Owner::named(workspace, module, name)
}

/// The class of what a call gives.
fn made(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    call: &Call,
    depth: usize,
) -> Option<Owner> {
    if depth > STEPS {
        return None;
    }
    let name = call.function.as_name()?;
    let (origin, name) = workspace.origin(module, name)?;
    if origin.class(&name).is_some() {
        return Owner::named(workspace, &origin, &name);
    }
    let Some(function) = origin.function(&name) else {
        // `Settings.load()`.
        let (class, _) = name.rsplit_once('.')?;
        return Owner::named(workspace, &origin, class);
    };
    let stated = match &function.result {
        Some(Value::Name(name) | Value::Text(name)) => Owner::named(workspace, &origin, name),
        _ => None,
    };
    let inside = function.inner_path();
    stated.or_else(|| {
        function.returns.iter().find_map(|value| match value {
            Value::Call(call) => made(workspace, &origin, &inside, call, depth + 1),
            Value::Name(name) if origin.path != module.path || inside != scope => {
                let definition = workspace.definition(&origin, &inside, name)?;
                let call = definition.binding.value.as_ref()?.as_call()?;
                made(workspace, &definition.module, &inside, call, depth + 1)
            }
            _ => None,
        })
    })
}

/// What the attribute at the end of `names` is, asked of an object of the class `owner`.
fn attribute(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    owner: Option<Owner>,
    names: &[&str],
) -> Option<Constant> {
    let file = |owner: Option<&Owner>| {
        let path: &Path = owner.map_or(&module.path, |owner| &owner.module.path);
        configured(workspace, path, names)
    };
    let Some(mut owner) = owner else {
        return file(None);
    };
    let settings = owner.is_settings(workspace);
    let naming = owner.naming(workspace, 0);
    let mut variable = settings.then(|| naming.prefix.clone().unwrap_or_default());
    for (index, name) in names.iter().enumerate() {
        let Some((home, field)) = owner.attribute(workspace, name, 0) else {
            // `@property def bind_port(self): return self.port`.
            let handed = owner.property(name)?.to_owned();
            let rest = names.get(index + 1..).unwrap_or_default();
            let names: Vec<&str> = [handed.as_str()]
                .into_iter()
                .chain(rest.iter().copied())
                .collect();
            // A field, so that properties which hand on each other end here.
            owner.attribute(workspace, &handed, 0)?;
            return attribute(workspace, module, Some(owner), &names);
        };
        let described = Described::of(&field);
        if index + 1 == names.len() {
            let mut constant = described
                .default
                .map(|default| evaluate(default, &home, &field.scope.path))
                .unwrap_or_default();
            if constant.text.is_none() && constant.variable.is_none() && described.missing {
                constant = file(Some(&owner)).unwrap_or_default();
            }
            let named = || match &described.alias {
                Some(alias) => Some(alias.to_uppercase()),
                None => Some(format!("{}{name}", variable.as_ref()?).to_uppercase()),
            };
            constant.variable = constant
                .variable
                .clone()
                .or_else(|| named().filter(|_| settings));
            return Some(constant);
        }
        let next = holds(workspace, &home, &field)?;
        variable = if next.is_settings(workspace) {
            Some(next.naming(workspace, 0).prefix.unwrap_or_default())
        } else {
            let delimiter = naming.delimiter.as_deref();
            variable
                .zip(delimiter)
                .map(|(before, delimiter)| format!("{before}{name}{delimiter}"))
        };
        owner = next;
    }
    None
}
