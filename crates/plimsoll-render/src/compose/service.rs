//! Parts of services that the base and the overlays write alike.

use std::time::Duration;

use plimsoll_model::facts::NeedKind;
use plimsoll_model::{Dependency, DependencyCondition, Mount, MountKind, Port, Protocol, Restart};
use serde_json::{Value, json};

use super::document::{literal, literals};
use crate::Workload;

/// A duration as Compose writes it.
pub(super) fn duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

/// The health check that the image can run.
pub(super) fn healthcheck(one: &Workload<'_>) -> Option<Value> {
    let words = crate::health::command(one)?;
    let probe = one.probe.as_ref()?;
    let mut test = vec!["CMD".to_owned()];
    test.extend(literals(&words));
    let mut check = json!({
        "test": test,
        "interval": duration(probe.interval),
        "timeout": duration(probe.timeout),
        "retries": probe.retries,
    });
    if !probe.start_period.is_zero() {
        check["start_period"] = json!(duration(probe.start_period));
    }
    Some(check)
}

/// What must be there first. Who shows no health is only waited for until it has started.
pub(super) fn dependency(dependency: Dependency, on: Option<&Workload<'_>>) -> Value {
    let shows_health = on.is_some_and(|on| crate::health::command(on).is_some());
    let condition = match dependency.condition {
        DependencyCondition::ServiceHealthy if shows_health => "service_healthy",
        DependencyCondition::ServiceHealthy | DependencyCondition::ServiceStarted => {
            "service_started"
        }
        DependencyCondition::ServiceCompletedSuccessfully => "service_completed_successfully",
    };
    let mut value = json!({ "condition": condition });
    if dependency.restart {
        value["restart"] = json!(true);
    }
    if !dependency.required {
        value["required"] = json!(false);
    }
    value
}

/// A restart policy's word; `None` for the default.
pub(super) fn restart(restart: &Restart) -> Option<String> {
    Some(match restart {
        Restart::No => return None,
        Restart::Always => "always".to_owned(),
        Restart::UnlessStopped => "unless-stopped".to_owned(),
        Restart::OnFailure { max_attempts: None } => "on-failure".to_owned(),
        Restart::OnFailure {
            max_attempts: Some(most),
        } => format!("on-failure:{most}"),
    })
}

/// A published port; `variable` may choose another one on the host.
pub(super) fn port(port: &Port) -> String {
    let mut text = String::new();
    if let Some(address) = port.host_ip {
        match address.is_ipv6() {
            true => text.push_str(&format!("[{address}]:")),
            false => text.push_str(&format!("{address}:")),
        }
    }
    if let Some(published) = port.published {
        text.push_str(&format!("{published}:"));
    }
    text.push_str(&port.target.to_string());
    if port.protocol == Protocol::Udp {
        text.push_str("/udp");
    }
    text
}

/// A mount.
pub(super) fn mount(mount: &Mount, directory: &std::path::Path) -> Option<Value> {
    let target = mount.target.display().to_string();
    let mut value = match &mount.kind {
        MountKind::Volume { name, subpath, .. } => {
            let mut value = json!({ "type": "volume", "target": target });
            if let Some(name) = name {
                value["source"] = json!(name);
            }
            if let Some(subpath) = subpath {
                value["volume"] = json!({ "subpath": subpath });
            }
            value
        }
        MountKind::Bind { source, .. } => {
            let source = match source.strip_prefix(directory) {
                Ok(below) => format!("./{}", below.display()),
                Err(_) => source.display().to_string(),
            };
            json!({ "type": "bind", "source": literal(&source), "target": target })
        }
        MountKind::Tmpfs { .. } => json!({ "type": "tmpfs", "target": target }),
        MountKind::Image { .. } => return None,
    };
    if mount.read_only {
        value["read_only"] = json!(true);
    }
    Some(value)
}

/// Variables of well-known images that can be given as files: the name, and the name of the file's.
pub(super) fn file_variable(kind: Option<NeedKind>, name: &str) -> Option<String> {
    let takes_files = match kind? {
        NeedKind::Postgres => matches!(name, "POSTGRES_PASSWORD"),
        NeedKind::Mysql => matches!(
            name,
            "MYSQL_PASSWORD" | "MYSQL_ROOT_PASSWORD" | "MARIADB_PASSWORD" | "MARIADB_ROOT_PASSWORD"
        ),
        NeedKind::Mongodb => name == "MONGO_INITDB_ROOT_PASSWORD",
        NeedKind::Influxdb => matches!(
            name,
            "DOCKER_INFLUXDB_INIT_PASSWORD" | "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"
        ),
        NeedKind::Elasticsearch => name == "ELASTIC_PASSWORD",
        NeedKind::Minio => matches!(name, "MINIO_ROOT_USER" | "MINIO_ROOT_PASSWORD"),
        NeedKind::Redis
        | NeedKind::Rabbitmq
        | NeedKind::Qdrant
        | NeedKind::Kafka
        | NeedKind::Neo4j
        | NeedKind::Clickhouse
        | NeedKind::Chroma
        | NeedKind::Temporal
        | NeedKind::Surrealdb
        | NeedKind::Milvus
        | NeedKind::Weaviate
        | NeedKind::Nats
        | NeedKind::Memcached => false,
    };
    takes_files.then(|| format!("{name}_FILE"))
}

/// `POSTGRES_PASSWORD` → `postgres-password`.
pub(super) fn secret_name(variable: &str) -> String {
    variable.to_ascii_lowercase().replace('_', "-")
}
