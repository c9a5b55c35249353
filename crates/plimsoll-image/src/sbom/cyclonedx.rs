//! CycloneDX 1.6.

use serde_json::{Map, Value, json};

use super::licence::{self, Licence};
use super::{SbomSubject, identifier, image_purl, names};
use crate::inventory::{Component, Ecosystem, Inventory};

pub(super) fn document(inventory: &Inventory, subject: &SbomSubject<'_>) -> Value {
    let image = image_purl(subject);
    let mut components: Vec<Value> = Vec::new();
    let mut dependencies: Vec<Value> = Vec::new();
    let mut direct: Vec<&str> = Vec::new();
    let system = &inventory.system;
    let system_reference = format!("os:{}@{}", system.id, system.version);
    if !system.id.is_empty() {
        components.push(json!({
            "type": "operating-system",
            "bom-ref": system_reference,
            "name": system.id,
            "version": system.version,
            "description": system.name,
        }));
        direct.push(&system_reference);
        let debs = inventory.components.iter();
        let debs: Vec<&str> = debs
            .filter(|entry| entry.ecosystem == Ecosystem::Debian)
            .map(|entry| entry.purl.as_str())
            .collect();
        dependencies.push(json!({ "ref": system_reference, "dependsOn": debs }));
    }
    for entry in &inventory.components {
        if entry.ecosystem != Ecosystem::Debian || system.id.is_empty() {
            direct.push(&entry.purl);
        }
        components.push(component(entry, inventory));
        dependencies.push(json!({ "ref": entry.purl, "dependsOn": entry.needs }));
    }
    dependencies.insert(0, json!({ "ref": image, "dependsOn": direct }));
    let (name, _) = names(subject.reference);
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", identifier(&subject.digest, "cyclonedx")),
        "version": 1,
        "metadata": {
            "timestamp": subject.created,
            "tools": { "components": [{
                "type": "application",
                "name": "plimsoll",
                "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": {
                "type": "container",
                "bom-ref": image,
                "name": name,
                "version": subject.digest.to_string(),
                "purl": image,
                "properties": inventory.layers.iter().map(|layer| json!({
                    "name": "plimsoll:layer:diffId",
                    "value": layer.diff_id.to_string(),
                })).collect::<Vec<_>>(),
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

fn component(entry: &Component, inventory: &Inventory) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    let kind = match entry.ecosystem {
        Ecosystem::Program => "application",
        _ => "library",
    };
    put("type", kind.into());
    put("bom-ref", entry.purl.as_str().into());
    match entry.name.split_once('/') {
        Some((scope, name)) if entry.ecosystem == Ecosystem::Npm => {
            put("group", scope.into());
            put("name", name.into());
        }
        _ => {
            put("name", entry.name.as_str().into());
        }
    }
    put("version", entry.version.as_str().into());
    if !entry.checksums.is_empty() {
        let hashes = entry.checksums.iter().map(|checksum| {
            let name = match checksum.algorithm.as_str() {
                "sha512" => "SHA-512",
                _ => "SHA-256",
            };
            json!({ "alg": name, "content": checksum.hex })
        });
        put("hashes", hashes.collect());
    }
    if let Some(stated) = &entry.licence {
        put(
            "licenses",
            match licence::read(stated) {
                Licence::Identifier(id) => json!([{ "license": { "id": id } }]),
                Licence::Expression(text) => json!([{ "expression": text }]),
                Licence::Words(words) => json!([{ "license": { "name": words } }]),
            },
        );
    }
    if let Some(cpe) = entry.cpe() {
        put("cpe", cpe.into());
    }
    put("purl", entry.purl.as_str().into());
    let mut properties = vec![
        json!({ "name": "plimsoll:bytes", "value": entry.bytes.to_string() }),
        json!({
            "name": "plimsoll:layer:diffId",
            "value": inventory
                .layers
                .get(entry.layer)
                .map(|layer| layer.diff_id.to_string())
                .unwrap_or_default(),
        }),
    ];
    properties.extend(
        entry
            .locations
            .iter()
            .map(|path| json!({ "name": "plimsoll:location", "value": path })),
    );
    if let Some((name, version)) = &entry.source {
        properties.push(json!({ "name": "plimsoll:source:name", "value": name }));
        properties.push(json!({ "name": "plimsoll:source:version", "value": version }));
    }
    put("properties", properties.into());
    Value::Object(map)
}
