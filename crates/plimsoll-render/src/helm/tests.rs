//! What `helm test` runs: a pod for each service that answers requests, which asks it.

use serde_json::{Map, Value, json};

use super::service::in_namespace;
use super::template::Template;
use crate::kubernetes::object::Cluster;
use crate::kubernetes::{overlay, pod};
use crate::{Input, ProbeTest, Workload};

/// What asks.
pub(super) const IMAGE: &str = "busybox:1.37";

/// The pods, by name.
pub(super) fn pods<'i>(
    input: &'i Input<'_>,
    all: &'i [Workload<'_>],
) -> impl Iterator<Item = (String, String)> + 'i {
    all.iter()
        .filter(|one| one.is_daemon() && overlay::component(one).is_none())
        .filter_map(|one| {
            let (port, path) = match one.probe.as_ref().map(|probe| &probe.test) {
                Some(ProbeTest::Http { port, path }) => (*port, path.as_str()),
                _ => return None,
            };
            let address = format!("http://{}:{port}{path}", one.name());
            Some((one.name().to_owned(), pod_of(input, one, &address)))
        })
}

fn pod_of(input: &Input<'_>, one: &Workload<'_>, address: &str) -> String {
    let cluster = Cluster::new(input);
    let mut template = Template::default();
    // It is in the service's networks, so policies let it through.
    let mut labels = Map::new();
    labels.insert(
        "app.kubernetes.io/name".to_owned(),
        json!(format!("{}-test", one.name())),
    );
    labels.insert(
        "app.kubernetes.io/part-of".to_owned(),
        json!(cluster.project_name()),
    );
    for network in one.service.networks.keys() {
        labels.insert(pod::network_label(network), json!("true"));
    }
    let mut object: Value = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{}-test", one.name()),
            "namespace": cluster.project_name(),
            "labels": labels,
            "annotations": {
                "helm.sh/hook": "test",
                "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "ask",
                "image": template.inline(".Values.tests.image | quote"),
                "command": ["wget", "-q", "-T", "10", "-O", "/dev/null", address],
                "resources": {
                    "requests": { "cpu": "10m", "memory": "16Mi" },
                    "limits": { "cpu": "100m", "memory": "32Mi" },
                },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
            }],
        },
    });
    in_namespace(input, &mut template, &mut object);
    let condition = format!("(index .Values.services {:?}).enabled", one.name());
    format!(
        "{{{{- if {condition} }}}}\n{}{{{{- end }}}}\n",
        template.text(&object)
    )
}
