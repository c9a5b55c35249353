//! From a candidate to a service: dependencies, command, recipe, health, variables, needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use plimsoll_diag::{Diagnostic, Evidence, Spanned};
use plimsoll_model::{BuildRecipe, PythonDependencies, PythonRecipe, RecipeKind};

use crate::detection::{DetectedService, Health, NeedKind, Route, ServiceKind};
use crate::found::{Found, FoundVariable};
use crate::needs;
use crate::places;
use crate::python::candidate::{Candidate, Launch};
use crate::python::command::{Started, command};
use crate::python::dependencies::{Dependencies, choose};
use crate::python::distributions::provider;
use crate::python::environment::reads;
use crate::python::graph::{Closure, Start};
use crate::python::module::{Module, Moment};
use crate::python::project::PythonProject;
use crate::python::routes::routes;
use crate::python::system;
use crate::python::workspace::Workspace;

/// Where an image keeps the files of a build context.
pub(crate) const IMAGE_ROOT: &str = "/app";

/// Why a candidate cannot run.
pub(crate) struct CannotRun {
    pub(crate) why: String,
    pub(crate) problem: Diagnostic,
}

/// What claims elsewhere in the project say about a candidate.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Claimed<'c> {
    pub(crate) port: Option<u16>,
    /// A Python version that an image was built on: `3.11`.
    pub(crate) python: Option<&'c Spanned<String>>,
}

/// Makes the service of a candidate.
pub(crate) fn assemble(
    workspace: &Workspace<'_>,
    candidate: &Candidate,
    claimed: Claimed<'_>,
) -> Result<Found, Box<CannotRun>> {
    let path = &candidate.module.path;
    let (import_root, dotted) = workspace.home(path);
    let project = workspace.project_of(path);
    let roots = workspace.roots(path);
    let start = match candidate.launch {
        Launch::Module | Launch::Streamlit => Start::Script,
        _ => Start::Imported,
    };
    let closure = workspace.modules.closure(path, &roots, start);
    check(workspace, candidate, &closure)?;
    let mut dependencies = choose(project, &closure);
    let directory =
        project.map_or_else(|| import_root.clone(), |project| project.directory.clone());
    let file = places::below(path, &directory);
    let mut started = command(
        candidate,
        &dotted,
        &file,
        &dependencies.declared,
        claimed.port,
    );
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
    let modules: Vec<Rc<Module>> = closure
        .files
        .keys()
        .filter_map(|path| workspace.modules.get(path))
        .collect();
    let packages = system::packages(&modules, &closure, &dependencies);
    let placed = Placed::of(project, &directory, &import_root, &closure);
    let recipe = recipe(
        workspace,
        &placed,
        project,
        &dependencies,
        &started,
        &packages,
        claimed,
    );
    let mut service = DetectedService {
        name: String::new(),
        kind: kind(candidate),
        language: "python",
        framework: (!candidate.framework.is_empty()).then(|| candidate.framework.to_owned()),
        version: version(project, &dependencies, candidate.distribution),
        built_with: Vec::new(),
        development_port: None,
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
        files: closure.files.keys().cloned().collect(),
        routes: Vec::new(),
        target: target(candidate, &dotted),
    };
    if service.kind == ServiceKind::Scheduler {
        service.replicas_max = Some(1);
    }
    health(workspace, candidate, &closure, &mut service);
    let variables: Vec<FoundVariable> = reads(&workspace.modules, &closure.files, &roots)
        .into_iter()
        .map(FoundVariable::from)
        .collect();
    let mut found_needs = needs_of(&closure, &dependencies, &variables);
    for module in &modules {
        fixed_addresses(module, &mut found_needs, &mut problems);
    }
    if let Some(remark) = started.remark {
        problems.push(Diagnostic::note(remark).at(service.defined_at.clone()));
    }
    Ok(Found {
        service,
        variables,
        needs: found_needs,
        problems,
    })
}

fn kind(candidate: &Candidate) -> ServiceKind {
    if candidate.framework == "MCP" && matches!(candidate.launch, Launch::Asgi { .. }) {
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
        | Launch::FastMcp { variable } => format!("{dotted}:{variable}"),
        Launch::ConsoleScript(name) => name.clone(),
        Launch::Arq { class } => format!("{dotted}.{class}"),
        _ => dotted.to_owned(),
    }
}

/// Whether importing the candidate can work at all.
fn check(
    workspace: &Workspace<'_>,
    candidate: &Candidate,
    closure: &Closure,
) -> Result<(), Box<CannotRun>> {
    for (path, moment) in &closure.files {
        if *moment != Moment::Import {
            continue;
        }
        let Some(module) = workspace.modules.get(path) else {
            continue;
        };
        // Python 2, templates and half-merged files.
        if let Some(place) = module.syntax_error
            && *path == candidate.module.path
        {
            return Err(Box::new(CannotRun {
                why: format!("not valid Python at line {}", place.start.line),
                problem: Diagnostic::warning("this file is not valid Python")
                    .at(module.span(place)),
            }));
        }
    }
    if let Some((module, external)) = closure.external.iter().find(|(module, external)| {
        let top = module.split('.').next().unwrap_or(module);
        external.moment == Moment::Import
            && matches!(
                top,
                "pytest" | "_pytest" | "nose" | "locust" | "pytest_asyncio"
            )
    }) {
        let place = format!(
            "{}:{}",
            external.span.file.display(),
            external.span.start.line
        );
        return Err(Box::new(CannotRun {
            why: format!("needs its tests to start: {place} imports `{module}`"),
            problem: Diagnostic::warning(format!(
                "code that is no test imports `{module}`, which only tests have"
            ))
            .at(external.span.clone())
            .hint("move what is needed out of the test's module"),
        }));
    }
    if let Some((module, place)) = starts_tasks_too_early(workspace, closure) {
        let span = module.span(place);
        let at = format!("{}:{}", span.file.display(), span.start.line);
        return Err(Box::new(CannotRun {
            why: format!("cannot start: {at} starts a task while the file is imported, before there is an event loop"),
            problem: Diagnostic::warning("cannot start: a task is started while the file is imported, before there is an event loop")
                .at(span)
                .hint("start it when the application starts, in its `lifespan`"),
        }));
    }
    let broken = closure
        .missing
        .iter()
        .find(|missing| missing.moment == Moment::Import);
    let Some(missing) = broken else {
        return Ok(());
    };
    let (what, hint) = match missing.what.split_once(':') {
        Some((module, name)) => (
            format!("imports `{name}` from `{module}`, which does not define it"),
            "mend the import, or delete what is left over",
        ),
        None => (
            format!("imports `{}`, which is not in the tree", missing.what),
            "mend the import, or delete what is left over",
        ),
    };
    let place = format!(
        "{}:{}",
        missing.span.file.display(),
        missing.span.start.line
    );
    Err(Box::new(CannotRun {
        why: format!("cannot start: {place} {what}"),
        problem: Diagnostic::warning(format!("cannot start: {what}"))
            .at(missing.span.clone())
            .hint(hint),
    }))
}

/// `asyncio.create_task` in the constructor of an object that is made when the file is imported.
fn starts_tasks_too_early(
    workspace: &Workspace<'_>,
    closure: &Closure,
) -> Option<(Rc<Module>, crate::syntax::Place)> {
    let certain = closure
        .files
        .iter()
        .filter(|(_, moment)| **moment == Moment::Import);
    certain
        .filter_map(|(path, _)| workspace.modules.get(path))
        .find_map(|module| {
            let early = module
                .calls
                .iter()
                .filter(|placed| {
                    placed.scope.is_top()
                        && placed.scope.moment == Moment::Import
                        && !placed.scope.main
                })
                .find_map(|placed| {
                    let name = placed.call.function.as_name()?;
                    let class = module.class(name)?;
                    let constructor = format!(
                        "{}.__init__",
                        crate::python::module::join(&class.scope.path, &class.name)
                    );
                    module
                        .calls
                        .iter()
                        .any(|inner| {
                            *inner.scope.path == *constructor
                                && inner.scope.moment == Moment::Call
                                && module.callee(&inner.call).as_deref()
                                    == Some("asyncio.create_task")
                        })
                        .then_some(placed.call.place)
                })?;
            Some((module, early))
        })
}

/// A server that listens on its own loopback cannot be reached from outside of its container.
fn listen_address(candidate: &Candidate, started: &mut Started, problems: &mut Vec<Diagnostic>) {
    let by_itself = matches!(
        candidate.launch,
        Launch::Module | Launch::ConsoleScript(_) | Launch::Package(_)
    );
    let Some((host, place)) = &candidate.host else {
        return;
    };
    if !by_itself {
        return;
    }
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

/// Where things lie: in the tree, in the build context, in the image.
struct Placed {
    context: PathBuf,
    directory: PathBuf,
    import_root: PathBuf,
}

impl Placed {
    fn of(
        project: Option<&PythonProject>,
        directory: &Path,
        import_root: &Path,
        closure: &Closure,
    ) -> Self {
        let lock = project.and_then(|project| project.uv_lock.as_ref());
        let mut context = match lock.and_then(|lock| lock.path.parent()) {
            Some(workspace) => workspace.to_owned(),
            None => directory.to_owned(),
        };
        // What is imported has to come along.
        for path in closure.files.keys() {
            if !path.starts_with(&context) {
                context = places::common(&context, path.parent().unwrap_or(Path::new("")));
            }
        }
        Self {
            context,
            directory: directory.to_owned(),
            import_root: import_root.to_owned(),
        }
    }

    fn in_context(&self, path: &Path) -> PathBuf {
        places::below(path, &self.context)
    }

    fn in_image(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.context) {
            Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from(IMAGE_ROOT),
            Ok(rest) => Path::new(IMAGE_ROOT).join(rest),
            Err(_) => PathBuf::from(IMAGE_ROOT),
        }
    }
}

fn recipe(
    workspace: &Workspace<'_>,
    placed: &Placed,
    project: Option<&PythonProject>,
    dependencies: &Dependencies,
    started: &Started,
    packages: &[Spanned<String>],
    claimed: Claimed<'_>,
) -> BuildRecipe {
    let from = match &dependencies.from {
        PythonDependencies::UvLock { lock, package } => PythonDependencies::UvLock {
            lock: placed.in_context(lock),
            package: package.clone(),
        },
        PythonDependencies::Requirements { files } => PythonDependencies::Requirements {
            files: files.iter().map(|file| placed.in_context(file)).collect(),
        },
        PythonDependencies::Pyproject { file } => PythonDependencies::Pyproject {
            file: placed.in_context(file),
        },
        PythonDependencies::None => PythonDependencies::None,
    };
    let install_project =
        project.and_then(|project| installable(workspace, project, dependencies, started));
    let mut environment = vec![("PYTHONUNBUFFERED".to_owned(), "1".to_owned())];
    if placed.import_root != placed.directory && install_project.is_none() {
        let path = placed.in_image(&placed.import_root);
        environment.push(("PYTHONPATH".to_owned(), places::text(&path).to_owned()));
    }
    environment.extend(started.environment.iter().cloned());
    BuildRecipe {
        context: crate::node::absolute(workspace.tree, &placed.context),
        kind: RecipeKind::Python(PythonRecipe {
            root: placed.in_context(&placed.directory),
            requires_python: requires_python(workspace, placed, project, dependencies, claimed),
            dependencies: from,
            install_project,
            extras: dependencies.extras.clone(),
            undeclared: dependencies.undeclared.clone(),
        }),
        system_packages: packages.to_vec(),
        environment,
        command: started.command.clone(),
        working_dir: placed.in_image(&placed.directory),
        ports: started.ports.clone(),
    }
}

/// The distribution's own name, where it can and should be installed.
fn installable(
    workspace: &Workspace<'_>,
    project: &PythonProject,
    dependencies: &Dependencies,
    started: &Started,
) -> Option<Spanned<String>> {
    project.build_system.as_ref()?;
    let name = project.name.clone()?;
    let script = project
        .scripts
        .iter()
        .any(|script| started.command.first() == Some(&script.name));
    if matches!(dependencies.from, PythonDependencies::Requirements { .. }) && !script {
        return None;
    }
    // A manifest that ships packages which are not there cannot be built.
    let module = crate::python::distributions::normalize(&name).replace('-', "_");
    let shipped = project
        .shipped
        .iter()
        .map(|pattern| pattern.trim_end_matches(['*', '.']).to_owned());
    let there = |name: &str| {
        project.import_roots.iter().any(|root| {
            workspace.tree.has_directory(&root.join(name))
                || workspace.modules.file_of(root, name).is_some()
        })
    };
    let holds = if project.shipped.is_empty() {
        there(&module)
            || !project.import_roots.is_empty()
                && project
                    .scripts
                    .iter()
                    .any(|script| there(script.module.split('.').next().unwrap_or_default()))
            || project.import_roots.len() > 1
    } else {
        shipped
            .into_iter()
            .any(|name| name.is_empty() || there(&name))
    };
    holds.then_some(name)
}

fn requires_python(
    workspace: &Workspace<'_>,
    placed: &Placed,
    project: Option<&PythonProject>,
    dependencies: &Dependencies,
    claimed: Claimed<'_>,
) -> Option<Spanned<String>> {
    let stated = project.and_then(|project| project.requires_python.clone());
    // Pins of long ago have no wheels for the newest Python: the version that the project itself was run on
    // is the one they were pinned for.
    let pinned = !matches!(dependencies.from, PythonDependencies::UvLock { .. })
        && !dependencies.requirements.is_empty()
        && dependencies
            .requirements
            .iter()
            .filter(|requirement| requirement.pin().is_some())
            .count()
            * 2
            > dependencies.requirements.len();
    let exact =
        version_file(workspace, placed).or_else(|| claimed.python.filter(|_| pinned).cloned());
    match exact {
        Some(version) => Some(version.map(|version| format!("=={version}.*"))),
        None => stated,
    }
}

/// What `.python-version` says, as a minor version.
fn version_file(workspace: &Workspace<'_>, placed: &Placed) -> Option<Spanned<String>> {
    let path = placed
        .directory
        .join("x")
        .ancestors()
        .skip(1)
        .map(|directory| directory.join(".python-version"))
        .find(|path| workspace.tree.has_file(path))?;
    let text = workspace.tree.manifest(&path)?;
    let line = text.lines().next()?.trim();
    let parts: Vec<&str> = line.split('.').collect();
    let [major, minor, ..] = parts.as_slice() else {
        return None;
    };
    let numeric = [major, minor]
        .iter()
        .all(|part| part.chars().all(|c| c.is_ascii_digit()) && !part.is_empty());
    let span = plimsoll_diag::Span::line(workspace.tree.shown(&path), 1);
    numeric.then(|| Spanned::new(format!("{major}.{minor}"), span))
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

/// `celery … inspect ping` for a command that starts a worker.
pub(crate) fn ping(command: &[String]) -> Vec<String> {
    let until = command
        .iter()
        .position(|word| word == "worker")
        .unwrap_or(command.len());
    let mut ping = command[..until].to_vec();
    ping.extend(["inspect", "ping", "--timeout", "5"].map(str::to_owned));
    ping
}

fn needs_of(
    closure: &Closure,
    dependencies: &Dependencies,
    variables: &[FoundVariable],
) -> Vec<needs::FoundNeed> {
    let mut imported = Vec::new();
    let mut seen: BTreeMap<NeedKind, usize> = BTreeMap::new();
    for (module, external) in &closure.external {
        let Some(kind) = needs::of_module(module) else {
            continue;
        };
        // A driver that is not installed is never reached.
        if provider(module, &dependencies.declared).is_none() && external.moment != Moment::Import {
            continue;
        }
        let certain = external.moment == Moment::Import;
        let entry = (kind, certain, external.span.clone(), module.clone());
        match seen.get(&kind) {
            Some(index) => {
                let known: &mut (_, bool, _, _) = &mut imported[*index];
                if certain && !known.1 {
                    *known = entry;
                }
            }
            None => {
                seen.insert(kind, imported.len());
                imported.push(entry);
            }
        }
    }
    // A broker's client comes with the queue's own distribution.
    if let Some((_, celery)) = closure
        .external
        .iter()
        .find(|(module, _)| *module == "celery" || module.starts_with("celery."))
    {
        let certain = celery.moment == Moment::Import;
        for requirement in &dependencies.requirements {
            let kind = match requirement.name.as_str() {
                "celery" if requirement.extras.iter().any(|extra| extra == "redis") => {
                    NeedKind::Redis
                }
                "redis" => NeedKind::Redis,
                "amqp" | "librabbitmq" => NeedKind::Rabbitmq,
                _ => continue,
            };
            // `amqp` comes with every Celery.
            let only_one = requirement.name != "amqp" || !dependencies.declared.contains("redis");
            if only_one && !seen.contains_key(&kind) {
                seen.insert(kind, imported.len());
                imported.push((
                    kind,
                    certain,
                    requirement.span.clone(),
                    requirement.name.clone(),
                ));
            }
        }
    }
    let told: Vec<needs::Told<'_>> = variables.iter().map(FoundVariable::told).collect();
    // A driver of SQLAlchemy is named by its URL alone, never imported.
    if closure.external.keys().any(|module| {
        module.starts_with("sqlalchemy")
            || module.starts_with("sqlmodel")
            || module.starts_with("databases")
            || module.starts_with("alembic")
    }) {
        for requirement in &dependencies.requirements {
            let module = requirement.name.replace('-', "_");
            let module = match module.as_str() {
                "psycopg2_binary" => "psycopg2",
                "psycopg_binary" => "psycopg",
                "mysqlclient" => "MySQLdb",
                other => other,
            };
            let kind = needs::of_module(module)
                .filter(|kind| matches!(kind, NeedKind::Postgres | NeedKind::Mysql));
            if let Some(kind) = kind
                && !seen.contains_key(&kind)
            {
                seen.insert(kind, imported.len());
                imported.push((
                    kind,
                    false,
                    requirement.span.clone(),
                    requirement.name.clone(),
                ));
            }
        }
    }
    let mut found = needs::needs(&imported, &told);
    // A database without another one to fall back on is needed, whatever its variable's default.
    let falls_back = closure
        .external
        .keys()
        .any(|module| module.contains("sqlite"))
        || variables.iter().any(|variable| {
            variable
                .default
                .as_deref()
                .is_some_and(|text| text.contains("sqlite"))
        });
    for need in &mut found {
        let sql = matches!(need.kind, NeedKind::Postgres | NeedKind::Mysql);
        let certain = imported
            .iter()
            .any(|(kind, certain, ..)| *kind == need.kind && *certain);
        if sql && certain && !falls_back && need.how.is_some() {
            need.required = true;
        }
    }
    for need in &mut found {
        need.scheme = scheme(need.kind, closure, dependencies).map(str::to_owned);
    }
    found
}

/// Calls that connect.
const CONNECTS: &[&str] = &[
    "from_url",
    "connect",
    "create_pool",
    "create_engine",
    "create_async_engine",
    "MongoClient",
    "AsyncIOMotorClient",
    "AsyncMongoClient",
    "Redis",
    "StrictRedis",
    "ConnectionPool",
    "Celery",
    "AsyncConnectionPool",
    "InfluxDBClient",
];

/// Addresses that the code fixes: needs that no variable leads to.
fn fixed_addresses(
    module: &Module,
    found: &mut Vec<needs::FoundNeed>,
    problems: &mut Vec<Diagnostic>,
) {
    for placed in &module.calls {
        let call = &placed.call;
        let Some(method) = call.method().filter(|method| CONNECTS.contains(method)) else {
            continue;
        };
        let driver = module.callee(call).as_deref().and_then(needs::of_module);
        let values = call.arguments.iter().map(|value| ("", value));
        let named = call
            .keywords
            .iter()
            .map(|(name, value)| (name.as_str(), value));
        for (name, value) in values.chain(named) {
            let constant = crate::python::evaluate::evaluate(value, module, &placed.scope.path);
            let (Some(text), None) = (constant.text, constant.variable) else {
                continue;
            };
            let kind = needs::of_url(&text)
                .or_else(|| driver.filter(|_| name == "host" && !text.is_empty()));
            let Some(kind) = kind else {
                continue;
            };
            let span = module.span(call.place);
            let evidence = Evidence::new(
                span.clone(),
                format!("`{method}` connects to a fixed address"),
            );
            if text.contains("localhost") || text.contains("127.0.0.1") {
                problems.push(
                    Diagnostic::warning(format!(
                        "connects to `localhost`, which inside of a container is the container itself, not {}",
                        kind.word()
                    ))
                    .at(span.clone())
                    .hint("read the address from a variable"),
                );
            }
            let how = format!("{}:{}", span.file.display(), span.start.line);
            match found.iter_mut().find(|need| need.kind == kind) {
                Some(need) => {
                    if need.how.is_none() {
                        need.how = Some(how);
                        need.required = true;
                    }
                    need.evidence.push(evidence);
                }
                None => found.push(needs::FoundNeed {
                    kind,
                    required: true,
                    how: Some(how),
                    scheme: None,
                    evidence: vec![evidence],
                }),
            }
        }
    }
}

/// How a connection string starts that the code can use: SQLAlchemy takes the driver from it.
fn scheme(kind: NeedKind, closure: &Closure, dependencies: &Dependencies) -> Option<&'static str> {
    let has = |name: &str| dependencies.declared.contains(name);
    let imports = |name: &str| {
        closure.external.keys().any(|module| {
            module
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    if !imports("sqlalchemy") && !imports("sqlmodel") {
        return None;
    }
    let asynchronous = imports("sqlalchemy.ext.asyncio");
    match kind {
        NeedKind::Postgres if asynchronous && has("asyncpg") => Some("postgresql+asyncpg"),
        NeedKind::Postgres if has("psycopg") && !has("psycopg2") && !has("psycopg2-binary") => {
            Some("postgresql+psycopg")
        }
        NeedKind::Mysql if asynchronous && has("aiomysql") => Some("mysql+aiomysql"),
        NeedKind::Mysql if asynchronous && has("asyncmy") => Some("mysql+asyncmy"),
        NeedKind::Mysql if has("pymysql") => Some("mysql+pymysql"),
        _ => None,
    }
}
