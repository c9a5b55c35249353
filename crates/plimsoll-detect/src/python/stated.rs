//! A script that somebody says is started: that it runs needs no proof, whatever it looks like.

use std::path::Path;

use plimsoll_diag::Diagnostic;

use crate::detection::ServiceKind;
use crate::found::Found;
use crate::python::candidate::{Candidate, Launch};
use crate::python::service::{Claimed, assemble};
use crate::python::workspace::Workspace;
use crate::syntax::Place;

/// The service that the file at `path` is; `None` when it is not there or is not Python.
///
/// # Errors
/// What keeps it from running, for example an import of nothing that exists.
pub(crate) fn script(
    workspace: &Workspace<'_>,
    path: &Path,
) -> Result<Option<Found>, Box<Diagnostic>> {
    let Some(module) = workspace.modules.get(path) else {
        return Ok(None);
    };
    let place = module.main_guard.unwrap_or(Place::line(1));
    let candidate = Candidate::new(
        &module,
        place,
        ServiceKind::Worker,
        ("", ""),
        Launch::Module,
        "is what the service's command starts",
    );
    match assemble(workspace, &candidate, Claimed::default()) {
        Ok((found, _)) => Ok(Some(found)),
        Err(cannot) => Err(Box::new(cannot.problem)),
    }
}
