//! Accounts, configuration and secrets of a service.

use plimsoll_model::FileSource;
use plimsoll_model::yaml::Node;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

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

/// A fingerprint of the texts that a service's pods are configured by, and of the names of its
/// secrets: `None` where there are none.
pub(super) fn fingerprint(input: &Input<'_>, one: &Workload<'_>) -> Option<String> {
    let mut hash = Sha256::new();
    let mut is_any = false;
    let mut add = |part: &str| {
        is_any = true;
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    };
    for (_, file, text) in storage::small_files(input, one) {
        add(&file);
        add(text);
    }
    for used in &one.service.configs {
        add(&used.value.source);
        let config = input.project.configs.get(&used.value.source);
        match config.map(|config| &config.source) {
            Some(FileSource::Content(text)) => add(text),
            Some(FileSource::File(path)) => {
                if let Some(text) = input.contents.get(path) {
                    add(text);
                }
            }
            _ => {}
        }
    }
    for name in &one.secret_variables {
        add(name);
    }
    for used in &one.service.secrets {
        add(&used.value.source);
    }
    let digest = hash.finalize();
    is_any.then(|| {
        digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    })
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
pub(super) fn environment(input: &Input<'_>, one: &Workload<'_>) -> Vec<Value> {
    let models = models(input, one);
    let models = models
        .iter()
        .filter(|(name, _)| !one.service.environment.contains_key(name))
        .map(|(name, value)| json!({ "name": name, "value": value }));
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
        .chain(models)
        .collect()
}

/// The variables by which a service finds the models it names under `models`.
fn models(input: &Input<'_>, one: &Workload<'_>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    let used = input
        .node(one.name())
        .and_then(|node| node.get("models"))
        .and_then(Node::as_map);
    for (model, options) in used.into_iter().flat_map(|map| map.iter()) {
        let model = model.text.as_str();
        let said = |key: &str, suffix: &str| {
            options.get(key).and_then(Node::as_text).map_or_else(
                || format!("{}_{suffix}", model.to_ascii_uppercase().replace('-', "_")),
                str::to_owned,
            )
        };
        variables.push((said("endpoint_var", "URL"), format!("http://{model}/v1")));
        let name = input
            .model
            .and_then(|root| root.find(&["models", model, "model"]))
            .and_then(Node::as_text);
        if let Some(name) = name {
            variables.push((said("model_var", "MODEL"), name.to_owned()));
        }
    }
    variables
}
