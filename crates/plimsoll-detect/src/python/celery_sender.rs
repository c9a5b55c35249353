//! Celery applications that only send tasks, which somebody else's worker does.

use std::sync::Arc;

use plimsoll_diag::Span;

use crate::python::module::Module;
use crate::python::workers::{first_task, is_application};
use crate::python::workspace::Workspace;

/// Where the application `variable` of `owner` sends a task by its name, when nothing registers one with it.
pub(super) fn only_sends(
    workspace: &Workspace<'_>,
    owner: &Arc<Module>,
    variable: &str,
    entries: &[Arc<Module>],
) -> Option<Span> {
    if first_task(workspace, owner, variable, entries).is_some() || includes(owner) {
        return None;
    }
    let registered = entries.iter().any(|module| {
        module.calls.iter().any(|placed| {
            let registers = matches!(placed.call.method(), Some("register_task" | "task"));
            registers && is_own(workspace, module, placed.call.receiver(), owner, variable)
        })
    });
    if registered {
        return None;
    }
    entries.iter().find_map(|module| {
        let sends = module.calls.iter().find(|placed| {
            placed.call.method() == Some("send_task")
                && is_own(workspace, module, placed.call.receiver(), owner, variable)
        })?;
        Some(module.span(sends.call.place))
    })
}

fn is_own(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    receiver: Option<&str>,
    owner: &Arc<Module>,
    variable: &str,
) -> bool {
    receiver.is_some_and(|receiver| is_application(workspace, module, receiver, owner, variable))
}

/// Whether a file names modules of tasks, or settings that may.
fn includes(owner: &Module) -> bool {
    let mut calls = owner.calls.iter();
    let by_call = calls.any(|placed| {
        matches!(
            placed.call.method(),
            Some("autodiscover_tasks" | "config_from_object")
        ) || ["include", "imports"]
            .iter()
            .any(|name| placed.call.keyword(name).is_some())
    });
    let mut bindings = owner.bindings.iter();
    by_call
        || bindings.any(|binding| {
            let last = binding.target.rsplit('.').next().unwrap_or_default();
            matches!(
                last,
                "include" | "imports" | "CELERY_IMPORTS" | "CELERY_INCLUDE"
            )
        })
}
