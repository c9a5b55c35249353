//! What a namespace may use in all, and what a container gets that asks for nothing.

use serde_json::{Value, json};

use super::object::Cluster;
use super::{scaling, storage};
use crate::Workload;

/// Twice what the stack asks for at its largest, so that a mistake stays within bounds.
pub(crate) fn quota(cluster: &Cluster<'_>, all: &[Workload<'_>]) -> Value {
    let (mut cpus, mut memory, mut pods, mut claims) = (0.0, 0_u64, 0_u64, 0_usize);
    for one in all {
        let count =
            u64::from(scaling::bounds(one).map_or(one.service.scale.value, |(_, most)| most));
        let limits = &one.service.limits;
        let usual = one.usual_limits();
        cpus += limits.cpus.unwrap_or(usual.cpus) * count as f64;
        memory += limits.memory.unwrap_or(usual.memory()) * count;
        pods += count;
        claims += one.volumes().count();
    }
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": cluster.project_metadata(cluster.project_name()),
        "spec": {
            "hard": {
                "limits.cpu": format!("{}", (cpus * 2.0).ceil()),
                "limits.memory": storage::quantity((memory * 2).next_multiple_of(1 << 30)),
                "persistentvolumeclaims": (claims * 2).to_string(),
                "pods": (pods * 2).to_string(),
            },
        },
    })
}

/// What a container gets that says no limits: a quota admits none without.
pub(crate) fn limit_range(cluster: &Cluster<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": cluster.project_metadata(cluster.project_name()),
        "spec": {
            "limits": [{
                "type": "Container",
                "default": { "cpu": "1", "memory": "512Mi" },
                "defaultRequest": { "cpu": "100m", "memory": "128Mi" },
            }],
        },
    })
}
