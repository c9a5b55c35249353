//! Ports that Python takes from a file of settings: `yaml.safe_load(open("config.yaml"))["server"]["port"]`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::location::Origin;
use crate::places;
use crate::python::locations::location;
use crate::python::module::Module;
use crate::python::value::{Call, Value};
use crate::python::workspace::Workspace;
use crate::{settings_file, settings_port};

/// The port that `value` comes to where the way to it through a file is plain.
pub(crate) fn port(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    value: &Value,
) -> Option<u16> {
    // `int(config["port"])`
    if let Value::Call(call) = value
        && matches!(call.function.as_name(), Some("int" | "str"))
    {
        return port(workspace, module, scope, call.arguments.first()?);
    }
    let mut keys = Vec::new();
    let root = way(value, &mut keys)?;
    let definition = workspace.definition(module, scope, root)?;
    let Some(Value::Call(made)) = &definition.binding.value else {
        return None;
    };
    let (owner, path) = (&definition.module, &*definition.binding.scope.path);
    // A function of the same file may read it.
    let (loaded, path) = match is_load(owner, made) {
        true => (true, path.to_owned()),
        false => {
            let function = owner.function(made.function.as_name()?)?;
            let gives = |value: &Value| match value {
                Value::Call(call) => is_load(owner, call),
                Value::Name(name) => owner.bindings.iter().any(|binding| {
                    binding.target == *name
                        && *binding.scope.path == *function.inner_path()
                        && matches!(&binding.value, Some(Value::Call(call)) if is_load(owner, call))
                }),
                _ => false,
            };
            (function.returns.iter().any(gives), function.inner_path())
        }
    };
    let keys: Vec<&str> = keys.iter().rev().map(String::as_str).collect();
    files(workspace, owner, &path)
        .into_iter()
        .filter(|_| loaded)
        .find_map(|file| settings_file::port(workspace.tree, &file, &keys))
}

/// The name that a chain of keys begins with, its last key first in `keys`.
fn way<'v>(value: &'v Value, keys: &mut Vec<String>) -> Option<&'v str> {
    match value {
        Value::Name(name) if !keys.is_empty() => Some(name),
        Value::Subscript(base, key) => {
            keys.push(key.as_text()?.to_owned());
            way(base, keys)
        }
        Value::Call(call) if call.method() == Some("get") => {
            keys.push(call.arguments.first()?.as_text()?.to_owned());
            match &call.function {
                Value::Attribute(base, _) => way(base, keys),
                Value::Name(name) => name.strip_suffix(".get"),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a call reads settings.
fn is_load(module: &Module, call: &Call) -> bool {
    let callee = module.callee(call);
    callee.is_some_and(|name| {
        matches!(
            &*name,
            "yaml.safe_load"
                | "yaml.load"
                | "yaml.full_load"
                | "json.load"
                | "json.loads"
                | "toml.load"
                | "toml.loads"
                | "tomllib.load"
                | "tomllib.loads"
        )
    })
}

/// Files of settings that are opened in a function, or at the top of a file.
fn files(workspace: &Workspace<'_>, module: &Module, path: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for placed in module
        .calls
        .iter()
        .filter(|placed| *placed.scope.path == *path)
    {
        let call = &placed.call;
        let named = match (call.method(), &call.function) {
            (Some("open"), Value::Name(name)) if name == "open" => call.arguments.first().cloned(),
            (Some("open" | "read_text"), Value::Name(name)) => name
                .rsplit_once('.')
                .map(|(receiver, _)| Value::Name(receiver.to_owned())),
            (Some("open" | "read_text"), Value::Attribute(base, _)) => Some((**base).clone()),
            _ => None,
        };
        let Some(place) = named.and_then(|named| location(&named, module, path)) else {
            continue;
        };
        if !settings_file::is_named_so(&place.way) {
            continue;
        }
        // It may be started in any directory above the file.
        let above = || {
            let mut directories = module.path.ancestors().skip(1);
            let way = place.way.clone();
            std::iter::from_fn(move || directories.next())
                .filter_map(move |directory| places::within(directory, &way))
        };
        let tree = workspace.tree;
        let at = match place.origin {
            Origin::File => place.within(&module.path, &module.path),
            Origin::Written | Origin::Working => above().find(|file| tree.has_file(file)),
        };
        let shown = || match place.origin {
            Origin::File => {
                settings_port::example_of(tree, &place.within(&module.path, &module.path)?)
            }
            Origin::Written | Origin::Working => {
                above().find_map(|file| settings_port::example_of(tree, &file))
            }
        };
        found.extend(at.filter(|file| tree.has_file(file)).or_else(shown));
    }
    found
}
