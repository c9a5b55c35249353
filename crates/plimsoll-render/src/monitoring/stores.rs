//! Where logs and traces are kept, and for how long.

use serde_json::{Value, json};

/// Loki: one process, files on a volume, a month.
pub(super) fn loki() -> Value {
    json!({
        "auth_enabled": false,
        "server": { "http_listen_port": 3100, "log_level": "warn" },
        "common": {
            "path_prefix": "/loki",
            "replication_factor": 1,
            "ring": { "kvstore": { "store": "inmemory" } },
            "storage": {
                "filesystem": {
                    "chunks_directory": "/loki/chunks",
                    "rules_directory": "/loki/rules",
                },
            },
        },
        "schema_config": {
            "configs": [{
                "from": "2024-01-01",
                "store": "tsdb",
                "object_store": "filesystem",
                "schema": "v13",
                "index": { "prefix": "index_", "period": "24h" },
            }],
        },
        "limits_config": {
            "retention_period": "720h",
            "allow_structured_metadata": true,
            "reject_old_samples": true,
            "reject_old_samples_max_age": "168h",
        },
        "compactor": {
            "working_directory": "/loki/compactor",
            "retention_enabled": true,
            "delete_request_store": "filesystem",
        },
        "analytics": { "reporting_enabled": false },
    })
}

/// Tempo: one process, files on a volume, two weeks.
pub(super) fn tempo() -> Value {
    json!({
        "server": { "http_listen_port": 3200, "log_level": "warn" },
        "distributor": {
            "receivers": { "otlp": { "protocols": { "grpc": { "endpoint": "0.0.0.0:4317" } } } },
        },
        "storage": {
            "trace": {
                "backend": "local",
                "local": { "path": "/var/tempo/blocks" },
                "wal": { "path": "/var/tempo/wal" },
            },
        },
        "compactor": { "compaction": { "block_retention": "336h" } },
        "usage_report": { "reporting_enabled": false },
    })
}
