//! Every object is one that the API knows, to its last field.

use std::fmt::Debug;

use k8s_openapi::api::{apps, autoscaling, batch, core, networking, policy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::project::{self, WIDE, objects};

/// Reads an object as its type and writes it again: a field that the type does not know is lost on
/// the way, and shows as a difference.
fn same<T: DeserializeOwned + Serialize + Debug>(object: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&typed).unwrap();
    if again == *object {
        Ok(())
    } else {
        Err(format!("{object:#}\nis read as\n{again:#}"))
    }
}

/// Fields that objects of other APIs may have: `*` stands for any name, `[]` for entries of a list.
fn foreign(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Gateway" => &[
            "spec.gatewayClassName",
            "spec.listeners[].name",
            "spec.listeners[].hostname",
            "spec.listeners[].port",
            "spec.listeners[].protocol",
            "spec.listeners[].tls.mode",
            "spec.listeners[].tls.certificateRefs[].name",
            "spec.listeners[].allowedRoutes.namespaces.from",
        ],
        "HTTPRoute" => &[
            "spec.parentRefs[].name",
            "spec.parentRefs[].sectionName",
            "spec.hostnames[]",
            "spec.rules[].matches[].path.type",
            "spec.rules[].matches[].path.value",
            "spec.rules[].filters[].type",
            "spec.rules[].filters[].requestRedirect.scheme",
            "spec.rules[].filters[].requestRedirect.statusCode",
            "spec.rules[].timeouts.request",
            "spec.rules[].backendRefs[].name",
            "spec.rules[].backendRefs[].port",
        ],
        "ExternalSecret" => &[
            "spec.refreshInterval",
            "spec.secretStoreRef.kind",
            "spec.secretStoreRef.name",
            "spec.target.name",
            "spec.target.creationPolicy",
            "spec.data[].secretKey",
            "spec.data[].remoteRef.key",
            "spec.data[].remoteRef.property",
        ],
        "SealedSecret" => &[
            "spec.encryptedData.*",
            "spec.template.metadata.name",
            "spec.template.metadata.namespace",
        ],
        "Issuer" => &[
            "spec.acme.server",
            "spec.acme.privateKeySecretRef.name",
            "spec.acme.solvers[].http01.gatewayHTTPRoute.parentRefs[].kind",
            "spec.acme.solvers[].http01.gatewayHTTPRoute.parentRefs[].name",
            "spec.acme.solvers[].http01.gatewayHTTPRoute.parentRefs[].sectionName",
            "spec.acme.solvers[].http01.ingress",
        ],
        "PodMonitor" => &[
            "spec.selector.matchLabels.*",
            "spec.podMetricsEndpoints[].port",
            "spec.podMetricsEndpoints[].path",
            "spec.podMetricsEndpoints[].interval",
        ],
        "PeerAuthentication" => &["spec.mtls.mode"],
        _ => return None,
    })
}

fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let separator = if path.is_empty() { "" } else { "." };
                paths(value, &format!("{path}{separator}{key}"), all);
            }
        }
        Value::Array(list) => {
            for value in list {
                paths(value, &format!("{path}[]"), all);
            }
        }
        _ => all.push(path.to_owned()),
    }
}

fn known(object: &Value, kind: &str) -> Result<(), String> {
    let allowed = foreign(kind).ok_or_else(|| format!("no kind `{kind}`"))?;
    let mut all = Vec::new();
    paths(&object["spec"], "spec", &mut all);
    for path in all {
        let fits = allowed.iter().any(|one| {
            *one == path
                || one
                    .strip_suffix('*')
                    .is_some_and(|prefix| path.starts_with(prefix))
        });
        if !fits {
            return Err(format!("{kind} has no `{path}`"));
        }
    }
    Ok(())
}

fn decode(object: &Value) -> Result<(), String> {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    match (version, kind) {
        ("v1", "Namespace") => same::<core::v1::Namespace>(object),
        ("v1", "Service") => same::<core::v1::Service>(object),
        ("v1", "ServiceAccount") => same::<core::v1::ServiceAccount>(object),
        ("v1", "ConfigMap") => same::<core::v1::ConfigMap>(object),
        ("v1", "Secret") => same::<core::v1::Secret>(object),
        ("v1", "PersistentVolume") => same::<core::v1::PersistentVolume>(object),
        ("v1", "PersistentVolumeClaim") => same::<core::v1::PersistentVolumeClaim>(object),
        ("v1", "ResourceQuota") => same::<core::v1::ResourceQuota>(object),
        ("v1", "LimitRange") => same::<core::v1::LimitRange>(object),
        ("apps/v1", "Deployment") => same::<apps::v1::Deployment>(object),
        ("apps/v1", "StatefulSet") => same::<apps::v1::StatefulSet>(object),
        ("apps/v1", "DaemonSet") => same::<apps::v1::DaemonSet>(object),
        ("batch/v1", "Job") => same::<batch::v1::Job>(object),
        ("batch/v1", "CronJob") => same::<batch::v1::CronJob>(object),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => {
            same::<autoscaling::v2::HorizontalPodAutoscaler>(object)
        }
        ("policy/v1", "PodDisruptionBudget") => same::<policy::v1::PodDisruptionBudget>(object),
        ("networking.k8s.io/v1", "NetworkPolicy") => same::<networking::v1::NetworkPolicy>(object),
        ("networking.k8s.io/v1", "Ingress") => same::<networking::v1::Ingress>(object),
        ("gateway.networking.k8s.io/v1", "Gateway" | "HTTPRoute")
        | ("external-secrets.io/v1", "ExternalSecret")
        | ("bitnami.com/v1alpha1", "SealedSecret")
        | ("cert-manager.io/v1", "Issuer")
        | ("monitoring.coreos.com/v1", "PodMonitor")
        | ("security.istio.io/v1", "PeerAuthentication") => known(object, kind),
        _ => Err(format!("no `{kind}` in `{version}`")),
    }
}

#[test]
fn the_api_knows_every_field_of_every_object() {
    let mut kinds = std::collections::BTreeSet::new();
    for cluster in project::choices() {
        let rendering = project::manifests(WIDE, cluster);
        for (file, object) in objects(&rendering, "kubernetes/") {
            let version = object["apiVersion"].as_str().unwrap_or_default();
            if version.starts_with("kustomize.config") || version.starts_with("viaduct.ai") {
                continue;
            }
            // Rules of SOPS are no object.
            if file.ends_with(".sops.yaml") {
                continue;
            }
            if let Err(problem) = decode(&object) {
                panic!("{file}: {problem}");
            }
            kinds.insert(object["kind"].as_str().unwrap().to_owned());
        }
    }
    // The fixture is as wide as the renderer.
    for kind in [
        "CronJob",
        "DaemonSet",
        "Deployment",
        "ExternalSecret",
        "Gateway",
        "HTTPRoute",
        "HorizontalPodAutoscaler",
        "Ingress",
        "Issuer",
        "Job",
        "LimitRange",
        "NetworkPolicy",
        "PeerAuthentication",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "ResourceQuota",
        "SealedSecret",
        "Secret",
        "StatefulSet",
    ] {
        assert!(kinds.contains(kind), "{kind} is not rendered");
    }
}

#[test]
fn an_unknown_field_is_seen() {
    let service = serde_json::json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "a" },
        "spec": { "ports": [{ "port": 80, "portName": "http" }] },
    });
    assert!(decode(&service).is_err());
}
