//! Web applications: objects that a server program serves, and functions that make
//! them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::detection::ServiceKind;
use crate::python::candidate::{Candidate, Launch};
use crate::python::given_application;
use crate::python::module::{Binding, Module};
use crate::python::serving::serve;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
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
    ("channels.routing.ProtocolTypeRouter", "Django", "django", Interface::Asgi),
    ("channels.routing.get_default_application", "Django", "django", Interface::Asgi),
    ("google.adk.cli.fast_api.get_fast_api_app", "Google ADK", "google-adk", Interface::Asgi),
    ("agno.playground.Playground.get_app", "Agno", "agno", Interface::Asgi),
];

/// What puts an application into another one: full name, position and keyword of the one inside.
#[rustfmt::skip]
const WRAPPERS: &[(&str, usize, &str)] = &[
    ("a2wsgi.WSGIMiddleware", 0, "app"),
    ("asgiref.wsgi.WsgiToAsgi", 0, "wsgi_application"),
    ("fastapi.middleware.wsgi.WSGIMiddleware", 0, "app"),
    ("starlette.middleware.wsgi.WSGIMiddleware", 0, "app"),
    ("starlette.middleware.cors.CORSMiddleware", 0, "app"),
    ("fastapi.middleware.cors.CORSMiddleware", 0, "app"),
    ("uvicorn.middleware.wsgi.WSGIMiddleware", 0, "app"),
    ("uvicorn.middleware.proxy_headers.ProxyHeadersMiddleware", 0, "app"),
    ("socketio.ASGIApp", 1, "other_asgi_app"),
    ("engineio.ASGIApp", 1, "other_asgi_app"),
];

/// Methods that turn an MCP server into an application.
const MCP_APPLICATIONS: &[&str] = &["http_app", "streamable_http_app", "sse_app"];

/// An application that was found, by file and variable.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) candidate: Candidate,
    pub(super) variable: String,
}

/// Finds the web applications that the files at `entries` make or start.
pub(crate) fn find(workspace: &Workspace<'_>, entries: &[Arc<Module>]) -> Vec<Candidate> {
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
    let wrapped = wrapped(workspace, entries, &mut applications);
    let mut stray = Vec::new();
    for module in entries {
        for placed in &module.calls {
            serve(
                workspace,
                entries,
                module,
                placed,
                &mut applications,
                &with_arguments,
                &mut stray,
            );
        }
    }
    let mut dropped: BTreeSet<usize> = called;
    dropped.extend(handed_on(&applications, entries));
    for (inner, outer) in wrapped {
        let (port, host) = {
            let candidate = &applications[inner].candidate;
            (candidate.port, candidate.host.clone())
        };
        let candidate = &mut applications[outer].candidate;
        candidate.port = candidate.port.or(port);
        candidate.host = candidate.host.take().or(host);
        dropped.insert(inner);
    }
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
    module: &Arc<Module>,
    binding: &Binding,
) -> Option<Application> {
    let called = binding.value.as_ref()?.as_call();
    let (framework, distribution, interface) = called
        .and_then(|call| maker(workspace, module, &binding.scope.path, call))
        .or_else(|| given_application::of_binding(workspace, module, binding))?;
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

/// What an application is: framework, distribution, interface.
pub(super) type Made = (&'static str, &'static str, Interface);

/// The application that a class or function of this full name makes.
pub(super) fn of_maker(name: &str) -> Option<Made> {
    let known = MAKERS.iter().find(|(maker, ..)| *maker == name);
    known.map(|(_, framework, distribution, interface)| (*framework, *distribution, *interface))
}

pub(super) fn maker(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &str,
    call: &crate::python::value::Call,
) -> Option<Made> {
    if let Some(made) = module.callee(call).and_then(|callee| of_maker(&callee)) {
        return Some(made);
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
    let mut bases = workspace.extended(module, call)?.into_iter();
    bases.find_map(|base| of_maker(&base))
}

/// A function at the top of a file that makes and returns an application.
fn factory(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
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
        .filter(|binding| {
            let mut returned = function.returns.iter();
            returned.any(|value| value.as_name() == Some(binding.target.as_str()))
        })
        .find_map(|binding| {
            let call = binding.value.as_ref()?.as_call()?;
            Some((maker(workspace, module, &inside, call)?, binding.place))
        });
    let returned = function.returns.iter().find_map(|value| {
        let call = value.as_call()?;
        Some((maker(workspace, module, &inside, call)?, call.place))
    });
    let given = || {
        let mut values = function.returns.iter();
        let made =
            values.find_map(|value| given_application::of_value(workspace, module, &inside, value));
        Some((made?, function.place))
    };
    let ((framework, distribution, interface), place) = made.or(returned).or_else(given)?;
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
pub(crate) fn is_factory(workspace: &Workspace<'_>, module: &Arc<Module>, name: &str) -> bool {
    module.function(name).is_some_and(|function| {
        !takes_arguments(function) && factory(workspace, module, function).is_some()
    })
}

/// Variables bound to what a factory returns are served instead of the factory.
fn called_factories(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
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
fn mounted(workspace: &Workspace<'_>, entries: &[Arc<Module>]) -> BTreeSet<(Arc<Path>, String)> {
    let mut mounted = BTreeSet::new();
    for module in entries {
        for placed in &module.calls {
            if !matches!(placed.call.method(), Some("mount" | "Mount")) {
                continue;
            }
            let Some(name) = placed
                .call
                .argument(1, "app")
                .and_then(|app| innermost(module, app))
            else {
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

/// Applications that the call which makes another one of the same file is handed, however deep:
/// `ProtocolTypeRouter({"http": wrap(URLRouter([re_path("", django_app)]))})`.
fn handed_on(applications: &[Application], entries: &[Arc<Module>]) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for outer in applications {
        let path = &outer.candidate.module.path;
        let module = entries.iter().find(|module| module.path == *path);
        let bindings = module.iter().flat_map(|module| &module.bindings);
        let own = bindings.filter(|binding| {
            binding.scope.is_top() && !binding.scope.main && binding.target == outer.variable
        });
        for binding in own {
            let Some(value @ Value::Call(_)) = &binding.value else {
                continue;
            };
            value.walk(&mut |value| {
                let name = value.as_name().filter(|name| *name != outer.variable);
                let inner = applications.iter().position(|other| {
                    name == Some(&other.variable) && other.candidate.module.path == *path
                });
                found.extend(inner);
            });
        }
    }
    found
}

/// The name of the application in a value, what wraps it left out: `flask_app` of
/// `WSGIMiddleware(flask_app)`.
fn innermost<'v>(module: &Module, value: &'v Value) -> Option<&'v str> {
    match value {
        Value::Name(name) => Some(name),
        Value::Call(call) => {
            let callee = module.callee(call)?;
            let (_, position, keyword) = WRAPPERS.iter().find(|(name, ..)| *name == callee)?;
            innermost(module, call.argument(*position, keyword)?)
        }
        _ => None,
    }
}

/// Applications that a variable of the tree wraps, each with the one around it: whoever serves them serves that.
fn wrapped(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    applications: &mut Vec<Application>,
) -> Vec<(usize, usize)> {
    let mut inside: Vec<(usize, usize)> = Vec::new();
    for module in entries {
        for binding in &module.bindings {
            if !binding.scope.is_top() || binding.scope.main || binding.target.contains('.') {
                continue;
            }
            let Some(value @ Value::Call(_)) = &binding.value else {
                continue;
            };
            let Some(name) = innermost(module, value) else {
                continue;
            };
            // `app = ProxyHeadersMiddleware(app)` is defined before it.
            let definition = applications.iter().position(|application| {
                *application.candidate.module.path == *module.path && application.variable == name
            });
            let index = definition.or_else(|| {
                let (path, variable) = match workspace.definition(module, "", name) {
                    Some(found) => (found.module.path.clone(), found.binding.target.clone()),
                    None => {
                        let (origin, name) = workspace.origin(module, name)?;
                        (origin.path.clone(), name)
                    }
                };
                applications.iter().position(|application| {
                    application.candidate.module.path == path && application.variable == variable
                })
            });
            let Some(index) = index.filter(|index| inside.iter().all(|(inner, _)| inner != index))
            else {
                continue;
            };
            let maker = &applications[index].candidate;
            if matches!(maker.launch, Launch::Wsgi { factory: true, .. })
                || crate::places::set_aside(&module.path)
                    != crate::places::set_aside(&maker.module.path)
            {
                continue;
            }
            let variable = binding.target.clone();
            let launch = Launch::Asgi {
                variable: variable.clone(),
                factory: false,
            };
            let mut candidate = Candidate::new(
                module,
                binding.place,
                maker.kind,
                (maker.framework, maker.distribution),
                launch,
                format!("`{variable}` wraps the {} application", maker.framework),
            );
            candidate.evidence.extend(maker.evidence.iter().cloned());
            inside.push((index, applications.len()));
            applications.push(Application {
                candidate,
                variable,
            });
        }
    }
    inside
}
