//! Series that alerts read: the share of requests that fail, and of those that take too long, over
//! the windows of burn rates.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Watched;
use super::names::{BUCKETS, DURATIONS, REQUESTS};
use super::thresholds::Promise;

/// The windows.
pub(super) const WINDOWS: &[&str] = &["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

/// The series of the share of requests that fail.
pub(super) fn errors(window: &str) -> String {
    format!("service:http_errors:ratio_rate{window}")
}

/// The series of the share of requests that take longer than is promised.
pub(super) fn slow(window: &str) -> String {
    format!("service:http_slow:ratio_rate{window}")
}

/// The rules.
pub(super) fn rules(watched: &Watched<'_>) -> Value {
    let mut names: Vec<&str> = REQUESTS.iter().map(|one| one.counter).collect();
    names.dedup();
    let mut by_bucket: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in watched.answering() {
        by_bucket
            .entry(bucket(Promise::of(watched.input, one).p95))
            .or_default()
            .push(one.name());
    }
    let mut failing = Vec::new();
    let mut late = Vec::new();
    for window in WINDOWS {
        let all = any(names.iter().map(|name| format!("rate({name}[{window}])")));
        let failed = any(REQUESTS
            .iter()
            .map(|one| format!("rate({}{{{}=~\"5..\"}}[{window}])", one.counter, one.status)));
        // Where nothing failed there is no series to count: the share is zero then, not unknown.
        failing.push(json!({
            "record": errors(window),
            "expr": format!(
                "(\n  sum by (service) ({failed})\n  or\n  sum by (service) ({all}) * 0\n)\n/\n(sum by (service) ({all}) > 0)"
            ),
        }));
        for (bound, services) in &by_bucket {
            let these = format!("service=~\"{}\"", services.join("|"));
            let in_time = any(DURATIONS.iter().map(|name| {
                format!(
                    "rate({name}_bucket{{{these},le=~\"{}\"}}[{window}])",
                    spellings(bound)
                )
            }));
            let all = any(DURATIONS
                .iter()
                .map(|name| format!("rate({name}_count{{{these}}}[{window}])")));
            late.push(json!({
                "record": slow(window),
                "expr": format!(
                    "1 - sum by (service) ({in_time}) / (sum by (service) ({all}) > 0)"
                ),
            }));
        }
    }
    let mut groups = vec![json!({ "name": "errors", "rules": failing })];
    if !late.is_empty() {
        groups.push(json!({ "name": "latency", "rules": late }));
    }
    json!({ "groups": groups })
}

fn any(terms: impl Iterator<Item = String>) -> String {
    terms.collect::<Vec<_>>().join(" or ")
}

/// The least bucket that holds what is promised.
pub(super) fn bucket(promised: Duration) -> &'static str {
    BUCKETS
        .iter()
        .find(|bound| {
            bound
                .parse()
                .is_ok_and(|bound: f64| bound >= promised.as_secs_f64())
        })
        .or(BUCKETS.last())
        .copied()
        .unwrap_or("10")
}

/// A bound is written `1` by some clients and `1.0` by others.
fn spellings(bound: &str) -> String {
    if bound.contains('.') {
        bound.replace('.', "\\\\.")
    } else {
        format!("{bound}|{bound}\\\\.0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_the_least_that_holds_the_promise() {
        assert_eq!(bucket(Duration::from_millis(250)), "0.25");
        assert_eq!(bucket(Duration::from_millis(300)), "0.5");
        assert_eq!(bucket(Duration::from_secs(90)), "10");
    }
}
