//! Libraries that lead to a database, a queue and the like: by module, by crate, by the name of a client.

use crate::detection::NeedKind;

/// What a driver leads to: first parts of a module's dotted name.
#[rustfmt::skip]
const DRIVERS: &[(&str, NeedKind)] = &[
    ("psycopg", NeedKind::Postgres),
    ("psycopg2", NeedKind::Postgres),
    ("psycopg_pool", NeedKind::Postgres),
    ("asyncpg", NeedKind::Postgres),
    ("aiopg", NeedKind::Postgres),
    ("pg8000", NeedKind::Postgres),
    ("pgvector", NeedKind::Postgres),
    ("langchain_postgres", NeedKind::Postgres),
    ("langgraph.checkpoint.postgres", NeedKind::Postgres),
    ("pymysql", NeedKind::Mysql),
    ("MySQLdb", NeedKind::Mysql),
    ("aiomysql", NeedKind::Mysql),
    ("asyncmy", NeedKind::Mysql),
    ("mysql.connector", NeedKind::Mysql),
    ("redis", NeedKind::Redis),
    ("aioredis", NeedKind::Redis),
    ("rq", NeedKind::Redis),
    ("arq", NeedKind::Redis),
    ("taskiq_redis", NeedKind::Redis),
    ("langgraph.checkpoint.redis", NeedKind::Redis),
    ("fastapi_limiter", NeedKind::Redis),
    ("langchain_redis", NeedKind::Redis),
    ("redisvl", NeedKind::Redis),
    ("llama_index.vector_stores.redis", NeedKind::Redis),
    ("llama_index.vector_stores.postgres", NeedKind::Postgres),
    ("llama_index.vector_stores.qdrant", NeedKind::Qdrant),
    ("langchain_mongodb", NeedKind::Mongodb),
    ("langchain_elasticsearch", NeedKind::Elasticsearch),
    ("pika", NeedKind::Rabbitmq),
    ("aio_pika", NeedKind::Rabbitmq),
    ("aioamqp", NeedKind::Rabbitmq),
    ("pymongo", NeedKind::Mongodb),
    ("motor", NeedKind::Mongodb),
    ("beanie", NeedKind::Mongodb),
    ("mongoengine", NeedKind::Mongodb),
    ("influxdb_client", NeedKind::Influxdb),
    ("influxdb", NeedKind::Influxdb),
    ("elasticsearch", NeedKind::Elasticsearch),
    ("opensearchpy", NeedKind::Elasticsearch),
    ("qdrant_client", NeedKind::Qdrant),
    ("langchain_qdrant", NeedKind::Qdrant),
    ("kafka", NeedKind::Kafka),
    ("aiokafka", NeedKind::Kafka),
    ("confluent_kafka", NeedKind::Kafka),
    ("neo4j", NeedKind::Neo4j),
    ("graphiti_core", NeedKind::Neo4j),
    ("langchain_neo4j", NeedKind::Neo4j),
    // Go and Node.
    ("github.com/jackc/pgx", NeedKind::Postgres),
    ("github.com/lib/pq", NeedKind::Postgres),
    ("github.com/redis/go-redis", NeedKind::Redis),
    ("github.com/go-redis/redis", NeedKind::Redis),
    ("github.com/go-sql-driver/mysql", NeedKind::Mysql),
    ("go.mongodb.org/mongo-driver", NeedKind::Mongodb),
    ("github.com/rabbitmq/amqp091-go", NeedKind::Rabbitmq),
    ("github.com/influxdata/influxdb-client-go", NeedKind::Influxdb),
    ("pg", NeedKind::Postgres),
    ("postgres", NeedKind::Postgres),
    ("@mastra/pg", NeedKind::Postgres),
    ("@chat-adapter/state-pg", NeedKind::Postgres),
    ("@neondatabase/serverless", NeedKind::Postgres),
    ("@langchain/langgraph-checkpoint-postgres", NeedKind::Postgres),
    ("connect-pg-simple", NeedKind::Postgres),
    ("pg-boss", NeedKind::Postgres),
    ("graphile-worker", NeedKind::Postgres),
    ("pg-promise", NeedKind::Postgres),
    ("@langchain/langgraph-checkpoint-redis", NeedKind::Redis),
    ("@chat-adapter/state-redis", NeedKind::Redis),
    ("connect-redis", NeedKind::Redis),
    ("bull", NeedKind::Redis),
    ("@langchain/langgraph-checkpoint-mongodb", NeedKind::Mongodb),
    ("@langchain/mongodb", NeedKind::Mongodb),
    ("@mastra/mongodb", NeedKind::Mongodb),
    ("@qdrant/js-client-rest", NeedKind::Qdrant),
    ("@langchain/qdrant", NeedKind::Qdrant),
    ("neo4j-driver", NeedKind::Neo4j),
    ("ioredis", NeedKind::Redis),
    ("bullmq", NeedKind::Redis),
    ("mysql2", NeedKind::Mysql),
    ("mongoose", NeedKind::Mongodb),
    ("mongodb", NeedKind::Mongodb),
    ("amqplib", NeedKind::Rabbitmq),
    ("kafkajs", NeedKind::Kafka),
    ("@influxdata/influxdb-client", NeedKind::Influxdb),
    ("@elastic/elasticsearch", NeedKind::Elasticsearch),
];

/// The need that a module's import shows.
pub(crate) fn of_module(module: &str) -> Option<NeedKind> {
    DRIVERS
        .iter()
        .filter(|(driver, _)| {
            module
                .strip_prefix(driver)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        })
        .max_by_key(|(driver, _)| driver.len())
        .map(|(_, kind)| *kind)
}

/// What crates of Rust lead to: `*` where the crate alone says it, else a feature that does.
#[rustfmt::skip]
const CRATES: &[(&str, &str, NeedKind)] = &[
    ("sqlx", "postgres", NeedKind::Postgres),
    ("sqlx", "mysql", NeedKind::Mysql),
    ("sea-orm", "sqlx-postgres", NeedKind::Postgres),
    ("sea-orm", "sqlx-mysql", NeedKind::Mysql),
    ("diesel", "postgres", NeedKind::Postgres),
    ("diesel", "mysql", NeedKind::Mysql),
    ("diesel-async", "postgres", NeedKind::Postgres),
    ("diesel-async", "mysql", NeedKind::Mysql),
    ("tokio-postgres", "*", NeedKind::Postgres),
    ("postgres", "*", NeedKind::Postgres),
    ("deadpool-postgres", "*", NeedKind::Postgres),
    ("bb8-postgres", "*", NeedKind::Postgres),
    ("pgvector", "*", NeedKind::Postgres),
    ("mysql", "*", NeedKind::Mysql),
    ("mysql_async", "*", NeedKind::Mysql),
    ("redis", "*", NeedKind::Redis),
    ("fred", "*", NeedKind::Redis),
    ("deadpool-redis", "*", NeedKind::Redis),
    ("bb8-redis", "*", NeedKind::Redis),
    ("apalis-redis", "*", NeedKind::Redis),
    ("lapin", "*", NeedKind::Rabbitmq),
    ("amqprs", "*", NeedKind::Rabbitmq),
    ("mongodb", "*", NeedKind::Mongodb),
    ("influxdb", "*", NeedKind::Influxdb),
    ("influxdb2", "*", NeedKind::Influxdb),
    ("elasticsearch", "*", NeedKind::Elasticsearch),
    ("opensearch", "*", NeedKind::Elasticsearch),
    ("qdrant-client", "*", NeedKind::Qdrant),
    ("rdkafka", "*", NeedKind::Kafka),
    ("kafka", "*", NeedKind::Kafka),
    ("neo4rs", "*", NeedKind::Neo4j),
];

/// The needs that a crate with these features shows.
pub(crate) fn of_crate(name: &str, features: &mut dyn Iterator<Item = &str>) -> Vec<NeedKind> {
    let features: Vec<&str> = features.collect();
    CRATES
        .iter()
        .filter(|(known, feature, _)| {
            *known == name && (*feature == "*" || features.contains(feature))
        })
        .map(|(_, _, kind)| *kind)
        .collect()
}

/// Client libraries of stores that speak the protocol of another one without being it: library, protocol.
const CLIENTS: &[(&str, NeedKind)] = &[
    ("falkordb", NeedKind::Redis),
    ("gqlalchemy", NeedKind::Neo4j),
    ("memgraph", NeedKind::Neo4j),
];

/// Whether a variable that points to something of this protocol is named after another store's client.
pub(super) fn is_of_client(variable: &str, protocol: NeedKind) -> bool {
    let lower = variable.to_ascii_lowercase();
    let mut words = lower.split('_');
    words.any(|word| {
        // `FALKOR_URL` as well: a name may leave out that it is a database.
        CLIENTS.iter().any(|(library, speaks)| {
            *speaks == protocol && (word == *library || Some(word) == library.strip_suffix("db"))
        })
    })
}
