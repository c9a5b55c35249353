//! Applications that an object of the project's own gives: `Server().app()`, `Server().app`, `app: FastAPI = …`.

use std::sync::Arc;

use crate::python::applications::{Made, maker, of_maker};
use crate::python::module::{Binding, Module, join};
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// How many classes and names are followed one after the other.
const STEPS: usize = 4;

/// What a binding's value is, where an object of the tree gives it, or its annotation says so.
pub(super) fn of_binding(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    binding: &Binding,
) -> Option<Made> {
    let value = binding.value.as_ref()?;
    let given = of_value(workspace, module, &binding.scope.path, value);
    given.or_else(|| {
        let annotation = binding.annotation.as_ref()?.as_name()?;
        let made = matches!(value, Value::Call(_) | Value::Attribute(..))
            || value.as_name().is_some_and(|name| name.contains('.'));
        of_maker(&module.qualify(annotation)).filter(|_| made)
    })
}

/// What an object of the tree gives by a method or an attribute.
pub(super) fn of_value(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    value: &Value,
) -> Option<Made> {
    // A method and an attribute are looked for alike: `server.app()`, `server.app`.
    let given = match value {
        Value::Call(call) => &call.function,
        other => other,
    };
    let (owner, class, member) = match given {
        Value::Attribute(base, member) => {
            let (owner, class) = class_of(workspace, module, base.as_call()?.function.as_name()?)?;
            (owner, class, member.clone())
        }
        Value::Name(name) => {
            let (receiver, member) = name.rsplit_once('.')?;
            let definition = workspace.definition(module, scope, receiver)?;
            let maker = definition
                .binding
                .value
                .as_ref()?
                .as_call()?
                .function
                .as_name()?;
            let (owner, class) = class_of(workspace, &definition.module, maker)?;
            (owner, class, member.to_owned())
        }
        _ => return None,
    };
    member_of(workspace, &owner, &class, &member, 0)
}

fn class_of(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    name: &str,
) -> Option<(Arc<Module>, String)> {
    if !workspace.modules.may_define(name) {
        return None;
    }
    let (origin, name) = workspace.origin(module, name)?;
    origin.class(&name)?;
    Some((origin, name))
}

/// What a method of a class returns, or what an attribute of its objects holds.
fn member_of(
    workspace: &Workspace<'_>,
    owner: &Arc<Module>,
    class: &str,
    member: &str,
    steps: usize,
) -> Option<Made> {
    if steps > STEPS {
        return None;
    }
    let attribute = || {
        let own = format!("self.{member}");
        let mut bindings = owner.bindings.iter();
        bindings.find_map(|binding| {
            let inside = binding.scope.path.starts_with(&format!("{class}."));
            let value = binding
                .value
                .as_ref()
                .filter(|_| inside && binding.target == own)?;
            made_in(workspace, owner, class, &binding.scope.path, value, steps)
        })
    };
    let method = || {
        let path = join(class, member);
        let function = owner.function(&path)?;
        let result = function.result.as_ref().and_then(Value::as_name);
        let stated = result.and_then(|name| of_maker(&owner.qualify(name)));
        let mut returns = function.returns.iter();
        stated.or_else(|| {
            returns.find_map(|value| made_in(workspace, owner, class, &path, value, steps))
        })
    };
    attribute().or_else(method).or_else(|| {
        let bases = &owner.class(class)?.bases;
        bases.iter().find_map(|base| {
            let (owner, class) = class_of(workspace, owner, base.as_name()?)?;
            member_of(workspace, &owner, &class, member, steps + 1)
        })
    })
}

/// What an expression inside of a method comes to.
fn made_in(
    workspace: &Workspace<'_>,
    owner: &Arc<Module>,
    class: &str,
    path: &str,
    value: &Value,
    steps: usize,
) -> Option<Made> {
    match value {
        Value::Call(call) => maker(workspace, owner, path, call).or_else(|| {
            // `self.app = self._create_app()`.
            let method = call.function.as_name()?.strip_prefix("self.")?;
            member_of(workspace, owner, class, method, steps + 1)
        }),
        Value::Name(name) => match name.strip_prefix("self.") {
            Some(member) => member_of(workspace, owner, class, member, steps + 1),
            None => {
                let mut bindings = owner.bindings.iter().rev();
                let binding = bindings
                    .find(|binding| binding.target == *name && *binding.scope.path == *path)?;
                let value = binding
                    .value
                    .as_ref()
                    .filter(|value| value.as_call().is_some())?;
                made_in(workspace, owner, class, path, value, steps + 1)
            }
        },
        _ => None,
    }
}
