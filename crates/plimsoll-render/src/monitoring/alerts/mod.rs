//! Alerts: each with what it means, what to do, and cases that a unit test holds it to.
//!
//! The table is read by three: the rules, their tests (`promtool test rules`), and the runbooks among
//! the documents. A new alert is one entry.

mod containers;
mod gpu;
mod models;
mod services;
mod stores;

use serde_json::{Value, json};

use super::Watched;

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Somebody has to act now.
    Critical,
    /// Somebody has to act on a working day.
    Warning,
    /// Nobody has to act: it shows that alerts arrive.
    None,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::None => "none",
        }
    }
}

/// One alert. Several may share a name: they differ in severity and window.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) expr: String,
    /// How long it has to hold: `5m`.
    pub(crate) hold: Option<&'static str>,
    pub(crate) severity: Severity,
    /// Labels besides the severity.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// One line. Labels are said as `{{ $labels.service }}`.
    pub(crate) summary: String,
    /// What is seen; may also say `{{ $value | humanizePercentage }}`.
    pub(crate) description: String,
    pub(crate) runbook: Runbook,
    pub(crate) cases: Vec<Case>,
}

/// What to do about an alert. `SERVICE` in a command stands for the service.
#[derive(Debug, Clone)]
pub(crate) struct Runbook {
    /// What users see.
    pub(crate) impact: &'static str,
    /// What to look at, as commands with what each tells.
    pub(crate) look: &'static [(&'static str, &'static str)],
    /// What helps.
    pub(crate) fix: &'static [&'static str],
}

/// Series, and whether the alert fires on them.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Time between two samples.
    pub(crate) interval: &'static str,
    /// Series and their values, in promtool's notation.
    pub(crate) series: Vec<(String, String)>,
    /// When it is looked at.
    pub(crate) at: &'static str,
    /// What fires then.
    pub(crate) fires: Vec<Fired>,
}

/// A firing alert.
#[derive(Debug, Clone)]
pub(crate) struct Fired {
    /// Labels of the series it fires on, and those by which alerts of one name differ.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// What the value is shown as.
    pub(crate) value: String,
}

impl Alert {
    /// Where its runbook is.
    pub(crate) fn runbook_path(&self) -> String {
        format!("docs/runbooks/{}.md", self.name)
    }
}

/// All alerts of a project.
pub(crate) fn all(watched: &Watched<'_>) -> Vec<Alert> {
    let mut alerts = services::alerts(watched);
    alerts.extend(containers::alerts());
    alerts.extend(stores::alerts(watched));
    if watched.gpu {
        alerts.extend(gpu::alerts());
    }
    if watched.models {
        alerts.extend(models::alerts());
    }
    alerts
}

/// The rules, by group.
pub(super) fn rules(alerts: &[Alert]) -> Value {
    let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
    for alert in alerts {
        let mut labels = json!({ "severity": alert.severity.word() });
        for (name, value) in &alert.labels {
            labels[*name] = json!(value);
        }
        let mut rule = json!({ "alert": alert.name, "expr": alert.expr });
        if let Some(hold) = alert.hold {
            rule["for"] = json!(hold);
        }
        rule["labels"] = labels;
        rule["annotations"] = json!({
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": alert.runbook_path(),
        });
        match groups.iter_mut().find(|(name, _)| *name == alert.group) {
            Some((_, rules)) => rules.push(rule),
            None => groups.push((alert.group, vec![rule])),
        }
    }
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|(name, rules)| json!({ "name": name, "rules": rules }))
        .collect();
    json!({ "groups": groups })
}

/// A case in which the alert fires.
fn fires(
    interval: &'static str,
    series: &[(&str, &str)],
    at: &'static str,
    labels: &[(&'static str, &str)],
    value: &'static str,
) -> Case {
    let mut case = quiet(interval, series, at);
    case.fires = vec![Fired {
        labels: labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        value: value.to_owned(),
    }];
    case
}

/// A case in which it does not.
fn quiet(interval: &'static str, series: &[(&str, &str)], at: &'static str) -> Case {
    Case {
        interval,
        series: series
            .iter()
            .map(|(series, values)| ((*series).to_owned(), (*values).to_owned()))
            .collect(),
        at,
        fires: Vec::new(),
    }
}
