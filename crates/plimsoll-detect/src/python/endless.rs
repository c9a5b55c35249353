//! Programs that work until they are told to end, by no queue and for no request.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::detection::ServiceKind;
use crate::places;
use crate::python::candidate::{Candidate, Launch, launch_of, starters_of};
use crate::python::module::{Module, Moment, PlacedCall, Scope};
use crate::python::value::Value;
use crate::python::workspace::Workspace;
use crate::python::{Claims, service};
use crate::syntax::Place;

/// The place at which a file waits for an event that somebody else sets: `await stop.wait()`.
fn waits_to_be_told(module: &Module) -> Option<Place> {
    let is_event = |name: &str| {
        let mut bindings = module.bindings.iter();
        bindings.any(|binding| {
            let call = binding.value.as_ref().and_then(Value::as_call);
            binding.target == name
                && matches!(
                    call.and_then(|call| module.callee(call)).as_deref(),
                    Some("asyncio.Event" | "threading.Event")
                )
        })
    };
    let mut calls = module.calls.iter();
    let waits = calls.find(|placed| {
        let call = &placed.call;
        call.method() == Some("wait")
            && call.arguments.is_empty()
            && call.keywords.is_empty()
            && call.receiver().is_some_and(is_event)
    })?;
    Some(waits.call.place)
}

/// A program that loops until a signal tells it to end: nothing that runs once waits for one.
pub(crate) fn until_told(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    found: &mut Vec<Candidate>,
) {
    let Some(endless) = module.endless_loop.or_else(|| waits_to_be_told(module)) else {
        return;
    };
    let listens = module.calls.iter().find(|placed| {
        let signal = |value: &Value| {
            value
                .as_name()
                .is_some_and(|name| name.ends_with("SIGTERM"))
        };
        // `for s in (SIGINT, SIGTERM): loop.add_signal_handler(s, stop)`.
        placed.call.method() == Some("add_signal_handler")
            || module.callee(&placed.call).as_deref() == Some("signal.signal")
                && placed.call.arguments.first().is_some_and(signal)
    });
    let Some(listens) = listens else {
        return;
    };
    // What asks a person works for that person.
    if module
        .calls
        .iter()
        .any(|placed| placed.call.function.as_name() == Some("input"))
    {
        return;
    }
    let known = found
        .iter()
        .any(|candidate| candidate.module.path == module.path);
    let serves = serves_requests(module);
    let Some((launch, evidence)) = launch_of(workspace, module, &listens.scope) else {
        return;
    };
    // A file beside a `__main__.py` is started by that.
    let declared = matches!(launch, Launch::Package(_) | Launch::ConsoleScript(_));
    let starts = module.main_guard.is_some() || declared;
    if known || serves || !starts {
        return;
    }
    let mut candidate = Candidate::new(
        module,
        endless,
        ServiceKind::Worker,
        ("Python", ""),
        launch,
        "works in a loop until a signal tells it to end",
    );
    candidate.evidence.extend(evidence);
    found.push(candidate);
}

/// A program of its own whose loop an asynchronous scheduler works in.
pub(crate) fn own_schedule(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    found: &mut Vec<Candidate>,
) {
    let made = module.calls.iter().find(|placed| {
        module.callee(&placed.call).as_deref()
            == Some("apscheduler.schedulers.asyncio.AsyncIOScheduler")
    });
    let Some(made) = made else {
        return;
    };
    let known = found
        .iter()
        .any(|candidate| candidate.module.path == module.path);
    if known || serves_requests(module) || module.main_guard.is_none() {
        return;
    }
    let Some((launch, evidence)) = launch_of(workspace, module, &made.scope) else {
        return;
    };
    let mut candidate = Candidate::new(
        module,
        made.call.place,
        ServiceKind::Scheduler,
        ("APScheduler", "apscheduler"),
        launch,
        "starts work at set times until the process ends",
    );
    candidate.evidence.extend(evidence);
    found.push(candidate);
}

/// Words in the name of a file whose program works for others.
const NAMES: &[&str] = &[
    "worker",
    "workers",
    "poller",
    "polling",
    "consumer",
    "daemon",
    "scheduler",
    "listener",
];

/// Programs that loop without end, where files that deploy the project say that they are started, or where they wait
/// between two rounds and a start script or their own name says so. Nobody deploys what asks a person, and `launchers`
/// watch over servers that are found by themselves.
pub(crate) fn deployed(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    claims: &Claims<'_, '_>,
    launchers: &BTreeSet<Arc<Path>>,
    found: &mut Vec<Candidate>,
) {
    for module in entries {
        let Some(endless) = module.endless_loop else {
            continue;
        };
        let around = scope_around(module, endless);
        let own = launch_of(workspace, module, &around);
        let starters = match own {
            Some((launch, evidence)) => vec![(module.clone(), launch, evidence)],
            None => starters_of(workspace, entries, module, &around)
                .into_iter()
                .map(|(starter, guard)| (starter, Launch::Module, vec![guard]))
                .collect(),
        };
        for (starter, launch, evidence) in starters {
            let shown = |candidate: &Candidate| {
                candidate.module.path == starter.path
                    || candidate
                        .evidence
                        .iter()
                        .any(|evidence| evidence.span.file == starter.shown)
            };
            let by_file = starter.main_guard.is_some() || matches!(launch, Launch::Package(_));
            let asks = asks(module) || asks(&starter);
            if !by_file || asks || launchers.contains(&starter.path) || found.iter().any(shown) {
                continue;
            }
            let claimed = claims(&workspace.home(&starter.path).1, &starter.path);
            if !is_said_to_run(module, &around, &starter, &claimed) {
                continue;
            }
            let why = "works in a loop without end";
            let framework = ("Python", "");
            let kind = ServiceKind::Worker;
            let mut candidate = Candidate::new(module, endless, kind, framework, launch, why);
            candidate.evidence.extend(evidence);
            candidate.module = starter;
            found.push(candidate);
        }
    }
}

/// The scope of the innermost function around a place.
fn scope_around(module: &Module, place: Place) -> Scope {
    let inside = |outer: Place| outer.start <= place.start && place.end <= outer.end;
    let mut functions = module.functions.iter().rev();
    match functions.find(|function| inside(function.place)) {
        Some(function) => Scope {
            path: function.inner_path().into(),
            moment: Moment::Call,
            main: false,
            conditional: false,
        },
        None => Scope {
            path: Arc::from(""),
            moment: Moment::Import,
            main: module
                .main_guard
                .is_some_and(|guard| guard.start <= place.start),
            conditional: false,
        },
    }
}

/// Whether a file asks a person.
fn asks(module: &Module) -> bool {
    let mut calls = module.calls.iter();
    calls.any(|placed| placed.call.function.as_name() == Some("input"))
}

/// Whether something says that the program of `starter`, whose loop is around `scope` of `module`, is left running.
fn is_said_to_run(
    module: &Module,
    scope: &Scope,
    starter: &Module,
    claimed: &service::Claimed<'_>,
) -> bool {
    if claimed.deployed {
        return true;
    }
    let waits = |placed: &PlacedCall| {
        *placed.scope.path == *scope.path && placed.call.method() == Some("sleep")
    };
    let stem = starter.path.file_stem().and_then(|stem| stem.to_str());
    let named = stem.is_some_and(|stem| stem.split(['_', '-']).any(|word| NAMES.contains(&word)));
    let own = starter.path == module.path && !places::is_among_scripts(&starter.path);
    // What a script starts may itself start the others.
    let scripted = claimed.launched.is_some() && !serves_requests(starter);
    module.calls.iter().any(waits) && (named && own || scripted)
}

/// Whether a file answers requests or starts other programs, which other parts look at.
fn serves_requests(module: &Module) -> bool {
    module.imports.iter().any(|import| {
        let top = import.module.split('.').next().unwrap_or_default();
        import.level == 0
            && matches!(
                top,
                "fastapi"
                    | "subprocess"
                    | "multiprocessing"
                    | "flask"
                    | "uvicorn"
                    | "starlette"
                    | "aiohttp"
                    | "mcp"
                    | "fastmcp"
                    | "socketserver"
                    | "websockets"
                    | "grpc"
                    | "hypercorn"
                    | "quart"
                    | "sanic"
                    | "streamlit"
                    | "gradio"
                    | "http"
                    | "celery"
            )
    })
}
