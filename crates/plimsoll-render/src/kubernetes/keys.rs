//! What becomes of each service key: one table for losses, for documentation and for tests.

use std::fmt::Write as _;

use plimsoll_model::NetworkMode;
use plimsoll_model::yaml::Node;

use crate::{Fidelity, Input, Loss, Workload};

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOutcome {
    /// The key.
    pub key: &'static str,
    /// What is lost of it at most; `None`: nothing.
    pub lost: Option<Fidelity>,
    /// What it becomes, or why it is not said.
    pub what: &'static str,
    /// Whether it is told wherever it is written; else it is told where its object is made, when
    /// something is lost there.
    always_told: bool,
}

const fn outcome(key: &'static str, lost: Option<Fidelity>, what: &'static str) -> KeyOutcome {
    KeyOutcome {
        key,
        lost,
        what,
        always_told: false,
    }
}

const fn exact(key: &'static str, what: &'static str) -> KeyOutcome {
    outcome(key, None, what)
}

const fn approximate(key: &'static str, what: &'static str) -> KeyOutcome {
    outcome(key, Some(Fidelity::Approximate), what)
}

const fn dropped(key: &'static str, what: &'static str) -> KeyOutcome {
    outcome(key, Some(Fidelity::Dropped), what)
}

const fn refused(key: &'static str, what: &'static str) -> KeyOutcome {
    outcome(key, Some(Fidelity::Refused), what)
}

impl KeyOutcome {
    const fn told(mut self) -> Self {
        self.always_told = true;
        self
    }
}

/// The keys of a service, in alphabetical order.
pub const SERVICE: &[KeyOutcome] = &[
    exact("annotations", "annotations of its pods"),
    exact("attach", "is for the command line"),
    dropped("blkio_config", "a cluster does not share out disks").told(),
    exact("build", "the image is built and published before; manifests name it"),
    dropped("cap_add", "the level `restricted` allows `NET_BIND_SERVICE` alone; everything else is told"),
    exact("cap_drop", "all capabilities are dropped, whatever it says"),
    dropped("cgroup", "control groups are the node's").told(),
    dropped("cgroup_parent", "control groups are the node's").told(),
    exact("command", "`args`"),
    approximate("configs", "a ConfigMap mounted as one file; its owner follows from the pod's group"),
    dropped("container_name", "a fixed name leaves no room for replicas; peers find the service by its own name").told(),
    dropped("cpu_count", "it is for Windows").told(),
    dropped("cpu_percent", "it is for Windows").told(),
    exact("cpu_period", "with `cpu_quota`, the limit of processors"),
    exact("cpu_quota", "with `cpu_period`, the limit of processors"),
    dropped("cpu_rt_period", "real-time scheduling is the node's").told(),
    dropped("cpu_rt_runtime", "real-time scheduling is the node's").told(),
    approximate("cpu_shares", "the request of processors, 1024 for one"),
    exact("cpus", "the limit of processors"),
    dropped("cpuset", "processors are picked by the node; whole processors as limit and request come closest").told(),
    dropped("credential_spec", "it is for Windows").told(),
    approximate("depends_on", "objects carry their wave as an annotation, and jobs that others wait for run before them"),
    dropped("deploy", "see below"),
    exact("develop", "is for development on one machine"),
    dropped("device_cgroup_rules", "devices are given by device plugins").told(),
    refused("devices", "a device of the node is not given at the level `restricted`; ask for it by a device plugin's resource").told(),
    exact("dns", "`dnsConfig`, and no other name servers"),
    exact("dns_opt", "`dnsConfig.options`"),
    exact("dns_search", "`dnsConfig.searches`"),
    dropped("domainname", "a pod's domain is its namespace's").told(),
    exact("entrypoint", "`command`"),
    exact("env_file", "read before anything is rendered"),
    exact("environment", "variables; what is secret by reference to a Secret"),
    exact("expose", "ports of the container and its Service"),
    exact("extends", "resolved before anything is rendered"),
    approximate("external_links", "an ExternalName Service of the alias"),
    dropped("extra_hosts", "`hostAliases`; the address of the host itself is told"),
    approximate("gpus", "the device plugin's resource (`nvidia.com/gpu`), and a toleration of its taint; all of a node's cannot be asked for"),
    dropped("group_add", "`supplementalGroups` where they are numbers; names are told"),
    approximate("healthcheck", "a startup and a readiness probe; a request to itself becomes one of the node's, which needs no program in the image"),
    approximate("hostname", "the host name of its pods; several replicas share it"),
    exact("image", "the image, by digest where that is known"),
    approximate("init", "the pod's own first process reaps what is left behind").told(),
    refused("ipc", "memory of the node is not shared at the level `restricted`"),
    dropped("isolation", "it is for Windows").told(),
    exact("label_file", "read before anything is rendered"),
    approximate("labels", "labels of its pods where they fit the charset, else annotations"),
    approximate("links", "a Service of the alias, for all pods"),
    dropped("logging", "logs are the cluster's to collect").told(),
    dropped("mac_address", "addresses are the cluster's").told(),
    exact("mem_limit", "the limit of memory"),
    exact("mem_reservation", "the request of memory"),
    dropped("mem_swappiness", "swap is the node's").told(),
    dropped("memswap_limit", "swap is the node's").told(),
    approximate("models", "`NAME_MODEL` and `NAME_URL` are set; a Service of the model's name has to answer").told(),
    refused("network_mode", "`none`: nothing is allowed; another service's: told; the node's is refused"),
    approximate("networks", "policies that allow what members of one network may; aliases are Services; fixed addresses are told"),
    dropped("oom_kill_disable", "a pod that uses too much memory is ended").told(),
    dropped("oom_score_adj", "it follows from requests and limits").told(),
    refused("pid", "processes of the node are not shown at the level `restricted`"),
    dropped("pids_limit", "the number of processes is limited by the node, for all its pods").told(),
    exact("platform", "`nodeSelector` by system and architecture"),
    approximate("ports", "HTTP by a route, what is published to others and is no HTTP by a LoadBalancer; what keeps data stays inside"),
    approximate("post_start", "`lifecycle.postStart`, the first program, as the container's user"),
    approximate("pre_start", "once for the service: a Job before it; once for each replica: init containers"),
    approximate("pre_stop", "`lifecycle.preStop`, the first program, as the container's user"),
    refused("privileged", "a privileged pod is not admitted at the level `restricted`"),
    exact("profiles", "components of kustomize; `profiles` of the chart"),
    dropped("provider", "it is not rendered; what it sets has to be in a Secret").told(),
    approximate("pull_policy", "`imagePullPolicy`; how often to ask again is told"),
    dropped("pull_refresh_after", "images are named by digest instead").told(),
    exact("read_only", "`readOnlyRootFilesystem`"),
    approximate("restart", "a service that keeps running is always started again; jobs are tried again as `on-failure` says"),
    approximate("runtime", "a RuntimeClass of that name must be there").told(),
    exact("scale", "the number of pods, or the least of the autoscaler"),
    approximate("secrets", "a Secret mounted as one file; its owner follows from the pod's group"),
    dropped("security_opt", "profiles of the node and SELinux levels; what takes a protection away is told"),
    exact("shm_size", "memory at `/dev/shm`"),
    exact("stdin_open", "`stdin`"),
    exact("stop_grace_period", "`terminationGracePeriodSeconds`, and the time in which requests still come"),
    approximate("stop_signal", "it is the image's to say: `STOPSIGNAL`").told(),
    approximate("storage_opt", "the size is the limit of ephemeral storage").told(),
    dropped("sysctls", "those that the level `restricted` allows; others are told"),
    exact("tmpfs", "memory of the pod, with its size"),
    exact("tty", "`tty`"),
    dropped("ulimits", "they are the node's").told(),
    refused("use_api_socket", "the socket of a container engine gives a pod the whole node").told(),
    refused("user", "`runAsUser` and `runAsGroup` where they are numbers; root is refused"),
    dropped("userns_mode", "user namespaces are the cluster's").told(),
    dropped("uts", "a pod has a host name of its own").told(),
    refused("volumes", "claims, memory, ConfigMaps of small files, images; directories of the host are refused"),
    approximate("volumes_from", "the other's volumes are mounted by name"),
    exact("working_dir", "`workingDir`"),
];

/// The keys below `deploy`, in alphabetical order.
pub const DEPLOY: &[KeyOutcome] = &[
    exact(
        "endpoint_mode",
        "`dnsrr`: a Service without an address of its own",
    ),
    exact("labels", "is about the service, not its containers"),
    dropped(
        "mode",
        "`global`: a DaemonSet; `replicated-job`: a Job; `global-job`: a Job that runs once, and is told",
    ),
    dropped(
        "placement.constraints",
        "requirements on labels of nodes; roles of a swarm are told",
    ),
    approximate(
        "placement.max_replicas_per_node",
        "1: pods keep apart; more: they are spread evenly",
    ),
    dropped(
        "placement.preferences",
        "spread over what a label of nodes says",
    ),
    exact(
        "replicas",
        "the number of pods, or the least of the autoscaler",
    ),
    dropped(
        "resources.limits",
        "limits of processors and memory; of processes: told",
    ),
    dropped(
        "resources.reservations",
        "requests; devices by their plugin's resource",
    ),
    approximate(
        "restart_policy",
        "a service that keeps running is always started again",
    ),
    dropped(
        "rollback_config",
        "a failed update stays at its last good pods; it is taken back by `kubectl rollout undo` or `helm rollback`",
    ),
    approximate(
        "update_config",
        "`order` and `parallelism` as surge; the rest is the controller's own",
    ),
];

/// The page of the documentation on keys.
pub fn page() -> String {
    let mut text = String::from(
        "# What becomes of a Compose file's keys in a cluster\n\n\
         For the targets `kubernetes` and `helm`. Objects run at the level `restricted` of the Pod\n\
         Security Standards; what that level does not admit is refused, and nothing is written until\n\
         the file says otherwise. What is *dropped* is told with its place; `--strict` makes it an error.\n",
    );
    for (title, keys) in [
        ("Keys of a service", SERVICE),
        ("Keys below `deploy`", DEPLOY),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n## {title}\n\n| key | lost at most | what it becomes, or why not |\n|---|---|---|\n"
        );
        for one in keys {
            let lost = match one.lost {
                None => "nothing",
                Some(Fidelity::Approximate) => "approximate",
                Some(Fidelity::Dropped) => "dropped",
                Some(Fidelity::Refused) => "refused",
            };
            let _ = writeln!(text, "| `{}` | {lost} | {} |", one.key, one.what);
        }
    }
    text
}

/// What is lost of one service's keys.
pub(super) fn losses(input: &Input<'_>, one: &Workload<'_>, losses: &mut Vec<Loss>) {
    modes(one, losses);
    let Some(service) = input.node(one.name()) else {
        return;
    };
    deploy(one, service, losses);
    by_value(one, service, losses);
    for (key, node) in service.as_map().into_iter().flat_map(|map| map.iter()) {
        let known = SERVICE
            .binary_search_by_key(&key.text.as_str(), |entry| entry.key)
            .map(|at| &SERVICE[at]);
        let Ok(KeyOutcome {
            key: name,
            lost: Some(fidelity),
            what,
            always_told: true,
        }) = known
        else {
            continue;
        };
        // Most services have an empty default here, which says nothing.
        let is_nothing = node.is_null()
            || node.as_list().is_some_and(<[_]>::is_empty)
            || node.scalar_text().as_deref() == Some("false");
        if !is_nothing {
            losses.push(
                Loss::new(*fidelity, format!("services.{}.{name}", one.name()), *what)
                    .at(key.span.clone().or_else(|| node.span.clone())),
            );
        }
    }
}

/// Modes in which a container shares something with the node or with a peer.
fn modes(one: &Workload<'_>, losses: &mut Vec<Loss>) {
    let service = one.service;
    if let Some(flag) = &service.privileged
        && flag.value
    {
        losses.push(
            Loss::new(
                Fidelity::Refused,
                format!("services.{}.privileged", one.name()),
                "a privileged pod is not admitted at the level `restricted`",
            )
            .at(flag.span.clone())
            .hint("name the capability it needs under `cap_add`"),
        );
    }
    let Some(mode) = &service.network_mode else {
        return;
    };
    let (fidelity, what) = match &mode.value {
        NetworkMode::Host => (
            Fidelity::Refused,
            "the node's network is not given at the level `restricted`",
        ),
        NetworkMode::None => (Fidelity::Approximate, "all its traffic is denied by policy"),
        NetworkMode::Bridge => (
            Fidelity::Approximate,
            "it is in the pod network, reached by no peer",
        ),
        NetworkMode::Service(_) | NetworkMode::Container(_) => (
            Fidelity::Dropped,
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

/// Keys of which only some values are lost.
fn by_value(one: &Workload<'_>, service: &Node, losses: &mut Vec<Loss>) {
    let mut tell = |key: &str, fidelity: Fidelity, what: &str| {
        let Some(node) = service.get(key) else { return };
        losses.push(
            Loss::new(fidelity, format!("services.{}.{key}", one.name()), what)
                .at(node.span.clone()),
        );
    };
    let text = |key: &str| service.get(key).and_then(Node::as_text);
    for (key, what) in [("ipc", "memory"), ("pid", "processes")] {
        match text(key) {
            Some("host") => tell(
                key,
                Fidelity::Refused,
                &format!("{what} of the node are not shown at the level `restricted`"),
            ),
            Some(peer) if peer.contains(':') => tell(
                key,
                Fidelity::Dropped,
                "its peer would have to be in the same pod",
            ),
            _ => {}
        }
    }
    if let Some(policy) = text("pull_policy")
        && (matches!(policy, "daily" | "weekly") || policy.starts_with("every_"))
    {
        tell(
            "pull_policy",
            Fidelity::Approximate,
            "a cluster asks for an image when a pod starts; name another digest to make other pods",
        );
    }
    if one.is_daemon() && matches!(text("restart"), Some("no")) {
        tell(
            "restart",
            Fidelity::Approximate,
            "a service that keeps running is started again whenever it ends; `x-plimsoll.kind: job` runs it once",
        );
    }
    if one
        .service
        .extra_hosts
        .iter()
        .any(|(_, address)| address == "host-gateway")
    {
        tell(
            "extra_hosts",
            Fidelity::Dropped,
            "the node is not reached by a name",
        );
    }
    if one
        .service
        .group_add
        .iter()
        .any(|group| group.parse::<u64>().is_err())
    {
        tell(
            "group_add",
            Fidelity::Dropped,
            "a group is known here by its number alone",
        );
    }
    if one
        .service
        .networks
        .values()
        .any(|network| network.ipv4_address.is_some() || network.mac_address.is_some())
    {
        tell(
            "networks",
            Fidelity::Approximate,
            "addresses are the cluster's; peers find it by its name",
        );
    }
}

/// What is lost below `deploy`.
fn deploy(one: &Workload<'_>, service: &Node, losses: &mut Vec<Loss>) {
    let mut tell = |path: &[&str], fidelity: Fidelity, what: &str| {
        let whole: Vec<&str> = ["deploy"].iter().chain(path).copied().collect();
        let Some(node) = service.find(&whole) else {
            return;
        };
        let subject = format!("services.{}.{}", one.name(), whole.join("."));
        losses.push(Loss::new(fidelity, subject, what).at(node.span.clone()));
    };
    let mode = service.find(&["deploy", "mode"]).and_then(Node::as_text);
    if mode == Some("global-job") {
        tell(
            &["mode"],
            Fidelity::Dropped,
            "a cluster runs a job on some nodes, not on each; it runs once",
        );
    }
    tell(
        &["resources", "limits", "pids"],
        Fidelity::Dropped,
        "the number of processes is limited by the node, for all its pods",
    );
    tell(
        &["rollback_config"],
        Fidelity::Dropped,
        "a failed update stays at its last good pods; take it back by `kubectl rollout undo`",
    );
    for key in ["delay", "monitor", "max_failure_ratio", "failure_action"] {
        tell(
            &["update_config", key],
            Fidelity::Approximate,
            "a new pod counts once it has been ready for some seconds; a failed update is not taken back by itself",
        );
    }
    for key in ["delay", "window"] {
        tell(
            &["restart_policy", key],
            Fidelity::Approximate,
            "a pod that ends is started again after times that grow",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order() {
        assert!(SERVICE.is_sorted_by_key(|entry| entry.key));
        assert!(DEPLOY.is_sorted_by_key(|entry| entry.key));
    }
}
