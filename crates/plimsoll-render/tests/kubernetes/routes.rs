//! Requests find their way in, encrypted, in each environment by its own name.

use std::collections::BTreeSet;

use plimsoll_render::{ClusterOptions, Rendering};
use serde_json::Value;

use crate::project::{self, WIDE, objects};

/// The objects of one environment that are of a kind.
fn of_kind(rendering: &Rendering, stage: &str, kind: &str) -> Vec<Value> {
    objects(rendering, &format!("kubernetes/overlays/{stage}/"))
        .into_iter()
        .map(|(_, object)| object)
        .filter(|object| object["kind"] == kind)
        .collect()
}

fn texts(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|entry| entry.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_route_hangs_on_the_listener_of_its_host() {
    let rendering = project::manifests(WIDE, ClusterOptions::default());
    for stage in ["staging", "prod"] {
        let gateway = &of_kind(&rendering, stage, "Gateway")[0];
        let listeners = gateway["spec"]["listeners"].as_array().unwrap();
        let routes = of_kind(&rendering, stage, "HTTPRoute");
        assert!(routes.len() > 1, "{stage}");
        for route in &routes {
            let hosts = texts(&route["spec"]["hostnames"]);
            let mut found = BTreeSet::new();
            for parent in route["spec"]["parentRefs"].as_array().unwrap() {
                assert_eq!(parent["name"], gateway["metadata"]["name"]);
                let listener = listeners
                    .iter()
                    .find(|listener| listener["name"] == parent["sectionName"])
                    .unwrap_or_else(|| panic!("{stage}: {parent}"));
                found.extend(listener["hostname"].as_str().map(str::to_owned));
                let answers = !route["spec"]["rules"][0]["backendRefs"].is_null();
                assert_eq!(answers, listener["protocol"] == "HTTPS", "{stage}: {route}");
            }
            assert_eq!(found, hosts, "{stage}");
        }
    }
}

/// Who gives a certificate asks without encryption, on port 80.
#[test]
fn challenges_come_in_where_requests_are_sent_on() {
    let rendering = project::manifests(WIDE, ClusterOptions::default());
    let issuer = &of_kind(&rendering, "prod", "Issuer")[0];
    let parent =
        &issuer["spec"]["acme"]["solvers"][0]["http01"]["gatewayHTTPRoute"]["parentRefs"][0];
    let gateway = &of_kind(&rendering, "prod", "Gateway")[0];
    let listener = gateway["spec"]["listeners"]
        .as_array()
        .unwrap()
        .iter()
        .find(|listener| listener["name"] == parent["sectionName"])
        .unwrap();
    assert_eq!(listener["port"], 80);
    assert_eq!(listener["protocol"], "HTTP");
    assert!(listener["hostname"].is_null());
}

#[test]
fn no_two_environments_answer_to_one_host() {
    for cluster in project::choices() {
        let rendering = project::manifests(WIDE, cluster);
        let hosts = |stage: &str| -> BTreeSet<String> {
            let routes = of_kind(&rendering, stage, "HTTPRoute");
            let entries = of_kind(&rendering, stage, "Ingress");
            let of_routes = routes
                .iter()
                .flat_map(|one| texts(&one["spec"]["hostnames"]));
            let of_entries = entries
                .iter()
                .flat_map(|one| texts(&one["spec"]["tls"][0]["hosts"]));
            of_routes.chain(of_entries).collect()
        };
        let (staging, production) = (hosts("staging"), hosts("prod"));
        assert!(!production.is_empty());
        assert_eq!(staging.len(), production.len());
        assert!(staging.is_disjoint(&production), "{staging:?}");
    }
}

/// A cluster on a developer's machine has no extensions of the API.
#[test]
fn development_takes_nothing_that_a_plain_cluster_does_not_know() {
    let rendering = project::manifests(WIDE, ClusterOptions::default());
    for below in ["kubernetes/base/", "kubernetes/overlays/dev/"] {
        for (file, object) in objects(&rendering, below) {
            let version = object["apiVersion"].as_str().unwrap();
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let plain = ["", "apps", "batch", "autoscaling", "policy"];
            let known = plain.contains(&group)
                || group == "networking.k8s.io"
                || group == "kustomize.config.k8s.io";
            assert!(known, "{file}: {version}");
        }
    }
}
