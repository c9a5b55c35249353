//! Unit tests of the alerts, for `promtool test rules`.

use serde_json::{Value, json};

use super::alerts::{Alert, Case, Fired};

/// Time between two samples of a case of hours.
const SLOW: &str = "5m";

/// Files of tests, by name: cases of hours are evaluated less often than those of minutes.
pub(super) fn tests(alerts: &[Alert]) -> [(&'static str, Value); 2] {
    let of = |interval: &str| {
        let tests: Vec<Value> = alerts
            .iter()
            .flat_map(|alert| alert.cases.iter().map(move |case| (alert, case)))
            .filter(|(_, case)| (case.interval == SLOW) == (interval == SLOW))
            .map(|(alert, case)| test(alerts, alert, case))
            .collect();
        json!({
            "rule_files": [
                "../rules/thresholds.yml",
                "../rules/recording.yml",
                "../rules/alerts.yml",
            ],
            "evaluation_interval": interval,
            "tests": tests,
        })
    };
    [("minutes", of("1m")), ("hours", of(SLOW))]
}

fn test(alerts: &[Alert], alert: &Alert, case: &Case) -> Value {
    let series: Vec<Value> = case
        .series
        .iter()
        .map(|(series, values)| json!({ "series": series, "values": values }))
        .collect();
    // promtool compares all alerts of one name: what is expected says which of them it is.
    let expected: Vec<Value> = case
        .fires
        .iter()
        .map(|fired| {
            let of = alerts
                .iter()
                .find(|other| other.name == alert.name && is_of(other, fired));
            firing(of.unwrap_or(alert), fired)
        })
        .collect();
    let word = if expected.is_empty() {
        "is quiet"
    } else {
        "fires"
    };
    json!({
        "name": format!("{} ({}) {word}", alert.name, alert.severity.word()),
        "interval": case.interval,
        "input_series": series,
        "alert_rule_test": [{
            "eval_time": case.at,
            "alertname": alert.name,
            "exp_alerts": expected,
        }],
    })
}

/// Whether an alert's own labels do not differ from what fires.
fn is_of(alert: &Alert, fired: &Fired) -> bool {
    fired.labels.iter().all(|(name, value)| match *name {
        "severity" => value == alert.severity.word(),
        name => alert
            .labels
            .iter()
            .all(|(own, said)| *own != name || said == value),
    })
}

fn firing(alert: &Alert, fired: &Fired) -> Value {
    let mut labels = json!({ "severity": alert.severity.word() });
    for (name, value) in alert.labels.iter().chain(&fired.labels) {
        labels[*name] = json!(value);
    }
    json!({
        "exp_labels": labels,
        "exp_annotations": {
            "summary": shown(&alert.summary, fired),
            "description": shown(&alert.description, fired),
            "runbook_url": alert.runbook_path(),
        },
    })
}

/// A text with its labels and its value filled in, as Prometheus fills them in.
fn shown(text: &str, fired: &Fired) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{ ") {
        let Some((inner, behind)) = after.split_once(" }}") else {
            break;
        };
        shown.push_str(before);
        match inner.strip_prefix("$labels.") {
            Some(label) => {
                let value = fired.labels.iter().find(|(name, _)| *name == label);
                shown.push_str(value.map_or("", |(_, value)| value));
            }
            None => shown.push_str(&fired.value),
        }
        rest = behind;
    }
    shown.push_str(rest);
    shown
}
