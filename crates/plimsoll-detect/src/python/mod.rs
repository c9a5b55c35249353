//! Python: modules, imports, packaging, and the services they make.

mod applications;
mod backing;
mod candidate;
mod celery_sender;
mod clients;
mod command;
mod configured;
mod dependencies;
mod distributions;
mod django;
mod dynaconf;
mod entries;
mod environment;
mod evaluate;
mod expression;
mod extract;
mod given_application;
mod graph;
pub(crate) mod gunicorn;
mod handed;
mod heavy;
mod insisting;
mod langgraph;
pub(crate) mod locations;
mod mcp;
mod module;
mod one_of;
mod own_metrics;
mod pages;
mod parts;
mod peers;
mod prefix;
mod project;
mod recipe;
mod requirement;
mod routes;
mod scripts;
mod search_path;
mod service;
mod serving;
mod settings;
mod settings_file;
mod setup;
mod soundness;
mod standard;
mod startup;
mod state;
pub(crate) mod stated;
mod system;
mod tools;
mod transport;
mod unrequired;
mod value;
mod workers;
mod workspace;

use plimsoll_diag::{Diagnostic, Span};

use crate::detection::Rejected;
use crate::found::Found;
use crate::places;

pub(crate) use environment::VariableRead;
pub(crate) use extract::extract;
pub(crate) use peers::Peer;
pub(crate) use project::{Lock, PythonProject};
pub(crate) use requirement::Requirement;
pub(crate) use service::{Claimed, IMAGE_ROOT, ping};
pub(crate) use workspace::Workspace;

/// What the Python files of a tree hold.
#[derive(Debug, Default)]
pub(crate) struct PythonFindings {
    pub(crate) found: Vec<Found>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) problems: Vec<Diagnostic>,
    /// Whom the services call, and where else they are imported from.
    pub(crate) calls: Vec<Calls>,
}

/// Whom a service calls, and what it needs to be found.
#[derive(Debug)]
pub(crate) struct Calls {
    /// Where the service is defined.
    pub(crate) defined_at: Span,
    pub(crate) peers: Vec<Peer>,
    /// Directories that have to be searched for its modules, and the imports that show it.
    pub(crate) also_searched: Vec<(std::path::PathBuf, Span)>,
}

/// Finds the services of the Python files of a tree. `claims` tells what is claimed about a target.
pub(crate) fn find<'c>(
    workspace: &Workspace<'_>,
    claims: &dyn Fn(&str, &std::path::Path) -> Claimed<'c>,
) -> PythonFindings {
    let mut findings = PythonFindings::default();
    for broken in &workspace.broken {
        findings.problems.push(
            Diagnostic::error(format!("cannot be read: {}", broken.message))
                .at(broken.span.clone()),
        );
    }
    for project in workspace.projects.values() {
        let told = crate::locks::review_python(workspace.tree, project);
        findings.problems.extend(told);
    }
    let entries = entries::entries(workspace);
    let mut candidates = applications::find(workspace, &entries);
    candidates.extend(workers::find(workspace, &entries, &mut findings.rejected));
    candidates.extend(mcp::find(workspace, &entries));
    candidates.extend(pages::find(workspace, &entries));
    candidates.extend(tools::find(workspace, &entries));
    // After the applications, which may serve the same graphs.
    candidates.extend(langgraph::find(workspace));
    parts::leave(workspace, &mut candidates, &mut findings.rejected, claims);
    scripts::one_start_each(&mut candidates);
    let taken: Vec<_> = candidates.clone();
    let mut about_health: Vec<(Span, std::sync::Arc<std::path::Path>, String)> = Vec::new();
    for candidate in candidates {
        let path = candidate.module.path.clone();
        let started_all_the_same = || {
            let dotted = workspace.home(&path).1;
            claims(&dotted, &path).launched.is_some()
        };
        let by_place = places::set_aside(&path)
            .filter(|why| !places::may_be_own(why) || !started_all_the_same());
        let aside = by_place.map(str::to_owned).or_else(|| {
            let left_out = workspace
                .tree
                .file(&path)
                .is_some_and(|file| file.left_out_of_images);
            (left_out && !started_all_the_same())
                .then(|| "left out of images by `.dockerignore`".to_owned())
        });
        let by_itself = matches!(
            candidate.kind,
            crate::detection::ServiceKind::Worker | crate::detection::ServiceKind::Scheduler
        );
        let aside = aside.or_else(|| {
            (by_itself && places::is_among_scripts(&path) && !started_all_the_same())
                .then(|| "a script of the repository: nothing says that it is started".to_owned())
        });
        let looks_like = scripts::looks_like(&candidate);
        if let Some(why) = aside {
            findings.rejected.push(Rejected {
                path,
                looks_like,
                why,
            });
            continue;
        }
        if let candidate::Launch::LangGraph { config } = &candidate.launch
            && let Some(server) = findings.found.iter().find(|found| {
                found.service.kind == crate::detection::ServiceKind::Web
                    && found.service.files.contains(&path)
            })
        {
            findings.rejected.push(Rejected {
                path: config.as_path().into(),
                looks_like,
                why: format!("its graphs are part of `{}` already", server.service.target),
            });
            continue;
        }
        let dotted = workspace.home(&path).1;
        match service::assemble(workspace, &candidate, claims(&dotted, &path)) {
            Ok((found, calls)) => {
                if found.service.kind == crate::detection::ServiceKind::Web
                    && parts::is_about_health(&candidate.module)
                {
                    about_health.push((found.service.defined_at.clone(), path, looks_like));
                }
                findings.found.push(found);
                findings.calls.push(calls);
            }
            Err(cannot) => {
                findings.problems.push(cannot.problem);
                findings.rejected.push(Rejected {
                    path,
                    looks_like,
                    why: cannot.why,
                });
            }
        }
    }
    leave_health(about_health, &mut findings);
    scripts::rest(workspace, &entries, &taken, &mut findings, claims);
    findings
}

/// Leaves out applications that tell health and nothing else, where another one of the same project serves.
fn leave_health(
    about_health: Vec<(Span, std::sync::Arc<std::path::Path>, String)>,
    findings: &mut PythonFindings,
) {
    let told: Vec<Span> = about_health.iter().map(|(at, ..)| at.clone()).collect();
    for (at, path, looks_like) in about_health {
        let found = &findings.found;
        let Some(own) = found.iter().find(|found| found.service.defined_at == at) else {
            continue;
        };
        let other = found.iter().any(|other| {
            other.service.kind == crate::detection::ServiceKind::Web
                && other.service.root == own.service.root
                && !told.contains(&other.service.defined_at)
        });
        if other {
            findings
                .found
                .retain(|found| found.service.defined_at != at);
            findings.calls.retain(|calls| calls.defined_at != at);
            findings.rejected.push(Rejected {
                path,
                looks_like,
                why: "answers only whether another program is well".to_owned(),
            });
        }
    }
}
