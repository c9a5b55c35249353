//! What in a Python file may be a service, before it is weighed.

use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::detection::ServiceKind;
use crate::python::module::Module;
use crate::python::subcommands;
use crate::python::workspace::{Workspace, reached};
use crate::syntax::Place;

/// How a candidate is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Launch {
    /// A server program imports it: variable, and whether it is a function that makes it.
    Asgi { variable: String, factory: bool },
    /// The same for WSGI.
    Wsgi { variable: String, factory: bool },
    /// Celery: the variable, modules of tasks it would not find by itself.
    CeleryWorker {
        variable: String,
        include: Vec<String>,
    },
    /// Celery's scheduler.
    CeleryBeat { variable: String },
    /// `arq module.Class`.
    Arq { class: String },
    /// `dramatiq module`.
    Dramatiq,
    /// `taskiq worker module:variable`.
    Taskiq { variable: String },
    /// `rq worker`, for a module that has no worker of its own.
    Module,
    /// The script that `[project.scripts]` names.
    ConsoleScript(String),
    /// `python -m package`, for its `__main__.py`.
    Package(String),
    /// `streamlit run file`.
    Streamlit,
    /// `langgraph dev`, for a configuration file.
    LangGraph { config: std::path::PathBuf },
    /// `chainlit run file`.
    Chainlit,
    /// `panel serve file`.
    Panel,
    /// `huey_consumer module.variable`.
    Huey { variable: String },
    /// `fastmcp run file:variable`.
    FastMcp { variable: String },
    /// A framework's own program, with the words that it takes.
    Tool {
        words: &'static [&'static str],
        variable: String,
    },
}

/// What may be a service.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) module: Arc<Module>,
    pub(crate) kind: ServiceKind,
    pub(crate) framework: &'static str,
    /// The framework's distribution.
    pub(crate) distribution: &'static str,
    pub(crate) launch: Launch,
    /// The port that the code chooses, when it is started as the code means it.
    pub(crate) port: Option<u16>,
    /// Whether only another file that serves it chooses that port: one way of several to start it.
    pub(crate) port_of_another: bool,
    /// The variable that changes the port.
    pub(crate) port_variable: Option<String>,
    /// The address that the code listens on, when it is started as the code means it.
    pub(crate) host: Option<(crate::python::evaluate::Constant, Place)>,
    /// Whether the code that serves is another file's than the one that is run.
    pub(crate) started_by_another: bool,
    /// A function that its file calls before it serves on a port that can be reached, when it is run.
    pub(crate) prepared: Option<(String, u16)>,
    /// The option of its command line that changes the address, where that is its own loopback otherwise.
    pub(crate) host_option: Option<String>,
    /// The port it listens on where it is told to speak over HTTP instead of its standard input.
    pub(crate) over_http: Option<u16>,
    /// The words that its own program is told, without which it does something else.
    pub(crate) arguments: Vec<String>,
    pub(crate) evidence: Vec<Evidence>,
}

impl Candidate {
    pub(crate) fn new(
        module: &Arc<Module>,
        place: Place,
        kind: ServiceKind,
        framework: (&'static str, &'static str),
        launch: Launch,
        why: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            framework: framework.0,
            distribution: framework.1,
            launch,
            port: None,
            port_of_another: false,
            port_variable: None,
            host: None,
            started_by_another: false,
            prepared: None,
            host_option: None,
            over_http: None,
            arguments: Vec::new(),
            evidence: vec![Evidence::new(module.span(place), why)],
            module: module.clone(),
        }
    }
}

/// How the code at a scope of a file is started, if anything starts it: a console script, the file
/// itself, or the `__main__.py` beside it.
pub(crate) fn launch_of(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &crate::python::module::Scope,
) -> Option<(Launch, Vec<Evidence>)> {
    let inside = |names: &std::collections::BTreeSet<String>| {
        scope.path.split('.').any(|part| names.contains(part))
    };
    if let Some(project) = workspace.project_of(&module.path) {
        let dotted = workspace.home(&module.path).1;
        for script in &project.scripts {
            let direct =
                script.module == dotted && inside(&reached(module, Some(&script.function)));
            if direct {
                let why = format!("declares the program `{}`", script.name);
                return Some((
                    Launch::ConsoleScript(script.name.clone()),
                    vec![Evidence::new(script.span.clone(), why)],
                ));
            }
        }
    }
    let guard = module
        .main_guard
        .map(|place| Evidence::new(module.span(place), "starts when the file is run"));
    if scope.main || module.main_guard.is_some() && inside(&reached(module, None)) {
        return Some((Launch::Module, guard.into_iter().collect()));
    }
    if scope.is_top() && module.main_guard.is_none() {
        return Some((Launch::Module, Vec::new()));
    }
    if let Some(found) = by_subcommand(workspace, module, scope) {
        return Some(found);
    }
    if let Some(found) = started_elsewhere(workspace, module, scope) {
        return Some(found);
    }
    let beside = module.path.parent()?.join("__main__.py");
    let main = workspace.modules.get(&beside)?;
    let calls_here = main.calls.iter().any(|placed| {
        let Some(name) = placed.call.function.as_name() else {
            return false;
        };
        let first = name.split('.').next().unwrap_or_default();
        workspace
            .origin(&main, name)
            .or_else(|| workspace.origin(&main, first))
            .is_some_and(|(origin, target)| {
                origin.path == module.path && inside(&reached(module, Some(&target)))
            })
    });
    calls_here.then(|| {
        let package = workspace.home(&beside).1;
        let package = package
            .trim_end_matches("__main__")
            .trim_end_matches('.')
            .to_owned();
        let why = format!("`python -m {package}` starts it");
        let span = main.span(Place::line(1));
        (Launch::Package(package), vec![Evidence::new(span, why)])
    })
}

/// How the program is started that has the code at a scope among its commands.
fn by_subcommand(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &crate::python::module::Scope,
) -> Option<(Launch, Vec<Evidence>)> {
    let reaches = |name: &str| {
        let commands = subcommands::commands_of(module, name).into_iter();
        commands
            .flat_map(|command| reached(module, Some(command)))
            .any(|name| scope.path.split('.').any(|part| part == name))
    };
    let project = workspace.project_of(&module.path);
    let dotted = workspace.home(&module.path).1;
    let mut scripts = project.iter().flat_map(|project| &project.scripts);
    let script = scripts.find(|script| script.module == dotted && reaches(&script.function));
    if let Some(script) = script {
        let why = format!("declares the program `{}`", script.name);
        let evidence = vec![Evidence::new(script.span.clone(), why)];
        return Some((Launch::ConsoleScript(script.name.clone()), evidence));
    }
    let guard = module.main_guard?;
    let started = reached(module, None);
    let evidence = vec![Evidence::new(
        module.span(guard),
        "starts when the file is run",
    )];
    let mut started = started.iter();
    started
        .any(|name| reaches(name))
        .then_some((Launch::Module, evidence))
}

/// Files that are followed from a declared program to the code that it runs.
const FOLLOWED: usize = 24;

/// A declared program of the project that reaches the code through other files.
pub(crate) fn started_elsewhere(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    scope: &crate::python::module::Scope,
) -> Option<(Launch, Vec<Evidence>)> {
    let project = workspace.project_of(&module.path)?;
    project.scripts.iter().find_map(|script| {
        let file = workspace
            .modules
            .find(&project.import_roots, &script.module)?;
        let start = workspace.modules.get(&file)?;
        leads_to(workspace, &start, Some(&script.function), module, scope).then(|| {
            let why = format!("declares the program `{}`", script.name);
            (
                Launch::ConsoleScript(script.name.clone()),
                vec![Evidence::new(script.span.clone(), why)],
            )
        })
    })
}

/// Files that, when they are run, come to run the code at `scope` of another one: of each project the closest to its
/// root.
pub(crate) fn starters_of(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    wanted: &Arc<Module>,
    scope: &crate::python::module::Scope,
) -> Vec<(Arc<Module>, Evidence)> {
    let directory = |module: &Module| {
        let project = workspace.project_of(&module.path);
        project.map(|project| project.directory.clone())
    };
    // What no project has is there for all.
    let own = directory(wanted);
    let mut starters: Vec<&Arc<Module>> = entries
        .iter()
        .filter(|module| {
            module.path != wanted.path
                && module.main_guard.is_some()
                && crate::places::set_aside(&module.path).is_none()
                && !crate::places::is_among_scripts(&module.path)
                && (own.is_none() || directory(module) == own)
        })
        .collect();
    starters.sort_by_key(|module| module.path.components().count());
    let mut found: Vec<(Arc<Module>, Evidence)> = Vec::new();
    for module in starters {
        let beside = |other: &Module| match directory(module) {
            Some(project) => directory(other) == Some(project),
            None => other.path.parent() == module.path.parent(),
        };
        let Some(guard) = module.main_guard else {
            continue;
        };
        let known = found.iter().any(|(other, _)| beside(other));
        if !known && leads_to(workspace, module, None, wanted, scope) {
            let evidence = Evidence::new(module.span(guard), "starts when the file is run");
            found.push((module.clone(), evidence));
        }
    }
    found
}

/// Whether calling `function` of `start`, or running that file, comes to run the code at `scope` of `wanted`.
fn leads_to(
    workspace: &Workspace<'_>,
    start: &Arc<Module>,
    function: Option<&str>,
    wanted: &Arc<Module>,
    scope: &crate::python::module::Scope,
) -> bool {
    let mut open = vec![(start.clone(), function.map(str::to_owned))];
    let mut seen: std::collections::BTreeSet<(std::sync::Arc<std::path::Path>, Option<String>)> =
        std::collections::BTreeSet::new();
    while let Some((module, function)) = open.pop() {
        if seen.len() > FOLLOWED || !seen.insert((module.path.clone(), function.clone())) {
            continue;
        }
        // The program may itself be passed on: `from .server import main`.
        if let Some(function) = &function
            && let Some((origin, target)) = workspace.origin(&module, function)
            && origin.path != module.path
        {
            open.push((origin, Some(target)));
            continue;
        }
        let reached = reached(&module, function.as_deref());
        let inside = |path: &str| path.split('.').any(|part| reached.contains(part));
        if module.path == wanted.path && inside(&scope.path) {
            return true;
        }
        for placed in &module.calls {
            let run = function.is_none() && placed.scope.main;
            if !run && !inside(&placed.scope.path) {
                continue;
            }
            let call = &placed.call;
            let values = call
                .arguments
                .iter()
                .chain(call.keywords.iter().map(|(_, value)| value));
            let passed = values.filter_map(|value| match value {
                crate::python::value::Value::Name(name) => Some(name.as_str()),
                _ => None,
            });
            for name in call.function.as_name().into_iter().chain(passed) {
                let first = name.split('.').next().unwrap_or_default();
                if module.import_of(first).is_none() {
                    continue;
                }
                // `server.main()` of `from . import server`, and `Server().run()` of `from .x import Server`.
                if let Some((origin, target)) = workspace.origin(&module, name)
                    && origin.path != module.path
                {
                    let target = target.split('.').next().unwrap_or_default().to_owned();
                    open.push((origin, Some(target)));
                }
            }
        }
    }
    false
}
