//! A service of Google Cloud Run, or a pool of workers where nothing is asked of it.

use serde_json::{Value, json};

use super::Tenant;

/// The object that `gcloud run services replace` takes, or `gcloud run worker-pools replace`.
pub(super) fn object(tenant: &Tenant<'_>) -> Value {
    let one = tenant.one;
    let name = tenant.name();
    let mut env: Vec<Value> = tenant
        .plain
        .iter()
        // Cloud Run sets it itself, to the port below.
        .filter(|(key, _)| **key != "PORT")
        .map(|(key, value)| json!({ "name": key, "value": value }))
        .collect();
    env.extend(tenant.kept.iter().map(|key| {
        let secret = format!("{name}-{}", key.to_ascii_lowercase().replace('_', "-"));
        json!({ "name": key, "valueFrom": { "secretKeyRef": { "name": secret, "key": "latest" } } })
    }));
    // Half a gigabyte is the least that an instance which is always on has.
    let memory = tenant.mebibytes().max(512);
    let mut container = json!({
        "image": one.image,
        "resources": { "limits": {
            "cpu": format!("{}", tenant.cpus().max(1.0).ceil()),
            "memory": format!("{memory}Mi"),
        } },
    });
    if let Some(command) = tenant.command() {
        container["args"] = json!(command);
    }
    if !env.is_empty() {
        container["env"] = json!(env);
    }
    let Some(port) = tenant.port() else {
        return json!({
            "apiVersion": "run.googleapis.com/v1",
            "kind": "WorkerPool",
            "metadata": { "name": name, "annotations": { "run.googleapis.com/manualInstanceCount": "1" } },
            "spec": { "template": { "spec": { "containers": [container] } } },
        });
    };
    container["ports"] = json!([{ "name": "http1", "containerPort": port }]);
    if let Some(path) = tenant.health() {
        let ask = json!({ "path": path, "port": port });
        container["startupProbe"] = json!({ "httpGet": ask, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 24 });
    }
    let streams = one.service.facts.stream.is_some();
    let ingress = match tenant.is_public() {
        true => "all",
        false => "internal",
    };
    json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": { "name": name, "annotations": { "run.googleapis.com/ingress": ingress } },
        "spec": { "template": {
            "metadata": { "annotations": {
                "autoscaling.knative.dev/minScale": "0",
                "autoscaling.knative.dev/maxScale": one.service.facts.replicas_max.unwrap_or(10).to_string(),
                "run.googleapis.com/execution-environment": "gen2",
            } },
            "spec": {
                "containerConcurrency": 80,
                // An hour is the most that an answer may stay open.
                "timeoutSeconds": if streams { 3600 } else { 300 },
                "containers": [container],
            },
        } },
    })
}
