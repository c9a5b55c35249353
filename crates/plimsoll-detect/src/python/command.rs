//! The command that starts a Python service, in exec form.

use std::collections::BTreeSet;
use std::path::Path;

use crate::places;
use crate::python::candidate::{Candidate, Launch};
use crate::python::dependencies::Dependencies;
use crate::python::distributions::provider;
use crate::python::workspace::{Workspace, makes_unawaited_coroutine};

/// A command and what goes with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Started {
    pub(crate) command: Vec<String>,
    pub(crate) ports: Vec<u16>,
    /// A distribution that the command needs and that nothing declares.
    pub(crate) also: Option<&'static str>,
    /// Whether the port is only the program's usual one.
    pub(crate) assumed_port: bool,
    /// What to say about the way it is started.
    pub(crate) remark: Option<&'static str>,
    pub(crate) environment: Vec<(String, String)>,
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Whether the name of a module's directory, which is no package, is that of an installed one: `python -m`
/// finds the latter.
pub(crate) fn is_hidden(
    workspace: &Workspace<'_>,
    import_root: &Path,
    dotted: &str,
    declared: &BTreeSet<String>,
) -> bool {
    let Some((top, _)) = dotted.split_once('.') else {
        return false;
    };
    let package = import_root.join(top).join("__init__.py");
    !workspace.tree.has_file(&package) && provider(top, declared).is_some()
}

/// The command for `candidate`, whose module is `dotted` and lies at `file` seen from `directory`, where it starts.
pub(crate) fn command(
    candidate: &Candidate,
    dotted: &str,
    file: &Path,
    directory: &Path,
    dependencies: &Dependencies,
    claimed_port: Option<u16>,
) -> Started {
    let has = |name: &str| dependencies.declared.contains(name);
    let chosen = candidate.port.or(claimed_port);
    let mut started = Started::default();
    let port = |usual: u16, started: &mut Started| {
        let port = chosen.unwrap_or(usual);
        started.assumed_port = chosen.is_none();
        started.ports = vec![port];
        port
    };
    match &candidate.launch {
        Launch::Asgi { variable, factory } => {
            let port = port(8000, &mut started);
            let target = format!("{dotted}:{variable}");
            let bind = format!("0.0.0.0:{port}");
            let brings_uvicorn = ["uvicorn", "fastmcp", "mcp", "gradio", "google-adk"]
                .into_iter()
                .any(has);
            started.command =
                if brings_uvicorn || !(has("hypercorn") || has("granian") || has("daphne")) {
                    if !brings_uvicorn {
                        started.also = Some("uvicorn");
                    }
                    let mut command = words(&[
                        "python",
                        "-m",
                        "uvicorn",
                        &target,
                        "--host",
                        "0.0.0.0",
                        "--port",
                        &port.to_string(),
                    ]);
                    if *factory {
                        command.push("--factory".to_owned());
                    }
                    command
                } else if has("hypercorn") {
                    let target = if *factory {
                        format!("{target}()")
                    } else {
                        target
                    };
                    words(&["python", "-m", "hypercorn", &target, "--bind", &bind])
                } else if has("granian") {
                    let mut command = words(&[
                        "python",
                        "-m",
                        "granian",
                        "--interface",
                        "asgi",
                        "--host",
                        "0.0.0.0",
                        "--port",
                        &port.to_string(),
                        &target,
                    ]);
                    if *factory {
                        command.push("--factory".to_owned());
                    }
                    command
                } else {
                    words(&[
                        "python",
                        "-m",
                        "daphne",
                        "-b",
                        "0.0.0.0",
                        "-p",
                        &port.to_string(),
                        &target,
                    ])
                };
        }
        Launch::Wsgi { variable, factory } => {
            let usual = if candidate.framework == "Flask" {
                5000
            } else {
                8000
            };
            let port = port(usual, &mut started);
            let call = if *factory { "()" } else { "" };
            let bind = format!("0.0.0.0:{port}");
            started.command = if has("waitress") && !has("gunicorn") {
                let mut command = words(&[
                    "python",
                    "-m",
                    "waitress",
                    "--host=0.0.0.0",
                    &format!("--port={port}"),
                ]);
                if *factory {
                    command.push("--call".to_owned());
                }
                command.push(format!("{dotted}:{variable}"));
                command
            } else if let Some((_, own)) = &candidate.prepared
                && *own == port
                && !has("gunicorn")
            {
                started.remark = Some(
                    "run as a file, since that prepares what it serves, and no server but its own is declared",
                );
                words(&["python", "-m", dotted])
            } else if candidate.framework == "Flask" && !has("gunicorn") {
                started.remark =
                    Some("started with Flask's development server, since no other one is declared");
                let target = format!("{dotted}:{variable}{call}");
                words(&[
                    "python",
                    "-m",
                    "flask",
                    "--app",
                    &target,
                    "run",
                    "--host",
                    "0.0.0.0",
                    "--port",
                    &port.to_string(),
                ])
            } else {
                if !has("gunicorn") {
                    started.also = Some("gunicorn");
                }
                // Its heartbeat files belong in memory: the root file system is read-only.
                words(&[
                    "python",
                    "-m",
                    "gunicorn",
                    "--bind",
                    &bind,
                    "--worker-tmp-dir",
                    "/tmp",
                    &format!("{dotted}:{variable}{call}"),
                ])
            };
        }
        Launch::CeleryWorker { variable, include } => {
            started.command = words(&[
                "python",
                "-m",
                "celery",
                "-A",
                &format!("{dotted}:{variable}"),
                "worker",
                "--loglevel=INFO",
            ]);
            if !include.is_empty() {
                started
                    .command
                    .push(format!("--include={}", include.join(",")));
            }
        }
        Launch::CeleryBeat { variable } => {
            started.command = words(&[
                "python",
                "-m",
                "celery",
                "-A",
                &format!("{dotted}:{variable}"),
                "beat",
                "--loglevel=INFO",
                // Where it may write; beat only loses when it last ran.
                "--schedule=/tmp/celerybeat-schedule",
                "--pidfile=",
            ]);
        }
        Launch::Arq { class } => {
            started.command = words(&["python", "-m", "arq", &format!("{dotted}.{class}")]);
        }
        Launch::Dramatiq => {
            started.command = words(&["python", "-m", "dramatiq", dotted]);
        }
        Launch::Taskiq { variable } => {
            started.command = words(&[
                "python",
                "-m",
                "taskiq",
                "worker",
                &format!("{dotted}:{variable}"),
                "--fs-discover",
            ]);
        }
        Launch::Module => {
            started.command = words(&["python", "-m", dotted]);
            started.ports.extend(candidate.port);
        }
        Launch::Package(package) => {
            started.command = words(&["python", "-m", package]);
            started.ports.extend(candidate.port);
        }
        Launch::ConsoleScript(name) => {
            let itself = candidate.module.main_guard.is_some()
                && !makes_unawaited_coroutine(&candidate.module);
            started.command = if itself {
                words(&["python", "-m", dotted])
            } else {
                words(&[name])
            };
            started.ports.extend(candidate.port);
        }
        Launch::Streamlit => {
            let port = port(8501, &mut started);
            started.command = words(&[
                "python",
                "-m",
                "streamlit",
                "run",
                places::text(file),
                "--server.address=0.0.0.0",
                &format!("--server.port={port}"),
                "--server.headless=true",
            ]);
            started.environment.push((
                "STREAMLIT_BROWSER_GATHER_USAGE_STATS".to_owned(),
                "false".to_owned(),
            ));
        }
        Launch::LangGraph { config } => {
            let port = port(crate::python::langgraph::PORT, &mut started);
            // The extra brings the server itself; a lock file names it.
            if !has("langgraph-api") && !dependencies.asks_for("langgraph-cli", "inmem") {
                started.also = Some("langgraph-cli[inmem]");
            }
            started.command = words(&[
                "python",
                "-m",
                "langgraph_cli",
                "dev",
                "--host",
                "0.0.0.0",
                "--port",
                &port.to_string(),
                "--no-browser",
                "--no-reload",
            ]);
            let seen = places::below(config, directory);
            if seen != Path::new("langgraph.json") {
                started
                    .command
                    .extend(["--config".to_owned(), places::text(&seen).to_owned()]);
            }
        }
        Launch::Chainlit => {
            let port = port(8000, &mut started);
            started.command = words(&[
                "python",
                "-m",
                "chainlit",
                "run",
                places::text(file),
                "--host",
                "0.0.0.0",
                "--port",
                &port.to_string(),
                "--headless",
            ]);
        }
        Launch::Panel => {
            let port = port(5006, &mut started);
            started.command = words(&[
                "python",
                "-m",
                "panel",
                "serve",
                places::text(file),
                "--address=0.0.0.0",
                &format!("--port={port}"),
                "--allow-websocket-origin=*",
            ]);
        }
        Launch::Huey { variable } => {
            started.command = words(&[
                "python",
                "-m",
                "huey.bin.huey_consumer",
                &format!("{dotted}.{variable}"),
            ]);
        }
        Launch::Tool { words, variable } => {
            let listens = words.iter().any(|word| word.contains("{port}"));
            let port = match (listens, candidate.port.or(chosen)) {
                (true, usual) => port(usual.unwrap_or(8000), &mut started),
                (false, _) => 0,
            };
            let above = file.parent().and_then(Path::parent).map(places::text);
            let above = above.filter(|above| !above.is_empty()).unwrap_or(".");
            started.command = words
                .iter()
                .map(|word| {
                    word.replace("{module}", dotted)
                        .replace("{variable}", variable)
                        .replace("{file}", places::text(file))
                        .replace("{above}", above)
                        .replace("{port}", &port.to_string())
                })
                .collect();
        }
        Launch::FastMcp { variable } => {
            started.command = words(&[
                "python",
                "-m",
                "fastmcp",
                "run",
                &format!("{}:{variable}", places::text(file)),
            ]);
        }
    }
    // Its program has subcommands; this one works until the process ends.
    if candidate.framework == "LiveKit agent" {
        started.command.push("start".to_owned());
    }
    if candidate.framework == "Gradio" {
        started
            .environment
            .push(("GRADIO_SERVER_NAME".to_owned(), "0.0.0.0".to_owned()));
    }
    if candidate.distribution == "fastmcp"
        && candidate.host.is_none()
        && !started.ports.is_empty()
        && !matches!(candidate.launch, Launch::Asgi { .. })
    {
        started
            .environment
            .push(("FASTMCP_HOST".to_owned(), "0.0.0.0".to_owned()));
    }
    started
}
