//! What JavaScript and TypeScript files say: variables, listening.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Span;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::component::{is_component, scripts};
use super::demands::{Demand, demand, listed, taken_apart};
use super::environment::{imported, is_environment};
use super::names::declaration;
use super::nest;
use super::numbers::{is_parse, number, parameter_of};
use super::one_of;
use super::passing::serves_nobody;
use super::schema::{self, schema};
use super::startup::{Moment, moment};
use crate::found::FoundVariable;
use crate::memory::{FactKind, Facts};
use crate::needs::is_secret;
use crate::places;
use crate::syntax::{DEPTH, Grammar, Source, named_children};
use crate::tree::{File, Tree};

/// Where something listens, and the port where that is plain.
pub(crate) type Listening = (Span, Option<u16>);

/// What the sources of a package say.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sources {
    pub(crate) variables: Vec<FoundVariable>,
    /// Where it listens.
    pub(crate) listens: Option<Listening>,
    /// What it exports to be served: Bun listens for it.
    pub(crate) served: Option<Listening>,
    /// Where it serves MCP over standard input and output.
    pub(crate) stdio_transport: Option<Span>,
    /// How it speaks the Model Context Protocol unless it is told otherwise.
    pub(crate) usual_transport: Option<Transport>,
    /// What gives the port where the file itself does not say: a name, or a parameter of a function.
    pub(crate) port_from: Option<PortFrom>,
    /// Variables that a schema of the environment has a value for where they are not set.
    pub(crate) filled: BTreeSet<String>,
    /// Variables of schemas that functions check the environment against, by the function, where a file has several.
    pub(crate) checked_in: Vec<(String, usize)>,
    /// When a variable is missed that the code ends without, by its place among the variables.
    pub(crate) missed: BTreeMap<usize, Moment>,
}

/// How a server of the Model Context Protocol is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Transport {
    Stdio,
    Http,
}

impl Transport {
    /// The one that a word names.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "stdio" => Some(Self::Stdio),
            "http" | "sse" | "streamable-http" | "streamablehttp" | "streamable_http"
            | "httpstream" | "http-stream" => Some(Self::Http),
            _ => None,
        }
    }
}

/// What gives a port that another file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PortFrom {
    /// A constant, a key of an object or a function of this name, with the way to it: `config.server.port`.
    Name(String),
    /// The parameter at this place of the function of this name.
    Parameter(String, usize),
}

impl Sources {
    /// Variables, those that only a part of the program ends without as what they are to the whole. `running` are
    /// the functions that run when it starts.
    pub(crate) fn variables_of(&self, running: &BTreeSet<String>) -> Vec<FoundVariable> {
        let mut variables = self.variables.clone();
        for (index, moment) in &self.missed {
            let runs = match moment {
                Moment::Load => true,
                Moment::In(name) => running.contains(name),
                Moment::Later => false,
            };
            if let Some(variable) = variables.get_mut(*index) {
                variable.required &= runs;
                if !runs {
                    variable.one_of.clear();
                }
            }
        }
        // Of several schemas the program takes the one that it calls for.
        let mut checked = self.checked_in.iter();
        if checked.any(|(function, _)| running.contains(function)) {
            for (function, index) in &self.checked_in {
                if let Some(variable) = variables.get_mut(*index) {
                    variable.required &= running.contains(function);
                }
            }
        }
        variables
    }
}

/// Files read at most for one package.
const MOST_FILES: usize = 5_000;

/// The port of LlamaIndex's server where nothing else is said.
const LLAMA_INDEX: u16 = 3000;

impl Facts for Sources {
    const KIND: FactKind = FactKind::ScriptSources;

    fn read(path: &Path, shown: Arc<Path>, mut text: String) -> Option<Self> {
        if is_component(path) {
            text = scripts(&text);
        }
        // Only saves work: what the file says is read from its syntax tree.
        let worth = ["env", "listen", "serve", "Stdio"]
            .iter()
            .any(|word| text.contains(word));
        if !worth {
            return None;
        }
        let source = Source::parse(shown, text, grammar(path)?)?;
        let mut found = Self::default();
        walk(&source, source.root(), &mut found, 0);
        Some(found)
    }
}

/// What a file says, where it is of a kind that is read.
fn of_file(tree: &Tree, path: &Path) -> Option<Sources> {
    grammar(path)?;
    tree.facts(path)
}

fn grammar(path: &Path) -> Option<Grammar> {
    let grammar = match is_component(path) {
        true => Some(Grammar::TypeScript),
        false => Grammar::of(path),
    };
    grammar.filter(|grammar| !matches!(grammar, Grammar::Python | Grammar::Go | Grammar::Json))
}

impl Sources {
    /// Reads the sources below `directory`, those of packages inside left out.
    pub(crate) fn read(tree: &Tree, directory: &Path, nested: &[&Path]) -> Self {
        let files: Vec<&File> = tree
            .files()
            .iter()
            .filter(|file| file.path.starts_with(directory))
            .filter(|file| nested.iter().all(|inner| !file.path.starts_with(inner)))
            .filter(|file| {
                places::set_aside(places::below(&file.path, directory).as_path()).is_none()
            })
            .take(MOST_FILES)
            .collect();
        let each: Vec<Self> = files
            .into_par_iter()
            .filter_map(|file| of_file(tree, &file.path))
            .collect();
        let mut found = Self::default();
        for file in each {
            found.add(file);
        }
        found
    }

    /// Adds what another file says. The first one that listens counts.
    fn add(&mut self, file: Self) {
        let before = self.variables.len();
        self.variables.extend(file.variables);
        let missed = file.missed.into_iter();
        self.missed
            .extend(missed.map(|(index, moment)| (before + index, moment)));
        let checked = file.checked_in.into_iter();
        self.checked_in
            .extend(checked.map(|(function, index)| (function, before + index)));
        if self.listens.is_none() {
            self.listens = file.listens;
            self.port_from = file.port_from;
        }
        self.filled.extend(file.filled);
        self.served = file.served.or(self.served.take());
        self.stdio_transport = self.stdio_transport.take().or(file.stdio_transport);
        self.usual_transport = self.usual_transport.or(file.usual_transport);
    }
}

pub(super) fn walk(source: &Source, node: Node<'_>, found: &mut Sources, depth: usize) {
    if depth > DEPTH {
        return;
    }
    match node.kind() {
        "member_expression" | "subscript_expression" => {
            if let Some(name) = variable(source, node) {
                let default = default(source, node);
                let span = source.place(node).in_file(source.path.clone());
                let why = format!("reads `{name}`");
                // Set by the tools themselves.
                if !matches!(
                    name.as_str(),
                    "NODE_ENV" | "DEV" | "PROD" | "MODE" | "SSR" | "BASE_URL"
                ) {
                    let demand = match default {
                        Some(_) => Demand::None,
                        None => demand(source, node),
                    };
                    if demand != Demand::None {
                        found
                            .missed
                            .insert(found.variables.len(), moment(source, node));
                    }
                    found.variables.push(FoundVariable {
                        required: demand != Demand::None,
                        secret: is_secret(&name) && !name.starts_with("PUBLIC_"),
                        why,
                        ..FoundVariable::read(&name, default, span)
                    });
                }
            } else if node.kind() == "subscript_expression" {
                listed(source, node, found);
            }
        }
        "import_statement" => imported(source, node, found),
        "if_statement" => one_of::check(source, node, found),
        "variable_declarator" => taken_apart(source, node, found),
        "public_field_definition" => schema::field(source, node, found),
        // `args[0] || "stdio"`, `{ default: "stdio" }`.
        "binary_expression" | "pair" if found.usual_transport.is_none() => {
            let usual = match node.kind() {
                "pair" => node
                    .child_by_field_name("key")
                    .filter(|key| matches!(source.text_of(*key), "default" | "defaultValue"))
                    .and_then(|_| node.child_by_field_name("value")),
                _ => node
                    .child_by_field_name("operator")
                    .filter(|operator| matches!(operator.kind(), "||" | "??"))
                    .and_then(|_| node.child_by_field_name("right")),
            };
            found.usual_transport = usual
                .and_then(|usual| text(source, usual))
                .and_then(|text| Transport::of(&text));
        }
        "call_expression" => {
            if let Some(function) = node.child_by_field_name("function") {
                let text = source.text_of(function);
                let method = text.rsplit('.').next().unwrap_or(text);
                let serves = method == "listen" && text.contains('.')
                    || matches!(text, "serve" | "Bun.serve" | "Deno.serve");
                // `.default("stdio")`, `.option("--transport <kind>", "…", "stdio")`.
                if matches!(method, "default" | "option") && found.usual_transport.is_none() {
                    found.usual_transport = node
                        .child_by_field_name("arguments")
                        .map(named_children)
                        .unwrap_or_default()
                        .last()
                        .and_then(|last| Transport::of(&self::text(source, *last)?));
                }
                nest::call(source, node, found);
                if matches!(
                    method,
                    "object" | "strictObject" | "looseObject" | "extend" | "cleanEnv" | "createEnv"
                ) {
                    schema(source, node, found);
                }
                if method == "serveStdio" && found.stdio_transport.is_none() {
                    found.stdio_transport = Some(source.place(node).in_file(source.path.clone()));
                }
                let serves = serves && !serves_nobody(source, node);
                let serves = serves || text == "startStandaloneServer";
                if serves && found.listens.is_none() {
                    let span = source.place(node).in_file(source.path.clone());
                    let port = port(source, node);
                    if port.is_none() {
                        found.port_from = port_from(source, node);
                    }
                    found.listens = Some((span, port));
                }
            }
        }
        "export_statement" => {
            let value = node.child_by_field_name("value");
            if let Some(value) = value.filter(|value| answers(source, *value)) {
                let span = source.place(node).in_file(source.path.clone());
                found.served = Some((span, port_of(source, value)));
            }
        }
        "new_expression" => {
            let made = node
                .child_by_field_name("constructor")
                .map(|name| source.text_of(name));
            let server_of_sockets = matches!(made, Some("WebSocketServer" | "WebSocket.Server"));
            if server_of_sockets && found.listens.is_none() {
                let port = port(source, node);
                if port.is_some() {
                    let span = source.place(node).in_file(source.path.clone());
                    found.listens = Some((span, port));
                }
            }
            if made == Some("LlamaIndexServer") && found.listens.is_none() {
                let span = source.place(node).in_file(source.path.clone());
                let port = port(source, node).or(Some(LLAMA_INDEX));
                found.listens = Some((span, port));
            }
            if made == Some("StdioServerTransport") && found.stdio_transport.is_none() {
                found.stdio_transport = Some(source.place(node).in_file(source.path.clone()));
            }
        }
        _ => {}
    }
    for child in named_children(node) {
        walk(source, child, found, depth + 1);
    }
}

/// `X` of `process.env.X`, `process.env["X"]` and `import.meta.env.X`.
pub(super) fn variable(source: &Source, node: Node<'_>) -> Option<String> {
    let object = node.child_by_field_name("object")?;
    if !is_environment(source, object) {
        return None;
    }
    let name = match node.child_by_field_name("property") {
        Some(property) => source.text_of(property).to_owned(),
        None => text(source, node.child_by_field_name("index")?)?,
    };
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then_some(name)
}

/// `d` of `variable || "d"` and `variable ?? "d"`.
pub(super) fn default(source: &Source, node: Node<'_>) -> Option<String> {
    let mut outer = node.parent()?;
    while matches!(
        outer.kind(),
        "parenthesized_expression" | "as_expression" | "non_null_expression"
    ) {
        outer = outer.parent()?;
    }
    if outer.kind() != "binary_expression" {
        return None;
    }
    let operator = outer.child_by_field_name("operator")?.kind();
    if !matches!(operator, "||" | "??") {
        return None;
    }
    let right = outer.child_by_field_name("right")?;
    text(source, right)
        .or_else(|| (right.kind() == "number").then(|| source.text_of(right).to_owned()))
}

pub(super) fn text(source: &Source, node: Node<'_>) -> Option<String> {
    let quoted = match node.kind() {
        "string" => source.text_of(node),
        "template_string"
            if node.named_child_count() <= 1 && !source.text_of(node).contains("${") =>
        {
            source.text_of(node)
        }
        _ => return None,
    };
    Some(quoted.trim_matches(['"', '\'', '`']).to_owned())
}

/// The port in `listen(3000)`, `listen(process.env.PORT || 3000)`, `listen({ port: 3000 })` and
/// `startStandaloneServer(server, { listen: { port: 3000 } })`; a name is looked for in the same file.
fn port(source: &Source, call: Node<'_>) -> Option<u16> {
    number(source, stated_port(source, call)?, 0)
}

/// What says the port of a call that listens.
fn stated_port<'t>(source: &'t Source, call: Node<'t>) -> Option<Node<'t>> {
    let arguments = call.child_by_field_name("arguments")?;
    let key = |object: Node<'t>, wanted: &str| {
        named_children(object).into_iter().find_map(|pair| {
            if pair.kind() == "shorthand_property_identifier" {
                return (source.text_of(pair) == wanted).then_some(pair);
            }
            let key = pair
                .child_by_field_name("key")
                .map(|key| source.text_of(key));
            (key == Some(wanted))
                .then(|| pair.child_by_field_name("value"))
                .flatten()
        })
    };
    let objects = named_children(arguments)
        .into_iter()
        .filter(|argument| argument.kind() == "object");
    let of_object = objects.clone().find_map(|object| key(object, "port"));
    let nested = objects
        .filter_map(|object| key(object, "listen"))
        .find_map(|object| key(object, "port"));
    let first = arguments.named_child(0)?;
    of_object
        .or(nested)
        .or((first.kind() != "object").then_some(first))
}

/// Where the port of a call that listens comes from when its file does not say it.
fn port_from(source: &Source, call: Node<'_>) -> Option<PortFrom> {
    let found = giver(source, call)?;
    let fits = match &found {
        PortFrom::Name(name) => {
            let last = name.rsplit('.').next().unwrap_or(name);
            last.to_ascii_lowercase().contains("port")
        }
        PortFrom::Parameter(..) => true,
    };
    fits.then_some(found)
}

fn giver(source: &Source, call: Node<'_>) -> Option<PortFrom> {
    let mut value = stated_port(source, call)?;
    // `Number(config.port)`, `+port`.
    while let Some(inner) = match value.kind() {
        "call_expression" if is_parse(source, value) || is_number(source, value) => value
            .child_by_field_name("arguments")
            .and_then(|arguments| arguments.named_child(0)),
        "unary_expression" | "parenthesized_expression" | "as_expression" => value.named_child(0),
        _ => None,
    } {
        value = inner;
    }
    match value.kind() {
        "call_expression" => Some(PortFrom::Name(asked(source, value)?)),
        "member_expression" => Some(PortFrom::Name(source.text_of(value).replace("?.", "."))),
        "identifier" | "shorthand_property_identifier" => {
            let name = source.text_of(value);
            if let Some((function, position)) = parameter_of(source, value, name) {
                return Some(PortFrom::Parameter(function, position));
            }
            let declared = declaration(source, name);
            let name = match declared.map(|value| (value, value.kind())) {
                // `const PORT = getPort()`.
                Some((call, "call_expression")) => asked(source, call)?,
                // `const PORT = config.server.port`.
                Some((member, "member_expression")) => source.text_of(member).replace("?.", "."),
                _ => name.to_owned(),
            };
            Some(PortFrom::Name(name))
        }
        _ => None,
    }
}

/// What a call asks for: the function's own name, or what `config.get("server.port")` names.
fn asked(source: &Source, call: Node<'_>) -> Option<String> {
    let function = source.text_of(call.child_by_field_name("function")?);
    let last = function.rsplit('.').next()?;
    if !matches!(last, "get" | "getOrThrow") {
        return Some(last.to_owned());
    }
    let first = call.child_by_field_name("arguments")?.named_child(0)?;
    text(source, first)
}

fn is_number(source: &Source, call: Node<'_>) -> bool {
    call.child_by_field_name("function")
        .is_some_and(|name| source.text_of(name) == "Number")
}

/// The port in `{ port: 3000 }` and in `{ port }`.
fn port_of(source: &Source, object: Node<'_>) -> Option<u16> {
    let value = named_children(object).into_iter().find_map(|child| {
        let (name, value) = match child.kind() {
            "shorthand_property_identifier" => (child, child),
            _ => (
                child.child_by_field_name("key")?,
                child.child_by_field_name("value")?,
            ),
        };
        (source.text_of(name) == "port").then_some(value)
    })?;
    number(source, value, 0)
}

/// Whether a default export answers requests: `{ fetch }`, or a router that has that method.
fn answers(source: &Source, exported: Node<'_>) -> bool {
    match exported.kind() {
        "object" => named_children(exported).into_iter().any(|child| {
            let name = child
                .child_by_field_name("key")
                .or_else(|| child.child_by_field_name("name"))
                .unwrap_or(child);
            source.text_of(name) == "fetch"
        }),
        "identifier" => declaration(source, source.text_of(exported))
            .and_then(|made| made.child_by_field_name("constructor"))
            .map(|made| source.text_of(made))
            .is_some_and(|made| made.ends_with("Hono")),
        _ => false,
    }
}
