//! Dynaconf: settings that are read under a prefix, from the environment and from files.

use std::sync::Arc;

use crate::python::environment::{VariableRead, read_of};
use crate::python::evaluate::evaluate;
use crate::python::module::Module;
use crate::python::prefix::prefix;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// The settings that a file asks for.
pub(crate) fn reads(
    workspace: &Workspace<'_>,
    module: &Module,
    loaded: &[Arc<Module>],
    found: &mut Vec<VariableRead>,
) {
    let imports_it = |module: &Module| {
        module
            .imports
            .iter()
            .any(|import| import.level == 0 && import.module == "dynaconf")
    };
    if !imports_it(module) {
        return;
    }
    let stated = loaded
        .iter()
        .filter(|module| imports_it(module))
        .find_map(|module| {
            module.calls.iter().find_map(|placed| {
                let callee = module.callee(&placed.call)?;
                if !matches!(
                    callee.as_ref(),
                    "dynaconf.Dynaconf" | "dynaconf.LazySettings"
                ) {
                    return None;
                }
                let stated = placed.call.keyword("envvar_prefix")?;
                if *stated == Value::Boolean(false) {
                    // Every variable counts, as it is called.
                    return Some(String::new());
                }
                prefix(workspace, module, &placed.scope.path, stated)
            })
        });
    let prefix = stated.unwrap_or_else(|| "DYNACONF".to_owned());
    let before = match prefix.as_str() {
        "" => String::new(),
        prefix => format!("{}_", prefix.to_uppercase()),
    };
    for placed in &module.calls {
        if placed.call.method() != Some("get") || read_of(&placed.call, module).is_some() {
            continue;
        }
        let Some(name) = placed.call.arguments.first().and_then(Value::as_text) else {
            continue;
        };
        if !name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        {
            continue;
        }
        found.push(VariableRead {
            name: format!("{before}{name}"),
            required: false,
            secret: false,
            default: placed
                .call
                .arguments
                .get(1)
                .and_then(|default| evaluate(default, module, &placed.scope.path).text),
            type_name: None,
            span: module.span(placed.call.place),
            why: format!("reads setting `{name}` under the prefix `{prefix}`"),
        });
    }
}
