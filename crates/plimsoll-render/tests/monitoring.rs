//! What watches a project, held against the tools that read it, and dashboards against the rules by
//! which they are linted. Where a tool is absent, its test says so and passes.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "the tree says which file it is about"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use plimsoll_render::Target;
use serde_json::Value;

/// The files of a case, on disk.
fn rendered(case: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let input = support::golden().join(case).join("in");
    for (path, artifact) in &support::render(&input, &[Target::Monitoring]).files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &artifact.text).unwrap();
    }
    directory
}

/// Runs a tool in a directory; `None` when it is not there.
#[expect(clippy::print_stderr, reason = "says why it tests nothing")]
fn tool(directory: &Path, words: &[&str]) -> Option<()> {
    let output = match Command::new(words[0])
        .args(&words[1..])
        .current_dir(directory)
        .output()
    {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no `{}` here", words[0]);
            return None;
        }
        Err(error) => panic!("{}: {error}", words[0]),
    };
    assert!(
        output.status.success(),
        "{words:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some(())
}

#[test]
fn prometheus_reads_its_configuration_and_rules() {
    let files = rendered("agents");
    let directory = files.path().join("monitoring/prometheus");
    tool(
        &directory,
        &["promtool", "check", "config", "prometheus.yml"],
    );
}

#[test]
fn every_alert_fires_when_it_should_and_is_quiet_when_it_should() {
    let files = rendered("agents");
    let directory = files.path().join("monitoring/prometheus/tests");
    tool(
        &directory,
        &["promtool", "test", "rules", "minutes.yml", "hours.yml"],
    );
}

#[test]
fn alertmanager_reads_its_configuration() {
    let files = rendered("agents");
    let directory = files.path().join("monitoring/alertmanager");
    // Version 0.25, which Debian 12 has, reads no address from a file yet.
    let path = directory.join("alertmanager.yml");
    let text = fs::read_to_string(&path).unwrap();
    let text: String = text
        .lines()
        .map(|line| match line.split_once("url_file: ") {
            Some((before, _)) => format!("{before}url: http://127.0.0.1/\n"),
            None => format!("{line}\n"),
        })
        .collect();
    fs::write(&path, text).unwrap();
    tool(&directory, &["amtool", "check-config", "alertmanager.yml"]);
}

fn dashboards() -> Vec<(String, Value)> {
    let input = support::golden().join("agents").join("in");
    support::render(&input, &[Target::Monitoring])
        .files
        .iter()
        .filter(|(path, _)| path.contains("/grafana/dashboards/"))
        .map(|(path, artifact)| (path.clone(), serde_json::from_str(&artifact.text).unwrap()))
        .collect()
}

#[test]
fn dashboards_ask_the_source_that_is_chosen() {
    for (path, board) in dashboards() {
        let variables = board["templating"]["list"].as_array().unwrap();
        assert_eq!(variables[0]["name"], "datasource", "{path}");
        assert_eq!(variables[0]["type"], "datasource", "{path}");
        assert_eq!(variables[0]["label"], "Data source", "{path}");
        for panel in board["panels"].as_array().unwrap() {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{path}");
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{path}");
            }
        }
        if variables[0]["query"] == "prometheus" {
            for (name, label) in [("job", "Job"), ("instance", "Instance")] {
                let variable = variables.iter().find(|one| one["name"] == name).unwrap();
                assert_eq!(variable["label"], label, "{path}");
                assert_eq!(variable["multi"], true, "{path}");
                assert_eq!(variable["allValue"], ".+", "{path}");
                assert_eq!(variable["refresh"], 2, "{path}");
            }
        }
    }
}

#[test]
fn panels_say_what_they_show_and_in_which_unit() {
    for (path, board) in dashboards() {
        assert_eq!(board["editable"], false, "{path}");
        assert_eq!(board["id"], Value::Null, "{path}");
        let mut panels: Vec<(u64, u64)> = Vec::new();
        for panel in board["panels"].as_array().unwrap() {
            for key in ["title", "description"] {
                assert!(
                    panel[key].as_str().is_some_and(|text| !text.is_empty()),
                    "{path}"
                );
            }
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string());
            let at = &panel["gridPos"];
            assert!(at["x"].as_u64().unwrap() + at["w"].as_u64().unwrap() <= 24);
            panels.push((at["x"].as_u64().unwrap(), at["y"].as_u64().unwrap()));
        }
        let count = panels.len();
        panels.sort_unstable();
        panels.dedup();
        assert_eq!(panels.len(), count, "{path}: panels lie on one another");
    }
}

#[test]
fn queries_are_bound_to_what_is_chosen() {
    for (path, board) in dashboards() {
        if board["templating"]["list"][0]["query"] != "prometheus" {
            continue;
        }
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let query = target["expr"].as_str().unwrap();
                let braces = query.matches('{').count();
                let bounds = query.matches("plimsoll_threshold{").count();
                assert_eq!(
                    query
                        .matches("{job=~\"$job\",instance=~\"$instance\"")
                        .count()
                        + bounds,
                    braces,
                    "{path}: {query}"
                );
                for (at, _) in query.match_indices("rate(") {
                    let inside = &query[at..];
                    let window = &inside[inside.find('[').unwrap()..];
                    assert!(window.starts_with("[$__rate_interval]"), "{path}: {query}");
                }
            }
        }
    }
}

#[test]
fn every_alert_says_what_it_is_and_what_to_do() {
    let input = support::golden().join("agents").join("in");
    let rendering = support::render(&input, &[Target::Monitoring, Target::Docs]);
    let alerts = &rendering.files["monitoring/prometheus/rules/alerts.yml"].text;
    let tests = ["minutes", "hours"]
        .map(|name| &rendering.files[&format!("monitoring/prometheus/tests/{name}.yml")].text);
    let mut count = 0;
    for line in alerts.lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            let case = format!("name: {name} (");
            assert!(
                tests.iter().any(|text| text.contains(&case)),
                "{name} has no test"
            );
        }
        if let Some(path) = line.trim().strip_prefix("runbook_url: ") {
            assert!(rendering.files.contains_key(path), "{path} is not there");
            count += 1;
        }
    }
    assert_eq!(count, alerts.matches("- alert: ").count());
    assert_eq!(count, alerts.matches("severity: ").count());
    assert_eq!(count, alerts.matches("summary: ").count());
    assert_eq!(count, alerts.matches(" description: ").count());
}
