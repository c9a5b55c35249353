//! Files of variables that Python code loads when it starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::Span;

use crate::document::Item;
use crate::environment_files::{EnvironmentFile, LoadedInto};
use crate::places;
use crate::python::candidate::{Candidate, Launch};
use crate::python::command::Started;
use crate::python::module::{Module, Moment, Scope};
use crate::python::search_path;
use crate::python::startup::Startup;
use crate::python::value::{Call, Value};
use crate::python::workspace::Workspace;

/// The usual name of such a file.
const FILE: &str = ".env";

/// Files that the code of a service loads, which is started in `root`, or that what starts it does.
pub(crate) fn loaded(
    workspace: &Workspace<'_>,
    candidate: &Candidate,
    modules: &[Arc<Module>],
    startup: &Startup,
    root: &Path,
) -> Vec<EnvironmentFile> {
    let mut found = Vec::new();
    for module in modules {
        let entry = module.path == candidate.module.path;
        let runs = |scope: &Scope| {
            scope.moment != Moment::Never && (entry || !scope.main) && startup.reaches(&scope.path)
        };
        for placed in &module.calls {
            let call = &placed.call;
            let Some((into, path)) = loader(module, call) else {
                continue;
            };
            let wanted = match into {
                LoadedInto::Environment => runs(&placed.scope),
                LoadedInto::Settings => placed.scope.moment != Moment::Never,
            };
            let candidates = path.places(workspace, module, &placed.scope.path, root);
            if wanted && !candidates.is_empty() {
                let at = module.span(call.place);
                add(
                    &mut found,
                    EnvironmentFile {
                        candidates,
                        into,
                        at,
                    },
                );
            }
        }
        // `class Config: env_file = ".env"` inside of settings.
        for binding in &module.bindings {
            let configures =
                binding.target == "env_file" && binding.scope.path.ends_with(".Config");
            let Some(value) = binding.value.as_ref().filter(|_| configures) else {
                continue;
            };
            let path = Place::From(value);
            let candidates = path.places(workspace, module, &binding.scope.path, root);
            if !candidates.is_empty() {
                let (into, at) = (LoadedInto::Settings, module.span(binding.place));
                add(
                    &mut found,
                    EnvironmentFile {
                        candidates,
                        into,
                        at,
                    },
                );
            }
        }
    }
    found
}

/// Files that the program loads which starts a service.
pub(crate) fn loaded_by_starter(
    workspace: &Workspace<'_>,
    candidate: &Candidate,
    started: &Started,
    knows_dotenv: &dyn Fn() -> bool,
    root: &Path,
) -> Option<EnvironmentFile> {
    let at = candidate.evidence.first()?.span.clone();
    let by_flask = started.command.get(2).is_some_and(|word| word == "flask");
    let (candidates, at) = match &candidate.launch {
        Launch::Chainlit => (vec![root.join(FILE)], at),
        Launch::LangGraph { config } => {
            let item = Item::json(&config.as_path().into(), workspace.tree.manifest(config)?)?;
            let path = places::within(config.parent()?, item.text(&["env"])?)?;
            (vec![path], Span::line(workspace.tree.shown(config), 1))
        }
        _ if by_flask && knows_dotenv() => (upwards(root), at),
        _ => return None,
    };
    let into = LoadedInto::Environment;
    Some(EnvironmentFile {
        candidates,
        into,
        at,
    })
}

/// One file is loaded once, by whoever lets libraries see it.
fn add(found: &mut Vec<EnvironmentFile>, file: EnvironmentFile) {
    let known = found
        .iter_mut()
        .find(|known| known.candidates == file.candidates);
    match known {
        Some(known) if known.into == LoadedInto::Settings => *known = file,
        Some(_) => {}
        None => found.push(file),
    }
}

/// Where a call says that its file is.
enum Place<'c> {
    /// Beside the code, or in the closest directory above it.
    AboveCode,
    /// Beside the code.
    BesideCode,
    /// Where the service is started, or above.
    AboveStart,
    /// What a value says.
    From(&'c Value),
}

/// What a call loads a file into, and where that is.
fn loader<'c>(module: &Module, call: &'c Call) -> Option<(LoadedInto, Place<'c>)> {
    let callee = module.callee(call)?;
    let said = |position: usize, name: &str, usual: Place<'c>| {
        let value = call.argument(position, name);
        value.map_or(usual, Place::From)
    };
    Some(match callee.as_ref() {
        "dotenv.load_dotenv" | "dotenv.main.load_dotenv" => (
            LoadedInto::Environment,
            said(0, "dotenv_path", Place::AboveCode),
        ),
        "environ.Env.read_env" => (
            LoadedInto::Environment,
            said(0, "env_file", Place::BesideCode),
        ),
        "decouple.config" => (LoadedInto::Settings, Place::AboveCode),
        "pydantic_settings.SettingsConfigDict" => {
            (LoadedInto::Settings, Place::From(call.keyword("env_file")?))
        }
        _ if call.method() == Some("read_env") => {
            let maker = module
                .top_value(call.receiver()?)?
                .value
                .as_ref()?
                .as_call()?;
            let usual = match module.callee(maker)?.as_ref() {
                "environ.Env" => Place::BesideCode,
                "environs.Env" => Place::AboveCode,
                _ => return None,
            };
            (LoadedInto::Environment, said(0, "env_file", usual))
        }
        _ => return None,
    })
}

impl Place<'_> {
    /// The paths in the tree that this may be.
    fn places(
        &self,
        workspace: &Workspace<'_>,
        module: &Arc<Module>,
        scope: &str,
        root: &Path,
    ) -> Vec<PathBuf> {
        let beside = module.path.parent().unwrap_or(Path::new(""));
        match self {
            Self::AboveCode => upwards(beside),
            Self::BesideCode => vec![beside.join(FILE)],
            Self::AboveStart => upwards(root),
            Self::From(Value::List(several)) => {
                let each = several.iter().rev();
                each.flat_map(|one| Place::From(one).places(workspace, module, scope, root))
                    .collect()
            }
            Self::From(Value::Call(call)) if call.method() == Some("find_dotenv") => {
                let place = match call.keyword("usecwd") {
                    Some(Value::Boolean(true)) => Place::AboveStart,
                    _ => Place::AboveCode,
                };
                place.places(workspace, module, scope, root)
            }
            Self::From(value) => {
                let said = workspace.constant(module, scope, value).text;
                said.and_then(|text| places::within(root, &text))
                    .or_else(|| search_path::directory(value, module, scope, 0))
                    .into_iter()
                    .collect()
            }
        }
    }
}

fn upwards(directory: &Path) -> Vec<PathBuf> {
    let above = directory.ancestors();
    above.map(|directory| directory.join(FILE)).collect()
}
