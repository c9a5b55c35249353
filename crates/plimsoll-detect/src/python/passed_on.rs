//! Applications that another file passes on to whoever serves them: `from desk.app import app` in `wsgi.py`, which is
//! what the command names.

use std::sync::Arc;

use crate::places;
use crate::python::Claims;
use crate::python::candidate::{Candidate, Launch};
use crate::python::module::Module;
use crate::python::service::Claimed;
use crate::python::workspace::Workspace;

/// What is claimed about a candidate, be it about a file that passes it on.
pub(crate) fn claimed<'c>(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    candidate: &Candidate,
    claims: &Claims<'_, 'c>,
) -> Claimed<'c> {
    let path = &candidate.module.path;
    let own = claims(&workspace.home(path).1, path);
    let (Launch::Asgi { variable, .. } | Launch::Wsgi { variable, .. }) = &candidate.launch else {
        return own;
    };
    if own.served || own.port.is_some() {
        return own;
    }
    let passes = |module: &&Arc<Module>| {
        let mut imports = module.imports.iter();
        module.path != *path
            && places::set_aside(&module.path) == places::set_aside(path)
            && imports.any(|import| {
                import.scope.is_top()
                    && import.name.as_deref() == Some(variable)
                    && workspace
                        .origin(module, &import.local)
                        .is_some_and(|(origin, name)| origin.path == *path && name == *variable)
            })
    };
    let others = entries.iter().filter(passes);
    let mut others = others.map(|module| claims(&workspace.home(&module.path).1, &module.path));
    match others.find(|other| other.served) {
        Some(other) => Claimed {
            python: own.python.or(other.python),
            ..other
        },
        None => own,
    }
}
