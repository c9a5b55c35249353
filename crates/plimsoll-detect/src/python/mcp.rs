//! Servers of the Model Context Protocol, and the transport they speak.

use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::detection::ServiceKind;
use crate::python::candidate::{Candidate, Launch, launch_of, started_elsewhere};
use crate::python::evaluate::evaluate;
use crate::python::module::{Module, PlacedCall};
use crate::python::transport;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// What makes a server: full name, distribution.
const MAKERS: &[(&str, &str)] = &[
    ("fastmcp.FastMCP", "fastmcp"),
    ("fastmcp.server.FastMCP", "fastmcp"),
    ("fastmcp.server.server.FastMCP", "fastmcp"),
    ("mcp.server.fastmcp.FastMCP", "mcp"),
    ("mcp.server.fastmcp.server.FastMCP", "mcp"),
    ("mcp.server.FastMCP", "mcp"),
    ("fastmcp.FastMCP.from_openapi", "fastmcp"),
    ("fastmcp.FastMCP.from_fastapi", "fastmcp"),
    ("fastmcp.FastMCP.as_proxy", "fastmcp"),
];

/// Port when the code names none.
const PORT: u16 = 8000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Stdio,
    Http,
}

/// Finds the servers that the files at `entries` start.
pub(crate) fn find(workspace: &Workspace<'_>, entries: &[Arc<Module>]) -> Vec<Candidate> {
    let mut found = Vec::new();
    for module in entries {
        let mut started: Vec<(Candidate, &PlacedCall)> = Vec::new();
        for placed in &module.calls {
            if let Some(candidate) =
                fast(workspace, module, placed).or_else(|| low_level(workspace, module, placed))
            {
                started.push((candidate, placed));
            }
        }
        found.extend(choose(workspace, module, started));
        found.extend(never_run(workspace, module, entries));
    }
    found
}

/// One file may start its server in several ways, chosen by a value; the value's default says what it does by
/// itself, and where that is not known, the way without a network.
fn choose(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    started: Vec<(Candidate, &PlacedCall)>,
) -> Option<Candidate> {
    let usual = started
        .iter()
        .position(|(_, placed)| transport::is_default(workspace, module, placed) == Some(true));
    let possible = |index: usize| {
        let (_, placed) = &started[index];
        transport::is_default(workspace, module, placed) != Some(false)
    };
    let quiet = (0..started.len())
        .find(|index| possible(*index) && started[*index].0.kind == ServiceKind::McpStdio)
        .or_else(|| (0..started.len()).find(|index| possible(*index)));
    let chosen = usual.or(quiet).unwrap_or(0);
    let mut best = None;
    let mut others = Vec::new();
    for (index, (candidate, _)) in started.into_iter().enumerate() {
        if index == chosen {
            best = Some(candidate);
        } else {
            others.push(candidate);
        }
    }
    let mut best = best?;
    for other in others {
        if best.kind == ServiceKind::McpStdio && other.kind == ServiceKind::McpHttp {
            best.over_http = best.over_http.or(other.port);
        }
        best.evidence.extend(other.evidence.into_iter().take(1));
    }
    Some(best)
}

fn fast(workspace: &Workspace<'_>, module: &Arc<Module>, placed: &PlacedCall) -> Option<Candidate> {
    let call = &placed.call;
    let scope = &*placed.scope.path;
    let method = call.method()?;
    let fixed = match method {
        "run" | "run_async" => None,
        "run_stdio_async" => Some(Transport::Stdio),
        "run_sse_async" | "run_streamable_http_async" | "run_http_async" => Some(Transport::Http),
        _ => return None,
    };
    // `FastMCP("x").run()` and `server.run()`.
    let (distribution, own_port, own_host) = match &call.function {
        Value::Attribute(base, _) => {
            let made = base.as_call()?;
            (kind_of_server(workspace, module, made)?, None, None)
        }
        _ => {
            let known =
                workspace
                    .maker(module, scope, call.receiver()?)
                    .and_then(|(definition, _)| {
                        let made = definition.binding.value.as_ref()?.as_call()?.clone();
                        let distribution = kind_of_server(workspace, &definition.module, &made)?;
                        Some((definition, made, distribution))
                    });
            let Some((definition, made, distribution)) = known else {
                let distribution = handed_over(module, call)?;
                return started(workspace, module, placed, fixed, (distribution, None, None));
            };
            let owner = &definition.module;
            let inside = &definition.binding.scope.path;
            let port = made
                .keyword("port")
                .and_then(|port| evaluate(port, owner, inside).port());
            let host = made
                .keyword("host")
                .map(|host| evaluate(host, owner, inside));
            (distribution, port, host)
        }
    };
    started(
        workspace,
        module,
        placed,
        fixed,
        (distribution, own_port, own_host),
    )
}

/// The distribution of a server that another file, or a function, has made and handed over: what takes a transport,
/// or is named after one, in a file that knows the kit.
fn handed_over(module: &Module, call: &crate::python::value::Call) -> Option<&'static str> {
    let named = call
        .method()
        .is_some_and(|method| method.starts_with("run_") && method.ends_with("_async"));
    if !named {
        call.keyword("transport")?;
    }
    let imports = |name: &str| {
        module
            .imports
            .iter()
            .any(|import| import.level == 0 && import.module.starts_with(name))
    };
    if imports("fastmcp") {
        return Some("fastmcp");
    }
    imports("mcp.server").then_some("mcp")
}

/// The server that a call starts, whose distribution, port and address its maker tells.
fn started(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    placed: &PlacedCall,
    fixed: Option<Transport>,
    (distribution, own_port, own_host): (
        &'static str,
        Option<u16>,
        Option<crate::python::evaluate::Constant>,
    ),
) -> Option<Candidate> {
    let call = &placed.call;
    let scope = &*placed.scope.path;
    let transport = match fixed {
        Some(transport) => transport,
        None => match call.argument(0, "transport") {
            None => Transport::Stdio,
            Some(value) => {
                match transport::default_of(workspace, module, scope, value).as_deref() {
                    Some("sse" | "http" | "streamable-http" | "streamable_http") => Transport::Http,
                    _ => Transport::Stdio,
                }
            }
        },
    };
    let (launch, evidence) = launch_of(workspace, module, &placed.scope)?;
    let (kind, why) = match transport {
        Transport::Stdio => (
            ServiceKind::McpStdio,
            "runs an MCP server over standard input and output",
        ),
        Transport::Http => (ServiceKind::McpHttp, "runs an MCP server over HTTP"),
    };
    let mut candidate = Candidate::new(
        module,
        call.place,
        kind,
        ("FastMCP", distribution),
        launch,
        why,
    );
    if transport == Transport::Http {
        let port = call.keyword("port").and_then(|port| {
            let stated = workspace.constant(module, scope, port).port();
            stated.or_else(|| {
                transport::default_of(workspace, module, scope, port)?
                    .parse()
                    .ok()
            })
        });
        candidate.port = Some(port.or(own_port).unwrap_or(PORT));
        candidate.host = call
            .keyword("host")
            .map(|host| evaluate(host, module, scope))
            .or(own_host)
            .map(|host| (host, call.place));
        candidate.host_option = call
            .keyword("host")
            .and_then(|host| transport::address_option(workspace, module, scope, host));
    }
    // `run(transport=settings.transport)`, which is `stdio` unless it is set.
    let chosen = fixed.is_none()
        && call
            .argument(0, "transport")
            .is_some_and(|value| value.as_text().is_none());
    if transport == Transport::Stdio && chosen {
        candidate.over_http = Some(own_port.unwrap_or(PORT));
    }
    candidate.evidence.extend(evidence);
    Some(candidate)
}

/// The distribution of the server that a call makes, also by a class of the tree that extends it.
fn kind_of_server(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    made: &crate::python::value::Call,
) -> Option<&'static str> {
    if let Some(known) = module
        .callee(made)
        .and_then(|callee| distribution_of(&callee))
    {
        return Some(known);
    }
    let name = made.function.as_name()?;
    if let Some(known) = of_function(workspace, module, name) {
        return Some(known);
    }
    let mut open = vec![(module.clone(), name.to_owned())];
    for _ in 0..8 {
        let (module, name) = open.pop()?;
        if !workspace.modules.may_define(&name) {
            continue;
        }
        let Some((origin, name)) = workspace.origin(&module, &name) else {
            continue;
        };
        let Some(class) = origin.class(&name) else {
            continue;
        };
        for base in &class.bases {
            // `FastMCP[Lifespan]`.
            let base = match base {
                Value::Subscript(base, _) => base,
                other => other,
            };
            let Some(base) = base.as_name() else {
                continue;
            };
            if let Some(known) = distribution_of(&origin.qualify(base)) {
                return Some(known);
            }
            if base != name {
                open.push((origin.clone(), base.to_owned()));
            }
        }
    }
    None
}

/// The distribution of the server that a function of the tree makes and gives back, or says that it does:
/// `def make() -> FastMCP`.
fn of_function(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    name: &str,
) -> Option<&'static str> {
    if !workspace.modules.may_define(name) {
        return None;
    }
    let (origin, name) = workspace.origin(module, name)?;
    let function = origin.function(&name)?;
    let inside = function.inner_path();
    let said = function.result.as_ref().and_then(|result| {
        let result = match result {
            Value::Subscript(base, _) => base,
            other => other,
        };
        distribution_of(&origin.qualify(result.as_name()?))
    });
    let given = || {
        function.returns.iter().find_map(|value| {
            let made = match value {
                Value::Name(name) => origin
                    .bindings
                    .iter()
                    .find(|binding| *binding.scope.path == *inside && binding.target == *name)?
                    .value
                    .as_ref()?
                    .as_call()?,
                other => other.as_call()?,
            };
            distribution_of(&origin.callee(made)?)
        })
    };
    said.or_else(given)
}

fn distribution_of(callee: &str) -> Option<&'static str> {
    MAKERS
        .iter()
        .find(|(name, _)| *name == callee)
        .map(|(_, distribution)| *distribution)
}

/// The declared program that starts a server of another file: by its own file, where that can be run.
fn declared(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    placed: &PlacedCall,
) -> Option<(Launch, Vec<Evidence>)> {
    let (launch, evidence) = started_elsewhere(workspace, module, &placed.scope)?;
    let Launch::ConsoleScript(name) = &launch else {
        return Some((launch, evidence));
    };
    let project = workspace.project_of(&module.path)?;
    let script = project.scripts.iter().find(|script| script.name == *name)?;
    let file = workspace
        .modules
        .find(&project.import_roots, &script.module)?;
    let runs = workspace.modules.get(&file)?.main_guard.is_some();
    // A package passes its own server on: it is as good by itself.
    let elsewhere = runs && *file != *module.path;
    Some(match elsewhere {
        true => (Launch::Package(script.module.clone()), evidence),
        false => return None,
    })
}

fn low_level(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    placed: &PlacedCall,
) -> Option<Candidate> {
    let callee = module.callee(&placed.call)?;
    if !matches!(
        callee.as_ref(),
        "mcp.server.stdio.stdio_server" | "mcp.stdio_server" | "mcp.server.stdio_server"
    ) {
        return None;
    }
    // What the project declares is started rather than a file that others import.
    let declared = declared(workspace, module, placed);
    let (launch, evidence) = declared.or_else(|| launch_of(workspace, module, &placed.scope))?;
    let why = "serves MCP over standard input and output";
    let mut candidate = Candidate::new(
        module,
        placed.call.place,
        ServiceKind::McpStdio,
        ("MCP", "mcp"),
        launch,
        why,
    );
    candidate.evidence.extend(evidence);
    Some(candidate)
}

/// A server at the top of a file that nothing runs: its own program can.
fn never_run(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    entries: &[Arc<Module>],
) -> Option<Candidate> {
    let binding = module.bindings.iter().find(|binding| {
        let call = binding.value.as_ref().and_then(Value::as_call);
        binding.scope.is_top()
            && !binding.scope.main
            && call
                .and_then(|call| module.callee(call))
                .is_some_and(|callee| distribution_of(&callee) == Some("fastmcp"))
    })?;
    let used = entries.iter().any(|other| {
        other.calls.iter().any(|placed| {
            let Some(receiver) = placed.call.receiver() else {
                return false;
            };
            let uses = placed.call.method().is_some_and(|method| {
                method.starts_with("run")
                    || matches!(method, "http_app" | "sse_app" | "streamable_http_app")
            });
            uses && (other.path == module.path && receiver == binding.target
                || workspace
                    .origin(other, receiver)
                    .is_some_and(|(origin, name)| {
                        origin.path == module.path && name == binding.target
                    }))
        }) || other.calls.iter().any(|placed| {
            // Mounted into another server.
            matches!(placed.call.method(), Some("mount" | "import_server"))
                && placed
                    .call
                    .arguments
                    .iter()
                    .filter_map(Value::as_name)
                    .any(|name| {
                        other.path == module.path && name == binding.target
                            || workspace.origin(other, name).is_some_and(|(origin, name)| {
                                origin.path == module.path && name == binding.target
                            })
                    })
        })
    });
    if used {
        return None;
    }
    let launch = Launch::FastMcp {
        variable: binding.target.clone(),
    };
    let mut candidate = Candidate::new(
        module,
        binding.place,
        ServiceKind::McpStdio,
        ("FastMCP", "fastmcp"),
        launch,
        "makes an MCP server",
    );
    candidate.evidence.push(Evidence::new(
        module.span(binding.place),
        "nothing in the code runs it; `fastmcp run` does",
    ));
    Some(candidate)
}
