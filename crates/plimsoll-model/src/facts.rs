//! What is known of a service beyond what Compose says: what it is, how its health shows, the
//! variables it reads. Detection finds it; running, rendering and proving read it.

use std::path::PathBuf;

use plimsoll_diag::{Evidence, Span};
use serde::{Deserialize, Serialize, Serializer};

/// What is known of one service.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    /// What it is to its users; `None`: not known.
    pub kind: Option<ServiceKind>,
    /// What it is called where it was found in the source.
    #[serde(skip)]
    pub found_as: Option<String>,
    /// `python`, `javascript`, `go`, `rust`.
    pub language: Option<String>,
    /// The framework as people write it: `FastAPI`.
    pub framework: Option<String>,
    /// What it gives to others, where it is a backing service.
    pub provides: Option<NeedKind>,
    /// TCP ports it listens on.
    pub ports: Vec<u16>,
    /// How to tell that it works.
    pub health: Option<Health>,
    /// Path of its metrics for Prometheus.
    pub metrics: Option<Route>,
    /// Whether it keeps responses open.
    pub stream: Option<Stream>,
    /// How many of it may run at once, where the code limits it.
    pub replicas_max: Option<u32>,
    /// Paths it writes to, as the code names them.
    pub writes: Vec<String>,
    /// The directory of the project, relative to it, that its image is made of which the project publishes.
    #[serde(skip)]
    pub source: Option<PathBuf>,
}

/// What a service is to its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// Answers HTTP requests of programs.
    Web,
    /// Shows pages to people.
    Ui,
    /// Takes work from a queue.
    Worker,
    /// Starts work at set times.
    Scheduler,
    /// Speaks the Model Context Protocol over standard input and output.
    McpStdio,
    /// Speaks the Model Context Protocol over HTTP.
    McpHttp,
    /// A program that a person starts and that ends.
    Cli,
    /// Runs once when a stack comes up.
    Job,
}

impl ServiceKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            ServiceKind::Web => "web",
            ServiceKind::Ui => "ui",
            ServiceKind::Worker => "worker",
            ServiceKind::Scheduler => "scheduler",
            ServiceKind::McpStdio => "mcp-stdio",
            ServiceKind::McpHttp => "mcp-http",
            ServiceKind::Cli => "cli",
            ServiceKind::Job => "job",
        }
    }

    /// Whether it keeps running when nobody attends to it.
    pub fn is_daemon(self) -> bool {
        !matches!(
            self,
            ServiceKind::McpStdio | ServiceKind::Cli | ServiceKind::Job
        )
    }
}

/// A path that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The path, with its leading slash.
    pub path: String,
    /// The port it is served on.
    pub port: u16,
    /// Where the code says so.
    #[serde(serialize_with = "as_optional_place")]
    pub span: Option<Span>,
}

/// How to tell that a service works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Health {
    /// A GET request is answered with success.
    Http(Route),
    /// A connection is accepted.
    Tcp {
        /// The port.
        port: u16,
    },
    /// A command in the container succeeds.
    Command {
        /// What it is called: `ping`.
        name: String,
        /// The command, in exec form.
        command: Vec<String>,
    },
    /// A handshake of the Model Context Protocol is completed.
    McpHandshake,
}

/// A response that stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Server-sent events.
    Sse,
    /// WebSocket.
    Websocket,
}

/// What kind of thing is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeedKind {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// Redis or Valkey.
    Redis,
    /// RabbitMQ.
    Rabbitmq,
    /// MongoDB.
    Mongodb,
    /// InfluxDB.
    Influxdb,
    /// Elasticsearch.
    Elasticsearch,
    /// Qdrant.
    Qdrant,
    /// Apache Kafka.
    Kafka,
    /// Neo4j.
    Neo4j,
    /// ClickHouse.
    Clickhouse,
    /// Chroma, as a server.
    Chroma,
    /// Temporal.
    Temporal,
    /// SurrealDB.
    Surrealdb,
    /// Milvus.
    Milvus,
    /// Weaviate.
    Weaviate,
    /// MinIO.
    Minio,
    /// NATS.
    Nats,
    /// Memcached.
    Memcached,
}

impl NeedKind {
    /// The TCP port it answers on unless it is told otherwise.
    pub fn port(self) -> u16 {
        match self {
            NeedKind::Postgres => 5432,
            NeedKind::Mysql => 3306,
            NeedKind::Redis => 6379,
            NeedKind::Rabbitmq => 5672,
            NeedKind::Mongodb => 27017,
            NeedKind::Influxdb => 8086,
            NeedKind::Elasticsearch => 9200,
            NeedKind::Qdrant => 6333,
            NeedKind::Kafka => 9092,
            NeedKind::Neo4j => 7687,
            NeedKind::Clickhouse => 8123,
            NeedKind::Chroma => 8000,
            NeedKind::Temporal => 7233,
            NeedKind::Surrealdb => 8000,
            NeedKind::Milvus => 19530,
            NeedKind::Weaviate => 8080,
            NeedKind::Minio => 9000,
            NeedKind::Nats => 4222,
            NeedKind::Memcached => 11211,
        }
    }

    /// What the image of that reference gives to others: `docker.io/library/postgres:16` is
    /// PostgreSQL.
    pub fn of_image(reference: &str) -> Option<Self> {
        let without_digest = reference.split('@').next().unwrap_or_default();
        let repository = match without_digest.rsplit_once(':') {
            Some((before, tag)) if !tag.contains('/') => before,
            _ => without_digest,
        };
        let last = repository.rsplit('/').next().unwrap_or_default();
        Some(match last {
            "postgres" | "postgresql" | "pgvector" | "postgis" | "timescaledb"
            | "timescaledb-ha" => NeedKind::Postgres,
            "mysql" | "mariadb" | "percona" => NeedKind::Mysql,
            "redis" | "valkey" | "redis-stack" | "redis-stack-server" | "keydb" | "dragonfly" => {
                NeedKind::Redis
            }
            "rabbitmq" => NeedKind::Rabbitmq,
            "mongo" | "mongodb" | "mongodb-community-server" => NeedKind::Mongodb,
            "influxdb" => NeedKind::Influxdb,
            "elasticsearch" | "opensearch" => NeedKind::Elasticsearch,
            "qdrant" => NeedKind::Qdrant,
            "kafka" | "cp-kafka" | "redpanda" => NeedKind::Kafka,
            "neo4j" => NeedKind::Neo4j,
            "clickhouse" | "clickhouse-server" => NeedKind::Clickhouse,
            "chroma" | "chromadb" => NeedKind::Chroma,
            "temporal" | "auto-setup" => NeedKind::Temporal,
            "surrealdb" => NeedKind::Surrealdb,
            "milvus" => NeedKind::Milvus,
            "weaviate" => NeedKind::Weaviate,
            "minio" => NeedKind::Minio,
            "nats" => NeedKind::Nats,
            "memcached" => NeedKind::Memcached,
            _ => return None,
        })
    }

    /// The word for it: the name of its service and of its usual image.
    pub fn word(self) -> &'static str {
        match self {
            NeedKind::Postgres => "postgres",
            NeedKind::Mysql => "mysql",
            NeedKind::Redis => "redis",
            NeedKind::Rabbitmq => "rabbitmq",
            NeedKind::Mongodb => "mongodb",
            NeedKind::Influxdb => "influxdb",
            NeedKind::Elasticsearch => "elasticsearch",
            NeedKind::Qdrant => "qdrant",
            NeedKind::Kafka => "kafka",
            NeedKind::Neo4j => "neo4j",
            NeedKind::Clickhouse => "clickhouse",
            NeedKind::Chroma => "chroma",
            NeedKind::Temporal => "temporal",
            NeedKind::Surrealdb => "surrealdb",
            NeedKind::Milvus => "milvus",
            NeedKind::Weaviate => "weaviate",
            NeedKind::Minio => "minio",
            NeedKind::Nats => "nats",
            NeedKind::Memcached => "memcached",
        }
    }
}

/// What a variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VariableKind {
    /// A URL or connection string.
    Url,
    /// The name of a host.
    Host,
    /// The number of a port.
    Port,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// A path of a file or directory.
    Path,
    /// Anything else.
    Text,
}

impl VariableKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            VariableKind::Url => "url",
            VariableKind::Host => "host",
            VariableKind::Port => "port",
            VariableKind::Number => "number",
            VariableKind::Boolean => "boolean",
            VariableKind::Path => "path",
            VariableKind::Text => "text",
        }
    }
}

/// A variable that services read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Whether a service does not start without it.
    pub required: bool,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// What it is when it is not set.
    pub default: Option<String>,
    /// What it holds.
    pub kind: VariableKind,
    /// The kind of need it leads to.
    pub need: Option<NeedKind>,
    /// Who reads it.
    pub services: Vec<String>,
    /// The variables beside it of which one is enough, where the code ends when none is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<OneOf>,
    /// Where it is read.
    #[serde(serialize_with = "as_places")]
    pub evidence: Vec<Evidence>,
}

/// Variables of which one is enough: services do not start when none of them is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneOf {
    /// Their names, in the order of the check.
    pub names: Vec<String>,
    /// Who checks.
    pub services: Vec<String>,
    /// Where the check is.
    #[serde(rename = "at", serialize_with = "as_place")]
    pub span: Span,
}

fn place(span: &Span) -> String {
    format!("{}:{}", span.file.display(), span.start.line)
}

/// Serialises a place: as `file:line` for people, whole for a program.
///
/// # Errors
/// When the serialiser fails.
pub fn as_place<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return span.serialize(serializer);
    }
    serializer.serialize_str(&place(span))
}

/// Serialises a place: as `file:line` or nothing for people, whole for a program.
///
/// # Errors
/// When the serialiser fails.
pub fn as_optional_place<S: Serializer>(
    span: &Option<Span>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return span.serialize(serializer);
    }
    span.as_ref().map(place).serialize(serializer)
}

/// Serialises evidence: as places with reasons for people, whole for a program.
///
/// # Errors
/// When the serialiser fails.
pub fn as_places<S: Serializer>(evidence: &[Evidence], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Placed<'a> {
        at: String,
        why: &'a str,
    }
    if !serializer.is_human_readable() {
        return evidence.serialize(serializer);
    }
    serializer.collect_seq(evidence.iter().map(|evidence| Placed {
        at: place(&evidence.span),
        why: &evidence.why,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_tells_what_it_gives() {
        for (reference, kind) in [
            ("postgres", Some(NeedKind::Postgres)),
            ("pgvector/pgvector:pg16", Some(NeedKind::Postgres)),
            ("localhost:5000/library/redis", Some(NeedKind::Redis)),
            ("redis:7@sha256:00", Some(NeedKind::Redis)),
            ("registry.example.com:443/team/postgres-exporter:1", None),
            (
                "clickhouse/clickhouse-server:24.8",
                Some(NeedKind::Clickhouse),
            ),
            ("temporalio/auto-setup:1.25", Some(NeedKind::Temporal)),
            ("temporalio/temporal", Some(NeedKind::Temporal)),
            ("temporalio/ui:2", None),
            ("minio/mc", None),
            ("", None),
        ] {
            assert_eq!(NeedKind::of_image(reference), kind, "{reference}");
        }
    }
}
