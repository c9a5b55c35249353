//! Backing services: how each kind of need is run, and how others reach it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_diag::Spanned;
use plimsoll_model::facts::Facts;
use plimsoll_model::{
    Command, HealthTest, Healthcheck, Mount, MountKind, Restart, Service, Volume,
};

use crate::detection::{NeedKind, Variable, VariableKind};
use crate::needs;

/// User and database of a database made for a project.
const USER: &str = "app";

/// A backing service as it is run for a project.
pub(crate) struct Backing {
    pub(crate) service: Service,
    pub(crate) volumes: Vec<(String, Volume)>,
    pub(crate) password: Option<String>,
}

/// How a kind of need is run.
struct Plan {
    image: &'static str,
    data: Option<&'static str>,
    command: &'static [&'static str],
    health: &'static [&'static str],
    /// Variables of the image; `PASSWORD` stands for the password.
    environment: &'static [(&'static str, &'static str)],
}

const PASSWORD: &str = "\u{0}password";

fn plan(kind: NeedKind) -> Plan {
    match kind {
        NeedKind::Postgres => Plan {
            image: "postgres:16",
            data: Some("/var/lib/postgresql/data"),
            command: &[],
            health: &[
                "pg_isready",
                "--host=127.0.0.1",
                "--username=app",
                "--dbname=app",
            ],
            environment: &[
                ("POSTGRES_USER", USER),
                ("POSTGRES_PASSWORD", PASSWORD),
                ("POSTGRES_DB", USER),
            ],
        },
        NeedKind::Mysql => Plan {
            image: "mysql:8",
            data: Some("/var/lib/mysql"),
            command: &[],
            health: &["mysqladmin", "ping", "--host=127.0.0.1"],
            environment: &[
                ("MYSQL_USER", USER),
                ("MYSQL_PASSWORD", PASSWORD),
                ("MYSQL_DATABASE", USER),
                ("MYSQL_ROOT_PASSWORD", PASSWORD),
            ],
        },
        NeedKind::Redis => Plan {
            image: "redis:7",
            data: Some("/data"),
            command: &["redis-server", "--appendonly", "yes"],
            health: &["redis-cli", "ping"],
            environment: &[],
        },
        NeedKind::Rabbitmq => Plan {
            image: "rabbitmq:3",
            data: Some("/var/lib/rabbitmq"),
            command: &[],
            health: &["rabbitmq-diagnostics", "-q", "ping"],
            environment: &[
                ("RABBITMQ_DEFAULT_USER", USER),
                ("RABBITMQ_DEFAULT_PASS", PASSWORD),
            ],
        },
        NeedKind::Mongodb => Plan {
            image: "mongo:7",
            data: Some("/data/db"),
            command: &[],
            health: &["mongosh", "--quiet", "--eval", "db.adminCommand('ping').ok"],
            environment: &[
                ("MONGO_INITDB_ROOT_USERNAME", USER),
                ("MONGO_INITDB_ROOT_PASSWORD", PASSWORD),
            ],
        },
        NeedKind::Influxdb => Plan {
            image: "influxdb:2",
            data: Some("/var/lib/influxdb2"),
            command: &[],
            health: &["influx", "ping"],
            environment: &[
                ("DOCKER_INFLUXDB_INIT_MODE", "setup"),
                ("DOCKER_INFLUXDB_INIT_USERNAME", USER),
                ("DOCKER_INFLUXDB_INIT_PASSWORD", PASSWORD),
                ("DOCKER_INFLUXDB_INIT_ORG", USER),
                ("DOCKER_INFLUXDB_INIT_BUCKET", USER),
                ("DOCKER_INFLUXDB_INIT_ADMIN_TOKEN", PASSWORD),
            ],
        },
        NeedKind::Elasticsearch => Plan {
            image: "elasticsearch:8.15.0",
            data: Some("/usr/share/elasticsearch/data"),
            command: &[],
            health: &["plimsoll-probe", "http", "http://127.0.0.1:9200/"],
            environment: &[
                ("discovery.type", "single-node"),
                ("xpack.security.enabled", "false"),
            ],
        },
        NeedKind::Qdrant => Plan {
            image: "qdrant/qdrant:v1.12.0",
            data: Some("/qdrant/storage"),
            command: &[],
            health: &["plimsoll-probe", "http", "http://127.0.0.1:6333/readyz"],
            environment: &[],
        },
        NeedKind::Kafka => Plan {
            image: "apache/kafka:3.8.0",
            data: Some("/var/lib/kafka/data"),
            command: &[],
            health: &["plimsoll-probe", "tcp", "127.0.0.1:9092"],
            environment: &[],
        },
        NeedKind::Neo4j => Plan {
            image: "neo4j:5",
            data: Some("/data"),
            command: &[],
            health: &["plimsoll-probe", "tcp", "127.0.0.1:7687"],
            environment: &[],
        },
        NeedKind::Clickhouse => Plan {
            image: "clickhouse/clickhouse-server:24.8",
            data: Some("/var/lib/clickhouse"),
            command: &[],
            health: &["plimsoll-probe", "http", "http://127.0.0.1:8123/ping"],
            environment: &[
                ("CLICKHOUSE_USER", USER),
                ("CLICKHOUSE_PASSWORD", PASSWORD),
                ("CLICKHOUSE_DB", USER),
                ("CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT", "1"),
            ],
        },
        NeedKind::Chroma => Plan {
            image: "chromadb/chroma:1.0.0",
            data: Some("/data"),
            command: &[],
            health: &[
                "plimsoll-probe",
                "http",
                "http://127.0.0.1:8000/api/v2/heartbeat",
            ],
            environment: &[],
        },
        // Its server for development: one process, which keeps what it knows in memory.
        NeedKind::Temporal => Plan {
            image: "temporalio/temporal:latest",
            data: None,
            command: &["server", "start-dev", "--ip", "0.0.0.0"],
            health: &["plimsoll-probe", "tcp", "127.0.0.1:7233"],
            environment: &[],
        },
        // In memory as well: its image's user may not write to a new volume.
        NeedKind::Surrealdb => Plan {
            image: "surrealdb/surrealdb:v2",
            data: None,
            command: &["start", "--bind", "0.0.0.0:8000", "memory"],
            health: &["plimsoll-probe", "http", "http://127.0.0.1:8000/health"],
            environment: &[("SURREAL_USER", USER), ("SURREAL_PASS", PASSWORD)],
        },
        NeedKind::Milvus => Plan {
            image: "milvusdb/milvus:v2.4.15",
            data: Some("/var/lib/milvus"),
            command: &["milvus", "run", "standalone"],
            health: &["plimsoll-probe", "http", "http://127.0.0.1:9091/healthz"],
            environment: &[
                ("ETCD_USE_EMBED", "true"),
                ("ETCD_DATA_DIR", "/var/lib/milvus/etcd"),
                ("COMMON_STORAGETYPE", "local"),
            ],
        },
        NeedKind::Weaviate => Plan {
            image: "semitechnologies/weaviate:1.27.0",
            data: Some("/var/lib/weaviate"),
            command: &["--host", "0.0.0.0", "--port", "8080", "--scheme", "http"],
            health: &[
                "plimsoll-probe",
                "http",
                "http://127.0.0.1:8080/v1/.well-known/ready",
            ],
            environment: &[
                ("AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED", "true"),
                ("CLUSTER_HOSTNAME", "node1"),
                ("DEFAULT_VECTORIZER_MODULE", "none"),
                ("PERSISTENCE_DATA_PATH", "/var/lib/weaviate"),
            ],
        },
        NeedKind::Minio => Plan {
            image: "minio/minio:latest",
            data: Some("/data"),
            command: &["server", "/data"],
            health: &[
                "plimsoll-probe",
                "http",
                "http://127.0.0.1:9000/minio/health/live",
            ],
            environment: &[("MINIO_ROOT_USER", USER), ("MINIO_ROOT_PASSWORD", PASSWORD)],
        },
        NeedKind::Nats => Plan {
            image: "nats:2",
            data: None,
            command: &["nats-server", "--jetstream"],
            health: &["plimsoll-probe", "tcp", "127.0.0.1:4222"],
            environment: &[],
        },
        NeedKind::Memcached => Plan {
            image: "memcached:1",
            data: None,
            command: &[],
            health: &["plimsoll-probe", "tcp", "127.0.0.1:11211"],
            environment: &[],
        },
    }
}

/// Makes the service for a kind of need.
pub(crate) fn backing(project: &str, kind: NeedKind, password: &dyn Fn(&str) -> String) -> Backing {
    let plan = plan(kind);
    let name = kind.word();
    let secret = plan
        .environment
        .iter()
        .any(|(_, value)| *value == PASSWORD)
        .then(|| password(name));
    let environment: BTreeMap<_, _> = plan
        .environment
        .iter()
        .map(|(variable, value)| {
            let value = if *value == PASSWORD {
                secret.clone().unwrap_or_default()
            } else {
                (*value).to_owned()
            };
            ((*variable).to_owned(), Spanned::unplaced(Some(value)))
        })
        .collect();
    let volume = format!("{name}-data");
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let service = Service {
        name: name.to_owned(),
        image: Some(Spanned::unplaced(plan.image.to_owned())),
        facts: Facts {
            provides: Some(kind),
            ports: vec![kind.port()],
            ..Facts::default()
        },
        command: (!plan.command.is_empty())
            .then(|| Spanned::unplaced(Command(words(plan.command)))),
        environment,
        volumes: plan
            .data
            .map(|target| {
                Spanned::unplaced(Mount {
                    kind: MountKind::Volume {
                        name: Some(volume.clone()),
                        nocopy: false,
                        subpath: None,
                    },
                    target: PathBuf::from(target),
                    read_only: false,
                })
            })
            .into_iter()
            .collect(),
        healthcheck: Some(Spanned::unplaced(Healthcheck {
            test: Some(HealthTest::Exec(words(plan.health))),
            interval: Some(Duration::from_secs(5)),
            timeout: Some(Duration::from_secs(5)),
            retries: Some(12),
            start_period: Some(Duration::from_secs(60)),
            start_interval: Some(Duration::from_millis(500)),
        })),
        restart: Spanned::unplaced(Restart::UnlessStopped),
        scale: Spanned::unplaced(1),
        ..Service::default()
    };
    let volumes = plan.data.map(|_| {
        let made = Volume {
            name: format!("{project}_{volume}"),
            ..Volume::default()
        };
        (volume, made)
    });
    Backing {
        service,
        volumes: volumes.into_iter().collect(),
        password: secret,
    }
}

/// The port that a variable's code talks to: ClickHouse answers its own protocol on another one than HTTP.
fn port_of(variable: &Variable, kind: NeedKind) -> u16 {
    let own_protocol = variable.default.as_deref().is_some_and(|text| {
        let port = text.rsplit(':').next().unwrap_or_default();
        let port = port.split('/').next().unwrap_or_default();
        port == "9000" || text.starts_with("clickhouse") && port != "8123"
    });
    match kind {
        NeedKind::Clickhouse if own_protocol => 9000,
        kind => kind.port(),
    }
}

/// The value that leads a variable to a backing service.
pub(crate) fn value(
    variable: &Variable,
    kind: NeedKind,
    password: Option<&str>,
    scheme: Option<&str>,
) -> Option<String> {
    let host = kind.word();
    let port = port_of(variable, kind);
    let secret = password.unwrap_or_default();
    if needs::is_address(variable.default.as_deref().unwrap_or_default()) {
        return Some(format!("{host}:{port}"));
    }
    let upper = variable.name.to_ascii_uppercase();
    let last = upper.rsplit('_').next().unwrap_or_default();
    if variable.kind == VariableKind::Url
        || matches!(last, "URL" | "URI" | "DSN" | "BROKER" | "BACKEND")
    {
        let default = variable
            .default
            .as_deref()
            .filter(|text| text.contains("://"));
        let stated = default
            .and_then(|text| text.split_once("://"))
            .map(|(scheme, _)| scheme);
        // Redis numbers its databases; projects keep queue and results apart by them.
        let number = default
            .and_then(|text| text.rsplit_once('/'))
            .map(|(_, number)| number)
            .filter(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
            .unwrap_or("0");
        let scheme = |usual: &'static str| stated.or(scheme).unwrap_or(usual).to_owned();
        return Some(match kind {
            NeedKind::Postgres => format!(
                "{}://{USER}:{secret}@{host}:{port}/{USER}",
                scheme("postgresql")
            ),
            NeedKind::Mysql => {
                format!("{}://{USER}:{secret}@{host}:{port}/{USER}", scheme("mysql"))
            }
            NeedKind::Redis => format!("redis://{host}:{port}/{number}"),
            NeedKind::Rabbitmq => format!("{}://{USER}:{secret}@{host}:{port}//", scheme("amqp")),
            NeedKind::Mongodb => {
                format!("mongodb://{USER}:{secret}@{host}:{port}/{USER}?authSource=admin")
            }
            NeedKind::Influxdb | NeedKind::Elasticsearch | NeedKind::Qdrant => {
                format!("http://{host}:{port}")
            }
            NeedKind::Neo4j => format!("bolt://{host}:{port}"),
            NeedKind::Clickhouse => match stated {
                Some(scheme) if scheme.starts_with("clickhouse") || scheme == "tcp" => {
                    format!("{scheme}://{USER}:{secret}@{host}:{port}/{USER}")
                }
                _ => format!("http://{host}:{port}"),
            },
            NeedKind::Chroma | NeedKind::Milvus | NeedKind::Weaviate | NeedKind::Minio => {
                format!("http://{host}:{port}")
            }
            NeedKind::Surrealdb => {
                let path = default.map_or("/rpc", |text| match text.contains("/rpc") {
                    true => "/rpc",
                    false => "",
                });
                format!("{}://{host}:{port}{path}", stated.unwrap_or("ws"))
            }
            NeedKind::Nats => format!("nats://{host}:{port}"),
            NeedKind::Kafka | NeedKind::Temporal | NeedKind::Memcached => format!("{host}:{port}"),
        });
    }
    Some(match last {
        "HOST" | "HOSTNAME" | "SERVER" | "PGHOST" => host.to_owned(),
        "SERVERS" | "ADDRESS" | "ADDR" => format!("{host}:{port}"),
        "PORT" if variable.kind == VariableKind::Host => format!("{host}:{port}"),
        "PORT" | "PGPORT" => port.to_string(),
        "USER" | "USERNAME" | "PGUSER" => USER.to_owned(),
        "PASSWORD" | "PASS" | "PGPASSWORD" | "TOKEN" => password?.to_owned(),
        "DB" | "NAME" | "DATABASE" | "PGDATABASE" | "ORG" | "BUCKET" if kind != NeedKind::Redis => {
            USER.to_owned()
        }
        _ => return None,
    })
}
