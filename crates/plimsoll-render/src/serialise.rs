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

fn to_json(value: &impl Serialize) -> serde_json::Value {
    // Our own types have string keys and no failing serialiser.
    serde_json::to_value(value).expect("our types serialise to JSON")
}

fn node(value: serde_json::Value) -> Node {
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
}
