//! Which command starts a package, and what says so.

use plimsoll_diag::{Evidence, Span};
use plimsoll_model::NodeManager;

use super::files::Files;
use super::framework::Framework;
use super::manifest::Package;
use super::script::{Line, side_by_side};
use super::server::listens;
use crate::detection::ServiceKind;
use crate::tree::Tree;

/// Names of scripts that start a package, the one meant for production first.
const STARTS: &[&str] = &[
    "start:prod",
    "start:production",
    "start",
    "serve",
    "server",
    "start:server",
    "start:node",
    "prod",
    "production",
    "start:dist",
    "dev",
    "dev:node",
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

/// One way to start something of a package.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) environment: Vec<(String, String)>,
    pub(super) command: Vec<String>,
    /// What says so.
    pub(super) evidence: Evidence,
    /// The name of the script; empty for a file.
    pub(super) name: String,
}

/// How the package is started.
pub(super) fn start(tree: &Tree, package: &Package) -> Option<Start> {
    let developing = |name: &str| {
        package.script(name).is_some_and(|line| {
            ["nodemon", "watch", "ts-node-dev", "nest start"]
                .iter()
                .any(|word| line.contains(word))
        })
    };
    let names = STARTS.iter().filter(|name| {
        // `start:prod` stands beside a `start` for development; beside another it is an alias.
        !name.starts_with("start:prod") || developing("start") || package.script("start").is_none()
    });
    for name in names {
        if let Some(start) = script(package, name) {
            return Some(start);
        }
        // What starts others starts the package as well, but not what has it put into a container first.
        let line = Line::of(package, name).filter(|_| *name == "start");
        if matches!(&line, Some(line @ Line::Others(_)) if !line.makes_containers()) {
            return of_several(package, name);
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

/// The server among the scripts that one script starts side by side.
fn of_several(package: &Package, name: &str) -> Option<Start> {
    let parts = side_by_side(package, name);
    let serves = |name: &&&str| {
        ["server", "api", "backend", "start"]
            .iter()
            .any(|word| name.contains(word))
    };
    parts
        .iter()
        .filter(serves)
        .chain(parts.iter())
        .find_map(|part| script(package, part))
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

pub(super) fn script(package: &Package, name: &str) -> Option<Start> {
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

/// The port that an argument says: `-p 4000`, `--port=4000`.
pub(super) fn flag(command: &[String]) -> Option<u16> {
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

/// Whether pages are made with a framework that the program which is started knows nothing of: one that is declared for
/// pages beside it, or for tools.
pub(super) fn is_of_other_pages(
    framework: Framework,
    start: &Start,
    files: &Files<'_>,
    package: &Package,
) -> bool {
    let Some(file) = entry_of(&start.command, package) else {
        return false;
    };
    let Some(entry) = files.entry(&package.directory, &file) else {
        return false;
    };
    // `@remix-run/express` serves what `@remix-run/node` makes.
    let (name, scoped) = match framework.distribution.split_once('/') {
        Some((scope, _)) => (scope, true),
        None => (framework.distribution, false),
    };
    let is_its = |module: &str| {
        let rest = module.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('/') || rest.is_empty() && !scoped)
    };
    let reached = files.reached(&package.directory, Some(&entry));
    let listening = reached.iter().any(|(_, facts)| listens(facts).is_some());
    let mut imports = reached.iter().flat_map(|(_, facts)| &facts.imports);
    framework.kind == ServiceKind::Ui && listening && !imports.any(|(module, _)| is_its(module))
}

/// Whether Fastify's own launcher is what a command ends with.
pub(super) fn is_launcher(command: &[String]) -> bool {
    let last = match command {
        [shell, option, text] if shell == "sh" && option == "-c" => {
            text.rsplit("&&").next().unwrap_or_default().to_owned()
        }
        words => words.join(" "),
    };
    last.trim_start().starts_with("fastify start ")
}

/// The file that a command starts, as it names it.
pub(super) fn entry_of(command: &[String], package: &Package) -> Option<String> {
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
            "-r" | "--require" | "--import" | "--loader" | "-P" | "--project" | "--tsconfig"
        );
        if !word.starts_with('-') {
            return Some(match word.as_str() {
                "." => package.main.as_deref().unwrap_or("index.js").to_owned(),
                word => word.to_owned(),
            });
        }
        rest = if takes { after.get(1..)? } else { after };
    }
    None
}
