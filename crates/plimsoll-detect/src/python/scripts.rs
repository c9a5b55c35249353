//! Files that a person starts: declared programs, and scripts that run once and exit.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Diagnostic;
use rayon::prelude::*;

use crate::detection::{Rejected, ServiceKind};
use crate::places;
use crate::python::candidate::{Candidate, Launch};
use crate::python::graph::Target;
use crate::python::module::Module;
use crate::python::service::assemble;
use crate::python::workspace::{Workspace, reached};
use crate::python::{Claims, PythonFindings, applications};
use crate::syntax::Place;

/// What a candidate looks like, for people.
pub(crate) fn looks_like(candidate: &Candidate) -> String {
    match candidate.kind {
        ServiceKind::Web => format!("{} application", candidate.framework),
        ServiceKind::Ui => format!("{} page", candidate.framework),
        ServiceKind::Worker => format!("{} worker", candidate.framework),
        ServiceKind::Scheduler => format!("{} scheduler", candidate.framework),
        ServiceKind::McpStdio | ServiceKind::McpHttp => "MCP server".to_owned(),
        ServiceKind::Cli | ServiceKind::Job => "program".to_owned(),
    }
}

/// Leaves one candidate for each thing that is started: one file's server may have been found in
/// several ways.
pub(crate) fn one_start_each(candidates: &mut Vec<Candidate>) {
    let mut seen: Vec<(Arc<Path>, Launch, ServiceKind, Vec<String>)> = Vec::new();
    candidates.retain(|candidate| {
        let itself = matches!(candidate.launch, Launch::Module | Launch::ConsoleScript(_) | Launch::Package(_));
        let double = seen.iter().any(|(path, launch, kind, arguments)| {
            *path == candidate.module.path
                && (*launch == candidate.launch && *kind == candidate.kind && *arguments == candidate.arguments
                    // The application in this file is what the file starts.
                    || itself && matches!(launch, Launch::Asgi { .. } | Launch::Wsgi { .. })
                    || itself && *arguments == candidate.arguments
                        && matches!(launch, Launch::Module | Launch::ConsoleScript(_) | Launch::Package(_)))
        });
        if !double {
            let path = candidate.module.path.clone();
            seen.push((path, candidate.launch.clone(), candidate.kind, candidate.arguments.clone()));
        }
        !double
    });
}

/// Whether a file only starts what was found elsewhere.
fn launches(workspace: &Workspace<'_>, module: &Arc<Module>, taken: &[Candidate]) -> bool {
    let roots = workspace.roots(&module.path);
    let shown = taken.iter().any(|candidate| {
        candidate
            .evidence
            .iter()
            .any(|evidence| evidence.span.file == module.shown)
    });
    shown
        || module.imports.iter().any(|import| {
            let Target::Files(files) = workspace.modules.resolve(module, import, &roots) else {
                return false;
            };
            files.last().is_some_and(|file| {
                taken.iter().any(|candidate| {
                    candidate.kind != ServiceKind::Cli && candidate.module.path == *file
                })
            })
        })
}

/// Whether a function of a file imports another file when it is called, itself or through others beside it.
fn loads(workspace: &Workspace<'_>, module: &Arc<Module>, function: &str, file: &Path) -> bool {
    let reached = reached(module, Some(function));
    let roots = workspace.roots(&module.path);
    module.imports.iter().any(|import| {
        let scope = &import.scope;
        let called = !scope.is_top() && scope.path.split('.').any(|part| reached.contains(part));
        called
            && matches!(
                workspace.modules.resolve(module, import, &roots),
                Target::Files(files) if files.last().is_some_and(|last| **last == *file)
            )
    })
}

/// Declared programs become services of their own; scripts are told of as rejected.
pub(crate) fn rest(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    taken: &[Candidate],
    findings: &mut PythonFindings,
    claims: &Claims<'_, '_>,
) {
    let mut programs: BTreeSet<Arc<Path>> = taken
        .iter()
        .map(|candidate| candidate.module.path.clone())
        .collect();
    let mut declared: Vec<Candidate> = Vec::new();
    for project in workspace.projects.values() {
        let manifest = project.directory.join("pyproject.toml");
        if places::set_aside(&manifest).is_some() {
            continue;
        }
        for script in &project.scripts {
            let used = taken.iter().any(|candidate| {
                // Another name of the same program is no other one.
                let mut names = project.scripts.iter().filter(|other| {
                    other.module == script.module && other.function == script.function
                });
                names.any(|other| candidate.launch == Launch::ConsoleScript(other.name.clone()))
                    || candidate.launch == Launch::Package(script.module.clone())
                    || workspace.home(&candidate.module.path).1 == script.module
            });
            if used {
                continue;
            }
            let Some(file) = workspace
                .modules
                .find(&project.import_roots, &script.module)
            else {
                findings.problems.push(
                    Diagnostic::warning(format!(
                        "declares the program `{}` in `{}`, which is not in the tree",
                        script.name, script.module
                    ))
                    .at(script.span.clone())
                    .hint("name a module that exists, or drop the line"),
                );
                continue;
            };
            let Some(module) = workspace.modules.get(&file) else {
                continue;
            };
            // What makes an application is no program.
            let makes = workspace.origin(&module, &script.function).is_some_and(|(origin, name)| {
                applications::is_factory(workspace, &origin, &name) || taken.iter().any(|candidate| {
                    candidate.module.path == origin.path
                        && matches!(&candidate.launch, Launch::Asgi { variable, .. } | Launch::Wsgi { variable, .. } if *variable == name)
                })
            });
            // Nor is what serves one that was found.
            let serves = taken.iter().any(|candidate| {
                matches!(candidate.launch, Launch::Asgi { .. } | Launch::Wsgi { .. })
                    && candidate
                        .evidence
                        .iter()
                        .any(|evidence| evidence.span.file == module.shown)
            });
            // Nor what only hands on to a server or a worker that was found.
            let hands_on = taken.iter().any(|candidate| {
                let by_itself = matches!(
                    candidate.kind,
                    ServiceKind::McpStdio | ServiceKind::McpHttp | ServiceKind::Worker
                );
                by_itself && loads(workspace, &module, &script.function, &candidate.module.path)
            });
            if makes || serves || hands_on {
                continue;
            }
            let place = module
                .function(&script.function)
                .map_or(Place::line(1), |function| function.place);
            let mut candidate = Candidate::new(
                &module,
                place,
                ServiceKind::Cli,
                ("", ""),
                Launch::ConsoleScript(script.name.clone()),
                format!("`{}` is what the program starts with", script.function),
            );
            candidate.evidence.insert(
                0,
                plimsoll_diag::Evidence::new(
                    script.span.clone(),
                    format!("declares the program `{}`", script.name),
                ),
            );
            programs.insert(module.path.clone());
            declared.push(candidate);
        }
    }
    let assembled: Vec<_> = declared
        .par_iter()
        .map(|candidate| {
            let path = &candidate.module.path;
            let dotted = workspace.home(path).1;
            assemble(workspace, candidate, claims(&dotted, path))
        })
        .collect();
    for (candidate, assembled) in declared.iter().zip(assembled) {
        match assembled {
            Ok((found, _)) => findings.found.push(found),
            Err(cannot) => findings.rejected.push(Rejected {
                path: candidate.module.path.clone(),
                looks_like: "program".to_owned(),
                why: cannot.why,
            }),
        }
    }
    for module in entries {
        if programs.contains(&module.path) {
            continue;
        }
        // Tests and examples are started by hand; nobody takes them for a service.
        if module.main_guard.is_none()
            || places::set_aside(&module.path).is_some()
            || launches(workspace, module, taken)
        {
            continue;
        }
        let why = if module.endless_loop.is_some() {
            "loops, but listens on nothing and takes nothing from a queue"
        } else {
            "runs once and exits"
        };
        findings.rejected.push(Rejected {
            path: module.path.clone(),
            looks_like: "script".to_owned(),
            why: why.to_owned(),
        });
    }
}
