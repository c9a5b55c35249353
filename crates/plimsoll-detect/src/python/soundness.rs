//! Whether a candidate can start at all, as far as its files say.

use std::sync::Arc;

use plimsoll_diag::Diagnostic;

use crate::python::candidate::Candidate;
use crate::python::graph::Closure;
use crate::python::module::{Module, Moment};
use crate::python::workspace::Workspace;

/// Why a candidate cannot run.
pub(crate) struct CannotRun {
    pub(crate) why: String,
    pub(crate) problem: Diagnostic,
}

/// Whether importing the candidate can work at all.
pub(crate) fn check(
    workspace: &Workspace<'_>,
    candidate: &Candidate,
    closure: &Closure,
) -> Result<(), Box<CannotRun>> {
    for (path, moment) in &closure.files {
        if *moment != Moment::Import {
            continue;
        }
        let Some(module) = workspace.modules.get(path) else {
            continue;
        };
        // Python 2, templates and half-merged files.
        if let Some(place) = module.syntax_error
            && *path == candidate.module.path
        {
            return Err(Box::new(CannotRun {
                why: format!(
                    "not valid Python: {}:{}",
                    module.shown.display(),
                    place.start.line
                ),
                problem: Diagnostic::warning("this file is not valid Python")
                    .at(module.span(place)),
            }));
        }
    }
    if let Some((module, external)) = closure.external.iter().find(|(module, external)| {
        let top = module.split('.').next().unwrap_or(module);
        external.moment == Moment::Import
            && matches!(
                top,
                "pytest" | "_pytest" | "nose" | "locust" | "pytest_asyncio"
            )
    }) {
        let place = format!(
            "{}:{}",
            external.span.file.display(),
            external.span.start.line
        );
        return Err(Box::new(CannotRun {
            why: format!("needs its tests to start: {place} imports `{module}`"),
            problem: Diagnostic::warning(format!(
                "code that is no test imports `{module}`, which only tests have"
            ))
            .at(external.span.clone())
            .hint("move what is needed out of the test's module"),
        }));
    }
    if let Some((module, place)) = starts_tasks_too_early(workspace, closure) {
        let span = module.span(place);
        let at = format!("{}:{}", span.file.display(), span.start.line);
        return Err(Box::new(CannotRun {
            why: format!("cannot start: {at} starts a task while the file is imported, before there is an event loop"),
            problem: Diagnostic::warning("cannot start: a task is started while the file is imported, before there is an event loop")
                .at(span)
                .hint("start it when the application starts, in its `lifespan`"),
        }));
    }
    let broken = closure
        .missing
        .iter()
        .find(|missing| missing.moment == Moment::Import);
    let Some(missing) = broken else {
        return Ok(());
    };
    let (what, hint) = match missing.what.split_once(':') {
        Some((module, name)) => (
            format!("imports `{name}` from `{module}`, which does not define it"),
            "mend the import, or delete what is left over",
        ),
        None => (
            format!("imports `{}`, which is not in the tree", missing.what),
            "mend the import, or delete what is left over",
        ),
    };
    let place = format!(
        "{}:{}",
        missing.span.file.display(),
        missing.span.start.line
    );
    Err(Box::new(CannotRun {
        why: format!("cannot start: {place} {what}"),
        problem: Diagnostic::warning(format!("cannot start: {what}"))
            .at(missing.span.clone())
            .hint(hint),
    }))
}

/// `asyncio.create_task` in the constructor of an object that is made when the file is imported.
fn starts_tasks_too_early(
    workspace: &Workspace<'_>,
    closure: &Closure,
) -> Option<(Arc<Module>, crate::syntax::Place)> {
    let certain = closure
        .files
        .iter()
        .filter(|(_, moment)| **moment == Moment::Import);
    certain
        .filter_map(|(path, _)| workspace.modules.get(path))
        .find_map(|module| {
            let early = module
                .calls
                .iter()
                .filter(|placed| {
                    placed.scope.is_top()
                        && placed.scope.moment == Moment::Import
                        && !placed.scope.main
                })
                .find_map(|placed| {
                    let name = placed.call.function.as_name()?;
                    let class = module.class(name)?;
                    let constructor = format!(
                        "{}.__init__",
                        crate::python::module::join(&class.scope.path, &class.name)
                    );
                    module
                        .calls
                        .iter()
                        .any(|inner| {
                            *inner.scope.path == *constructor
                                && inner.scope.moment == Moment::Call
                                && module.callee(&inner.call).as_deref()
                                    == Some("asyncio.create_task")
                        })
                        .then_some(placed.call.place)
                })?;
            Some((module, early))
        })
}
