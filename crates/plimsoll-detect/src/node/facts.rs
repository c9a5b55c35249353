//! What one file of JavaScript or TypeScript says, and which files an entry point reaches.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Span;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::bots;
use super::clients;
use super::component::{is_component, scripts};
use super::endless;
use super::keys;
use super::locations::location;
use super::numbers;
use super::shelf::Contents;
use super::sources::{self, Sources};
use super::startup::{Lead, Moment, called, moment};
use super::through::{self, Asked, Reader};
use crate::location::{Location, Origin};
use crate::memory::{FactKind, Facts};
use crate::places;
use crate::settings_file;
use crate::syntax::{DEPTH, Grammar, Source, named_children};
use crate::tree::{File, Tree};

/// Files read at most for one package.
const MOST_FILES: usize = 5_000;

/// What one file says.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FileFacts {
    /// Variables, listening, standard input and output.
    pub(crate) sources: Sources,
    /// What it imports, as written, and where.
    pub(crate) imports: Vec<(String, Span)>,
    /// Paths that answer GET.
    pub(crate) routes: Vec<Answer>,
    /// Where it says that a path starts a router: the path, and the router's name.
    pub(crate) mounts: Vec<(String, String)>,
    /// Names of imports: the name in this file, and what is imported.
    pub(crate) names: BTreeMap<String, String>,
    /// Calls that may lead to functions of the program's own.
    pub(crate) leads: Vec<Lead>,
    /// Ports by the name of what gives them: a constant, a key of an object, a function.
    pub(crate) ports: BTreeMap<String, u16>,
    /// Ports that calls hand over: the function, which of its parameters, the port.
    pub(crate) handed: Vec<(String, usize, u16)>,
    /// Functions that read a variable by its name.
    pub(crate) readers: Vec<Reader>,
    /// Calls that hand them one, or may do so.
    pub(crate) asked: Vec<Asked>,
    /// Files of settings that it reads.
    pub(crate) settings: Vec<Location>,
    /// Serves MCP at all, be it only as a part of something else.
    pub(crate) makes_mcp: bool,
    /// Hands out files of a directory, such as pages.
    pub(crate) hands_out_files: bool,
    /// Takes work from a queue.
    pub(crate) worker: Option<Span>,
    /// Goes online in a chat, and what it is then.
    pub(crate) chat: Option<(Span, String)>,
    /// Loops that nothing in them ends, and when they run.
    pub(crate) endless: Vec<(Moment, Span)>,
    /// Starts work at set times.
    pub(crate) scheduler: Option<Span>,
    /// Hands a key to something.
    pub(crate) hands_key: bool,
    /// Who offers the models that it names.
    pub(crate) models: Vec<(String, Span)>,
    /// Serves MCP over HTTP.
    pub(crate) mcp_http: Option<Span>,
    /// Keeps responses open.
    pub(crate) event_stream: bool,
    pub(crate) websocket: bool,
}

/// A path that answers GET.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The name of what it is declared on: `app`, `router`; `@` for a class of Nest.
    pub(super) router: String,
    pub(super) path: String,
    pub(super) span: Span,
}

/// Whether a path looks like a program that has no extension, as `bin/www` is.
fn is_program(path: &Path) -> bool {
    let inside = path.parent().is_some_and(|parent| parent.ends_with("bin"));
    inside && path.extension().is_none()
}

/// Whether the first line of a program has Node run it.
fn starts_node(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.starts_with("#!") && ["node", "bun"].iter().any(|name| first.contains(name))
}

/// Reads the sources of a package, those of packages inside left out.
pub(super) fn read(tree: &Tree, directory: &Path, nested: &[&Path]) -> Contents {
    let files = tree
        .files()
        .iter()
        .filter(|file| file.path.starts_with(directory))
        .filter(|file| nested.iter().all(|inner| !file.path.starts_with(inner)))
        .filter(|file| places::set_aside(places::below(&file.path, directory).as_path()).is_none())
        .take(MOST_FILES);
    let files: Vec<&File> = files.collect();
    let all = files.into_par_iter();
    all.filter_map(|file| Some((file.path.to_path_buf(), file_facts(tree, &file.path)?)))
        .collect()
}

/// How a file is read, where it may be JavaScript or TypeScript.
/// What a file says, where it is of a kind that is read.
fn file_facts(tree: &Tree, path: &Path) -> Option<FileFacts> {
    grammar(path)?;
    tree.facts(path)
}

fn grammar(path: &Path) -> Option<Grammar> {
    if is_program(path) {
        return Some(Grammar::JavaScript);
    }
    if is_component(path) {
        return Some(Grammar::TypeScript);
    }
    Grammar::of(path).filter(|grammar| {
        matches!(
            grammar,
            Grammar::JavaScript | Grammar::TypeScript | Grammar::Tsx
        )
    })
}

impl Facts for FileFacts {
    const KIND: FactKind = FactKind::ScriptFacts;

    fn read(path: &Path, shown: Arc<Path>, mut text: String) -> Option<Self> {
        if is_component(path) {
            text = scripts(&text);
        }
        if is_program(path) && !starts_node(&text) {
            return None;
        }
        Some(Self::of(&Source::parse(shown, text, grammar(path)?)?))
    }
}

impl FileFacts {
    fn of(source: &Source) -> Self {
        let mut facts = Self::default();
        sources::walk(source, source.root(), &mut facts.sources, 0);
        walk(source, source.root(), &mut facts, 0);
        facts
    }
}

fn walk(source: &Source, node: Node<'_>, facts: &mut FileFacts, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let span = |node| source.place(node).in_file(source.path.clone());
    match node.kind() {
        "import_statement" | "export_statement" => {
            if let Some(from) = node.child_by_field_name("source")
                && let Some(module) = sources::text(source, from)
            {
                // A type is gone when the program runs.
                let types_only = is_of_types(source.text_of(node));
                if !types_only && settings_file::is_named_so(&module) {
                    facts
                        .settings
                        .push(Location::file().above().joined(&module));
                }
                if !types_only {
                    names_of(source, node, &module, facts, 0);
                    facts.makes_mcp |= is_of_mcp_servers(&module);
                    facts.imports.push((module, span(node)));
                }
            }
        }
        "call_expression" => {
            lead(source, node, facts);
            handed(source, node, facts);
            bots::call(source, node, facts);
            call(source, node, facts);
            clients::call(source, node, facts);
            through::asked(source, node, facts);
        }
        "while_statement" | "for_statement" => endless::looped(source, node, facts),
        "subscript_expression" => through::looked_up(source, node, facts),
        "variable_declarator" => named_port(source, node, facts),
        "pair" => {
            named_port(source, node, facts);
            keys::pair(source, node, facts);
        }
        "shorthand_property_identifier" => facts.hands_key |= keys::is_key(source.text_of(node)),
        "function_declaration" => given_port(source, node, facts),
        "new_expression" => {
            lead(source, node, facts);
            let made = node
                .child_by_field_name("constructor")
                .map(|name| source.text_of(name))
                .unwrap_or_default();
            bots::made(source, node, made, facts);
            clients::call(source, node, facts);
            match made {
                "Worker" if imports(facts, "bullmq") => {
                    facts.worker.get_or_insert_with(|| span(node));
                }
                "Agenda" => {
                    facts.worker.get_or_insert_with(|| span(node));
                }
                "CronJob" | "Cron" => {
                    facts.scheduler.get_or_insert_with(|| span(node));
                }
                "StreamableHTTPServerTransport"
                | "SSEServerTransport"
                | "WebStandardStreamableHTTPServerTransport"
                | "NodeStreamableHTTPServerTransport" => {
                    facts.mcp_http.get_or_insert_with(|| span(node));
                }
                "WebSocketServer" | "WebSocket.Server" => facts.websocket = true,
                _ => {}
            }
        }
        "decorator" => decorator(source, node, facts),
        "string" if source.text_of(node).contains("text/event-stream") => facts.event_stream = true,
        _ => {}
    }
    for child in named_children(node) {
        walk(source, child, facts, depth + 1);
    }
}

/// Whether an import or export is of types alone: `import type { A }`, but not `import typeSettings`.
pub(super) fn is_of_types(statement: &str) -> bool {
    ["import type", "export type"].iter().any(|start| {
        let rest = statement.trim_start().strip_prefix(start);
        rest.is_some_and(|rest| {
            rest.starts_with([' ', '{', '*', '\n']) && !rest.trim_start().starts_with("from ")
        })
    })
}

/// Whether a module is the part of a kit that makes servers of the Model Context Protocol.
fn is_of_mcp_servers(module: &str) -> bool {
    [
        "@modelcontextprotocol/sdk/server",
        "@modelcontextprotocol/server",
        "@modelcontextprotocol/node",
    ]
    .iter()
    .any(|start| module.starts_with(start))
        || matches!(
            module,
            "fastmcp" | "mcp-framework" | "mcp-handler" | "@vercel/mcp-adapter" | "@hono/mcp"
        )
}

fn lead(source: &Source, call_node: Node<'_>, facts: &mut FileFacts) {
    // `connect().then(start)`.
    let passed = call_node
        .child_by_field_name("function")
        .is_some_and(|function| source.text_of(function).ends_with(".then"))
        .then(|| call_node.child_by_field_name("arguments"))
        .flatten();
    for name in passed.map(named_children).unwrap_or_default() {
        if name.kind() == "identifier" {
            facts.leads.push(Lead {
                moment: moment(source, call_node),
                name: source.text_of(name).to_owned(),
            });
        }
    }
    if let Some(name) = called(source, call_node) {
        facts.leads.push(Lead {
            moment: moment(source, call_node),
            name,
        });
    }
}

/// Ports that are handed to functions whose name says that they start something.
fn handed(source: &Source, call: Node<'_>, facts: &mut FileFacts) {
    let (Some(function), Some(arguments)) = (
        call.child_by_field_name("function"),
        call.child_by_field_name("arguments"),
    ) else {
        return;
    };
    let name = source.text_of(function);
    let last = name.rsplit('.').next().unwrap_or(name);
    let lower = last.to_ascii_lowercase();
    let starts = ["start", "boot", "serve", "listen", "run", "launch", "init"];
    if !starts.iter().any(|word| lower.contains(word)) {
        return;
    }
    for (index, argument) in named_children(arguments).into_iter().enumerate() {
        // What is called back later is no port, whatever numbers are in it.
        if matches!(argument.kind(), "arrow_function" | "function_expression") {
            continue;
        }
        if let Some(port) = numbers::number(source, argument, 0) {
            facts.handed.push((last.to_owned(), index, port));
        }
    }
}

/// `const PORT = 3000`, `port: Number(process.env.PORT) || 3000`.
fn named_port(source: &Source, node: Node<'_>, facts: &mut FileFacts) {
    let name = node
        .child_by_field_name("name")
        .or_else(|| node.child_by_field_name("key"));
    let (Some(name), Some(value)) = (name, node.child_by_field_name("value")) else {
        return;
    };
    let name = source.text_of(name).trim_matches(['"', '\'']);
    if name.to_ascii_lowercase().ends_with("port")
        && let Some(port) = numbers::number(source, value, 0)
    {
        let around = keys_around(source, node);
        // The port of a database in the same settings has the same key.
        if !crate::ports::is_of_a_need(&around) {
            facts.ports.entry(name.to_owned()).or_insert(port);
        }
        if !around.is_empty() {
            facts.ports.insert(format!("{around}.{name}"), port);
        }
    }
}

/// The keys of the objects around a pair: `server` for `port` of `{ server: { port: 3000 } }`.
fn keys_around(source: &Source, pair: Node<'_>) -> String {
    let mut keys = Vec::new();
    let mut inner = pair;
    while let Some(around) = inner.parent().filter(|around| {
        matches!(
            around.kind(),
            "object" | "pair" | "as_expression" | "satisfies_expression"
        )
    }) {
        if around.kind() == "pair"
            && let Some(key) = around.child_by_field_name("key")
        {
            keys.push(source.text_of(key).trim_matches(['"', '\'']));
        }
        inner = around;
    }
    keys.reverse();
    keys.join(".")
}

/// The port that a function gives whose name says so.
fn given_port(source: &Source, node: Node<'_>, facts: &mut FileFacts) {
    let (Some(name), Some(body)) = (
        node.child_by_field_name("name"),
        node.child_by_field_name("body"),
    ) else {
        return;
    };
    let name = source.text_of(name);
    if !name.to_ascii_lowercase().contains("port") {
        return;
    }
    let mut returned = Vec::new();
    returns(body, &mut returned, 0);
    let port = returned
        .iter()
        .rev()
        .filter_map(|node| node.named_child(0))
        .find_map(|value| numbers::number(source, value, 0));
    if let Some(port) = port {
        facts.ports.entry(name.to_owned()).or_insert(port);
    }
}

fn returns<'t>(node: Node<'t>, found: &mut Vec<Node<'t>>, depth: usize) {
    if depth > 12 {
        return;
    }
    if node.kind() == "return_statement" {
        found.push(node);
    }
    for child in named_children(node) {
        returns(child, found, depth + 1);
    }
}

fn imports(facts: &FileFacts, module: &str) -> bool {
    facts.imports.iter().any(|(name, _)| name == module)
}

fn names_of(source: &Source, node: Node<'_>, module: &str, facts: &mut FileFacts, depth: usize) {
    if depth > 6 {
        return;
    }
    for child in named_children(node) {
        // `const { a } = require("…")` names it as well.
        if matches!(
            child.kind(),
            "identifier" | "shorthand_property_identifier_pattern"
        ) {
            facts
                .names
                .insert(source.text_of(child).to_owned(), module.to_owned());
        }
        names_of(source, child, module, facts, depth + 1);
    }
}

fn call(source: &Source, node: Node<'_>, facts: &mut FileFacts) {
    let span = |node| source.place(node).in_file(source.path.clone());
    let (Some(function), Some(arguments)) = (
        node.child_by_field_name("function"),
        node.child_by_field_name("arguments"),
    ) else {
        return;
    };
    let name = source.text_of(function);
    let first = arguments.named_child(0);
    let first_text = first.and_then(|first| sources::text(source, first));
    let method = name.rsplit('.').next().unwrap_or(name);
    if matches!(
        method,
        "readFileSync" | "readFile" | "require" | "file" | "import"
    ) && let Some(place) = first.and_then(|first| location(source, first))
        && settings_file::is_named_so(&place.way)
    {
        facts.settings.push(match (method, place.origin) {
            // A module is looked for beside the file.
            ("require" | "import", Origin::Written) => Location::file().above().joined(&place.way),
            _ => place,
        });
    }
    if matches!(name, "require" | "import") || function.kind() == "import" {
        if let Some(module) = first_text {
            let declared = node
                .parent()
                .filter(|parent| parent.kind() == "variable_declarator")
                .and_then(|parent| parent.child_by_field_name("name"));
            if let Some(declared) = declared {
                names_of(source, declared, &module, facts, 0);
                facts
                    .names
                    .insert(source.text_of(declared).to_owned(), module.clone());
            }
            facts.makes_mcp |= is_of_mcp_servers(&module);
            facts.imports.push((module, span(node)));
        }
        return;
    }
    facts.hands_out_files |= matches!(
        name,
        "express.static" | "serveStatic" | "staticPlugin" | "koaStatic" | "sirv" | "serve-static"
    ) || name.ends_with(".sendFile")
        && source.text_of(arguments).contains("index.html");
    if name == "createMcpHandler" {
        facts.mcp_http.get_or_insert_with(|| span(node));
    }
    let Some((object, method)) = name.rsplit_once('.') else {
        return;
    };
    match (method, first_text) {
        ("get" | "all", Some(path))
            if path.starts_with('/') && arguments.named_child_count() > 1 =>
        {
            facts.routes.push(Answer {
                router: object.to_owned(),
                path,
                span: span(node),
            });
        }
        ("use" | "route" | "register", Some(path)) if path.starts_with('/') => {
            let router = arguments
                .named_child(arguments.named_child_count().saturating_sub(1) as u32)
                .map(|router| source.text_of(router).to_owned());
            if let Some(router) = router {
                facts.mounts.push((
                    path,
                    router
                        .split(['(', '.'])
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                ));
            }
        }
        ("setGlobalPrefix", Some(path)) => {
            facts
                .mounts
                .push((format!("/{}", path.trim_matches('/')), "*".to_owned()));
        }
        ("schedule", Some(_)) if object.ends_with("cron") => {
            facts.scheduler.get_or_insert_with(|| span(node));
        }
        ("process", _) if imports(facts, "bull") => {
            facts.worker.get_or_insert_with(|| span(node));
        }
        _ => {}
    }
}

/// `@Controller('x')` and `@Get('y')` of Nest.
fn decorator(source: &Source, node: Node<'_>, facts: &mut FileFacts) {
    let text = source.text_of(node);
    let argument = || {
        let inside = text
            .split_once(['('])
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        let quoted = inside.trim_start().strip_prefix(['\'', '"']);
        quoted
            .and_then(|rest| rest.split(['\'', '"']).next())
            .unwrap_or_default()
            .trim_matches('/')
            .to_owned()
    };
    if text.starts_with("@Controller(") {
        facts
            .mounts
            .push((format!("/{}", argument()), "@".to_owned()));
    } else if text.starts_with("@Get(") {
        let base = facts
            .mounts
            .iter()
            .rev()
            .find(|(_, router)| router == "@")
            .map(|(path, _)| path.trim_end_matches('/').to_owned())
            .unwrap_or_default();
        let path = format!("{base}/{}", argument());
        let path = match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        facts.routes.push(Answer {
            router: "@".to_owned(),
            path,
            span: source.place(node).in_file(source.path.clone()),
        });
    } else if text.starts_with("@Cron(") || text.starts_with("@Interval(") {
        facts
            .scheduler
            .get_or_insert_with(|| source.place(node).in_file(source.path.clone()));
    } else if text.starts_with("@WebSocketGateway") {
        facts.websocket = true;
    } else if text.starts_with("@Sse(") {
        facts.event_stream = true;
    }
}
