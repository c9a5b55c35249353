//! Pages for people: Streamlit, Gradio, Chainlit and Panel.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::detection::ServiceKind;
use crate::python::candidate::{Candidate, Launch, launch_of};
use crate::python::evaluate::evaluate;
use crate::python::graph::Target;
use crate::python::module::Module;
use crate::python::workspace::{Workspace, reached};

/// Finds the pages in the files at `entries`.
pub(crate) fn find(workspace: &Workspace<'_>, entries: &[Arc<Module>]) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = entries.iter().filter_map(streamlit).collect();
    let imported = imported(workspace, entries);
    found.retain(|candidate| !imported.contains(&candidate.module.path));
    found.extend(
        entries
            .iter()
            .filter_map(|module| gradio(workspace, module)),
    );
    found.extend(entries.iter().filter_map(chainlit));
    found.extend(entries.iter().filter_map(panel));
    found
}

fn streamlit(module: &Arc<Module>) -> Option<Candidate> {
    // Pages of a multi-page application belong to the file beside their directory.
    if module
        .path
        .parent()
        .and_then(Path::file_name)
        .is_some_and(|name| name == "pages")
    {
        return None;
    }
    let top = reached(module, None);
    // Helpers of Streamlit hand its usual name on to whoever imports everything.
    let handed_on = module.imports.iter().any(|import| {
        import.name.as_deref() == Some("*")
            && import.level == 0
            && import.module.starts_with("streamlit")
    });
    let first = module.calls.iter().find(|placed| {
        let draws = module.callee(&placed.call).is_some_and(|callee| {
            // Its own program is started by other files.
            let of_program = ["streamlit.web.", "streamlit.bootstrap.", "streamlit.cli."];
            callee.starts_with("streamlit.")
                && !of_program.iter().any(|start| callee.starts_with(start))
                || handed_on && callee.starts_with("st.") && module.import_of("st").is_none()
        });
        // Anything drawn when the file runs makes it a page; a helper draws only when called.
        let runs = placed.scope.is_top()
            || placed.scope.path.split('.').any(|part| top.contains(part))
            || placed
                .scope
                .path
                .split('.')
                .all(|part| called_at_top(module, part));
        draws && runs && !decorates(placed.call.method())
    })?;
    let why = "draws a Streamlit page when it runs";
    let mut candidate = Candidate::new(
        module,
        first.call.place,
        ServiceKind::Ui,
        ("Streamlit", "streamlit"),
        Launch::Streamlit,
        why,
    );
    candidate.port = Some(8501);
    candidate.port_of_another = true;
    Some(candidate)
}

fn decorates(method: Option<&str>) -> bool {
    matches!(
        method,
        Some("cache_data" | "cache_resource" | "fragment" | "experimental_memo")
    )
}

fn called_at_top(module: &Module, name: &str) -> bool {
    module
        .calls
        .iter()
        .any(|placed| placed.scope.is_top() && placed.call.function.as_name() == Some(name))
}

/// Files that other pages import.
fn imported(workspace: &Workspace<'_>, entries: &[Arc<Module>]) -> BTreeSet<Arc<Path>> {
    let mut imported = BTreeSet::new();
    for module in entries {
        let streamlit = module
            .imports
            .iter()
            .any(|import| import.module.starts_with("streamlit"));
        // A test of a page draws none.
        if !streamlit || crate::places::set_aside(&module.path).is_some() {
            continue;
        }
        let roots = workspace.roots(&module.path);
        for import in &module.imports {
            if let Target::Files(files) = workspace.modules.resolve(module, import, &roots) {
                imported.extend(files.into_iter().filter(|file| *file != module.path));
            }
        }
    }
    imported
}

fn gradio(workspace: &Workspace<'_>, module: &Arc<Module>) -> Option<Candidate> {
    let makes = module
        .imports
        .iter()
        .any(|import| import.module.split('.').next() == Some("gradio"));
    let placed = module.calls.iter().find(|placed| {
        // What another file has made is known by what it is launched with.
        let keywords = || {
            let known = [
                "server_name",
                "server_port",
                "share",
                "inbrowser",
                "allowed_paths",
            ];
            let keywords = &placed.call.keywords;
            keywords
                .iter()
                .filter(|(name, _)| known.contains(&name.as_str()))
                .count()
                >= 2
        };
        placed.call.method() == Some("launch") && (makes || keywords())
    })?;
    let (launch, evidence) = launch_of(workspace, module, &placed.scope)?;
    let mut candidate = Candidate::new(
        module,
        placed.call.place,
        ServiceKind::Ui,
        ("Gradio", "gradio"),
        launch,
        "launches a Gradio page",
    );
    let scope = &placed.scope.path;
    let port = placed
        .call
        .keyword("server_port")
        .and_then(|port| evaluate(port, module, scope).port());
    candidate.port = Some(port.unwrap_or(7860));
    candidate.host = placed
        .call
        .keyword("server_name")
        .map(|host| (evaluate(host, module, scope), placed.call.place));
    candidate.evidence.extend(evidence);
    Some(candidate)
}

fn chainlit(module: &Arc<Module>) -> Option<Candidate> {
    let place = module
        .functions
        .iter()
        .flat_map(|function| &function.decorators)
        .find_map(|(decorator, place)| {
            let name = match decorator {
                crate::python::value::Value::Call(call) => call.function.as_name(),
                other => other.as_name(),
            }?;
            matches!(
                module.qualify(name).as_ref(),
                "chainlit.on_message" | "chainlit.on_chat_start"
            )
            .then_some(*place)
        })?;
    let why = "answers the messages of a Chainlit page";
    let framework = ("Chainlit", "chainlit");
    let mut candidate = Candidate::new(
        module,
        place,
        ServiceKind::Ui,
        framework,
        Launch::Chainlit,
        why,
    );
    candidate.port = Some(8000);
    Some(candidate)
}

fn panel(module: &Arc<Module>) -> Option<Candidate> {
    let imports = module
        .imports
        .iter()
        .any(|import| import.module.split('.').next() == Some("panel"));
    let placed = module
        .calls
        .iter()
        .find(|placed| imports && placed.call.method() == Some("servable"))?;
    let why = "serves a Panel page";
    let framework = ("Panel", "panel");
    let mut candidate = Candidate::new(
        module,
        placed.call.place,
        ServiceKind::Ui,
        framework,
        Launch::Panel,
        why,
    );
    candidate.port = Some(5006);
    Some(candidate)
}
