//! A page for each alert: what it says, what users see, what to look at, what helps.

use std::collections::BTreeMap;

use super::Watched;
use super::alerts::Alert;

/// The pages, by path. Alerts that share a name share a page.
pub(super) fn pages(watched: &Watched<'_>, alerts: &[Alert]) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for alert in alerts {
        pages
            .entry(alert.runbook_path())
            .or_insert_with(|| page(watched, alert, alerts));
    }
    pages
}

fn page(watched: &Watched<'_>, alert: &Alert, alerts: &[Alert]) -> String {
    let same: Vec<&Alert> = alerts
        .iter()
        .filter(|other| other.name == alert.name)
        .collect();
    let mut text = format!("# {}\n\n", alert.name);
    text.push_str(&format!("{}\n", readable(&alert.description)));
    text.push_str("\n## What users see\n\n");
    text.push_str(&format!("{}\n", alert.runbook.impact));
    text.push_str("\n## Where to look\n\n");
    for (command, tells) in alert.runbook.look {
        text.push_str(&format!("- `{command}`: {tells}\n"));
    }
    if alert
        .runbook
        .look
        .iter()
        .any(|(command, _)| command.contains("SERVICE"))
    {
        let names: Vec<String> = watched
            .services
            .iter()
            .map(|one| format!("`{}`", one.name()))
            .collect();
        text.push_str(&format!(
            "\n`SERVICE` is the service that the alert names: {}.\n",
            names.join(", ")
        ));
    }
    text.push_str("\n## What helps\n\n");
    for fix in alert.runbook.fix {
        text.push_str(&format!("- {fix}\n"));
    }
    text.push_str("\n## When it fires\n");
    for one in same {
        let hold = one
            .hold
            .map(|hold| format!(", for {hold}"))
            .unwrap_or_default();
        text.push_str(&format!(
            "\nSeverity {}{hold}:\n\n```promql\n{}\n```\n",
            one.severity.word(),
            one.expr
        ));
    }
    text
}

/// An alert's text without its template: `{{ $labels.service }}` becomes "the service".
fn readable(description: &str) -> String {
    let mut text = String::new();
    let mut rest = description;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let Some((expression, after)) = after.split_once("}}") else {
            text.push_str("{{");
            rest = after;
            continue;
        };
        match expression.trim().strip_prefix("$labels.") {
            Some(label) => text.push_str(&format!("the {}", label.replace('_', " "))),
            None => text.push('…'),
        }
        rest = after;
    }
    text.push_str(rest);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn templates_become_words() {
        assert_eq!(
            readable("{{ $labels.service }} takes {{ $value | humanizePercentage }} of it."),
            "The service takes … of it."
        );
    }
}
