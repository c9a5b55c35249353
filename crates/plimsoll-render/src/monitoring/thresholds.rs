//! Bounds past which somebody is told: in one rendered file, as series that alerts compare with and
//! dashboards draw.

use std::time::Duration;

use plimsoll_model::extension::Objectives;
use serde_json::{Value, json};

use super::Watched;
use crate::{Input, Workload};

/// The series; its label `name` says which bound.
pub(super) const SERIES: &str = "plimsoll_threshold";

/// The series of what services promise; its labels are `name` and `service`.
pub(super) const OBJECTIVE: &str = "plimsoll_objective";

/// The bounds of a project.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) gpu_temperature: f64,
    pub(crate) gpu_utilization: f64,
    pub(crate) gpu_memory: f64,
    pub(crate) memory: f64,
    pub(crate) throttling: f64,
    pub(crate) certificate: Duration,
    pub(crate) backup: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Bounds {
    /// What the project says, and what is usual where it says nothing.
    pub(crate) fn of(input: &Input<'_>) -> Self {
        let said = input
            .extensions
            .project
            .thresholds
            .as_ref()
            .map(|said| said.value.clone())
            .unwrap_or_default();
        Self {
            gpu_temperature: said.gpu_temperature.unwrap_or(80.0),
            gpu_utilization: said.gpu_utilization.unwrap_or(95.0),
            gpu_memory: said.gpu_memory.unwrap_or(90.0),
            memory: said.memory.unwrap_or(90.0),
            throttling: said.throttling.unwrap_or(25.0),
            certificate: said.certificate.unwrap_or(14 * DAY),
            // A day, and time for a backup to take.
            backup: said.backup.unwrap_or(DAY + DAY / 12),
        }
    }
}

/// What a service promises: its own word, the project's, or what is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Promise {
    /// Share of requests that succeed, from 0 to 1.
    pub(super) availability: f64,
    /// Time in which 95 % of requests are answered.
    pub(super) p95: Duration,
}

impl Promise {
    pub(super) fn of(input: &Input<'_>, one: &Workload<'_>) -> Self {
        let own = one.extension.and_then(|extension| extension.slo.as_ref());
        let all = input.extensions.project.slo.as_ref();
        let said = |read: fn(&Objectives) -> Option<f64>| {
            own.and_then(|slo| read(&slo.value))
                .or_else(|| all.and_then(|slo| read(&slo.value)))
        };
        Self {
            availability: said(|slo| slo.availability).unwrap_or(99.9) / 100.0,
            p95: said(|slo| slo.p95.map(|time| time.as_secs_f64()))
                .map_or(Duration::from_secs(1), Duration::from_secs_f64),
        }
    }
}

/// An expression for a bound, to compare many series with.
pub(super) fn bound(name: &str) -> String {
    format!("on () group_left () {SERIES}{{name=\"{name}\"}}")
}

/// The rules that make bounds and promises series.
pub(super) fn rules(watched: &Watched<'_>) -> Value {
    let bounds = watched.thresholds;
    let mut all = vec![
        ("memory", bounds.memory / 100.0),
        ("throttling", bounds.throttling / 100.0),
        ("certificate_seconds", bounds.certificate.as_secs_f64()),
        ("backup_seconds", bounds.backup.as_secs_f64()),
    ];
    if watched.gpu {
        all.push(("gpu_temperature", bounds.gpu_temperature));
        all.push(("gpu_utilization", bounds.gpu_utilization));
        all.push(("gpu_memory", bounds.gpu_memory / 100.0));
    }
    let mut rules: Vec<Value> = all
        .into_iter()
        .map(|(name, value)| {
            json!({
                "record": SERIES,
                "expr": format!("vector({value})"),
                "labels": { "name": name },
            })
        })
        .collect();
    for one in watched.answering() {
        let promise = Promise::of(watched.input, one);
        rules.push(json!({
            "record": OBJECTIVE,
            "expr": format!("vector({})", rounded(promise.availability)),
            "labels": { "name": "availability", "service": one.name() },
        }));
    }
    json!({ "groups": [{ "name": "thresholds", "rules": rules }] })
}

/// Without the last digits that a division leaves.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}
