//! From a candidate to a service: dependencies, command, recipe, health, variables, needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Evidence, Spanned};
use plimsoll_model::{PythonDependencies, RecipeKind};

use crate::claims::{GunicornArguments, Launched};
use crate::detection::{DetectedService, Health, Route, ServiceKind};
use crate::found::{Found, FoundVariable};
use crate::places;
use crate::python::Calls;
use crate::python::backing::{composed_addresses, falls_back, fixed_addresses, needs_of};
use crate::python::candidate::{Candidate, Launch};
use crate::python::celery_addresses;
use crate::python::clients::clients;
use crate::python::command::{Started, command, is_hidden};
use crate::python::dependencies::{Dependencies, choose};
use crate::python::distributions::provider;
use crate::python::django::engines;
use crate::python::environment::reads;
use crate::python::environment_files;
use crate::python::graph::{Closure, Start};
use crate::python::gunicorn::{Configuration, bound, configuration_named, several_workers};
use crate::python::late::late;
use crate::python::module::{Module, Moment};
use crate::python::one_of::one_of;
use crate::python::own_metrics;
use crate::python::peers::peers;
use crate::python::project::PythonProject;
use crate::python::recipe::{Placed, recipe};
use crate::python::routes::routes;
use crate::python::soundness::{CannotRun, check};
use crate::python::startup::Startup;
use crate::python::state::state;
use crate::python::system;
use crate::python::unrequired::unrequired;
use crate::python::workspace::Workspace;

/// Where an image keeps the files of a build context.
pub(crate) const IMAGE_ROOT: &str = "/app";

/// What claims elsewhere in the project say about a candidate.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Claimed<'c> {
    pub(crate) port: Option<u16>,
    /// A Python version that an image was built on: `3.11`.
    pub(crate) python: Option<&'c Spanned<String>>,
    /// What a start script starts it with.
    pub(crate) launched: Option<&'c Launched>,
    /// Whether some command says that it is served.
    pub(crate) served: bool,
    /// Whether an image or a file that deploys the project starts it.
    pub(crate) deployed: bool,
    /// The port that the command says which serves it, whatever its own file would do if it were run.
    pub(crate) served_on: Option<u16>,
    /// What Gunicorn is told by the environment when it serves it.
    pub(crate) told: Option<&'c GunicornArguments>,
    /// What Gunicorn is told in a file when it serves it.
    pub(crate) gunicorn: Option<&'c Configuration>,
}

/// Makes the service of a candidate.
pub(crate) fn assemble(
    workspace: &Workspace<'_>,
    candidate: &Candidate,
    claimed: Claimed<'_>,
) -> Result<(Found, Calls), Box<CannotRun>> {
    let path = &candidate.module.path;
    let (import_root, dotted) = workspace.home(path);
    let project = workspace.project_of(path);
    let roots = workspace.roots(path);
    let start = match candidate.launch {
        Launch::Module | Launch::Streamlit | Launch::Chainlit | Launch::Panel => Start::Script,
        _ => Start::Imported,
    };
    let declared: BTreeSet<String> = project
        .into_iter()
        .flat_map(|project| {
            let listed = project.files.iter().flat_map(|file| &file.requirements);
            // What an extra brings may be there, and a directory of its name is not it.
            let extras = project.optional.iter().flat_map(|(_, extra)| extra);
            project.dependencies.iter().chain(listed).chain(extras)
        })
        .map(|requirement| requirement.name.clone())
        .collect();
    let mut closure = workspace
        .modules
        .closure_beside(path, &roots, start, &|module| {
            provider(module, &declared).is_some()
        });
    check(workspace, candidate, &closure)?;
    let unrequired = project.map(|project| unrequired(workspace, project, &closure));
    closure
        .also_searched
        .extend(unrequired.into_iter().flatten());
    let mut dependencies = choose(project, &closure);
    let directory =
        project.map_or_else(|| import_root.clone(), |project| project.directory.clone());
    let file = places::below(path, &directory);
    let told = told_port(candidate, claimed);
    let usual = claimed.port.filter(|_| candidate.port_of_another);
    let bound = bound(candidate, claimed);
    let by_server = matches!(candidate.launch, Launch::Asgi { .. } | Launch::Wsgi { .. });
    let argued = claimed.told.filter(|_| by_server);
    let moved = claimed.served_on.filter(|_| by_server);
    let moved = moved.or(argued.and_then(|told| Some(told.port.as_ref()?.value)));
    let moved = moved.or(told.as_ref().map(|(port, _)| *port)).or(usual);
    let moved = moved.or(bound.map(|bind| bind.value));
    // What serves by itself and does not say where, its image may.
    let listens = matches!(candidate.kind, ServiceKind::Web | ServiceKind::McpHttp);
    let silent = candidate.port.is_none() && !by_server && listens;
    let moved = moved.or(claimed.port.filter(|_| silent));
    let moved = moved.map(|port| Candidate {
        port: Some(port),
        ..candidate.clone()
    });
    let candidate = moved.as_ref().unwrap_or(candidate);
    let mut started = command(
        candidate,
        &dotted,
        &file,
        &directory,
        &dependencies,
        claimed.port,
    );
    if matches!(candidate.launch, Launch::Module)
        && is_hidden(workspace, &import_root, &dotted, &dependencies.declared)
    {
        started.command = vec!["python".to_owned(), places::text(&file).to_owned()];
    }
    started.command.extend(candidate.arguments.iter().cloned());
    let mut problems = std::mem::take(&mut dependencies.problems);
    if let Some(also) = started.also {
        let span = candidate.evidence[0].span.clone();
        problems.push(
            Diagnostic::warning(format!(
                "`{also}` is needed to serve it, but no file declares it"
            ))
            .at(span.clone())
            .hint(format!("add `{also}` to the dependencies")),
        );
        dependencies
            .undeclared
            .push(Spanned::new(also.to_owned(), span));
    }
    listen_address(candidate, &mut started, &mut problems);
    if let Some((_, variable)) = told {
        started.environment.push(variable);
    }
    if let Some(argued) = argued.filter(|argued| argued.of_image) {
        let variable = "GUNICORN_CMD_ARGS".to_owned();
        started.environment.push((variable, argued.text.clone()));
    }
    if let Some(configuration) = claimed.gunicorn {
        configuration_named(configuration, &directory, &mut started);
    }
    let modules: Vec<Arc<Module>> = closure
        .files
        .keys()
        .filter_map(|path| workspace.modules.get(path))
        .collect();
    let packages = system::packages(&modules, &closure, &dependencies);
    let placed = Placed::of(project, &directory, &import_root, &closure);
    let mut recipe = recipe(
        workspace,
        &placed,
        project,
        &dependencies,
        &started,
        &packages,
        claimed,
    );
    search_also(&mut recipe.environment, &placed, &closure);
    let mut service = DetectedService {
        name: String::new(),
        kind: kind(candidate),
        language: "python".into(),
        framework: (!candidate.framework.is_empty()).then(|| candidate.framework.to_owned()),
        version: version(project, &dependencies, candidate.distribution),
        built_with: Vec::new(),
        development_port: None,
        environment_files: Vec::new(),
        assumes_port: started.assumed_port,
        language_version: project
            .and_then(|project| project.requires_python.as_ref())
            .map(|text| text.value.clone()),
        manager: (dependencies.manager != "none").then(|| dependencies.manager.to_owned()),
        dependencies_from: dependencies.file.clone(),
        root: directory,
        command: started.command.clone(),
        working_dir: recipe.working_dir.clone(),
        ports: started.ports.clone(),
        health: None,
        metrics: None,
        stream: None,
        replicas_max: None,
        writes: Vec::new(),
        packages: packages
            .iter()
            .map(|package| package.value.clone())
            .collect(),
        needs: Vec::new(),
        shares_with: None,
        defined_at: candidate.evidence[0].span.clone(),
        evidence: candidate.evidence.clone(),
        recipe: Some(recipe),
        trial: None,
        files: closure.files.keys().cloned().collect(),
        routes: Vec::new(),
        target: target(candidate, &dotted),
    };
    if service.kind == ServiceKind::Scheduler {
        service.replicas_max = Some(1);
    }
    if let Some(bind) = argued.and_then(|argued| argued.port.as_ref()).or(bound)
        && let Some(span) = &bind.span
    {
        let why = format!("Gunicorn is told to listen on port {}", bind.value);
        service.evidence.push(Evidence::new(span.clone(), why));
    }
    health(workspace, candidate, &closure, &mut service);
    own_metrics::add(workspace, &modules, &mut service);
    let startup = Startup::of(
        &modules,
        late(workspace, &closure.files),
        Some(&candidate.module),
        called(candidate, project),
    );
    service.environment_files =
        environment_files::loaded(workspace, candidate, &modules, &startup, &service.root);
    let knows_dotenv = || dependencies.declared.contains("python-dotenv");
    service
        .environment_files
        .extend(environment_files::loaded_by_starter(
            workspace,
            candidate,
            &started,
            &knows_dotenv,
            &service.root,
        ));
    let mut variables: Vec<FoundVariable> = reads(workspace, &closure.files, &startup)
        .into_iter()
        .map(FoundVariable::from)
        .collect();
    let groups = one_of(&modules, &startup, &variables);
    variables.extend(groups);
    let fixed = celery_addresses::variables(&closure, &modules, &variables);
    variables.extend(fixed.iter().cloned());
    let mut found_needs = needs_of(
        &closure,
        &dependencies,
        &variables,
        clients(&modules, &startup),
    );
    engines(&modules, &variables, &mut found_needs);
    celery_addresses::require(&fixed, &mut found_needs);
    if let Some(client) = celery_addresses::undeclared(&fixed, &dependencies.declared)
        && let Some(RecipeKind::Python(recipe)) = service.recipe.as_mut().map(|it| &mut it.kind)
    {
        let what = "Celery needs `redis` to reach it, but no file declares it";
        let told = Diagnostic::warning(what).at(client.span.clone());
        problems.push(told.hint("add `redis` to the dependencies"));
        recipe.undeclared.push(client);
    }
    let insisting = (!falls_back(&closure, &variables)).then_some(&startup);
    for module in &modules {
        let told = composed_addresses(
            module,
            &variables,
            &dependencies,
            insisting.map(|startup| startup.within(module)),
            &mut found_needs,
        );
        for variable in &mut variables {
            variable.required |= told.contains(&variable.name);
        }
        fixed_addresses(module, &mut found_needs, &mut problems);
    }
    let kept = state(&modules, &service.root, &startup, &variables);
    service.writes = kept.writes.into_iter().collect();
    if !kept.single.is_empty() && service.kind.is_daemon() {
        service.replicas_max = Some(1);
        let workers = argued
            .and_then(|argued| argued.workers.as_ref())
            .or_else(|| claimed.gunicorn?.workers.as_ref());
        problems.extend(several_workers(workers, kept.in_process.as_ref()));
        service.evidence.extend(kept.single);
    }
    if let Some(remark) = started.remark {
        problems.push(Diagnostic::note(remark).at(service.defined_at.clone()));
    }
    let calls = Calls {
        defined_at: service.defined_at.clone(),
        peers: peers(&modules, &variables),
        also_searched: closure.also_searched,
    };
    let found = Found {
        over_http: candidate.over_http,
        // What an image is told is said of its container alone.
        says_port: candidate.port.is_some()
            || claimed
                .launched
                .is_some_and(|launched| launched.port.is_some()),
        service,
        variables,
        needs: found_needs,
        problems,
    };
    Ok((found, calls))
}

/// Puts the directories that the service's modules lie in besides its own before those that are searched.
fn search_also(environment: &mut Vec<(String, String)>, placed: &Placed, closure: &Closure) {
    if closure.also_searched.is_empty() {
        return;
    }
    let mut paths: Vec<String> = Vec::new();
    let known = environment
        .iter()
        .position(|(name, _)| name == "PYTHONPATH");
    if let Some(index) = known {
        paths.push(environment.remove(index).1);
    }
    for (root, _) in &closure.also_searched {
        let path = places::text(&placed.in_image(root)).to_owned();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    environment.push(("PYTHONPATH".to_owned(), paths.join(":")));
}

/// The port that a start script gives the variable which the code reads it from.
fn told_port(candidate: &Candidate, claimed: Claimed<'_>) -> Option<(u16, (String, String))> {
    let variable = candidate.port_variable.as_ref()?;
    let launched = claimed.launched?;
    let (name, value) = launched
        .environment
        .iter()
        .find(|(name, _)| name == variable)?;
    let port = value.parse().ok()?;
    (Some(port) != candidate.port).then(|| (port, (name.clone(), value.clone())))
}

/// Functions that whoever starts the candidate calls by name.
fn called(candidate: &Candidate, project: Option<&PythonProject>) -> Vec<String> {
    match &candidate.launch {
        Launch::Asgi {
            variable,
            factory: true,
        }
        | Launch::Wsgi {
            variable,
            factory: true,
        } => vec![variable.clone()],
        Launch::ConsoleScript(name) => project
            .into_iter()
            .flat_map(|project| &project.scripts)
            .filter(|script| script.name == *name)
            .map(|script| script.function.clone())
            .collect(),
        _ => Vec::new(),
    }
}

fn kind(candidate: &Candidate) -> ServiceKind {
    // The low-level kit's transports are served by an application of the project's own.
    let transports = candidate.module.imports.iter().any(|import| {
        import.scope.moment != Moment::Never
            && (import.module.starts_with("mcp.server.sse")
                || import.module.starts_with("mcp.server.streamable_http"))
    });
    if candidate.kind == ServiceKind::Web && (candidate.framework == "MCP" || transports) {
        ServiceKind::McpHttp
    } else {
        candidate.kind
    }
}

fn target(candidate: &Candidate, dotted: &str) -> String {
    match &candidate.launch {
        Launch::Asgi { variable, .. }
        | Launch::Wsgi { variable, .. }
        | Launch::CeleryWorker { variable, .. }
        | Launch::CeleryBeat { variable }
        | Launch::Taskiq { variable }
        | Launch::FastMcp { variable }
        | Launch::Tool { variable, .. } => format!("{dotted}:{variable}"),
        Launch::ConsoleScript(name) => name.clone(),
        Launch::Arq { class } => format!("{dotted}.{class}"),
        _ => dotted.to_owned(),
    }
}

/// A server that listens on its own loopback cannot be reached from outside of its container.
fn listen_address(candidate: &Candidate, started: &mut Started, problems: &mut Vec<Diagnostic>) {
    let by_itself = matches!(
        candidate.launch,
        Launch::Module | Launch::ConsoleScript(_) | Launch::Package(_)
    );
    if !by_itself {
        return;
    }
    if let Some(option) = &candidate.host_option {
        let words = [option.clone(), "0.0.0.0".to_owned()];
        started.command.extend(words);
        return;
    }
    let Some((host, place)) = &candidate.host else {
        return;
    };
    let local = host
        .text
        .as_deref()
        .is_some_and(|text| matches!(text, "127.0.0.1" | "localhost" | "::1"));
    if !local {
        return;
    }
    match &host.variable {
        Some(variable) => started.environment.push((variable.clone(), "0.0.0.0".to_owned())),
        None => problems.push(
            Diagnostic::warning("listens on its own loopback address, where nothing outside of its container can reach it")
                .at(candidate.module.span(*place))
                .hint("listen on `0.0.0.0`, or read the address from a variable"),
        ),
    }
}

fn version(
    project: Option<&PythonProject>,
    dependencies: &Dependencies,
    distribution: &str,
) -> Option<String> {
    let files = match &dependencies.from {
        PythonDependencies::Requirements { files } => files.clone(),
        _ => Vec::new(),
    };
    let pinned = dependencies
        .requirements
        .iter()
        .find(|requirement| requirement.name == distribution)
        .and_then(|requirement| requirement.pin())
        .map(str::to_owned);
    let whole = pinned.or_else(|| project?.version_of(distribution, &files))?;
    Some(whole.split('.').take(2).collect::<Vec<_>>().join("."))
}

fn health(
    workspace: &Workspace<'_>,
    candidate: &Candidate,
    closure: &Closure,
    service: &mut DetectedService,
) {
    let port = service.ports.first().copied();
    let variable = match &candidate.launch {
        Launch::Asgi { variable, .. } | Launch::Wsgi { variable, .. } => Some(variable.clone()),
        Launch::Module | Launch::ConsoleScript(_) | Launch::Package(_)
            if candidate.kind == ServiceKind::Web =>
        {
            Some("app".to_owned())
        }
        _ => None,
    };
    if let (Some(variable), Some(port)) = (variable, port) {
        let routes = routes(workspace, &closure.files, &candidate.module, &variable);
        let route = |found: crate::python::routes::FoundRoute| Route {
            path: found.path,
            port,
            span: Some(found.span),
        };
        if let Some(found) = &routes.health {
            service.evidence.push(Evidence::new(
                found.span.clone(),
                format!("answers GET {}", found.path),
            ));
        }
        service.health = Some(
            routes
                .health
                .map_or(Health::Tcp { port }, |found| Health::Http(route(found))),
        );
        service.routes = routes.paths;
        if service.framework.as_deref() == Some("FastAPI") && !service.routes.is_empty() {
            let own = ["/docs", "/redoc", "/openapi.json"];
            service.routes.extend(own.map(str::to_owned));
        }
        service.metrics = routes.metrics.map(route);
        service.stream = routes.stream;
        return;
    }
    service.health = match (service.kind, port) {
        (ServiceKind::McpStdio, _) => Some(Health::McpHandshake),
        (ServiceKind::Worker, _) if candidate.framework == "Celery" => Some(Health::Command {
            name: "ping".to_owned(),
            command: ping(&service.command),
        }),
        _ if candidate.framework == "LangGraph" => port.map(|port| {
            Health::Http(Route {
                path: "/ok".to_owned(),
                port,
                span: None,
            })
        }),
        _ if candidate.framework == "Streamlit" => port.map(|port| {
            Health::Http(Route {
                path: "/_stcore/health".to_owned(),
                port,
                span: None,
            })
        }),
        (_, Some(port)) => Some(Health::Tcp { port }),
        _ => None,
    };
}

/// Asks one worker, by the name it gives itself, and returns with its answer. The command line's own
/// `inspect ping` asks all workers there are and waits its whole time for more of them.
const ASK_WORKER: &str = "import socket, sys; from celery.app.utils import find_app; \
    name = 'celery@' + socket.gethostname(); \
    sys.exit(None if find_app(sys.argv[1]).control.ping([name], timeout=1) else name + ' does not answer')";

/// The check of a command that starts a Celery worker.
pub(crate) fn ping(command: &[String]) -> Vec<String> {
    let (before, after) = command.split_at(
        command
            .iter()
            .position(|word| word == "worker")
            .unwrap_or(command.len()),
    );
    let renamed = after
        .iter()
        .any(|word| word.starts_with("-n") || word.starts_with("--hostname"));
    let application = before
        .iter()
        .zip(before.iter().skip(1))
        .find(|(word, _)| matches!(word.as_str(), "-A" | "--app"))
        .map(|(_, application)| application.clone());
    match application {
        Some(application) if !renamed => ["python", "-c", ASK_WORKER]
            .map(str::to_owned)
            .into_iter()
            .chain([application])
            .collect(),
        _ => {
            let ping = ["inspect", "ping", "--timeout", "2"].map(str::to_owned);
            before.iter().cloned().chain(ping).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_worker_is_asked_by_its_own_name_unless_it_has_another() {
        let own = ping(&words(
            "python -m celery -A desk.worker:app --quiet worker --without-gossip",
        ));
        assert_eq!(
            (own[1].as_str(), own[3].as_str()),
            ("-c", "desk.worker:app")
        );
        let named = ping(&words("celery -A desk worker -n other@%h"));
        assert_eq!(named, words("celery -A desk inspect ping --timeout 2"));
    }
}
