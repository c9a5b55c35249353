//! How many pods there are, and how many may go at once.

use serde_json::{Value, json};

use super::object::{Cluster, tidy};
use crate::{Role, Stage, Workload};

/// Bounds of a service that answers requests and says nothing.
const USUAL: (u32, u32) = (2, 10);

/// The bounds between which a service is scaled, where it is.
pub(crate) fn bounds(one: &Workload<'_>) -> Option<(u32, u32)> {
    if !one.is_daemon()
        || one.everywhere
        || one.keeps_alone()
        || one.service.facts.replicas_max == Some(1)
    {
        return None;
    }
    let said = one
        .extension
        .and_then(|extension| extension.scale.as_ref())
        .map(|scale| &scale.value);
    let most = one.service.facts.replicas_max.unwrap_or(u32::MAX);
    // Whoever shares its data with other services may run more than once, but somebody must say so.
    if said.is_none() && one.is_stateful() {
        return None;
    }
    match (said, one.role) {
        (Some(scale), _) => {
            let least = scale.min.unwrap_or(1).max(1);
            Some((least, scale.max.unwrap_or(USUAL.1).max(least)))
        }
        (None, Role::Web | Role::Ui) => {
            let least = one.service.scale.value.max(USUAL.0);
            Some((least, USUAL.1.max(least)))
        }
        (None, _) => None,
    }
    .map(|(least, upper)| (least.min(most), upper.min(most)))
}

/// The bounds in one environment: fewer pods where there are no users.
pub(crate) fn bounds_in(one: &Workload<'_>, stage: Stage) -> Option<(u32, u32)> {
    let (least, most) = bounds(one)?;
    Some(match stage {
        Stage::Development => (1, 1),
        Stage::Staging => (1, most.min(3)),
        Stage::Production => (least, most),
    })
}

/// The number of pods where nothing scales them. Where something does, the object says none, so
/// that applying it again does not undo the scaling.
pub(super) fn fixed_replicas(one: &Workload<'_>) -> Option<u32> {
    match bounds(one) {
        Some(_) => None,
        None => Some(
            one.service
                .scale
                .value
                .min(one.service.facts.replicas_max.unwrap_or(u32::MAX)),
        ),
    }
}

/// The autoscaler and the disruption budget of a service.
pub(super) fn objects(cluster: &Cluster<'_>, one: &Workload<'_>) -> Vec<Value> {
    let mut objects = Vec::new();
    let Some((least, most)) = bounds(one) else {
        if one.is_daemon() && !one.everywhere && one.service.scale.value > 1 && !one.is_stateful() {
            objects.push(budget(cluster, one));
        }
        return objects;
    };
    let scale = one
        .extension
        .and_then(|extension| extension.scale.as_ref())
        .map(|scale| &scale.value);
    let resource = |name: &str, percent: u8| {
        json!({
            "type": "Resource",
            "resource": {
                "name": name,
                "target": { "type": "Utilization", "averageUtilization": percent },
            },
        })
    };
    let metrics = [
        resource("cpu", scale.and_then(|scale| scale.cpu).unwrap_or(70)),
        resource("memory", scale.and_then(|scale| scale.memory).unwrap_or(80)),
    ];
    objects.push(json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": cluster.metadata(one.name(), one),
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": one.name() },
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": metrics,
            "behavior": {
                // Load is answered within 30 seconds; calm is believed after five minutes.
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "policies": [
                        { "type": "Percent", "value": 100, "periodSeconds": 15 },
                        { "type": "Pods", "value": 2, "periodSeconds": 15 },
                    ],
                    "selectPolicy": "Max",
                },
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "policies": [{ "type": "Percent", "value": 50, "periodSeconds": 60 }],
                },
            },
        },
    }));
    if least > 1 {
        objects.push(budget(cluster, one));
    }
    objects
}

fn budget(cluster: &Cluster<'_>, one: &Workload<'_>) -> Value {
    tidy(json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": cluster.metadata(one.name(), one),
        "spec": {
            "maxUnavailable": 1,
            "selector": { "matchLabels": cluster.selector(one.name()) },
        },
    }))
}
