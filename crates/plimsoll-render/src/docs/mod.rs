//! Documents for the people who run the project: specific to it, every command as it is typed.
//!
//! Pages name only files that are rendered or there already, and stages, services and addresses that
//! exist. Whoever changes a command here changes what tests run.

mod checklist;
mod cloud;
mod delivery;
mod environment;
mod guide;
mod images;
mod kubernetes;
mod local;
mod monitoring;
mod production;
mod secrets;
mod start;
mod troubleshooting;

use crate::{Input, Rendering};
use guide::Guide;

/// Renders the documents.
pub fn render(input: &Input<'_>) -> Rendering {
    let mut rendering = Rendering::default();
    rendering.file("docs/environment.md", environment::page(input));
    let guide = Guide::of(input);
    if guide.all.is_empty() {
        return rendering;
    }
    let mut index = format!("# Running {}\n\n", guide.name());
    for (file, about, page) in [
        (
            "quick-start",
            "from a clone to a running stack",
            start::page(&guide),
        ),
        (
            "local-development",
            "changing code while it runs",
            local::page(&guide),
        ),
        (
            "production",
            "on one host, with TLS and limits",
            production::page(&guide),
        ),
        ("kubernetes", "in a cluster", kubernetes::page(&guide)),
        ("ci-cd", "what happens to a commit", delivery::page(&guide)),
        (
            "cloud",
            "homes in clouds, and what they cost",
            cloud::page(&guide),
        ),
        (
            "images",
            "what is in each image, and why",
            images::page(&guide),
        ),
        (
            "troubleshooting",
            "when it does not work",
            troubleshooting::page(&guide),
        ),
        (
            "deployment-checklist",
            "before and after a release",
            checklist::page(&guide),
        ),
    ] {
        index.push_str(&format!("- [{file}]({file}.md): {about}\n"));
        rendering.file(format!("docs/{file}.md"), page);
    }
    index.push_str("- [environment](environment.md): every variable, who reads it, its default\n");
    if let Some(page) = secrets::page(&guide) {
        index.push_str("- [secrets](secrets.md): where they are kept, and how they change\n");
        rendering.file("docs/secrets.md", page);
    }
    if let Some(page) = monitoring::page(&guide) {
        index.push_str(
            "- [monitoring](monitoring.md): dashboards, thresholds, alerts, logs and traces\n",
        );
        rendering.file("docs/monitoring.md", page);
    }
    if guide.compose.contains("compose.monitoring.yaml") {
        index.push_str("- [runbooks](runbooks/): a page for each alert\n");
    }
    rendering.file("docs/running.md", index);
    rendering
}

/// A row of a table: `|` in a cell is escaped.
fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
