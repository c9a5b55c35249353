//! Servers that code starts by itself, and the applications that they serve.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::detection::ServiceKind;
use crate::places;
use crate::python::applications::{Application, maker};
use crate::python::candidate::{Candidate, Launch, launch_of, starters_of};
use crate::python::evaluate::evaluate;
use crate::python::module::{Module, PlacedCall};
use crate::python::transport;
use crate::python::value::{Call, SPREAD, Value};
use crate::python::workspace::Workspace;

/// Calls that serve an application until the process ends.
const SERVERS: &[&str] = &[
    "uvicorn.run",
    "uvicorn.Config",
    "hypercorn.run",
    "waitress.serve",
    "aiohttp.web.run_app",
    "gevent.pywsgi.WSGIServer",
    "wsgiref.simple_server.make_server",
    "http.server.HTTPServer",
    "http.server.ThreadingHTTPServer",
    "socketserver.TCPServer",
    "socketserver.ThreadingTCPServer",
    "grpc.aio.server",
    "grpc.server",
    "websockets.serve",
    "tornado.web.Application",
    "asyncio.start_server",
    "nicegui.ui.run",
    "fasthtml.common.serve",
    "pipecat.runner.run.main",
    "slack_bolt.App.start",
    "litserve.LitServer.run",
    "acp_sdk.server.Server.run",
];

/// Servers whose framework their name says: first part of the name, framework, distribution, kind, usual port.
#[rustfmt::skip]
const FRAMEWORKS: &[(&str, &str, &str, ServiceKind, Option<u16>)] = &[
    ("aiohttp", "aiohttp", "aiohttp", ServiceKind::Web, Some(8080)),
    ("grpc", "gRPC", "grpcio", ServiceKind::Web, None),
    ("websockets", "websockets", "websockets", ServiceKind::Web, None),
    ("tornado", "Tornado", "tornado", ServiceKind::Web, None),
    ("http", "Python", "", ServiceKind::Web, None),
    ("socketserver", "Python", "", ServiceKind::Web, None),
    ("wsgiref", "Python", "", ServiceKind::Web, None),
    ("asyncio", "Python", "", ServiceKind::Web, None),
    ("nicegui", "NiceGUI", "nicegui", ServiceKind::Ui, Some(8080)),
    ("fasthtml", "FastHTML", "python-fasthtml", ServiceKind::Ui, Some(5001)),
    ("pipecat", "Pipecat", "pipecat-ai", ServiceKind::Web, Some(7860)),
    ("slack_bolt", "Slack bot", "slack-bolt", ServiceKind::Web, Some(3000)),
    ("litserve", "LitServe", "litserve", ServiceKind::Web, Some(8000)),
    ("acp_sdk", "ACP", "acp-sdk", ServiceKind::Web, Some(8000)),
];

/// Servers, by the first part of their names, that make a service of the file which starts them through others.
const MOVED: &[&str] = &["uvicorn", "hypercorn", "aiohttp", "grpc", "websockets"];

/// Methods of objects that serve, by what makes the object: maker, method, the server's name.
#[rustfmt::skip]
const METHODS: &[(&str, &str, &str)] = &[
    ("slack_bolt.App", "start", "slack_bolt.App.start"),
    ("slack_bolt.app.App", "start", "slack_bolt.App.start"),
    ("slack_bolt.async_app.AsyncApp", "start", "slack_bolt.App.start"),
    ("slack_bolt.app.async_app.AsyncApp", "start", "slack_bolt.App.start"),
    ("litserve.LitServer", "run", "litserve.LitServer.run"),
    ("acp_sdk.server.Server", "run", "acp_sdk.server.Server.run"),
    ("agentstack_sdk.server.Server", "run", "acp_sdk.server.Server.run"),
];

/// The server that a method of an object starts, or that a function handed on by everything starts.
fn by_method(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    placed: &PlacedCall,
) -> Option<&'static str> {
    let call = &placed.call;
    let method = call.method()?;
    let everything = |from: &str| {
        module
            .imports
            .iter()
            .any(|import| import.name.as_deref() == Some("*") && import.module == from)
    };
    if call.function.as_name() == Some("serve") && everything("fasthtml.common") {
        return Some("fasthtml.common.serve");
    }
    if !METHODS.iter().any(|(_, known, _)| *known == method) {
        return None;
    }
    let (_, made_by) = workspace.maker(module, &placed.scope.path, call.receiver()?)?;
    METHODS
        .iter()
        .find(|(maker, known, _)| *known == method && *maker == made_by)
        .map(|(_, _, server)| *server)
}

/// The server that a class of the file extends which a call makes an object of, wherever the class stands.
fn extending(module: &Module, call: &Call) -> Option<&'static str> {
    let name = call.function.as_name()?;
    let class = module.classes.iter().find(|class| class.name == name)?;
    let mut bases = class.bases.iter().filter_map(Value::as_name);
    bases.find_map(|base| {
        let base = module.qualify(base);
        let mut known = SERVERS.iter();
        known.find(|server| **server == base).copied()
    })
}

/// Joins a call that serves to the application it serves.
pub(super) fn serve(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    module: &Arc<Module>,
    placed: &PlacedCall,
    applications: &mut [Application],
    with_arguments: &BTreeSet<usize>,
    stray: &mut Vec<Candidate>,
) {
    let call = &placed.call;
    let scope = &*placed.scope.path;
    let callee = match by_method(workspace, module, placed) {
        Some(server) => Cow::Borrowed(server),
        None => match extending(module, call) {
            Some(server) => Cow::Borrowed(server),
            None => module.callee(call).unwrap_or_default(),
        },
    };
    let known = SERVERS.contains(&callee.as_ref());
    // `app.run(port=5000)` of Flask, Sanic and their kin.
    let own_run = call.method() == Some("run") && !known && call.receiver().is_some();
    if !known && !own_run {
        return;
    }
    let target = if own_run {
        call.receiver().map(|name| Value::Name(name.to_owned()))
    } else {
        let first = call.arguments.first();
        let first = first.filter(|first| **first != Value::Other);
        first.or_else(|| said(module, scope, call, "app")).cloned()
    };
    let stated = said(module, scope, call, "port")
        .map(|port| workspace.constant(module, scope, port))
        .unwrap_or_default();
    let port = stated.port().or_else(|| {
        let port = said(module, scope, call, "port")?;
        transport::default_of(workspace, module, scope, port)?
            .parse()
            .ok()
    });
    let host = said(module, scope, call, "host")
        .map(|host| (workspace.constant(module, scope, host), call.place));
    let index = target
        .as_ref()
        .and_then(|target| served(workspace, module, scope, target, applications))
        .filter(|index| !with_arguments.contains(index));
    if let Some(index) = index {
        rename(workspace, module, target.as_ref(), &mut applications[index]);
        let candidate = &mut applications[index].candidate;
        if candidate.port.is_none() {
            candidate.port_variable.clone_from(&stated.variable);
            candidate.port_of_another = port.is_some() && candidate.module.path != module.path;
        }
        candidate.port = candidate.port.or(port);
        let open = host
            .as_ref()
            .is_some_and(|(host, _)| host.text.as_deref() == Some("0.0.0.0"));
        if own_run && open && placed.scope.main && candidate.module.path == module.path {
            candidate.prepared = prepares(module, placed).zip(port);
        }
        candidate.host = candidate.host.take().or(host);
        // A server's own arguments would not be known to it.
        if placed.scope.main && candidate.module.path == module.path && parses_when_imported(module)
        {
            candidate.launch = Launch::Module;
            candidate.host_option = said(module, scope, call, "host")
                .and_then(|host| transport::address_option(workspace, module, scope, host));
        }
        let what = match port {
            Some(port) => format!("`{callee}` serves it on port {port}"),
            None => format!("`{callee}` serves it"),
        };
        candidate
            .evidence
            .push(Evidence::new(module.span(call.place), what));
        return;
    }
    if own_run || waits_for_an_answer(module, &callee) || not_by_itself(workspace, module, placed) {
        return;
    }
    let first = callee.split('.').next().unwrap_or_default();
    let launched = launch_of(workspace, module, &placed.scope);
    let starters = match launched {
        Some(_) => Vec::new(),
        // A plain server beside a program may be there for anything.
        None if !MOVED.contains(&first) => return,
        None => starters_of(workspace, entries, module, &placed.scope),
    };
    if launched.is_none() && starters.is_empty() {
        return;
    }
    let (launch, evidence) = launched.unwrap_or((Launch::Module, Vec::new()));
    let named = FRAMEWORKS.iter().find(|(name, ..)| *name == first);
    let (framework, kind, usual) = match named {
        Some((_, framework, distribution, kind, port)) => {
            ((*framework, *distribution), *kind, *port)
        }
        None if matches!(first, "uvicorn" | "hypercorn") => {
            (own_framework(workspace, module), ServiceKind::Web, None)
        }
        None => (("WSGI", ""), ServiceKind::Web, None),
    };
    let mut candidate = Candidate::new(
        module,
        call.place,
        kind,
        framework,
        launch,
        format!("`{callee}` serves until the process ends"),
    );
    candidate.port_variable = stated.variable;
    candidate.port = port
        .or_else(|| address_port(call, module, scope))
        .or_else(|| bound_port(module))
        .or(usual);
    candidate.host = host.or_else(|| {
        let address = call.arguments.first()?;
        let Value::List(parts) = address else {
            return None;
        };
        Some((evaluate(parts.first()?, module, scope), call.place))
    });
    candidate.host_option = call
        .keyword("host")
        .and_then(|host| transport::address_option(workspace, module, scope, host));
    candidate.evidence.extend(evidence);
    if starters.is_empty() {
        stray.push(candidate);
        return;
    }
    candidate.started_by_another = true;
    // Its place is another file's.
    candidate.host = candidate.host.filter(|(host, _)| host.variable.is_some());
    for (starter, guard) in starters {
        let mut moved = candidate.clone();
        moved.module = starter;
        moved.evidence.insert(0, guard);
        stray.push(moved);
    }
}

/// What a call says by a keyword, be it in a table that it spreads: `uvicorn.run(app, **options)`.
fn said<'m>(module: &'m Module, scope: &str, call: &'m Call, name: &str) -> Option<&'m Value> {
    call.keyword(name).or_else(|| {
        let Value::Name(table) = call.keyword(SPREAD)? else {
            return None;
        };
        let tables = module.bindings.iter().filter(|binding| {
            binding.target == *table && (*binding.scope.path == *scope || binding.scope.is_top())
        });
        tables
            .filter_map(|binding| binding.value.as_ref())
            .find_map(|value| entry(value, name))
    })
}

/// What a table holds under a name: `{"port": 8000}`, `dict(port=8000)`, `dict(port=8000) | others`.
fn entry<'v>(table: &'v Value, name: &str) -> Option<&'v Value> {
    match table {
        Value::Table(entries) => entries
            .iter()
            .find(|(key, _)| key.as_text() == Some(name))
            .map(|(_, value)| value),
        Value::Call(call) if call.function.as_name() == Some("dict") => call.keyword(name),
        Value::Either(several) => several.iter().find_map(|one| entry(one, name)),
        _ => None,
    }
}

/// Whether a file reads its program's arguments whenever it is imported, in a function of its own or not.
fn parses_when_imported(module: &Module) -> bool {
    let on_import = |placed: &&PlacedCall| placed.scope.is_top() && !placed.scope.main;
    let called = |name: &str| {
        let mut calls = module.calls.iter().filter(on_import);
        calls.any(|placed| placed.call.function.as_name() == Some(name))
    };
    let mut parsed = module
        .calls
        .iter()
        .filter(|placed| placed.call.method() == Some("parse_args") && !placed.scope.main);
    parsed.any(|placed| placed.scope.is_top() || called(&placed.scope.path))
}

/// A function of the file that is called before what serves, where only running the file does so.
fn prepares(module: &Module, serving: &PlacedCall) -> Option<String> {
    module.calls.iter().find_map(|placed| {
        let name = placed.call.function.as_name()?;
        let own = module
            .functions
            .iter()
            .any(|function| function.scope.is_top() && function.name == name);
        let before = placed.call.place.end <= serving.call.place.start;
        (placed.scope.main && placed.scope.is_top() && own && before).then(|| name.to_owned())
    })
}

/// An application that a private module makes is known by the public name that serves it, and one that the serving file
/// imports from another directory than the one it seems to lie in by the name it has there: that file is started where
/// its imports lead.
fn rename(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    target: Option<&Value>,
    application: &mut Application,
) {
    let Some(Value::Name(name)) = target else {
        return;
    };
    let (root, dotted) = workspace.home(&application.candidate.module.path);
    let private = dotted
        .split('.')
        .any(|part| part.starts_with('_') && !part.starts_with("__"));
    let Some(import) = module.import_of(name).filter(|one| one.scope.is_top()) else {
        return;
    };
    let top = import.module.split('.').next().unwrap_or_default();
    let exists = |root: &Path| workspace.modules.exists(root, top);
    let from_elsewhere = import.level == 0
        && !exists(&root)
        && exists(&workspace.home(&module.path).0)
        && places::set_aside(&module.path).is_none()
        && !places::is_among_scripts(&module.path);
    if !(private || from_elsewhere) || name.contains('.') {
        return;
    }
    application.candidate.module = module.clone();
    match &mut application.candidate.launch {
        Launch::Asgi { variable, .. } | Launch::Wsgi { variable, .. } => variable.clone_from(name),
        _ => {}
    }
}

/// The framework of an application that is made in a method or a function here.
fn own_framework(workspace: &Workspace<'_>, module: &Arc<Module>) -> (&'static str, &'static str) {
    module
        .calls
        .iter()
        .find_map(|placed| maker(workspace, module, &placed.scope.path, &placed.call))
        .map_or(("ASGI", "uvicorn"), |(framework, distribution, _)| {
            (framework, distribution)
        })
}

/// `8080` of `HTTPServer(("0.0.0.0", 8080), Handler)`.
fn address_port(call: &crate::python::value::Call, module: &Module, scope: &str) -> Option<u16> {
    call.arguments.iter().find_map(|argument| match argument {
        Value::List(parts) => evaluate(parts.get(1)?, module, scope).port(),
        Value::Integer(_) => evaluate(argument, module, scope).port(),
        _ => None,
    })
}

/// Whether a server only waits, beside its program, for what a person's browser brings back.
fn waits_for_an_answer(module: &Module, callee: &str) -> bool {
    let plain = ["http.server.", "socketserver.", "wsgiref."]
        .iter()
        .any(|start| callee.starts_with(start));
    plain
        && module
            .imports
            .iter()
            .any(|import| import.level == 0 && import.module == "webbrowser")
}

/// Whether a server is only started where a value that has another default says so, be it through the function
/// around it.
fn not_by_itself(workspace: &Workspace<'_>, module: &Arc<Module>, placed: &PlacedCall) -> bool {
    if transport::is_default(workspace, module, placed) == Some(false) {
        return true;
    }
    let around = placed.scope.path.rsplit('.').next().unwrap_or_default();
    let mut callers = module
        .calls
        .iter()
        .filter(|other| !around.is_empty() && other.call.function.as_name() == Some(around))
        .peekable();
    callers.peek().is_some()
        && callers.all(|caller| transport::is_default(workspace, module, caller) == Some(false))
}

/// `50051` of `server.add_insecure_port("[::]:50051")`, `8888` of `application.listen(8888)`.
fn bound_port(module: &Module) -> Option<u16> {
    module.calls.iter().find_map(|placed| {
        let call = &placed.call;
        let wanted = matches!(
            call.method(),
            Some("add_insecure_port" | "add_secure_port" | "listen")
        );
        let first = call.arguments.first().filter(|_| wanted)?;
        let constant = match first {
            Value::Joined(parts) => evaluate(parts.last()?, module, &placed.scope.path),
            value => evaluate(value, module, &placed.scope.path),
        };
        constant.text?.rsplit(':').next()?.parse().ok()
    })
}

/// The application that `target` stands for.
fn served(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    target: &Value,
    applications: &[Application],
) -> Option<usize> {
    let position = |path: &Path, variable: &str| {
        applications.iter().position(|application| {
            *application.candidate.module.path == *path && application.variable == variable
        })
    };
    let text = match target {
        Value::Name(name) => {
            let (origin, variable) = workspace
                .definition(module, scope, name)
                .map(|definition| {
                    (
                        definition.module.path.clone(),
                        definition.binding.target.clone(),
                    )
                })
                .or_else(|| {
                    let (origin, name) = workspace.origin(module, name)?;
                    Some((origin.path.clone(), name))
                })?;
            if let Some(index) = position(&origin, &variable) {
                return Some(index);
            }
            let value = workspace.definition(module, scope, name)?.binding.value?;
            return match value {
                // `app = create_app()` in the same function.
                Value::Call(_) => served(workspace, module, scope, &value, applications),
                Value::Name(other) if other != *name => {
                    served(workspace, module, scope, &Value::Name(other), applications)
                }
                _ => None,
            };
        }
        Value::Call(call) => {
            let (origin, name) = workspace.origin(module, call.function.as_name()?)?;
            return position(&origin.path, &name);
        }
        Value::Text(text) => text.clone(),
        other => evaluate(other, module, scope).text?,
    };
    let (dotted, variable) = text.split_once(':')?;
    let mut roots = workspace.roots(&module.path).to_vec();
    roots.extend(module.path.parent().map(Path::to_owned));
    let file = workspace.modules.find(&roots, dotted)?;
    let variable = variable.trim_end_matches("()");
    position(&file, variable).or_else(|| {
        let named = workspace.modules.get(&file)?;
        let (origin, name) = workspace.origin(&named, variable)?;
        position(&origin.path, &name)
    })
}
