//! Who reaches whom: what the policies let through is what the model's networks do, no more.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use plimsoll_model::Project;
use plimsoll_render::{ClusterOptions, Target};
use serde_json::{Value, json};

use crate::project::{self, WIDE, objects, pod};

/// One end of a connection.
#[derive(Clone, Copy)]
enum End<'a> {
    /// A pod of the namespace, by its labels.
    Pod(&'a Value),
    /// A pod of another namespace: labels of both.
    Other(&'a Value, &'a Value),
    /// An address outside of the cluster.
    Address(Ipv4Addr),
}

fn labels_match(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| labels[key] == *value);
    let expressed = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
        .all(|expression| {
            let value = &labels[expression["key"].as_str().unwrap()];
            let is_in = expression["values"].as_array().unwrap().contains(value);
            match expression["operator"].as_str().unwrap() {
                "In" => is_in,
                "NotIn" => !is_in,
                other => panic!("{other}"),
            }
        });
    equal && expressed
}

fn within(block: &str, address: Ipv4Addr) -> bool {
    let (base, length) = block.split_once('/').unwrap();
    let base: Ipv4Addr = base.parse().unwrap();
    let length: u32 = length.parse().unwrap();
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    u32::from(base) & mask == u32::from(address) & mask
}

fn peer_matches(peer: &Value, end: End<'_>) -> bool {
    if let Some(block) = peer["ipBlock"]["cidr"].as_str() {
        let End::Address(address) = end else {
            return false;
        };
        let excepted = peer["ipBlock"]["except"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|block| within(block.as_str().unwrap(), address));
        return within(block, address) && !excepted;
    }
    match end {
        End::Address(_) => false,
        End::Pod(labels) => {
            peer.get("namespaceSelector").is_none() && labels_match(&peer["podSelector"], labels)
        }
        End::Other(namespace, labels) => {
            peer.get("namespaceSelector")
                .is_some_and(|selector| labels_match(selector, namespace))
                && labels_match(&peer["podSelector"], labels)
        }
    }
}

/// Whether the policies of one direction that select a pod let it talk with an end on a port. A pod
/// that none selects is open.
fn lets(policies: &[Value], direction: &str, own: &Value, end: End<'_>, port: (&str, u16)) -> bool {
    let (list, peers) = match direction {
        "Ingress" => ("ingress", "from"),
        _ => ("egress", "to"),
    };
    let mut selecting = policies
        .iter()
        .filter(|policy| {
            policy["spec"]["policyTypes"]
                .as_array()
                .unwrap()
                .contains(&json!(direction))
        })
        .filter(|policy| labels_match(&policy["spec"]["podSelector"], own))
        .peekable();
    if selecting.peek().is_none() {
        return true;
    }
    selecting.any(|policy| {
        policy["spec"][list]
            .as_array()
            .into_iter()
            .flatten()
            .any(|rule| {
                let by_peer = rule.get(peers).is_none_or(|all| {
                    all.as_array()
                        .unwrap()
                        .iter()
                        .any(|one| peer_matches(one, end))
                });
                let by_port = rule.get("ports").is_none_or(|all| {
                    all.as_array()
                        .unwrap()
                        .iter()
                        .any(|one| one["protocol"] == port.0 && one["port"] == port.1)
                });
                by_peer && by_port
            })
    })
}

/// Name, labels and ports of a pod.
type Pod = (String, Value, Vec<(String, u16)>);

struct Pods {
    policies: Vec<Value>,
    pods: Vec<Pod>,
}

fn pods(text: &str) -> (Project, Pods) {
    let loaded = project::load(text);
    let rendering = project::rendered(&loaded, Target::Kubernetes, ClusterOptions::default());
    let all: Vec<Value> = objects(&rendering, "kubernetes/")
        .into_iter()
        .filter(|(file, _)| !file.contains("/mesh-"))
        .map(|(_, object)| object)
        .collect();
    let policies = all
        .iter()
        .filter(|object| object["kind"] == "NetworkPolicy")
        .cloned()
        .collect();
    let pods = all
        .iter()
        .filter_map(|object| Some((object, pod(object)?)))
        .map(|(object, template)| {
            let ports = template["spec"]["containers"][0]["ports"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|port| {
                    let number = port["containerPort"].as_u64().unwrap();
                    (
                        port["protocol"].as_str().unwrap().to_owned(),
                        u16::try_from(number).unwrap(),
                    )
                })
                .collect();
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            (name, template["metadata"]["labels"].clone(), ports)
        })
        .collect();
    (loaded.project, Pods { policies, pods })
}

/// The service of a pod: jobs that run before one are its own.
fn service<'p>(project: &'p Project, pod: &str) -> &'p plimsoll_model::Service {
    let name = pod.split("-before-").next().unwrap();
    &project.services[name]
}

#[test]
fn pods_reach_what_their_services_share_a_network_with() {
    let (project, all) = pods(WIDE);
    let (mut open, mut shut) = (0, 0);
    for (from, from_labels, _) in &all.pods {
        for (to, to_labels, ports) in &all.pods {
            if from == to {
                continue;
            }
            let networks: BTreeSet<&String> = service(&project, from).networks.keys().collect();
            let shared = service(&project, to)
                .networks
                .keys()
                .any(|network| networks.contains(network));
            for (protocol, port) in ports {
                let on = (protocol.as_str(), *port);
                let out = lets(
                    &all.policies,
                    "Egress",
                    from_labels,
                    End::Pod(to_labels),
                    on,
                );
                let into = lets(
                    &all.policies,
                    "Ingress",
                    to_labels,
                    End::Pod(from_labels),
                    on,
                );
                let is_public = to == "dns";
                let reaches = out && into;
                assert_eq!(
                    reaches, shared,
                    "{from} to {to}:{port}, a public one: {is_public}"
                );
                if reaches { open += 1 } else { shut += 1 }
            }
            // What nobody listens on is reached by nobody.
            if to != "dns" {
                assert!(!lets(
                    &all.policies,
                    "Ingress",
                    to_labels,
                    End::Pod(from_labels),
                    ("TCP", 1)
                ));
            }
        }
    }
    assert!(open > 10 && shut > 10, "{open} open, {shut} shut");
}

#[test]
fn every_pod_asks_for_names_and_no_other_thing_of_the_system() {
    let (_, all) = pods(WIDE);
    let system = json!({ "kubernetes.io/metadata.name": "kube-system" });
    let dns = json!({ "k8s-app": "kube-dns" });
    let other = json!({ "k8s-app": "metrics-server" });
    for (name, labels, _) in &all.pods {
        let out = |end, port| lets(&all.policies, "Egress", labels, end, port);
        assert!(out(End::Other(&system, &dns), ("UDP", 53)), "{name}");
        assert!(out(End::Other(&system, &dns), ("TCP", 53)), "{name}");
        assert!(!out(End::Other(&system, &dns), ("TCP", 9153)), "{name}");
        assert!(!out(End::Other(&system, &other), ("TCP", 443)), "{name}");
    }
}

#[test]
fn the_way_out_is_that_of_the_networks() {
    let (project, all) = pods(WIDE);
    let outside = Ipv4Addr::new(198, 51, 100, 9);
    let metadata = Ipv4Addr::new(169, 254, 169, 254);
    let inside = Ipv4Addr::new(10, 0, 0, 1);
    for (name, labels, _) in &all.pods {
        let out = |address| {
            lets(
                &all.policies,
                "Egress",
                labels,
                End::Address(address),
                ("TCP", 443),
            )
        };
        assert!(!out(metadata) && !out(inside), "{name}");
        let has_way_out = service(&project, name)
            .networks
            .keys()
            .any(|network| !project.networks[network].internal);
        let is_limited = name == "limited";
        assert_eq!(out(outside), has_way_out && !is_limited, "{name}");
        if is_limited {
            assert!(out(Ipv4Addr::new(203, 0, 113, 5)));
        }
    }
}

#[test]
fn from_outside_only_what_is_routed_is_reached() {
    let (_, all) = pods(WIDE);
    let gateway = json!({ "plimsoll.dev/gateway": "true" });
    let stranger = json!({ "kubernetes.io/metadata.name": "default" });
    let any = json!({});
    let mut routed = BTreeSet::new();
    for (name, labels, ports) in &all.pods {
        for (protocol, port) in ports {
            let on = (protocol.as_str(), *port);
            let enters = |end| lets(&all.policies, "Ingress", labels, end, on);
            if enters(End::Other(&gateway, &any)) {
                routed.insert(format!("{name}:{port}"));
            }
            assert_eq!(
                enters(End::Other(&stranger, &any)),
                name == "dns",
                "{name}:{port}"
            );
        }
    }
    let routed: Vec<&str> = routed.iter().map(String::as_str).collect();
    assert_eq!(routed, ["dns:5353", "model:8000", "web:8080"]);
}
