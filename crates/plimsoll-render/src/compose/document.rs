//! From values to the text of a Compose file.

use plimsoll_model::yaml::{Node, Tag, Value as Yaml, to_yaml};
use serde_json::{Map, Value, json};

use crate::Input;
use crate::header::header;
use crate::serialise::node;

const RESET: &str = "!reset";
const OVERRIDE: &str = "!override";

/// What earlier files said is forgotten.
pub(super) fn reset(value: Value) -> Value {
    json!({ RESET: value })
}

/// What earlier files said is replaced instead of added to.
pub(super) fn replaced(value: Value) -> Value {
    json!({ OVERRIDE: value })
}

/// The text of a Compose file: the header, lines about how it is used, and the values.
pub(super) fn text(input: &Input<'_>, about: &str, value: Value) -> String {
    let mut text = header(input, "compose");
    for line in about.lines() {
        text.push_str(format!("# {line}").trim_end());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&to_yaml(&tagged(node(without_nothing(value)))));
    text
}

/// Entries without null, empty lists and empty mappings, except where these say something: values
/// of variables, members of networks, volumes, and what has a tag.
fn without_nothing(value: Value) -> Value {
    let Value::Object(map) = value else {
        return value;
    };
    let kept: Map<String, Value> = map
        .into_iter()
        .filter_map(|(key, value)| {
            let speaks = matches!(
                key.as_str(),
                "environment" | "networks" | "volumes" | RESET | OVERRIDE
            );
            let value = if speaks {
                value
            } else {
                without_nothing(value)
            };
            let is_nothing = match &value {
                Value::Null => true,
                Value::Array(list) => list.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            (!is_nothing || matches!(key.as_str(), RESET | OVERRIDE)).then_some((key, value))
        })
        .collect();
    Value::Object(kept)
}

fn tagged(mut node: Node) -> Node {
    match &mut node.value {
        Yaml::Map(map) => {
            for (key, tag) in [(RESET, Tag::Reset), (OVERRIDE, Tag::Override)] {
                if let Some(inner) = map.get_mut(key) {
                    let mut inner = tagged(std::mem::take(inner));
                    inner.tag = Some(tag);
                    return inner;
                }
            }
            for (_, value) in map.iter_mut() {
                *value = tagged(std::mem::take(value));
            }
        }
        Yaml::List(list) => {
            for value in list.iter_mut() {
                *value = tagged(std::mem::take(value));
            }
        }
        _ => {}
    }
    node
}

/// Text in which `$` means itself.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// Words in which `$` means itself.
pub(super) fn literals(words: &[String]) -> Vec<String> {
    words.iter().map(|word| literal(word)).collect()
}

/// Text whose references to variables stay, each of them required; any other `$` means itself.
pub(super) fn with_required(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
        {
            Some((name, after)) if is_name(name) => {
                out.push_str(&format!("${{{name}:?set it in .env}}"));
                rest = after;
            }
            _ => out.push_str("$$"),
        }
    }
    out.push_str(rest);
    out
}

/// The variables that a text refers to.
pub(super) fn references(text: &str) -> Vec<String> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| is_name(name))
        .collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stay_and_other_dollars_are_text() {
        assert_eq!(
            with_required("a$b ${PASSWORD}@x ${no}"),
            "a$$b ${PASSWORD:?set it in .env}@x $${no}"
        );
        assert_eq!(references("x${A_B}y${c}"), ["A_B"]);
    }

    #[test]
    fn tags_are_written() {
        let value =
            json!({ "ports": reset(json!([])), "networks": replaced(json!({ "database": null })) });
        insta::assert_snapshot!(to_yaml(&tagged(node(value))), @r"
        ports: !reset []
        networks: !override
          database: null
        ");
    }
}
