//! An app of Azure Container Apps.

use serde_json::{Value, json};

use super::Tenant;

/// The app that `az containerapp create --yaml` takes. Values of its secrets are set by
/// `az containerapp secret set`, or refer to a Key Vault.
pub(super) fn app(tenant: &Tenant<'_>) -> Value {
    let one = tenant.one;
    let secret = |key: &str| key.to_ascii_lowercase().replace('_', "-");
    let mut env: Vec<Value> = tenant
        .plain
        .iter()
        .map(|(key, value)| json!({ "name": key, "value": value }))
        .collect();
    env.extend(
        tenant
            .kept
            .iter()
            .map(|key| json!({ "name": key, "secretRef": secret(key) })),
    );
    let (cpu, memory) = size(tenant.cpus(), tenant.mebibytes());
    let mut container = json!({
        "name": one.name(),
        "image": one.image,
        "resources": { "cpu": cpu, "memory": memory },
    });
    if let Some(command) = tenant.command() {
        container["args"] = json!(command);
    }
    if !env.is_empty() {
        container["env"] = json!(env);
    }
    if let (Some(path), Some(port)) = (tenant.health(), tenant.port()) {
        let probe = |kind: &str, failures: u32| {
            json!({
                "type": kind,
                "httpGet": { "path": path, "port": port },
                "periodSeconds": 10,
                "timeoutSeconds": 5,
                "failureThreshold": failures,
            })
        };
        container["probes"] = json!([probe("Startup", 10), probe("Readiness", 3)]);
    }
    let most = one.service.facts.replicas_max.unwrap_or(10);
    let scale = match tenant.is_public() {
        true => json!({ "minReplicas": 1, "maxReplicas": most.max(1) }),
        false => json!({ "minReplicas": 1, "maxReplicas": 1 }),
    };
    let mut configuration = json!({ "activeRevisionsMode": "Single" });
    if let Some(port) = tenant.port() {
        configuration["ingress"] = json!({
            "external": tenant.is_public(),
            "targetPort": port,
            "transport": "auto",
            "allowInsecure": false,
        });
    }
    json!({
        "name": tenant.name(),
        "type": "Microsoft.App/containerApps",
        "properties": {
            "configuration": configuration,
            "template": { "containers": [container], "scale": scale },
        },
    })
}

/// A size that is offered: quarters of a processor, with twice as many GiB.
fn size(cpus: f64, mebibytes: u64) -> (f64, String) {
    let by_memory = (mebibytes as f64 / 2048.0 / 0.25).ceil() * 0.25;
    let by_cpus = (cpus / 0.25).ceil() * 0.25;
    let cpu = by_memory.max(by_cpus).clamp(0.25, 4.0);
    (cpu, format!("{}Gi", cpu * 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_twice_as_much_memory_as_processors() {
        assert_eq!(size(0.5, 128), (0.5, "1Gi".to_owned()));
        assert_eq!(size(0.1, 1536), (0.75, "1.5Gi".to_owned()));
        assert_eq!(size(9.0, 1), (4.0, "8Gi".to_owned()));
    }
}
