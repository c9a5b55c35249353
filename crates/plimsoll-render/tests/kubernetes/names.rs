//! Names are allowed, unique, and what is selected is there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::project::{self, WIDE, objects, pod};

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether a selector without expressions picks these labels.
fn picks(selector: &Value, labels: &Value) -> bool {
    selector
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| labels[key] == *value)
}

#[test]
fn names_are_allowed_and_unique() {
    for cluster in project::choices() {
        let rendering = project::manifests(WIDE, cluster);
        let mut seen = BTreeSet::new();
        for (file, object) in objects(&rendering, "kubernetes/base/") {
            let Some(name) = object["metadata"]["name"].as_str() else {
                continue;
            };
            assert!(is_name(name), "{file}: {name}");
            let kind = object["kind"].as_str().unwrap().to_owned();
            assert!(seen.insert((kind, name.to_owned())), "{file}: {name} twice");
            if let Some(template) = pod(&object) {
                let spec = &template["spec"];
                let mut volumes = BTreeSet::new();
                for volume in spec["volumes"].as_array().into_iter().flatten() {
                    let name = volume["name"].as_str().unwrap();
                    assert!(is_name(name) && volumes.insert(name), "{file}: {name}");
                }
                for template in object["spec"]["volumeClaimTemplates"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    volumes.insert(template["metadata"]["name"].as_str().unwrap());
                }
                for container in spec["containers"].as_array().unwrap() {
                    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
                        let name = mount["name"].as_str().unwrap();
                        assert!(volumes.contains(name), "{file}: {name} is no volume");
                    }
                    for port in container["ports"].as_array().into_iter().flatten() {
                        let name = port["name"].as_str().unwrap();
                        assert!(is_name(name) && name.len() <= 15, "{file}: {name}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_selected_is_there() {
    let rendering = project::manifests(WIDE, plimsoll_render::ClusterOptions::default());
    let all: Vec<Value> = objects(&rendering, "kubernetes/")
        .into_iter()
        .map(|(_, object)| object)
        .collect();
    let pods: Vec<&Value> = all.iter().filter_map(pod).collect();
    let one_of = |selector: &Value| {
        pods.iter()
            .find(|template| picks(selector, &template["metadata"]["labels"]))
            .copied()
    };
    for object in &all {
        let spec = &object["spec"];
        let name = &object["metadata"]["name"];
        match object["kind"].as_str().unwrap() {
            "Service" if spec["type"] != "ExternalName" => {
                let template = one_of(&spec["selector"]).unwrap_or_else(|| panic!("{name}"));
                let named: Vec<&Value> = template["spec"]["containers"][0]["ports"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|port| &port["name"])
                    .collect();
                for port in spec["ports"].as_array().unwrap() {
                    assert!(named.contains(&&port["targetPort"]), "{name}");
                }
            }
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                let labels = &spec["template"]["metadata"]["labels"];
                assert!(picks(&spec["selector"]["matchLabels"], labels), "{name}");
            }
            "PodDisruptionBudget" => {
                assert!(one_of(&spec["selector"]["matchLabels"]).is_some(), "{name}");
            }
            "NetworkPolicy" => {
                let selector = &spec["podSelector"]["matchLabels"];
                let solver = "acme.cert-manager.io/http01-solver";
                let ours = selector.get(solver).is_none();
                assert!(!ours || one_of(selector).is_some(), "{name}");
            }
            "HorizontalPodAutoscaler" => {
                let target = &spec["scaleTargetRef"];
                let found = all.iter().find(|other| {
                    other["kind"] == target["kind"] && other["metadata"]["name"] == target["name"]
                });
                // What is scaled says no number, or applying it would undo the scaling.
                assert!(found.unwrap()["spec"]["replicas"].is_null(), "{name}");
            }
            "HTTPRoute" if !spec["rules"][0]["backendRefs"].is_null() => {
                let reference = &spec["rules"][0]["backendRefs"][0];
                assert!(
                    all.iter().any(|other| other["kind"] == "Service"
                        && other["metadata"]["name"] == reference["name"]
                        && other["spec"]["ports"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .any(|port| port["port"] == reference["port"])),
                    "{name}"
                );
            }
            _ => {}
        }
    }
}

#[test]
fn no_value_of_a_secret_is_written_in_any_mode() {
    for cluster in project::choices() {
        let rendering = project::manifests(WIDE, cluster);
        for (path, artifact) in &rendering.files {
            assert!(!artifact.text.contains("change-me"), "{path}");
        }
    }
}

#[test]
fn plain_secrets_are_refused_outside_of_development() {
    let cluster = plimsoll_render::ClusterOptions {
        secrets: plimsoll_render::SecretSource::Plain,
        ..Default::default()
    };
    let rendering = project::manifests(WIDE, cluster);
    let loss = rendering
        .losses
        .iter()
        .find(|loss| loss.subject == "secrets")
        .unwrap();
    assert_eq!(loss.fidelity, plimsoll_render::Fidelity::Refused);
    assert!(rendering.files.keys().all(|path| !path.contains("/prod/")));
}
