//! Servers, workers and programs that Node or Bun runs.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Evidence, Span, Spanned};
use plimsoll_model::{BuildRecipe, NodeLayout, NodeManager, NodeServerRecipe, RecipeKind};

use super::facts::{FileFacts, Files};
use super::framework::{Form, Framework, form};
use super::manifest::Package;
use super::script::Line;
use super::{Verdict, absolute, blank, site};
use crate::detection::{Health, Route, ServiceKind, Stream};
use crate::found::Found;
use crate::needs;
use crate::places;
use crate::tree::Tree;

/// Names of scripts that start a package, the one meant for production first.
const STARTS: &[&str] = &[
    "start:prod",
    "start:production",
    "start",
    "serve",
    "server",
    "dev",
];

/// Words in names of scripts that start something besides the package's server.
const BESIDES: &[&str] = &[
    "worker",
    "workers",
    "queue",
    "scheduler",
    "cron",
    "jobs",
    "mcp",
    "consumer",
];

/// Files that start a package that names none.
const ENTRIES: &[&str] = &[
    "server.js",
    "index.js",
    "app.js",
    "main.js",
    "src/index.ts",
    "src/server.ts",
    "src/main.ts",
    "src/app.ts",
    "src/index.js",
    "src/server.js",
    "src/main.js",
    "src/app.js",
    "index.ts",
    "server.ts",
    "main.ts",
];

/// Names of routes that tell of health, the plainest first.
const HEALTH: &[&str] = &[
    "healthz",
    "health",
    "healthcheck",
    "health-check",
    "readyz",
    "ready",
    "livez",
    "live",
    "ping",
    "status",
];

/// One way to start something of a package.
#[derive(Debug, Clone)]
struct Start {
    environment: Vec<(String, String)>,
    command: Vec<String>,
    /// What says so.
    evidence: Evidence,
    /// The name of the script; empty for a file.
    name: String,
}

/// What a package's place in its workspace is.
pub(super) struct Place {
    /// The directory of the lock file, or the package's own.
    pub(super) context: PathBuf,
    /// The package, seen from there; empty for the same.
    pub(super) member: PathBuf,
}

impl Place {
    pub(super) fn of(package: &Package) -> Self {
        let context = match &package.lock {
            Some(lock) => lock.parent().unwrap_or(Path::new("")).to_owned(),
            None => package.directory.clone(),
        };
        let member = match package.directory.strip_prefix(&context) {
            Ok(member) => member.to_owned(),
            Err(_) => PathBuf::new(),
        };
        Self { context, member }
    }
}

/// What a package starts; `None` where nothing looks as if it started anything.
pub(super) fn services(
    tree: &Tree,
    package: &Package,
    nested: &[&Path],
) -> Option<(String, Vec<Verdict>)> {
    let framework = Framework::of(package);
    let looks_like = framework.map_or_else(
        || "Node.js application".to_owned(),
        |framework| format!("{} application", framework.name),
    );
    let start = start(tree, package);
    if framework.is_none() && start.is_none() && package.programs.is_empty() {
        return None;
    }
    // A workspace's own package starts others; its tools may depend on a framework.
    if package.workspace && !nested.is_empty() && start.is_none() {
        return None;
    }
    let files = Files::read(tree, &package.directory, nested);
    let scene = Scene {
        tree,
        package,
        files: &files,
        place: Place::of(package),
        framework,
    };
    let whole =
        framework.and_then(|framework| form(tree, package, &framework, &scene.place.member));
    let mut verdicts = Vec::new();
    match whole {
        Some(Form::Files { output }) => {
            let framework = framework?;
            let sources = super::Sources::read(tree, &package.directory, nested);
            verdicts.push(site::of_framework(
                tree, package, framework, output, sources,
            ));
        }
        Some(Form::Neither { why, hint }) => {
            verdicts.push(Err(format!("{why}; {hint}")));
        }
        Some(Form::Server {
            layout,
            command,
            port,
            environment,
        }) => {
            let command = command.or_else(|| Some(start.as_ref()?.command.clone()))?;
            let evidence = Evidence::new(
                package.span.clone(),
                format!("depends on {}", framework?.name),
            );
            let start = Start {
                environment,
                command,
                evidence,
                name: "start".to_owned(),
            };
            let reached = files.reached(&package.directory, None);
            verdicts.push(Ok(Box::new(scene.web(start, layout, &reached, Some(port)))));
        }
        None => match scene.program(start.as_ref()) {
            Some(verdict) => verdicts.push(verdict),
            None => return None,
        },
    }
    let main = start.as_ref().and_then(|start| scene.entry(&start.command));
    verdicts.extend(
        scene
            .besides(main.as_deref())
            .into_iter()
            .map(|found| Ok(Box::new(found))),
    );
    Some((looks_like, verdicts))
}

/// How the package is started.
fn start(tree: &Tree, package: &Package) -> Option<Start> {
    let developing = |name: &str| {
        package.script(name).is_some_and(|line| {
            ["nodemon", "watch", "ts-node-dev", "nest start"]
                .iter()
                .any(|word| line.contains(word))
        })
    };
    let names = STARTS.iter().filter(|name| {
        // `start:prod` stands beside a `start` for development; beside another it is an alias.
        !name.starts_with("start:") || developing("start") || package.script("start").is_none()
    });
    for name in names {
        if let Some(start) = script(package, name) {
            return Some(start);
        }
        if *name == "start" && matches!(Line::of(package, name), Some(Line::Others(_))) {
            return None;
        }
    }
    let file = package
        .main
        .iter()
        .map(String::as_str)
        .filter(|_| package.programs.is_empty() && Framework::of(package).is_some())
        .chain(
            ENTRIES
                .iter()
                .copied()
                .filter(|_| Framework::of(package).is_some()),
        )
        .find(|file| {
            let typed = file.ends_with(".ts") && runner(package, file) == "node";
            !typed && tree.has_file(&package.directory.join(file))
        })
        .filter(|_| package.programs.is_empty())?;
    Some(Start {
        environment: Vec::new(),
        command: vec![runner(package, file).to_owned(), file.to_owned()],
        evidence: Evidence::new(
            Span::line(tree.shown(&package.directory.join(file)), 1),
            "is its entry",
        ),
        name: String::new(),
    })
}

/// What runs a file.
fn runner(package: &Package, file: &str) -> &'static str {
    let typed = file.ends_with(".ts") || file.ends_with(".mts");
    match (typed, package.manager) {
        (true, Some(NodeManager::Bun)) => "bun",
        (true, _) if package.depends_on("tsx") => "tsx",
        (true, _) if package.depends_on("ts-node") => "ts-node",
        _ => "node",
    }
}

fn script(package: &Package, name: &str) -> Option<Start> {
    let line = package.script(name)?;
    let evidence = Evidence::new(
        line.span.clone().unwrap_or_else(|| package.span.clone()),
        format!("`{name}` is `{}`", line.value),
    );
    let (environment, command) = match Line::of(package, name)? {
        Line::Plain { environment, words } => (environment, words),
        Line::Shell(line) => (Vec::new(), vec!["sh".to_owned(), "-c".to_owned(), line]),
        Line::Others(_) => return None,
    };
    Some(Start {
        environment,
        command,
        evidence,
        name: name.to_owned(),
    })
}

struct Scene<'s> {
    tree: &'s Tree,
    package: &'s Package,
    files: &'s Files,
    place: Place,
    framework: Option<Framework>,
}

type Reached<'r> = [(&'r Path, &'r FileFacts)];

impl Scene<'_> {
    /// The source file that a command starts.
    fn entry(&self, command: &[String]) -> Option<PathBuf> {
        let (program, mut rest) = command.split_first()?;
        if !matches!(
            program.as_str(),
            "node" | "tsx" | "ts-node" | "bun" | "swc-node" | "esno" | "vite-node"
        ) {
            return None;
        }
        while let Some((word, after)) = rest.split_first() {
            let takes = matches!(
                word.as_str(),
                "-r" | "--require" | "--import" | "--loader" | "-P" | "--project"
            );
            if !word.starts_with('-') {
                let file = match word.as_str() {
                    "." => self
                        .package
                        .main
                        .clone()
                        .unwrap_or_else(|| "index.js".to_owned()),
                    word => word.to_owned(),
                };
                return self.files.entry(&self.package.directory, &file);
            }
            rest = if takes { after.get(1..)? } else { after };
        }
        None
    }

    /// What a package without a framework of pages starts.
    fn program(&self, start: Option<&Start>) -> Option<Verdict> {
        let from_program = || {
            let (name, file) = self.package.programs.first()?;
            Some(Start {
                environment: Vec::new(),
                command: vec!["node".to_owned(), file.trim_start_matches("./").to_owned()],
                evidence: Evidence::new(
                    self.package.span.clone(),
                    format!("gives the program `{name}`"),
                ),
                name: String::new(),
            })
        };
        let speaks = self
            .framework
            .is_some_and(|framework| framework.name == "MCP");
        let start = match start {
            Some(start) => Some(start.clone()),
            None => from_program(),
        };
        let entry = start.as_ref().and_then(|start| self.entry(&start.command));
        let reached = self
            .files
            .reached(&self.package.directory, entry.as_deref());
        let listens = reached
            .iter()
            .find_map(|(_, facts)| facts.sources.listens.clone());
        let stdio = reached
            .iter()
            .find_map(|(_, facts)| facts.sources.stdio_transport.clone());
        let worker = reached.iter().find_map(|(_, facts)| facts.worker.clone());
        let scheduler = reached
            .iter()
            .find_map(|(_, facts)| facts.scheduler.clone());
        let serves = self.framework.is_some_and(Framework::serves);
        // Fastify's own launcher listens for the plugin that it is given.
        let launched = start.as_ref().is_some_and(|start| {
            start
                .command
                .starts_with(&["fastify".into(), "start".into()])
        });
        let listening = listens.is_some() || serves || launched;
        let found = match (start, listening, stdio, worker, scheduler) {
            (Some(start), false, Some(span), ..) => {
                let mut found = self.blank(
                    ServiceKind::McpStdio,
                    &start,
                    span,
                    "serves MCP over standard input and output",
                );
                found.service.health = Some(Health::McpHandshake);
                self.finish(found, start, NodeLayout::Application, &reached, None)
            }
            (Some(mut start), true, ..) => {
                // It listens for this machine alone unless it is told otherwise.
                if launched {
                    let address = ("FASTIFY_ADDRESS".to_owned(), "0.0.0.0".to_owned());
                    start.environment.push(address);
                }
                let port = launched.then_some(3000);
                self.web(start, NodeLayout::Application, &reached, port)
            }
            (Some(start), false, None, Some(span), _) => {
                let found =
                    self.blank(ServiceKind::Worker, &start, span, "takes work from a queue");
                self.finish(found, start, NodeLayout::Application, &reached, None)
            }
            (Some(start), false, None, None, Some(span)) => {
                let found = self.blank(
                    ServiceKind::Scheduler,
                    &start,
                    span,
                    "starts work at set times",
                );
                self.finish(found, start, NodeLayout::Application, &reached, None)
            }
            (Some(start), false, None, None, None)
                if start.name.is_empty() && !speaks && !self.package.programs.is_empty() =>
            {
                let span = self.package.span.clone();
                let mut found = self.blank(ServiceKind::Cli, &start, span, "gives a program");
                if let Some((name, _)) = self.package.programs.first() {
                    found.service.target.clone_from(name);
                }
                self.finish(found, start, NodeLayout::Application, &reached, None)
            }
            (start, ..) => {
                self.framework.or(start.is_some().then_some(Framework {
                    distribution: "",
                    name: "",
                    kind: ServiceKind::Web,
                }))?;
                return Some(Err("nothing in it listens".to_owned()));
            }
        };
        Some(Ok(Box::new(found)))
    }

    /// Workers and the like that scripts start besides the server.
    fn besides(&self, main: Option<&Path>) -> Vec<Found> {
        let names: Vec<&str> = self
            .package
            .script_names()
            .filter(|name| {
                let words: Vec<&str> = name.split([':', '-', '.']).collect();
                words.iter().any(|word| BESIDES.contains(word))
                    && !words.iter().any(|word| {
                        matches!(
                            *word,
                            "dev" | "build" | "test" | "watch" | "stop" | "inspect"
                        )
                    })
            })
            .collect();
        let mut taken: Vec<PathBuf> = main.map(Path::to_owned).into_iter().collect();
        let mut found = Vec::new();
        for name in names {
            let Some(start) = script(self.package, name) else {
                continue;
            };
            let Some(entry) = self.entry(&start.command) else {
                continue;
            };
            if taken.contains(&entry) {
                continue;
            }
            let reached = self.files.reached(&self.package.directory, Some(&entry));
            let first = |of: fn(&FileFacts) -> Option<Span>| {
                reached.iter().find_map(|(_, facts)| of(facts))
            };
            let (kind, span, why) = if let Some(span) = first(|facts| facts.worker.clone()) {
                (ServiceKind::Worker, span, "takes work from a queue")
            } else if let Some(span) = first(|facts| facts.scheduler.clone()) {
                (ServiceKind::Scheduler, span, "starts work at set times")
            } else if let Some(span) = first(|facts| facts.sources.stdio_transport.clone()) {
                (
                    ServiceKind::McpStdio,
                    span,
                    "serves MCP over standard input and output",
                )
            } else {
                continue;
            };
            taken.push(entry.clone());
            let mut one = self.blank(kind, &start, span, why);
            if kind == ServiceKind::McpStdio {
                one.service.health = Some(Health::McpHandshake);
            }
            one.service.target = places::text(&entry).replace('/', ".");
            found.push(self.finish(one, start, NodeLayout::Application, &reached, None));
        }
        found
    }

    /// Something that listens.
    fn web(
        &self,
        start: Start,
        layout: NodeLayout,
        reached: &Reached<'_>,
        port: Option<u16>,
    ) -> Found {
        let listens = reached
            .iter()
            .find_map(|(_, facts)| facts.sources.listens.clone());
        let over_http = reached.iter().any(|(_, facts)| facts.mcp_http.is_some());
        let kind = match self.framework {
            Some(framework) if framework.kind == ServiceKind::McpStdio => ServiceKind::McpHttp,
            Some(framework) => framework.kind,
            None => ServiceKind::Web,
        };
        let kind = match kind {
            ServiceKind::Web if over_http => ServiceKind::McpHttp,
            kind => kind,
        };
        let (span, why) = match (&listens, port) {
            (Some((span, _)), None) => (span.clone(), "listens for connections".to_owned()),
            _ => (
                package_place(self.tree, self.package),
                format!(
                    "is built by {}",
                    self.framework.map_or("Node.js", |framework| framework.name)
                ),
            ),
        };
        let mut found = self.blank(kind, &start, span, &why);
        let told = flag(&start.command).or(start
            .environment
            .iter()
            .find(|(name, _)| name == "PORT")
            .and_then(|(_, value)| value.parse().ok()));
        let said = listens.as_ref().and_then(|(_, port)| *port);
        let reads_port = reached
            .iter()
            .flat_map(|(_, facts)| &facts.sources.variables)
            .find(|variable| variable.name == "PORT");
        let default = reads_port.and_then(|variable| variable.default.as_deref()?.parse().ok());
        let mut start = start;
        let port = told.or(port).or(said).or(default).or_else(|| {
            let known = reads_port.is_some() || self.framework.is_some_and(Framework::serves);
            known.then_some(3000)
        });
        // What the code takes from nowhere is said to it.
        if let Some(port) = port
            && told.is_none()
            && said.or(default).is_none()
            && reads_port.is_some()
            && !start.environment.iter().any(|(name, _)| name == "PORT")
        {
            start
                .environment
                .push(("PORT".to_owned(), port.to_string()));
        }
        found.service.ports = port.into_iter().collect();
        if reached.iter().any(|(_, facts)| facts.event_stream) {
            found.service.stream = Some(Stream::Sse);
        } else if reached.iter().any(|(_, facts)| facts.websocket)
            || self.package.depends_on("socket.io")
        {
            found.service.stream = Some(Stream::Websocket);
        }
        let answers = self.files.answers(&self.package.directory, reached);
        if let Some(port) = port {
            let ends = |wanted: &str| {
                answers
                    .iter()
                    .filter(|(path, _)| !path.contains([':', '*', '{']))
                    .find(|(path, _)| path.rsplit('/').next() == Some(wanted))
            };
            let route = |(path, span): &(String, Span)| Route {
                path: path.clone(),
                port,
                span: Some(span.clone()),
            };
            let health = HEALTH.iter().find_map(|name| ends(name)).map(route);
            let health = health.or_else(|| self.route_of_files(port));
            found.service.health = Some(match health {
                Some(route) => Health::Http(route),
                None => Health::Tcp { port },
            });
            found.service.metrics = ends("metrics").map(route);
        }
        found.service.routes = answers.into_iter().map(|(path, _)| path).collect();
        let version = self
            .framework
            .and_then(|framework| self.package.version_of(framework.distribution));
        found.service.version = version;
        self.finish(found, start, layout, reached, port)
    }

    /// A route of health that a file's place makes: `app/api/health/route.ts`.
    fn route_of_files(&self, port: u16) -> Option<Route> {
        self.files.paths().find_map(|path| {
            let inside = places::below(path, &self.package.directory);
            let text = places::text(&inside);
            let text = text.strip_prefix("src/").unwrap_or(text);
            let route = text
                .strip_prefix("app/")
                .and_then(|rest| rest.rsplit_once("/route."))
                .map(|(route, _)| route)
                .or_else(|| {
                    text.strip_prefix("pages/")
                        .and_then(|rest| rest.rsplit_once('.'))
                        .map(|(route, _)| route)
                })
                .or_else(|| {
                    text.strip_prefix("server/")
                        .and_then(|rest| rest.rsplit_once('.'))
                        .map(|(route, _)| route.trim_end_matches(".get"))
                })?;
            let last = route.rsplit('/').next()?;
            (route.starts_with("api/") && HEALTH[..4].contains(&last)).then(|| Route {
                path: format!("/{route}"),
                port,
                span: Some(Span::line(self.tree.shown(path), 1)),
            })
        })
    }

    fn blank(&self, kind: ServiceKind, start: &Start, span: Span, why: &str) -> Found {
        let name = match kind {
            ServiceKind::McpHttp | ServiceKind::McpStdio => "MCP",
            ServiceKind::Worker if self.package.depends_on("bullmq") => "BullMQ",
            _ => self.framework.map_or("Node.js", |framework| framework.name),
        };
        let mut found = blank(self.package, self.tree, kind, name, span, why.to_owned());
        found.service.evidence.push(start.evidence.clone());
        found
    }

    /// Variables, needs and the recipe.
    fn finish(
        &self,
        mut found: Found,
        start: Start,
        layout: NodeLayout,
        reached: &Reached<'_>,
        port: Option<u16>,
    ) -> Found {
        let package = self.package;
        found
            .service
            .files
            .extend(reached.iter().map(|(path, _)| std::sync::Arc::from(*path)));
        for (_, facts) in reached {
            found
                .variables
                .extend(facts.sources.variables.iter().cloned());
        }
        let given = |name: &str| start.environment.iter().any(|(known, _)| known == name);
        found
            .variables
            .retain(|variable| !given(&variable.name) && !is_the_platforms(&variable.name));
        let mut imported: Vec<_> = reached
            .iter()
            .flat_map(|(_, facts)| &facts.imports)
            .filter_map(|(module, span)| {
                let kind = needs::of_module(module)?;
                let runtime = |(name, _, runtime): &(String, Spanned<String>, bool)| {
                    *runtime && (name == module || module.starts_with(&format!("{name}/")))
                };
                let declared = package.dependencies.iter().any(runtime);
                declared.then(|| (kind, true, span.clone(), module.clone()))
            })
            .collect();
        imported.extend(prisma(self.tree, package));
        let told: Vec<_> = found
            .variables
            .iter()
            .map(crate::found::FoundVariable::told)
            .collect();
        found.needs = needs::needs(&imported, &told);
        let bun = start.command.first().is_some_and(|word| word == "bun");
        let runs_sources = start
            .command
            .first()
            .is_some_and(|word| matches!(word.as_str(), "tsx" | "ts-node" | "bun"));
        let build = package.script("build").filter(|line| {
            !(runs_sources && (line.starts_with("tsc") || line.starts_with("bun build")))
        });
        match build {
            Some(line) => found.service.evidence.push(Evidence::new(
                line.span.clone().unwrap_or_else(|| package.span.clone()),
                format!("`{}` builds it", line.value),
            )),
            None => self.tell_of_missing_entry(&start, &mut found),
        }
        let mut system_packages = Vec::new();
        if package.depends_on("@prisma/client") {
            found.service.packages.push("openssl".to_owned());
            system_packages.push(Spanned::new("openssl".to_owned(), package.span.clone()));
        }
        let manager = package.manager.unwrap_or(match bun {
            true => NodeManager::Bun,
            false => NodeManager::Npm,
        });
        let working_dir = match &layout {
            NodeLayout::Application if !self.place.member.as_os_str().is_empty() => {
                Path::new(crate::python::IMAGE_ROOT).join(&self.place.member)
            }
            NodeLayout::Application | NodeLayout::Standalone { .. } => {
                PathBuf::from(crate::python::IMAGE_ROOT)
            }
        };
        let member = match self.place.member.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => self.place.member.clone(),
        };
        found.service.command.clone_from(&start.command);
        found.service.working_dir.clone_from(&working_dir);
        found.service.recipe = Some(BuildRecipe {
            context: absolute(self.tree, &self.place.context),
            kind: RecipeKind::NodeServer(NodeServerRecipe {
                root: member,
                manager,
                lock: package
                    .lock
                    .as_ref()
                    .map(|lock| places::below(lock, &self.place.context)),
                node: package.node_range(),
                script: build.map(|_| "build".to_owned()),
                layout,
                build_environment: Vec::new(),
            }),
            system_packages,
            environment: start.environment,
            command: start.command,
            working_dir,
            ports: port.into_iter().collect(),
        });
        found
    }

    /// Says so where a command starts a file that nothing makes.
    fn tell_of_missing_entry(&self, start: &Start, found: &mut Found) {
        let Some(file) = start.command.get(1).filter(|file| {
            ["dist/", "build/", "./dist/", "./build/"]
                .iter()
                .any(|start| file.starts_with(start))
        }) else {
            return;
        };
        let there = places::within(&self.package.directory, file).is_some_and(|path| {
            self.tree.has_file(&path) || self.tree.has_file(&path.with_extension("js"))
        });
        if start.command[0] == "node" && !there {
            found.problems.push(
                Diagnostic::warning(format!("starts `{file}`, which no `build` script makes"))
                    .at(start.evidence.span.clone())
                    .hint("add a script `build` that makes it"),
            );
        }
    }
}

fn package_place(tree: &Tree, package: &Package) -> Span {
    let configuration = [
        "next.config",
        "nuxt.config",
        "svelte.config",
        "astro.config",
        "vite.config",
        "remix.config",
    ]
    .iter()
    .flat_map(|name| ["ts", "mts", "js", "mjs"].map(|end| format!("{name}.{end}")))
    .map(|name| package.directory.join(name))
    .find(|path| tree.has_file(path));
    configuration.map_or_else(
        || package.span.clone(),
        |path| Span::line(tree.shown(&path), 1),
    )
}

/// The port that an argument says: `-p 4000`, `--port=4000`.
fn flag(command: &[String]) -> Option<u16> {
    command
        .iter()
        .enumerate()
        .find_map(|(index, word)| match word.as_str() {
            "-p" | "--port" | "-P" => command.get(index + 1)?.parse().ok(),
            word => word
                .strip_prefix("--port=")
                .or_else(|| word.strip_prefix("-p="))?
                .parse()
                .ok(),
        })
}

/// Variables that the image or the platform sets.
fn is_the_platforms(name: &str) -> bool {
    matches!(
        name,
        "HOME"
            | "PATH"
            | "CI"
            | "TZ"
            | "PWD"
            | "DEBUG"
            | "NODE_ENV"
            | "NODE_OPTIONS"
            | "VERCEL"
            | "VERCEL_URL"
            | "VERCEL_ENV"
            | "NEXT_RUNTIME"
            | "npm_package_version"
            | "npm_lifecycle_event"
            | "npm_config_user_agent"
    )
}

/// The database of a Prisma schema.
fn prisma(
    tree: &Tree,
    package: &Package,
) -> Option<(crate::detection::NeedKind, bool, Span, String)> {
    let path = [
        "prisma/schema.prisma",
        "schema.prisma",
        "prisma/schema/schema.prisma",
    ]
    .iter()
    .map(|path| package.directory.join(path))
    .find(|path| tree.has_file(path))?;
    let text = tree.source(&path)?;
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        inside = (inside || line.starts_with("datasource ")) && !line.starts_with('}');
        let Some(provider) = line.strip_prefix("provider").filter(|_| inside) else {
            continue;
        };
        let provider = provider
            .trim_start_matches([' ', '='])
            .trim_matches(['"', ' ']);
        let kind = match provider {
            "postgresql" | "postgres" => crate::detection::NeedKind::Postgres,
            "mysql" => crate::detection::NeedKind::Mysql,
            "mongodb" => crate::detection::NeedKind::Mongodb,
            _ => return None,
        };
        let span = Span::line(tree.shown(&path), index as u32 + 1);
        return Some((kind, true, span, "Prisma".to_owned()));
    }
    None
}
