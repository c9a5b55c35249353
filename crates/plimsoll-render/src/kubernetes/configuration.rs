//! Accounts, configuration and secrets of a service.

use plimsoll_model::FileSource;
use serde_json::{Map, Value, json};

use super::names::allowed;
use super::object::Cluster;
use super::storage;
use crate::{Fidelity, Input, Loss, Workload};

/// The account of a service, which may ask the cluster nothing.
pub(super) fn account(cluster: &Cluster<'_>, one: &Workload<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": cluster.metadata(one.name(), one),
        "automountServiceAccountToken": false,
    })
}

/// The name of the Secret that holds a service's secret variables.
pub(super) fn secret_name(service: &str) -> String {
    format!("{service}-secrets")
}

/// The name of the object for a secret or config of the project.
pub(super) fn object_name(kind: &str, name: &str) -> String {
    format!("{kind}-{}", allowed(name))
}

/// ConfigMaps for the configs and small files that a service uses. Secrets are not made here: the
/// overlays say where their values come from.
pub(super) fn objects(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Vec<Value> {
    let mut objects = Vec::new();
    for (index, file, text) in storage::small_files(input, one) {
        let mut data = Map::new();
        data.insert(file, json!(text));
        objects.push(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": cluster.metadata(&storage::file_map(one, index), one),
            "data": data,
        }));
    }
    for used in &one.service.configs {
        let name = &used.value.source;
        if !is_first_user(input, one, name) {
            continue;
        }
        let Some(config) = input.project.configs.get(name) else {
            continue;
        };
        let text = match &config.source {
            FileSource::Content(text) => Some(text.as_str()),
            FileSource::File(path) => input.contents.get(path).map(String::as_str),
            FileSource::Environment(_) | FileSource::External => None,
        };
        let Some(text) = text else {
            losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    format!("configs.{name}"),
                    format!(
                        "its content is not in the tree; make the ConfigMap `{}` with the key `{name}` yourself",
                        object_name("config", name)
                    ),
                )
                .at(config.span.clone()),
            );
            continue;
        };
        let mut data = Map::new();
        data.insert(name.clone(), json!(text));
        objects.push(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": cluster.metadata(&object_name("config", name), one),
            "data": data,
        }));
    }
    objects
}

fn is_first_user(input: &Input<'_>, one: &Workload<'_>, config: &str) -> bool {
    input
        .project
        .services
        .values()
        .find(|service| {
            service
                .configs
                .iter()
                .any(|used| used.value.source == config)
        })
        .is_some_and(|first| first.name == one.name())
}

/// The environment of a container: secrets by reference, the rest as written.
pub(super) fn environment(one: &Workload<'_>) -> Vec<Value> {
    one.service
        .environment
        .iter()
        .filter_map(|(name, value)| {
            if one.secret_variables.contains(name) {
                return Some(json!({
                    "name": name,
                    "valueFrom": {
                        "secretKeyRef": { "name": secret_name(one.name()), "key": name },
                    },
                }));
            }
            let value = value.value.as_ref()?;
            // Kubernetes expands `$(NAME)`; `$$(` stands for the characters themselves.
            Some(json!({ "name": name, "value": value.replace("$(", "$$(") }))
        })
        .collect()
}
