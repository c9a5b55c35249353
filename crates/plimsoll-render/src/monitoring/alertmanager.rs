//! Who is told of what: grouped by project and service, warnings silent under a critical alert.

use serde_json::{Value, json};

/// Those who are told.
pub(crate) const RECEIVERS: [&str; 3] = ["critical", "warning", "watchdog"];

/// The directory with the address of each of them, which stays out of the repository.
pub(crate) const DIRECTORY: &str = "alertmanager/urls";

/// The configuration. Addresses of people are secrets: they come from files.
pub(super) fn configuration() -> Value {
    let receiver = |name: &'static str| {
        json!({
            "name": name,
            "webhook_configs": [{
                "url_file": format!("/etc/{DIRECTORY}/{name}"),
                "send_resolved": name != "watchdog",
            }],
        })
    };
    json!({
        "global": { "resolve_timeout": "5m" },
        "route": {
            "receiver": "warning",
            "group_by": ["project", "service", "alertname"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [
                {
                    "matchers": ["alertname = Watchdog"],
                    "receiver": "watchdog",
                    "group_wait": "0s",
                    "group_interval": "1m",
                    "repeat_interval": "1m",
                },
                {
                    "matchers": ["severity = critical"],
                    "receiver": "critical",
                    "group_wait": "10s",
                    "repeat_interval": "1h",
                },
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": ["severity = critical"],
                "target_matchers": ["severity = warning"],
                "equal": ["project", "service", "alertname"],
            },
            {
                // A service that is gone fails and is slow; one message says it.
                "source_matchers": ["alertname = ServiceDown"],
                "target_matchers": ["alertname =~ \"HighErrorRatio|LatencyBudgetBurn\""],
                "equal": ["project", "service"],
            },
        ],
        "receivers": RECEIVERS.map(receiver),
    })
}
