//! Variables whose absence fails where their value is used: `int(os.getenv("GUILD"))`, `create_engine(URL)`,
//! `os.getenv("LIST").split(",")`. Only what runs while a service starts counts, and only values that may be nothing.

use std::sync::Arc;

use crate::needs::is_secret;
use crate::python::environment::{VariableRead, read_of};
use crate::python::insisting::key_of;
use crate::python::module::{Module, PlacedCall};
use crate::python::startup::Startup;
use crate::python::value::{Call, Value};
use crate::python::workspace::Workspace;

/// The position of what is only handed over by its name.
const BY_NAME: usize = usize::MAX;

/// Functions that fail when they are handed nothing: full name, and where the value stands.
#[rustfmt::skip]
const DEMANDING: &[(&str, usize, &str)] = &[
    ("int", 0, ""),
    ("float", 0, ""),
    ("Path", 0, ""),
    ("pathlib.Path", 0, ""),
    ("json.loads", 0, "s"),
    ("ast.literal_eval", 0, ""),
    ("base64.b64decode", 0, "s"),
    ("bytes.fromhex", 0, ""),
    ("os.makedirs", 0, "name"),
    ("os.environ.__setitem__", 1, ""),
    ("cryptography.fernet.Fernet", 0, "key"),
    ("sqlalchemy.create_engine", 0, "url"),
    ("sqlalchemy.ext.asyncio.create_async_engine", 0, "url"),
    ("sqlmodel.create_engine", 0, "url"),
    ("databases.Database", 0, "url"),
    ("redis.from_url", 0, "url"),
    ("redis.Redis.from_url", 0, "url"),
    ("redis.asyncio.from_url", 0, "url"),
    ("redis.asyncio.Redis.from_url", 0, "url"),
    ("redis.ConnectionPool.from_url", 0, "url"),
    ("redis.BlockingConnectionPool.from_url", 0, "url"),
    ("redis.asyncio.ConnectionPool.from_url", 0, "url"),
    ("redis.asyncio.BlockingConnectionPool.from_url", 0, "url"),
    ("minio.Minio", 0, "endpoint"),
    ("surrealdb.Surreal", 0, "url"),
    ("surrealdb.AsyncSurreal", 0, "url"),
    ("nats.connect", 0, "servers"),
    ("neo4j.GraphDatabase.driver", 0, "uri"),
    ("neo4j.AsyncGraphDatabase.driver", 0, "uri"),
    ("supabase.create_client", 0, "supabase_url"),
    ("supabase.create_client", 1, "supabase_key"),
    ("azure.monitor.opentelemetry.exporter.AzureMonitorTraceExporter", BY_NAME, "connection_string"),
    ("azure.monitor.opentelemetry.exporter.AzureMonitorMetricExporter", BY_NAME, "connection_string"),
    ("azure.monitor.opentelemetry.exporter.AzureMonitorLogExporter", BY_NAME, "connection_string"),
    ("azure.monitor.opentelemetry.configure_azure_monitor", BY_NAME, "connection_string"),
    ("azure.storage.blob.BlobServiceClient.from_connection_string", 0, "conn_str"),
    ("azure.core.credentials.AzureKeyCredential", 0, "key"),
    ("telegram.Bot", 0, "token"),
    ("telegram.ext.Updater", 0, "token"),
    ("telebot.TeleBot", 0, "token"),
    ("telebot.async_telebot.AsyncTeleBot", 0, "token"),
    ("aiogram.Bot", 0, "token"),
    ("slack_bolt.adapter.socket_mode.SocketModeHandler", 1, "app_token"),
];

/// Adds what one file fails without.
pub(crate) fn reads(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    loaded: &[Arc<Module>],
    startup: &Startup,
    found: &mut Vec<VariableRead>,
) {
    for placed in &module.calls {
        if !startup.insists(&placed.scope) {
            continue;
        }
        let callee = module.callee(&placed.call);
        let mut handed: Vec<&Value> = Vec::new();
        for (_, position, keyword) in DEMANDING.iter().filter(|(name, ..)| {
            callee.as_deref() == Some(name) && (name.contains('.') || is_built_in(module, name))
        }) {
            handed.extend(placed.call.argument(*position, keyword));
        }
        handed.extend(key_of(&placed.call, callee.as_deref()));
        handed.extend(token_of(module, &placed.call));
        let what = callee
            .as_deref()
            .filter(|name| !name.contains("__"))
            .map_or_else(
                || "what is done with it".to_owned(),
                |name| format!("`{name}`"),
            );
        for value in handed {
            if let Some(name) = unset(workspace, module, placed, value, loaded, 0) {
                push(module, &placed.call, &name, &what, found);
            }
        }
        if let Some(name) = used(workspace, module, placed) {
            push(module, &placed.call, &name, "what is done with it", found);
        }
    }
}

fn is_built_in(module: &Module, name: &str) -> bool {
    name != "Path" && module.import_of(name).is_none()
}

fn push(module: &Module, call: &Call, name: &str, what: &str, found: &mut Vec<VariableRead>) {
    found.push(VariableRead {
        name: name.to_owned(),
        required: true,
        secret: is_secret(name),
        default: None,
        type_name: None,
        span: module.span(call.place),
        why: format!("{what} does not work without `{name}`"),
    });
}

/// What a bot logs in with: `bot.run(TOKEN)` and `bot.start(TOKEN)` of Discord's libraries, `.token(TOKEN)` of
/// Telegram's builder.
fn token_of<'c>(module: &Module, call: &'c Call) -> Option<&'c Value> {
    let imports = |library: &str| {
        module
            .imports
            .iter()
            .any(|import| import.level == 0 && import.module.split('.').next() == Some(library))
    };
    let library = match call.method()? {
        "run" | "start" | "login" => ["discord", "nextcord", "disnake"]
            .iter()
            .any(|one| imports(one)),
        "token" => imports("telegram"),
        _ => false,
    };
    library.then(|| call.argument(0, "token")).flatten()
}

/// The variable that a method of its text is called on: `os.getenv("X").split(",")`, `X.split(",")`.
fn used(workspace: &Workspace<'_>, module: &Arc<Module>, placed: &PlacedCall) -> Option<String> {
    match &placed.call.function {
        Value::Attribute(base, _) => {
            let read = read_of(base.as_call()?, module)?;
            (!read.strict && read.default.is_none()).then(|| read.name.to_owned())
        }
        Value::Name(name) => {
            let (receiver, method) = name.rsplit_once('.')?;
            let of_text = matches!(
                method,
                "split"
                    | "lower"
                    | "upper"
                    | "strip"
                    | "rstrip"
                    | "startswith"
                    | "endswith"
                    | "replace"
                    | "encode"
            );
            let plain = of_text && !receiver.contains('.');
            let value = Value::Name(receiver.to_owned());
            plain.then(|| unset(workspace, module, placed, &value, &[], 0))?
        }
        _ => None,
    }
}

/// The variable that a value is read from, where nothing stands in for it.
fn unset(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    placed: &PlacedCall,
    value: &Value,
    loaded: &[Arc<Module>],
    depth: usize,
) -> Option<String> {
    if depth > 4 {
        return None;
    }
    match value {
        Value::Call(call) => match read_of(call, module) {
            Some(read) => (!read.strict && read.default.is_none()).then(|| read.name.to_owned()),
            None => given_by(workspace, call, loaded, depth),
        },
        Value::Name(name) => {
            let path = &*placed.scope.path;
            let parameter = module.function(path).is_some_and(|function| {
                function.parameters.iter().any(|known| known.name == *name)
            });
            if parameter {
                return None;
            }
            let definition = workspace.definition(module, path, name)?;
            let binding = &definition.binding;
            // What is bound again where it was empty has a value after all.
            let once = definition
                .module
                .bindings
                .iter()
                .filter(|other| {
                    other.target == binding.target && other.scope.path == binding.scope.path
                })
                .count()
                == 1;
            if !once || binding.scope.conditional {
                return None;
            }
            let inner = PlacedCall {
                scope: binding.scope.clone(),
                ..placed.clone()
            };
            let value = binding.value.as_ref()?;
            if matches!(value, Value::Name(other) if other == name) {
                return None;
            }
            unset(
                workspace,
                &definition.module,
                &inner,
                value,
                loaded,
                depth + 1,
            )
        }
        _ => None,
    }
}

/// The variable that a function of the tree gives back: `get_token()`, where nothing else is called so.
fn given_by(
    workspace: &Workspace<'_>,
    call: &Call,
    loaded: &[Arc<Module>],
    depth: usize,
) -> Option<String> {
    let name = call
        .method()
        .filter(|_| call.arguments.is_empty() && call.keywords.is_empty())?;
    let mut named = loaded.iter().flat_map(|module| {
        let functions = module
            .functions
            .iter()
            .filter(|function| function.name == name);
        functions.map(move |function| (module, function))
    });
    let (module, function) = named.next()?;
    let [value] = function.returns.as_slice() else {
        return None;
    };
    if named.next().is_some() || function.generator {
        return None;
    }
    let inner = PlacedCall {
        call: call.clone(),
        scope: crate::python::module::Scope {
            path: function.inner_path().into(),
            ..function.scope.clone()
        },
    };
    // A reading inside of `try` is no other value than one outside of it.
    if let Value::Name(name) = value {
        let bound: Vec<_> = module
            .bindings
            .iter()
            .filter(|binding| binding.target == *name && *binding.scope.path == *inner.scope.path)
            .collect();
        let [binding] = bound.as_slice() else {
            return None;
        };
        let read = read_of(binding.value.as_ref()?.as_call()?, module)?;
        return (!read.strict && read.default.is_none()).then(|| read.name.to_owned());
    }
    unset(workspace, module, &inner, value, loaded, depth + 1)
}
