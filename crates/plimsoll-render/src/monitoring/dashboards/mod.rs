//! Dashboards for Grafana, by one way of building them, so that every panel keeps the rules by which
//! dashboards are linted: a title, a description, a unit, a data source by variable, `job` and
//! `instance` in every query, rates over `$__rate_interval`.

mod boards;

use serde_json::{Value, json};

use super::Watched;

/// The matchers that every query has.
const SCOPE: &str = r#"job=~"$job",instance=~"$instance""#;

/// A panel.
struct Panel {
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    /// Queries with their legends; `$scope` stands for the matchers.
    queries: Vec<(String, &'static str)>,
    /// A line to draw, as the name of a bound.
    bound: Option<&'static str>,
}

/// What a dashboard asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Prometheus,
    Loki,
}

/// A dashboard.
struct Board {
    name: &'static str,
    title: &'static str,
    source: Source,
    /// A metric whose labels give the choices of `job` and `instance`.
    of: &'static str,
    panels: Vec<Panel>,
}

/// All dashboards of a project, by file name.
pub(super) fn all(watched: &Watched<'_>) -> Vec<(&'static str, Value)> {
    boards::boards(watched)
        .iter()
        .map(|board| (board.name, render(watched, board)))
        .collect()
}

fn render(watched: &Watched<'_>, board: &Board) -> Value {
    let project = &watched.input.project.name;
    let panels: Vec<Value> = board
        .panels
        .iter()
        .enumerate()
        .map(|(index, panel)| show(board, panel, index))
        .collect();
    json!({
        "id": null,
        "uid": uid(project, board.name),
        "title": format!("{project} · {}", board.title),
        "description": format!("Rendered by `plimsoll render monitoring`; {} of {project}", board.title.to_lowercase()),
        "tags": ["plimsoll", project],
        "editable": false,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "timezone": "",
        "graphTooltip": 1,
        "time": { "from": "now-1h", "to": "now" },
        "links": [{
            "type": "dashboards",
            "title": project,
            "tags": [project],
            "asDropdown": true,
            "includeVars": true,
            "keepTime": true,
        }],
        "annotations": { "list": [] },
        "templating": { "list": variables(board) },
        "panels": panels,
    })
}

/// Stable, and different for each project: two projects may share a Grafana.
fn uid(project: &str, name: &str) -> String {
    // FNV-1a: nothing hangs on it but that it stays the same.
    let hash = format!("{project}/{name}")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("plimsoll-{hash:016x}")
}

fn source(board: &Board) -> Value {
    let kind = match board.source {
        Source::Prometheus => "prometheus",
        Source::Loki => "loki",
    };
    json!({ "type": kind, "uid": "${datasource}" })
}

fn variables(board: &Board) -> Vec<Value> {
    let kind = match board.source {
        Source::Prometheus => "prometheus",
        Source::Loki => "loki",
    };
    let choice = |name: &str, label: &str, query: String| {
        json!({
            "name": name,
            "label": label,
            "type": "query",
            "datasource": source(board),
            "query": query,
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "multi": true,
            "includeAll": true,
            "allValue": ".+",
            "current": { "text": "All", "value": "$__all", "selected": true },
        })
    };
    let mut variables = vec![json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": kind,
        "current": { "text": "default", "value": "default", "selected": true },
    })];
    match board.source {
        Source::Prometheus => {
            variables.push(choice(
                "job",
                "Job",
                format!("label_values({}, job)", board.of),
            ));
            variables.push(choice(
                "instance",
                "Instance",
                format!("label_values({}{{job=~\"$job\"}}, instance)", board.of),
            ));
        }
        Source::Loki => {
            variables.push(choice(
                "service",
                "Service",
                "label_values(service_name)".to_owned(),
            ));
        }
    }
    variables
}

fn show(board: &Board, panel: &Panel, index: usize) -> Value {
    let mut targets: Vec<Value> = panel
        .queries
        .iter()
        .enumerate()
        .map(|(number, (query, legend))| {
            json!({
                "refId": char::from(b'A' + u8::try_from(number % 26).unwrap_or(0)).to_string(),
                "datasource": source(board),
                "expr": query.replace("$scope", SCOPE),
                "legendFormat": legend,
            })
        })
        .collect();
    if let Some(bound) = panel.bound {
        // Bounds are no job's: the second term only ties the line to what is chosen.
        targets.push(json!({
            "refId": "Z",
            "datasource": source(board),
            "expr": format!(
                "max({}{{name=\"{bound}\"}}) + 0 * count(up{{{SCOPE}}})",
                super::thresholds::SERIES
            ),
            "legendFormat": "bound",
        }));
    }
    let kind = match board.source {
        Source::Prometheus => "timeseries",
        Source::Loki if panel.unit == "none" => "logs",
        Source::Loki => "timeseries",
    };
    json!({
        "id": index + 1,
        "title": panel.title,
        "description": panel.description,
        "type": kind,
        "datasource": source(board),
        "gridPos": { "h": 8, "w": 12, "x": (index % 2) * 12, "y": (index / 2) * 8 },
        "fieldConfig": { "defaults": { "unit": panel.unit, "min": 0 }, "overrides": [] },
        "options": {
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "desc" },
        },
        "targets": targets,
    })
}
