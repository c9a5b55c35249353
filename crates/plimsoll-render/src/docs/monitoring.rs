//! What watches the project, where to look, and what is kept for how long.

use super::guide::{Guide, fence};
use super::row;
use crate::monitoring::{Watched, alertmanager};

/// The page; `None` where nothing is watched.
pub(super) fn page(guide: &Guide<'_>) -> Option<String> {
    if !guide.compose.contains("compose.monitoring.yaml") {
        return None;
    }
    let mut page = format!(
        "# Monitoring\n\nThe configuration is in `monitoring/` (`plimsoll render monitoring`); `compose.monitoring.yaml` runs it beside the stack:\n\n{}",
        fence(&[
            "echo \"GRAFANA_ADMIN_PASSWORD=$(openssl rand -hex 16)\" >> .env".to_owned(),
            format!(
                "{} --profile monitoring up --detach",
                guide.command(&["prod", "monitoring"])
            ),
        ])
    );
    page.push_str("\nAll of it is on the host's loopback: reach it through `ssh -L 3000:127.0.0.1:3000 HOST`.\n\n");
    page.push_str(&row(&["to see", "look at"]));
    page.push_str("|---|---|\n");
    for (what, place) in [
        (
            "dashboards",
            "Grafana, <http://127.0.0.1:3000>: services, containers, stores, logs, and more where the project has more",
        ),
        ("metrics and rules", "Prometheus, <http://127.0.0.1:9090>"),
        ("who was told what", "Alertmanager, <http://127.0.0.1:9093>"),
        (
            "one request through all services",
            "Grafana, Explore, Tempo",
        ),
        ("what services wrote", "Grafana, Explore, Loki"),
    ] {
        page.push_str(&row(&[what, place]));
    }
    page.push_str(&format!(
        "\n## Thresholds\n\nEvery bound is in one place, `x-plimsoll.thresholds` of the Compose file, and is rendered into \
         `monitoring/prometheus/rules/thresholds.yml`: alerts compare with it, dashboards draw it.\n\n{}",
        bounds(guide)
    ));
    page.push_str(
        "\n## Alerts\n\nEach has a page in [runbooks](runbooks/): what users see, where to look, what helps. Their rules have tests:\n\n",
    );
    page.push_str(&fence(&[
        "promtool test rules monitoring/prometheus/tests/*.yml",
    ]));
    page.push_str(&format!(
        "\nAlertmanager tells whom the files of `monitoring/{}` name: each holds one address that takes its webhook. `watchdog` is called \
         every minute as long as all is well: give it a check of UptimeRobot, Healthchecks or the like, which tells you when the calls \
         end, so that a host that is gone is noticed as well.\n\n{}",
        alertmanager::DIRECTORY,
        fence(&alertmanager::RECEIVERS.map(|name| {
            format!(
                "echo https://hooks.example.com/{name} > monitoring/{}/{name}",
                alertmanager::DIRECTORY
            )
        }))
    ));
    page.push_str(
        "\n## Logs\n\nServices write to standard output; Docker rotates the files (five of 10 MB for each container), the collector reads \
         them, and Loki keeps them for 30 days (`retention_period` in `monitoring/loki/config.yaml`). The collector takes personal data \
         out before anything is kept: addresses of mail, numbers of cards, accounts and phones, keys and tokens, and what people and \
         models said to one another (`monitoring/otel-collector/config.yaml`). A search for errors of one service:\n\n```\n{service_name=\"SERVICE\"} |= \"error\"\n```\n",
    );
    page.push_str(
        "\n## Traces\n\nServices built from source find the collector by `OTEL_EXPORTER_OTLP_ENDPOINT`; code that has OpenTelemetry sends \
         its spans there, and Tempo keeps them for 14 days. Metrics are kept for 15 days.\n",
    );
    Some(page)
}

fn bounds(guide: &Guide<'_>) -> String {
    let watched = Watched::of(guide.input);
    let bounds = watched.thresholds;
    let mut table = row(&["threshold", "told at"]);
    table.push_str("|---|---|\n");
    let mut add = |name: &str, value: String| table.push_str(&row(&[&format!("`{name}`"), &value]));
    if watched.gpu {
        add("gpu_temperature", format!("{} °C", bounds.gpu_temperature));
        add("gpu_utilization", format!("{} %", bounds.gpu_utilization));
        add("gpu_memory", format!("{} %", bounds.gpu_memory));
    }
    add("memory", format!("{} % of the limit", bounds.memory));
    add("throttling", format!("{} % of the time", bounds.throttling));
    add(
        "certificate",
        format!(
            "{} days before it ends",
            bounds.certificate.as_secs() / 86_400
        ),
    );
    add(
        "backup",
        format!("older than {} hours", bounds.backup.as_secs() / 3_600),
    );
    table
}
