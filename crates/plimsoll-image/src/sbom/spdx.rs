//! SPDX 2.3.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::licence::{self, Licence};
use super::{SbomSubject, identifier, image_purl, names};
use crate::inventory::{Component, Ecosystem, Inventory};

/// Where nothing is claimed.
const NOTHING: &str = "NOASSERTION";

pub(super) fn document(inventory: &Inventory, subject: &SbomSubject<'_>) -> Value {
    let (name, _) = names(subject.reference);
    let image = "SPDXRef-Image";
    let mut packages = vec![json!({
        "SPDXID": image,
        "name": name,
        "versionInfo": subject.digest.to_string(),
        "downloadLocation": NOTHING,
        "filesAnalyzed": false,
        "licenseConcluded": NOTHING,
        "licenseDeclared": NOTHING,
        "copyrightText": NOTHING,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": subject.digest.hex() }],
        "externalRefs": [purl_reference(&image_purl(subject))],
    })];
    let mut relations = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", image)];
    let identifiers: HashMap<&str, String> = inventory
        .components
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let kind = entry.ecosystem.label();
            (entry.purl.as_str(), format!("SPDXRef-{kind}-{index}"))
        })
        .collect();
    for entry in &inventory.components {
        let own = &identifiers[entry.purl.as_str()];
        packages.push(package(entry, own));
        relations.push(relation(image, "CONTAINS", own));
        let needs = entry.needs.iter();
        let needs = needs.filter_map(|need| identifiers.get(need.as_str()));
        relations.extend(needs.map(|need| relation(own, "DEPENDS_ON", need)));
    }
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": format!("urn:uuid:{}", identifier(&subject.digest, "spdx")),
        "creationInfo": {
            "created": subject.created,
            "creators": [format!("Tool: plimsoll-{}", env!("CARGO_PKG_VERSION"))],
        },
        "documentDescribes": [image],
        "packages": packages,
        "relationships": relations,
    })
}

fn package(entry: &Component, identifier: &str) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("SPDXID", identifier.into());
    put("name", entry.name.as_str().into());
    put("versionInfo", entry.version.as_str().into());
    put("downloadLocation", NOTHING.into());
    put("filesAnalyzed", false.into());
    put("licenseConcluded", NOTHING.into());
    match entry.licence.as_deref().map(licence::read) {
        Some(Licence::Identifier(id)) => {
            put("licenseDeclared", id.into());
        }
        Some(Licence::Expression(text)) => {
            put("licenseDeclared", text.into());
        }
        Some(Licence::Words(words)) => {
            put("licenseDeclared", NOTHING.into());
            put("licenseComments", words.into());
        }
        None => {
            put("licenseDeclared", NOTHING.into());
        }
    }
    put("copyrightText", NOTHING.into());
    if let Some((name, version)) = &entry.source {
        put("sourceInfo", format!("built from: {name} {version}").into());
    }
    if !entry.checksums.is_empty() {
        let checksums = entry.checksums.iter().map(|checksum| {
            json!({
                "algorithm": checksum.algorithm.to_uppercase(),
                "checksumValue": checksum.hex,
            })
        });
        put("checksums", checksums.collect());
    }
    let mut references = vec![purl_reference(&entry.purl)];
    references.extend(entry.cpe().map(|cpe| {
        json!({
            "referenceCategory": "SECURITY",
            "referenceType": "cpe23Type",
            "referenceLocator": cpe,
        })
    }));
    put("externalRefs", references.into());
    let purpose = match entry.ecosystem {
        Ecosystem::Program => "APPLICATION",
        _ => "LIBRARY",
    };
    put("primaryPackagePurpose", purpose.into());
    Value::Object(map)
}

fn purl_reference(purl: &str) -> Value {
    json!({
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    })
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({
        "spdxElementId": from,
        "relationshipType": kind,
        "relatedSpdxElement": to,
    })
}
