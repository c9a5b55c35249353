//! How pods are found, reached from outside, and kept apart.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::object::{Cluster, PREFIX, port_name, tidy};
use super::pod::{network_label, protocol};
use super::storage;
use crate::{Fidelity, Input, Listener, Loss, Role, Workload};

/// Networks of a cluster and of clouds that are nobody's way out.
const PRIVATE: &[&str] = &[
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
];

/// The services by which a workload is found: by its name, by its aliases, and by its pods' names
/// where each keeps data of its own.
pub(super) fn services(
    cluster: &Cluster<'_>,
    one: &Workload<'_>,
    all: &[Workload<'_>],
) -> Vec<Value> {
    if one.listeners.is_empty() || !one.is_daemon() {
        return Vec::new();
    }
    let ports: Vec<Value> = one
        .listeners
        .iter()
        .enumerate()
        .map(|(index, listener)| service_port(listener, index))
        .collect();
    let service = |name: &str, cluster_ip: Option<&str>| {
        tidy(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": cluster.metadata(name, one),
            "spec": {
                "type": "ClusterIP",
                "clusterIP": cluster_ip,
                "selector": cluster.selector(one.name()),
                "ports": ports,
            },
        }))
    };
    let mut services = vec![service(one.name(), None)];
    if storage::has_claim_templates(one) {
        services.push(service(&format!("{}-pods", one.name()), Some("None")));
    }
    let aliases: BTreeSet<&str> = one
        .service
        .networks
        .values()
        .flat_map(|network| network.aliases.iter().map(String::as_str))
        .filter(|alias| !all.iter().any(|other| other.name() == *alias))
        .filter(|alias| !super::names::is_refused(alias))
        .collect();
    services.extend(aliases.into_iter().map(|alias| service(alias, None)));
    services
}

fn service_port(listener: &Listener, index: usize) -> Value {
    let name = port_name(listener.http, listener.port, index == 0);
    json!({
        "name": name,
        "port": listener.port,
        "targetPort": name,
        "protocol": protocol(listener.protocol),
        "appProtocol": listener.http.then_some("http"),
    })
}

/// Whether requests from outside reach a service: a route says so, or it is published on an address
/// that others reach.
pub(crate) fn is_routed(one: &Workload<'_>) -> bool {
    let route = one.extension.and_then(|extension| extension.route.as_ref());
    let published = one
        .main()
        .is_some_and(|listener| listener.http && !listener.published.is_empty());
    route.is_some() || (published && matches!(one.role, Role::Web | Role::Ui))
}

/// The host name of a service that is routed.
pub(crate) fn hosts(input: &Input<'_>, one: &Workload<'_>) -> Vec<String> {
    let said = one
        .extension
        .and_then(|extension| extension.route.as_ref())
        .map(|route| route.value.hosts.clone())
        .unwrap_or_default();
    if said.is_empty() {
        vec![format!("{}.{}.example.com", one.name(), input.project.name)]
    } else {
        said
    }
}

/// A route through the Gateway API for a service that outside requests reach.
pub(super) fn routes(cluster: &Cluster<'_>, input: &Input<'_>, one: &Workload<'_>) -> Vec<Value> {
    if !is_routed(one) {
        return Vec::new();
    }
    let Some(listener) = one.main() else {
        return Vec::new();
    };
    let said = one
        .extension
        .and_then(|extension| extension.route.as_ref())
        .map(|route| &route.value);
    let port = said.and_then(|route| route.port).unwrap_or(listener.port);
    let path = said
        .and_then(|route| route.path.clone())
        .unwrap_or_else(|| "/".to_owned());
    let stream =
        one.service.facts.stream.is_some() || said.is_some_and(|route| route.stream.is_some());
    vec![tidy(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": cluster.metadata(one.name(), one),
        "spec": {
            "parentRefs": [{ "name": cluster.project_name() }],
            "hostnames": hosts(input, one),
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
                // A response that stays open has no time limit.
                "timeouts": stream.then(|| json!({ "request": "0s" })),
                "backendRefs": [{ "name": one.name(), "port": port }],
            }],
        },
    }))]
}

/// The gateway that routes hang on, with a certificate from cert-manager.
pub(crate) fn gateway(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    all: &[Workload<'_>],
    issuer: &str,
) -> Option<Value> {
    let names: BTreeSet<String> = all
        .iter()
        .filter(|one| is_routed(one))
        .flat_map(|one| hosts(input, one))
        .collect();
    if names.is_empty() {
        return None;
    }
    let listeners: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(index, host)| {
            json!({
                "name": format!("https-{index}"),
                "hostname": host,
                "port": 443,
                "protocol": "HTTPS",
                "tls": {
                    "mode": "Terminate",
                    "certificateRefs": [{ "name": format!("{}-tls-{index}", cluster.project_name()) }],
                },
                "allowedRoutes": { "namespaces": { "from": "Same" } },
            })
        })
        .collect();
    let mut metadata = cluster.project_metadata(cluster.project_name());
    metadata["annotations"] = json!({ "cert-manager.io/cluster-issuer": issuer });
    Some(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": metadata,
        "spec": { "gatewayClassName": "gateway", "listeners": listeners },
    }))
}

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
    for one in all {
        policies.extend(from_outside(cluster, one));
        policies.extend(way_out(cluster, one));
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
    listeners
        .iter()
        .map(|listener| json!({ "protocol": protocol(listener.protocol), "port": listener.port }))
        .collect()
}

/// The gateway reaches what is routed, monitoring what has metrics.
fn from_outside(cluster: &Cluster<'_>, one: &Workload<'_>) -> Vec<Value> {
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
    policies
}

/// Where a service may go that says so: address ranges; host names need more than a policy.
fn way_out(cluster: &Cluster<'_>, one: &Workload<'_>) -> Option<Value> {
    let allowed = one.extension?.egress.as_ref()?;
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
