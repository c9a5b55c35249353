//! Alerts on what users see: a service that is gone, that fails, that is slow, whose certificate ends.

use std::time::Duration;

use super::super::recording::{bucket, errors, slow};
use super::super::thresholds::{OBJECTIVE, Promise, bound, rounded};
use super::super::{Watched, names};
use super::{Alert, Case, Fired, Runbook, Severity, fires, quiet};
use crate::Workload;

/// A burn rate: how often faster than planned the budget of a month is used up, the long window, the
/// short one, how urgent that is.
type Burn = (f64, &'static str, &'static str, Severity);

const BURN: [Burn; 4] = [
    (14.4, "1h", "5m", Severity::Critical),
    (6.0, "6h", "30m", Severity::Critical),
    (3.0, "1d", "2h", Severity::Warning),
    (1.0, "3d", "6h", Severity::Warning),
];

/// Share of requests that may take longer than is promised for 95 of 100.
const SLOW_BUDGET: f64 = 0.05;

const DOWN: Runbook = Runbook {
    impact: "Requests to the service fail, and so do those of services that need it.",
    look: &[
        (
            "docker compose ps SERVICE",
            "whether it runs, and what its health check says",
        ),
        (
            "docker compose logs --tail 100 SERVICE",
            "why it ended or does not answer",
        ),
        (
            "docker compose events --since 15m --until 0s",
            "what happened to its container",
        ),
    ],
    fix: &[
        "Start it again: `docker compose up --detach --wait SERVICE`.",
        "When it came with the last deployment, deploy the version before it.",
        "When a service it needs is down too, begin with that one.",
    ],
};

const FAILING: Runbook = Runbook {
    impact: "Users see errors; at this rate the month's share of allowed failures is used up early.",
    look: &[
        (
            "docker compose logs --since 15m SERVICE",
            "which requests fail, and of what",
        ),
        ("docker compose ps", "whether what it needs is healthy"),
    ],
    fix: &[
        "When it began with a deployment, deploy the version before it.",
        "When a store or a provider behind it fails, see that one's alert.",
        "What the service promises stands under `x-plimsoll.slo`; change it only when the promise is wrong.",
    ],
};

const SLOW: Runbook = Runbook {
    impact: "Users wait longer than is promised.",
    look: &[
        (
            "docker compose stats --no-stream",
            "whether processor or memory are at their limits",
        ),
        (
            "docker compose logs --since 15m SERVICE",
            "which requests are slow",
        ),
    ],
    fix: &[
        "Look at the slow requests' traces in Grafana, data source Tempo.",
        "Raise the service's limits, or run more of it: `docker compose up --detach --scale SERVICE=2`.",
    ],
};

const CERTIFICATE: Runbook = Runbook {
    impact: "When the certificate ends, clients refuse to connect.",
    look: &[(
        "docker compose logs --since 24h",
        "what the proxy says of renewals",
    )],
    fix: &[
        "Certificates are renewed a month before their end; look for the error of the last renewal.",
        "Check that ports 80 and 443 are reachable from outside and that the name still points here.",
    ],
};

const WATCHDOG: Runbook = Runbook {
    impact: "None. This alert always fires, so that its absence shows that alerts do not arrive.",
    look: &[],
    fix: &["When it does not arrive, look at Prometheus and Alertmanager themselves."],
};

const TARGET: Runbook = Runbook {
    impact: "Users see nothing; alerts that need these metrics are blind.",
    look: &[("docker compose ps", "whether the exporter runs")],
    fix: &["Start the exporter again, and read its log."],
};

pub(super) fn alerts(watched: &Watched<'_>) -> Vec<Alert> {
    let mut alerts = vec![watchdog(), down(), target()];
    if let Some(one) = watched.answering().next() {
        for burn in BURN {
            alerts.push(failing(watched, one, burn));
        }
        for burn in BURN {
            alerts.push(late(watched, one, burn));
        }
    }
    let has_certificates = watched.services.iter().any(|one| {
        one.extension
            .and_then(|extension| extension.route.as_ref())
            .is_some_and(|route| route.value.tls != Some(false) && !route.value.hosts.is_empty())
    });
    if has_certificates {
        alerts.extend(certificates(watched));
    }
    alerts
}

fn watchdog() -> Alert {
    Alert {
        name: "Watchdog",
        group: "watchdog",
        expr: "vector(1)".to_owned(),
        hold: None,
        severity: Severity::None,
        labels: Vec::new(),
        summary: "Alerts arrive".to_owned(),
        description: "This alert always fires; an outside service should miss it when it stops."
            .to_owned(),
        runbook: WATCHDOG,
        cases: vec![fires("1m", &[("up", "1")], "0m", &[], "")],
    }
}

fn down() -> Alert {
    let probed = r#"probe_success{job="health",instance="http://api:8000/health",service="api"}"#;
    let scraped = r#"up{job="api",instance="api:8000",service="api"}"#;
    Alert {
        name: "ServiceDown",
        group: "services",
        expr: "min by (service) (\n  max by (service, job) (\n    probe_success{service!=\"\"}\n    or up{service!=\"\",job!~\"health|ports|certificates\"}\n    or pg_up{service!=\"\"}\n    or redis_up{service!=\"\"}\n    or mysql_up{service!=\"\"}\n    or mongodb_up{service!=\"\"}\n  )\n) == 0".to_owned(),
        hold: Some("1m"),
        severity: Severity::Critical,
        labels: Vec::new(),
        summary: "{{ $labels.service }} is down".to_owned(),
        description: "{{ $labels.service }} has not answered for a minute.".to_owned(),
        runbook: DOWN,
        cases: vec![
            fires("30s", &[(probed, "1 1 0 0 0 0 0 0")], "3m", &[("service", "api")], ""),
            fires("30s", &[(scraped, "1 1 0 0 0 0 0 0")], "3m", &[("service", "api")], ""),
            // One of two containers is left.
            quiet(
                "30s",
                &[
                    (scraped, "0x10"),
                    (r#"up{job="api",instance="other:8000",service="api"}"#, "1x10"),
                ],
                "4m",
            ),
            quiet("30s", &[(probed, "1 0 1 1 1 1 1 1")], "3m"),
        ],
    }
}

fn target() -> Alert {
    let series = r#"up{job="cadvisor",instance="cadvisor:8080"}"#;
    Alert {
        name: "MetricsMissing",
        group: "services",
        expr: "up{service=\"\"} == 0".to_owned(),
        hold: Some("10m"),
        severity: Severity::Warning,
        labels: Vec::new(),
        summary: "{{ $labels.job }} gives no metrics".to_owned(),
        description: "{{ $labels.instance }} has not been readable for ten minutes.".to_owned(),
        runbook: TARGET,
        cases: vec![
            fires(
                "1m",
                &[(series, "0x20")],
                "12m",
                &[("job", "cadvisor"), ("instance", "cadvisor:8080")],
                "",
            ),
            quiet("1m", &[(series, "1x20")], "12m"),
        ],
    }
}

fn failing(
    watched: &Watched<'_>,
    one: &Workload<'_>,
    (factor, long, short, severity): Burn,
) -> Alert {
    let budget = format!("{factor} * (1 - {OBJECTIVE}{{name=\"availability\"}})");
    let allowed = 1.0 - Promise::of(watched.input, one).availability;
    Alert {
        name: "HighErrorRatio",
        group: "objectives",
        expr: format!(
            "{} > on (service) group_left () ({budget})\nand on (service)\n{} > on (service) group_left () ({budget})",
            errors(long),
            errors(short)
        ),
        hold: Some(hold(severity)),
        severity,
        labels: vec![("window", long.to_owned())],
        summary: "{{ $labels.service }} fails too often".to_owned(),
        description: format!(
            "{{{{ $value | humanizePercentage }}}} of the requests to {{{{ $labels.service }}}} failed over {long}, {factor} times what its promise allows or more."
        ),
        runbook: FAILING,
        // The cases of all windows stand with the first.
        cases: if long == BURN[0].1 {
            failing_cases(one.name(), allowed)
        } else {
            Vec::new()
        },
    }
}

fn failing_cases(service: &str, allowed: f64) -> Vec<Case> {
    let names::RequestCounter { counter, status } = &names::REQUESTS[0];
    let case = |failed: u32, fired: &[&'static str]| {
        let series = |code: &str| {
            format!("{counter}{{service=\"{service}\",instance=\"a\",{status}=\"{code}\"}}")
        };
        let share = f64::from(failed) / 10_000.0;
        let mut case = quiet(
            "1m",
            &[
                (&series("200"), &format!("0+{}x100", 10_000 - failed)),
                (&series("500"), &format!("0+{failed}x100")),
            ],
            "90m",
        );
        case.fires = fired
            .iter()
            .map(|window| Fired {
                labels: vec![
                    ("service", service.to_owned()),
                    ("window", (*window).to_owned()),
                ],
                value: format!("{}%", rounded(share * 100.0)),
            })
            .collect();
        case
    };
    let windows: Vec<&str> = BURN
        .iter()
        .filter(|(factor, ..)| factor * allowed < 0.5)
        .map(|(_, long, ..)| *long)
        .collect();
    let mut cases = vec![case(0, &[]), case(5_000, &windows)];
    // Twice what is allowed: seen by the slowest alone.
    let twice = (allowed * 20_000.0).round();
    if (1.0..5_000.0).contains(&twice) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 5000, as the line above says"
        )]
        let failed = twice as u32;
        cases.push(case(failed, &[BURN[3].1]));
    }
    cases
}

fn late(watched: &Watched<'_>, one: &Workload<'_>, (factor, long, short, severity): Burn) -> Alert {
    let budget = rounded(factor * SLOW_BUDGET);
    let name = one.name();
    let le = bucket(Promise::of(watched.input, one).p95);
    let metric = names::DURATIONS[0];
    let in_time = format!("{metric}_bucket{{service=\"{name}\",instance=\"a\",le=\"{le}\"}}");
    let count = format!("{metric}_count{{service=\"{name}\",instance=\"a\"}}");
    let mut burning = quiet(
        "1m",
        &[(&in_time, "0+10x100"), (&count, "0+100x100")],
        "90m",
    );
    burning.fires = BURN
        .iter()
        .map(|(_, window, ..)| Fired {
            labels: vec![
                ("service", name.to_owned()),
                ("window", (*window).to_owned()),
            ],
            value: "90%".to_owned(),
        })
        .collect();
    let calm = quiet(
        "1m",
        &[(&in_time, "0+100x100"), (&count, "0+100x100")],
        "90m",
    );
    Alert {
        name: "LatencyBudgetBurn",
        group: "objectives",
        expr: format!(
            "{} > {budget}\nand on (service)\n{} > {budget}",
            slow(long),
            slow(short)
        ),
        hold: Some(hold(severity)),
        severity,
        labels: vec![("window", long.to_owned())],
        summary: "{{ $labels.service }} is slower than promised".to_owned(),
        description: format!(
            "{{{{ $value | humanizePercentage }}}} of the requests to {{{{ $labels.service }}}} took longer than promised over {long}; 5 % may."
        ),
        runbook: SLOW,
        cases: if long == BURN[0].1 {
            vec![calm, burning]
        } else {
            Vec::new()
        },
    }
}

fn hold(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "2m",
        Severity::Warning | Severity::None => "15m",
    }
}

fn certificates(watched: &Watched<'_>) -> Vec<Alert> {
    let series = r#"probe_ssl_earliest_cert_expiry{job="certificates",instance="https://desk.example.com",service="api"}"#;
    let labels: &[(&str, &str)] = &[("service", "api"), ("instance", "https://desk.example.com")];
    let left = "min by (service, instance) (probe_ssl_earliest_cert_expiry) - time()";
    let alert = |severity, expr: String, cases: Vec<Case>| Alert {
        name: "CertExpiry",
        group: "certificates",
        expr,
        hold: Some("1h"),
        severity,
        labels: Vec::new(),
        summary: "The certificate of {{ $labels.instance }} ends soon".to_owned(),
        description: "It is valid for {{ $value | humanizeDuration }} more.".to_owned(),
        runbook: CERTIFICATE,
        cases,
    };
    let both = |severity| Fired {
        labels: labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .chain([("severity", severity)])
            .collect(),
        value: "2d 0h 0m 0s".to_owned(),
    };
    let mut ending = quiet("5m", &[(series, "180000x30")], "2h");
    ending.fires = vec![both("critical".to_owned())];
    if watched.thresholds.certificate > Duration::from_secs(2 * 86_400) {
        ending.fires.insert(0, both("warning".to_owned()));
    }
    vec![
        alert(
            Severity::Warning,
            format!("{left} < {}", bound("certificate_seconds")),
            vec![quiet("5m", &[(series, "100000000x30")], "2h"), ending],
        ),
        alert(
            Severity::Critical,
            format!("{left} < 3 * 86400"),
            Vec::new(),
        ),
    ]
}
