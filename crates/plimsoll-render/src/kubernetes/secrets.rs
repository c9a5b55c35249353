//! Where the values of secrets come from: references to them, in each way a cluster can hold them.
//! No value is ever written.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::configuration::{object_name, secret_name};
use super::object::Cluster;
use crate::{Fidelity, Input, Loss, SecretSource, Stage, Workload};

/// A Secret that pods refer to, and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// References to a store outside of the cluster, for the External Secrets operator.
pub(crate) fn external(
    input: &Input<'_>,
    cluster: &Cluster<'_>,
    secrets: &[SecretObject],
    stage: Stage,
) -> Vec<Value> {
    secrets
        .iter()
        .map(|secret| {
            let data: Vec<Value> = secret
                .keys
                .iter()
                .map(|key| {
                    json!({
                        "secretKey": key,
                        "remoteRef": {
                            "key": format!("{}/{}/{}", input.namespace(), stage.word(), secret.name),
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
                    "secretStoreRef": { "kind": "ClusterSecretStore", "name": input.namespace() },
                    "target": { "name": secret.name, "creationPolicy": "Owner" },
                    "data": data,
                },
            })
        })
        .collect()
}

/// What Sealed Secrets opens, with a mark where each sealed value goes.
pub(crate) fn sealed(cluster: &Cluster<'_>, secrets: &[SecretObject]) -> Vec<Value> {
    secrets
        .iter()
        .map(|secret| {
            let data: serde_json::Map<String, Value> = secret
                .keys
                .iter()
                .map(|key| (key.clone(), json!("SEAL-ME")))
                .collect();
            json!({
                "apiVersion": "bitnami.com/v1alpha1",
                "kind": "SealedSecret",
                "metadata": cluster.project_metadata(&secret.name),
                "spec": {
                    "encryptedData": data,
                    "template": { "metadata": {
                        "name": secret.name,
                        "namespace": cluster.project_name(),
                    } },
                },
            })
        })
        .collect()
}

/// Secrets whose values SOPS encrypts once they are filled in.
pub(crate) fn templates(cluster: &Cluster<'_>, secrets: &[SecretObject]) -> Vec<Value> {
    secrets
        .iter()
        .map(|secret| {
            let data: serde_json::Map<String, Value> = secret
                .keys
                .iter()
                .map(|key| (key.clone(), json!("")))
                .collect();
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": cluster.project_metadata(&secret.name),
                "stringData": data,
            })
        })
        .collect()
}

/// What has to be done by hand for the values to be there.
pub(crate) fn losses(input: &Input<'_>, secrets: &[SecretObject], losses: &mut Vec<Loss>) {
    if secrets.is_empty() {
        return;
    }
    let loss = match input.cluster.secrets {
        SecretSource::External => Loss::new(
            Fidelity::Approximate,
            "secrets",
            format!(
                "their values come from the ClusterSecretStore `{}` of the External Secrets operator, which has to be there",
                input.namespace()
            ),
        )
        .hint("`--secrets sealed` and `--secrets sops` need no store"),
        SecretSource::Sealed => Loss::new(
            Fidelity::Approximate,
            "secrets",
            "`SEAL-ME` stands where a sealed value goes",
        )
        .hint(format!(
            "kubeseal --raw --namespace {} --name SECRET --from-file=/dev/stdin",
            input.namespace()
        )),
        SecretSource::Sops => Loss::new(
            Fidelity::Approximate,
            "secrets",
            "the file of values has to be filled in and encrypted before an overlay builds",
        )
        .hint("cp secrets.example.yaml secrets.sops.yaml, fill it in, and `sops --encrypt --in-place secrets.sops.yaml`"),
        SecretSource::Plain if input.stage == Stage::Development => return,
        SecretSource::Plain => Loss::new(
            Fidelity::Refused,
            "secrets",
            "plain files of values are for development alone",
        )
        .hint("`--secrets external`, `sealed` or `sops`; or `--env dev`"),
    };
    losses.push(loss);
}
