//! A service mesh as a component that overlays take in: pods talk by mutual TLS alone.

use serde_json::{Value, json};

use super::object::Cluster;
use crate::{Fidelity, Input, Loss, Mesh};

/// The objects of a mesh.
pub(crate) fn objects(cluster: &Cluster<'_>, mesh: Mesh) -> Vec<Value> {
    match mesh {
        Mesh::Istio => vec![json!({
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": cluster.project_metadata(cluster.project_name()),
            "spec": { "mtls": { "mode": "STRICT" } },
        })],
        Mesh::Linkerd => Vec::new(),
    }
}

/// What is said of the namespace: labels and annotations.
pub(crate) fn of_namespace(mesh: Mesh) -> (Value, Value) {
    match mesh {
        // The mesh without containers beside each: a proxy of the node encrypts.
        Mesh::Istio => (json!({ "istio.io/dataplane-mode": "ambient" }), Value::Null),
        Mesh::Linkerd => (
            Value::Null,
            json!({
                "linkerd.io/inject": "enabled",
                "config.linkerd.io/default-inbound-policy": "cluster-authenticated",
            }),
        ),
    }
}

/// What a mesh has to be for this.
pub(crate) fn losses(input: &Input<'_>, losses: &mut Vec<Loss>) {
    let Some(mesh) = input.cluster.mesh else {
        return;
    };
    let what = match mesh {
        Mesh::Istio => {
            "the mesh must be installed in its ambient mode; policies see its tunnel at port 15008, which is allowed between peers"
        }
        Mesh::Linkerd => {
            "the mesh must be installed with its network plug-in: its init container is not admitted at the level `restricted`"
        }
    };
    losses.push(Loss::new(Fidelity::Approximate, "name", what));
}

/// The patch that says it of the namespace.
pub(crate) fn patch(cluster: &Cluster<'_>, mesh: Mesh) -> Value {
    let (labels, annotations) = of_namespace(mesh);
    super::object::tidy(json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": cluster.project_name(),
            "labels": labels,
            "annotations": annotations,
        },
    }))
}

/// The port of the mesh's own tunnel between pods, which policies have to let through.
pub(crate) fn tunnel(mesh: Mesh) -> u16 {
    match mesh {
        Mesh::Istio => 15008,
        Mesh::Linkerd => 4143,
    }
}
