//! Python: modules, imports, packaging, and the services they make.

mod applications;
mod backing;
mod candidate;
mod command;
mod dependencies;
mod distributions;
mod entries;
mod environment;
mod evaluate;
mod expression;
mod extract;
mod graph;
mod mcp;
mod module;
mod pages;
mod project;
mod recipe;
mod requirement;
mod routes;
mod scripts;
mod search_path;
mod service;
mod soundness;
mod standard;
mod startup;
mod system;
mod transport;
mod value;
mod workers;
mod workspace;

use plimsoll_diag::Diagnostic;

use crate::detection::Rejected;
use crate::found::Found;
use crate::places;

pub(crate) use environment::VariableRead;
pub(crate) use service::{Claimed, IMAGE_ROOT, ping};
pub(crate) use workspace::Workspace;

/// What the Python files of a tree hold.
#[derive(Debug, Default)]
pub(crate) struct PythonFindings {
    pub(crate) found: Vec<Found>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) problems: Vec<Diagnostic>,
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
    let entries = entries::entries(workspace);
    let mut candidates = applications::find(workspace, &entries);
    candidates.extend(workers::find(workspace, &entries));
    candidates.extend(mcp::find(workspace, &entries));
    candidates.extend(pages::find(workspace, &entries));
    scripts::one_start_each(&mut candidates);
    let taken: Vec<_> = candidates.clone();
    for candidate in candidates {
        let path = candidate.module.path.clone();
        let aside = places::set_aside(&path).map(str::to_owned).or_else(|| {
            let left_out = workspace
                .tree
                .file(&path)
                .is_some_and(|file| file.left_out_of_images);
            left_out.then(|| "left out of images by `.dockerignore`".to_owned())
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
        let dotted = workspace.home(&path).1;
        match service::assemble(workspace, &candidate, claims(&dotted, &path)) {
            Ok(found) => findings.found.push(found),
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
    scripts::rest(workspace, &entries, &taken, &mut findings, claims);
    findings
}
