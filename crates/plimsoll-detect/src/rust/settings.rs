//! Variables, arguments and settings that a Rust program reads, with their defaults.

use plimsoll_diag::Span;
use tree_sitter::Node;

use super::calls::HANDS_ON;
use super::item::{Field, Item, PortHint, Rank};
use super::source::{is_text, span, text};
use crate::found::FoundVariable;
use crate::ports::is_of_a_need;
use crate::syntax::{Source, named_children};

/// Clients of rig's providers that end the program where their key is not set.
const PROVIDERS: &[(&str, &str)] = &[
    ("anthropic", "ANTHROPIC_API_KEY"),
    ("azure", "AZURE_API_KEY"),
    ("cohere", "COHERE_API_KEY"),
    ("deepseek", "DEEPSEEK_API_KEY"),
    ("gemini", "GEMINI_API_KEY"),
    ("groq", "GROQ_API_KEY"),
    ("mistral", "MISTRAL_API_KEY"),
    ("openai", "OPENAI_API_KEY"),
    ("openrouter", "OPENROUTER_API_KEY"),
    ("perplexity", "PERPLEXITY_API_KEY"),
    ("xai", "XAI_API_KEY"),
];

/// The variable that a provider's `Client::from_env` reads.
pub(super) fn of_provider(path: &str) -> Option<&'static str> {
    let module = path.strip_suffix("::Client::from_env")?;
    let module = module.rsplit("::").next()?;
    PROVIDERS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, variable)| *variable)
}

/// Whether a text is spelled as variables are.
pub(super) fn is_variable(text: &str) -> bool {
    text.len() > 1
        && !text.ends_with('_')
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Whether an address is one that only this machine's own programs reach.
pub(super) fn is_loopback(address: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]", "::1"]
        .iter()
        .any(|own| address == *own || address.starts_with(&format!("{own}:")))
}

/// The same address, reachable from elsewhere.
pub(super) fn reachable(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((_, port)) if address != "::1" => format!("0.0.0.0:{port}"),
        _ => "0.0.0.0".to_owned(),
    }
}

/// The port of an address or number: `0.0.0.0:8080`, `8080`, `8080u16`.
pub(super) fn port_of(address: &str) -> Option<u16> {
    let number = address.rsplit(':').next()?;
    let number = number.trim_end_matches("u16").trim_end_matches('_');
    // Smaller numbers count something else.
    number.parse().ok().filter(|port| *port >= 80)
}

fn says(name: &str, words: &[&str]) -> bool {
    name.split(['_', '-', '.'])
        .any(|part| words.contains(&part))
}

/// Whether a function of this name reads a variable that it is given the name of, as far as people
/// write such functions: `read_port("APP_PORT")`.
pub(super) fn is_reader(function: &str) -> bool {
    const VERBS: &[&str] = &[
        "read_", "get_", "load_", "parse_", "optional", "opt_", "fetch_",
    ];
    let last = function.rsplit("::").next().unwrap_or(function);
    VERBS.iter().any(|verb| last.starts_with(verb))
}

/// Whether something of this name says where the program itself listens.
pub(super) fn listens_by(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    says(&lower, &["host", "ip", "addr", "address", "listen", "bind"]) && !is_of_a_need(&lower)
}

/// The port that a default gives the program itself.
pub(super) fn own_port(name: &str, default: Option<&str>) -> Option<PortHint> {
    let lower = name.to_ascii_lowercase();
    if !says(&lower, &["port", "addr", "address", "listen", "bind"]) || is_of_a_need(&lower) {
        return None;
    }
    let plain = lower
        .split(['_', '-', '.'])
        .all(|part| PLAIN.contains(&part));
    Some(PortHint {
        rank: if plain {
            Rank::Default
        } else {
            Rank::Mentioned
        },
        port: port_of(default?)?,
        metrics: lower.contains("metric"),
    })
}

/// Words of names that say nothing of which part of a program listens.
const PLAIN: &[&str] = &[
    "port", "addr", "address", "listen", "bind", "host", "ip", "http", "https", "web", "api",
    "rest", "server", "service", "app", "main", "default", "socket", "to", "on", "mcp", "metrics",
];

/// `env::var("PORT")` and what is made of it: `.unwrap_or("3000")`, `.expect("…")`, `?`.
pub(super) fn read(source: &Source, call: Node<'_>, name: &str, item: &mut Item) {
    let mut default = None;
    let mut required = false;
    let mut others: Vec<String> = Vec::new();
    let mut node = call;
    // As far as people chain calls on one value.
    for _ in 0..16 {
        let Some(parent) = node.parent() else { break };
        match parent.kind() {
            "field_expression" | "parenthesized_expression" | "await_expression" => {}
            // What gives nothing back does not end anything.
            "try_expression" => required = default.is_none() && gives_errors(source, call),
            "call_expression" if parent.child_by_field_name("function") == Some(node) => {
                let method = source.text_of(node).rsplit('.').next().unwrap_or_default();
                let method = method.split("::").next().unwrap_or_default();
                match method {
                    "unwrap" | "expect" => {
                        let otherwise = guarded(source, call, name);
                        required = default.is_none() && otherwise.is_none();
                        default = default.or(otherwise.flatten());
                        break;
                    }
                    "unwrap_or" | "unwrap_or_else" | "map_or" | "unwrap_or_default" => {
                        let arguments = parent.child_by_field_name("arguments");
                        default = arguments
                            .and_then(|node| literal(source, node, 0))
                            .or(default);
                        // `.unwrap_or_else(|_| panic!("…"))`
                        let ends = arguments.is_some_and(|node| ends_work(source, node));
                        required = ends && default.is_none();
                        if default.is_none() {
                            break;
                        }
                    }
                    // Something else stands in where it is not there: another variable, or what is no matter here.
                    "or_else" | "or" => {
                        let arguments = parent.child_by_field_name("arguments");
                        let read = arguments
                            .map(|node| variables_in(source, node))
                            .unwrap_or_default();
                        if read.is_empty() {
                            break;
                        }
                        others.extend(read);
                    }
                    _ => {}
                }
            }
            // `match env::var("X") { Ok(x) => x, Err(_) => exit(1) }`
            "match_expression" if parent.child_by_field_name("value") == Some(node) => {
                required = default.is_none()
                    && parent
                        .child_by_field_name("body")
                        .is_some_and(|body| ends_work(source, body));
                break;
            }
            _ => break,
        }
        node = parent;
    }
    item.ports.extend(own_port(name, default.as_deref()));
    let place = span(source, call);
    let required = required && !is_handed_on(source, call) && !depends(source, call);
    let alone = others.is_empty();
    let several = match required {
        true => FoundVariable::one_of(std::iter::once(name.to_owned()).chain(others), &place),
        false => Vec::new(),
    };
    let required = required && alone;
    item.variables.extend(several);
    item.variables
        .push(FoundVariable::read(name, default, place).required(required));
}

/// Whether the function around a node gives an error back where something fails.
fn gives_errors(source: &Source, node: Node<'_>) -> bool {
    let mut around = std::iter::successors(node.parent(), |above| above.parent());
    let function = around.find(|above| above.kind() == "function_item");
    let result = function.and_then(|function| function.child_by_field_name("return_type"));
    result.is_none_or(|result| !source.text_of(result).starts_with("Option"))
}

/// The variables that an expression reads: `|_| env::var("OTHER")`.
fn variables_in(source: &Source, node: Node<'_>) -> Vec<String> {
    let text = source.text_of(node);
    let read = text.split("env::var").skip(1).filter_map(|rest| {
        let name = rest.split(')').next()?.split('"').nth(1)?;
        is_variable(name).then(|| name.to_owned())
    });
    read.collect()
}

/// Whether a condition stands before a node, other than which command was given and what is not there otherwise.
fn depends(source: &Source, node: Node<'_>) -> bool {
    let mut inner = node;
    while let Some(around) = inner.parent() {
        if around.kind() == "function_item" {
            return false;
        }
        if is_conditional(source, around, inner) {
            return true;
        }
        inner = around;
    }
    false
}

/// Whether a part of a node runs in some cases only, other than when a command was given.
pub(super) fn is_conditional(source: &Source, around: Node<'_>, part: Node<'_>) -> bool {
    match around.kind() {
        "if_expression" => around.child_by_field_name("condition") != Some(part),
        "match_arm" if around.child_by_field_name("pattern") != Some(part) => {
            let value = std::iter::successors(around.parent(), |above| above.parent())
                .find(|above| above.kind() == "match_expression")
                .and_then(|one| one.child_by_field_name("value"));
            let value = value
                .map_or("", |value| source.text_of(value))
                .to_ascii_lowercase();
            let chosen = ["command", "cmd", "args", "cli", "mode"];
            // A variable is no command, whatever it is called.
            value.contains("env::var") || !chosen.iter().any(|word| value.contains(word))
        }
        _ => false,
    }
}

/// Whether a node stands in a closure that is called for each request: `get(|| async { … })`.
fn is_handed_on(source: &Source, node: Node<'_>) -> bool {
    let mut closures = std::iter::successors(node.parent(), |around| around.parent())
        .take_while(|around| around.kind() != "function_item")
        .filter(|around| around.kind() == "closure_expression");
    closures.any(|closure| {
        let call = closure.parent().and_then(|arguments| arguments.parent());
        let called = call.and_then(|call| call.child_by_field_name("function"));
        called.is_some_and(|called| {
            let text = source.text_of(called);
            let last = text.rsplit([':', '.']).next().unwrap_or(text);
            HANDS_ON.contains(&last)
        })
    })
}

/// Whether something ends the work: it panics, or leaves the program.
fn ends_work(source: &Source, node: Node<'_>) -> bool {
    let text = source.text_of(node);
    text.contains("panic!(") || text.contains("exit(")
}

/// What a function does with a variable that a parameter names: which parameter, and whether it ends without it.
pub(super) fn helper(source: &Source, call: Node<'_>, name: Node<'_>) -> Option<(usize, bool)> {
    let mut around = call.parent()?;
    while around.kind() != "function_item" {
        around = around.parent()?;
    }
    let wanted = source.text_of(name).trim_start_matches('&');
    let parameters = named_children(around.child_by_field_name("parameters")?);
    let position = parameters
        .into_iter()
        .filter(|one| one.kind() == "parameter")
        .position(|one| {
            one.child_by_field_name("pattern")
                .is_some_and(|pattern| source.text_of(pattern) == wanted)
        })?;
    let mut read_of = Item::default();
    read(source, call, "A", &mut read_of);
    let fallible = around
        .child_by_field_name("return_type")
        .is_some_and(|result| {
            ["Result", "Option"]
                .iter()
                .any(|word| source.text_of(result).contains(word))
        });
    let insists = read_of.variables.iter().any(|variable| variable.required);
    Some((position, insists && !fallible))
}

/// What stands for a variable in the other branch, where it is read only if it is there:
/// `if env::var("PORT").is_ok() { … } else { 8080 }`.
#[expect(
    clippy::option_option,
    reason = "a branch that says no value is another thing than no branch"
)]
fn guarded(source: &Source, call: Node<'_>, name: &str) -> Option<Option<String>> {
    let mut node = call;
    for _ in 0..16 {
        node = node.parent()?;
        if node.kind() == "function_item" {
            return None;
        }
        let Some(condition) = node.child_by_field_name("condition") else {
            continue;
        };
        let asked = source.text_of(condition);
        let inside = condition.byte_range().contains(&call.start_byte());
        if node.kind() == "if_expression"
            && !inside
            && ['"', '(']
                .iter()
                .any(|before| asked.contains(&format!("{before}{name}")))
            && (asked.contains(".is_ok()") || asked.contains("Ok("))
        {
            let other = node.child_by_field_name("alternative");
            let value = other
                .filter(|other| other.end_byte() - other.start_byte() < 80)
                .and_then(|other| literal(source, other, 0));
            return Some(value);
        }
    }
    None
}

/// The port that a function gives where nothing else does: `fn default_port() -> u16 { 8080 }`.
pub(super) fn given(source: &Source, function: Node<'_>, name: &str) -> Option<PortHint> {
    let body = function.child_by_field_name("body")?;
    let only = match named_children(body).as_slice() {
        [only] if name.starts_with("default_") => literal(source, *only, 0)?,
        _ => return None,
    };
    own_port(name, Some(&only))
}

/// What stands in for a value that may not be there: `3000` of `settings.get("port").unwrap_or(3000)`.
pub(super) fn otherwise(source: &Source, value: Node<'_>) -> Option<String> {
    if value.kind() != "call_expression" {
        return None;
    }
    let function = source.text_of(value.child_by_field_name("function")?);
    let last = function.rsplit('.').next()?;
    matches!(last, "unwrap_or" | "unwrap_or_else")
        .then(|| literal(source, value.child_by_field_name("arguments")?, 0))?
}

/// The first literal inside of a node.
fn literal(source: &Source, node: Node<'_>, depth: usize) -> Option<String> {
    if is_text(node) {
        return Some(text(source, node));
    }
    if matches!(node.kind(), "integer_literal" | "boolean_literal") {
        return Some(source.text_of(node).trim_end_matches("u16").to_owned());
    }
    let plain = source.text_of(node);
    if plain.ends_with("Addr::LOCALHOST") {
        return Some("127.0.0.1".to_owned());
    }
    if let Some((_, parts)) = plain.split_once("Ipv4Addr::new(")
        && node.kind() == "call_expression"
    {
        let parts: Vec<&str> = parts
            .trim_end_matches(')')
            .split(',')
            .map(str::trim)
            .collect();
        return Some(parts.join("."));
    }
    if depth > 8 || node.kind() == "macro_invocation" {
        return None;
    }
    named_children(node)
        .into_iter()
        .find_map(|child| literal(source, child, depth + 1))
}

/// The fields of a type that arguments or settings are read into, and the subcommands of one.
pub(super) fn of_type(source: &Source, node: Node<'_>, attributes: &str, item: &mut Item) {
    let derives = |name: &str| attributes.contains(name);
    let arguments = ["Parser", "Args", "StructOpt"]
        .iter()
        .any(|name| derives(name));
    if derives("Subcommand") || node.kind() == "enum_item" && arguments {
        let body = node.child_by_field_name("body");
        for variant in body.map(named_children).unwrap_or_default() {
            if let Some(name) = variant.child_by_field_name("name") {
                let command = kebab(source.text_of(name));
                item.commands.push(command.clone());
                // `Run(RunOptions)`
                let body = variant.child_by_field_name("body");
                for kind in body.map(named_children).unwrap_or_default() {
                    let kind = source
                        .text_of(kind)
                        .trim_start_matches("Box<")
                        .trim_end_matches('>');
                    let kind = kind.rsplit("::").next().unwrap_or(kind).to_owned();
                    item.taken.push((command.clone(), kind));
                }
            }
        }
    }
    if !arguments && !derives("Deserialize") {
        return;
    }
    let Some(body) = node.child_by_field_name("body") else {
        return;
    };
    let mut stated = String::new();
    for field in named_children(body) {
        match field.kind() {
            "attribute_item" => stated.push_str(source.text_of(field)),
            "field_declaration" => {
                let stated = std::mem::take(&mut stated);
                let part = |name| {
                    let node = field.child_by_field_name(name)?;
                    Some(source.text_of(node).to_owned())
                };
                let (Some(name), Some(kind)) = (part("name"), part("type")) else {
                    continue;
                };
                let place = span(source, field);
                if arguments {
                    argument(&stated, &name, &kind, place, item);
                } else {
                    // `#[serde(default = "default_port")]`
                    let given = stated.split_once("default").and_then(|(_, rest)| {
                        rest.trim_start().strip_prefix('=')?.split('"').nth(1)
                    });
                    item.mentions.extend(given.map(str::to_owned));
                    item.certain.extend(given.map(str::to_owned));
                    let optional = kind.starts_with("Option") || stated.contains("default");
                    item.fields.push(Field {
                        name: renamed(&stated).unwrap_or(name),
                        required: !optional,
                        span: place,
                    });
                }
            }
            _ => {}
        }
    }
}

/// `#[serde(rename = "X")]`.
fn renamed(attributes: &str) -> Option<String> {
    let (_, rest) = attributes.split_once("rename")?;
    let value = rest.trim_start().strip_prefix('=')?;
    Some(value.split('"').nth(1)?.to_owned())
}

/// `#[arg(long, env = "PORT", default_value = "8080")]`.
fn argument(attributes: &str, name: &str, kind: &str, place: Span, item: &mut Item) {
    let options = options(attributes);
    let value = |wanted: &str| {
        options
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let default = [
        "default_value",
        "default_value_t",
        "default_values_t",
        "default_value_os_t",
    ]
    .iter()
    .find_map(|key| value(key))
    .filter(|default| !default.contains("::") && !default.contains('('));
    let has_default = options
        .iter()
        .any(|(name, _)| name.starts_with("default_value"));
    item.ports.extend(own_port(name, default.as_deref()));
    item.quiet |= name.contains("transport") && default.as_deref() == Some("stdio");
    let Some(stated) = value("env") else {
        let long = options.iter().find(|(name, _)| name == "long");
        if let (Some((_, flag)), Some(default)) = (long, default)
            && is_loopback(&default)
        {
            let flag = match flag.trim_matches('"') {
                "" => name.replace('_', "-"),
                flag => flag.to_owned(),
            };
            item.addresses.push((format!("--{flag}"), default));
        }
        return;
    };
    let variable_name = if stated.is_empty() {
        name.to_ascii_uppercase()
    } else {
        stated
    };
    if !is_variable(&variable_name) {
        return;
    }
    let optional = ["Option", "Vec", "bool"]
        .iter()
        .any(|start| kind.starts_with(start));
    let read = FoundVariable::read(&variable_name, default, place);
    item.variables
        .push(read.required(!optional && !has_default));
}

/// `name = value` and `name` of attributes, as far as commas outside of brackets and quotes part them.
fn options(attributes: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for start in ["arg(", "clap(", "structopt("] {
        for (at, _) in attributes.match_indices(start) {
            let mut depth = 0_u32;
            let mut quoted = false;
            let mut part = String::new();
            let mut parts = Vec::new();
            for character in attributes[at + start.len()..].chars() {
                match character {
                    '"' => quoted = !quoted,
                    '(' | '[' | '{' if !quoted => depth += 1,
                    ')' | ']' | '}' if !quoted => {
                        if depth == 0 {
                            break;
                        }
                        depth -= 1;
                    }
                    ',' if !quoted && depth == 0 => {
                        parts.push(std::mem::take(&mut part));
                        continue;
                    }
                    _ => {}
                }
                part.push(character);
            }
            parts.push(part);
            found.extend(parts.iter().map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                (name.trim().to_owned(), value.trim().to_owned())
            }));
        }
    }
    found
}

/// `RunServer` → `run-server`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for (index, character) in name.chars().enumerate() {
        if character.is_uppercase() && index > 0 {
            text.push('-');
        }
        text.extend(character.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_gives_its_options() {
        let found = options("#[arg(long, env = \"A,B\", value_parser(x, y))]#[clap(env)]");
        let shown: Vec<String> = found
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            shown,
            ["env=", "long=", "env=\"A,B\"", "value_parser(x, y)="]
                .map(str::to_owned)
                .into_iter()
                .skip(1)
                .chain(["env=".to_owned()])
                .collect::<Vec<_>>()
        );
        assert_eq!(kebab("RunServer"), "run-server");
    }

    #[test]
    fn only_the_programs_own_port_counts() {
        let port = |name, default| own_port(name, Some(default)).map(|hint| hint.port);
        assert_eq!(port("PORT", "8080"), Some(8080));
        assert_eq!(port("bind_addr", "0.0.0.0:81"), Some(81));
        assert_eq!(port("DB_PORT", "5432"), None);
        assert_eq!(port("title", "1"), None);
    }
}
