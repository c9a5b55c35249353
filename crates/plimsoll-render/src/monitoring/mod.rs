//! What watches the running project: metrics, alerts, dashboards, logs and traces.
//!
//! Prometheus reads only endpoints that the source really serves, exporters of known data stores,
//! and probes of health checks; each alert comes with a unit test and a runbook. Bounds stand in one
//! rendered file, `monitoring/prometheus/rules/thresholds.yml`, which alerts and dashboards read.
//! The services that run all this are [`parts`]; the target `compose` writes them.

pub(crate) mod alertmanager;
pub(crate) mod alerts;
mod collector;
mod dashboards;
mod grafana;
mod names;
pub(crate) mod parts;
mod prometheus;
mod recording;
mod rule_tests;
mod runbooks;
mod stores;
mod thresholds;

use std::collections::BTreeSet;

use plimsoll_model::yaml::Node;

use crate::header::header;
use crate::{Fidelity, Input, Loss, Rendering, Workload, json, workloads, yaml};

/// Where the files go.
const ROOT: &str = "monitoring";

/// What is watched.
pub(crate) struct Watched<'a> {
    /// The project.
    pub(crate) input: &'a Input<'a>,
    /// Its services that keep running.
    pub(crate) services: Vec<Workload<'a>>,
    /// Bounds past which somebody is told.
    pub(crate) thresholds: thresholds::Bounds,
    /// Whether a service uses a GPU.
    pub(crate) gpu: bool,
    /// Whether a service asks models.
    pub(crate) models: bool,
}

impl<'a> Watched<'a> {
    /// What there is to watch in a project.
    pub(crate) fn of(input: &'a Input<'a>) -> Self {
        let services: Vec<Workload<'a>> = workloads(input)
            .into_iter()
            .filter(Workload::is_daemon)
            .collect();
        Self {
            thresholds: thresholds::Bounds::of(input),
            gpu: uses_gpu(input),
            models: asks_models(input),
            services,
            input,
        }
    }

    /// Services that answer over HTTP.
    pub(crate) fn answering(&self) -> impl Iterator<Item = &Workload<'a>> {
        self.services
            .iter()
            .filter(|one| one.store.is_none() && one.main().is_some_and(|main| main.http))
    }

    /// Services that keep data.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &Workload<'a>> {
        self.services.iter().filter(|one| one.store.is_some())
    }
}

/// Renders all of it.
pub fn render(input: &Input<'_>) -> Rendering {
    let mut rendering = Rendering::default();
    let watched = Watched::of(input);
    for one in workloads(input) {
        if !one.is_daemon() {
            rendering.losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    format!("services.{}", one.name()),
                    "ends by itself or serves one client: its containers are watched, no endpoint is",
                )
                .at(one.service.span.clone()),
            );
        }
    }
    if watched.services.is_empty() {
        return rendering;
    }
    let mut write = |path: &str, value: &serde_json::Value| {
        let text = format!("{}{}", header(input, "monitoring"), yaml(value));
        rendering.file(format!("{ROOT}/{path}"), text);
    };
    write(
        "prometheus/prometheus.yml",
        &prometheus::configuration(&watched),
    );
    write(
        "prometheus/rules/thresholds.yml",
        &thresholds::rules(&watched),
    );
    write(
        "prometheus/rules/recording.yml",
        &recording::rules(&watched),
    );
    let alerts = alerts::all(&watched);
    write("prometheus/rules/alerts.yml", &alerts::rules(&alerts));
    for (name, tests) in rule_tests::tests(&alerts) {
        write(&format!("prometheus/tests/{name}.yml"), &tests);
    }
    write(
        "alertmanager/alertmanager.yml",
        &alertmanager::configuration(),
    );
    write(
        "otel-collector/config.yaml",
        &collector::configuration(&watched),
    );
    write("loki/config.yaml", &stores::loki());
    write("tempo/config.yaml", &stores::tempo());
    write(
        "grafana/provisioning/datasources/datasources.yaml",
        &grafana::datasources(),
    );
    write(
        "grafana/provisioning/dashboards/dashboards.yaml",
        &grafana::providers(&watched),
    );
    let ignored = format!("{}*\n!.gitignore\n", header(input, "monitoring"));
    rendering.file(
        format!("{ROOT}/{}/.gitignore", alertmanager::DIRECTORY),
        ignored,
    );
    for (path, page) in runbooks::pages(&watched, &alerts) {
        rendering.file(path, page);
    }
    for (name, dashboard) in dashboards::all(&watched) {
        rendering.file(
            format!("{ROOT}/grafana/dashboards/{name}.json"),
            json(&dashboard),
        );
    }
    rendering
}

/// Whether a service asks for a GPU, or reads a variable that chooses one.
fn uses_gpu(input: &Input<'_>) -> bool {
    let asks = input.project.services.keys().any(|name| {
        input.node(name).is_some_and(|node| {
            let reserved = node
                .find(&["deploy", "resources", "reservations", "devices"])
                .is_some();
            reserved || node.get("gpus").is_some()
        })
    });
    asks || names_of_variables(input).iter().any(|name| {
        name.split('_')
            .any(|part| matches!(part, "GPU" | "GPUS" | "CUDA" | "NVIDIA" | "DCGM"))
    })
}

/// Whether a variable names a provider of models, or the project names models.
fn asks_models(input: &Input<'_>) -> bool {
    let said = input
        .model
        .and_then(|model| model.get("models"))
        .is_some_and(|models: &Node| models.as_map().is_some_and(|map| !map.is_empty()));
    said || names_of_variables(input).iter().any(|name| {
        name.split('_').any(|part| {
            matches!(
                part,
                "OPENAI"
                    | "ANTHROPIC"
                    | "LLM"
                    | "MODEL"
                    | "GEMINI"
                    | "MISTRAL"
                    | "OLLAMA"
                    | "HUGGINGFACE"
                    | "GROQ"
                    | "COHERE"
                    | "TOKENS"
                    | "MCP"
                    | "AGENT"
                    | "AGENTS"
            )
        })
    })
}

fn names_of_variables<'a>(input: &Input<'a>) -> BTreeSet<&'a str> {
    let read = input
        .project
        .variables
        .iter()
        .map(|variable| variable.name.as_str());
    let set = input
        .project
        .services
        .values()
        .flat_map(|service| service.environment.keys().map(String::as_str));
    read.chain(set).collect()
}
