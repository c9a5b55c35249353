//! How requests come in: routes of the Gateway API or an Ingress, and certificates for them.
//!
//! All of it belongs to an environment, not to the base: a cluster for development may know neither
//! gateways nor certificates, and no two environments answer to the same host.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::object::{Cluster, tidy};
use crate::addresses::{Addresses, Encryption};
use crate::{Entry, Fidelity, Input, Loss, Role, Stage, Workload};

/// Whether requests from outside reach a service: a route says so, or it is published on an address
/// that others reach.
pub(crate) fn is_routed(one: &Workload<'_>) -> bool {
    let route = one.extension.and_then(|extension| extension.route.as_ref());
    let published = one
        .main()
        .is_some_and(|listener| listener.http && !listener.published.is_empty());
    let serves = matches!(one.role, Role::Web | Role::Ui) && !one.is_tool();
    route.is_some() || (published && serves)
}

/// The host names of a service that is routed. Those of production are said; another environment
/// has them below its own name.
pub(crate) fn hosts(input: &Input<'_>, one: &Workload<'_>, stage: Stage) -> Vec<String> {
    let said = one
        .extension
        .and_then(|extension| extension.route.as_ref())
        .map(|route| route.value.hosts.clone())
        .unwrap_or_default();
    let production = if said.is_empty() {
        vec![format!("{}.{}.example.com", one.name(), input.namespace())]
    } else {
        said
    };
    if stage == Stage::Production {
        return production;
    }
    production
        .iter()
        .map(|host| match host.strip_prefix("*.") {
            Some(domain) => format!("*.{}.{domain}", stage.word()),
            None => format!("{}.{host}", stage.word()),
        })
        .collect()
}

/// What the Gateway calls its listener for a host. It is named for the host, not numbered, so that a
/// host that comes or goes moves no other host's certificate.
fn listener_name(host: &str) -> String {
    host.replace('*', ANY)
}

/// What stands for `*` in the name of an object.
pub(crate) const ANY: &str = "wildcard";

/// The listener of the Gateway that takes requests without encryption, to send them on and to answer
/// the challenges of who gives certificates.
const PLAIN: &str = "http";

/// Tells of variables that name a port of a developer's machine, which is nobody's in a cluster.
pub(super) fn local_addresses(input: &Input<'_>, all: &[Workload<'_>], losses: &mut Vec<Loss>) {
    let mut found = Addresses::new(str::to_owned);
    for one in all.iter().filter(|one| is_routed(one)) {
        if let Some(host) = hosts(input, one, Stage::Production).first() {
            found.add(one, host, Encryption::Tls);
        }
    }
    let variables = all.iter().flat_map(|one| {
        let of = found.environment(input, one).into_iter();
        of.map(move |(name, address)| (one, name, address))
    });
    for (one, name, address) in variables {
        let said = one.service.environment.get(name);
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.environment.{name}", one.name()),
                format!("it names a port of a developer's machine, which a cluster has none of; routed, that is `{address}`"),
            )
            .at(said.and_then(|said| said.span.clone()))
            .hint("set it in the overlay of an environment"),
        );
    }
}

/// The route of a service that outside requests reach, through the Gateway API or an Ingress.
pub(crate) fn route(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    stage: Stage,
) -> Option<Value> {
    let listener = one.main().filter(|_| is_routed(one))?;
    let said = one
        .extension
        .and_then(|extension| extension.route.as_ref())
        .map(|route| &route.value);
    let port = said.and_then(|route| route.port).unwrap_or(listener.port);
    let path = said
        .and_then(|route| route.path.clone())
        .unwrap_or_else(|| "/".to_owned());
    let hosts = hosts(input, one, stage);
    if input.cluster.entry == Entry::Ingress {
        return Some(ingress(cluster, one, &hosts, port, &path));
    }
    let stream =
        one.service.facts.stream.is_some() || said.is_some_and(|route| route.stream.is_some());
    let parents: Vec<Value> = hosts
        .iter()
        .map(|host| json!({ "name": cluster.project_name(), "sectionName": listener_name(host) }))
        .collect();
    Some(tidy(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": cluster.metadata(one.name(), one),
        "spec": {
            "parentRefs": parents,
            "hostnames": hosts,
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
                // A response that stays open has no time limit.
                "timeouts": stream.then(|| json!({ "request": "0s" })),
                "backendRefs": [{ "name": one.name(), "port": port }],
            }],
        },
    })))
}

/// The name of the issuer of certificates, in the project's namespace.
pub(super) fn issuer_name(cluster: &Cluster<'_>) -> String {
    format!("{}-issuer", cluster.project_name())
}

fn ingress(
    cluster: &Cluster<'_>,
    one: &Workload<'_>,
    hosts: &[String],
    port: u16,
    path: &str,
) -> Value {
    let rules: Vec<Value> = hosts
        .iter()
        .map(|host| {
            json!({
                "host": host,
                "http": { "paths": [{
                    "path": path,
                    "pathType": "Prefix",
                    "backend": { "service": { "name": one.name(), "port": { "number": port } } },
                }] },
            })
        })
        .collect();
    let mut metadata = cluster.metadata(one.name(), one);
    metadata["annotations"] = json!({ "cert-manager.io/issuer": issuer_name(cluster) });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": {
            "tls": [{ "hosts": hosts, "secretName": format!("{}-tls", one.name()) }],
            "rules": rules,
        },
    })
}

/// The gateway that routes hang on, with a certificate from cert-manager for each host, and the
/// route that sends requests without encryption to the same address with it.
pub(crate) fn gateway(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    all: &[Workload<'_>],
    stage: Stage,
) -> Vec<Value> {
    if input.cluster.entry == Entry::Ingress {
        return Vec::new();
    }
    let names: BTreeSet<String> = all
        .iter()
        .filter(|one| is_routed(one))
        .flat_map(|one| hosts(input, one, stage))
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let own = json!({ "namespaces": { "from": "Same" } });
    let mut listeners = vec![json!({
        "name": PLAIN,
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": own,
    })];
    listeners.extend(names.iter().map(|host| {
        json!({
            "name": listener_name(host),
            "hostname": host,
            "port": 443,
            "protocol": "HTTPS",
            "tls": {
                "mode": "Terminate",
                "certificateRefs": [{ "name": format!("{}-tls", listener_name(host)) }],
            },
            "allowedRoutes": own,
        })
    }));
    let mut metadata = cluster.project_metadata(cluster.project_name());
    metadata["annotations"] = json!({ "cert-manager.io/issuer": issuer_name(cluster) });
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": metadata,
        "spec": { "gatewayClassName": "gateway", "listeners": listeners },
    });
    let redirect = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": cluster.project_metadata(&format!("{}-to-https", cluster.project_name())),
        "spec": {
            "parentRefs": [{ "name": cluster.project_name(), "sectionName": PLAIN }],
            "rules": [{ "filters": [{
                "type": "RequestRedirect",
                "requestRedirect": { "scheme": "https", "statusCode": 301 },
            }] }],
        },
    });
    vec![gateway, redirect]
}

/// The issuer of the certificates: Let's Encrypt's own for production, its trial elsewhere.
pub(crate) fn issuer(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    all: &[Workload<'_>],
    stage: Stage,
) -> Option<Value> {
    if !all.iter().any(is_routed) {
        return None;
    }
    let directory = match stage {
        Stage::Production => "https://acme-v02.api.letsencrypt.org/directory",
        Stage::Development | Stage::Staging => {
            "https://acme-staging-v02.api.letsencrypt.org/directory"
        }
    };
    let name = issuer_name(cluster);
    let solver = match input.cluster.entry {
        Entry::Gateway => json!({ "gatewayHTTPRoute": {
            "parentRefs": [{
                "kind": "Gateway",
                "name": cluster.project_name(),
                "sectionName": PLAIN,
            }],
        } }),
        Entry::Ingress => json!({ "ingress": {} }),
    };
    Some(json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": cluster.project_metadata(&name),
        "spec": { "acme": {
            "server": directory,
            "privateKeySecretRef": { "name": format!("{name}-account") },
            "solvers": [{ "http01": solver }],
        } },
    }))
}

/// What a model does not say of how requests come in.
pub(super) fn losses(input: &Input<'_>, all: &[Workload<'_>], losses: &mut Vec<Loss>) {
    if !all.iter().any(is_routed) {
        return;
    }
    for one in all.iter().filter(|one| is_routed(one)) {
        let said = one.extension.and_then(|extension| extension.route.as_ref());
        if said.is_some_and(|route| !route.value.hosts.is_empty()) {
            continue;
        }
        let listener = one.main().and_then(|listener| listener.span.clone());
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.ports", one.name()),
                format!(
                    "no host name is said for it; `{}` stands in for one",
                    hosts(input, one, Stage::Production).join("`, `")
                ),
            )
            .at(listener.or_else(|| one.service.span.clone()))
            .hint("set `x-plimsoll.route.host`"),
        );
    }
    losses.push(
        Loss::new(
            Fidelity::Approximate,
            "name",
            "host names are those of production; staging has them below `staging.`, and development has no routes",
        )
        .hint("patch the hosts in the overlay of an environment"),
    );
    losses.push(
        Loss::new(
            Fidelity::Approximate,
            "name",
            "certificates are asked for by an Issuer of cert-manager, which must be in the cluster; the account has no address for warnings",
        )
        .hint("set `spec.acme.email` of the Issuer in an overlay"),
    );
    if input.cluster.entry == Entry::Gateway {
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                "name",
                "the Gateway is of the class `gateway`, and its namespace is let in by the label `plimsoll.dev/gateway: \"true\"`",
            )
            .hint("patch `gatewayClassName` to a class of the cluster, and label the namespace of its proxies"),
        );
    }
}
