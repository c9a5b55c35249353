//! Alerts on agents and models: what they cost, and whether they answer.

use super::super::names::gen_ai;
use super::{Alert, Runbook, Severity, fires, quiet};

const SPEND: Runbook = Runbook {
    impact: "The bill grows three times faster than on the day before.",
    look: &[(
        "docker compose logs --since 1h SERVICE",
        "which requests use so many tokens",
    )],
    fix: &[
        "Look for an agent that calls itself or a tool again and again.",
        "Lower the limit of tokens or of turns of that agent.",
    ],
};

const FAILING: Runbook = Runbook {
    impact: "Agents cannot finish what they began.",
    look: &[(
        "docker compose logs --since 15m SERVICE",
        "what the provider answers",
    )],
    fix: &[
        "Status 429 is a limit of rate: lower concurrency or raise the limit with the provider.",
        "Status 401 is a key that ended: rotate it.",
    ],
};

pub(super) fn alerts() -> Vec<Alert> {
    let tokens = gen_ai::TOKENS;
    let operation = gen_ai::OPERATION;
    let model = gen_ai::MODEL;
    let used = format!("{tokens}_sum{{service=\"api\",{model}=\"m\"}}");
    let failed = format!("{operation}_count{{service=\"api\",{model}=\"m\",error_type=\"429\"}}");
    let fine = format!("{operation}_count{{service=\"api\",{model}=\"m\"}}");
    vec![
        Alert {
            name: "TokenSpendSpike",
            group: "models",
            expr: format!(
                "sum by (service, {model}) (rate({tokens}_sum[30m]))\n> 3 * sum by (service, {model}) (rate({tokens}_sum[30m] offset 1d))"
            ),
            hold: Some("15m"),
            severity: Severity::Warning,
            labels: Vec::new(),
            summary: "{{ $labels.service }} uses many more tokens than a day ago".to_owned(),
            description: format!(
                "{{{{ $labels.service }}}} uses {{{{ $value | humanize }}}} tokens a second of {{{{ $labels.{model} }}}}, more than three times as many as a day ago."
            ),
            runbook: SPEND,
            cases: vec![
                fires(
                    "5m",
                    &[(&used, "0+300x290 90000+30000x100")],
                    "26h",
                    &[("service", "api"), (model, "m")],
                    "100",
                ),
                quiet("5m", &[(&used, "0+300x400")], "26h"),
            ],
        },
        Alert {
            name: "ModelRequestsFailing",
            group: "models",
            expr: format!(
                "sum by (service, {model}) (rate({operation}_count{{error_type!=\"\"}}[5m]))\n/\nsum by (service, {model}) (rate({operation}_count[5m]))\n> 0.1"
            ),
            hold: Some("5m"),
            severity: Severity::Warning,
            labels: Vec::new(),
            summary: "Requests of {{ $labels.service }} to a model fail".to_owned(),
            description: format!(
                "{{{{ $value | humanizePercentage }}}} of the requests of {{{{ $labels.service }}}} to {{{{ $labels.{model} }}}} fail."
            ),
            runbook: FAILING,
            cases: vec![
                fires(
                    "1m",
                    &[(&failed, "0+60x30"), (&fine, "0+60x30")],
                    "20m",
                    &[("service", "api"), (model, "m")],
                    "50%",
                ),
                quiet("1m", &[(&failed, "0x30"), (&fine, "0+60x30")], "20m"),
            ],
        },
    ]
}
