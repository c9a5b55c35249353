//! What a service may use at most where its Compose file says nothing; one answer for every target.

use plimsoll_model::facts::NeedKind;

use super::{Role, Store};

/// Limits of a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// Processors.
    pub(crate) cpus: f64,
    /// Memory in MiB.
    pub(crate) mebibytes: u64,
    /// Processes and threads.
    pub(crate) pids: u32,
}

impl Limits {
    /// Memory in bytes.
    pub(crate) fn memory(self) -> u64 {
        self.mebibytes << 20
    }
}

/// The limits of a service that says none.
pub(super) fn usual(role: Role, store: Option<Store>) -> Limits {
    let (cpus, mebibytes, pids) = match (role, store.and_then(|store| store.kind)) {
        (_, Some(NeedKind::Redis | NeedKind::Nats | NeedKind::Memcached)) => (1.0, 512, 128),
        (
            _,
            Some(
                NeedKind::Elasticsearch
                | NeedKind::Kafka
                | NeedKind::Neo4j
                | NeedKind::Clickhouse
                | NeedKind::Milvus,
            ),
        ) => (2.0, 2048, 1024),
        (Role::Datastore, _) => (2.0, 1024, 512),
        (Role::Ui, _) => (0.5, 128, 64),
        (Role::Worker, _) => (1.0, 1024, 512),
        (Role::Scheduler, _) => (0.5, 512, 128),
        _ => (1.0, 512, 256),
    };
    Limits {
        cpus,
        mebibytes,
        pids,
    }
}
