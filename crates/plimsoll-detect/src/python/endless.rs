//! Programs that work until they are told to end, by no queue and for no request.

use std::sync::Arc;

use crate::detection::ServiceKind;
use crate::python::candidate::{Candidate, Launch, launch_of};
use crate::python::module::Module;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// A program that loops until a signal tells it to end: nothing that runs once waits for one.
pub(crate) fn until_told(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    found: &mut Vec<Candidate>,
) {
    let Some(endless) = module.endless_loop else {
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
    let starts = module.main_guard.is_some() || matches!(launch, Launch::Package(_));
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
