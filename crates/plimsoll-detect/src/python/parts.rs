//! Applications that another server of the project serves as a part of itself.

use std::path::Path;

use crate::detection::Rejected;
use crate::places;
use crate::python::candidate::{Candidate, Launch};
use crate::python::langgraph;
use crate::python::module::Module;
use crate::python::routes::tells_health;
use crate::python::scripts::looks_like;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// Whether the routes of a file tell health and nothing else.
pub(crate) fn is_about_health(module: &Module) -> bool {
    let joins = module.calls.iter().any(|placed| {
        matches!(
            placed.call.method(),
            Some("include_router" | "mount" | "add_api_route" | "add_route" | "register_blueprint")
        )
    });
    let mut any = false;
    let mut only = true;
    for function in &module.functions {
        for (decorator, _) in &function.decorators {
            let Value::Call(call) = decorator else {
                continue;
            };
            match call.method() {
                Some("get") => {
                    any = true;
                    let path = call.arguments.first().and_then(Value::as_text);
                    only &= path.is_some_and(tells_health);
                }
                Some("post" | "put" | "patch" | "delete" | "route" | "websocket" | "api_route") => {
                    only = false;
                }
                _ => {}
            }
        }
    }
    any && only && !joins
}

/// Leaves out what is part of something else, and one of the two applications that a Django project has.
pub(crate) fn leave(
    workspace: &Workspace<'_>,
    candidates: &mut Vec<Candidate>,
    rejected: &mut Vec<Rejected>,
) {
    let parts = langgraph::parts(workspace);
    let django = |candidate: &Candidate| candidate.framework == "Django";
    let makes_django = |candidate: &Candidate| {
        candidate.module.calls.iter().any(|placed| {
            candidate.module.callee(&placed.call).is_some_and(|callee| {
                callee.starts_with("django.core.") && callee.ends_with("gi_application")
            })
        })
    };
    let host = candidates
        .iter()
        .filter(|candidate| !django(candidate) && makes_django(candidate))
        .map(|candidate| candidate.module.path.clone())
        .find(|path| places::set_aside(path).is_none());
    let with_wsgi: Vec<_> = candidates
        .iter()
        .filter(|candidate| django(candidate) && matches!(candidate.launch, Launch::Wsgi { .. }))
        .map(|candidate| candidate.module.path.parent().map(Path::to_owned))
        .collect();
    candidates.retain(|candidate| {
        let path = &candidate.module.path;
        let why = match &candidate.launch {
            Launch::Asgi { variable, .. } | Launch::Wsgi { variable, .. }
                if parts
                    .iter()
                    .any(|(file, name)| **path == **file && name == variable) =>
            {
                "served by the LangGraph server beside its graphs".to_owned()
            }
            _ if django(candidate) && host.as_ref().is_some_and(|host| host != path) => {
                let host = host.as_deref().map(places::text).unwrap_or_default();
                format!("`{host}` serves Django as a part of itself")
            }
            // The host itself is known by its own framework.
            _ if django(candidate) && host.as_ref() == Some(path) => return false,
            Launch::Asgi { .. }
                if django(candidate) && with_wsgi.contains(&path.parent().map(Path::to_owned)) =>
            {
                "the same project has a WSGI application beside it".to_owned()
            }
            _ => return true,
        };
        rejected.push(Rejected {
            path: path.clone(),
            looks_like: looks_like(candidate),
            why,
        });
        false
    });
}
