//! The chart's values: those of production, what other environments set otherwise, and their schema.

use serde_json::{Map, Value, json};

/// What `of` sets otherwise than another does, or than `base` does: what differs anywhere.
pub(super) fn differences(base: &Value, others: &[&Value], of: &Value) -> Value {
    let Some(map) = of.as_object() else {
        return of.clone();
    };
    let mut found = Map::new();
    for (key, value) in map {
        let there: Vec<Option<&Value>> = others
            .iter()
            .map(|other| other.get(key))
            .chain([base.get(key)])
            .collect();
        if there.iter().all(|other| *other == Some(value)) {
            continue;
        }
        let empty = Value::Null;
        let others: Vec<&Value> = others
            .iter()
            .map(|other| other.get(key).unwrap_or(&empty))
            .collect();
        let below = differences(base.get(key).unwrap_or(&empty), &others, value);
        found.insert(key.clone(), below);
    }
    Value::Object(found)
}

/// Keys below which any name may stand.
const OPEN: &[&str] = &["resources", "hard", "values", "sealed"];

/// The schema that values have to fit.
pub(super) fn schema(values: &Value) -> Value {
    let mut schema = of_value("", values);
    if let Some(map) = schema.as_object_mut() {
        map.shift_insert(
            0,
            "$schema".to_owned(),
            json!("http://json-schema.org/draft-07/schema#"),
        );
    }
    // Charts that this one is a part of pass it down.
    schema["properties"]["global"] = json!({ "type": "object" });
    schema
}

fn of_value(key: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) if OPEN.contains(&key) => {
            let _ = map;
            json!({ "type": "object" })
        }
        Value::Object(map) => {
            let properties: Map<String, Value> = map
                .iter()
                .map(|(name, value)| {
                    let schema = match key {
                        // What is written without quotes is text to a container all the same.
                        "environment" => json!({ "type": ["string", "number", "boolean"] }),
                        _ => of_value(name, value),
                    };
                    (name.clone(), schema)
                })
                .collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
        Value::Array(_) => match key {
            "hosts" => json!({
                "type": "array",
                "minItems": 1,
                "items": { "type": "string", "minLength": 1 },
            }),
            "extraEnvironment" | "imagePullSecrets" => json!({
                "type": "array",
                "items": { "type": "object", "required": ["name"] },
            }),
            _ => json!({ "type": "array" }),
        },
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(_) => match key {
            "cpu" | "memory" => json!({ "type": "integer", "minimum": 1, "maximum": 100 }),
            "minReplicas" | "maxReplicas" => json!({ "type": "integer", "minimum": 1 }),
            _ => json!({ "type": "integer", "minimum": 0 }),
        },
        _ => match key {
            "digest" => json!({ "type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$" }),
            "repository" => json!({ "type": "string", "minLength": 1 }),
            "source" => json!({ "enum": ["external", "sealed", "values"] }),
            "mesh" => json!({ "enum": ["", "istio", "linkerd"] }),
            _ => json!({ "type": "string" }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_anywhere_is_said_everywhere() {
        let one = json!({ "a": { "x": 1, "y": 2 }, "b": 3 });
        let two = json!({ "a": { "x": 1, "y": 5 }, "b": 3 });
        assert_eq!(differences(&one, &[&two], &one), json!({ "a": { "y": 2 } }));
        assert_eq!(differences(&one, &[&two], &two), json!({ "a": { "y": 5 } }));
    }
}
