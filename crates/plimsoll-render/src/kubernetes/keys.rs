//! What becomes of each service key that no object says exactly.

use crate::{Fidelity, Input, Loss, Workload};
use Fidelity::{Approximate, Dropped, Refused};

/// Keys of services that a cluster does not say as Compose does. A key that is missing here is said
/// exactly, is told where its object is made, or is settled before anything is rendered.
pub(crate) const KEYS: &[(&str, Fidelity, &str)] = &[
    (
        "blkio_config",
        Dropped,
        "a cluster does not share out disks",
    ),
    ("cgroup", Dropped, "control groups are the node's"),
    ("cgroup_parent", Dropped, "control groups are the node's"),
    (
        "container_name",
        Dropped,
        "a fixed name leaves no room for replicas; peers find the service by its own name",
    ),
    ("cpu_count", Dropped, "it is for Windows"),
    ("cpu_percent", Dropped, "it is for Windows"),
    (
        "cpu_rt_period",
        Dropped,
        "real-time scheduling is the node's",
    ),
    (
        "cpu_rt_runtime",
        Dropped,
        "real-time scheduling is the node's",
    ),
    (
        "cpuset",
        Dropped,
        "processors are picked by the node; whole processors as limit and request come closest",
    ),
    ("credential_spec", Dropped, "it is for Windows"),
    (
        "device_cgroup_rules",
        Dropped,
        "devices are given by device plugins",
    ),
    (
        "devices",
        Refused,
        "a device of the node is not given at the level `restricted`; ask for it by a device plugin's resource",
    ),
    ("domainname", Approximate, "a pod's domain is its service's"),
    ("gpus", Approximate, "the pod asks for `nvidia.com/gpu`"),
    (
        "init",
        Dropped,
        "what the first process leaves behind is reaped only if it does that itself",
    ),
    ("ipc", Dropped, "pods do not share memory"),
    ("isolation", Dropped, "it is for Windows"),
    (
        "links",
        Approximate,
        "aliases of links are not made; use network aliases",
    ),
    ("logging", Dropped, "logs are the cluster's to collect"),
    ("mac_address", Dropped, "addresses are the cluster's"),
    ("mem_swappiness", Dropped, "swap is the node's"),
    ("memswap_limit", Dropped, "swap is the node's"),
    ("models", Dropped, "set the model's address by a variable"),
    (
        "oom_kill_disable",
        Dropped,
        "a pod that uses too much memory is ended",
    ),
    (
        "oom_score_adj",
        Dropped,
        "it follows from requests and limits",
    ),
    (
        "pids_limit",
        Dropped,
        "the number of processes is limited by the node, for all its pods",
    ),
    ("provider", Dropped, "what it sets has to be in a Secret"),
    (
        "pull_refresh_after",
        Dropped,
        "images are named by digest instead",
    ),
    (
        "runtime",
        Approximate,
        "a RuntimeClass of that name must be there",
    ),
    (
        "stop_signal",
        Approximate,
        "it is the image's to say: `STOPSIGNAL`",
    ),
    (
        "storage_opt",
        Approximate,
        "the size becomes a limit of ephemeral storage",
    ),
    ("ulimits", Dropped, "they are the node's"),
    (
        "use_api_socket",
        Refused,
        "the socket of a container engine gives a pod the whole node",
    ),
    ("userns_mode", Dropped, "user namespaces are the cluster's"),
    ("uts", Dropped, "a pod has a host name of its own"),
    (
        "volumes_from",
        Approximate,
        "the volumes are mounted by name",
    ),
];

/// What is lost of one service's keys.
pub(super) fn losses(input: &Input<'_>, one: &Workload<'_>, losses: &mut Vec<Loss>) {
    let service = one.service;
    if let Some(flag) = &service.privileged
        && flag.value
    {
        losses.push(
            Loss::new(
                Refused,
                format!("services.{}.privileged", one.name()),
                "a privileged pod is not admitted at the level `restricted`",
            )
            .at(flag.span.clone())
            .hint("name the capability it needs under `cap_add`"),
        );
    }
    if let Some(mode) = &service.network_mode {
        use plimsoll_model::NetworkMode;
        let (fidelity, what) = match &mode.value {
            NetworkMode::Host => (
                Refused,
                "the node's network is not given at the level `restricted`",
            ),
            NetworkMode::None => (Approximate, "all its traffic is denied by policy"),
            NetworkMode::Bridge => (Approximate, "it is in the pod network, reached by no peer"),
            NetworkMode::Service(_) | NetworkMode::Container(_) => (
                Dropped,
                "its peer would have to be in the same pod; reach it by its name instead of `localhost`",
            ),
        };
        losses.push(
            Loss::new(
                fidelity,
                format!("services.{}.network_mode", one.name()),
                what,
            )
            .at(mode.span.clone()),
        );
    }
    let Some(map) = input.node(one.name()).and_then(|node| node.as_map()) else {
        return;
    };
    for (key, node) in map.iter() {
        let Some((name, fidelity, what)) = KEYS.iter().find(|(name, ..)| *name == key.text) else {
            continue;
        };
        // Most services have an empty default here, which says nothing.
        if node.is_null() || node.as_list().is_some_and(<[_]>::is_empty) {
            continue;
        }
        losses.push(
            Loss::new(*fidelity, format!("services.{}.{name}", one.name()), *what)
                .at(key.span.clone().or_else(|| node.span.clone())),
        );
    }
}
