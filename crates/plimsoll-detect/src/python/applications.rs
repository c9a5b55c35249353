//! Web applications: objects that a server program serves, functions that make them, and the
//! servers that code starts by itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::detection::ServiceKind;
use crate::python::candidate::{Candidate, Launch, launch_of};
use crate::python::evaluate::evaluate;
use crate::python::module::{Binding, Module, PlacedCall};
use crate::python::transport;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interface {
    Asgi,
    Wsgi,
}

/// Who makes an application: full name, framework, distribution, interface.
#[rustfmt::skip]
const MAKERS: &[(&str, &str, &str, Interface)] = &[
    ("fastapi.FastAPI", "FastAPI", "fastapi", Interface::Asgi),
    ("fastapi.applications.FastAPI", "FastAPI", "fastapi", Interface::Asgi),
    ("starlette.applications.Starlette", "Starlette", "starlette", Interface::Asgi),
    ("litestar.Litestar", "Litestar", "litestar", Interface::Asgi),
    ("quart.Quart", "Quart", "quart", Interface::Asgi),
    ("sanic.Sanic", "Sanic", "sanic", Interface::Asgi),
    ("robyn.Robyn", "Robyn", "robyn", Interface::Asgi),
    ("flask.Flask", "Flask", "flask", Interface::Wsgi),
    ("bottle.Bottle", "Bottle", "bottle", Interface::Wsgi),
    ("falcon.App", "Falcon", "falcon", Interface::Wsgi),
    ("falcon.asgi.App", "Falcon", "falcon", Interface::Asgi),
    ("dash.Dash", "Dash", "dash", Interface::Wsgi),
    ("django.core.wsgi.get_wsgi_application", "Django", "django", Interface::Wsgi),
    ("django.core.asgi.get_asgi_application", "Django", "django", Interface::Asgi),
    ("google.adk.cli.fast_api.get_fast_api_app", "Google ADK", "google-adk", Interface::Asgi),
    ("agno.playground.Playground.get_app", "Agno", "agno", Interface::Asgi),
];

/// Methods that turn an MCP server into an application.
const MCP_APPLICATIONS: &[&str] = &["http_app", "streamable_http_app", "sse_app"];

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
    "grpc.aio.server",
    "grpc.server",
    "websockets.serve",
    "tornado.web.Application",
    "asyncio.start_server",
];

/// An application that was found, by file and variable.
#[derive(Debug)]
struct Application {
    candidate: Candidate,
    variable: String,
}

/// Finds the web applications that the files at `entries` make or start.
pub(crate) fn find(workspace: &Workspace<'_>, entries: &[Rc<Module>]) -> Vec<Candidate> {
    let mut applications: Vec<Application> = Vec::new();
    let mut factories: Vec<(Arc<Path>, String, usize)> = Vec::new();
    // Nobody but the project's own code can call these.
    let mut with_arguments: BTreeSet<usize> = BTreeSet::new();
    for module in entries {
        for binding in &module.bindings {
            if binding.scope.is_top()
                && !binding.scope.main
                && let Some(application) = made_here(workspace, module, binding)
            {
                applications.push(application);
            }
        }
        for function in &module.functions {
            if let Some(application) = factory(workspace, module, function) {
                if takes_arguments(function) {
                    with_arguments.insert(applications.len());
                }
                factories.push((
                    module.path.clone(),
                    function.name.clone(),
                    applications.len(),
                ));
                applications.push(application);
            }
        }
    }
    let called = called_factories(workspace, entries, &factories, &mut applications);
    let mounted = mounted(workspace, entries);
    let mut stray = Vec::new();
    for module in entries {
        for placed in &module.calls {
            serve(
                workspace,
                module,
                placed,
                &mut applications,
                &with_arguments,
                &mut stray,
            );
        }
    }
    let mut dropped: BTreeSet<usize> = called;
    dropped.extend(with_arguments);
    for (index, application) in applications.iter().enumerate() {
        let key = (
            application.candidate.module.path.clone(),
            application.variable.clone(),
        );
        if mounted.contains(&key) {
            dropped.insert(index);
        }
    }
    let kept: Vec<Candidate> = applications
        .into_iter()
        .enumerate()
        .filter(|(index, _)| !dropped.contains(index))
        .map(|(_, application)| application.candidate)
        .collect();
    // A server that serves something built on the spot counts only where nothing better was found.
    stray.retain(|candidate: &Candidate| {
        kept.iter()
            .all(|other| other.module.path != candidate.module.path)
    });
    stray.dedup_by(|one, other| one.module.path == other.module.path);
    let mut kept = kept;
    stray.retain(|candidate| !starts_the_only_one(workspace, candidate, &mut kept));
    kept.into_iter().chain(stray).collect()
}

/// A file that starts a server with an application that nothing names starts the only one that its project has.
fn starts_the_only_one(
    workspace: &Workspace<'_>,
    starter: &Candidate,
    kept: &mut [Candidate],
) -> bool {
    let directory = |candidate: &Candidate| {
        let path = &candidate.module.path;
        let aside = crate::places::set_aside(path);
        (
            workspace
                .project_of(path)
                .map(|project| project.directory.clone()),
            aside,
        )
    };
    let named = starter.framework == "ASGI";
    let mut same = kept.iter_mut().filter(|other| {
        matches!(other.launch, Launch::Asgi { .. }) && directory(other) == directory(starter)
    });
    match (same.next(), same.next()) {
        (Some(only), None) if named => {
            if only.port.is_none() {
                only.port = starter.port;
                only.port_variable.clone_from(&starter.port_variable);
                only.port_of_another = true;
            }
            only.evidence
                .extend(starter.evidence.iter().take(1).cloned());
            true
        }
        _ => false,
    }
}

fn made_here(
    workspace: &Workspace<'_>,
    module: &Rc<Module>,
    binding: &Binding,
) -> Option<Application> {
    let call = binding.value.as_ref()?.as_call()?;
    let (framework, distribution, interface) = maker(workspace, module, &binding.scope.path, call)?;
    let variable = binding.target.clone();
    if variable.contains('.') {
        return None;
    }
    let why = format!("makes a {framework} application");
    let mut launch = launch(interface, variable.clone(), false);
    let mut kind = ServiceKind::Web;
    if framework == "Dash" {
        kind = ServiceKind::Ui;
        // What is served is the Flask application inside.
        let inside = format!("{variable}.server");
        let server = module.bindings.iter().find(|other| {
            other.scope.is_top()
                && other.value.as_ref().and_then(Value::as_name) == Some(inside.as_str())
        });
        launch = match server {
            Some(server) => Launch::Wsgi {
                variable: server.target.clone(),
                factory: false,
            },
            None => Launch::Module,
        };
    }
    Some(Application {
        candidate: Candidate::new(
            module,
            binding.place,
            kind,
            (framework, distribution),
            launch,
            why,
        ),
        variable,
    })
}

fn launch(interface: Interface, variable: String, factory: bool) -> Launch {
    match interface {
        Interface::Asgi => Launch::Asgi { variable, factory },
        Interface::Wsgi => Launch::Wsgi { variable, factory },
    }
}

fn maker(
    workspace: &Workspace<'_>,
    module: &Rc<Module>,
    scope: &str,
    call: &crate::python::value::Call,
) -> Option<(&'static str, &'static str, Interface)> {
    if let Some(callee) = module.callee(call)
        && let Some((_, framework, distribution, interface)) =
            MAKERS.iter().find(|(name, ..)| *name == callee)
    {
        return Some((framework, distribution, *interface));
    }
    let method = call.method()?;
    if MCP_APPLICATIONS.contains(&method) {
        let (_, made_by) = workspace.maker(module, scope, call.receiver()?)?;
        if made_by.ends_with(".FastMCP") {
            return Some((
                "MCP",
                if made_by.starts_with("fastmcp") {
                    "fastmcp"
                } else {
                    "mcp"
                },
                Interface::Asgi,
            ));
        }
    }
    // A class of the tree that extends a framework's.
    let name = call
        .function
        .as_name()
        .filter(|name| workspace.modules.may_define(name))?;
    let (origin, name) = workspace.origin(module, name)?;
    let class = origin.class(&name)?;
    class.bases.iter().find_map(|base| {
        let base = origin.qualify(base.as_name()?);
        MAKERS
            .iter()
            .find(|(maker, ..)| *maker == base)
            .map(|(_, framework, distribution, interface)| (*framework, *distribution, *interface))
    })
}

/// A function at the top of a file that makes and returns an application.
fn factory(
    workspace: &Workspace<'_>,
    module: &Rc<Module>,
    function: &crate::python::module::Function,
) -> Option<Application> {
    if !function.scope.is_top() || function.scope.main || function.generator {
        return None;
    }
    let inside = function.inner_path();
    let made = module
        .bindings
        .iter()
        .filter(|binding| *binding.scope.path == *inside)
        .find_map(|binding| {
            let call = binding.value.as_ref()?.as_call()?;
            let returned = function
                .returns
                .iter()
                .any(|value| value.as_name() == Some(binding.target.as_str()));
            Some((
                maker(workspace, module, &inside, call).filter(|_| returned)?,
                binding.place,
            ))
        });
    let returned = function.returns.iter().find_map(|value| {
        let call = value.as_call()?;
        Some((maker(workspace, module, &inside, call)?, call.place))
    });
    let ((framework, distribution, interface), place) = made.or(returned)?;
    let why = format!("`{}()` makes a {framework} application", function.name);
    Some(Application {
        candidate: Candidate::new(
            module,
            place,
            ServiceKind::Web,
            (framework, distribution),
            launch(interface, function.name.clone(), true),
            why,
        ),
        variable: function.name.clone(),
    })
}

/// Whether a function has to be handed something.
fn takes_arguments(function: &crate::python::module::Function) -> bool {
    function
        .parameters
        .iter()
        .any(|parameter| parameter.default.is_none())
}

/// Whether the function `name` of `module` makes an application, and whoever serves it can call it.
pub(crate) fn is_factory(workspace: &Workspace<'_>, module: &Rc<Module>, name: &str) -> bool {
    module.function(name).is_some_and(|function| {
        !takes_arguments(function) && factory(workspace, module, function).is_some()
    })
}

/// Variables bound to what a factory returns are served instead of the factory.
fn called_factories(
    workspace: &Workspace<'_>,
    entries: &[Rc<Module>],
    factories: &[(Arc<Path>, String, usize)],
    applications: &mut Vec<Application>,
) -> BTreeSet<usize> {
    let mut called = BTreeSet::new();
    if factories.is_empty() {
        return called;
    }
    for module in entries {
        for binding in &module.bindings {
            if !binding.scope.is_top() || binding.scope.main || binding.target.contains('.') {
                continue;
            }
            let Some(call) = binding.value.as_ref().and_then(Value::as_call) else {
                continue;
            };
            let Some(name) = call.function.as_name() else {
                continue;
            };
            let Some((origin, name)) = workspace.origin(module, name) else {
                continue;
            };
            let Some((_, _, index)) = factories
                .iter()
                .find(|(path, function, _)| *path == origin.path && *function == name)
            else {
                continue;
            };
            // A file that somebody else's tests or examples hold does not replace the factory.
            if crate::places::set_aside(&module.path) != crate::places::set_aside(&origin.path) {
                continue;
            }
            let maker = &applications[*index].candidate;
            let variable = binding.target.clone();
            let launch = match maker.launch {
                Launch::Wsgi { .. } => Launch::Wsgi {
                    variable: variable.clone(),
                    factory: false,
                },
                _ => Launch::Asgi {
                    variable: variable.clone(),
                    factory: false,
                },
            };
            let mut candidate = Candidate::new(
                module,
                binding.place,
                maker.kind,
                (maker.framework, maker.distribution),
                launch,
                format!("`{variable}` is what `{name}()` makes"),
            );
            candidate.evidence.extend(maker.evidence.iter().cloned());
            called.insert(*index);
            applications.push(Application {
                candidate,
                variable,
            });
        }
    }
    called
}

/// Applications that are part of another one.
fn mounted(workspace: &Workspace<'_>, entries: &[Rc<Module>]) -> BTreeSet<(Arc<Path>, String)> {
    let mut mounted = BTreeSet::new();
    for module in entries {
        for placed in &module.calls {
            if !matches!(placed.call.method(), Some("mount" | "Mount")) {
                continue;
            }
            let Some(Value::Name(name)) = placed.call.argument(1, "app") else {
                continue;
            };
            if let Some(definition) = workspace.definition(module, &placed.scope.path, name) {
                mounted.insert((
                    definition.module.path.clone(),
                    definition.binding.target.clone(),
                ));
            }
        }
    }
    mounted
}

/// Joins a call that serves to the application it serves.
fn serve(
    workspace: &Workspace<'_>,
    module: &Rc<Module>,
    placed: &PlacedCall,
    applications: &mut [Application],
    with_arguments: &BTreeSet<usize>,
    stray: &mut Vec<Candidate>,
) {
    let call = &placed.call;
    let scope = &*placed.scope.path;
    let callee = module.callee(call).unwrap_or_default();
    let known = SERVERS.contains(&callee.as_str());
    // `app.run(port=5000)` of Flask, Sanic and their kin.
    let own_run = call.method() == Some("run") && !known && call.receiver().is_some();
    if !known && !own_run {
        return;
    }
    let target = if own_run {
        call.receiver().map(|name| Value::Name(name.to_owned()))
    } else {
        call.argument(0, "app").cloned()
    };
    let stated = call
        .keyword("port")
        .map(|port| workspace.constant(module, scope, port))
        .unwrap_or_default();
    let port = stated.port().or_else(|| {
        let port = call.keyword("port")?;
        transport::default_of(workspace, module, scope, port)?
            .parse()
            .ok()
    });
    let host = call
        .keyword("host")
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
        candidate.host = candidate.host.take().or(host);
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
    let Some((launch, evidence)) = launch_of(workspace, module, &placed.scope) else {
        return;
    };
    let framework = match callee.split('.').next().unwrap_or_default() {
        "aiohttp" => ("aiohttp", "aiohttp"),
        "grpc" => ("gRPC", "grpcio"),
        "websockets" => ("websockets", "websockets"),
        "tornado" => ("Tornado", "tornado"),
        "http" | "socketserver" | "wsgiref" | "asyncio" => ("Python", ""),
        "uvicorn" | "hypercorn" => own_framework(workspace, module),
        _ => ("WSGI", ""),
    };
    let mut candidate = Candidate::new(
        module,
        call.place,
        ServiceKind::Web,
        framework,
        launch,
        format!("`{callee}` serves until the process ends"),
    );
    candidate.port_variable = stated.variable;
    candidate.port = port
        .or_else(|| address_port(call, module, scope))
        .or_else(|| bound_port(module))
        .or_else(|| (callee == "aiohttp.web.run_app").then_some(8080));
    candidate.host = host.or_else(|| {
        let address = call.arguments.first()?;
        let Value::List(parts) = address else {
            return None;
        };
        Some((evaluate(parts.first()?, module, scope), call.place))
    });
    candidate.evidence.extend(evidence);
    stray.push(candidate);
}

/// An application that a private module makes is known by the public name that serves it.
fn rename(
    workspace: &Workspace<'_>,
    module: &Rc<Module>,
    target: Option<&Value>,
    application: &mut Application,
) {
    let Some(Value::Name(name)) = target else {
        return;
    };
    let dotted = workspace.home(&application.candidate.module.path).1;
    let private = dotted
        .split('.')
        .any(|part| part.starts_with('_') && !part.starts_with("__"));
    let passed_on = module
        .import_of(name)
        .is_some_and(|import| import.scope.is_top());
    if !private || !passed_on || name.contains('.') {
        return;
    }
    application.candidate.module = module.clone();
    match &mut application.candidate.launch {
        Launch::Asgi { variable, .. } | Launch::Wsgi { variable, .. } => variable.clone_from(name),
        _ => {}
    }
}

/// The framework of an application that is made in a method or a function here.
fn own_framework(workspace: &Workspace<'_>, module: &Rc<Module>) -> (&'static str, &'static str) {
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
fn not_by_itself(workspace: &Workspace<'_>, module: &Rc<Module>, placed: &PlacedCall) -> bool {
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
    module: &Rc<Module>,
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
    let mut roots = workspace.roots(&module.path);
    roots.extend(module.path.parent().map(Path::to_owned));
    let file = workspace.modules.find(&roots, dotted)?;
    let variable = variable.trim_end_matches("()");
    position(&file, variable).or_else(|| {
        let named = workspace.modules.get(&file)?;
        let (origin, name) = workspace.origin(&named, variable)?;
        position(&origin.path, &name)
    })
}
