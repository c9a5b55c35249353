//! The pod of a service.

use plimsoll_diag::Spanned;
use plimsoll_model::yaml::Node;
use plimsoll_model::{FileUse, Hook};
use serde_json::{Map, Value, json};

use super::object::{Cluster, PREFIX, port_name, tidy};
use super::{configuration, placement, probes, security, storage};
use crate::{Discovery, Fidelity, Input, Loss, Stage, Workload};

/// Time in which a pod that ends still gets requests, while its address is taken out everywhere.
const LEAVING: u64 = 5;

/// Docker's own grace period.
const USUAL_GRACE: u64 = 10;

/// The template of a service's pods.
pub(super) fn template(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    restart: Option<&str>,
    losses: &mut Vec<Loss>,
) -> Value {
    let service = one.service;
    let mounted = storage::volumes(input, one, losses);
    let mut volumes: Vec<Value> = mounted
        .iter()
        .map(|mounted| mounted.volume.clone())
        .filter(|volume| !volume.is_null())
        .collect();
    let mut mounts: Vec<Value> = mounted.into_iter().map(|mounted| mounted.mount).collect();
    for (kind, uses) in [("config", &service.configs), ("secret", &service.secrets)] {
        for (index, used) in uses.iter().enumerate() {
            let (volume, mount) = file(kind, index, used);
            volumes.push(volume);
            mounts.push(mount);
        }
    }
    let container = container(input, one, mounts, losses);
    let grace = service
        .stop_grace_period
        .as_ref()
        .map_or(USUAL_GRACE, |grace| grace.value.as_secs());
    let hosts: Vec<Value> = service
        .extra_hosts
        .iter()
        .filter(|(_, address)| address != "host-gateway")
        .map(|(name, address)| json!({ "ip": address, "hostnames": [name] }))
        .collect();
    let mut spec = json!({
        "serviceAccountName": one.name(),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": grace + LEAVING,
        "securityContext": security::pod(input, one, losses),
        // With one process space for the pod, its own first process reaps.
        "shareProcessNamespace": service.init.as_ref().filter(|init| init.value).map(|_| true),
        "hostname": service.hostname.as_ref().map(|name| name.value.clone()),
        "hostAliases": hosts,
        "dnsPolicy": (!service.dns.is_empty()).then_some("None"),
        "dnsConfig": dns(one),
        "initContainers": init_containers(input, one, losses),
        "containers": [container],
        "volumes": volumes,
    });
    if let Some(map) = spec.as_object_mut() {
        placement::place(cluster, input, one, map, losses);
    }
    // Empty directories on disk are written as an empty mapping, which tidying would take away.
    let spec = with_empty_directories(tidy(spec));
    json!({
        "metadata": {
            "labels": pod_labels(cluster, one),
            "annotations": annotations(input, one),
        },
        "spec": spec,
    })
}

fn with_empty_directories(mut spec: Value) -> Value {
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        for volume in volumes {
            if let Some(map) = volume.as_object_mut()
                && map.len() == 1
            {
                map.insert("emptyDir".to_owned(), json!({}));
            }
        }
    }
    spec
}

/// Labels of pods: those they are selected by, and one for each network they are in.
fn pod_labels(cluster: &Cluster<'_>, one: &Workload<'_>) -> Value {
    let mut labels = cluster.labels(one);
    if let Some(labels) = labels.as_object_mut() {
        for network in one.service.networks.keys() {
            labels.insert(network_label(network), json!("true"));
        }
        for (name, value) in &one.service.labels {
            // Labels by which tools find what Compose made mean nothing here.
            if super::names::is_label(name, value) && !labels.contains_key(name) {
                labels.insert(name.clone(), json!(value));
            }
        }
    }
    labels
}

/// The label of the pods in a network.
pub(crate) fn network_label(network: &str) -> String {
    let name = if super::names::is_label_part(network) {
        network.to_owned()
    } else {
        super::names::allowed(network)
    };
    format!("network.{PREFIX}/{name}")
}

fn annotations(input: &Input<'_>, one: &Workload<'_>) -> Value {
    let mut all = Map::new();
    // Pods read their configuration when they start, so another one has to make other pods.
    if let Some(fingerprint) = configuration::fingerprint(input, one) {
        all.insert(format!("{PREFIX}/configuration"), json!(fingerprint));
    }
    for (name, value) in &one.service.annotations {
        all.insert(name.clone(), json!(value));
    }
    for (name, value) in &one.service.labels {
        if !super::names::is_label(name, value) && super::names::is_label_name(name) {
            all.insert(name.clone(), json!(value));
        }
    }
    if let Some(metrics) = &one.metrics
        && input.cluster.discovery == Discovery::Annotations
    {
        all.insert("prometheus.io/scrape".to_owned(), json!("true"));
        all.insert("prometheus.io/path".to_owned(), json!(metrics.path));
        all.insert(
            "prometheus.io/port".to_owned(),
            json!(metrics.port.to_string()),
        );
    }
    if all.is_empty() {
        Value::Null
    } else {
        Value::Object(all)
    }
}

/// What the program is given: the command as written, but without loading changed code again.
fn arguments(input: &Input<'_>, one: &Workload<'_>, losses: &mut Vec<Loss>) -> Option<Vec<String>> {
    let said = one.service.command.as_ref()?;
    let lasting = match input.stage {
        Stage::Development => None,
        Stage::Staging | Stage::Production => one.lasting_command(losses),
    };
    Some(lasting.unwrap_or_else(|| said.value.0.clone()))
}

fn container(
    input: &Input<'_>,
    one: &Workload<'_>,
    mounts: Vec<Value>,
    losses: &mut Vec<Loss>,
) -> Value {
    let service = one.service;
    let ports: Vec<Value> = ports(one);
    let mut container = json!({
        "name": one.name(),
        "image": image(input, one),
        "imagePullPolicy": pull_policy(one),
        "command": service.entrypoint.as_ref().map(|words| words.value.0.clone()),
        "args": arguments(input, one, losses),
        "workingDir": service.working_dir.as_ref().map(|path| path.value.clone()),
        "tty": service.tty.then_some(true),
        "stdin": service.stdin_open.then_some(true),
        "ports": ports,
        "env": configuration::environment(input, one),
        "resources": with_devices(
            resources(input, one, losses),
            placement::devices(input, one, losses),
        ),
        "securityContext": security::container(one, losses),
        "volumeMounts": mounts,
        "lifecycle": lifecycle(one, losses),
    });
    if let Some(map) = container.as_object_mut() {
        map.extend(probes::probes(one));
    }
    container
}

/// The image by its digest where that is known: where it was published, if it is built from source.
fn image(input: &Input<'_>, one: &Workload<'_>) -> String {
    let pin = input.images.get(one.name());
    let Some((reference, digest)) =
        pin.and_then(|pin| Some((pin.reference.as_str(), pin.digest.as_ref()?)))
    else {
        return one.image.clone();
    };
    if one.is_built() {
        format!("{reference}@{digest}")
    } else if one.image.contains('@') {
        one.image.clone()
    } else {
        format!("{}@{digest}", one.image)
    }
}

fn pull_policy(one: &Workload<'_>) -> Option<&'static str> {
    match one.service.pull_policy.as_ref()?.value.as_str() {
        "always" => Some("Always"),
        "never" => Some("Never"),
        "missing" | "if_not_present" | "build" => Some("IfNotPresent"),
        _ => None,
    }
}

fn ports(one: &Workload<'_>) -> Vec<Value> {
    one.listeners
        .iter()
        .enumerate()
        .map(|(index, listener)| {
            json!({
                "name": port_name(listener.http, listener.port, index == 0),
                "containerPort": listener.port,
                "protocol": protocol(listener.protocol),
            })
        })
        .collect()
}

/// The word of Kubernetes for a transport.
pub(super) fn protocol(protocol: plimsoll_model::Protocol) -> &'static str {
    match protocol {
        plimsoll_model::Protocol::Tcp => "TCP",
        plimsoll_model::Protocol::Udp => "UDP",
    }
}

fn resources(input: &Input<'_>, one: &Workload<'_>, losses: &mut Vec<Loss>) -> Value {
    let limits = &one.service.limits;
    let usual = one.usual_limits();
    if limits.memory.is_none() || limits.cpus.is_none() {
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.deploy.resources.limits", one.name()),
                format!(
                    "not all limits are said; processors ({}) and memory ({}) are taken for those that are not",
                    millis(usual.cpus),
                    storage::quantity(usual.memory())
                ),
            )
            .at(one.service.span.clone())
            .hint("set `cpus` and `memory` under `deploy.resources.limits`"),
        );
    }
    let cpus = limits.cpus.unwrap_or(usual.cpus);
    let memory = limits.memory.unwrap_or(usual.memory());
    let reserved = input
        .node(one.name())
        .and_then(|node| node.find(&["deploy", "resources", "reservations", "cpus"]))
        .and_then(|node| node.scalar_text()?.parse::<f64>().ok());
    let requested_cpus = match (reserved, limits.cpu_shares) {
        (Some(reserved), _) => reserved,
        // 1024 shares are one processor.
        (None, Some(shares)) => shares as f64 / 1024.0,
        (None, None) => (cpus / 10.0).max(0.05),
    };
    let requested_memory = limits.memory_reservation.unwrap_or(memory / 2);
    json!({
        "requests": {
            "cpu": millis(requested_cpus.min(cpus)),
            "memory": storage::quantity(requested_memory.min(memory)),
            "ephemeral-storage": "64Mi",
        },
        "limits": {
            "cpu": millis(cpus),
            "memory": storage::quantity(memory),
            "ephemeral-storage": storage_limit(input, one),
        },
    })
}

/// `storage_opt.size`, else enough for logs and scratch files.
fn storage_limit(input: &Input<'_>, one: &Workload<'_>) -> String {
    input
        .node(one.name())
        .and_then(|node| node.find(&["storage_opt", "size"]))
        .and_then(Node::scalar_text)
        .map_or_else(|| "1Gi".to_owned(), |size| quantity(&size))
}

/// A size of Compose's, whose units are powers of two, as Kubernetes writes it: `10g` is `10Gi`.
fn quantity(size: &str) -> String {
    let text = size.trim().trim_end_matches(['b', 'B']);
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => digits.to_owned(),
        unit => format!("{digits}{}i", unit.trim_end_matches('I')),
    }
}

/// What is asked of device plugins is a limit; the request is the same.
fn with_devices(mut resources: Value, devices: Map<String, Value>) -> Value {
    if let Some(limits) = resources["limits"].as_object_mut() {
        limits.extend(devices);
    }
    resources
}

/// Processors as Kubernetes writes them.
fn millis(cpus: f64) -> String {
    let millis = (cpus * 1000.0).round().max(1.0);
    if millis % 1000.0 == 0.0 {
        format!("{}", millis / 1000.0)
    } else {
        format!("{millis}m")
    }
}

fn lifecycle(one: &Workload<'_>, losses: &mut Vec<Loss>) -> Value {
    let mut hooks = Map::new();
    let mut first = |key: &str, hooks_of: &[Spanned<Hook>]| {
        let Some(hook) = hooks_of.first() else { return };
        if hooks_of.len() > 1 || hook.value.user.is_some() {
            losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    format!("services.{}.{key}", one.name()),
                    "only its first program is run, as the container's own user",
                )
                .at(hook.span.clone()),
            );
        }
        let name = if key == "post_start" {
            "postStart"
        } else {
            "preStop"
        };
        hooks.insert(
            name.to_owned(),
            json!({ "exec": { "command": hook.value.command } }),
        );
    };
    first("post_start", &one.service.post_start);
    first("pre_stop", &one.service.pre_stop);
    if !hooks.contains_key("preStop") && !one.listeners.is_empty() && one.is_daemon() {
        hooks.insert(
            "preStop".to_owned(),
            json!({ "sleep": { "seconds": LEAVING } }),
        );
    }
    Value::Object(hooks)
}

/// What runs to its end before the container starts.
fn init_containers(input: &Input<'_>, one: &Workload<'_>, losses: &mut Vec<Loss>) -> Vec<Value> {
    one.service
        .pre_start
        .iter()
        .filter(|hook| hook.value.runs == plimsoll_model::PreStartRuns::PerReplica)
        .enumerate()
        .map(|(index, hook)| {
            json!({
                "name": format!("{}-before-{index}", one.name()),
                "image": hook.value.image.as_ref().map_or_else(|| image(input, one), |image| image.value.clone()),
                "args": hook.value.hook.command,
                "env": configuration::environment(input, one),
                "resources": resources(input, one, losses),
                "securityContext": security::container(one, losses),
            })
        })
        .collect()
}

/// A config or secret as a volume of one file.
fn file(kind: &str, index: usize, used: &Spanned<FileUse>) -> (Value, Value) {
    let name = format!("{kind}-{index}");
    let object = configuration::object_name(kind, &used.value.source);
    let file = used.value.target.file_name().map_or_else(
        || used.value.source.clone(),
        |name| name.to_string_lossy().into_owned(),
    );
    let items = json!([{ "key": used.value.source, "path": file, "mode": used.value.mode }]);
    let mut volume = Map::new();
    volume.insert("name".to_owned(), json!(name));
    if kind == "secret" {
        volume.insert(
            "secret".to_owned(),
            json!({ "secretName": object, "items": items, "defaultMode": 0o440 }),
        );
    } else {
        volume.insert(
            "configMap".to_owned(),
            json!({ "name": object, "items": items }),
        );
    }
    let mount = json!({
        "name": name,
        "mountPath": used.value.target,
        "subPath": file,
        "readOnly": true,
    });
    (Value::Object(volume), mount)
}

fn dns(one: &Workload<'_>) -> Value {
    let options: Vec<Value> = one
        .service
        .dns_opt
        .iter()
        .map(|option| match option.split_once(':') {
            Some((name, value)) => json!({ "name": name, "value": value }),
            None => json!({ "name": option }),
        })
        .collect();
    json!({
        "nameservers": one.service.dns,
        "searches": one.service.dns_search,
        "options": options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two() {
        for (size, written) in [
            ("10g", "10Gi"),
            ("512mb", "512Mi"),
            ("4096", "4096"),
            ("2Gi", "2Gi"),
        ] {
            assert_eq!(quantity(size), written);
        }
    }

    #[test]
    fn processors_are_whole_or_in_thousandths() {
        assert_eq!(millis(1.0), "1");
        assert_eq!(millis(0.5), "500m");
        assert_eq!(millis(2.25), "2250m");
        assert_eq!(millis(0.0001), "1m");
    }
}
