//! Programs of frameworks that are told by name what to run: `faststream run module:app`, `adk api_server directory`,
//! `manage.py qcluster`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::detection::ServiceKind;
use crate::places;
use crate::python::candidate::{Candidate, Launch};
use crate::python::module::Module;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// What a framework's program runs, by what the code makes.
struct Tool {
    /// Full name of what is called or decorates.
    maker: &'static str,
    framework: &'static str,
    distribution: &'static str,
    kind: ServiceKind,
    words: &'static [&'static str],
    port: Option<u16>,
}

/// Objects at the top of a file, by what makes them.
const OBJECTS: &[Tool] = &[
    Tool {
        maker: "faststream.FastStream",
        framework: "FastStream",
        distribution: "faststream",
        kind: ServiceKind::Worker,
        words: &["python", "-m", "faststream", "run", "{module}:{variable}"],
        port: None,
    },
    Tool {
        maker: "procrastinate.App",
        framework: "Procrastinate",
        distribution: "procrastinate",
        kind: ServiceKind::Worker,
        words: &[
            "python",
            "-m",
            "procrastinate",
            "--app={module}.{variable}",
            "worker",
        ],
        port: None,
    },
    Tool {
        maker: "taskiq.TaskiqScheduler",
        framework: "Taskiq",
        distribution: "taskiq",
        kind: ServiceKind::Scheduler,
        words: &[
            "python",
            "-m",
            "taskiq",
            "scheduler",
            "{module}:{variable}",
            "--fs-discover",
        ],
        port: None,
    },
];

/// Classes and functions that a decorator makes known.
const DECORATED: &[Tool] = &[
    Tool {
        maker: "bentoml.service",
        framework: "BentoML",
        distribution: "bentoml",
        kind: ServiceKind::Web,
        words: &[
            "python",
            "-m",
            "bentoml",
            "serve",
            "{module}:{variable}",
            "--host=0.0.0.0",
            "--port={port}",
        ],
        port: Some(3000),
    },
    Tool {
        maker: "solara.component",
        framework: "Solara",
        distribution: "solara",
        kind: ServiceKind::Ui,
        words: &[
            "solara",
            "run",
            "{file}",
            "--host=0.0.0.0",
            "--port={port}",
            "--production",
        ],
        port: Some(8765),
    },
    Tool {
        maker: "mesop.page",
        framework: "Mesop",
        distribution: "mesop",
        kind: ServiceKind::Ui,
        words: &["mesop", "{file}", "--prod", "--port={port}"],
        port: Some(32123),
    },
];

/// Applications of Django that bring a worker: name among the installed ones, framework, distribution, command.
const OF_DJANGO: &[(&str, &str, &str, &str)] = &[
    ("django_q", "Django Q", "django-q2", "qcluster"),
    ("django_rq", "RQ", "django-rq", "rqworker"),
    ("huey.contrib.djhuey", "Huey", "huey", "run_huey"),
    (
        "background_task",
        "Django",
        "django-background-tasks",
        "process_tasks",
    ),
    (
        "django_tasks.backends.database",
        "Django",
        "django-tasks",
        "db_worker",
    ),
];

const AGENTS: &[&str] = &[
    "adk",
    "api_server",
    "--host=0.0.0.0",
    "--port={port}",
    "{above}",
];

/// Finds what such programs run in the files at `entries`.
pub(crate) fn find(workspace: &Workspace<'_>, entries: &[Arc<Module>]) -> Vec<Candidate> {
    let mut found = Vec::new();
    for module in entries {
        objects(module, &mut found);
        decorated(module, &mut found);
        settings_of_saq(module, &mut found);
        workers_of_django(workspace, module, entries, &mut found);
    }
    agents(workspace, entries, &mut found);
    found
}

fn candidate(
    module: &Arc<Module>,
    tool: &Tool,
    variable: &str,
    place: crate::syntax::Place,
    why: String,
) -> Candidate {
    let launch = Launch::Tool {
        words: tool.words,
        variable: variable.to_owned(),
    };
    let framework = (tool.framework, tool.distribution);
    let mut candidate = Candidate::new(module, place, tool.kind, framework, launch, why);
    candidate.port = tool.port;
    candidate
}

fn objects(module: &Arc<Module>, found: &mut Vec<Candidate>) {
    for binding in &module.bindings {
        let Some(Value::Call(call)) = &binding.value else {
            continue;
        };
        let callee = module.callee(call).unwrap_or_default();
        let tool = OBJECTS.iter().find(|tool| {
            // `faststream.rabbit.FastStream` is passed on by packages of the same name.
            tool.maker == callee
        });
        let plain = binding.scope.is_top() && !binding.scope.main && !binding.target.contains('.');
        if let Some(tool) = tool.filter(|_| plain) {
            let why = format!("makes a {} application", tool.framework);
            found.push(candidate(module, tool, &binding.target, binding.place, why));
        }
    }
}

/// The first of a file: others are parts of it.
fn decorated(module: &Arc<Module>, found: &mut Vec<Candidate>) {
    // Pages that the file puts into an application of its own are part of that.
    let part = module
        .calls
        .iter()
        .any(|placed| module.callee(&placed.call).as_deref() == Some("mesop.create_wsgi_app"));
    let functions = module
        .functions
        .iter()
        .filter(|function| function.scope.is_top() && !part);
    for function in functions {
        for (decorator, place) in &function.decorators {
            let name = match decorator {
                Value::Call(call) => call.function.as_name(),
                other => other.as_name(),
            };
            let Some(full) = name.map(|name| module.qualify(name)) else {
                continue;
            };
            let page = !full.starts_with("solara.") || function.name == "Page";
            if let Some(tool) = DECORATED.iter().find(|tool| tool.maker == full && page) {
                let why = format!("is what {} serves", tool.framework);
                found.push(candidate(module, tool, &function.name, *place, why));
                return;
            }
        }
    }
}

/// `settings = {"queue": queue, "functions": [...]}` of SAQ.
fn settings_of_saq(module: &Arc<Module>, found: &mut Vec<Candidate>) {
    const TOOL: Tool = Tool {
        maker: "",
        framework: "SAQ",
        distribution: "saq",
        kind: ServiceKind::Worker,
        words: &["python", "-m", "saq", "{module}.{variable}"],
        port: None,
    };
    let imports = module
        .imports
        .iter()
        .any(|import| import.module.split('.').next() == Some("saq"));
    for binding in &module.bindings {
        let Some(Value::Table(entries)) = &binding.value else {
            continue;
        };
        let has = |wanted: &str| entries.iter().any(|(key, _)| key.as_text() == Some(wanted));
        if imports && binding.scope.is_top() && has("queue") && has("functions") {
            let why = "lists the functions of a SAQ worker".to_owned();
            found.push(candidate(
                module,
                &TOOL,
                &binding.target,
                binding.place,
                why,
            ));
        }
    }
}

/// Workers that installed applications bring, started by the `manage.py` of the project.
fn workers_of_django(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    entries: &[Arc<Module>],
    found: &mut Vec<Candidate>,
) {
    let installed = module
        .bindings
        .iter()
        .filter(|binding| binding.scope.is_top() && binding.target == "INSTALLED_APPS");
    for binding in installed {
        let Some(Value::List(items)) = &binding.value else {
            continue;
        };
        let named = |name: &str| items.iter().any(|item| item.as_text() == Some(name));
        let Some((_, framework, distribution, command)) =
            OF_DJANGO.iter().find(|(name, ..)| named(name))
        else {
            continue;
        };
        let directory = workspace
            .project_of(&module.path)
            .map(|project| project.directory.clone());
        let manage = entries.iter().find(|entry| {
            let here = workspace
                .project_of(&entry.path)
                .map(|project| project.directory.clone());
            entry.path.ends_with("manage.py")
                && here == directory
                && places::set_aside(&entry.path).is_none()
        });
        let Some(manage) = manage else {
            continue;
        };
        let words: &'static [&'static str] = match *command {
            "qcluster" => &["python", "{file}", "qcluster"],
            "rqworker" => &["python", "{file}", "rqworker", "default"],
            "run_huey" => &["python", "{file}", "run_huey"],
            "process_tasks" => &["python", "{file}", "process_tasks"],
            _ => &["python", "{file}", "db_worker"],
        };
        let tool = Tool {
            maker: "",
            framework,
            distribution,
            kind: ServiceKind::Worker,
            words,
            port: None,
        };
        let why = format!(
            "`{command}` works for what `{}` installs",
            places::text(&module.path)
        );
        found.push(candidate(manage, &tool, "", binding.place, why));
        let span = module.span(binding.place);
        if let Some(evidence) = found.last_mut().and_then(|one| one.evidence.first_mut()) {
            evidence.span = span;
        }
        return;
    }
}

/// Agents of the Agent Development Kit, one server for all that lie in one directory: only where no file makes an
/// application of them itself.
fn agents(workspace: &Workspace<'_>, entries: &[Arc<Module>], found: &mut Vec<Candidate>) {
    let serves = entries.iter().any(|module| {
        places::set_aside(&module.path).is_none()
            && module.imports.iter().any(|import| {
                import.module.starts_with("google.adk.cli")
                    || import.module.starts_with("google.adk.runners")
                    || import.module.starts_with("google.adk.a2a")
                    || import.module.starts_with("vertexai")
            })
    });
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    for module in entries.iter().filter(|_| !serves) {
        let makes = module
            .imports
            .iter()
            .any(|import| import.module.starts_with("google.adk"));
        let root = module.top_value("root_agent").filter(|_| makes);
        let above = module
            .path
            .parent()
            .and_then(|directory| directory.parent());
        let (Some(root), Some(above)) = (root, above) else {
            continue;
        };
        let inside = workspace
            .tree
            .has_file(&module.path.with_file_name("__init__.py"));
        if !module.path.ends_with("agent.py")
            || !inside
            || places::set_aside(&module.path).is_some()
            || !seen.insert(above.to_owned())
        {
            continue;
        }
        let tool = Tool {
            maker: "",
            framework: "Google ADK",
            distribution: "google-adk",
            kind: ServiceKind::Web,
            words: AGENTS,
            port: Some(8000),
        };
        let why = "is an agent that `adk` serves".to_owned();
        found.push(candidate(module, &tool, "root_agent", root.place, why));
    }
}
