//! What keeps pods apart: policies that deny all traffic, and allow what the model's networks do.

use serde_json::{Map, Value, json};

use super::object::{Cluster, PREFIX};
use super::pod::{network_label, protocol};
use super::routes::is_routed;
use super::services;
use crate::{Fidelity, Input, Listener, Loss, Mesh, Workload};

/// Networks of a cluster and of clouds that are nobody's way out.
const PRIVATE: &[&str] = &[
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
];

/// All traffic is denied, then what the model's networks allow is allowed.
pub(super) fn policies(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    all: &[Workload<'_>],
    losses: &mut Vec<Loss>,
) -> Vec<Value> {
    let mut policies = vec![
        policy(
            cluster,
            "deny-all",
            json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] }),
        ),
        policy(
            cluster,
            "allow-dns",
            json!({
                "podSelector": {},
                "policyTypes": ["Egress"],
                "egress": [{
                    "to": [{
                        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
                        "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
                    }],
                    "ports": [
                        { "protocol": "UDP", "port": 53 },
                        { "protocol": "TCP", "port": 53 },
                    ],
                }],
            }),
        ),
    ];
    for (name, network) in &input.project.networks {
        let members: Vec<&Workload<'_>> = all
            .iter()
            .filter(|one| one.service.networks.contains_key(name))
            .collect();
        if members.is_empty() {
            continue;
        }
        if !network.internal && !network.external {
            losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    format!("networks.{name}"),
                    "its services reach the internet, but no private network, which the cluster's own belong to",
                )
                .at(network.span.clone()),
            );
        }
        policies.extend(of_network(cluster, name, network.internal, &members));
    }
    if all.iter().any(is_routed) {
        policies.push(certificate_challenges(cluster));
    }
    for one in all {
        policies.extend(from_outside(cluster, input, one));
        policies.extend(way_out(cluster, one, losses));
    }
    policies
}

fn policy(cluster: &Cluster<'_>, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": cluster.project_metadata(name),
        "spec": spec,
    })
}

/// Members of a network reach one another on the ports that each listens on.
fn of_network(
    cluster: &Cluster<'_>,
    name: &str,
    internal: bool,
    members: &[&Workload<'_>],
) -> Vec<Value> {
    let label = network_label(name);
    let members_of = json!({ "matchLabels": { (label): "true" } });
    let mut policies: Vec<Value> = members
        .iter()
        .filter(|one| !one.listeners.is_empty())
        .map(|one| {
            policy(
                cluster,
                &super::names::allowed(&format!("{}-from-{name}", one.name())),
                json!({
                    "podSelector": { "matchLabels": cluster.selector(one.name()) },
                    "policyTypes": ["Ingress"],
                    "ingress": [{
                        "from": [{ "podSelector": members_of }],
                        "ports": ports(&one.listeners),
                    }],
                }),
            )
        })
        .collect();
    let mut egress = vec![json!({ "to": [{ "podSelector": members_of }] })];
    if !internal {
        // A service that says where it may go has a policy of its own.
        egress.push(json!({
            "to": [{ "ipBlock": { "cidr": "0.0.0.0/0", "except": PRIVATE } }],
        }));
    }
    let limited: Vec<&str> = members
        .iter()
        .filter(|one| {
            one.extension
                .is_some_and(|extension| extension.egress.is_some())
        })
        .map(|one| one.name())
        .collect();
    let selector = if limited.is_empty() {
        members_of.clone()
    } else {
        let mut selector = Map::new();
        selector.insert("matchLabels".to_owned(), members_of["matchLabels"].clone());
        selector.insert(
            "matchExpressions".to_owned(),
            json!([{ "key": "app.kubernetes.io/name", "operator": "NotIn", "values": limited }]),
        );
        Value::Object(selector)
    };
    policies.push(policy(
        cluster,
        &super::names::allowed(&format!("network-{name}")),
        json!({ "podSelector": selector, "policyTypes": ["Egress"], "egress": egress }),
    ));
    if !limited.is_empty() {
        policies.push(policy(
            cluster,
            &super::names::allowed(&format!("network-{name}-peers")),
            json!({
                "podSelector": members_of,
                "policyTypes": ["Egress"],
                "egress": [{ "to": [{ "podSelector": members_of }] }],
            }),
        ));
    }
    policies
}

fn ports(listeners: &[Listener]) -> Vec<Value> {
    listeners.iter().map(port_of).collect()
}

fn port_of(listener: &Listener) -> Value {
    json!({ "protocol": protocol(listener.protocol), "port": listener.port })
}

/// Pods of the namespace reach one another by the tunnel of a mesh; what may go through it is for
/// the policies above, which the mesh's own see as well.
pub(crate) fn tunnel(cluster: &Cluster<'_>, mesh: Mesh) -> Vec<Value> {
    let ports = json!([{ "protocol": "TCP", "port": super::mesh::tunnel(mesh) }]);
    let peers = json!([{ "podSelector": {} }]);
    vec![policy(
        cluster,
        "mesh-tunnel",
        json!({
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{ "from": peers, "ports": ports }],
            "egress": [{ "to": peers, "ports": ports }],
        }),
    )]
}

/// The gateway reaches the pods by which cert-manager proves that a host name is ours.
fn certificate_challenges(cluster: &Cluster<'_>) -> Value {
    policy(
        cluster,
        "certificate-challenges",
        json!({
            "podSelector": { "matchLabels": { "acme.cert-manager.io/http01-solver": "true" } },
            "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [{ "namespaceSelector": { "matchLabels": { (format!("{PREFIX}/gateway")): "true" } } }],
                "ports": [{ "protocol": "TCP", "port": 8089 }],
            }],
        }),
    )
}

/// The gateway reaches what is routed, monitoring what has metrics.
fn from_outside(cluster: &Cluster<'_>, input: &Input<'_>, one: &Workload<'_>) -> Vec<Value> {
    let from = |what: &str| json!([{ "namespaceSelector": { "matchLabels": { (format!("{PREFIX}/{what}")): "true" } } }]);
    let mut policies = Vec::new();
    let allow = |name: String, from: Value, port: u16| {
        policy(
            cluster,
            &name,
            json!({
                "podSelector": { "matchLabels": cluster.selector(one.name()) },
                "policyTypes": ["Ingress"],
                "ingress": [{ "from": from, "ports": [{ "protocol": "TCP", "port": port }] }],
            }),
        )
    };
    if is_routed(one)
        && let Some(listener) = one.main()
    {
        policies.push(allow(
            format!("{}-from-gateway", one.name()),
            from("gateway"),
            listener.port,
        ));
    }
    if let Some(metrics) = &one.metrics {
        policies.push(allow(
            format!("{}-from-monitoring", one.name()),
            from("monitoring"),
            metrics.port,
        ));
    }
    let public = services::public_listeners(input, one);
    if !public.is_empty() {
        policies.push(policy(
            cluster,
            &format!("{}-from-anywhere", one.name()),
            json!({
                "podSelector": { "matchLabels": cluster.selector(one.name()) },
                "policyTypes": ["Ingress"],
                "ingress": [{ "ports": public.iter().map(|listener| port_of(listener)).collect::<Vec<_>>() }],
            }),
        ));
    }
    policies
}

/// Where a service may go that says so: address ranges; host names need more than a policy.
fn way_out(cluster: &Cluster<'_>, one: &Workload<'_>, losses: &mut Vec<Loss>) -> Option<Value> {
    let allowed = one.extension?.egress.as_ref()?;
    for place in allowed.iter().filter(|place| !place.value.contains('/')) {
        losses.push(
            Loss::new(
                Fidelity::Dropped,
                format!("services.{}.x-plimsoll.egress", one.name()),
                format!(
                    "a network policy knows addresses only; `{}` is not reached",
                    place.value
                ),
            )
            .at(place.span.clone())
            .hint("name its address range, or let it through by the mesh's or the network plug-in's own policy"),
        );
    }
    let ranges: Vec<Value> = allowed
        .iter()
        .filter(|place| place.value.contains('/'))
        .map(|place| json!({ "ipBlock": { "cidr": place.value } }))
        .collect();
    if ranges.is_empty() {
        return None;
    }
    Some(policy(
        cluster,
        &format!("{}-egress", one.name()),
        json!({
            "podSelector": { "matchLabels": cluster.selector(one.name()) },
            "policyTypes": ["Egress"],
            "egress": [{ "to": ranges }],
        }),
    ))
}
