//! Libraries that lead to a database, a queue and the like: by module, by crate, by the name of a client.

use std::collections::HashSet;
use std::sync::LazyLock;

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
    ("clickhouse_connect", NeedKind::Clickhouse),
    ("clickhouse_driver", NeedKind::Clickhouse),
    ("clickhouse_sqlalchemy", NeedKind::Clickhouse),
    ("asynch", NeedKind::Clickhouse),
    ("aiochclient", NeedKind::Clickhouse),
    ("temporalio.client", NeedKind::Temporal),
    ("temporalio.worker", NeedKind::Temporal),
    ("surrealdb", NeedKind::Surrealdb),
    ("pymilvus", NeedKind::Milvus),
    ("langchain_milvus", NeedKind::Milvus),
    ("llama_index.vector_stores.milvus", NeedKind::Milvus),
    ("weaviate", NeedKind::Weaviate),
    ("langchain_weaviate", NeedKind::Weaviate),
    ("llama_index.vector_stores.weaviate", NeedKind::Weaviate),
    ("minio", NeedKind::Minio),
    ("miniopy_async", NeedKind::Minio),
    ("nats", NeedKind::Nats),
    ("faststream.nats", NeedKind::Nats),
    ("faststream.kafka", NeedKind::Kafka),
    ("faststream.rabbit", NeedKind::Rabbitmq),
    ("faststream.redis", NeedKind::Redis),
    ("pymemcache", NeedKind::Memcached),
    ("pylibmc", NeedKind::Memcached),
    ("aiomcache", NeedKind::Memcached),
    ("memcache", NeedKind::Memcached),
    // Go and Node.
    ("gorm.io/driver/postgres", NeedKind::Postgres),
    ("gorm.io/driver/mysql", NeedKind::Mysql),
    ("github.com/uptrace/bun/driver/pgdriver", NeedKind::Postgres),
    ("github.com/hibiken/asynq", NeedKind::Redis),
    ("github.com/gomodule/redigo", NeedKind::Redis),
    ("github.com/redis/rueidis", NeedKind::Redis),
    ("github.com/streadway/amqp", NeedKind::Rabbitmq),
    ("github.com/twmb/franz-go", NeedKind::Kafka),
    ("github.com/ClickHouse/clickhouse-go", NeedKind::Clickhouse),
    ("github.com/ClickHouse/ch-go", NeedKind::Clickhouse),
    ("github.com/amikos-tech/chroma-go", NeedKind::Chroma),
    ("go.temporal.io/sdk/client", NeedKind::Temporal),
    ("github.com/surrealdb/surrealdb.go", NeedKind::Surrealdb),
    ("github.com/milvus-io/milvus-sdk-go", NeedKind::Milvus),
    ("github.com/milvus-io/milvus/client", NeedKind::Milvus),
    ("github.com/weaviate/weaviate-go-client", NeedKind::Weaviate),
    ("github.com/minio/minio-go", NeedKind::Minio),
    ("github.com/nats-io/nats.go", NeedKind::Nats),
    ("github.com/bradfitz/gomemcache", NeedKind::Memcached),
    ("github.com/neo4j/neo4j-go-driver", NeedKind::Neo4j),
    ("github.com/qdrant/go-client", NeedKind::Qdrant),
    ("github.com/elastic/go-elasticsearch", NeedKind::Elasticsearch),
    ("github.com/segmentio/kafka-go", NeedKind::Kafka),
    ("github.com/IBM/sarama", NeedKind::Kafka),
    ("@clickhouse/client", NeedKind::Clickhouse),
    ("@temporalio/client", NeedKind::Temporal),
    ("@temporalio/worker", NeedKind::Temporal),
    ("@zilliz/milvus2-sdk-node", NeedKind::Milvus),
    ("weaviate-client", NeedKind::Weaviate),
    ("weaviate-ts-client", NeedKind::Weaviate),
    ("@langchain/weaviate", NeedKind::Weaviate),
    ("@nats-io/transport-node", NeedKind::Nats),
    ("memjs", NeedKind::Memcached),
    ("memcached", NeedKind::Memcached),
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
    ("mysql", NeedKind::Mysql),
    ("mariadb", NeedKind::Mysql),
    ("@prisma/adapter-pg", NeedKind::Postgres),
    ("@prisma/adapter-mariadb", NeedKind::Mysql),
    ("drizzle-orm/node-postgres", NeedKind::Postgres),
    ("drizzle-orm/postgres-js", NeedKind::Postgres),
    ("drizzle-orm/mysql2", NeedKind::Mysql),
    ("@nestjs/bullmq", NeedKind::Redis),
    ("@nestjs/bull", NeedKind::Redis),
    ("@nestjs/mongoose", NeedKind::Mongodb),
    ("@keyv/redis", NeedKind::Redis),
    ("mongoose", NeedKind::Mongodb),
    ("mongodb", NeedKind::Mongodb),
    ("amqplib", NeedKind::Rabbitmq),
    ("kafkajs", NeedKind::Kafka),
    ("@payloadcms/db-postgres", NeedKind::Postgres),
    ("@payloadcms/db-mongodb", NeedKind::Mongodb),
    ("@influxdata/influxdb-client", NeedKind::Influxdb),
    ("@elastic/elasticsearch", NeedKind::Elasticsearch),
];

/// The need that a module's import shows.
pub(crate) fn of_module(module: &str) -> Option<NeedKind> {
    /// What stands first in their names: most modules have none of them.
    static FIRST: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        DRIVERS
            .iter()
            .filter_map(|(driver, _)| first(driver))
            .collect()
    });
    fn first(name: &str) -> Option<&str> {
        name.split(['.', '/']).next()
    }
    if !first(module).is_some_and(|first| FIRST.contains(first)) {
        return None;
    }
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

/// Packages of Node whose name in Python is that of something that runs inside of the program: they are clients alone.
const NODE_CLIENTS: &[(&str, NeedKind)] = &[
    ("chromadb", NeedKind::Chroma),
    ("chromadb-client", NeedKind::Chroma),
    ("@langchain/community/vectorstores/chroma", NeedKind::Chroma),
];

/// The need that a module's import shows in JavaScript.
pub(crate) fn of_node_module(module: &str) -> Option<NeedKind> {
    let known = NODE_CLIENTS.iter().find(|(name, _)| *name == module);
    known.map(|(_, kind)| *kind).or_else(|| of_module(module))
}

/// Calls that make a client of a server, by libraries of Python that run inside of the program otherwise.
const PYTHON_CLIENTS: &[(&str, NeedKind)] = &[
    ("chromadb.HttpClient", NeedKind::Chroma),
    ("chromadb.AsyncHttpClient", NeedKind::Chroma),
];

/// The need that a call shows, by the full name of what is called.
pub(crate) fn of_python_client(callee: &str) -> Option<NeedKind> {
    let known = PYTHON_CLIENTS.iter().find(|(name, _)| *name == callee);
    known.map(|(_, kind)| *kind)
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
    ("clickhouse", "*", NeedKind::Clickhouse),
    ("klickhouse", "*", NeedKind::Clickhouse),
    ("chromadb", "*", NeedKind::Chroma),
    ("temporalio-client", "*", NeedKind::Temporal),
    ("temporal-client", "*", NeedKind::Temporal),
    ("surrealdb", "*", NeedKind::Surrealdb),
    ("milvus-sdk-rust", "*", NeedKind::Milvus),
    ("weaviate-community", "*", NeedKind::Weaviate),
    ("minio", "*", NeedKind::Minio),
    ("async-nats", "*", NeedKind::Nats),
    ("nats", "*", NeedKind::Nats),
    ("memcache", "*", NeedKind::Memcached),
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
