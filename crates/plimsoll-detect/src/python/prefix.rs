//! Prefixes under which settings are read, put together from constants of this file and of others.

use std::sync::Arc;

use crate::python::module::Module;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// How many names are followed one after another.
const STEPS: usize = 6;

/// The text that a prefix comes to, seen from `scope` of `module`; `None` where it is made when the program runs.
pub(crate) fn prefix(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    value: &Value,
) -> Option<String> {
    follow(workspace, module, scope, value, 0)
}

fn follow(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    value: &Value,
    depth: usize,
) -> Option<String> {
    if depth > STEPS {
        return None;
    }
    if let Some(text) = workspace.constant(module, scope, value).text {
        return Some(text);
    }
    match value {
        Value::Joined(parts) => parts
            .iter()
            .map(|part| follow(workspace, module, scope, part, depth + 1))
            .collect(),
        Value::Name(name) => {
            let found = workspace.definition(module, scope, name)?;
            let inside = &found.binding.scope.path;
            let value = found.binding.value.as_ref()?;
            follow(workspace, &found.module, inside, value, depth + 1)
        }
        _ => None,
    }
}
