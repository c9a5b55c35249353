//! What the body of a function calls: what listens, answers, reads and writes.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::chats;
use super::constants;
use super::item::{Item, PortHint, Rank, RouteHint, Transport, joined};
use super::settings;
use super::source::{is_text, span, text};
use crate::found::FoundVariable;
use crate::settings_port;
use crate::syntax::{DEPTH, Source, named_children};

/// Last parts of calls that read a file or directory.
const READS: &[&str] = &[
    "ServeDir::new",
    "ServeFile::new",
    "Files::new",
    "NamedFile::open",
    "StaticFilesEndpoint::new",
    "StaticDir::new",
    "StaticFile::new",
    "FileServer::from",
    "Tera::new",
    "fs::read_to_string",
    "fs::read",
    "fs::read_dir",
    "File::open",
    "fs::dir",
    "fs::file",
    "Toml::file",
    "Yaml::file",
    "Json::file",
    "File::with_name",
    "path_loader",
    "serve_dir",
    "serve_file",
];

/// Last parts of calls that write one.
const WRITES: &[&str] = &[
    "File::create",
    "fs::create_dir_all",
    "fs::create_dir",
    "fs::write",
    "Connection::open",
];

/// Calls that mean that work is done again and again.
const REPEATS: &[&str] = &[
    "time::interval",
    "JobScheduler::new",
    "Monitor::new",
    "basic_consume",
    "StreamConsumer::from_config",
    "Scheduler::new",
    "psubscribe",
    "into_on_message",
];

/// Calls that hand a function on to be called for each request or message.
pub(super) const HANDS_ON: &[&str] = &[
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "any",
    "on",
    "to",
    "fallback",
    "endpoint",
    "repl",
    "from_fn",
    "from_fn_with_state",
    "service_fn",
    "and_then",
    "handler",
];

pub(super) struct Walker<'w> {
    pub source: &'w Source,
    pub item: &'w mut Item,
    /// Numbers and addresses that the function gives names to.
    pub bound: BTreeMap<String, String>,
    /// Whether what is read depends on a condition in the function around it.
    pub conditional: bool,
}

/// `#[get("/health")]` of actix and Rocket; `#[launch]`.
pub(super) fn attribute(source: &Source, node: Node<'_>, item: &mut Item) {
    let whole = source.text_of(node);
    let inner = whole.trim_start_matches("#[").trim_end_matches(']');
    let name = inner.split('(').next().unwrap_or_default().trim();
    match name.rsplit("::").next().unwrap_or(name) {
        "post" | "put" | "patch" | "delete" | "options" | "route" | "tool" | "command"
        | "poise::command" | "handler" | "prompt" => item.handler = true,
        "get" | "head" => {
            item.handler = true;
            let path = inner.split('"').nth(1).unwrap_or_default();
            if path.starts_with('/') {
                item.routes.push(RouteHint {
                    path: path.split('?').next().unwrap_or(path).to_owned(),
                    span: span(source, node),
                });
            }
        }
        _ => {}
    }
}

impl Walker<'_> {
    pub(super) fn walk(&mut self, node: Node<'_>, prefix: &str, depth: usize) {
        if depth > DEPTH {
            return;
        }
        match node.kind() {
            "identifier" | "type_identifier" | "field_identifier" => {
                let name = self.source.text_of(node);
                if !self.item.mentions.contains(name) {
                    self.item.mentions.insert(name.to_owned());
                }
                if !self.conditional && !self.item.certain.contains(name) {
                    self.item.certain.insert(name.to_owned());
                }
            }
            "string_literal" | "raw_string_literal" => self.literal(node),
            "let_declaration" | "const_item" | "static_item" => self.bind(node),
            "function_item" if depth > 0 => {}
            "call_expression" => {
                if let Some(inner) = self.call(node, prefix) {
                    // What stands before the call is not below its path.
                    if let Some(function) = node.child_by_field_name("function") {
                        self.walk(function, prefix, depth + 1);
                    }
                    if let Some(arguments) = node.child_by_field_name("arguments") {
                        self.walk(arguments, &inner, depth + 1);
                    }
                    return;
                }
            }
            "macro_invocation" => self.invocation(node),
            "loop_expression" => {
                let text = self.source.text_of(node);
                let waits = text.contains("sleep(") || text.contains(".tick(");
                self.item.repeats |= waits && !leaves(node, Within::Own, 0);
            }
            _ => {}
        }
        let conditional = self.conditional;
        for child in named_children(node) {
            self.conditional = conditional || settings::is_conditional(self.source, node, child);
            self.walk(child, prefix, depth + 1);
        }
        self.conditional = conditional;
    }

    fn literal(&mut self, node: Node<'_>) {
        let text = text(self.source, node);
        self.item.settings.extend(settings_port::named(&text, &[]));
        self.item.events |= text.contains("text/event-stream");
        let written = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"));
        if let Some(path) = written {
            let path = path.split('?').next().unwrap_or(path);
            if !path.is_empty() && !path.contains(":memory:") && !path.contains('{') {
                self.item.writes.push(path.to_owned());
            }
        }
        let starts = |own: &[&str]| own.iter().any(|start| text.starts_with(start));
        let rank = match () {
            () if starts(&["0.0.0.0:", "[::]:"]) => Rank::Address,
            () if starts(&["127.0.0.1:", "[::1]:", "localhost:"]) => Rank::Mentioned,
            () => return,
        };
        if let Some(port) = settings::port_of(&text) {
            self.push(port, rank, false);
        }
    }

    /// `let addr = "0.0.0.0:3000"`, `const PORT: u16 = 3000`.
    fn bind(&mut self, node: Node<'_>) {
        let name = node
            .child_by_field_name("pattern")
            .or_else(|| node.child_by_field_name("name"));
        let (Some(name), Some(value)) = (name, node.child_by_field_name("value")) else {
            return;
        };
        let name = self.source.text_of(name).to_owned();
        let otherwise = settings::otherwise(self.source, value);
        let value = self.source.text_of(value).trim_matches('"').to_owned();
        let stated = otherwise.as_deref().unwrap_or(&value);
        self.item
            .ports
            .extend(settings::own_port(&name, Some(stated)));
        self.bound.insert(name, value);
    }

    /// Reads a call. The path that routes inside of it begin with is given back where there is one.
    fn call(&mut self, node: Node<'_>, prefix: &str) -> Option<String> {
        let function = node.child_by_field_name("function")?;
        // What stands before the last method is read by itself.
        let name: String = match function.child_by_field_name("field") {
            Some(field) => format!(".{}", self.source.text_of(field)),
            None => self.source.text_of(function).split_whitespace().collect(),
        };
        let plain = name.split("::<").next().unwrap_or(&name).to_owned();
        let arguments = node
            .child_by_field_name("arguments")
            .map(named_children)
            .unwrap_or_default();
        let texts: Vec<String> = arguments
            .iter()
            .filter(|argument| is_text(**argument))
            .map(|argument| text(self.source, *argument))
            .collect();
        let is = |list: &[&str]| {
            list.iter().any(|known| {
                plain == *known
                    || plain.ends_with(&format!("::{known}"))
                    || plain == format!(".{known}")
            })
        };
        if is(&["env::var", "env::var_os", "dotenvy::var", "dotenv::var"]) || plain == "var" {
            if let Some(name) = texts.first().filter(|name| settings::is_variable(name)) {
                settings::read(self.source, node, name, self.item);
            } else if let Some(name) = arguments.first() {
                let helper = settings::helper(self.source, node, *name);
                if helper.is_none() {
                    constants::read(self.source, node, *name, self.item);
                }
                self.item.helper = self.item.helper.or(helper);
            }
        } else if plain.to_ascii_lowercase().contains("env")
            && !plain.contains("set_")
            && let Some(name) = texts.first().filter(|name| settings::is_variable(name))
        {
            // Another name of the variable may stand between: `read_env("NEW", "OLD", 8080)`.
            let mut others = arguments
                .iter()
                .skip(1)
                .filter_map(|value| match is_text(*value) {
                    true => {
                        Some(text(self.source, *value)).filter(|one| !settings::is_variable(one))
                    }
                    false => (value.kind() == "integer_literal")
                        .then(|| self.source.text_of(*value).to_owned()),
                });
            let default = others.next();
            self.item
                .ports
                .extend(settings::own_port(name, default.as_deref()));
            let place = span(self.source, node);
            let required = plain.contains("require") || plain.contains("must");
            self.item
                .variables
                .push(FoundVariable::read(name, default, place).required(required));
        } else if settings::is_reader(&plain)
            && let Some(name) = texts.first()
            && name.contains('_')
            && settings::is_variable(name)
        {
            settings::read(self.source, node, name, self.item);
            // What such a function gives where nothing is set is its own affair.
            if let Some(variable) = self.item.variables.last_mut() {
                variable.required = false;
            }
        }
        for (index, argument) in arguments.iter().enumerate().filter(|(_, it)| is_text(**it)) {
            let name = text(self.source, *argument);
            let last = plain.rsplit([':', '.']).next().unwrap_or(&plain);
            if settings::is_variable(&name) {
                let place = span(self.source, node);
                self.item.handed.push((last.to_owned(), index, name, place));
            }
        }
        let last = plain.rsplit([':', '.']).next().unwrap_or(&plain);
        if HANDS_ON.contains(&last) {
            let plainly =
                |node: &&Node<'_>| matches!(node.kind(), "identifier" | "scoped_identifier");
            let named = arguments.iter().filter(plainly);
            let named = named.map(|node| self.source.text_of(*node));
            let named = named.map(|name| name.rsplit("::").next().unwrap_or(name).to_owned());
            self.item.handed_on.extend(named);
        }
        if let Some(name) = settings::of_provider(&plain) {
            let place = span(self.source, node);
            let mut variable = FoundVariable::read(name, None, place).required(true);
            variable.why = format!("`{plain}` does not work without `{name}`");
            self.item.variables.push(variable);
        }
        if is(&[
            "envy::prefixed",
            "Env::prefixed",
            "Environment::with_prefix",
        ]) {
            let separator = if plain.starts_with("Env") && plain.contains("with_prefix") {
                "_"
            } else {
                ""
            };
            let prefix = texts.first().map(|first| format!("{first}{separator}"));
            self.item.prefixes.extend(prefix);
        }
        if is(&["envy::from_env", "Environment::default", "Env::raw"]) {
            self.item.prefixes.push(String::new());
        }
        // The crate that reads it knows by itself of which kind it is.
        if is(&["File::with_name"])
            && let Some(name) = texts.first().and_then(|name| name.rsplit('/').next())
            && !name.contains('.')
        {
            self.item.settings.push(format!("{name}.*"));
        }
        if is(READS) {
            self.item.reads.extend(texts.iter().cloned());
        }
        if is(WRITES) {
            self.item.writes.extend(texts.first().cloned());
        }
        self.item.repeats |= is(REPEATS);
        chats::call(self.source, node, &plain, self.item);
        self.item.websocket |= is(&["on_upgrade", "ws::start", "actix_ws::handle", "ws::handle"]);
        self.item.events |= is(&["Sse::new", "SSE::new", "sse::reply", "EventStream!"]);
        self.protocol(node, &plain);
        self.listening(node, &plain, &arguments);
        self.routes(node, &plain, &arguments, &texts, prefix)
    }

    fn protocol(&mut self, node: Node<'_>, name: &str) {
        let last = name.rsplit("::").next().unwrap_or(name);
        let of_http = name.contains("StreamableHttpService::") || name.contains("SseServer::");
        let transport = match last {
            "stdio" => Transport::Stdio,
            _ if of_http => Transport::Http,
            _ => return,
        };
        if self.source.text.contains("rmcp") {
            self.item.speaks_aside |= transport == Transport::Stdio;
        }
        let known = self.item.transport.as_ref().map(|(known, _)| *known);
        if known != Some(Transport::Http) && self.source.text.contains("rmcp") {
            self.item.transport = Some((transport, span(self.source, node)));
        }
    }

    fn listening(&mut self, node: Node<'_>, name: &str, arguments: &[Node<'_>]) {
        let file = self.source.text.as_str();
        let ends = |end: &str| name == end || name.ends_with(&format!("::{end}"));
        let certain = ends("TcpListener::bind")
            || ends("Server::bind")
            || ends("Server::try_bind")
            || ends("axum::serve")
            || name.contains("axum_server::bind")
            || ends("TcpListener::new") && file.contains("salvo")
            || ends("TcpListener::bind") && file.contains("poem")
            || ends("rocket::build")
            || ends("rocket::ignite")
            || matches!(
                name,
                ".bind" | ".bind_rustls" | ".bind_rustls_0_23" | ".bind_openssl" | ".listen"
            ) && file.contains("HttpServer")
            || name == ".listen" && file.contains("tide::")
            || matches!(name, ".serve" | ".serve_with_shutdown") && file.contains("tonic::")
            || matches!(name, ".run" | ".bind_with_graceful_shutdown" | ".bind")
                && file.contains("warp::serve");
        let address =
            ends("SocketAddr::from") || ends("SocketAddr::new") || name == ".with_http_listener";
        if !certain && !address {
            return;
        }
        if certain {
            self.item.listens.push(span(self.source, node));
            if name.contains("rocket") {
                self.push(8000, Rank::Default, false);
            }
        }
        let written: Vec<String> = arguments
            .iter()
            .map(|argument| self.source.text_of(*argument).to_owned())
            .collect();
        let metrics = name == ".with_http_listener";
        let rank = if certain {
            Rank::Listens
        } else {
            Rank::Address
        };
        for text in &written {
            let name = text.trim_start_matches('&').trim();
            let known = self.bound.get(name).cloned();
            let value = known.as_deref().unwrap_or(text);
            if value.contains("127.0.0.1")
                || value.contains("[::1]")
                || value.contains("127, 0, 0, 1")
            {
                self.item.loopback.push(span(self.source, node));
            }
            if let Some(port) = port_within(value) {
                self.push(port, rank, metrics);
            }
        }
    }

    fn push(&mut self, port: u16, rank: Rank, metrics: bool) {
        self.item.ports.push(PortHint {
            rank,
            port,
            metrics,
        });
    }

    fn routes(
        &mut self,
        node: Node<'_>,
        name: &str,
        arguments: &[Node<'_>],
        texts: &[String],
        prefix: &str,
    ) -> Option<String> {
        let path = texts.first()?;
        let last = name.rsplit("::").next().unwrap_or(name);
        match last.trim_start_matches('.') {
            "nest" | "scope" | "nest_service" | "with_path" if path.starts_with('/') => {
                let inside = arguments.get(1).map(|inside| self.source.text_of(*inside));
                if let Some(callee) = inside.and_then(|text| text.strip_suffix("()")) {
                    let callee = callee.rsplit("::").next().unwrap_or(callee);
                    let whole = joined(prefix, path);
                    self.item.nests.push((callee.to_owned(), whole));
                }
                Some(joined(prefix, path))
            }
            "mount" if path.starts_with('/') => {
                let inside = arguments.get(1).map(|inside| self.source.text_of(*inside));
                let listed = inside.and_then(|text| text.split_once("routes!"));
                let names = listed.map_or("", |(_, list)| list.trim_matches(['[', ']', '(', ')']));
                for name in names.split(',') {
                    let name = name.rsplit("::").next().unwrap_or(name).trim();
                    self.item
                        .nests
                        .push((name.to_owned(), joined(prefix, path)));
                    self.item.mentions.insert(name.to_owned());
                    self.item.certain.insert(name.to_owned());
                }
                None
            }
            "route" | "resource" | "at" | "path" | "route_service" => {
                // `warp::path("health")` has no slash.
                let is_path = path.starts_with('/') || name.ends_with("warp::path");
                let text = self.source.text_of(node);
                let before = text.rfind(path.as_str()).map_or(text, |at| &text[at..]);
                let others = ["post(", "put(", "delete(", "patch("];
                let gets = before.contains("get(")
                    || before.contains("get)")
                    || !others.iter().any(|other| before.contains(other));
                if is_path && gets {
                    self.item.routes.push(RouteHint {
                        path: joined(prefix, path),
                        span: span(self.source, node),
                    });
                }
                None
            }
            _ => None,
        }
    }

    /// `warp::path!("health")`, `routes![index]`, `tokio::select! {…}`.
    fn invocation(&mut self, node: Node<'_>) {
        let name = node
            .child_by_field_name("macro")
            .map(|name| self.source.text_of(name))
            .unwrap_or_default();
        let whole = self.source.text_of(node);
        // What a macro is given is no syntax of the language: `tokio::select! { done = axum::serve(…) => … }`.
        let serves = ["axum::serve(", "axum_server::bind", "Server::bind("];
        if serves.iter().any(|call| whole.contains(call)) {
            self.item.listens.push(span(self.source, node));
        }
        if name.ends_with("path") {
            let parts: Vec<&str> = whole
                .split('(')
                .nth(1)
                .unwrap_or_default()
                .trim_end_matches(')')
                .split('/')
                .map(str::trim)
                .collect();
            let plain: Option<Vec<&str>> = parts
                .iter()
                .map(|part| part.strip_prefix('"')?.strip_suffix('"'))
                .collect();
            if let Some(parts) = plain {
                self.item.routes.push(RouteHint {
                    path: format!("/{}", parts.join("/")),
                    span: span(self.source, node),
                });
            }
        }
    }
}

/// The port in an address as sources write it: `"0.0.0.0:80"`, `("0.0.0.0", 80)`, `([0, 0, 0, 0], 80)`.
fn port_within(text: &str) -> Option<u16> {
    let literal = text.split('"').nth(1);
    if let Some(port) = literal
        .filter(|literal| literal.contains(':') && !literal.contains('{'))
        .and_then(settings::port_of)
    {
        return Some(port);
    }
    if !text.contains('"') && text.contains(':') && !text.contains('(') {
        return settings::port_of(text);
    }
    let last = text.trim_end_matches([')', ' ', ',', '?', ';']);
    let last = last.rsplit([',', ' ']).next()?;
    settings::port_of(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_in_many_ways() {
        for text in [
            "\"0.0.0.0:8080\"",
            "&\"0.0.0.0:8080\".parse()?",
            "(\"0.0.0.0\", 8080)",
            "([0, 0, 0, 0], 8080)",
            "0.0.0.0:8080",
        ] {
            assert_eq!(port_within(text), Some(8080), "{text}");
        }
        assert_eq!(port_within("addr"), None);
        assert_eq!(port_within("format!(\"{}:{}\", host, port)"), None);
    }
}

/// Which loop a `break` would leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Own,
    Another,
}

/// Whether anything in a loop leaves it; what ends a closure or a loop inside of it does not.
fn leaves(node: Node<'_>, within: Within, depth: usize) -> bool {
    depth < DEPTH
        && named_children(node)
            .into_iter()
            .any(|child| match child.kind() {
                "break_expression" => within == Within::Own,
                "return_expression" => true,
                "closure_expression" | "async_block" | "function_item" => false,
                "loop_expression" | "while_expression" | "for_expression" => {
                    leaves(child, Within::Another, depth + 1)
                }
                _ => leaves(child, within, depth + 1),
            })
}
