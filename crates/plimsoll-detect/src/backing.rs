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
    port: u16,
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
            port: 5432,
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
            port: 3306,
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
            port: 6379,
            command: &["redis-server", "--appendonly", "yes"],
            health: &["redis-cli", "ping"],
            environment: &[],
        },
        NeedKind::Rabbitmq => Plan {
            image: "rabbitmq:3",
            data: Some("/var/lib/rabbitmq"),
            port: 5672,
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
            port: 27017,
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
            port: 8086,
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
            port: 9200,
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
            port: 6333,
            command: &[],
            health: &["plimsoll-probe", "http", "http://127.0.0.1:6333/readyz"],
            environment: &[],
        },
        NeedKind::Kafka => Plan {
            image: "apache/kafka:3.8.0",
            data: Some("/var/lib/kafka/data"),
            port: 9092,
            command: &[],
            health: &["plimsoll-probe", "tcp", "127.0.0.1:9092"],
            environment: &[],
        },
        NeedKind::Neo4j => Plan {
            image: "neo4j:5",
            data: Some("/data"),
            port: 7687,
            command: &[],
            health: &["plimsoll-probe", "tcp", "127.0.0.1:7687"],
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
            ports: vec![plan.port],
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

/// The value that leads a variable to a backing service.
pub(crate) fn value(
    variable: &Variable,
    kind: NeedKind,
    password: Option<&str>,
    scheme: Option<&str>,
) -> Option<String> {
    let host = kind.word();
    let port = plan(kind).port;
    let secret = password.unwrap_or_default();
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
        // The code puts the scheme before it: `"redis://" + address`.
        let bare = variable.default.as_deref().is_some_and(|text| {
            !text.contains("://")
                && text
                    .rsplit_once(':')
                    .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        });
        if bare {
            return Some(format!("{host}:{port}"));
        }
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
            NeedKind::Kafka => format!("{host}:{port}"),
            NeedKind::Neo4j => format!("bolt://{host}:{port}"),
        });
    }
    Some(match last {
        "HOST" | "HOSTNAME" | "SERVER" | "PGHOST" => host.to_owned(),
        "SERVERS" => format!("{host}:{port}"),
        "PORT" | "PGPORT" => port.to_string(),
        "USER" | "USERNAME" | "PGUSER" => USER.to_owned(),
        "PASSWORD" | "PASS" | "PGPASSWORD" | "TOKEN" => password?.to_owned(),
        "DB" | "NAME" | "DATABASE" | "PGDATABASE" | "ORG" | "BUCKET" if kind != NeedKind::Redis => {
            USER.to_owned()
        }
        _ => return None,
    })
}
