//! Directories that code adds to its own search path: `sys.path.insert(0, …)`.

use std::path::{Path, PathBuf};

use crate::places;
use crate::python::module::Module;
use crate::python::value::Value;

/// How many names and calls are followed one after the other.
const STEPS: usize = 12;

/// The directories that a file adds, relative to the tree.
pub(crate) fn additions(module: &Module) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for placed in &module.calls {
        let call = &placed.call;
        if module.callee(call).is_none_or(|callee| {
            !matches!(
                callee.as_ref(),
                "sys.path.insert" | "sys.path.append" | "site.addsitedir"
            )
        }) {
            continue;
        }
        let Some(path) = call
            .arguments
            .last()
            .and_then(|value| directory(value, module, &placed.scope.path, 0))
        else {
            continue;
        };
        // What is appended comes after what is installed: only packages around the file itself are meant.
        let last = call.method() == Some("append");
        if last && !module.path.starts_with(&path) {
            continue;
        }
        if !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

/// The path inside the tree that an expression around `__file__` comes to.
pub(crate) fn directory(
    value: &Value,
    module: &Module,
    scope: &str,
    steps: usize,
) -> Option<PathBuf> {
    if steps > STEPS {
        return None;
    }
    let follow = |value: &Value| directory(value, module, scope, steps + 1);
    match value {
        Value::Name(name) if name == "__file__" => Some(module.path.to_path_buf()),
        Value::Name(name) => {
            let binding = module.bindings.iter().rev().find(|binding| {
                binding.target == *name && (*binding.scope.path == *scope || binding.scope.is_top())
            });
            match binding {
                Some(binding) => follow(binding.value.as_ref()?),
                // `here.parent` of a name.
                None => {
                    let (base, attribute) = name.rsplit_once('.')?;
                    (attribute == "parent")
                        .then(|| follow(&Value::Name(base.to_owned())))??
                        .parent()
                        .map(Path::to_owned)
                }
            }
        }
        Value::Attribute(base, attribute) if attribute == "parent" => {
            follow(base)?.parent().map(Path::to_owned)
        }
        Value::Subscript(base, index) => {
            let Value::Integer(index) = **index else {
                return None;
            };
            let path = match &**base {
                Value::Attribute(base, attribute) if attribute == "parents" => follow(base)?,
                Value::Name(name) => {
                    follow(&Value::Name(name.strip_suffix(".parents")?.to_owned()))?
                }
                _ => return None,
            };
            path.ancestors()
                .nth(usize::try_from(index).ok()? + 1)
                .map(Path::to_owned)
        }
        // `Path(__file__).parent / "src"`.
        Value::Joined(parts) => {
            let [base, rest, Value::Other] = parts.as_slice() else {
                return None;
            };
            places::within(&follow(base)?, rest.as_text()?)
        }
        Value::Call(call) => {
            let first = call.arguments.first();
            match (call.method()?, first) {
                ("str" | "abspath" | "realpath" | "normpath" | "Path" | "fspath", Some(inner)) => {
                    follow(inner)
                }
                ("dirname", Some(inner)) => follow(inner)?.parent().map(Path::to_owned),
                ("resolve" | "absolute" | "as_posix", None) => match &call.function {
                    Value::Attribute(base, _) => follow(base),
                    Value::Name(name) => follow(&Value::Name(name.rsplit_once('.')?.0.to_owned())),
                    _ => None,
                },
                ("join", Some(inner)) => {
                    let mut path = follow(inner)?;
                    for part in &call.arguments[1..] {
                        path = places::within(&path, part.as_text()?)?;
                    }
                    Some(path)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::python::extract::read;

    #[test]
    fn the_usual_ways_are_understood() {
        let path: Arc<Path> = Arc::from(Path::new("back/server/app.py"));
        let text = "import sys, os\nfrom pathlib import Path\n\
            sys.path.insert(0, os.path.abspath(os.path.dirname(os.path.dirname(__file__))))\n\
            here = Path(__file__).resolve().parent\n\
            sys.path.append(str(here))\n\
            sys.path.append(str(here.parent.parent))\n\
            sys.path.insert(0, str(Path(__file__).parents[1] / 'lib'))\n\
            sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'other'))\n\
            sys.path.append('/opt/x')\nsys.path.append(unknown())\n";
        let module = read(path.clone(), path, text.to_owned()).unwrap();
        let found: Vec<String> = additions(&module)
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(found, ["back", "back/server", "", "back/lib", "back/other"]);
    }
}
