//! What Grafana finds when it starts: data sources, and where its dashboards are.

use serde_json::{Value, json};

use super::Watched;

/// The data sources; from a log line to its trace, and from a trace to its logs.
pub(super) fn datasources() -> Value {
    json!({
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": "prometheus",
                "type": "prometheus",
                "access": "proxy",
                "url": "http://prometheus:9090",
                "isDefault": true,
                "editable": false,
                "jsonData": { "timeInterval": "15s" },
            },
            {
                "name": "Loki",
                "uid": "loki",
                "type": "loki",
                "access": "proxy",
                "url": "http://loki:3100",
                "editable": false,
                "jsonData": {
                    "derivedFields": [{
                        "name": "trace",
                        "matcherType": "label",
                        "matcherRegex": "trace_id",
                        "url": "$${__value.raw}",
                        "datasourceUid": "tempo",
                    }],
                },
            },
            {
                "name": "Tempo",
                "uid": "tempo",
                "type": "tempo",
                "access": "proxy",
                "url": "http://tempo:3200",
                "editable": false,
                "jsonData": {
                    "tracesToLogsV2": {
                        "datasourceUid": "loki",
                        "filterByTraceID": true,
                        "tags": [{ "key": "service.name", "value": "service_name" }],
                    },
                },
            },
        ],
    })
}

/// Where the dashboards are.
pub(super) fn providers(watched: &Watched<'_>) -> Value {
    json!({
        "apiVersion": 1,
        "providers": [{
            "name": watched.input.project.name,
            "folder": watched.input.project.name,
            "type": "file",
            "disableDeletion": true,
            "allowUiUpdates": false,
            "options": { "path": "/var/lib/grafana/dashboards" },
        }],
    })
}
