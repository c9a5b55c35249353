//! Servers, workers and programs that Node or Bun runs.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Evidence, Span};
use plimsoll_model::{NodeBuild, NodeLayout};

use super::facts::FileFacts;
use super::files::Files;
use super::framework::{Form, Framework, form};
use super::manifest::Package;
use super::shelf::Shelf;
use super::sources::Transport;
use super::start::{Start, entry_of, is_launcher, is_of_other_pages, script, start};
use super::{Verdict, blank, endless, langgraph, listening, nx, site};
use crate::claims::NodeImage;
use crate::detection::{Health, ServiceKind};
use crate::found::Found;
use crate::places;
use crate::tree::Tree;

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

/// The port of a server whose own is not known before it is told to listen.
const USUAL_PORT: u16 = 3000;

/// The transport that an argument names: `stdio`, `--transport=http`.
fn transport(word: &str) -> Option<Transport> {
    Transport::of(word.trim_start_matches('-').rsplit('=').next()?)
}

/// What an image is started with, where that is a program of Node or a script of the package.
pub(super) fn of_image(package: &Package, image: &NodeImage) -> Option<Start> {
    let span = image.span.clone()?;
    let (first, rest) = image.words.split_first()?;
    let program = first.rsplit('/').next()?;
    if matches!(program, "npm" | "pnpm" | "yarn") {
        let name = rest
            .iter()
            .find(|word| *word != "run" && !word.starts_with('-'))?;
        return script(package, name);
    }
    let runs = matches!(program, "node" | "bun" | "tsx" | "ts-node");
    (runs && !rest.is_empty()).then(|| Start {
        environment: Vec::new(),
        command: std::iter::once(program.to_owned())
            .chain(rest.iter().filter(|word| *word != "run").cloned())
            .collect(),
        evidence: Evidence::new(span, "is what its image starts"),
        name: "image".to_owned(),
    })
}

pub(super) fn listens(facts: &FileFacts) -> Option<Span> {
    facts.sources.listens.as_ref().map(|(span, _)| span.clone())
}

fn chats(facts: &FileFacts) -> Option<Span> {
    facts.chat.as_ref().map(|(span, _)| span.clone())
}

/// A file's name as that of a module: `src.workers.mail` for `src/workers/mail.ts`.
fn module(file: &Path) -> String {
    places::text(&file.with_extension("")).replace('/', ".")
}

/// What a package's place in its workspace is.
pub(super) struct Place {
    /// The directory that its packages are installed in.
    pub(super) context: PathBuf,
    /// The package, seen from there; empty for the same.
    pub(super) member: PathBuf,
}

impl Place {
    pub(super) fn of(package: &Package) -> Self {
        let context = package.installed_in.clone();
        let member = match package.directory.strip_prefix(&context) {
            Ok(member) => member.to_owned(),
            Err(_) => PathBuf::new(),
        };
        Self { context, member }
    }
}

/// What a package starts; `None` where nothing looks as if it started anything.
pub(super) fn services(
    shelf: &Shelf<'_>,
    package: &Package,
    images: &[NodeImage],
) -> Option<(String, Vec<Verdict>)> {
    let tree = shelf.tree;
    let nested = shelf.nested(package);
    let mut framework = Framework::of(package);
    let looks_like = framework.map_or_else(
        || "Node.js application".to_owned(),
        |framework| format!("{} application", framework.name),
    );
    let started: Vec<Start> = images
        .iter()
        .filter_map(|image| of_image(package, image))
        .collect();
    let start = start(tree, package).or_else(|| started.first().cloned());
    let graphs = package.depends_on("@langchain/langgraph");
    if framework.is_none() && start.is_none() && package.programs.is_empty() && !graphs {
        return None;
    }
    // A workspace's own package starts others; its tools may depend on a framework.
    let starts_others = package.workspace && !nested.is_empty() || nx::is_workspace(tree, package);
    if starts_others && start.is_none() {
        return None;
    }
    let files = Files::of(shelf, package);
    if let Some(start) = &start
        && framework.is_some_and(|framework| is_of_other_pages(framework, start, &files, package))
    {
        framework = Framework::of_server(package);
    }
    // What only talks to such servers depends on the same kit.
    if framework.is_some_and(|framework| framework.name == "MCP")
        && !files.make_mcp(&package.directory)
    {
        framework = Framework::of_client(package);
    }
    let scene = Scene {
        tree,
        package,
        files: &files,
        place: Place::of(package),
        framework,
        built: None,
        images,
    };
    let start = start.map(|start| scene.as_its_image(start, &started));
    let graphs = langgraph::server(&scene);
    // The same server is not another one.
    let start = start.filter(|start| graphs.is_none() || !langgraph::is_server(start));
    let whole =
        framework.and_then(|framework| form(tree, package, &framework, &scene.place.member));
    let mut verdicts = Vec::new();
    match whole {
        Some(Form::Files { output }) => {
            let framework = framework?;
            let sources = super::Sources::read(tree, &package.directory, &nested);
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
            Some(Err(_)) | None if graphs.is_some() => {}
            Some(verdict) => verdicts.push(verdict),
            None => return None,
        },
    }
    let program = || {
        let (_, file) = package.programs.first()?;
        scene.entry(&["node".to_owned(), file.clone()])
    };
    let mut main: Vec<PathBuf> = match &start {
        Some(start) => scene.entry(&start.command),
        None => program(),
    }
    .into_iter()
    .collect();
    // What the framework's build makes of a file is started once.
    let made = verdicts.iter().flatten();
    main.extend(made.filter_map(|found| scene.entry(&found.service.command)));
    verdicts.extend(
        scene
            .besides(main, &started)
            .into_iter()
            .map(|found| Ok(Box::new(found))),
    );
    verdicts.extend(graphs.map(|found| Ok(Box::new(found))));
    Some((looks_like, verdicts))
}

/// The server in a package whose pages a bundler builds, and whether it hands them out itself.
pub(super) fn beside_pages(
    shelf: &Shelf<'_>,
    package: &Package,
    images: &[NodeImage],
) -> Option<(Found, bool)> {
    let tree = shelf.tree;
    let start = start(tree, package)?;
    let files = Files::of(shelf, package);
    let scene = Scene {
        tree,
        package,
        files: &files,
        place: Place::of(package),
        framework: Framework::of_client(package),
        built: None,
        images,
    };
    let entry = scene.entry(&start.command)?;
    let reached = files.reached(&package.directory, Some(&entry));
    reached.iter().find_map(|(_, facts)| listens(facts))?;
    let hands_out = reached.iter().any(|(_, facts)| facts.hands_out_files);
    let found = scene.web(start, NodeLayout::Application, &reached, None);
    Some((found, hands_out))
}

/// A package that is looked at, and what is known of it.
pub(super) struct Scene<'s> {
    pub(super) tree: &'s Tree,
    pub(super) package: &'s Package,
    pub(super) files: &'s Files<'s>,
    pub(super) place: Place,
    pub(super) framework: Option<Framework>,
    /// Who builds it, where that is none of its scripts.
    pub(super) built: Option<Built>,
    /// What Dockerfiles beside it say of it.
    pub(super) images: &'s [NodeImage],
}

/// How something is built that no script of a package builds.
pub(super) struct Built {
    /// What builds it.
    pub(super) by: NodeBuild,
    /// The source file that what is built starts with.
    pub(super) entry: PathBuf,
}

/// Files that an entry point reaches, and what they say.
pub(super) type Reached<'r> = [(&'r Path, &'r FileFacts)];

impl Scene<'_> {
    /// The source file that a command starts.
    pub(super) fn entry(&self, command: &[String]) -> Option<PathBuf> {
        if let Some(built) = &self.built {
            return Some(built.entry.clone());
        }
        let file = entry_of(command, self.package)?;
        self.files.entry(&self.package.directory, &file)
    }

    /// A command with the arguments that an image gives what it starts from the same file.
    fn as_its_image(&self, start: Start, images: &[Start]) -> Start {
        let Some(entry) = self.entry(&start.command) else {
            return start;
        };
        let argued = |command: &[String]| {
            let file = entry_of(command, self.package)?;
            let at = command.iter().position(|word| *word == file)?;
            let rest = command.get(at + 1..).filter(|rest| !rest.is_empty())?;
            let plain = rest.iter().all(|word| !word.contains('$'));
            plain.then(|| rest.to_vec())
        };
        let mut same = images
            .iter()
            .filter(|image| self.entry(&image.command).as_ref() == Some(&entry));
        let told = same.find_map(|image| argued(&image.command));
        match (argued(&start.command), told) {
            (None, Some(told)) => Start {
                command: [start.command, told].concat(),
                ..start
            },
            _ => start,
        }
    }

    /// What a package without a framework of pages starts.
    pub(super) fn program(&self, start: Option<&Start>) -> Option<Verdict> {
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
        let can_both = reached
            .iter()
            .any(|(_, facts)| facts.sources.stdio_transport.is_some());
        // A program that can speak either way takes its usual one without an argument.
        let start = start.map(|start| match (start.name.as_str(), speaks && can_both) {
            ("", true) => self.over_http().unwrap_or(start),
            _ => start,
        });
        let listens = start
            .as_ref()
            .and_then(|start| listening::place(start, &reached));
        let stdio = reached
            .iter()
            .find_map(|(_, facts)| facts.sources.stdio_transport.clone());
        let chat = reached.iter().find_map(|(_, facts)| facts.chat.clone());
        let worker = reached.iter().find_map(|(_, facts)| facts.worker.clone());
        let scheduler = reached
            .iter()
            .find_map(|(_, facts)| facts.scheduler.clone());
        let serves = self.framework.is_some_and(Framework::serves);
        // Fastify's own launcher listens for the plugin that it is given.
        let launched = start
            .as_ref()
            .is_some_and(|start| is_launcher(&start.command));
        let listening = listens.is_some() || serves || launched;
        // One program may speak in several ways: what it does without being told otherwise counts.
        let told = |start: &Start| start.command.iter().find_map(|word| transport(word));
        let usual = start.as_ref().and_then(told).or_else(|| {
            reached
                .iter()
                .find_map(|(_, facts)| facts.sources.usual_transport)
        });
        let quiet = stdio.is_some() && usual == Some(Transport::Stdio) && !serves && !launched;
        let works = [&worker, &scheduler].iter().any(|one| one.is_some()) || chat.is_some();
        let aside = (works && listening && !serves && !launched)
            .then(|| self.aside(&reached))
            .flatten();
        // A bot that listens where nobody could know does so for itself.
        let unknown = || {
            let said = listens.as_ref().and_then(|(_, port)| *port);
            said.or_else(|| self.said_elsewhere(&reached)).is_none()
        };
        let for_itself = chat.is_some() && !serves && !launched && unknown();
        let listening = listening && !quiet && aside.is_none() && !for_itself;
        let own = aside.as_ref().map(|aside| aside.port);
        let found = match (start, listening, stdio, worker, scheduler) {
            (Some(start), false, Some(span), ..) => {
                let mut found = self.blank(
                    ServiceKind::McpStdio,
                    &start,
                    span,
                    "serves MCP over standard input and output",
                );
                found.service.health = Some(Health::McpHandshake);
                found.over_http = quiet.then_some(USUAL_PORT);
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
            (Some(start), false, None, ..) if chat.is_some() => {
                let (span, name) = chat?;
                let why = "goes online in a chat and waits there";
                let mut found = self.blank(ServiceKind::Worker, &start, span, why);
                found.service.framework = Some(name);
                self.finish(found, start, NodeLayout::Application, &reached, own)
            }
            (Some(start), false, None, Some(span), _) => {
                let found =
                    self.blank(ServiceKind::Worker, &start, span, "takes work from a queue");
                self.finish(found, start, NodeLayout::Application, &reached, own)
            }
            (Some(start), false, None, None, Some(span)) => {
                let found = self.blank(
                    ServiceKind::Scheduler,
                    &start,
                    span,
                    "starts work at set times",
                );
                self.finish(found, start, NodeLayout::Application, &reached, own)
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
            (Some(start), false, None, None, None)
                if !start.name.is_empty() && endless::place(&reached).is_some() =>
            {
                let span = endless::place(&reached)?;
                let why = "works until it is stopped";
                let found = self.blank(ServiceKind::Worker, &start, span, why);
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
        let mut found = found;
        if let Some(aside) = aside {
            aside.tell(&mut found.service);
        }
        Some(Ok(Box::new(found)))
    }

    /// The script that starts an MCP server which others reach.
    fn over_http(&self) -> Option<Start> {
        ["http", "sse"].iter().find_map(|transport| {
            let mut names = self.package.script_names();
            let name = names.find(|name| {
                name.starts_with("start") && name.to_lowercase().contains(transport)
            })?;
            script(self.package, name)
        })
    }

    /// Workers and the like that scripts start besides what is started already from the files `taken`.
    fn besides(&self, mut taken: Vec<PathBuf>, images: &[Start]) -> Vec<Found> {
        let names: Vec<&str> = self
            .package
            .script_names()
            .filter(|name| {
                let words: Vec<&str> = name.split([':', '-', '.']).collect();
                let started = words.len() > 1 && matches!(words[0], "start" | "serve");
                (started || words.iter().any(|word| BESIDES.contains(word)))
                    && !words.iter().any(|word| {
                        matches!(
                            *word,
                            "dev"
                                | "build"
                                | "test"
                                | "watch"
                                | "stop"
                                | "inspect"
                                | "debug"
                                | "development"
                                | "local"
                                | "mock"
                                | "e2e"
                        )
                    })
            })
            .collect();
        let mut found = Vec::new();
        let scripts = names.into_iter().filter_map(|name| {
            let begins = name.starts_with("start") || name.starts_with("serve");
            Some((script(self.package, name)?, begins))
        });
        let images = images.iter().map(|start| (start.clone(), true));
        for (start, begins) in scripts.chain(images) {
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
            } else if let Some(span) = first(chats).filter(|_| first(listens).is_none()) {
                let why = "goes online in a chat and waits there";
                (ServiceKind::Worker, span, why)
            } else if begins && first(listens).is_some() {
                taken.push(entry.clone());
                let mut one = self.web(start, NodeLayout::Application, &reached, None);
                one.service.target = module(&entry);
                found.push(one);
                continue;
            } else if let Some(span) = first(|facts| facts.sources.stdio_transport.clone()) {
                (
                    ServiceKind::McpStdio,
                    span,
                    "serves MCP over standard input and output",
                )
            } else if let Some(span) = endless::place(&reached) {
                (ServiceKind::Worker, span, "works until it is stopped")
            } else {
                continue;
            };
            taken.push(entry.clone());
            let mut one = self.blank(kind, &start, span, why);
            if kind == ServiceKind::McpStdio {
                one.service.health = Some(Health::McpHandshake);
            }
            one.service.target = module(&entry);
            found.push(self.finish(one, start, NodeLayout::Application, &reached, None));
        }
        found
    }

    pub(super) fn blank(&self, kind: ServiceKind, start: &Start, span: Span, why: &str) -> Found {
        let name = match kind {
            ServiceKind::McpHttp | ServiceKind::McpStdio => "MCP",
            ServiceKind::Worker if self.package.depends_on("bullmq") => "BullMQ",
            _ => self.framework.map_or("Node.js", |framework| framework.name),
        };
        let mut found = blank(self.package, self.tree, kind, name, span, why.to_owned());
        found.service.evidence.push(start.evidence.clone());
        found
    }
}
