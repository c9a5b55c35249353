//! What a pod may do: the level `restricted` of the Pod Security Standards.

use plimsoll_model::facts::NeedKind;
use serde_json::{Map, Value, json};

use crate::{Fidelity, Input, Loss, Workload};

/// The user of images that are assembled from source.
const ASSEMBLED: (u64, u64) = (65532, 65532);

/// Kernel parameters that the level `restricted` allows.
const SAFE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// The numeric user of the well-known images of backing services, and the paths besides their data
/// that they write to.
fn known(kind: NeedKind) -> ((u64, u64), &'static [&'static str]) {
    match kind {
        NeedKind::Postgres => ((999, 999), &["/tmp", "/var/run/postgresql"]),
        NeedKind::Mysql => ((999, 999), &["/tmp", "/var/run/mysqld"]),
        NeedKind::Redis => ((999, 999), &["/tmp"]),
        NeedKind::Rabbitmq => ((999, 999), &["/tmp", "/var/log/rabbitmq"]),
        NeedKind::Mongodb => ((999, 999), &["/tmp", "/data/configdb"]),
        NeedKind::Influxdb => ((1000, 1000), &["/tmp", "/etc/influxdb2"]),
        NeedKind::Elasticsearch => ((1000, 0), &["/tmp", "/usr/share/elasticsearch/logs"]),
        NeedKind::Qdrant => ((1000, 1000), &["/tmp", "/qdrant/snapshots"]),
        NeedKind::Kafka => ((1000, 1000), &["/tmp", "/opt/kafka/logs"]),
        NeedKind::Neo4j => ((7474, 7474), &["/tmp", "/logs"]),
        NeedKind::Clickhouse => ((101, 101), &["/tmp", "/var/log/clickhouse-server"]),
        NeedKind::Temporal => ((1000, 1000), &["/tmp", "/etc/temporal/config"]),
        NeedKind::Surrealdb => ((65532, 65532), &["/tmp"]),
        NeedKind::Memcached => ((11211, 11211), &["/tmp"]),
        // Their images name no user, and run as any.
        NeedKind::Chroma
        | NeedKind::Milvus
        | NeedKind::Weaviate
        | NeedKind::Minio
        | NeedKind::Nats => ((1000, 1000), &["/tmp"]),
    }
}

/// The user a workload runs as, where that is known.
pub(super) fn user(input: &Input<'_>, one: &Workload<'_>) -> Option<(u64, u64)> {
    if let Some(user) = &one.service.user {
        return numeric(&user.value);
    }
    let pinned = input
        .images
        .get(one.name())
        .and_then(|pin| pin.user.as_deref());
    if let Some(user) = pinned.and_then(numeric) {
        return Some(user);
    }
    if one.service.recipe.is_some() {
        return Some(ASSEMBLED);
    }
    one.store
        .and_then(|store| store.kind)
        .map(|kind| known(kind).0)
}

fn numeric(user: &str) -> Option<(u64, u64)> {
    let (user, group) = match user.split_once(':') {
        Some((user, group)) => (user, group.parse().ok()?),
        None => (user, user.parse().ok()?),
    };
    Some((user.parse().ok()?, group))
}

/// Directories in memory that a read-only root needs, besides mounts.
pub(super) fn scratch<'w>(one: &'w Workload<'_>) -> Vec<&'w str> {
    if one.service.recipe.is_some() {
        return std::iter::once("/tmp").chain(one.home()).collect();
    }
    match one.store.and_then(|store| store.kind) {
        Some(kind) if read_only_root(one) => known(kind).1.to_vec(),
        _ => Vec::new(),
    }
}

/// Whether the root file system is read-only: as written, else wherever it is known to work.
pub(super) fn read_only_root(one: &Workload<'_>) -> bool {
    match &one.service.read_only {
        Some(said) => said.value,
        None => one.service.recipe.is_some() || one.store.is_some_and(|store| store.kind.is_some()),
    }
}

/// The pod's security context.
pub(super) fn pod(input: &Input<'_>, one: &Workload<'_>, losses: &mut Vec<Loss>) -> Value {
    let subject = |key: &str| format!("services.{}.{key}", one.name());
    let user = user(input, one);
    if let Some((0, _)) = user {
        losses.push(
            Loss::new(
                Fidelity::Refused,
                subject("user"),
                "a pod at the level `restricted` does not run as root",
            )
            .at(one.service.user.as_ref().and_then(|user| user.span.clone()))
            .hint("name another user: `user: \"10001:10001\"`"),
        );
    }
    if user.is_none() {
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                subject("user"),
                "the numeric user of its image is not known; the pod does not start if that is root",
            )
            .at(one
                .service
                .user
                .as_ref()
                .and_then(|user| user.span.clone())
                .or_else(|| one.service.span.clone()))
            .hint("write `user: \"UID:GID\"`"),
        );
    }
    let groups: Vec<u64> = one
        .service
        .group_add
        .iter()
        .filter_map(|group| group.parse().ok())
        .collect();
    let mut sysctls = Vec::new();
    for (name, value) in &one.service.sysctls {
        if SAFE_SYSCTLS.contains(&name.as_str()) {
            sysctls.push(json!({ "name": name, "value": value }));
        } else {
            losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    subject("sysctls"),
                    format!("the level `restricted` does not allow the kernel parameter `{name}`"),
                )
                .at(one.service.span.clone()),
            );
        }
    }
    let labels = profiles(one, losses);
    json!({
        "runAsNonRoot": true,
        // Root is refused above, and not written beside `runAsNonRoot`.
        "runAsUser": user.map(|(user, _)| user).filter(|user| *user != 0),
        "runAsGroup": user.map(|(_, group)| group),
        "fsGroup": user.filter(|_| one.is_stateful()).map(|(_, group)| group),
        "fsGroupChangePolicy": one.is_stateful().then_some("OnRootMismatch"),
        "supplementalGroups": groups,
        "seccompProfile": labels.seccomp,
        "appArmorProfile": labels.apparmor,
        "seLinuxOptions": labels.selinux,
        "sysctls": sysctls,
    })
}

/// What `security_opt` says of profiles.
struct Profiles {
    seccomp: Value,
    apparmor: Value,
    selinux: Map<String, Value>,
}

/// Profiles of the node by name; what takes a protection away is not said.
fn profiles(one: &Workload<'_>, losses: &mut Vec<Loss>) -> Profiles {
    let mut profiles = Profiles {
        seccomp: json!({ "type": "RuntimeDefault" }),
        apparmor: Value::Null,
        selinux: Map::new(),
    };
    for option in &one.service.security_opt {
        let text = option.value.replacen('=', ":", 1);
        let mut parts = text.splitn(3, ':');
        let what = match (parts.next(), parts.next(), parts.next()) {
            (Some("no-new-privileges"), ..) => continue,
            (Some("apparmor"), Some(profile), None) if profile != "unconfined" => {
                profiles.apparmor = json!({ "type": "Localhost", "localhostProfile": profile });
                continue;
            }
            // A file of the project is not on the node.
            (Some("seccomp"), Some(profile), None)
                if profile != "unconfined" && !profile.starts_with(['.', '{']) =>
            {
                profiles.seccomp = json!({
                    "type": "Localhost",
                    "localhostProfile": profile.trim_start_matches('/'),
                });
                continue;
            }
            (Some("label"), Some("level"), Some(level)) => {
                profiles.selinux.insert("level".to_owned(), json!(level));
                continue;
            }
            (Some("label"), Some("type"), Some(kind))
                if matches!(kind, "container_t" | "container_init_t" | "container_kvm_t") =>
            {
                profiles.selinux.insert("type".to_owned(), json!(kind));
                continue;
            }
            _ => format!("the level `restricted` does not allow `{}`", option.value),
        };
        losses.push(
            Loss::new(
                Fidelity::Dropped,
                format!("services.{}.security_opt", one.name()),
                what,
            )
            .at(option.span.clone()),
        );
    }
    profiles
}

/// A container's security context.
pub(super) fn container(one: &Workload<'_>, losses: &mut Vec<Loss>) -> Value {
    let mut added = Vec::new();
    for capability in &one.service.cap_add {
        let name = capability
            .value
            .trim_start_matches("CAP_")
            .to_ascii_uppercase();
        if name == "NET_BIND_SERVICE" {
            added.push(name);
        } else {
            losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    format!("services.{}.cap_add", one.name()),
                    format!("the level `restricted` does not allow the capability `{name}`"),
                )
                .at(capability.span.clone()),
            );
        }
    }
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": read_only_root(one),
        "capabilities": { "drop": ["ALL"], "add": added },
    })
}
