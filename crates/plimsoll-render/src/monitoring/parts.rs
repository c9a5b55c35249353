//! The services that watch: their names, images and ports, for all targets that run or read them.

use plimsoll_model::facts::NeedKind;

use super::Watched;

/// A service that watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name in the stack.
    pub(crate) name: String,
    /// Its image.
    pub(crate) image: &'static str,
    /// The port it answers on.
    pub(crate) port: u16,
    /// What it does.
    pub(crate) duty: Duty,
}

/// What a watching service does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Reads metrics and evaluates rules.
    Metrics,
    /// Tells people.
    Alerts,
    /// Shows.
    Dashboards,
    /// Takes in logs, metrics and traces, and takes personal data out.
    Collector,
    /// Keeps logs.
    Logs,
    /// Keeps traces.
    Traces,
    /// Measures containers.
    Containers,
    /// Measures the machine.
    Machine,
    /// Asks health checks from outside.
    Probes,
    /// Measures GPUs.
    Gpu,
    /// Measures this data store.
    Store {
        /// The store's service.
        of: String,
        /// What it is.
        kind: NeedKind,
    },
}

/// The port on which the collector gives metrics that services sent it.
pub(crate) const RECEIVED_METRICS: u16 = 8889;

/// All of them, in the order of their names.
pub(crate) fn parts(watched: &Watched<'_>) -> Vec<Part> {
    let mut parts: Vec<Part> = [
        ("prometheus", "prom/prometheus:v3.5.0", 9090, Duty::Metrics),
        (
            "alertmanager",
            "prom/alertmanager:v0.28.1",
            9093,
            Duty::Alerts,
        ),
        ("grafana", "grafana/grafana:12.1.0", 3000, Duty::Dashboards),
        (
            "otel-collector",
            "otel/opentelemetry-collector-contrib:0.130.0",
            8888,
            Duty::Collector,
        ),
        ("loki", "grafana/loki:3.5.3", 3100, Duty::Logs),
        ("tempo", "grafana/tempo:2.8.2", 3200, Duty::Traces),
        (
            "cadvisor",
            "gcr.io/cadvisor/cadvisor:v0.52.1",
            8080,
            Duty::Containers,
        ),
        (
            "node-exporter",
            "prom/node-exporter:v1.9.1",
            9100,
            Duty::Machine,
        ),
        (
            "blackbox-exporter",
            "prom/blackbox-exporter:v0.27.0",
            9115,
            Duty::Probes,
        ),
    ]
    .into_iter()
    .map(|(name, image, port, duty)| Part {
        name: name.to_owned(),
        image,
        port,
        duty,
    })
    .collect();
    if watched.gpu {
        parts.push(Part {
            name: "dcgm-exporter".to_owned(),
            image: "nvidia/dcgm-exporter:4.2.3-4.1.3-ubuntu22.04",
            port: 9400,
            duty: Duty::Gpu,
        });
    }
    for one in watched.stores() {
        let Some(kind) = one.store.and_then(|store| store.kind) else {
            continue;
        };
        if let Some((image, port)) = exporter(kind) {
            parts.push(Part {
                name: format!("{}-exporter", one.name()),
                image,
                port,
                duty: Duty::Store {
                    of: one.name().to_owned(),
                    kind,
                },
            });
        }
    }
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    parts
}

/// The exporter of a data store that has no metrics of its own.
fn exporter(kind: NeedKind) -> Option<(&'static str, u16)> {
    Some(match kind {
        NeedKind::Postgres => ("prometheuscommunity/postgres-exporter:v0.17.1", 9187),
        NeedKind::Redis => ("oliver006/redis_exporter:v1.74.0", 9121),
        NeedKind::Mysql => ("prom/mysqld-exporter:v0.17.2", 9104),
        NeedKind::Mongodb => ("percona/mongodb_exporter:0.47.1", 9216),
        NeedKind::Elasticsearch => ("prometheuscommunity/elasticsearch-exporter:v1.9.0", 9114),
        NeedKind::Kafka => ("danielqsj/kafka-exporter:v1.9.0", 9308),
        NeedKind::Memcached => ("prom/memcached-exporter:v0.15.3", 9150),
        NeedKind::Rabbitmq
        | NeedKind::Influxdb
        | NeedKind::Qdrant
        | NeedKind::Neo4j
        | NeedKind::Clickhouse
        | NeedKind::Chroma
        | NeedKind::Temporal
        | NeedKind::Surrealdb
        | NeedKind::Milvus
        | NeedKind::Weaviate
        | NeedKind::Minio
        | NeedKind::Nats => return None,
    })
}

/// Where a data store itself gives metrics.
pub(super) fn own_metrics(kind: NeedKind) -> Option<(u16, &'static str)> {
    Some(match kind {
        NeedKind::Rabbitmq => (15692, "/metrics"),
        NeedKind::Influxdb => (8086, "/metrics"),
        NeedKind::Qdrant => (6333, "/metrics"),
        NeedKind::Milvus => (9091, "/metrics"),
        _ => return None,
    })
}
