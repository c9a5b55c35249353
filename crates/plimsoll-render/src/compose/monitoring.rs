//! `compose.monitoring.yaml`: the services that watch the stack, with the files of the target
//! `monitoring`.

use std::collections::BTreeMap;

use plimsoll_model::facts::NeedKind;
use serde_json::{Map, Value, json};

use super::document::text;
use super::service::{file_variable, secret_name};
use super::stack::{DATABASE, Stack};
use super::variables;
use crate::monitoring::Watched;
use crate::monitoring::parts::{Duty, Part, parts};
use crate::{Rendering, Role, Workload};

/// The service that takes logs and traces.
const COLLECTOR: &str = "otel-collector";

const PROFILE: &str = "monitoring";

/// What they talk over; it leads nowhere else.
const NETWORK: &str = "monitoring";

/// Over which people reach them, and they reach people.
const OPERATORS: &str = "operators";

/// Writes the file.
pub(super) fn write(stack: &Stack<'_>, rendering: &mut Rendering) {
    let watched = Watched::of(stack.input);
    if watched.services.is_empty() {
        return;
    }
    let mut services = Map::new();
    let mut volumes = Map::new();
    let mut secrets = Map::new();
    let mut databases = false;
    for one in &watched.services {
        let mut joins = Map::new();
        let own_metrics = matches!(
            one.store.and_then(|store| store.kind),
            Some(NeedKind::Rabbitmq | NeedKind::Influxdb | NeedKind::Qdrant | NeedKind::Milvus)
        );
        let asked = one.store.is_none() && one.main().is_some_and(|main| main.http);
        let traced = is_traced(one);
        if one.metrics.is_some() || asked || own_metrics || traced {
            joins.insert(NETWORK.to_owned(), Value::Null);
        }
        if one.store.is_some() {
            joins.insert(DATABASE.to_owned(), Value::Null);
            databases = true;
        }
        if one.service.network_mode.is_none() && !joins.is_empty() {
            let mut value = json!({ "networks": joins });
            if traced {
                value["environment"] = json!(tracing(one));
            }
            services.insert(one.name().to_owned(), value);
        }
    }
    for part in parts(&watched) {
        if stack.input.project.services.contains_key(&part.name) {
            continue;
        }
        let value = service(stack, &watched, &part, &mut volumes, &mut secrets);
        services.insert(part.name.clone(), value);
    }
    let mut networks = Map::new();
    networks.insert(NETWORK.to_owned(), json!({ "internal": true }));
    networks.insert(OPERATORS.to_owned(), Value::Null);
    if databases {
        networks.insert(DATABASE.to_owned(), json!({ "internal": true }));
    }
    for name in stack.input.project.networks.keys() {
        networks.remove(name);
    }
    let base = stack.base_file();
    let about = format!(
        "\n    docker compose -f {base} -f compose.prod.yaml -f compose.monitoring.yaml --profile {PROFILE} up --detach\n\n\
         Services send traces to the collector by the variables of OpenTelemetry (OTEL_*).\n\
         Grafana: http://127.0.0.1:3000, user `admin`, password from GRAFANA_ADMIN_PASSWORD.\n\
         Prometheus: http://127.0.0.1:9090. Alertmanager: http://127.0.0.1:9093.\n\
         Their configuration is in `monitoring/` (`plimsoll render monitoring`); where alerts go stands in\n\
         the files of `monitoring/alertmanager/urls`."
    );
    let value = json!({
        "services": services,
        "networks": networks,
        "volumes": volumes,
        "secrets": secrets,
    });
    rendering.file("compose.monitoring.yaml", text(stack.input, &about, value));
}

/// Whether a service may tell of what it does: the project's own code, which runs on.
fn is_traced(one: &Workload<'_>) -> bool {
    one.is_built() && one.is_daemon() && one.role != Role::Ui
}

/// Where OpenTelemetry sends what it measures, in the variables that every SDK of it reads.
fn tracing(one: &Workload<'_>) -> BTreeMap<&'static str, String> {
    let variables = [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://{COLLECTOR}:4318"),
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
        ("OTEL_SERVICE_NAME", one.name().to_owned()),
    ];
    variables
        .into_iter()
        .filter(|(name, _)| !one.service.environment.contains_key(*name))
        .collect()
}

fn service(
    stack: &Stack<'_>,
    watched: &Watched<'_>,
    part: &Part,
    volumes: &mut Map<String, Value>,
    secrets: &mut Map<String, Value>,
) -> Value {
    let mut value = json!({
        "image": part.image,
        "profiles": [PROFILE],
        "networks": [NETWORK],
        "read_only": true,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "deploy": { "resources": { "limits": { "cpus": "0.5", "memory": "256M", "pids": 128 } } },
        "logging": { "driver": "json-file", "options": { "max-size": "10m", "max-file": "3" } },
        "restart": "unless-stopped",
    });
    let mut keep = |name: &str| {
        volumes.insert(name.to_owned(), Value::Null);
    };
    let reached = |value: &mut Value| {
        value["networks"] = json!([NETWORK, OPERATORS]);
        value["ports"] = json!([format!("127.0.0.1:{0}:{0}", part.port)]);
    };
    match &part.duty {
        Duty::Metrics => {
            keep("prometheus-data");
            reached(&mut value);
            value["command"] = json!([
                "--config.file=/etc/prometheus/prometheus.yml",
                "--storage.tsdb.path=/prometheus",
                "--storage.tsdb.retention.time=15d",
                "--web.enable-lifecycle",
            ]);
            value["volumes"] = json!([
                "./monitoring/prometheus:/etc/prometheus:ro",
                "prometheus-data:/prometheus",
            ]);
            value["deploy"]["resources"]["limits"]["memory"] = json!("1G");
        }
        Duty::Alerts => {
            keep("alertmanager-data");
            reached(&mut value);
            value["command"] = json!([
                "--config.file=/etc/alertmanager/alertmanager.yml",
                "--storage.path=/alertmanager",
            ]);
            value["volumes"] = json!([
                "./monitoring/alertmanager:/etc/alertmanager:ro",
                "alertmanager-data:/alertmanager",
            ]);
        }
        Duty::Dashboards => {
            keep("grafana-data");
            reached(&mut value);
            secrets.insert(
                "grafana-admin-password".to_owned(),
                json!({ "environment": "GRAFANA_ADMIN_PASSWORD" }),
            );
            // Docker copies a secret from the environment into the root.
            value["read_only"] = json!(false);
            value["secrets"] = json!(["grafana-admin-password"]);
            value["environment"] = json!({
                "GF_SECURITY_ADMIN_PASSWORD__FILE": "/run/secrets/grafana-admin-password",
                "GF_ANALYTICS_REPORTING_ENABLED": "false",
                "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
                "GF_USERS_ALLOW_SIGN_UP": "false",
            });
            value["volumes"] = json!([
                "./monitoring/grafana/provisioning:/etc/grafana/provisioning:ro",
                "./monitoring/grafana/dashboards:/var/lib/grafana/dashboards:ro",
                "grafana-data:/var/lib/grafana",
            ]);
            value["depends_on"] = json!({ "prometheus": { "condition": "service_started" } });
            value["deploy"]["resources"]["limits"]["memory"] = json!("512M");
        }
        Duty::Collector => {
            value["command"] = json!(["--config=/etc/otelcol/config.yaml"]);
            value["user"] = json!("0:0");
            // Log files of containers are root's alone.
            value["cap_add"] = json!(["DAC_READ_SEARCH"]);
            value["volumes"] = json!([
                "./monitoring/otel-collector/config.yaml:/etc/otelcol/config.yaml:ro",
                "/var/lib/docker/containers:/var/lib/docker/containers:ro",
            ]);
        }
        Duty::Logs => {
            keep("loki-data");
            value["command"] = json!(["-config.file=/etc/loki/config.yaml"]);
            value["volumes"] = json!([
                "./monitoring/loki/config.yaml:/etc/loki/config.yaml:ro",
                "loki-data:/loki",
            ]);
            value["deploy"]["resources"]["limits"]["memory"] = json!("512M");
        }
        Duty::Traces => {
            keep("tempo-data");
            value["command"] = json!(["-config.file=/etc/tempo/config.yaml"]);
            value["volumes"] = json!([
                "./monitoring/tempo/config.yaml:/etc/tempo/config.yaml:ro",
                "tempo-data:/var/tempo",
            ]);
            value["deploy"]["resources"]["limits"]["memory"] = json!("512M");
        }
        Duty::Containers => {
            value["command"] = json!(["--docker_only=true", "--housekeeping_interval=30s"]);
            value["volumes"] = json!([
                "/:/rootfs:ro",
                "/var/run:/var/run:ro",
                "/sys:/sys:ro",
                "/var/lib/docker:/var/lib/docker:ro",
            ]);
        }
        Duty::Machine => {
            value["command"] = json!(["--path.rootfs=/host"]);
            value["pid"] = json!("host");
            value["volumes"] = json!(["/:/host:ro,rslave"]);
        }
        // It knocks at stores, too, where they are.
        Duty::Probes if watched.stores().next().is_some() => {
            value["networks"] = json!([NETWORK, DATABASE]);
        }
        Duty::Probes => {}
        Duty::Gpu => {
            value["cap_add"] = json!(["SYS_ADMIN"]);
            value["deploy"]["resources"]["reservations"] = json!({
                "devices": [{ "driver": "nvidia", "count": "all", "capabilities": ["gpu"] }],
            });
        }
        Duty::Store { of, kind } => {
            value["networks"] = json!([NETWORK, DATABASE]);
            if let Some(store) = watched.stores().find(|one| one.name() == of) {
                exporter(stack, store, *kind, &mut value, secrets);
            }
        }
    }
    value
}

/// How an exporter reaches its store: the address open, the password as a file.
fn exporter(
    stack: &Stack<'_>,
    store: &Workload<'_>,
    kind: NeedKind,
    value: &mut Value,
    secrets: &mut Map<String, Value>,
) {
    let said = |name: &str, otherwise: &str| -> String {
        store
            .service
            .environment
            .get(name)
            .and_then(|value| value.value.clone())
            .unwrap_or_else(|| otherwise.to_owned())
    };
    let host = store.name();
    let mut environment = Map::new();
    match kind {
        NeedKind::Postgres => {
            let user = said("POSTGRES_USER", "postgres");
            let database = said("POSTGRES_DB", &user);
            environment.insert(
                "DATA_SOURCE_URI".to_owned(),
                json!(format!("{host}:5432/{database}?sslmode=disable")),
            );
            environment.insert("DATA_SOURCE_USER".to_owned(), json!(user));
            let name = "POSTGRES_PASSWORD";
            if let Some(password) = store.service.environment.get(name)
                && file_variable(Some(kind), name).is_some()
            {
                let variable =
                    variables::behind(stack.input, password).unwrap_or_else(|| name.to_owned());
                let secret = secret_name(&variable);
                secrets.insert(secret.clone(), json!({ "environment": variable }));
                environment.insert(
                    "DATA_SOURCE_PASS_FILE".to_owned(),
                    json!(format!("/run/secrets/{secret}")),
                );
                value["secrets"] = json!([secret]);
                value["read_only"] = json!(false);
            }
        }
        NeedKind::Redis => {
            environment.insert(
                "REDIS_ADDR".to_owned(),
                json!(format!("redis://{host}:6379")),
            );
        }
        NeedKind::Mysql => {
            value["command"] = json!([
                format!("--mysqld.address={host}:3306"),
                format!("--mysqld.username={}", said("MYSQL_USER", "root")),
            ]);
            environment.insert(
                "MYSQLD_EXPORTER_PASSWORD".to_owned(),
                json!("${MYSQL_PASSWORD:-}"),
            );
        }
        NeedKind::Mongodb => {
            environment.insert(
                "MONGODB_URI".to_owned(),
                json!(format!("mongodb://{host}:27017")),
            );
        }
        NeedKind::Elasticsearch => {
            value["command"] = json!([format!("--es.uri=http://{host}:9200")]);
        }
        NeedKind::Kafka => {
            value["command"] = json!([format!("--kafka.server={host}:9092")]);
        }
        NeedKind::Memcached => {
            value["command"] = json!([format!("--memcached.address={host}:11211")]);
        }
        _ => {}
    }
    value["environment"] = Value::Object(environment);
}
