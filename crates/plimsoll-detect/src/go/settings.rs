//! Variables, flags and settings that a Go program reads, with their defaults.

use tree_sitter::Node;

use super::fields;
use super::function::{Function, PortHint, Rank};
use super::gathered;
use super::package::{is_text, port_of, span, text};
use super::transport;
use crate::found::FoundVariable;
use crate::needs::kind_of;
use crate::ports::is_of_a_need;
use crate::syntax::{DEPTH, Source, named_children};

/// What may stand before `port` in one word.
const OWN: &[&str] = &[
    "http", "web", "api", "server", "listen", "app", "metrics", "service", "grpc", "bind",
];

/// Whether a text is spelled as variables are.
pub(super) fn is_variable(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The port that a variable's or flag's default gives the program itself.
pub(super) fn own_port(name: &str, default: Option<&str>) -> Option<PortHint> {
    let lower = name.to_ascii_lowercase();
    let says = |part: &str| {
        ["port", "addr", "address", "listen", "bind"]
            .iter()
            .any(|word| {
                part.strip_suffix(word)
                    .is_some_and(|before| before.is_empty() || OWN.contains(&before))
            })
    };
    let listens = lower.split(['_', '-', '.']).any(says);
    if !listens || is_of_a_need(name) {
        return None;
    }
    let plain = lower
        .split(['_', '-', '.'])
        .all(|part| says(part) || OWN.contains(&part) || part == "main" || part == "mcp");
    Some(PortHint {
        rank: match plain {
            true => Rank::Default,
            false => Rank::Named,
        },
        port: port_of(default?)?,
        metrics: lower.contains("metric"),
    })
}

/// `os.Getenv`, helpers around it that take a default, flags, viper.
pub(super) fn call(
    source: &Source,
    node: Node<'_>,
    name: &str,
    arguments: &[Node<'_>],
    function: &mut Function,
) {
    let method = name.rsplit('.').next().unwrap_or(name);
    let first = arguments.first().filter(|node| is_text(**node));
    let Some(first) = first.map(|node| text(source, *node)) else {
        bound_flag(source, method, arguments, function);
        return;
    };
    function.quiet |= transport::chooses_stdio(source, method, arguments);
    let literal = |index: usize| {
        let node = arguments.get(index)?;
        let plain = is_text(*node) || matches!(node.kind(), "int_literal" | "true" | "false");
        plain.then(|| text(source, *node))
    };
    let place = span(source, node);
    if matches!(name, "os.Getenv" | "os.LookupEnv" | "syscall.Getenv") {
        function
            .variables
            .push(FoundVariable::read(&first, None, place));
        return;
    }
    let lower = name.to_ascii_lowercase();
    let default = literal(1);
    // A helper of the project, or of a library, that reads a variable.
    let sets = matches!(method, "Setenv" | "Unsetenv") || method.ends_with("BindEnv");
    if lower.contains("env") && is_variable(&first) && !sets {
        let must = ["must", "require"].iter().any(|word| lower.contains(word));
        function.ports.extend(own_port(&first, default.as_deref()));
        let required = must && arguments.len() == 1 && !depends(source, node);
        function
            .variables
            .push(FoundVariable::read(&first, default, place).required(required));
        return;
    }
    if reads_setting(&lower, method)
        && arguments.len() == 2
        && default.is_some()
        && is_setting(&first)
    {
        function.ports.extend(own_port(&first, default.as_deref()));
        function
            .variables
            .push(FoundVariable::read(&first, default, place));
        return;
    }
    match method {
        "BindEnv" | "MustBindEnv" => {
            for index in 1..arguments.len().max(2) {
                if let Some(bound) = literal(index).filter(|bound| is_variable(bound)) {
                    function
                        .variables
                        .push(FoundVariable::read(&bound, None, place.clone()));
                }
            }
        }
        "SetDefault" => {
            function.ports.extend(own_port(&first, default.as_deref()));
            if source.text.contains(".AutomaticEnv()") {
                let bound = first.to_ascii_uppercase().replace(['.', '-'], "_");
                function
                    .variables
                    .push(FoundVariable::read(&bound, default, place));
            }
        }
        "Int" | "String" | "Uint" | "IntP" | "StringP" | "Uint16" => {
            let default = if method.ends_with('P') {
                literal(2)
            } else {
                default
            };
            function.ports.extend(own_port(&first, default.as_deref()));
        }
        _ => {}
    }
}

/// Whether a function gives a setting by its name, with a default: `getString`, `viper.GetInt`, `cfg.Get`.
fn reads_setting(called: &str, method: &str) -> bool {
    let gives = ["get", "lookup", "read"];
    let gives = gives
        .iter()
        .any(|word| method.to_ascii_lowercase().starts_with(word));
    let of_settings = match called.rsplit_once('.') {
        None => true,
        Some((before, _)) => ["viper", "conf", "cfg", "setting"]
            .iter()
            .any(|word| before.contains(word)),
    };
    gives && of_settings
}

/// Whether a text is spelled as variables of the environment are, and no constant of something else.
fn is_setting(text: &str) -> bool {
    is_variable(text) && (text.contains('_') || matches!(text, "PORT" | "HOST"))
}

/// `flag.IntVar(&port, "port", 8080, "…")` names its flag second.
fn bound_flag(source: &Source, method: &str, arguments: &[Node<'_>], function: &mut Function) {
    if !method.ends_with("Var") && !method.ends_with("VarP") {
        return;
    }
    function.quiet |= transport::chooses_stdio(source, method, arguments);
    fields::flag(source, arguments, function);
    let texts = |index: usize| arguments.get(index).map(|node| text(source, *node));
    let at = if method.ends_with('P') { 3 } else { 2 };
    if let (Some(name), Some(default)) = (texts(1), texts(at)) {
        function.ports.extend(own_port(&name, Some(&default)));
    }
}

/// `port := os.Getenv("PORT")`: remembers by which name the function knows the variable.
pub(super) fn assigned(source: &Source, call: Node<'_>, name: &str, function: &mut Function) {
    let Some(called) = call.child_by_field_name("function") else {
        return;
    };
    let called = source.text_of(called);
    let arguments = call
        .child_by_field_name("arguments")
        .map(named_children)
        .unwrap_or_default();
    // `port := flag.String("p", "8080", "…")`: the name says more than the flag's.
    let flag = called.rsplit_once('.').map(|(_, method)| method);
    if matches!(flag, Some("Int" | "String" | "Uint" | "IntP" | "StringP")) {
        let at = if called.ends_with('P') { 2 } else { 1 };
        let default = arguments.get(at);
        if let Some(variable) = default.and_then(|node| fields::read(source.text_of(*node))) {
            function.known_as.insert(format!("*{name}"), variable);
        }
        let default = default.map(|node| text(source, *node));
        function.ports.extend(own_port(name, default.as_deref()));
        return;
    }
    if !matches!(called, "os.Getenv" | "os.LookupEnv") {
        return;
    }
    if let Some(first) = arguments.first().filter(|node| is_text(**node)) {
        function
            .known_as
            .insert(name.to_owned(), text(source, *first));
    }
}

/// `key, ok := os.LookupEnv("KEY")`: `!ok` asks whether the variable is there.
pub(super) fn looked_up(source: &Source, call: Node<'_>, found: &str, function: &mut Function) {
    let called = call.child_by_field_name("function");
    if called.is_some_and(|called| source.text_of(called) == "os.LookupEnv") {
        assigned(source, call, found, function);
    }
}

/// `if port == "" { port = "8080" }` gives a default; `if key == "" { log.Fatal(…) }` requires one.
pub(super) fn condition(source: &Source, node: Node<'_>, function: &mut Function) {
    // The variable may be read in the condition itself.
    if let Some(first) = node.child_by_field_name("initializer")
        && let (Some(left), Some(right)) = (
            first.child_by_field_name("left"),
            first.child_by_field_name("right"),
        )
        && let Some(call) = named_children(right).first()
    {
        let name = source.text_of(left).split(',').next().unwrap_or_default();
        assigned(source, *call, name.trim(), function);
        if let Some(found) = source.text_of(left).split(',').nth(1) {
            function.known_as.remove(found.trim());
            looked_up(source, *call, found.trim(), function);
        }
    }
    let Some(condition) = node.child_by_field_name("condition") else {
        return;
    };
    let Some(body) = node.child_by_field_name("consequence") else {
        return;
    };
    let asked = source.text_of(condition);
    if asked.contains("&&") {
        one_of(source, node, function);
        return;
    }
    let direct = asked
        .strip_prefix("os.Getenv(\"")
        .and_then(|rest| rest.strip_suffix("\") == \"\""))
        .map(|name| (String::new(), name.to_owned()));
    // Of several checks each is enough: `!ok || key == "" || other == ""`.
    let parts = asked.split("||").map(str::trim).filter_map(|asked| {
        let name = fields::emptiness(asked)?;
        let known = function.known_as.get(name).cloned();
        let known = known.or_else(|| super::tagged::variable(source, name));
        Some((name.to_owned(), known.or_else(|| fields::read(name))?))
    });
    let mut parts: Vec<(String, String)> = parts.collect();
    parts.reverse();
    let first = direct.or_else(|| parts.pop());
    let Some((local, name)) = first else {
        fields::asked(source, node, (condition, body), function);
        return;
    };
    let text_of_body = source.text_of(body);
    let default = text_of_body
        .lines()
        .find_map(|line| {
            let rest = line.trim().strip_prefix(local.as_str())?.trim_start();
            let value = rest.strip_prefix('=')?.trim();
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            Some(value.to_owned())
        })
        .filter(|_| !local.is_empty());
    // From here on it holds something, whatever is asked of it.
    if default.as_deref().is_some_and(|text| !text.is_empty()) {
        function.known_as.remove(&local);
    }
    // A value that the body works out by itself is a default as well.
    let replaced = !local.is_empty()
        && text_of_body.lines().any(|line| {
            line.trim()
                .strip_prefix(local.as_str())
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        });
    let ends = ends(text_of_body) || gathered::ends_later(source, node, body);
    // The program is over where `main` is.
    let ends = ends
        || !replaced
            && function.name == "main"
            && is_last(source, body, "return")
            && !within_another(node);
    let refuses = !depends(source, node)
        && (ends || !replaced && !answers_requests(source, node) && gives_error(text_of_body));
    if let Some(found) = function
        .variables
        .iter_mut()
        .rev()
        .find(|found| found.name == name)
    {
        found.required |= refuses && default.is_none();
        if default.is_some() {
            found.kind = kind_of(&name, default.as_deref(), None);
            found.default = default.clone();
        }
    } else {
        let place = span(source, condition);
        let read = FoundVariable::read(&name, default.clone(), place);
        function
            .variables
            .push(read.required(refuses && default.is_none()));
    }
    function.ports.extend(own_port(&name, default.as_deref()));
    for (_, other) in parts.iter().filter(|(_, other)| *other != name && refuses) {
        let place = span(source, condition);
        let read = FoundVariable::read(other, None, place);
        function.variables.push(read.required(true));
    }
}

/// `switch os.Getenv("X") { case "a": … default: return fmt.Errorf(…) }`: it does not go on without a value.
pub(super) fn chosen(source: &Source, node: Node<'_>, function: &mut Function) {
    let Some(value) = node.child_by_field_name("value") else {
        return;
    };
    let asked = source.text_of(value);
    let direct = asked
        .strip_prefix("os.Getenv(\"")
        .and_then(|rest| rest.strip_suffix("\")"))
        .map(str::to_owned);
    let Some(name) = direct.or_else(|| function.known_as.get(asked).cloned()) else {
        return;
    };
    let cases = named_children(node);
    let empty = cases.iter().any(|case| {
        let value = case.child_by_field_name("value");
        value.is_some_and(|value| source.text_of(value).contains("\"\""))
    });
    let default = cases.iter().find(|case| case.kind() == "default_case");
    let refuses = default.is_some_and(|default| {
        let body = source.text_of(*default);
        ends(body) || gives_error(body)
    });
    if refuses && !empty && !depends(source, node) && !answers_requests(source, node) {
        let place = span(source, value);
        function
            .variables
            .push(FoundVariable::read(&name, None, place).required(true));
    }
}

/// Whether a body gives an error back; one that is only told of is none.
pub(super) fn gives_error(body: &str) -> bool {
    let mut given = body.split("return").skip(1);
    given.any(|rest| {
        ["errors.New", "fmt.Errorf"]
            .iter()
            .any(|made| rest.contains(made))
    })
}

/// Whether a body ends the program.
pub(super) fn ends(body: &str) -> bool {
    [
        "log.Fatal",
        "panic(",
        "os.Exit",
        "Fatal(",
        "Fatalf(",
        "Fatalln(",
    ]
    .iter()
    .any(|word| body.contains(word))
}

/// `if os.Getenv("A") == "" && other == "" { log.Fatal(…) }`: one of them is enough.
fn one_of(source: &Source, node: Node<'_>, function: &mut Function) {
    let (Some(condition), Some(body)) = (
        node.child_by_field_name("condition"),
        node.child_by_field_name("consequence"),
    ) else {
        return;
    };
    let body = source.text_of(body);
    let refuses = ends(body) || !answers_requests(source, node) && gives_error(body);
    if !refuses || depends(source, node) {
        return;
    }
    let names: Option<Vec<String>> = source
        .text_of(condition)
        .split("&&")
        .map(|asked| {
            let asked = asked.trim().trim_matches(['(', ')']);
            let value = asked
                .strip_suffix(" == \"\"")
                .or_else(|| asked.strip_prefix('!'))?;
            let direct = value
                .strip_prefix("os.Getenv(\"")
                .map(|rest| rest.trim_end_matches(['"', ')']).to_owned());
            direct
                .or_else(|| function.known_as.get(value).cloned())
                .or_else(|| super::tagged::variable(source, value))
        })
        .collect();
    let place = span(source, condition);
    let several = FoundVariable::one_of(names.unwrap_or_default(), &place);
    function.variables.extend(several);
}

/// Whether a block's last statement begins with a word.
fn is_last(source: &Source, block: Node<'_>, word: &str) -> bool {
    let text = source.text_of(block).trim_end_matches('}').trim_end();
    text.lines()
        .last()
        .is_some_and(|line| line.trim_start().starts_with(word))
}

/// Whether a node stands in a function inside of the one that is read.
fn within_another(node: Node<'_>) -> bool {
    std::iter::successors(node.parent(), |around| around.parent())
        .any(|around| around.kind() == "func_literal")
}

/// Whether a condition stands before a node in the function around it. Which command was given is none.
pub(super) fn depends(source: &Source, node: Node<'_>) -> bool {
    let mut inner = node;
    while let Some(around) = inner.parent() {
        if around.kind().ends_with("block") || around.kind() == "statement_list" {
            let mut before =
                std::iter::successors(inner.prev_named_sibling(), |one| one.prev_named_sibling());
            if before.any(|one| leaves_well(source, one)) {
                return true;
            }
        }
        if let Some(conditional) = is_conditional(source, around, inner) {
            return conditional;
        }
        inner = around;
    }
    false
}

/// Whether a statement leaves the function in some case, and nothing is wrong then: `if !c.Enabled { return nil }`.
fn leaves_well(source: &Source, statement: Node<'_>) -> bool {
    let body = statement
        .child_by_field_name("consequence")
        .filter(|_| statement.kind() == "if_statement")
        .map_or("", |body| {
            source.text_of(body).trim_matches(['{', '}']).trim()
        });
    let given = body.strip_prefix("return");
    given.is_some_and(|given| {
        let lower = given.to_ascii_lowercase();
        !lower.contains("err") && !lower.contains('(') && !given.contains('\n')
    })
}

/// Whether a part of a node depends on a condition; `None`: as much as the node itself does.
pub(super) fn is_conditional(source: &Source, around: Node<'_>, part: Node<'_>) -> Option<bool> {
    match around.kind() {
        "function_declaration" | "method_declaration" | "func_literal" => Some(false),
        "if_statement" => ["consequence", "alternative"]
            .iter()
            .any(|branch| around.child_by_field_name(branch) == Some(part))
            .then_some(true),
        "expression_case" | "type_case" => {
            let value = around
                .parent()
                .and_then(|switch| switch.child_by_field_name("value"))
                .map(|value| source.text_of(value).to_ascii_lowercase())
                .unwrap_or_default();
            (!value.contains("arg") && !value.contains("command")).then_some(true)
        }
        _ => None,
    }
}

/// Whether the function around a node is called for each request: an error of it is an answer.
pub(super) fn answers_requests(source: &Source, node: Node<'_>) -> bool {
    let mut above = node.parent();
    while let Some(around) = above {
        if matches!(
            around.kind(),
            "function_declaration" | "method_declaration" | "func_literal"
        ) {
            return around
                .child_by_field_name("parameters")
                .map(|parameters| source.text_of(parameters))
                .is_some_and(|text| {
                    ["Request", "gin.Context", "echo.Context", "fiber.Ctx"]
                        .iter()
                        .any(|kind| text.contains(kind))
                });
        }
        above = around.parent();
    }
    false
}

/// Tags of the fields of a settings structure: `env:"PORT" envDefault:"8080"`.
pub(super) fn tags(source: &Source, node: Node<'_>, function: &mut Function, depth: usize) {
    if depth > DEPTH {
        return;
    }
    if node.kind() == "field_declaration"
        && let Some(tag) = node.child_by_field_name("tag")
    {
        let tag = source.text_of(tag).trim_matches('`');
        let named = value_of(tag, "env")
            .or_else(|| value_of(tag, "envconfig"))
            .or_else(|| super::tagged::of_viper(source, tag));
        if let Some(named) = named {
            let mut parts = named.split(',');
            let name = parts.next().unwrap_or_default().trim().to_owned();
            let flagged = parts.any(|part| matches!(part, "required" | "notEmpty"));
            let default = ["envDefault", "default", "env-default"]
                .iter()
                .find_map(|key| value_of(tag, key))
                .or_else(|| named.split("default=").nth(1).map(str::to_owned));
            let stated = ["required", "env-required"]
                .iter()
                .any(|key| value_of(tag, key).as_deref() == Some("true"));
            let checked = value_of(tag, "validate")
                .is_some_and(|rules| rules.split(',').any(|rule| rule == "required"));
            if is_variable(&name) && checked && default.is_none() {
                let field = node.child_by_field_name("name");
                let field = field.map(|field| source.text_of(field).to_owned());
                let filled = field.map(|field| (field, name.clone()));
                function.validated.extend(filled);
            }
            if is_variable(&name) {
                function.ports.extend(own_port(&name, default.as_deref()));
                let required = (flagged || stated) && default.is_none();
                function.variables.push(
                    FoundVariable::read(&name, default, span(source, node)).required(required),
                );
            }
        }
    }
    for child in named_children(node) {
        tags(source, child, function, depth + 1);
    }
}

/// The value of `key` in a field's tag.
pub(super) fn value_of(tag: &str, key: &str) -> Option<String> {
    let mut rest = tag;
    while let Some((name, after)) = rest.split_once(":\"") {
        let end = after.find('"')?;
        if name.trim() == key {
            return Some(after[..end].to_owned());
        }
        rest = &after[end + 1..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_gives_its_values() {
        let tag = "json:\"port\" env:\"PORT,required\" envDefault:\"8080\"";
        assert_eq!(value_of(tag, "env").as_deref(), Some("PORT,required"));
        assert_eq!(value_of(tag, "envDefault").as_deref(), Some("8080"));
        assert_eq!(value_of(tag, "default"), None);
    }

    #[test]
    fn an_error_that_is_told_of_is_not_given_back() {
        assert!(gives_error("{ return nil, fmt.Errorf(\"missing\") }"));
        assert!(!gives_error(
            "{ log.Error(errors.New(\"missing\"))\n return }"
        ));
    }

    #[test]
    fn only_the_programs_own_port_counts() {
        assert_eq!(
            own_port("PORT", Some("8080")).map(|hint| hint.port),
            Some(8080)
        );
        assert_eq!(
            own_port("HTTP_ADDR", Some(":81")).map(|hint| hint.port),
            Some(81)
        );
        assert!(own_port("DB_PORT", Some("5432")).is_none());
        assert!(own_port("TITLE", Some("1")).is_none());
    }
}
