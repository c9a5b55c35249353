//! Members of a `uv` workspace that a service imports and that its own package does not require: they
//! are there for whoever works on the whole, and not where the package is installed by itself.

use std::collections::BTreeSet;
use std::path::PathBuf;

use plimsoll_diag::Span;

use crate::python::graph::{Closure, Target};
use crate::python::project::PythonProject;
use crate::python::workspace::Workspace;

/// The directories that such members are imported from, each with an import that shows it.
pub(crate) fn unrequired(
    workspace: &Workspace<'_>,
    project: &PythonProject,
    closure: &Closure,
) -> Vec<(PathBuf, Span)> {
    let Some(lock) = &project.uv_lock else {
        return Vec::new();
    };
    let Some(own) = lock.members.get(&project.directory) else {
        return Vec::new();
    };
    // What the manifest says counts as well: a lock file may be behind it.
    let stated = project.dependencies.iter().map(|one| one.name.as_str());
    let brought: BTreeSet<&str> = stated
        .chain([own.as_str()])
        .flat_map(|name| lock.brought_by(name))
        .collect();
    let mut found = Vec::new();
    for (directory, name) in &lock.members {
        let Some(member) = workspace.projects.get(directory) else {
            continue;
        };
        if brought.contains(name.as_str()) {
            continue;
        }
        // `sdk/src` says more than `sdk`.
        let mut roots: Vec<_> = member.import_roots.iter().collect();
        roots.sort_by_key(|root| std::cmp::Reverse(root.components().count()));
        let shown = roots.into_iter().find_map(|root| {
            let span = importer(workspace, closure, directory, root)?;
            Some((root.clone(), span))
        });
        found.extend(shown);
    }
    found
}

/// An import by another project that leads into `root` of the member in `directory`.
fn importer(
    workspace: &Workspace<'_>,
    closure: &Closure,
    directory: &PathBuf,
    root: &PathBuf,
) -> Option<Span> {
    let is_of = |path: &std::path::Path| {
        let project = workspace.project_of(path);
        project.is_some_and(|project| project.directory == *directory)
    };
    let leads_there = |path: &std::path::Path| path.starts_with(root) && is_of(path);
    if !closure.files.keys().any(|path| leads_there(path)) {
        return None;
    }
    closure
        .files
        .keys()
        .filter(|path| !is_of(path))
        .find_map(|path| {
            let module = workspace.modules.get(path)?;
            let roots = workspace.roots(path);
            let import = module.imports.iter().find(|import| {
                match workspace.modules.resolve(&module, import, &roots) {
                    Target::Files(files) => files.iter().any(|file| leads_there(file)),
                    _ => false,
                }
            })?;
            Some(module.span(import.place))
        })
}
