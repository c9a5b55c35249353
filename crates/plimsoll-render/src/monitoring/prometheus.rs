//! What Prometheus reads, and how often.

use serde_json::{Value, json};

use super::Watched;
use super::parts::{self, Duty, Part};
use crate::{ProbeTest, Workload};

/// The configuration.
pub(super) fn configuration(watched: &Watched<'_>) -> Value {
    let parts = parts::parts(watched);
    let mut jobs = Vec::new();
    for one in &watched.services {
        if let Some(route) = &one.metrics {
            jobs.push(service(one.name(), one.name(), route.port, &route.path));
        } else if let Some((port, path)) = one
            .store
            .and_then(|store| store.kind)
            .and_then(parts::own_metrics)
        {
            jobs.push(service(one.name(), one.name(), port, path));
        }
    }
    jobs.extend(parts.iter().map(|part| of_part(watched, part)));
    jobs.push(received());
    jobs.extend(probes(watched));
    json!({
        "global": {
            "scrape_interval": "15s",
            "scrape_timeout": "10s",
            "evaluation_interval": "15s",
            "external_labels": { "project": watched.input.project.name },
        },
        "rule_files": ["rules/*.yml"],
        "alerting": {
            "alertmanagers": [{ "static_configs": [{ "targets": ["alertmanager:9093"] }] }],
        },
        "scrape_configs": jobs,
    })
}

/// All containers of a service: its name resolves to each of them.
fn service(job: &str, service: &str, port: u16, path: &str) -> Value {
    json!({
        "job_name": job,
        "metrics_path": path,
        "dns_sd_configs": [{
            "names": [service],
            "type": "A",
            "port": port,
            "refresh_interval": "15s",
        }],
        "relabel_configs": [{ "target_label": "service", "replacement": service }],
    })
}

fn of_part(watched: &Watched<'_>, part: &Part) -> Value {
    let mut job = json!({
        "job_name": part.name,
        "static_configs": [{ "targets": [format!("{}:{}", part.name, part.port)] }],
    });
    match &part.duty {
        Duty::Store { of, .. } => {
            job["static_configs"][0]["labels"] = json!({ "service": of });
        }
        Duty::Containers => {
            // Series of other projects' containers, and of the machine's own groups, are left out.
            job["metric_relabel_configs"] = json!([
                {
                    "source_labels": ["container_label_com_docker_compose_project"],
                    "regex": watched.input.project.name,
                    "action": "keep",
                },
                {
                    "source_labels": ["container_label_com_docker_compose_service"],
                    "target_label": "service",
                },
                { "regex": "container_label_.*|id", "action": "labeldrop" },
            ]);
        }
        _ => {}
    }
    job
}

/// Metrics that services push to the collector.
fn received() -> Value {
    json!({
        "job_name": "otlp",
        "honor_labels": true,
        "static_configs": [{
            "targets": [format!("otel-collector:{}", parts::RECEIVED_METRICS)],
        }],
        "metric_relabel_configs": [
            { "source_labels": ["service_name"], "regex": "(.+)", "target_label": "service" },
        ],
    })
}

/// What is asked from outside: health checks over HTTP, ports of the others, certificates.
fn probes(watched: &Watched<'_>) -> Vec<Value> {
    let mut http = Vec::new();
    let mut tcp = Vec::new();
    let mut certificates = Vec::new();
    for one in &watched.services {
        match (one.probe.as_ref().map(|probe| &probe.test), listens(one)) {
            (Some(ProbeTest::Http { port, path }), _) => {
                http.push(target(one, &format!("http://{}:{port}{path}", one.name())))
            }
            (_, Some(port)) => tcp.push(target(one, &format!("{}:{port}", one.name()))),
            (_, None) => {}
        }
        let route = one
            .extension
            .and_then(|extension| extension.route.as_ref())
            .map(|route| &route.value);
        for host in route
            .filter(|route| route.tls != Some(false))
            .map_or(&[][..], |route| &route.hosts)
        {
            certificates.push(target(one, &format!("https://{host}")));
        }
    }
    [
        ("health", "http_2xx", http),
        ("ports", "tcp_connect", tcp),
        ("certificates", "http_2xx", certificates),
    ]
    .into_iter()
    .filter(|(_, _, targets)| !targets.is_empty())
    .map(|(job, module, targets)| {
        json!({
            "job_name": job,
            "metrics_path": "/probe",
            "params": { "module": [module] },
            "static_configs": targets,
            "relabel_configs": [
                { "source_labels": ["__address__"], "target_label": "__param_target" },
                { "source_labels": ["__param_target"], "target_label": "instance" },
                { "target_label": "__address__", "replacement": "blackbox-exporter:9115" },
            ],
        })
    })
    .collect()
}

fn listens(one: &Workload<'_>) -> Option<u16> {
    one.main()
        .filter(|main| main.protocol == plimsoll_model::Protocol::Tcp)
        .map(|main| main.port)
}

fn target(one: &Workload<'_>, address: &str) -> Value {
    json!({ "targets": [address], "labels": { "service": one.name() } })
}
