//! How pods are found: services by name, by alias, and by address for who asks from outside.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::Protocol;
use plimsoll_model::yaml::Node;
use serde_json::{Value, json};

use super::names;
use super::object::{Cluster, port_name, tidy};
use super::pod::protocol;
use super::routes::is_routed;
use super::storage;
use crate::{Fidelity, Input, Listener, Loss, Workload};

/// The services by which a workload is found: by its name, by its aliases, by its pods' names where
/// each keeps data of its own, and from outside what is published and carries no HTTP.
pub(super) fn services(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    all: &[Workload<'_>],
    losses: &mut Vec<Loss>,
) -> Vec<Value> {
    let mut services = external(cluster, input, one, all, losses);
    if one.listeners.is_empty() || !one.is_daemon() {
        return services;
    }
    let service = |name: &str, kind: &str, cluster_ip: Option<&str>, listeners: &[&Listener]| {
        let ports: Vec<Value> = listeners
            .iter()
            .map(|listener| service_port(one, listener))
            .collect();
        tidy(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": cluster.metadata(name, one),
            "spec": {
                "type": kind,
                "clusterIP": cluster_ip,
                // The address of who asks stays as it is.
                "externalTrafficPolicy": (kind == "LoadBalancer").then_some("Local"),
                "selector": cluster.selector(one.name()),
                "ports": ports,
            },
        }))
    };
    let every: Vec<&Listener> = one.listeners.iter().collect();
    let mode = input
        .node(one.name())
        .and_then(|node| node.find(&["deploy", "endpoint_mode"]))
        .and_then(Node::as_text);
    let address = (mode == Some("dnsrr")).then_some("None");
    services.push(service(one.name(), "ClusterIP", address, &every));
    if storage::has_claim_templates(one) {
        let name = format!("{}-pods", one.name());
        services.push(service(&name, "ClusterIP", Some("None"), &every));
    }
    for alias in aliases(one, all) {
        services.push(service(&alias, "ClusterIP", address, &every));
    }
    let public = public_listeners(input, one);
    if !public.is_empty() {
        let name = format!("{}-public", one.name());
        services.push(service(&name, "LoadBalancer", None, &public));
    }
    not_published(one, &public, losses);
    services
}

/// Other names under which peers find a service: aliases in networks and in `links` of others.
fn aliases(one: &Workload<'_>, all: &[Workload<'_>]) -> BTreeSet<String> {
    let in_networks = one
        .service
        .networks
        .values()
        .flat_map(|network| network.aliases.iter());
    let in_links = all.iter().flat_map(|other| {
        other
            .service
            .links
            .iter()
            .filter(|link| link.value.service == one.name())
            .map(|link| &link.value.alias)
    });
    in_networks
        .chain(in_links)
        .filter(|alias| !all.iter().any(|other| other.name() == alias.as_str()))
        .filter(|alias| !names::is_refused(alias))
        .cloned()
        .collect()
}

/// Listeners that are published to others and carry something else than HTTP. What keeps data is
/// never published.
pub(super) fn public_listeners<'w>(input: &Input<'_>, one: &'w Workload<'_>) -> Vec<&'w Listener> {
    let said = one
        .extension
        .and_then(|extension| extension.route.as_ref())
        .map(|route| &route.value);
    let is_tcp = |listener: &Listener| {
        said.is_some_and(|route| {
            route.protocol.as_deref() == Some("tcp")
                && route.port.is_none_or(|port| port == listener.port)
        })
    };
    let _ = input;
    one.listeners
        .iter()
        .filter(|listener| one.is_daemon() && !listener.published.is_empty() && !listener.loopback)
        .filter(|listener| {
            one.store.is_none() && (listener.protocol == Protocol::Udp || is_tcp(listener))
        })
        .collect()
}

/// Published ports that no one outside reaches in a cluster.
fn not_published(one: &Workload<'_>, public: &[&Listener], losses: &mut Vec<Loss>) {
    let routed = is_routed(one).then(|| one.main()).flatten();
    for listener in &one.listeners {
        if listener.published.is_empty()
            || listener.loopback
            || public.contains(&listener)
            || routed == Some(listener)
        {
            continue;
        }
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.ports", one.name()),
                format!(
                    "port {} is reached inside the namespace alone; `kubectl port-forward service/{} {}` opens it for one person",
                    listener.port,
                    one.name(),
                    listener.port
                ),
            )
            .at(listener.span.clone()),
        );
    }
}

fn service_port(one: &Workload<'_>, listener: &Listener) -> Value {
    let is_first = one.listeners.first() == Some(listener);
    let name = port_name(listener.http, listener.port, is_first);
    json!({
        "name": name,
        "port": listener.port,
        "targetPort": name,
        "protocol": protocol(listener.protocol),
        "appProtocol": listener.http.then_some("http"),
    })
}

/// Names for what `external_links` says runs elsewhere.
fn external(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    all: &[Workload<'_>],
    losses: &mut Vec<Loss>,
) -> Vec<Value> {
    let links = |name: &str| -> BTreeMap<String, String> {
        input
            .node(name)
            .and_then(|node| node.get("external_links"))
            .and_then(Node::as_list)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::as_text)
            .map(|link| {
                let (target, alias) = link.split_once(':').unwrap_or((link, link));
                (alias.to_owned(), target.to_owned())
            })
            .collect()
    };
    let mut services = Vec::new();
    for (alias, target) in links(one.name()) {
        let first = all
            .iter()
            .find(|other| links(other.name()).contains_key(&alias));
        if first.is_none_or(|first| first.name() != one.name()) || names::is_refused(&alias) {
            continue;
        }
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.external_links", one.name()),
                format!("`{alias}` is an ExternalName of `{target}`, which the cluster's DNS must resolve"),
            )
            .at(one.service.span.clone()),
        );
        services.push(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": cluster.metadata(&alias, one),
            "spec": { "type": "ExternalName", "externalName": target },
        }));
    }
    services
}
