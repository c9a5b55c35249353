//! Ports: whose one is, by its name, and those that two services of one project both say they listen on. In a stack each has an address of its own, but a
//! machine has each port once. What a framework listens on when nobody says anything is no claim, and what an image is
//! told is said of its container alone.

use std::collections::BTreeMap;

use plimsoll_diag::Diagnostic;

use crate::detection::{DetectedService, ServiceKind};
use crate::found::Found;

/// Words of names that belong to something else than the program's own port.
const OTHERS: &[&str] = &[
    "db",
    "database",
    "redis",
    "postgres",
    "pg",
    "mysql",
    "mongo",
    "smtp",
    "mail",
    "rabbit",
    "amqp",
    "kafka",
    "nats",
    "proxy",
    "ssh",
    "remote",
    "target",
    "upstream",
    "broker",
    "elastic",
    "peer",
    "client",
    "qdrant",
    "milvus",
    "weaviate",
    "neo4j",
    "clickhouse",
    "minio",
    "memcache",
    "etcd",
    "temporal",
    "chroma",
    "ollama",
    "s3",
    "consul",
    "vault",
    "otlp",
    "jaeger",
    "loki",
];

/// Whether a name is about a database or the like.
pub(crate) fn is_of_a_need(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    // A hotel is none.
    lower.starts_with("otel") || OTHERS.iter().any(|word| lower.contains(word))
}

/// Ports that clients have for defaults: of plain and encrypted pages, of stores and brokers.
const OF_OTHERS: &[u16] = &[
    22, 25, 80, 110, 143, 443, 465, 587, 993, 995, 1433, 2379, 3306, 4222, 5432, 5672, 6333, 6334,
    6379, 7233, 7687, 9092, 9200, 11211, 19530, 27017,
];

/// Whether a port is one that something else usually listens on.
pub(crate) fn is_of_another(port: u16) -> bool {
    OF_OTHERS.contains(&port)
}

/// Tells each port that is claimed more than once, when the services have their names.
pub(crate) fn claimed_twice(found: &[Found]) -> Vec<Diagnostic> {
    let mut owners: BTreeMap<u16, Vec<&DetectedService>> = BTreeMap::new();
    for one in found {
        let service = &one.service;
        let published = matches!(
            service.kind,
            ServiceKind::Web | ServiceKind::Ui | ServiceKind::McpHttp
        );
        if published && one.says_port && service.recipe.is_some() {
            for port in &service.ports {
                owners.entry(*port).or_default().push(service);
            }
        }
    }
    owners
        .iter()
        .filter_map(|(port, owners)| {
            let [first, second, rest @ ..] = owners.as_slice() else {
                return None;
            };
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let what = format!(
                "`{}` listens on port {port}, as `{}` ({}:{}){more} does",
                second.name,
                first.name,
                first.defined_at.file.display(),
                first.defined_at.start.line
            );
            Some(
                Diagnostic::warning(what)
                    .at(second.defined_at.clone())
                    .hint("a machine has each port once: give one of them another"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_a_port_is() {
        for (name, other) in [
            ("REDIS_PORT", true),
            ("otelPort", true),
            ("HOTEL_PORT", false),
            ("HTTP_PORT", false),
        ] {
            assert_eq!(is_of_a_need(name), other, "{name}");
        }
    }
}
