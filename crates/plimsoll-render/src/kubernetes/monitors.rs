//! How the Prometheus operator finds metrics, where it is asked for.

use serde_json::{Value, json};

use super::object::{Cluster, port_name};
use crate::{Discovery, Input, Workload};

/// The PodMonitor of a service that really serves metrics.
pub(super) fn objects(cluster: &Cluster<'_>, input: &Input<'_>, one: &Workload<'_>) -> Vec<Value> {
    let (Some(metrics), Discovery::Operator) = (&one.metrics, input.cluster.discovery) else {
        return Vec::new();
    };
    let Some(index) = one
        .listeners
        .iter()
        .position(|listener| listener.port == metrics.port)
    else {
        return Vec::new();
    };
    let port = port_name(one.listeners[index].http, metrics.port, index == 0);
    vec![json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": cluster.metadata(one.name(), one),
        "spec": {
            "selector": { "matchLabels": cluster.selector(one.name()) },
            "podMetricsEndpoints": [{ "port": port, "path": metrics.path, "interval": "30s" }],
        },
    })]
}
