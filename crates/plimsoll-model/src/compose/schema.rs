//! The JSON schema of `x-plimsoll`, made from the tables that loading checks against.

use serde_json::{Map, Value as Json, json};

use super::keys::{OWN_PROJECT, OWN_SERVICE};
use super::shape::{Extra, Kinds, Numbers, Record, Shape};

/// A schema for Compose files that knows `x-plimsoll` and leaves everything else to the
/// specification's own schema.
pub fn extension_schema() -> Json {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "x-plimsoll in a Compose file",
        "type": "object",
        "properties": {
            "x-plimsoll": record(&OWN_PROJECT),
            "services": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": { "x-plimsoll": record(&OWN_SERVICE) }
                }
            }
        }
    })
}

fn record(record: &Record) -> Json {
    let properties: Map<String, Json> = record
        .fields
        .iter()
        .map(|field| {
            let mut schema = shape(field.shape);
            if let (Json::Object(schema), false) = (&mut schema, field.about.is_empty()) {
                schema.insert("description".to_owned(), field.about.into());
            }
            (field.key.to_owned(), schema)
        })
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !record.required.is_empty() {
        schema["required"] = record.required.into();
    }
    if record.extra == Extra::No {
        schema["additionalProperties"] = false.into();
    }
    schema
}

fn shape(shape_of: &Shape) -> Json {
    match shape_of {
        Shape::Any => json!({}),
        Shape::Scalar(kinds) => scalar(*kinds),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Bounded(low, high) => json!({
            "anyOf": [
                { "type": "integer", "minimum": low, "maximum": high },
                { "type": "string" }
            ]
        }),
        Shape::Pattern(_, expected) => json!({ "type": "string", "description": expected }),
        Shape::List(item) => json!({ "type": "array", "items": shape(item) }),
        Shape::Unique(item) => {
            json!({ "type": "array", "items": shape(item), "uniqueItems": true })
        }
        Shape::Record(inner) => record(inner),
        Shape::Table(_, item) => json!({ "type": "object", "additionalProperties": shape(item) }),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(shape).collect::<Vec<_>>() })
        }
    }
}

fn scalar(kinds: Kinds) -> Json {
    let mut types = Vec::new();
    if kinds.text {
        types.push("string");
    }
    match kinds.number {
        Numbers::No => {}
        Numbers::Whole => types.push("integer"),
        Numbers::All => types.push("number"),
    }
    if kinds.boolean {
        types.push("boolean");
    }
    if kinds.null {
        types.push("null");
    }
    match types.as_slice() {
        [one] => json!({ "type": one }),
        many => json!({ "type": many }),
    }
}
