//! Graphs in JavaScript or TypeScript that a LangGraph server serves: what `langgraph.json` names.

use std::path::Path;

use plimsoll_diag::{Diagnostic, Evidence};
use plimsoll_model::NodeLayout;

use super::framework::Framework;
use super::server::Scene;
use super::start::{Start, flag, script};
use crate::detection::{Health, Route, ServiceKind, Stream};
use crate::document::{Data, Item};
use crate::found::Found;
use crate::places;

/// The program that serves graphs, and the distribution that brings it.
const PROGRAM: &str = "langgraphjs";
const DISTRIBUTION: &str = "@langchain/langgraph-cli";

/// Port of the server when nothing chooses one.
const PORT: u16 = 2024;

/// Whether a command starts a LangGraph server.
pub(super) fn is_server(start: &Start) -> bool {
    start.command.first().is_some_and(|word| word == PROGRAM)
}

/// The server of the graphs that lie in a package, one for all of them.
pub(super) fn server(scene: &Scene<'_>) -> Option<Found> {
    let configurations = scene.tree.files().iter().filter(|file| {
        file.path
            .file_name()
            .is_some_and(|name| name == "langgraph.json")
            && places::set_aside(&file.path).is_none()
    });
    configurations
        .filter_map(|file| of_configuration(scene, &file.path))
        .next()
}

fn of_configuration(scene: &Scene<'_>, path: &std::sync::Arc<Path>) -> Option<Found> {
    let package = scene.package;
    let item = Item::json(path, scene.tree.manifest(path)?)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut graphs = item
        .entries(&["graphs"])
        .iter()
        .filter_map(|(name, graph)| {
            let target = match &graph.value {
                Data::Text(text) => text.as_str(),
                _ => graph.text(&["path"])?,
            };
            let file = places::within(directory, target.rsplit_once(':')?.0)?;
            let here = scene.files.paths().any(|path| path == file);
            here.then_some((name, graph.place, file))
        });
    let (name, place, first) = graphs.next()?;
    let span = place.in_file(scene.tree.shown(path));
    let why = format!("describes a LangGraph server of `{name}`");
    let start = start(scene, path, Evidence::new(span.clone(), why.clone()));
    let port = flag(&start.command).unwrap_or(PORT);
    let mut reached = scene.files.reached(&package.directory, Some(&first));
    for (_, _, file) in graphs {
        for one in scene.files.reached(&package.directory, Some(&file)) {
            if reached.iter().all(|(path, _)| *path != one.0) {
                reached.push(one);
            }
        }
    }
    let framework = Framework {
        distribution: DISTRIBUTION,
        name: "LangGraph",
        kind: ServiceKind::Web,
    };
    let mut found = super::blank(
        package,
        scene.tree,
        framework.kind,
        framework.name,
        span.clone(),
        why,
    );
    found.service.version = package.version_of(framework.distribution);
    found.service.evidence.push(start.evidence.clone());
    found.service.evidence.dedup();
    found.service.ports = vec![port];
    found.service.stream = Some(Stream::Sse);
    found.service.health = Some(Health::Http(Route {
        path: "/ok".to_owned(),
        port,
        span: None,
    }));
    if !package.depends_on(DISTRIBUTION) {
        found.problems.push(
            Diagnostic::warning(format!(
                "nothing installs `{PROGRAM}`, which serves the graphs"
            ))
            .at(package.span.clone())
            .hint(format!("add `{DISTRIBUTION}` to the dependencies")),
        );
    }
    Some(scene.finish(found, start, NodeLayout::Application, &reached, Some(port)))
}

/// The command of the package's own script, made to listen for others; without one, the usual.
fn start(scene: &Scene<'_>, configuration: &Path, evidence: Evidence) -> Start {
    let own = scene
        .package
        .script_names()
        .filter_map(|name| script(scene.package, name))
        .find(|start| is_server(start) && start.command.get(1).is_some_and(|word| word == "dev"));
    let mut start = own.unwrap_or_else(|| {
        let mut command = [PROGRAM, "dev", "--port", &PORT.to_string()]
            .map(str::to_owned)
            .to_vec();
        let depth = scene.package.directory.components().count();
        let seen = match configuration.strip_prefix(&scene.package.directory) {
            Ok(inside) => inside.to_owned(),
            Err(_) => Path::new(&"../".repeat(depth)).join(configuration),
        };
        if seen != Path::new("langgraph.json") {
            command.extend(["--config".to_owned(), seen.display().to_string()]);
        }
        Start {
            environment: Vec::new(),
            command,
            evidence,
            name: String::new(),
        }
    });
    // It would open a browser, and listen for its own machine alone.
    if !start.command.iter().any(|word| word == "--no-browser") {
        start.command.push("--no-browser".to_owned());
    }
    if !start.command.iter().any(|word| word.starts_with("--host")) {
        start
            .command
            .extend(["--host".to_owned(), "0.0.0.0".to_owned()]);
    }
    start
}
