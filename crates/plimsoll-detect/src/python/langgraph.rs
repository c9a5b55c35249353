//! Graphs that a LangGraph server serves: what `langgraph.json` names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::detection::ServiceKind;
use crate::document::{Data, Item};
use crate::places;
use crate::python::candidate::{Candidate, Launch};
use crate::python::workspace::Workspace;

/// Port of the server when nothing chooses one.
pub(crate) const PORT: u16 = 2024;

/// Applications that a LangGraph server serves besides its graphs: file and variable.
pub(crate) fn parts(workspace: &Workspace<'_>) -> Vec<(PathBuf, String)> {
    let files = workspace.tree.files().iter().filter(|file| {
        file.path
            .file_name()
            .is_some_and(|name| name == "langgraph.json")
            && places::set_aside(&file.path).is_none()
    });
    files
        .filter_map(|file| {
            let item = Item::json(&file.path, workspace.tree.manifest(&file.path)?)?;
            let (path, variable) = item.text(&["http", "app"])?.rsplit_once(':')?;
            let directory = file.path.parent()?;
            let file = module_file(workspace, directory, path)?;
            // The file may only hand on what another one makes.
            let origin = workspace
                .modules
                .get(&file)
                .and_then(|module| workspace.origin(&module, variable));
            Some(match origin {
                Some((module, variable)) => (module.path.to_path_buf(), variable),
                None => (file, variable.to_owned()),
            })
        })
        .collect()
}

/// The file that a configuration names: by its path, or as a module is imported. Graphs in another language are
/// served by that language's own server.
fn module_file(workspace: &Workspace<'_>, directory: &Path, name: &str) -> Option<PathBuf> {
    let path = places::within(directory, name)?;
    if path.extension().is_some_and(|end| end == "py") {
        return Some(path);
    }
    if name.contains('/') {
        return None;
    }
    let roots = [directory.to_owned(), directory.join("src")];
    let file = workspace.modules.find(&roots, name)?;
    Some(file.to_path_buf())
}

/// Finds the servers that configuration files describe; one for each graph, however many files name it.
pub(crate) fn find(workspace: &Workspace<'_>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for file in workspace.tree.files() {
        let named = file
            .path
            .file_name()
            .is_some_and(|name| name == "langgraph.json");
        if !named || places::set_aside(&file.path).is_some() {
            continue;
        }
        let Some(item) = workspace
            .tree
            .manifest(&file.path)
            .and_then(|text| Item::json(&file.path, text))
        else {
            continue;
        };
        let directory = file.path.parent().map(PathBuf::from).unwrap_or_default();
        let graphs = item
            .entries(&["graphs"])
            .iter()
            .filter_map(|(name, graph)| {
                let target = match &graph.value {
                    Data::Text(text) => text.as_str(),
                    _ => graph.text(&["path"])?,
                };
                let path = module_file(workspace, &directory, target.rsplit_once(':')?.0)?;
                Some((name, graph.place, workspace.modules.get(&path)?))
            });
        let graphs: Vec<_> = graphs.collect();
        let Some((name, place, module)) = graphs.first() else {
            continue;
        };
        let known = found
            .iter()
            .any(|candidate| Arc::ptr_eq(&candidate.module, module));
        if known {
            continue;
        }
        let launch = Launch::LangGraph {
            config: file.path.to_path_buf(),
        };
        let framework = ("LangGraph", "langgraph-api");
        let mut candidate = Candidate::new(module, *place, ServiceKind::Web, framework, launch, "");
        let shown = workspace.tree.shown(&file.path);
        candidate.evidence = vec![Evidence::new(
            place.in_file(shown),
            format!("describes a LangGraph server of `{name}`"),
        )];
        candidate.port = Some(PORT);
        found.push(candidate);
    }
    found
}
