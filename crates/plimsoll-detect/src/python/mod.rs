//! Python: modules, imports, packaging, and the services they make.

mod applications;
mod backing;
mod candidate;
mod celery_addresses;
mod celery_sender;
mod clients;
mod command;
mod configured;
mod dependencies;
mod distributions;
mod django;
mod dynaconf;
mod endless;
mod entries;
mod environment;
mod environment_files;
mod evaluate;
mod expression;
mod extract;
mod gathered;
mod given_application;
mod graph;
pub(crate) mod gunicorn;
mod handed;
mod heavy;
mod import_root;
mod index;
mod insisting;
mod installed_apps;
mod langgraph;
mod late;
mod launchers;
pub(crate) mod locations;
mod mcp;
mod module;
mod one_of;
mod own_metrics;
mod pages;
mod parts;
mod passed_on;
mod peers;
mod prefix;
mod project;
mod recipe;
mod requirement;
mod routes;
mod run_elsewhere;
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
mod subcommands;
mod system;
mod tools;
mod transport;
mod unrequired;
mod value;
mod workers;
mod workspace;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};
use rayon::prelude::*;

use crate::detection::{Rejected, ServiceKind};
use crate::found::Found;
use crate::places;
use candidate::{Candidate, Launch};
use soundness::CannotRun;

pub(crate) use entries::Entry;
pub(crate) use environment::VariableRead;
pub(crate) use extract::extract;
pub(crate) use module::Module;
pub(crate) use peers::Peer;
pub(crate) use project::{Lock, LockText, PythonProject};
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
    pub(crate) also_searched: Vec<(PathBuf, Span)>,
}

/// What is claimed about a target: a dotted name, and the file that it is in.
pub(crate) type Claims<'a, 'c> = dyn Fn(&str, &Path) -> Claimed<'c> + Sync + 'a;

/// Finds the services of the Python files of a tree. `claims` tells what is claimed about a target.
pub(crate) fn find(workspace: &Workspace<'_>, claims: &Claims<'_, '_>) -> PythonFindings {
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
    let launched = launchers::read(workspace, &entries);
    let claims: &Claims<'_, '_> = &|dotted, path| {
        let mut claimed = claims(dotted, path);
        claimed.port = claimed
            .port
            .or_else(|| launchers::port(&launched, dotted, path));
        claimed
    };
    let mut candidates = candidates(workspace, &entries, &mut findings.rejected);
    let launchers = launched.iter().map(|launched| launched.by.clone());
    endless::deployed(
        workspace,
        &entries,
        claims,
        &launchers.collect(),
        &mut candidates,
    );
    parts::leave(workspace, &mut candidates, &mut findings.rejected, claims);
    subcommands::settle(&mut candidates);
    scripts::one_start_each(&mut candidates);
    let weighed: Vec<Weighed> = candidates
        .par_iter()
        .map(|candidate| weigh(workspace, &entries, candidate, claims))
        .collect();
    let mut about_health: Vec<(Span, Arc<Path>, String)> = Vec::new();
    for (candidate, weighed) in candidates.iter().zip(weighed) {
        let path = candidate.module.path.clone();
        let looks_like = scripts::looks_like(candidate);
        if let Weighed::Service(_) = weighed
            && let Launch::LangGraph { config } = &candidate.launch
            && let Some(server) = findings.found.iter().find(|found| {
                found.service.kind == ServiceKind::Web && found.service.files.contains(&path)
            })
        {
            findings.rejected.push(Rejected {
                path: config.as_path().into(),
                looks_like,
                why: format!("its graphs are part of `{}` already", server.service.target),
            });
            continue;
        }
        let why = match weighed {
            Weighed::Service(assembled) => {
                let (found, calls) = *assembled;
                if found.service.kind == ServiceKind::Web
                    && parts::is_about_health(&candidate.module)
                {
                    about_health.push((found.service.defined_at.clone(), path, looks_like));
                }
                findings.found.push(found);
                findings.calls.push(calls);
                continue;
            }
            Weighed::Aside(why) => why,
            Weighed::CannotRun(cannot) => {
                findings.problems.push(cannot.problem);
                cannot.why
            }
        };
        findings.rejected.push(Rejected {
            path,
            looks_like,
            why,
        });
    }
    leave_health(about_health, &mut findings);
    scripts::rest(workspace, &entries, &candidates, &mut findings, claims);
    findings
}

/// What may be a service, of all kinds.
fn candidates(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    rejected: &mut Vec<Rejected>,
) -> Vec<Candidate> {
    let (mut candidates, (workers, others)) = rayon::join(
        || applications::find(workspace, entries),
        || {
            rayon::join(
                || workers::find(workspace, entries, rejected),
                || {
                    let mut others = mcp::find(workspace, entries);
                    others.extend(pages::find(workspace, entries));
                    others.extend(tools::find(workspace, entries));
                    others
                },
            )
        },
    );
    // A bot or a page that serves something besides is what it is; what only waits to be told to end is what it serves.
    let waits = |candidate: &Candidate| candidate.framework == "Python";
    let mut workers = workers;
    workers.retain(|worker| {
        let mut served = candidates.iter();
        !(waits(worker) && served.any(|other| other.module.path == worker.module.path))
    });
    let known = |candidate: &Candidate| {
        let mut others = workers.iter().chain(&others);
        others.any(|other| other.module.path == candidate.module.path)
    };
    candidates.retain(|candidate| !candidate.started_by_another || !known(candidate));
    candidates.extend(workers);
    candidates.extend(others);
    // After the applications, which may serve the same graphs.
    candidates.extend(langgraph::find(workspace));
    candidates
}

/// What comes of a candidate.
enum Weighed {
    Service(Box<(Found, Calls)>),
    /// It is no service, and why.
    Aside(String),
    CannotRun(Box<CannotRun>),
}

fn weigh(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    candidate: &Candidate,
    claims: &Claims<'_, '_>,
) -> Weighed {
    if let Some(why) = set_aside(workspace, candidate, claims) {
        return Weighed::Aside(why);
    }
    let claimed = passed_on::claimed(workspace, entries, candidate, claims);
    match service::assemble(workspace, candidate, claimed) {
        Ok(assembled) => Weighed::Service(Box::new(assembled)),
        Err(cannot) => Weighed::CannotRun(cannot),
    }
}

/// Why a candidate is no service, by where it is.
fn set_aside(
    workspace: &Workspace<'_>,
    candidate: &Candidate,
    claims: &Claims<'_, '_>,
) -> Option<String> {
    let path = &candidate.module.path;
    let started_all_the_same = || {
        let dotted = workspace.home(path).1;
        claims(&dotted, path).launched.is_some()
    };
    let by_place =
        places::set_aside(path).filter(|why| !places::may_be_own(why) || !started_all_the_same());
    if let Some(why) = by_place {
        return Some(why.to_owned());
    }
    let left_out = workspace
        .tree
        .file(path)
        .is_some_and(|file| file.left_out_of_images);
    if left_out && !has_image_of_its_own(workspace, path) && !started_all_the_same() {
        return Some("left out of images by `.dockerignore`".to_owned());
    }
    let by_itself = matches!(candidate.kind, ServiceKind::Worker | ServiceKind::Scheduler);
    let deployed = || claims(&workspace.home(path).1, path).deployed;
    (by_itself && places::is_among_scripts(path) && !started_all_the_same() && !deployed())
        .then(|| "a script of the repository: nothing says that it is started".to_owned())
}

/// Whether a Dockerfile below the root lies above a file: what the root's `.dockerignore` leaves out is not its matter.
fn has_image_of_its_own(workspace: &Workspace<'_>, path: &Path) -> bool {
    let above = path.ancestors().skip(1);
    above
        .filter(|directory| !directory.as_os_str().is_empty())
        .any(|directory| workspace.tree.has_file(&directory.join("Dockerfile")))
}

/// Leaves out applications that tell health and nothing else, where another one of the same project serves.
fn leave_health(about_health: Vec<(Span, Arc<Path>, String)>, findings: &mut PythonFindings) {
    let told: Vec<Span> = about_health.iter().map(|(at, ..)| at.clone()).collect();
    for (at, path, looks_like) in about_health {
        let found = &findings.found;
        let Some(own) = found.iter().find(|found| found.service.defined_at == at) else {
            continue;
        };
        let other = found.iter().any(|other| {
            other.service.kind == ServiceKind::Web
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
