//! The OpenTelemetry Collector: takes logs, metrics and traces in, takes personal data and secrets
//! out, and hands them on.

use serde_json::{Value, json};

use super::{Watched, parts};

/// Patterns of what must not be kept: addresses of mail, cards, keys, tokens, account numbers.
const BLOCKED: &[&str] = &[
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"\b(?:\d[ -]?){13,16}\b",
    r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
    r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
    r"(?i)bearer\s+[A-Za-z0-9._~+/-]+=*",
    r"\b(?:sk|pk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{16,}",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\+\d{1,3}[ -]?\d{2,4}[ -]?\d{3,4}[ -]?\d{3,4}",
];

/// The configuration.
pub(super) fn configuration(watched: &Watched<'_>) -> Value {
    let bodies: Vec<String> = BLOCKED
        .iter()
        .map(|pattern| {
            let quoted = pattern.replace('\\', "\\\\");
            format!(
                "replace_pattern(log.body, \"{quoted}\", \"<redacted>\") where IsString(log.body)"
            )
        })
        .collect();
    let pipeline = |receivers: &[&str], processors: &[&str], exporters: &[&str]| json!({ "receivers": receivers, "processors": processors, "exporters": exporters });
    json!({
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": { "endpoint": "0.0.0.0:4317" },
                    "http": { "endpoint": "0.0.0.0:4318" },
                },
            },
            "filelog": {
                "include": ["/var/lib/docker/containers/*/*-json.log"],
                "include_file_path": true,
                "start_at": "end",
                "operators": [{ "type": "container", "format": "docker", "add_metadata_from_filepath": false }],
            },
        },
        "processors": {
            "memory_limiter": { "check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20 },
            "resource": {
                "attributes": [
                    { "key": "service.namespace", "value": watched.input.project.name, "action": "insert" },
                ],
            },
            "redaction": {
                "allow_all_keys": true,
                "blocked_values": BLOCKED,
                "blocked_key_patterns": [".*(password|secret|token|api_key|authorization|cookie).*"],
                "summary": "silent",
            },
            "transform": {
                "error_mode": "ignore",
                "log_statements": bodies,
            },
            // What was said to a model and what it answered is not kept unless somebody decides so.
            "attributes/conversations": {
                "actions": [
                    { "key": "gen_ai.input.messages", "action": "delete" },
                    { "key": "gen_ai.output.messages", "action": "delete" },
                    { "key": "gen_ai.system_instructions", "action": "delete" },
                    { "key": "gen_ai.prompt", "action": "delete" },
                    { "key": "gen_ai.completion", "action": "delete" },
                ],
            },
            "batch": { "timeout": "5s", "send_batch_size": 1024 },
        },
        "exporters": {
            "otlphttp/loki": { "endpoint": "http://loki:3100/otlp" },
            "otlp/tempo": { "endpoint": "tempo:4317", "tls": { "insecure": true } },
            "prometheus": {
                "endpoint": format!("0.0.0.0:{}", parts::RECEIVED_METRICS),
                "resource_to_telemetry_conversion": { "enabled": true },
            },
        },
        "extensions": { "health_check": { "endpoint": "0.0.0.0:13133" } },
        "service": {
            "extensions": ["health_check"],
            "telemetry": {
                "metrics": {
                    "readers": [{
                        "pull": { "exporter": { "prometheus": { "host": "0.0.0.0", "port": 8888 } } },
                    }],
                },
            },
            "pipelines": {
                "logs": pipeline(
                    &["otlp", "filelog"],
                    &["memory_limiter", "resource", "transform", "redaction", "attributes/conversations", "batch"],
                    &["otlphttp/loki"],
                ),
                "traces": pipeline(
                    &["otlp"],
                    &["memory_limiter", "resource", "redaction", "attributes/conversations", "batch"],
                    &["otlp/tempo"],
                ),
                "metrics": pipeline(&["otlp"], &["memory_limiter", "resource", "batch"], &["prometheus"]),
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's expressions know no look-around and no back-reference.
    #[test]
    fn patterns_are_of_the_kind_that_go_reads() {
        for pattern in BLOCKED {
            for unknown in ["(?=", "(?!", "(?<", "\\1"] {
                assert!(!pattern.contains(unknown), "{pattern}");
            }
        }
    }
}
