//! Settings that one function fills with variables and another one asks for: `Secret: os.Getenv("SECRET")` here, and
//! `if cfg.Auth.Secret == "" { … }` there.

use tree_sitter::Node;

use super::function::Function;
use super::gathered;
use super::package::{span, text};
use super::settings::{answers_requests, depends, ends, gives_error, is_variable};
use crate::syntax::{Source, named_children};

/// The variable that an expression reads with nothing in its place: `os.Getenv("KEY")`, `getEnv("KEY", "")`,
/// `viper.GetString("KEY")`.
pub(super) fn read(expression: &str) -> Option<String> {
    let (called, rest) = expression.split_once("(\"")?;
    let (name, behind) = rest.split_once('"')?;
    let called = called.rsplit('(').next().unwrap_or(called);
    let lower = called.to_ascii_lowercase();
    let reads = lower.contains("env") || lower.contains("viper") && lower.ends_with("getstring");
    let bare = behind.starts_with(')') || behind.starts_with(", \"\")");
    (reads && bare && is_variable(name)).then(|| name.to_owned())
}

/// What is asked for being empty: `key == ""`, `len(key) < 32`, `strings.TrimSpace(key) == ""`, `!ok`.
pub(super) fn emptiness(asked: &str) -> Option<&str> {
    let asked = asked.trim();
    if let Some(value) = asked.strip_suffix(" == \"\"") {
        let inner = value.strip_prefix("strings.TrimSpace(");
        return Some(inner.map_or(value, |inner| inner.trim_end_matches(')')));
    }
    if let Some(rest) = asked.strip_prefix("len(") {
        let (value, compared) = rest.split_once(')')?;
        let compared = compared.trim();
        return (compared.starts_with('<') || compared == "== 0").then_some(value);
    }
    asked.strip_prefix('!')
}

/// The last parts of the way to a field, without what it is a field of.
fn way(path: &str) -> Option<&str> {
    let (_, fields) = path.split_once('.')?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    fields.chars().all(plain).then_some(fields)
}

/// Words in the names of types that hold the settings of a program.
const KINDS: &[&str] = &["config", "setting", "environment"];

/// Notes a field of a literal that is filled with a variable: `Auth: Auth{Secret: os.Getenv("SECRET")}`.
pub(super) fn keyed(source: &Source, element: Node<'_>, function: &mut Function) {
    let parts = named_children(element);
    let [_, value] = parts.as_slice() else {
        return;
    };
    let Some(variable) = read(source.text_of(*value)) else {
        return;
    };
    let mut keys: Vec<&str> = Vec::new();
    let mut of_settings = false;
    let mut around = Some(element);
    while let Some(node) = around.filter(|node| !node.kind().ends_with("_declaration")) {
        if node.kind() == "composite_literal"
            && let Some(made) = node.child_by_field_name("type")
        {
            let made = source.text_of(made).to_ascii_lowercase();
            of_settings |= KINDS.iter().any(|word| made.contains(word));
        }
        if node.kind() == "keyed_element"
            && let Some(key) = node.named_child(0)
        {
            keys.push(source.text_of(key));
        }
        around = node.parent();
    }
    keys.reverse();
    if of_settings {
        function.fills.push((keys.join("."), variable));
    }
}

/// Notes a field that is given a variable: `cfg.Auth.Secret = os.Getenv("SECRET")`.
pub(super) fn assigned(name: &str, value: &str, function: &mut Function) {
    if let (Some(way), Some(variable)) = (way(name), read(value)) {
        function.fills.push((way.to_owned(), variable));
    }
}

/// `flag.StringVar(&cfg.Token, "token", os.Getenv("TOKEN"), "…")`.
pub(super) fn flag(source: &Source, arguments: &[Node<'_>], function: &mut Function) {
    let mut others = arguments.iter().skip(1);
    let variable = others.find_map(|node| read(source.text_of(*node)));
    let target = arguments.first().map(|node| text(source, *node));
    if let (Some(variable), Some(target)) = (variable, target) {
        let target = target.trim_start_matches('&').to_owned();
        function.known_as.insert(target, variable);
    }
}

/// Notes fields that a condition does not go on without.
pub(super) fn asked(
    source: &Source,
    node: Node<'_>,
    (condition, body): (Node<'_>, Node<'_>),
    function: &mut Function,
) {
    let inside = source.text_of(body);
    let refuses = ends(inside)
        || gathered::ends_later(source, node, body)
        || !answers_requests(source, node) && gives_error(inside);
    if !refuses || depends(source, node) {
        return;
    }
    let place = span(source, condition);
    let asked = source.text_of(condition).split("||");
    for path in asked.filter_map(emptiness) {
        let replaced = inside.lines().any(|line| {
            let rest = line.trim().strip_prefix(path);
            rest.is_some_and(|rest| rest.trim_start().starts_with('='))
        });
        if way(path).is_some() && !replaced {
            function.asks.push((path.to_owned(), place.clone()));
        }
    }
}

/// What settings are called in the functions that ask for them.
const SETTINGS: &[&str] = &["cfg", "conf", "setting", "env", "opt"];

/// The variable that fills a field which is asked for: by the whole way to it, or where only one field of settings has
/// its name.
pub(super) fn filling<'f>(asked: &str, fills: &[&'f (String, String)]) -> Option<&'f str> {
    let (object, asked) = asked.split_once('.')?;
    let object = object.to_ascii_lowercase();
    let of_settings = object == "c" || SETTINGS.iter().any(|word| object.contains(word));
    let below = |whole: &str, part: &str| {
        whole == part
            || whole
                .strip_suffix(part)
                .is_some_and(|before| before.ends_with('.'))
    };
    let last = |way: &str| way.rsplit('.').next().map(str::to_owned);
    let same = fills.iter().filter(|(way, _)| {
        let whole = way.contains('.') && asked.contains('.');
        (whole || of_settings) && (below(way, asked) || below(asked, way))
    });
    let fitting: Vec<&str> = same.map(|(_, variable)| variable.as_str()).collect();
    let named = fills
        .iter()
        .filter(|(way, _)| of_settings && last(way) == last(asked));
    let named: Vec<&str> = named.map(|(_, variable)| variable.as_str()).collect();
    [fitting, named].into_iter().find_map(|found| {
        let first = *found.first()?;
        found.iter().all(|other| *other == first).then_some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_by_the_way_to_it() {
        let fill = |way: &str, variable: &str| (way.to_owned(), variable.to_owned());
        let fills = [
            fill("Auth.Secret", "AUTH_SECRET"),
            fill("Mail.Secret", "MAIL_SECRET"),
            fill("Token", "TOKEN"),
        ];
        let fills: Vec<&(String, String)> = fills.iter().collect();
        for (asked, variable) in [
            ("cfg.Auth.Secret", Some("AUTH_SECRET")),
            ("server.Auth.Secret", Some("AUTH_SECRET")),
            ("cfg.Secret", None),
            ("settings.Bot.Token", Some("TOKEN")),
            // A field of something else may have any name.
            ("bot.Token", None),
            ("cfg.Other", None),
        ] {
            assert_eq!(filling(asked, &fills), variable, "{asked}");
        }
    }

    #[test]
    fn emptiness_is_asked_in_several_ways() {
        for (asked, value) in [
            ("cfg.Key == \"\"", Some("cfg.Key")),
            ("len(cfg.Key) < 32", Some("cfg.Key")),
            ("strings.TrimSpace(key) == \"\"", Some("key")),
            ("len(key) > 3", None),
            ("key == \"a\"", None),
        ] {
            assert_eq!(emptiness(asked), value, "{asked}");
        }
    }
}
