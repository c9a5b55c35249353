//! Servers that Python files of a project start as programs of their own, with the words they are given:
//! `subprocess.Popen(["uvicorn", "app:app", "--port", "7000"])`.

use std::path::Path;
use std::sync::Arc;

use crate::claims::{Starts, start_scripts, starts};
use crate::places;
use crate::python::module::Module;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// A server that a file starts, and the port it is told.
#[derive(Debug)]
pub(crate) struct Launched {
    starts: Starts,
    port: u16,
    /// The file that starts it.
    pub(crate) by: Arc<Path>,
}

/// The servers that the files at `entries` start, where their words say a port.
pub(crate) fn read(workspace: &Workspace<'_>, entries: &[Arc<Module>]) -> Vec<Launched> {
    let mut found = Vec::new();
    let launchers = entries.iter().filter(|module| {
        let mut imports = module.imports.iter();
        places::set_aside(&module.path).is_none()
            && imports.any(|import| import.level == 0 && import.module == "subprocess")
    });
    for module in launchers {
        let bound = module
            .bindings
            .iter()
            .filter_map(|binding| Some((binding.value.as_ref()?, &*binding.scope.path)));
        let handed = module.calls.iter().flat_map(|placed| {
            let arguments = placed.call.arguments.iter();
            arguments.map(|value| (value, &*placed.scope.path))
        });
        for (value, scope) in bound.chain(handed) {
            let Value::List(items) = value else {
                continue;
            };
            let word = |item: &Value| match item {
                Value::Text(text) => text.clone(),
                Value::Name(name) if name == "sys.executable" => "python".to_owned(),
                item => workspace
                    .constant(module, scope, item)
                    .text
                    .unwrap_or_default(),
            };
            // Most lists are none of words.
            if !items.iter().any(|item| item.as_text() == Some("--port")) {
                continue;
            }
            let words: Vec<String> = items.iter().map(word).collect();
            if let (Some(starts), Some(port)) = (starts(&words), start_scripts::port(&words)) {
                let by = module.path.clone();
                found.push(Launched { starts, port, by });
            }
        }
    }
    found
}

/// The port that a file near the one at `path`, whose module is `dotted`, tells the server that it starts for it.
pub(crate) fn port(all: &[Launched], dotted: &str, path: &Path) -> Option<u16> {
    let about = |launched: &&Launched| {
        let directory = launched.by.parent().unwrap_or(Path::new(""));
        let beside = path.starts_with(directory) || {
            let own = path.parent().unwrap_or(Path::new(""));
            directory.starts_with(own)
        };
        beside && launched.starts.is_about(dotted)
    };
    let mut ports = all.iter().filter(about).map(|launched| launched.port);
    let first = ports.next()?;
    ports.all(|port| port == first).then_some(first)
}
