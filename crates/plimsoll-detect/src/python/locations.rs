//! Places on disk that Python names: `Path(__file__).parent / "static"`.

use crate::location::{Fate, Location, Named, Origin};
use crate::python::module::Module;
use crate::python::value::{Call, Value};

/// How many names and calls are followed one after the other.
const STEPS: usize = 10;

/// The place that `value` names, seen from the statement scope `path` of `module`.
pub(crate) fn location(value: &Value, module: &Module, path: &str) -> Option<Location> {
    step(value, module, path, 0)
}

fn step(value: &Value, module: &Module, path: &str, steps: usize) -> Option<Location> {
    if steps > STEPS {
        return None;
    }
    let follow = |value: &Value| step(value, module, path, steps + 1);
    match value {
        Value::Text(text) => Some(Location::written(text)),
        Value::Name(name) if name == "__file__" => Some(Location::file()),
        Value::Name(name) => {
            if let Some(value) = bound(name, module, path) {
                return follow(value);
            }
            // `ROOT.parent`
            let (base, attribute) = name.rsplit_once('.')?;
            let base = follow(&Value::Name(base.to_owned()))?;
            (attribute == "parent").then(|| base.above())
        }
        Value::Attribute(base, attribute) if attribute == "parent" => Some(follow(base)?.above()),
        // `path.parents[1]`
        Value::Subscript(base, index) => {
            let Value::Integer(count) = **index else {
                return None;
            };
            let base = match &**base {
                Value::Attribute(base, attribute) if attribute == "parents" => follow(base)?,
                Value::Name(name) => {
                    let base = name.strip_suffix(".parents")?;
                    follow(&Value::Name(base.to_owned()))?
                }
                _ => return None,
            };
            let count = usize::try_from(count).ok().filter(|count| *count < STEPS)?;
            Some((0..=count).fold(base, |place, _| place.above()))
        }
        Value::Either(values) => values.iter().find_map(follow),
        // `a / b` has an empty third part.
        Value::Joined(parts) => match parts.as_slice() {
            [left, right, Value::Other] => under(follow(left)?, follow(right)?),
            [first, rest @ ..] => {
                let mut joined = follow(first)?;
                for more in rest {
                    let more = follow(more).filter(|more| more.origin == Origin::Written)?;
                    joined.way.push_str(match joined.way.is_empty() {
                        true => more.way.trim_start_matches('/'),
                        false => &more.way,
                    });
                }
                Some(joined)
            }
            [] => None,
        },
        Value::Call(call) => called(call, module, path, steps),
        _ => None,
    }
}

fn called(call: &Call, module: &Module, path: &str, steps: usize) -> Option<Location> {
    let follow = |value: &Value| step(value, module, path, steps + 1);
    if let Some(read) = crate::python::environment::read_of(call, module) {
        return follow(read.default?);
    }
    let mut arguments = call.arguments.iter().map(follow);
    // What a method is called on.
    let receiver = || match &call.function {
        Value::Attribute(base, _) => follow(base),
        Value::Name(name) => follow(&Value::Name(name.rsplit_once('.')?.0.to_owned())),
        _ => None,
    };
    match call.method()? {
        "cwd" | "getcwd" => Some(Location::working()),
        "Path" | "PurePath" | "str" | "fspath" | "abspath" | "realpath" | "normpath" => {
            let mut place = arguments.next()??;
            for more in arguments {
                place = under(place, more?)?;
            }
            Some(place)
        }
        "dirname" => Some(arguments.next()??.above()),
        "resolve" | "absolute" | "expanduser" | "as_posix" => receiver(),
        "joinpath" => {
            let mut place = receiver()?;
            for more in arguments {
                place = under(place, more?)?;
            }
            Some(place)
        }
        "join"
            if module
                .callee(call)
                .is_some_and(|name| name.ends_with("path.join")) =>
        {
            let mut place = arguments.next()??;
            for more in arguments {
                place = under(place, more?)?;
            }
            Some(place)
        }
        _ => None,
    }
}

/// What is at `more`, seen from `base`.
fn under(base: Location, more: Location) -> Option<Location> {
    (more.origin == Origin::Written).then(|| base.joined(&more.way))
}

/// The value of a name: bound in the function or at the top, or the default of a parameter.
fn bound<'m>(name: &str, module: &'m Module, path: &str) -> Option<&'m Value> {
    let local = module.bindings.iter().rev().find(|binding| {
        binding.target == name && (*binding.scope.path == *path || binding.scope.is_top())
    });
    if let Some(binding) = local {
        return binding.value.as_ref();
    }
    let function = module.function(path)?;
    let parameter = function.parameters.iter().find(|one| one.name == name)?;
    parameter.default.as_ref()
}

/// What hands out the files of a directory, by the last part of its name.
const HANDS_OUT: &[&str] = &[
    "StaticFiles",
    "send_from_directory",
    "FileResponse",
    "send_file",
    "Flask",
    "Blueprint",
    "Quart",
    "Jinja2Templates",
    "add_static",
    "add_static_files",
    "static",
    "StaticFileHandler",
    "WhiteNoise",
    "add_files",
];

/// Those that take a plain text for a place beside the file, and not beside whoever starts it.
const BESIDE: &[&str] = &["Flask", "Blueprint", "Quart"];

/// Every place that a file names.
pub(crate) fn all(module: &Module) -> Vec<Named> {
    let mut found = Vec::new();
    for binding in &module.bindings {
        let value = binding.value.as_ref();
        if let Some(location) = value.and_then(|it| location(it, module, &binding.scope.path)) {
            found.push(Named {
                location,
                place: binding.place,
                fate: Fate::Open,
            });
        }
    }
    for placed in &module.calls {
        let call = &placed.call;
        let fate = match call.method() {
            Some(name) if HANDS_OUT.contains(&name) => Fate::HandedOut,
            _ => Fate::Open,
        };
        let keywords = call.keywords.iter().map(|(_, value)| value);
        let beside = call.method().is_some_and(|name| BESIDE.contains(&name));
        for value in call.arguments.iter().chain(keywords) {
            if let Some(mut location) = location(value, module, &placed.scope.path) {
                if beside && location.origin == Origin::Written && location.way.contains('/') {
                    location = Location::file().above().joined(&location.way);
                }
                found.push(Named {
                    location,
                    place: call.place,
                    fate,
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    /// The place that `HERE` is in `api/app/main.py`, whose program is started in `api`.
    fn named(text: &str) -> Option<String> {
        let path: Arc<Path> = Arc::from(Path::new("api/app/main.py"));
        let text = format!("import os\nfrom pathlib import Path\n{text}\n");
        let module = crate::python::extract::read(path.clone(), path.clone(), text).unwrap();
        let value = module.top_value("HERE").unwrap().value.as_ref().unwrap();
        let place = location(value, &module, "")?.within(&path, Path::new("api"))?;
        Some(place.to_str().unwrap().to_owned())
    }

    #[test]
    fn places_beside_the_file_and_where_the_program_starts() {
        for (text, place) in [
            ("HERE = 'static'", "api/static"),
            ("HERE = Path(__file__).parent / 'static'", "api/app/static"),
            (
                "HERE = Path(__file__).resolve().parents[2] / 'web' / 'dist'",
                "web/dist",
            ),
            (
                "ROOT = os.path.dirname(os.path.abspath(__file__))\nHERE = os.path.join(ROOT, '..', 'static')",
                "api/static",
            ),
            ("HERE = Path.cwd().joinpath('static')", "api/static"),
            (
                "ROOT = Path(__file__)\nHERE = ROOT.parent / 'a'",
                "api/app/a",
            ),
            (
                "ROOT = Path(__file__).parent.parent\nHERE = f'{ROOT}/static'",
                "api/static",
            ),
            ("HERE = os.getenv('PAGES', '../web/dist')", "web/dist"),
        ] {
            assert_eq!(named(text).as_deref(), Some(place), "{text}");
        }
        assert_eq!(named("HERE = Path(root()) / 'x'"), None);
    }
}
