//! What production takes away from containers, and what well-known images need all the same.

use std::path::Path;

use plimsoll_diag::Spanned;
use plimsoll_model::facts::NeedKind;
use plimsoll_model::{FileSource, MountKind, RecipeKind};

use crate::{Input, Workload};

/// Capabilities that images of stores need to give their data to their own user and to become it.
const TO_BECOME_A_USER: [&str; 5] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"];

/// Capabilities that a container is left with: none where its image is known to start as the user
/// it works as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capabilities {
    /// None.
    None,
    /// Those by which the image of a store becomes its own user.
    OfStore,
    /// Those by which an image of others, which may start as root, becomes its own user, and by
    /// which it listens on a low port.
    OfOthers,
}

impl Capabilities {
    pub(super) fn of(one: &Workload<'_>) -> Self {
        // Who takes them away in the base knows what is left to need.
        let is_said = one
            .service
            .cap_drop
            .iter()
            .any(|said| said.value.eq_ignore_ascii_case("all"));
        if is_said {
            return Capabilities::None;
        }
        let is_others = !super::stack::Stack::is_assembled(one);
        match (&one.service.user, one.store) {
            (Some(_), _) => Capabilities::None,
            (None, Some(_)) => Capabilities::OfStore,
            (None, None) if is_others => Capabilities::OfOthers,
            (None, None) => Capabilities::None,
        }
    }

    pub(super) fn names(self) -> Vec<&'static str> {
        let mut names = match self {
            Capabilities::None => Vec::new(),
            Capabilities::OfStore | Capabilities::OfOthers => TO_BECOME_A_USER.to_vec(),
        };
        if self == Capabilities::OfOthers {
            names.insert(3, "NET_BIND_SERVICE");
        }
        names
    }
}

/// Those of these words that a service does not say already: what an overlay says is added, and no
/// list may hold a word twice.
pub(super) fn unsaid<'w>(words: &[&'w str], said: &[Spanned<String>]) -> Vec<&'w str> {
    let has = |word: &&&str| {
        said.iter().any(|said| {
            let said = said.value.trim_start_matches("CAP_");
            said.eq_ignore_ascii_case(word) || said.replace('=', ":") == **word
        })
    };
    words.iter().filter(|word| !has(word)).copied().collect()
}

/// Whether something is said of new privileges, in any of its forms.
pub(super) fn says_of_privileges(one: &Workload<'_>) -> bool {
    let mut said = one.service.security_opt.iter();
    said.any(|option| option.value.starts_with("no-new-privileges"))
}

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
        NeedKind::Chroma | NeedKind::Minio | NeedKind::Nats | NeedKind::Memcached => &["/tmp"],
        NeedKind::Weaviate | NeedKind::Surrealdb => &["/tmp"],
        NeedKind::Clickhouse => &["/tmp", "/var/log/clickhouse-server"],
        NeedKind::Elasticsearch
        | NeedKind::Kafka
        | NeedKind::Neo4j
        | NeedKind::Temporal
        | NeedKind::Milvus => return None,
    })
}

/// Whether a path is in something that a service mounts.
pub(super) fn is_mounted(one: &Workload<'_>, path: &str) -> bool {
    one.service
        .volumes
        .iter()
        .any(|mount| Path::new(path).starts_with(&mount.value.target))
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
