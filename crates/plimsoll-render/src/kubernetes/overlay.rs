//! Overlays of kustomize: what differs between environments.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::configuration::{object_name, secret_name};
use super::object::Cluster;
use super::{ROOT, documents, network, scaling};
use crate::{Input, Rendering, Stage, Workload, workloads, yaml};

/// Writes the base's and the overlays' kustomizations.
pub(super) fn write(input: &Input<'_>, resources: &[String], rendering: &mut Rendering) {
    let base = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    rendering.file(format!("{ROOT}/base/kustomization.yaml"), yaml(&base));
    let all = workloads(input);
    let secrets = secrets(input, &all);
    for stage in Stage::ALL {
        let place = format!("{ROOT}/overlays/{}", stage.word());
        let mut kustomization = Map::new();
        kustomization.insert(
            "apiVersion".to_owned(),
            json!("kustomize.config.k8s.io/v1beta1"),
        );
        kustomization.insert("kind".to_owned(), json!("Kustomization"));
        let mut resources = vec!["../../base".to_owned()];
        if stage != Stage::Development {
            let extra = shared(input, &all, &secrets, stage);
            for (file, objects) in extra {
                rendering.file(format!("{place}/{file}"), documents(&objects));
                resources.push(file.to_owned());
            }
        }
        kustomization.insert("resources".to_owned(), json!(resources));
        if stage == Stage::Development && !secrets.is_empty() {
            kustomization.insert("secretGenerator".to_owned(), generators(&secrets));
            kustomization.insert(
                "generatorOptions".to_owned(),
                json!({ "disableNameSuffixHash": true }),
            );
            for secret in &secrets {
                rendering.file(
                    format!("{place}/{}.env.example", secret.name),
                    example(secret),
                );
            }
            rendering.file(format!("{place}/.gitignore"), "*.env\n");
        }
        let patches = patches(&all, stage);
        if !patches.is_empty() {
            kustomization.insert("patches".to_owned(), json!(patches));
        }
        rendering.file(
            format!("{place}/kustomization.yaml"),
            yaml(&Value::Object(kustomization)),
        );
    }
}

/// A Secret that pods refer to, and its keys.
pub(crate) struct SecretObject {
    pub(crate) name: String,
    pub(crate) keys: BTreeSet<String>,
}

/// Every Secret that pods refer to.
pub(crate) fn secrets(input: &Input<'_>, all: &[Workload<'_>]) -> Vec<SecretObject> {
    let mut secrets: Vec<SecretObject> = all
        .iter()
        .filter(|one| !one.secret_variables.is_empty())
        .map(|one| SecretObject {
            name: secret_name(one.name()),
            keys: one.secret_variables.clone(),
        })
        .collect();
    let used: BTreeSet<&str> = all
        .iter()
        .flat_map(|one| {
            one.service
                .secrets
                .iter()
                .map(|used| used.value.source.as_str())
        })
        .filter(|name| input.project.secrets.contains_key(*name))
        .collect();
    secrets.extend(used.into_iter().map(|name| SecretObject {
        name: object_name("secret", name),
        keys: BTreeSet::from([name.to_owned()]),
    }));
    secrets
}

/// In development, values come from files that are never committed.
fn generators(secrets: &[SecretObject]) -> Value {
    secrets
        .iter()
        .map(|secret| json!({ "name": secret.name, "envs": [format!("{}.env", secret.name)] }))
        .collect()
}

fn example(secret: &SecretObject) -> String {
    let mut text = format!(
        "# Copy to {}.env and fill in; it is not committed.\n",
        secret.name
    );
    for key in &secret.keys {
        text.push_str(&format!("{key}=\n"));
    }
    text
}

/// Elsewhere they come from a secret store, through the External Secrets operator.
fn shared(
    input: &Input<'_>,
    all: &[Workload<'_>],
    secrets: &[SecretObject],
    stage: Stage,
) -> Vec<(&'static str, Vec<Value>)> {
    let cluster = Cluster::new(input.project);
    let mut files = Vec::new();
    if !secrets.is_empty() {
        let objects = secrets
            .iter()
            .map(|secret| {
                let data: Vec<Value> = secret
                    .keys
                    .iter()
                    .map(|key| {
                        json!({
                            "secretKey": key,
                            "remoteRef": {
                                "key": format!("{}/{}/{}", input.project.name, stage.word(), secret.name),
                                "property": key,
                            },
                        })
                    })
                    .collect();
                json!({
                    "apiVersion": "external-secrets.io/v1",
                    "kind": "ExternalSecret",
                    "metadata": cluster.project_metadata(&secret.name),
                    "spec": {
                        "refreshInterval": "1h",
                        "secretStoreRef": { "kind": "ClusterSecretStore", "name": input.project.name },
                        "target": { "name": secret.name, "creationPolicy": "Owner" },
                        "data": data,
                    },
                })
            })
            .collect();
        files.push(("external-secrets.yaml", objects));
    }
    let issuer = match stage {
        Stage::Production => "letsencrypt",
        Stage::Development | Stage::Staging => "letsencrypt-staging",
    };
    if let Some(gateway) = network::gateway(&cluster, input, all, issuer) {
        files.push(("gateway.yaml", vec![gateway]));
    }
    if stage == Stage::Production {
        files.push(("quota.yaml", vec![quota(&cluster, all)]));
    }
    files
}

/// Twice what the stack asks for at its largest, so that a mistake stays within bounds.
fn quota(cluster: &Cluster<'_>, all: &[Workload<'_>]) -> Value {
    let (mut cpus, mut memory, mut pods) = (0.0, 0_u64, 0_u64);
    for one in all {
        let count =
            u64::from(scaling::bounds(one).map_or(one.service.scale.value, |(_, most)| most));
        let limits = &one.service.limits;
        cpus += limits.cpus.unwrap_or(1.0) * count as f64;
        memory += limits.memory.unwrap_or(512 << 20) * count;
        pods += count;
    }
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": cluster.project_metadata(cluster.project_name()),
        "spec": {
            "hard": {
                "limits.cpu": format!("{}", (cpus * 2.0).ceil()),
                "limits.memory": super::storage::quantity((memory * 2).next_multiple_of(1 << 30)),
                "pods": (pods * 2).to_string(),
            },
        },
    })
}

/// Fewer pods where there are no users.
fn patches(all: &[Workload<'_>], stage: Stage) -> Vec<Value> {
    let (least, most) = match stage {
        Stage::Development => (1, 1),
        Stage::Staging => (1, 3),
        Stage::Production => return Vec::new(),
    };
    all.iter()
        .filter_map(|one| Some((one, scaling::bounds(one)?)))
        .map(|(one, bounds)| {
            let operations = json!([
                { "op": "replace", "path": "/spec/minReplicas", "value": least },
                { "op": "replace", "path": "/spec/maxReplicas", "value": most.min(bounds.1).max(least) },
            ]);
            json!({
                "target": { "kind": "HorizontalPodAutoscaler", "name": one.name() },
                "patch": crate::json(&operations),
            })
        })
        .collect()
}
