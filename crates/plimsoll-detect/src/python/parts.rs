//! Applications that another server of the project serves as a part of itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::detection::Rejected;
use crate::gateway::MANY;
use crate::places;
use crate::python::Claims;
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

/// Leaves out applications that serve the same routes as another one of the project which somebody says is served.
fn leave_doubles(
    workspace: &Workspace<'_>,
    candidates: &mut Vec<Candidate>,
    rejected: &mut Vec<Rejected>,
    claims: &Claims<'_, '_>,
) {
    let routers = |candidate: &Candidate| -> BTreeSet<(PathBuf, String)> {
        let module = &candidate.module;
        let joined = module.calls.iter().filter(|placed| {
            matches!(
                placed.call.method(),
                Some("include_router" | "register_blueprint")
            )
        });
        joined
            .filter_map(|placed| placed.call.arguments.first()?.as_name())
            .filter_map(|name| workspace.origin(module, name))
            .map(|(origin, name)| (origin.path.to_path_buf(), name))
            .collect()
    };
    let application = |candidate: &Candidate| {
        matches!(candidate.launch, Launch::Asgi { .. } | Launch::Wsgi { .. })
            && places::set_aside(&candidate.module.path).is_none()
    };
    let served = |candidate: &Candidate| {
        let path = &candidate.module.path;
        claims(&workspace.home(path).1, path).served
    };
    let said: Vec<(PathBuf, BTreeSet<(PathBuf, String)>)> = candidates
        .iter()
        .filter(|candidate| application(candidate) && served(candidate))
        .map(|candidate| (candidate.module.path.to_path_buf(), routers(candidate)))
        .collect();
    candidates.retain(|candidate| {
        let path = &candidate.module.path;
        if !application(candidate) || said.iter().any(|(other, _)| **path == **other) {
            return true;
        }
        let own = routers(candidate);
        let double = said
            .iter()
            .find(|(_, routers)| !own.is_empty() && own.is_subset(routers));
        let Some((other, _)) = double.filter(|_| !served(candidate)) else {
            return true;
        };
        rejected.push(Rejected {
            path: path.clone(),
            looks_like: looks_like(candidate),
            why: format!("`{}` serves the same routes", places::text(other)),
        });
        false
    });
}

/// Leaves out applications that would take the port of another one beside them, where somebody starts that and nobody
/// starts them: earlier versions, and smaller ones to try something out.
fn leave_rivals(
    workspace: &Workspace<'_>,
    candidates: &mut Vec<Candidate>,
    rejected: &mut Vec<Rejected>,
    claims: &Claims<'_, '_>,
) {
    let application = |candidate: &Candidate| {
        matches!(candidate.launch, Launch::Asgi { .. } | Launch::Wsgi { .. })
            && places::set_aside(&candidate.module.path).is_none()
    };
    let claimed = |candidate: &Candidate| {
        let path = &candidate.module.path;
        claims(&workspace.home(path).1, path)
    };
    let started = |candidate: &Candidate| {
        let claimed = claimed(candidate);
        claimed.served || claimed.launched.is_some()
    };
    // Of many, a gateway tells which belong together.
    let all = candidates.iter().filter(|candidate| application(candidate));
    if all.count() >= MANY {
        return;
    }
    let taken: Vec<(PathBuf, u16)> = candidates
        .iter()
        .filter(|candidate| application(candidate) && started(candidate))
        .filter_map(|candidate| {
            let port = claimed(candidate).served_on.or(candidate.port)?;
            Some((candidate.module.path.to_path_buf(), port))
        })
        .collect();
    candidates.retain(|candidate| {
        let path = &candidate.module.path;
        let rival = taken.iter().find(|(other, port)| {
            other.parent() == path.parent() && **path != **other && candidate.port == Some(*port)
        });
        let Some((other, port)) = rival.filter(|_| application(candidate) && !started(candidate))
        else {
            return true;
        };
        rejected.push(Rejected {
            path: path.clone(),
            looks_like: looks_like(candidate),
            why: format!(
                "would take port {port} of `{}`, which is what is started",
                places::text(other)
            ),
        });
        false
    });
}

/// Leaves out what is part of something else, and one of the two applications that a Django project has.
pub(crate) fn leave(
    workspace: &Workspace<'_>,
    candidates: &mut Vec<Candidate>,
    rejected: &mut Vec<Rejected>,
    claims: &Claims<'_, '_>,
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
    leave_doubles(workspace, candidates, rejected, claims);
    leave_rivals(workspace, candidates, rejected, claims);
    let host = candidates
        .iter()
        .filter(|candidate| !django(candidate) && makes_django(candidate))
        .map(|candidate| candidate.module.path.clone())
        .find(|path| places::set_aside(path).is_none());
    let of_django = candidates.iter().filter(|candidate| django(candidate));
    let (asgi, wsgi): (Vec<&Candidate>, Vec<_>) =
        of_django.partition(|candidate| matches!(candidate.launch, Launch::Asgi { .. }));
    let directory = |candidate: &Candidate| candidate.module.path.parent().map(Path::to_owned);
    let claimed = |candidate: &Candidate| {
        let path = &candidate.module.path;
        claims(&workspace.home(path).1, path)
    };
    // What answers more than requests of HTTP, or brings the server that does.
    let channels = |candidate: &Candidate| {
        let module = &candidate.module;
        let mut imports = module.imports.iter();
        imports.any(|import| import.level == 0 && import.module.starts_with("channels."))
            || workspace
                .project_of(&module.path)
                .is_some_and(|project| project.declares("daphne"))
    };
    // Of the two the usual one serves, unless somebody says that it is the other.
    let with_asgi: Vec<_> = asgi
        .iter()
        .filter(|asgi| {
            let beside = wsgi.iter().find(|wsgi| directory(wsgi) == directory(asgi));
            let own = claimed(asgi);
            let asked = own.gunicorn.is_some_and(|told| told.asgi.is_some());
            beside.is_some_and(|wsgi| {
                (own.served || asked || channels(asgi)) && !claimed(wsgi).served
            })
        })
        .map(|candidate| directory(candidate))
        .collect();
    let is_asgi = |path: &Path| path.file_name().is_some_and(|name| name == "asgi.py");
    let of_asgi: Vec<_> = asgi
        .iter()
        .filter(|asgi| is_asgi(&asgi.module.path))
        .map(|asgi| directory(asgi))
        .collect();
    let beside_asgi = |path: &Path| of_asgi.contains(&path.parent().map(Path::to_owned));
    let with_wsgi: Vec<_> = wsgi
        .iter()
        .map(|candidate| directory(candidate))
        .filter(|directory| !with_asgi.contains(directory))
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
            Launch::Asgi { .. } if django(candidate) && !is_asgi(path) && beside_asgi(path) => {
                "the ASGI application beside it leads to it".to_owned()
            }
            _ if django(candidate) && host.as_ref().is_some_and(|host| host != path) => {
                let host = host.as_deref().map(places::text).unwrap_or_default();
                format!("`{host}` serves Django as a part of itself")
            }
            // The host itself is known by its own framework.
            _ if django(candidate) && host.as_ref() == Some(path) => return false,
            Launch::Asgi { .. }
                if django(candidate) && with_wsgi.contains(&directory(candidate)) =>
            {
                "the same project has a WSGI application beside it".to_owned()
            }
            Launch::Wsgi { .. }
                if django(candidate) && with_asgi.contains(&directory(candidate)) =>
            {
                "the same project is served as the ASGI application beside it".to_owned()
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
