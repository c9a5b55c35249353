//! The object that keeps a service's pods.

use plimsoll_model::Restart;
use serde_json::{Value, json};

use super::object::{Cluster, PREFIX, tidy};
use super::{pod, scaling, storage};
use crate::{Fidelity, Input, Loss, Role, Workload};

/// Deployment, StatefulSet, Job or CronJob of a service, and the job of its `pre_start`.
pub(super) fn objects(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    all: &[Workload<'_>],
    wave: u32,
    losses: &mut Vec<Loss>,
) -> Vec<Value> {
    let mut objects = Vec::new();
    objects.extend(migration(cluster, input, one, losses));
    if !one.service.depends_on.is_empty() {
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.depends_on", one.name()),
                format!("objects are applied in the order of their annotation `{PREFIX}/wave`; a pod that starts before its peers is restarted until they answer"),
            )
            .at(one.service.span.clone()),
        );
    }
    let awaited = one.is_awaited_to_end(all);
    let object = match one.role {
        Role::Stdio => {
            losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    format!("services.{}", one.name()),
                    "it speaks to one client over standard input and output, which a cluster does not give it",
                )
                .at(one.service.span.clone()),
            );
            return Vec::new();
        }
        Role::Cron => cron_job(cluster, input, one, losses),
        Role::Job => job(cluster, input, one, losses),
        _ if awaited => job(cluster, input, one, losses),
        _ if one.everywhere => daemon_set(cluster, input, one, losses),
        Role::Datastore if storage::has_claim_templates(one) => {
            stateful_set(cluster, input, one, losses)
        }
        _ => deployment(cluster, input, one, losses),
    };
    objects.push(object);
    objects
        .into_iter()
        .map(|object| in_wave(object, wave))
        .collect()
}

fn in_wave(mut object: Value, wave: u32) -> Value {
    object["metadata"]["annotations"] = json!({ (format!("{PREFIX}/wave")): wave.to_string() });
    object
}

fn deployment(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Value {
    let alone = one.keeps_alone() || one.service.facts.replicas_max == Some(1);
    if one.keeps_alone() {
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.volumes", one.name()),
                "one pod at a time can hold its volume, so an update stops it for a moment",
            )
            .at(one.service.span.clone()),
        );
    }
    let strategy = if alone {
        json!({ "type": "Recreate" })
    } else {
        rolling(input, one)
    };
    let spec = json!({
        "replicas": scaling::fixed_replicas(one),
        "revisionHistoryLimit": 5,
        "minReadySeconds": if one.listeners.is_empty() { Value::Null } else { json!(5) },
        "progressDeadlineSeconds": 600,
        "strategy": strategy,
        "selector": { "matchLabels": cluster.selector(one.name()) },
        "template": pod::template(cluster, input, one, None, losses),
    });
    object(cluster, "apps/v1", "Deployment", one, spec)
}

/// New pods before old ones go, unless the Compose file says otherwise.
fn rolling(input: &Input<'_>, one: &Workload<'_>) -> Value {
    let update = |key: &str| {
        input
            .node(one.name())
            .and_then(|node| node.find(&["deploy", "update_config", key]))
            .and_then(|node| node.scalar_text())
    };
    let parallelism = update("parallelism")
        .and_then(|text| text.parse::<u32>().ok())
        .unwrap_or(1)
        .max(1);
    let (surge, unavailable) = match update("order").as_deref() {
        Some("stop-first") => (0, parallelism),
        _ => (parallelism, 0),
    };
    json!({
        "type": "RollingUpdate",
        "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable },
    })
}

fn stateful_set(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Value {
    let spec = json!({
        "replicas": 1,
        "revisionHistoryLimit": 5,
        "serviceName": format!("{}-pods", one.name()),
        "selector": { "matchLabels": cluster.selector(one.name()) },
        "template": pod::template(cluster, input, one, None, losses),
        "volumeClaimTemplates": storage::templates(one, losses),
    });
    object(cluster, "apps/v1", "StatefulSet", one, spec)
}

/// One pod on each node.
fn daemon_set(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Value {
    let spec = json!({
        "revisionHistoryLimit": 5,
        "updateStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": { "maxUnavailable": 1 },
        },
        "selector": { "matchLabels": cluster.selector(one.name()) },
        "template": pod::template(cluster, input, one, None, losses),
    });
    object(cluster, "apps/v1", "DaemonSet", one, spec)
}

fn job_spec(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Value {
    let (policy, retries) = match one.service.restart.value {
        Restart::OnFailure { max_attempts } => ("OnFailure", max_attempts.unwrap_or(6)),
        _ => ("Never", 0),
    };
    let runs = one.service.scale.value;
    json!({
        "parallelism": (runs > 1).then_some(runs),
        "completions": (runs > 1).then_some(runs),
        "backoffLimit": retries,
        "template": pod::template(cluster, input, one, Some(policy), losses),
    })
}

fn job(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Value {
    let spec = job_spec(cluster, input, one, losses);
    object(cluster, "batch/v1", "Job", one, spec)
}

fn cron_job(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Value {
    let schedule = one
        .extension
        .and_then(|extension| extension.schedule.as_ref())
        .map_or_else(|| "@daily".to_owned(), |schedule| schedule.value.clone());
    let spec = json!({
        "schedule": schedule,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 300,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": { "spec": job_spec(cluster, input, one, losses) },
    });
    object(cluster, "batch/v1", "CronJob", one, spec)
}

/// The `pre_start` hooks that run once for the service: one job, a wave of its own before it.
fn migration(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Vec<Value> {
    one.service
        .pre_start
        .iter()
        .filter(|hook| hook.value.runs == plimsoll_model::PreStartRuns::Once)
        .enumerate()
        .map(|(index, hook)| {
            let mut template = pod::template(cluster, input, one, Some("Never"), losses);
            let container = &mut template["spec"]["containers"][0];
            if let Some(map) = container.as_object_mut() {
                for key in [
                    "ports",
                    "startupProbe",
                    "readinessProbe",
                    "livenessProbe",
                    "lifecycle",
                ] {
                    map.shift_remove(key);
                }
                if let Some(image) = &hook.value.image {
                    map.insert("image".to_owned(), json!(image.value));
                }
                map.insert("args".to_owned(), json!(hook.value.hook.command));
            }
            let name = format!("{}-before-{index}", one.name());
            template["metadata"]["labels"]["app.kubernetes.io/name"] = json!(name);
            json!({
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": cluster.metadata(&name, one),
                "spec": { "backoffLimit": 3, "template": template },
            })
        })
        .collect()
}

fn object(
    cluster: &Cluster<'_>,
    version: &str,
    kind: &str,
    one: &Workload<'_>,
    spec: Value,
) -> Value {
    let template = spec.get("template").cloned();
    let mut spec = tidy(spec);
    // The template is tidy already, and says some things by an empty mapping.
    if let (Some(template), Some(map)) = (template, spec.as_object_mut()) {
        map.insert("template".to_owned(), template_without_nothing(template));
    }
    json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": cluster.metadata(one.name(), one),
        "spec": spec,
    })
}

fn template_without_nothing(mut template: Value) -> Value {
    if template["metadata"]["annotations"].is_null()
        && let Some(metadata) = template["metadata"].as_object_mut()
    {
        metadata.shift_remove("annotations");
    }
    template
}
