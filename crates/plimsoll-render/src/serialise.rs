//! From typed values to text.

use plimsoll_model::yaml::{Key, Map, Node, Value, to_yaml};
use serde::Serialize;

/// A value as YAML: block style, keys in the order of the type's fields. Fields that are null are
/// left out by the type itself.
pub fn yaml(value: &impl Serialize) -> String {
    to_yaml(&node(to_json(value)))
}

/// A value as JSON, two spaces deep.
pub fn json(value: &impl Serialize) -> String {
    let mut text = format!("{:#}", to_json(value));
    text.push('\n');
    text
}

/// The key of the mapping that a value with a comment travels as, until it is a node.
const COMMENTED: &str = "\0commented";

/// A scalar with a comment behind it: `uses: owner/name@3d3c42e # v7`. It is for YAML alone.
pub(crate) fn commented(value: impl Into<serde_json::Value>, comment: &str) -> serde_json::Value {
    serde_json::json!({ COMMENTED: [value.into(), comment] })
}

/// The scalar and the comment of [`commented`].
fn comment_of(object: &serde_json::Map<String, serde_json::Value>) -> Option<Node> {
    let parts = object.get(COMMENTED)?.as_array()?;
    let comment = parts.get(1)?.as_str()?;
    Some(node(parts.first()?.clone()).commented(comment))
}

fn to_json(value: &impl Serialize) -> serde_json::Value {
    // Our own types have string keys and no failing serialiser.
    serde_json::to_value(value).expect("our types serialise to JSON")
}

/// A value as a tree.
pub(crate) fn node(value: serde_json::Value) -> Node {
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(value) => Value::Integer(value),
            None => number
                .as_f64()
                .map_or_else(|| Value::Text(number.to_string()), Value::Float),
        },
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(list) => Value::List(list.into_iter().map(node).collect()),
        serde_json::Value::Object(object) => {
            if let Some(commented) = comment_of(&object) {
                return commented;
            }
            let mut map = Map::new();
            for (key, value) in object {
                map.insert(Key::made(key), node(value));
            }
            Value::Map(map)
        }
    };
    Node::made(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_reads_as_another_type_is_quoted() {
        let value = serde_json::json!({
            "port": 80, "share": 0.5, "version": "3.10", "yes": "on", "list": [{"a": "b"}], "empty": {}
        });
        insta::assert_snapshot!(yaml(&value), @r#"
        port: 80
        share: 0.5
        version: "3.10"
        "yes": "on"
        list:
          - a: b
        empty: {}
        "#);
    }

    #[test]
    fn a_comment_stands_behind_its_scalar() {
        let value = serde_json::json!({
            "uses": commented("acme/checkout@3d3c42e", "v7.0.1"),
            "list": [commented(3, "three"), commented("a\nb\n", "left out")],
        });
        insta::assert_snapshot!(yaml(&value), @r"
        uses: acme/checkout@3d3c42e # v7.0.1
        list:
          - 3 # three
          - |
            a
            b
        ");
    }
}
