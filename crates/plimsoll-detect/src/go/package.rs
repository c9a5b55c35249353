//! Reading the files of one Go package.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_diag::Span;
use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::chats;
use super::commands;
use super::connections;
use super::fields;
use super::files;
use super::function::{Function, PortHint, Rank, RouteHint, Transport};
use super::listening;
use super::settings;
use super::transport;
use crate::ports::is_of_a_need;
use crate::settings_port;
use crate::syntax::{DEPTH, Source, named_children};

/// What one directory of Go files says.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Package {
    /// Where `main` is.
    pub main: Option<Span>,
    pub imports: BTreeMap<String, Span>,
    pub functions: Vec<Function>,
    /// Whether a file calls C.
    pub cgo: bool,
}

impl Package {
    /// Adds what one of its files says.
    pub(super) fn add(&mut self, file: Self) {
        self.main = self.main.take().or(file.main);
        self.imports.extend(file.imports);
        self.functions.extend(file.functions);
        self.cgo |= file.cgo;
    }
}

/// Systems and processors that end a file's name when it is for them alone.
const ELSEWHERE: &[&str] = &[
    "windows",
    "darwin",
    "freebsd",
    "netbsd",
    "openbsd",
    "solaris",
    "plan9",
    "js",
    "wasip1",
    "android",
    "ios",
    "aix",
    "dragonfly",
    "illumos",
];

/// Whether a file belongs into a program for Linux, as far as its name says.
pub(super) fn is_for_linux(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".go") else {
        return false;
    };
    !stem.ends_with("_test")
        && !stem
            .split('_')
            .skip(1)
            .any(|part| ELSEWHERE.contains(&part))
}

/// What one file adds to its package. A file that says it is to be ignored adds nothing.
pub(super) fn read(source: &Source) -> Package {
    let mut package = Package::default();
    let constraint = source
        .text
        .lines()
        .take_while(|line| !line.starts_with("package "))
        .find_map(|line| line.strip_prefix("//go:build "));
    let other_system = |rule: &str| {
        rule.split_whitespace().all(|word| {
            ELSEWHERE.contains(&word) || matches!(word, "ignore" | "tools" | "||" | "&&")
        })
    };
    if constraint.is_some_and(other_system) {
        return package;
    }
    let mut outside = Function::default();
    let clause = named_children(source.root())
        .into_iter()
        .find(|node| node.kind() == "package_clause");
    let is_main = clause.is_some_and(|clause| {
        source
            .text_of(clause)
            .split_whitespace()
            .eq(["package", "main"])
    });
    for node in named_children(source.root()) {
        match node.kind() {
            "import_declaration" => imports(source, node, &mut package, 0),
            "function_declaration" | "method_declaration" => {
                let mut function = Function {
                    name: field(source, node, "name").unwrap_or_default(),
                    receiver: node
                        .child_by_field_name("receiver")
                        .and_then(|receiver| type_name(source.text_of(receiver))),
                    ..Function::default()
                };
                if is_main && function.name == "main" && function.receiver.is_none() {
                    package.main.get_or_insert_with(|| span(source, node));
                }
                if let Some(body) = node.child_by_field_name("body") {
                    Reader::new(source, &mut function).walk(body, "", 0);
                }
                add(function, &mut package);
            }
            "type_declaration" => settings::tags(source, node, &mut outside, 0),
            _ => Reader::new(source, &mut outside).walk(node, "", 0),
        }
    }
    add(outside, &mut package);
    package
}

/// Adds a function, and those inside of it, to a package.
fn add(mut function: Function, package: &mut Package) {
    for inner in std::mem::take(&mut function.inner) {
        add(inner, package);
    }
    package.functions.push(function);
}

fn imports(source: &Source, node: Node<'_>, package: &mut Package, depth: usize) {
    if depth > DEPTH {
        return;
    }
    if node.kind() == "import_spec"
        && let Some(path) = node.child_by_field_name("path")
    {
        let path = text(source, path);
        if path == "C" {
            package.cgo = true;
        } else {
            package.imports.insert(path, span(source, node));
        }
        return;
    }
    for child in named_children(node) {
        imports(source, child, package, depth + 1);
    }
}

/// `Server` of `(s *Server[T])`.
fn type_name(receiver: &str) -> Option<String> {
    let inner = receiver.trim_matches(['(', ')']);
    let last = inner.split_whitespace().last()?;
    let name: String = last
        .trim_start_matches('*')
        .chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

pub(super) fn span(source: &Source, node: Node<'_>) -> Span {
    source.place(node).in_file(source.path.clone())
}

fn field(source: &Source, node: Node<'_>, name: &str) -> Option<String> {
    Some(source.text_of(node.child_by_field_name(name)?).to_owned())
}

/// A literal's text without its quotes.
pub(super) fn text(source: &Source, node: Node<'_>) -> String {
    source.text_of(node).trim_matches(['"', '`']).to_owned()
}

pub(super) fn is_text(node: Node<'_>) -> bool {
    node.kind().ends_with("string_literal")
}

/// The port of an address: `:8080`, `0.0.0.0:8080`; a bare number where `bare` is what it is.
pub(super) fn port_of(address: &str) -> Option<u16> {
    let number = address.rsplit(':').next()?;
    number.parse().ok().filter(|port| *port != 0)
}

/// Calls that register a path, by their last name.
const ROUTES: &[&str] = &[
    "HandleFunc",
    "Handle",
    "GET",
    "Get",
    "Any",
    "All",
    "Path",
    "Method",
    "MethodFunc",
    "Group",
    "Route",
    "PathPrefix",
    "Mount",
];

/// Calls that register what changes something, by their last name.
const CHANGES: &[&str] = &[
    "POST", "Post", "PUT", "Put", "PATCH", "Patch", "DELETE", "Delete",
];

/// Modules whose routers they register it with.
const ROUTERS: &[&str] = &[
    "\"github.com/gin-gonic/gin\"",
    "\"github.com/labstack/echo",
    "\"github.com/go-chi/chi",
    "\"github.com/gofiber/fiber",
];

/// Whether a type is one of the descriptions that Kubernetes has of containers, services and their checks.
fn is_of_a_cluster(made: &str) -> bool {
    let (package, name) = made.rsplit_once('.').unwrap_or(("", made));
    package.ends_with("corev1")
        || package == "networkingv1"
        || matches!(
            name,
            "ContainerPort" | "ServicePort" | "HTTPGetAction" | "TCPSocketAction" | "GRPCAction"
        )
}

/// Reads the body of one function.
struct Reader<'r> {
    source: &'r Source,
    function: &'r mut Function,
    /// Variables that stand for a group of routes, and the group's path.
    groups: BTreeMap<String, String>,
    /// Whether what is read depends on a condition in the function around it.
    conditional: bool,
}

impl<'r> Reader<'r> {
    fn new(source: &'r Source, function: &'r mut Function) -> Self {
        Self {
            source,
            function,
            groups: BTreeMap::new(),
            conditional: false,
        }
    }

    fn walk(&mut self, node: Node<'_>, prefix: &str, depth: usize) {
        if depth > DEPTH {
            return;
        }
        match node.kind() {
            "identifier" | "field_identifier" => {
                let name = self.source.text_of(node);
                if name == "NewTicker" || name == "Tick" {
                    self.function.repeats = true;
                }
                self.function.mentions.insert(name.to_owned());
                if !self.conditional {
                    self.function.certain.insert(name.to_owned());
                }
            }
            "composite_literal" => {
                if let Some(kind) = node.child_by_field_name("type") {
                    self.makes(kind);
                }
                if self.source.text_of(node).starts_with("mcp.StdioTransport") {
                    let span = span(self.source, node);
                    self.function.transport = Some((Transport::Stdio, span));
                    self.function.speaks_aside = true;
                }
            }
            "interpreted_string_literal" | "raw_string_literal" => {
                let text = self.source.text_of(node);
                self.function.events |= text.contains("text/event-stream");
                let plain = text.trim_matches(['"', '`']);
                let among_settings = || {
                    let (directory, name) = plain.rsplit_once('/')?;
                    let fits = matches!(directory, "etc" | "conf" | "config" | "configs");
                    let of_settings = name.ends_with(".yaml") || name.ends_with(".yml");
                    (fits && of_settings).then(|| name.to_owned())
                };
                let named = settings_port::named(plain, &[]).or_else(among_settings);
                self.function.settings.extend(named);
                if let Some(path) = text.trim_matches(['"', '`']).strip_prefix("file://") {
                    self.function.reads.push(path.to_owned());
                }
            }
            "keyed_element" => {
                self.keyed(node);
                if !self.conditional {
                    fields::keyed(self.source, node, self.function);
                }
                if let Some(run) = commands::run(self.source, node) {
                    let mut inner = Function {
                        name: run.name.clone(),
                        ..Function::default()
                    };
                    Reader::new(self.source, &mut inner).walk(run.body, prefix, depth + 1);
                    self.function.runs.push((run.command, run.name));
                    self.function.inner.push(inner);
                    return;
                }
            }
            "short_var_declaration" | "assignment_statement" | "var_spec" | "const_spec" => {
                // `var options flags.Options` makes one as well.
                if let Some(kind) = node.child_by_field_name("type") {
                    self.makes(kind);
                }
                self.assigned(node, prefix);
            }
            "if_statement" => {
                settings::condition(self.source, node, self.function);
                transport::branch(self.source, node, self.function);
            }
            "expression_switch_statement" => {
                settings::chosen(self.source, node, self.function);
                transport::cases(self.source, node, self.function);
            }
            "call_expression" => {
                let inner = self.call(node, prefix);
                if let Some(inner) = inner {
                    self.walk_parts(node, &inner, depth);
                    return;
                }
            }
            _ => {}
        }
        self.walk_parts(node, prefix, depth);
    }

    /// Notes that a value of a type is made.
    fn makes(&mut self, kind: Node<'_>) {
        let last = self.source.text_of(kind).rsplit('.').next();
        self.function.makes.extend(last.and_then(type_name));
    }

    fn walk_parts(&mut self, node: Node<'_>, prefix: &str, depth: usize) {
        let conditional = self.conditional;
        for part in named_children(node) {
            self.conditional =
                settings::is_conditional(self.source, node, part).unwrap_or(conditional);
            self.walk(part, prefix, depth + 1);
        }
        self.conditional = conditional;
    }

    /// `Port: 8080`, `Addr: ":8080"`, `Use: "serve"`.
    fn keyed(&mut self, node: Node<'_>) {
        let children = named_children(node);
        let [key, value] = children.as_slice() else {
            return;
        };
        let key = self.source.text_of(*key);
        let value = text(self.source, *value);
        let made = node
            .parent()
            .and_then(|body| body.parent())
            .and_then(|literal| field(self.source, literal, "type"))
            .unwrap_or_default();
        // What describes a container to a cluster is another program's.
        if is_of_a_cluster(&made) {
            return;
        }
        let named = std::iter::successors(node.parent(), |around| around.parent())
            .take(6)
            .find_map(|around| field(self.source, around, "left"))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let aside = ["metric", "health", "probe", "debug", "pprof"];
        let metrics = key.to_ascii_lowercase().contains("metric")
            || aside.iter().any(|word| named.contains(word));
        let hint = |rank, port| PortHint {
            rank,
            port,
            metrics,
        };
        match key {
            "Addr" | "Address" => {
                let port = value.contains(':').then(|| port_of(&value)).flatten();
                self.function
                    .ports
                    .extend(port.map(|port| hint(Rank::Listens, port)));
            }
            _ if commands::is_name(key, &made) && commands::is_root(self.source, node) => {}
            _ if commands::is_name(key, &made) => {
                let word = value.split_whitespace().next().unwrap_or_default();
                self.function.commands.push(word.to_owned());
            }
            _ if key.ends_with("Port") && !is_of_a_need(key) => {
                let port = value.parse().ok();
                self.function
                    .ports
                    .extend(port.map(|port| hint(Rank::Handed, port)));
            }
            _ => {}
        }
    }

    /// `api := router.Group("/api")`, `port := "8080"`.
    fn assigned(&mut self, node: Node<'_>, prefix: &str) {
        let part = |left, right| {
            let one = |name| {
                let list = node.child_by_field_name(name)?;
                match list.kind() {
                    "expression_list" => named_children(list).first().copied(),
                    _ => Some(list),
                }
            };
            Some((one(left)?, one(right)?))
        };
        let Some((name, value)) = part("left", "right").or_else(|| part("name", "value")) else {
            return;
        };
        let name = self.source.text_of(name).to_owned();
        // `value, ok := …`: what the second one tells is told of this call from here on.
        let second = node
            .child_by_field_name("left")
            .filter(|list| list.kind() == "expression_list")
            .and_then(|list| list.named_child(1));
        if let Some(second) = second {
            self.function.known_as.remove(self.source.text_of(second));
        }
        if !self.conditional {
            fields::assigned(&name, self.source.text_of(value), self.function);
        }
        if value.kind() == "call_expression" {
            if let Some(path) = self.group(value, prefix) {
                self.groups.insert(name, path);
            } else {
                settings::assigned(self.source, value, &name, self.function);
                if let Some(second) = second {
                    let second = self.source.text_of(second);
                    settings::looked_up(self.source, value, second, self.function);
                }
            }
            return;
        }
        let lower = name.to_ascii_lowercase();
        let names_port = ["port", "addr", "address"]
            .iter()
            .any(|end| lower.ends_with(end));
        if names_port && !is_of_a_need(&name) {
            let literal = is_text(value) || value.kind() == "int_literal";
            let port = literal
                .then(|| port_of(&text(self.source, value)))
                .flatten();
            self.function.ports.extend(port.map(|port| PortHint {
                rank: Rank::Default,
                port,
                metrics: lower.contains("metric"),
            }));
        }
    }

    /// The path of a group of routes that a call makes: `router.PathPrefix("/api").Subrouter()`.
    fn group(&self, call: Node<'_>, prefix: &str) -> Option<String> {
        let function = call.child_by_field_name("function")?;
        let method = self.source.text_of(function).rsplit('.').next()?;
        if method == "Subrouter" {
            let inner = function.child_by_field_name("operand")?;
            return self.group(inner, prefix);
        }
        if !matches!(method, "Group" | "PathPrefix" | "Route") {
            return None;
        }
        let first = self
            .arguments(call)
            .into_iter()
            .find(|node| is_text(*node))?;
        Some(format!(
            "{}{}",
            self.prefix_of(function, prefix),
            text(self.source, first)
        ))
    }

    /// The path of the group that a call is made on.
    fn prefix_of(&self, function: Node<'_>, prefix: &str) -> String {
        function
            .child_by_field_name("operand")
            .and_then(|operand| self.groups.get(self.source.text_of(operand)))
            .cloned()
            .unwrap_or_else(|| prefix.to_owned())
    }

    fn arguments<'n>(&self, call: Node<'n>) -> Vec<Node<'n>> {
        call.child_by_field_name("arguments")
            .map(named_children)
            .unwrap_or_default()
    }

    /// Reads a call. The path that routes inside of it begin with is given back where there is one.
    fn call(&mut self, node: Node<'_>, prefix: &str) -> Option<String> {
        let function = node.child_by_field_name("function")?;
        let name = self.source.text_of(function).to_owned();
        let method = name.rsplit('.').next().unwrap_or(&name).to_owned();
        let arguments = self.arguments(node);
        let texts: Vec<String> = arguments
            .iter()
            .filter(|argument| is_text(**argument))
            .map(|argument| text(self.source, *argument))
            .collect();
        listening::call(self.source, node, &arguments, self.function);
        self.protocol(node, &name, &method);
        settings::call(self.source, node, &name, &arguments, self.function);
        chats::call(self.source, node, &name, self.function);
        if let ("new", [kind]) = (name.as_str(), arguments.as_slice()) {
            self.makes(*kind);
        }
        self.function.positional |= matches!(name.as_str(), "flag.Args" | "flag.Arg" | "flag.NArg");
        if matches!(name.as_str(), "signal.Notify" | "signal.NotifyContext") {
            self.function.waits = true;
        }
        if matches!(
            method.as_str(),
            "Consume" | "Subscribe" | "QueueSubscribe" | "FetchMessage"
        ) || matches!(name.as_str(), "asynq.NewServer" | "worker.New" | "cron.New")
        {
            self.function.repeats = true;
            self.function.consumes = true;
            self.function.waits |= name == "asynq.NewServer" || name == "worker.New";
        }
        if method == "SetConfigName"
            && let Some(name) = texts.first()
        {
            self.function.settings.push(format!("{name}.*"));
        }
        files::call(&name, &texts, self.function);
        if !self.conditional {
            connections::call(&name, &texts, self.function);
        }
        self.function.serves_calls |= name == "grpc.NewServer";
        self.function.accepts |= CHANGES.contains(&method.as_str())
            && arguments.len() > 1
            && ROUTERS
                .iter()
                .any(|router| self.source.text.contains(router));
        let in_groups = arguments.iter().any(|node| node.kind() == "func_literal");
        if ROUTES.contains(&method.as_str())
            && let Some(first) = texts.first()
        {
            let path = first.strip_prefix("GET ").unwrap_or(first);
            if path.starts_with('/') {
                let whole = format!("{}{path}", self.prefix_of(function, prefix));
                if matches!(method.as_str(), "Group" | "Route") && in_groups {
                    return Some(whole);
                }
                if !matches!(method.as_str(), "Group" | "Route" | "PathPrefix" | "Mount") {
                    self.function.routes.push(RouteHint {
                        path: whole,
                        span: span(self.source, node),
                        prometheus: self.source.text_of(node).contains("promhttp."),
                    });
                }
            }
        }
        None
    }

    fn protocol(&mut self, node: Node<'_>, name: &str, method: &str) {
        let transport = match method {
            "ServeStdio" | "NewStdioTransport" | "NewStdioServer" | "NewStdioServerTransport" => {
                Transport::Stdio
            }
            "NewStreamableHTTPServer" | "NewStreamableHTTPHandler" | "NewSSEHandler" => {
                Transport::Http
            }
            "NewSSEServer" if name.starts_with("server.") => Transport::Http,
            _ => return,
        };
        self.function.speaks_aside |= transport == Transport::Stdio;
        let known = self.function.transport.as_ref().map(|(known, _)| *known);
        if known != Some(Transport::Http) {
            self.function.transport = Some((transport, span(self.source, node)));
        }
    }
}

/// Whether a package of a directory is one that is called `main` and starts something.
pub(super) fn is_tool(path: &Path) -> bool {
    path.components().any(|part| {
        matches!(
            part.as_os_str().to_str().unwrap_or_default(),
            "tools" | "tool" | "hack" | "scripts" | "script" | "internal-tools" | "gen" | "codegen"
        )
    })
}
