use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::inventory::{Checksum, Component, Ecosystem, InventoryLayer, System};

fn component(ecosystem: Ecosystem, name: &str, purl: &str, licence: &str) -> Component {
    Component {
        ecosystem,
        name: name.to_owned(),
        version: "1.0".to_owned(),
        purl: purl.to_owned(),
        licence: Some(licence.to_owned()),
        layer: 0,
        locations: vec!["some/file".to_owned()],
        bytes: 10,
        checksums: vec![Checksum {
            algorithm: "sha256".to_owned(),
            hex: "00".repeat(32),
        }],
        needs: Vec::new(),
        tags: Vec::new(),
        source: None,
    }
}

fn example() -> Inventory {
    let mut wheel = component(
        Ecosystem::Python,
        "a",
        "pkg:pypi/a@1.0",
        "MIT OR Apache-2.0",
    );
    wheel.needs = vec!["pkg:pypi/b@1.0".to_owned()];
    Inventory {
        system: System {
            id: "debian".to_owned(),
            version: "13".to_owned(),
            name: "Debian".to_owned(),
        },
        components: vec![
            component(
                Ecosystem::Debian,
                "libc6",
                "pkg:deb/debian/libc6@1.0",
                "GPL-2+, MIT",
            ),
            wheel,
            component(Ecosystem::Python, "b", "pkg:pypi/b@1.0", "MIT"),
            component(Ecosystem::Npm, "@s/c", "pkg:npm/%40s/c@1.0", "MIT"),
            component(Ecosystem::Program, "node", "pkg:generic/node@1.0", "MIT"),
        ],
        layers: vec![InventoryLayer {
            diff_id: Digest::of(b"layer"),
            bytes: 100,
        }],
        unowned: Vec::new(),
        waste: Vec::new(),
    }
}

fn subject() -> SbomSubject<'static> {
    SbomSubject {
        reference: "localhost:5000/team/desk:1.2",
        digest: Digest::of(b"manifest"),
        architecture: Architecture::Amd64,
        created: crate::oci::EPOCH,
    }
}

fn written(format: SbomFormat) -> Value {
    let first = write_sbom(&example(), &subject(), format);
    assert_eq!(first, write_sbom(&example(), &subject(), format));
    serde_json::from_slice(&first).unwrap()
}

#[test]
fn every_reference_of_a_cyclonedx_bill_is_defined_once() {
    let bill = written(SbomFormat::CycloneDx);
    let mut defined = BTreeSet::new();
    let image = &bill["metadata"]["component"];
    for entry in bill["components"].as_array().unwrap().iter().chain([image]) {
        assert!(defined.insert(entry["bom-ref"].as_str().unwrap()));
    }
    for entry in bill["dependencies"].as_array().unwrap() {
        assert!(defined.contains(entry["ref"].as_str().unwrap()));
        for need in entry["dependsOn"].as_array().unwrap() {
            assert!(defined.contains(need.as_str().unwrap()), "{need}");
        }
    }
    let serial = bill["serialNumber"].as_str().unwrap();
    assert_eq!(&serial[..9], "urn:uuid:");
    assert_eq!(&serial[23..24], "5", "{serial} is of version 5");
    assert_eq!(bill["components"][4]["group"], "@s");
    assert_eq!(
        bill["components"][2]["licenses"][0]["expression"],
        "MIT OR Apache-2.0"
    );
    assert_eq!(
        image["purl"],
        format!(
            "pkg:oci/desk@{}?arch=amd64&repository_url=localhost:5000%2Fteam%2Fdesk",
            subject().digest
        )
    );
}

#[test]
fn every_relation_of_an_spdx_bill_leads_somewhere() {
    let bill = written(SbomFormat::Spdx);
    let mut defined: BTreeSet<&str> = ["SPDXRef-DOCUMENT"].into();
    for entry in bill["packages"].as_array().unwrap() {
        assert!(defined.insert(entry["SPDXID"].as_str().unwrap()));
    }
    let relations = bill["relationships"].as_array().unwrap();
    for entry in relations {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            assert!(defined.contains(entry[end].as_str().unwrap()));
        }
    }
    assert!(
        relations
            .iter()
            .any(|entry| entry["relationshipType"] == "DEPENDS_ON")
    );
    assert_eq!(bill["packages"][1]["licenseDeclared"], "NOASSERTION");
    assert_eq!(bill["packages"][1]["licenseComments"], "GPL-2+, MIT");
}

#[test]
fn an_interpreter_has_the_name_that_databases_know() {
    let name = "cpe:2.3:a:nodejs:node.js:1.0:*:*:*:*:*:*:*";
    let bill = written(SbomFormat::CycloneDx);
    let node = bill["components"].as_array().unwrap().last().unwrap();
    assert_eq!(node["cpe"], name);
    assert_eq!(node["type"], "application");
    let bill = written(SbomFormat::Spdx);
    let node = bill["packages"].as_array().unwrap().last().unwrap();
    assert_eq!(node["externalRefs"][1]["referenceLocator"], name);
    assert_eq!(node["primaryPackagePurpose"], "APPLICATION");
}

#[test]
fn another_manifest_is_another_bill() {
    let other = SbomSubject {
        digest: Digest::of(b"other"),
        ..subject()
    };
    let serial = |subject: &SbomSubject<'_>| {
        let bytes = write_sbom(&example(), subject, SbomFormat::CycloneDx);
        let bill: Value = serde_json::from_slice(&bytes).unwrap();
        bill["serialNumber"].clone()
    };
    assert_ne!(serial(&subject()), serial(&other));
}
