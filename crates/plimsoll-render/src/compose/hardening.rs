//! What production takes away from containers, and what well-known images need all the same.

use plimsoll_model::facts::NeedKind;
use plimsoll_model::{FileSource, MountKind, RecipeKind};

use crate::{Input, Role, Workload};

/// Capabilities that images of stores need to give their data to their own user and to become it.
pub(super) const TO_BECOME_A_USER: [&str; 5] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"];

/// Directories in memory that a read-only root needs; `None` where that is not known.
pub(super) fn scratch(one: &Workload<'_>) -> Option<&'static [&'static str]> {
    let known = one.store.and_then(|store| store.kind);
    if one
        .service
        .recipe
        .as_ref()
        .is_some_and(|recipe| !matches!(recipe.kind, RecipeKind::Dockerfile(_)))
    {
        return Some(&["/tmp"]);
    }
    Some(match known? {
        NeedKind::Postgres => &["/tmp", "/var/run/postgresql"],
        NeedKind::Mysql => &["/tmp", "/var/run/mysqld"],
        NeedKind::Redis => &["/tmp"],
        NeedKind::Rabbitmq => &["/tmp", "/var/log/rabbitmq"],
        NeedKind::Mongodb => &["/tmp", "/data/configdb"],
        NeedKind::Influxdb => &["/tmp", "/etc/influxdb2"],
        NeedKind::Qdrant => &["/tmp", "/qdrant/snapshots"],
        NeedKind::Elasticsearch | NeedKind::Kafka | NeedKind::Neo4j => return None,
    })
}

/// Whether a service has something mounted at a path.
pub(super) fn has_mount(one: &Workload<'_>, path: &str) -> bool {
    one.service
        .volumes
        .iter()
        .any(|mount| mount.value.target.as_os_str() == path)
}

/// Whether it is given secrets that are no files of the host: `docker compose` copies these into the
/// container's root, which must not be read-only then.
pub(super) fn has_copied_secrets(input: &Input<'_>, one: &Workload<'_>) -> bool {
    one.service.secrets.iter().any(|secret| {
        input
            .project
            .secrets
            .get(&secret.value.source)
            .is_some_and(|secret| {
                matches!(
                    secret.source,
                    FileSource::Environment(_) | FileSource::Content(_)
                )
            })
    })
}

/// Whether it sees the engine's own socket, which is as good as being root on the host.
pub(super) fn sees_engine(one: &Workload<'_>) -> bool {
    one.service.volumes.iter().any(|mount| {
        matches!(&mount.value.kind, MountKind::Bind { source, .. } if source.ends_with("docker.sock"))
    })
}

/// What a service may use at most where nothing is said: processors, memory, processes.
pub(super) fn limits(one: &Workload<'_>) -> (&'static str, &'static str, u32) {
    let kind = one.store.and_then(|store| store.kind);
    match (one.role, kind) {
        (_, Some(NeedKind::Redis)) => ("1.0", "512M", 128),
        (_, Some(NeedKind::Elasticsearch | NeedKind::Kafka | NeedKind::Neo4j)) => {
            ("2.0", "2G", 1024)
        }
        (Role::Datastore, _) => ("2.0", "1G", 512),
        (Role::Ui, _) => ("0.5", "128M", 64),
        (Role::Worker, _) => ("1.0", "1G", 512),
        (Role::Scheduler, _) => ("0.5", "256M", 128),
        _ => ("1.0", "512M", 256),
    }
}
