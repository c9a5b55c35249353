//! Where pods run: platforms, nodes, spreading, and the devices they ask for.

use plimsoll_model::NetworkMode;
use plimsoll_model::yaml::Node;
use serde_json::{Map, Value, json};

use super::object::Cluster;
use crate::{Fidelity, Input, Loss, Workload};

/// Adds the entries of a pod's spec that say where it runs.
pub(super) fn place(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    spec: &mut Map<String, Value>,
    losses: &mut Vec<Loss>,
) {
    spec.insert("nodeSelector".to_owned(), node_selector(one));
    spec.insert("affinity".to_owned(), affinity(cluster, input, one, losses));
    spec.insert(
        "topologySpreadConstraints".to_owned(),
        spread(cluster, input, one, losses),
    );
    let runtime = input
        .node(one.name())
        .and_then(|node| node.get("runtime"))
        .and_then(Node::as_text);
    spec.insert("runtimeClassName".to_owned(), json!(runtime));
    let tolerations: Vec<Value> = devices(input, one, &mut Vec::new())
        .keys()
        .map(|resource| json!({ "key": resource, "operator": "Exists", "effect": "NoSchedule" }))
        .collect();
    spec.insert("tolerations".to_owned(), json!(tolerations));
}

fn node_selector(one: &Workload<'_>) -> Value {
    let Some(platform) = &one.service.platform else {
        return Value::Null;
    };
    let mut parts = platform.value.split('/');
    let system = parts.next().unwrap_or("linux");
    json!({ "kubernetes.io/os": system, "kubernetes.io/arch": parts.next() })
}

fn placement<'i>(input: &Input<'i>, one: &Workload<'_>) -> Option<&'i Node> {
    input.node(one.name())?.find(&["deploy", "placement"])
}

/// `placement.constraints` as requirements on labels of nodes.
fn affinity(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Value {
    let Some(placement) = placement(input, one) else {
        return Value::Null;
    };
    let mut expressions = Vec::new();
    for constraint in list(placement, "constraints") {
        let text = constraint.as_text().unwrap_or_default();
        match requirement(text) {
            Some(expression) => expressions.push(expression),
            None => losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    format!("services.{}.deploy.placement.constraints", one.name()),
                    format!("nodes of a cluster have nothing that says `{text}`"),
                )
                .at(constraint.span.clone())
                .hint("label the nodes, and write `node.labels.NAME == VALUE`"),
            ),
        }
    }
    let mut affinity = Map::new();
    if !expressions.is_empty() {
        affinity.insert(
            "nodeAffinity".to_owned(),
            json!({
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{ "matchExpressions": expressions }],
                },
            }),
        );
    }
    let most = placement
        .get("max_replicas_per_node")
        .and_then(Node::scalar_text);
    if most.as_deref() == Some("1") {
        affinity.insert(
            "podAntiAffinity".to_owned(),
            json!({
                "requiredDuringSchedulingIgnoredDuringExecution": [{
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": { "matchLabels": cluster.selector(one.name()) },
                }],
            }),
        );
    } else if let Some(most) = most.filter(|most| most != "0") {
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.deploy.placement.max_replicas_per_node", one.name()),
                format!("replicas are spread evenly over nodes; more than {most} of them on one is not ruled out"),
            )
            .at(placement.span.clone()),
        );
    }
    Value::Object(affinity)
}

fn list<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).and_then(Node::as_list).unwrap_or_default()
}

/// `node.labels.disk == ssd` and the like.
fn requirement(text: &str) -> Option<Value> {
    let (subject, operator, value) = match text.split_once("==") {
        Some((subject, value)) => (subject, "In", value),
        None => {
            let (subject, value) = text.split_once("!=")?;
            (subject, "NotIn", value)
        }
    };
    let key = label(subject.trim())?;
    Some(json!({ "key": key, "operator": operator, "values": [value.trim()] }))
}

/// The label of a node that an attribute of Compose's stands for.
fn label(attribute: &str) -> Option<String> {
    Some(match attribute {
        "node.hostname" => "kubernetes.io/hostname".to_owned(),
        "node.platform.os" => "kubernetes.io/os".to_owned(),
        "node.platform.arch" => "kubernetes.io/arch".to_owned(),
        other => other
            .strip_prefix("node.labels.")
            .filter(|label| !label.is_empty())?
            .to_owned(),
    })
}

/// Replicas go to different nodes where there are some, and apart by the labels that
/// `placement.preferences` names.
fn spread(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Value {
    let is_on_host = one
        .service
        .network_mode
        .as_ref()
        .is_some_and(|mode| mode.value == NetworkMode::Host);
    if !one.is_daemon() || is_on_host {
        return Value::Null;
    }
    let mut keys = Vec::new();
    for preference in placement(input, one).map_or(&[][..], |node| list(node, "preferences")) {
        let text = preference.get("spread").and_then(Node::as_text);
        match text.and_then(label) {
            Some(key) => keys.push(key),
            None => losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    format!("services.{}.deploy.placement.preferences", one.name()),
                    "pods are spread by labels of nodes alone",
                )
                .at(preference.span.clone()),
            ),
        }
    }
    let host = "kubernetes.io/hostname".to_owned();
    if !keys.contains(&host) {
        keys.push(host);
    }
    keys.into_iter()
        .map(|key| {
            json!({
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": { "matchLabels": cluster.selector(one.name()) },
            })
        })
        .collect()
}

/// Resources of device plugins that a container asks for, by name: `nvidia.com/gpu`.
pub(super) fn devices(
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Map<String, Value> {
    let mut all = Map::new();
    let Some(service) = input.node(one.name()) else {
        return all;
    };
    let reservations = service.find(&["deploy", "resources", "reservations"]);
    let requests = list(service, "gpus")
        .iter()
        .map(|node| (node, "gpus", true))
        .chain(
            reservations
                .map_or(&[][..], |node| list(node, "devices"))
                .iter()
                .map(|node| (node, "deploy.resources.reservations.devices", false)),
        );
    for (request, key, is_gpu) in requests {
        let subject = format!("services.{}.{key}", one.name());
        let has_gpu = is_gpu
            || list(request, "capabilities")
                .iter()
                .any(|word| word.as_text() == Some("gpu"));
        let resource = match request.get("driver").and_then(Node::as_text) {
            Some("nvidia") | None if has_gpu => "nvidia.com/gpu",
            Some("amd") => "amd.com/gpu",
            Some("intel") => "gpu.intel.com/i915",
            _ => {
                losses.push(
                    Loss::new(
                        Fidelity::Dropped,
                        subject,
                        "no device plugin is known for this request",
                    )
                    .at(request.span.clone()),
                );
                continue;
            }
        };
        let ids = list(request, "device_ids").len();
        let said = request
            .get("count")
            .and_then(Node::scalar_text)
            .and_then(|text| text.parse::<i64>().ok())
            .filter(|count| *count > 0);
        if ids > 0 {
            losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    subject,
                    format!("the pod asks for {ids} of `{resource}`; which ones is the device plugin's to say"),
                )
                .at(request.span.clone()),
            );
        } else if said.is_none() {
            losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    subject,
                    format!(
                        "a pod cannot ask for all devices of its node; it asks for one `{resource}`"
                    ),
                )
                .at(request.span.clone())
                .hint("write `count`"),
            );
        }
        let count = said.unwrap_or_else(|| i64::try_from(ids.max(1)).unwrap_or(1));
        all.insert(resource.to_owned(), json!(count.to_string()));
    }
    for generic in reservations.map_or(&[][..], |node| list(node, "generic_resources")) {
        let Some(spec) = generic.get("discrete_resource_spec") else {
            continue;
        };
        let kind = spec.get("kind").and_then(Node::as_text).unwrap_or_default();
        let value = spec.get("value").and_then(Node::scalar_text);
        match value {
            // A resource of a plugin has a domain in its name.
            Some(value) if kind.contains('/') => {
                all.insert(kind.to_owned(), json!(value));
            }
            _ => losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    format!(
                        "services.{}.deploy.resources.reservations.generic_resources",
                        one.name()
                    ),
                    format!(
                        "`{kind}` is no resource of a device plugin, which has a domain in its name"
                    ),
                )
                .at(generic.span.clone()),
            ),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_requirements_on_labels() {
        assert_eq!(
            requirement("node.labels.disk == ssd"),
            Some(json!({ "key": "disk", "operator": "In", "values": ["ssd"] }))
        );
        assert_eq!(
            requirement("node.platform.arch!=arm64"),
            Some(json!({ "key": "kubernetes.io/arch", "operator": "NotIn", "values": ["arm64"] }))
        );
        assert_eq!(requirement("node.role == manager"), None);
        assert_eq!(requirement("disk"), None);
    }
}
