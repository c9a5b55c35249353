//! Files that only a branch of a function imports: a store, a provider, chosen out of several by a setting. What such a
//! file insists on when it is imported, the service does without where another one is chosen.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::python::module::{Import, Module, Moment};
use crate::python::workspace::Workspace;

/// The files among those of a service that are imported in branches of functions alone, or by such files.
pub(crate) fn late(
    workspace: &Workspace<'_>,
    files: &BTreeMap<Arc<Path>, Moment>,
) -> HashSet<Arc<Path>> {
    let sure = files
        .iter()
        .filter(|(_, moment)| **moment < Moment::Call)
        .map(|(path, _)| path.clone());
    let (loaded, chosen) = follow(workspace, sure, |_| true);
    let chosen = chosen.into_iter().filter(|path| !loaded.contains(path));
    // Whatever a chosen file imports comes with it.
    let (mut late, _) = follow(workspace, chosen, |path| !loaded.contains(path));
    late.retain(|path| !loaded.contains(path));
    late
}

/// Follows imports that are always made, as far as `goes_on`. Gives the files that they lead to, and those that branches
/// of functions lead to.
fn follow(
    workspace: &Workspace<'_>,
    start: impl Iterator<Item = Arc<Path>>,
    goes_on: impl Fn(&Arc<Path>) -> bool,
) -> (HashSet<Arc<Path>>, Vec<Arc<Path>>) {
    let mut open: Vec<Arc<Path>> = start.collect();
    let mut reached: HashSet<Arc<Path>> = open.iter().cloned().collect();
    let mut chosen = Vec::new();
    while let Some(path) = open.pop() {
        let Some(module) = workspace.modules.get(&path) else {
            continue;
        };
        for (number, import) in module.imports.iter().enumerate() {
            if import.scope.moment == Moment::Never {
                continue;
            }
            let Some(target) = workspace.leads_to(&module, number) else {
                continue;
            };
            if is_chosen(&module, import) {
                chosen.push(target);
            } else if goes_on(&target) && reached.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    (reached, chosen)
}

/// Whether an import stands in a branch of a function.
fn is_chosen(module: &Module, import: &Import) -> bool {
    // Both ways to import one's own files are tried one after the other.
    let guards_itself = |other: &Import| other.local == import.local && other.place != import.place;
    import.scope.moment == Moment::Call
        && import.scope.conditional
        && !module.imports.iter().any(guards_itself)
}
