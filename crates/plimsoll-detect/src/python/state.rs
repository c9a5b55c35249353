//! What a service keeps to itself: files it writes, and state that a second process of it would not see.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::found::FoundVariable;
use crate::places;
use crate::python::evaluate::evaluate;
use crate::python::locations::location;
use crate::python::module::{Module, Moment};
use crate::python::startup::Startup;
use crate::python::value::{Call, Value};

/// What a service keeps to itself.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Paths it writes to, as the code names them.
    pub(crate) writes: BTreeSet<String>,
    /// Why one process of it is all there may be.
    pub(crate) single: Vec<Evidence>,
    /// What it keeps where not even a second process beside the first one sees it.
    pub(crate) in_process: Option<Evidence>,
}

/// Reasons that are told for one service at most.
const REASONS: usize = 3;

/// Reads what a service keeps out of its files and variables; it is started in `root`.
pub(crate) fn state(
    modules: &[Arc<Module>],
    root: &Path,
    startup: &Startup,
    variables: &[FoundVariable],
) -> State {
    let mut state = State::default();
    for module in modules {
        if places::set_aside(&module.path).is_some() {
            continue;
        }
        for placed in &module.calls {
            if placed.scope.main || placed.scope.moment == Moment::Never {
                continue;
            }
            if let Some(path) = written(module, &placed.call, &placed.scope.path) {
                state.writes.insert(path);
            }
            if let Some(path) = database(module, &placed.call, &placed.scope.path) {
                let why = format!("keeps its data in the file `{path}`: one process only");
                state
                    .single
                    .push(Evidence::new(module.span(placed.call.place), why));
                state.writes.insert(path);
            }
            if schedules(module, &placed.call) {
                let why =
                    "runs its schedule inside of its own process: a second one would run it twice";
                let evidence = Evidence::new(module.span(placed.call.place), why);
                state.in_process.get_or_insert_with(|| evidence.clone());
                state.single.push(evidence);
            }
        }
        let before = state.single.len();
        in_memory(module, modules, startup, &mut state.single);
        state.in_process = state
            .in_process
            .or_else(|| state.single.get(before).cloned());
    }
    if let Some((path, evidence)) = django_database(modules) {
        state.single.push(evidence);
        state.writes.insert(path);
    }
    for (path, evidence) in flask_databases(modules, root) {
        state.single.push(evidence);
        state.writes.insert(path);
    }
    for variable in variables {
        let default = variable.default.as_deref();
        if let Some(path) =
            default.and_then(|text| sqlite_path(text).or_else(|| database_file(text)))
        {
            let why = format!(
                "keeps its data in the file `{path}` unless told otherwise: one process only"
            );
            state.single.push(Evidence::new(variable.span.clone(), why));
            state.writes.insert(path);
        }
    }
    state.single.dedup_by(|one, other| one.why == other.why);
    state.single.truncate(REASONS);
    state
}

/// A path that is worth telling: one of the service's own.
fn own_path(text: &str) -> Option<String> {
    let temporary = ["/tmp", "/dev/", "/proc/", "/sys/"]
        .iter()
        .any(|start| text.starts_with(start));
    let plain = !text.is_empty()
        && text.len() < 200
        && !text.contains(['\n', '*', '?', '<', '>', '|'])
        && !text.contains("://")
        && text != "."
        && text != "/";
    (plain && !temporary).then(|| text.trim_start_matches("./").to_owned())
}

fn written(module: &Module, call: &Call, scope: &str) -> Option<String> {
    let text = |value: &Value| evaluate(value, module, scope).text;
    let callee = module.callee(call);
    let path = match (callee.as_deref(), call.method()?) {
        (Some("open" | "io.open" | "aiofiles.open"), _) => {
            let mode = call.argument(1, "mode").and_then(text)?;
            mode.contains(['w', 'a', 'x', '+'])
                .then(|| call.argument(0, "file"))??
        }
        (Some("os.makedirs" | "os.mkdir"), _) => call.argument(0, "name")?,
        (_, "FileHandler" | "RotatingFileHandler" | "TimedRotatingFileHandler") => {
            call.argument(0, "filename")?
        }
        (_, "write_text" | "write_bytes" | "mkdir" | "touch") => {
            return receiver_path(module, call, scope).and_then(|path| own_path(&path));
        }
        _ => return None,
    };
    own_path(&text(path)?)
}

/// `data` of `Path("data").mkdir()`, and of `directory.mkdir()` after `directory = Path("data")`.
fn receiver_path(module: &Module, call: &Call, scope: &str) -> Option<String> {
    let receiver = match &call.function {
        Value::Attribute(base, _) => (**base).clone(),
        Value::Name(name) => Value::Name(name.rsplit_once('.')?.0.to_owned()),
        _ => return None,
    };
    evaluate(&receiver, module, scope).text
}

/// The file of an embedded database that a call opens.
fn database(module: &Module, call: &Call, scope: &str) -> Option<String> {
    let callee = module.callee(call)?;
    let first = || evaluate(call.arguments.first()?, module, scope).text;
    match callee.as_ref() {
        "sqlite3.connect" | "aiosqlite.connect" | "duckdb.connect" | "tinydb.TinyDB"
        | "shelve.open" => {
            let path = first()?;
            (!path.contains(":memory:") && !path.starts_with("file:")).then(|| own_path(&path))?
        }
        _ if callee.ends_with("create_engine") || callee.ends_with("create_async_engine") => {
            sqlite_path(&first()?)
        }
        "chromadb.PersistentClient" => {
            own_path(&evaluate(call.argument(0, "path")?, module, scope).text?)
        }
        _ => None,
    }
}

/// The file that Django's settings name as its database; `None` where it is another one, or where
/// several settings say different things.
fn django_database(modules: &[Arc<Module>]) -> Option<(String, Evidence)> {
    let mut stated = modules
        .iter()
        .filter_map(|module| Some((module, module.top_value("DATABASES")?)));
    let (module, binding) = stated.next()?;
    if stated.next().is_some() {
        return None;
    }
    let usual = entry(binding.value.as_ref()?, "default")?;
    let text = |key: &str| evaluate(entry(usual, key)?, module, "").text;
    if !text("ENGINE")?.ends_with("sqlite3") {
        return None;
    }
    // A path from the settings' own place is one beside the code.
    let name = text("NAME").unwrap_or_else(|| "db.sqlite3".to_owned());
    let file = Path::new(&name).file_name()?.to_str()?;
    let path = own_path(if name.starts_with('/') { file } else { &name })?;
    let why = format!("keeps its data in the file `{path}`: one process only");
    Some((path, Evidence::new(module.span(binding.place), why)))
}

/// What Flask's SQLAlchemy connects to.
const FLASK_DATABASE: &str = "SQLALCHEMY_DATABASE_URI";

/// Where it puts a database whose address names no place.
const FLASK_INSTANCE: &str = "instance";

/// Files that the settings of a Flask application name as its database.
fn flask_databases(modules: &[Arc<Module>], root: &Path) -> Vec<(String, Evidence)> {
    let stated = modules.iter().flat_map(|module| {
        let bound = module.bindings.iter().filter_map(move |binding| {
            let is_it = binding.target == FLASK_DATABASE;
            let value = binding.value.as_ref().filter(|_| is_it)?;
            Some((module, value, &*binding.scope.path, binding.place))
        });
        let put = module.calls.iter().filter_map(move |placed| {
            let key = placed.call.arguments.first()?.as_text();
            let is_it = key == Some(FLASK_DATABASE) && placed.call.method() == Some("__setitem__");
            let value = placed.call.arguments.get(1).filter(|_| is_it)?;
            Some((module, value, &*placed.scope.path, placed.call.place))
        });
        bound.chain(put)
    });
    let found = stated.filter_map(|(module, value, scope, place)| {
        let path = flask_database(module, value, scope, root)?;
        let why = format!("keeps its data in the file `{path}`: one process only");
        Some((path, Evidence::new(module.span(place), why)))
    });
    found.collect()
}

/// The file of an address, or of one of several: `os.getenv("DATABASE_URL") or "sqlite:///" + join(HERE, "app.db")`.
fn flask_database(module: &Module, value: &Value, scope: &str, root: &Path) -> Option<String> {
    if let Value::Either(several) = value {
        let mut several = several.iter();
        return several.find_map(|value| flask_database(module, value, scope, root));
    }
    if let Some(text) = evaluate(value, module, scope).text {
        let path = sqlite_path(&text)?;
        return Some(match Path::new(&path).is_absolute() {
            true => path,
            false => format!("{FLASK_INSTANCE}/{path}"),
        });
    }
    let value = match value {
        Value::Name(_) => bound(module, value)?,
        value => value,
    };
    let Value::Joined(parts) = value else {
        return None;
    };
    let (Value::Text(start), [first, ..]) = (parts.first()?, &parts[1..]) else {
        return None;
    };
    start.strip_prefix("sqlite")?.strip_suffix(":///")?;
    let place = match &parts[1..] {
        [_] => location(first, module, scope),
        several => location(&Value::Joined(several.to_vec()), module, scope),
    }?;
    let inside = place.within(&module.path, root)?;
    own_path(places::text(inside.strip_prefix(root).ok()?))
}

/// What a name of the file stands for.
fn bound<'m>(module: &'m Module, name: &Value) -> Option<&'m Value> {
    module.top_value(name.as_name()?)?.value.as_ref()
}

/// The value of a key of a dictionary.
fn entry<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    let Value::Table(entries) = value else {
        return None;
    };
    let mut entries = entries.iter();
    let found = entries.find(|(name, _)| matches!(name, Value::Text(name) if name == key))?;
    Some(&found.1)
}

/// `app.db` of `sqlite+aiosqlite:///./app.db`.
fn sqlite_path(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if scheme.split('+').next() != Some("sqlite") {
        return None;
    }
    let path = rest.strip_prefix('/')?.split('?').next()?;
    (!path.contains(":memory:")).then(|| own_path(path))?
}

/// The path itself, where its name says that it is an embedded database.
fn database_file(text: &str) -> Option<String> {
    [".db", ".sqlite", ".sqlite3", ".duckdb"]
        .iter()
        .any(|end| text.len() > end.len() && text.ends_with(end))
        .then(|| own_path(text))?
}

fn schedules(module: &Module, call: &Call) -> bool {
    module.callee(call).is_some_and(|callee| {
        matches!(
            callee.as_ref(),
            "apscheduler.schedulers.background.BackgroundScheduler"
                | "apscheduler.schedulers.asyncio.AsyncIOScheduler"
                | "apscheduler.AsyncScheduler"
                | "fastapi_utils.tasks.repeat_every"
                | "rocketry.Rocketry"
        )
    })
}

/// Whether a value is a collection that starts empty.
fn starts_empty(value: &Value) -> bool {
    match value {
        Value::List(items) => items.is_empty(),
        Value::Table(entries) => entries.is_empty(),
        Value::Call(call) => {
            call.method() == Some("defaultdict")
                || call.arguments.is_empty()
                    && matches!(
                        call.method(),
                        Some("dict" | "list" | "set" | "deque" | "OrderedDict")
                    )
        }
        _ => false,
    }
}

/// Words in names of what every process may have a copy of.
const COPIES: &[&str] = &[
    "cache",
    "registry",
    "handlers",
    "plugins",
    "instances",
    "locks",
    "clients",
    "memo",
    "metrics",
];

fn may_be_copied(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    COPIES.iter().any(|word| lower.contains(word))
}

/// Collections that requests change: those of the file, and those of an object that the file makes.
fn in_memory(
    module: &Module,
    modules: &[Arc<Module>],
    startup: &Startup,
    single: &mut Vec<Evidence>,
) {
    let handled = handled(module);
    for binding in &module.bindings {
        if !binding.value.as_ref().is_some_and(starts_empty) || may_be_copied(&binding.target) {
            continue;
        }
        let shared = if binding.scope.is_top() && !binding.scope.main {
            true
        } else if let (Some(_), Some((class, "__init__"))) = (
            binding.target.strip_prefix("self."),
            binding.scope.path.rsplit_once('.'),
        ) {
            modules.iter().any(|other| {
                other.bindings.iter().any(|made| {
                    made.scope.is_top()
                        && !made.scope.main
                        && made
                            .value
                            .as_ref()
                            .and_then(Value::as_call)
                            .and_then(Call::method)
                            == Some(class)
                })
            })
        } else {
            false
        };
        if !shared {
            continue;
        }
        let of_object = binding.target.starts_with("self.");
        let changed = module.changes.iter().find(|change| {
            let inside = change.scope.moment == Moment::Call
                && change.target == binding.target
                && !startup.reaches(&change.scope.path);
            let own = !of_object
                || change.scope.path.split('.').next() == binding.scope.path.split('.').next();
            let asked = of_object
                || change
                    .scope
                    .path
                    .split('.')
                    .any(|part| handled.contains(part));
            inside && own && asked
        });
        if let Some(change) = changed {
            let name = binding.target.trim_start_matches("self.");
            let why = format!(
                "keeps `{name}` in the memory of its process: a second one would not see it"
            );
            single.push(Evidence::new(module.span(change.place), why));
        }
    }
}

/// Functions of a file that answer requests, and those that they call there.
fn handled(module: &Module) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = module
        .functions
        .iter()
        .filter(|function| {
            function.decorators.iter().any(|(decorator, _)| {
                let Value::Call(call) = decorator else {
                    return decorator.last_name() == Some("tool");
                };
                matches!(
                    call.method(),
                    Some(
                        "get"
                            | "post"
                            | "put"
                            | "patch"
                            | "delete"
                            | "route"
                            | "api_route"
                            | "websocket"
                            | "tool"
                            | "custom_route"
                    )
                )
            })
        })
        .map(|function| function.name.clone())
        .collect();
    loop {
        let before = names.len();
        for placed in &module.calls {
            if placed
                .scope
                .path
                .split('.')
                .any(|part| names.contains(part))
                && let Some(name) = placed.call.function.as_name()
                && !name.contains('.')
                && module.function(name).is_some()
            {
                names.insert(name.to_owned());
            }
        }
        if names.len() == before {
            return names;
        }
    }
}
