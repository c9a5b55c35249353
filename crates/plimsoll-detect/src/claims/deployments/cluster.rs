//! Kubernetes manifests and Helm charts. Templates are not run: a place that names one of the chart's values is filled
//! in, any other is left open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Span, Spanned};
use plimsoll_model::yaml::{self, Node};

use super::{Deployed, FILES, LARGEST};
use crate::places;
use crate::tree::Tree;

/// What stands where a template would have put something.
const OPEN: &str = "filled-in";

/// The containers of every workload of a tree.
pub(super) fn read(tree: &Tree) -> Vec<Deployed> {
    let mut values: BTreeMap<PathBuf, Option<Node>> = BTreeMap::new();
    let mut found = Vec::new();
    let files = tree.files().iter().filter(|file| {
        matches!(
            file.path.extension().and_then(|end| end.to_str()),
            Some("yaml" | "yml")
        ) && tree.is_at_most(file, LARGEST)
    });
    for file in files.take(FILES) {
        let chart = file
            .path
            .ancestors()
            .skip(1)
            .find(|directory| tree.has_file(&directory.join("Chart.yaml")));
        // The templates of a chart are no templates of the project.
        let place = chart.map_or(&*file.path, |chart| chart);
        if places::set_aside(&place.join("chart")).is_some() {
            continue;
        }
        let Some(text) = tree.source(&file.path) else {
            continue;
        };
        if !text.contains("containers:") || !text.contains("kind:") {
            continue;
        }
        let text = match chart {
            Some(chart) => {
                let known = values
                    .entry(chart.to_owned())
                    .or_insert_with(|| values_of(tree, chart));
                filled(&text, known.as_ref())
            }
            None => text,
        };
        let Ok(documents) = yaml::parse(&text, tree.shown(&file.path)) else {
            continue;
        };
        for document in &documents {
            containers(document, &tree.shown(&file.path), &mut found);
        }
    }
    found
}

fn values_of(tree: &Tree, chart: &Path) -> Option<Node> {
    let path = chart.join("values.yaml");
    let text = tree.source(&path)?;
    yaml::parse(&text, tree.shown(&path))
        .ok()?
        .into_iter()
        .next()
}

/// A template with its places filled in; lines stay where they are.
fn filled(text: &str, values: Option<&Node>) -> String {
    let mut whole = String::with_capacity(text.len());
    for line in text.lines() {
        let trimmed = line.trim();
        let control = trimmed.starts_with("{{") && trimmed.ends_with("}}");
        if !control {
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("{{") {
                whole.push_str(before);
                let (inside, after) = after.split_once("}}").unwrap_or((after, ""));
                whole.push_str(&place(inside, values));
                rest = after;
            }
            whole.push_str(rest);
        }
        whole.push('\n');
    }
    whole
}

/// What a place between braces comes to.
fn place(inside: &str, values: Option<&Node>) -> String {
    let mut words = inside
        .trim_matches(['-', ' '])
        .split(|c: char| c.is_whitespace() || matches!(c, '|' | '(' | ')'))
        .filter(|word| !word.is_empty());
    let known = words
        .find_map(|word| word.strip_prefix(".Values."))
        .and_then(|path| {
            let keys: Vec<&str> = path.split('.').collect();
            values?.find(&keys)?.scalar_text()
        });
    known.unwrap_or_else(|| OPEN.to_owned())
}

fn containers(document: &Node, shown: &Arc<Path>, found: &mut Vec<Deployed>) {
    let path: &[&str] = match document.get("kind").and_then(Node::as_text) {
        Some("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "Service") => {
            &["spec", "template", "spec", "containers"]
        }
        Some("CronJob") => &[
            "spec",
            "jobTemplate",
            "spec",
            "template",
            "spec",
            "containers",
        ],
        Some("Pod") => &["spec", "containers"],
        _ => return,
    };
    for container in document
        .find(path)
        .and_then(Node::as_list)
        .into_iter()
        .flatten()
    {
        let text = |key: &str| container.get(key).and_then(Node::scalar_text);
        let span = container
            .span
            .clone()
            .unwrap_or_else(|| Span::line(shown.clone(), 1));
        let image = text("image").filter(|image| !image.contains(OPEN));
        let of_image = image.as_deref().map(last_part);
        let name = text("name").filter(|name| !name.contains(OPEN));
        let mut deployed = Deployed::new(name.or(of_image).unwrap_or_default(), span);
        deployed.image = image;
        for key in ["command", "args"] {
            let words = container
                .get(key)
                .and_then(Node::as_list)
                .into_iter()
                .flatten();
            deployed.words.extend(words.filter_map(Node::scalar_text));
        }
        let ports = container
            .get("ports")
            .and_then(Node::as_list)
            .into_iter()
            .flatten();
        for port in ports {
            deployed
                .ports
                .extend(port.get("containerPort").and_then(number));
        }
        deployed.health = ["readinessProbe", "livenessProbe", "startupProbe"]
            .iter()
            .find_map(|probe| {
                let path = container.find(&[probe, "httpGet", "path"])?;
                let text = path.as_text().filter(|text| !text.contains(OPEN))?;
                Some(Spanned::new(text.to_owned(), path.span.clone()?))
            });
        let variables = container
            .get("env")
            .and_then(Node::as_list)
            .into_iter()
            .flatten();
        deployed.variables = variables
            .filter_map(|variable| {
                let name = variable.get("name")?.scalar_text()?;
                let value = variable.get("value").and_then(Node::scalar_text);
                Some((name, value.filter(|value| !value.contains(OPEN))))
            })
            .collect();
        found.push(deployed);
    }
}

/// `api` of `registry/team/api:1`.
fn last_part(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let name = last.split([':', '@']).next().unwrap_or(last);
    name.to_owned()
}

pub(super) fn number(node: &Node) -> Option<Spanned<u16>> {
    let port = node.scalar_text()?.parse().ok()?;
    Some(Spanned::new(port, node.span.clone()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_in_from_the_values() {
        let values = yaml::parse("service:\n  port: 8001\n", Path::new("values.yaml"))
            .unwrap()
            .remove(0);
        let text = "{{- if .Values.on }}\nport: {{ .Values.service.port | default 1 }}\nname: {{ include \"x\" . }}\n{{- end }}\n";
        assert_eq!(
            filled(text, Some(&values)),
            "\nport: 8001\nname: filled-in\n\n"
        );
        assert_eq!(filled("a: {{ b", None), "a: filled-in\n");
    }

    #[test]
    fn containers_tell_ports_probes_and_variables() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - image: team/api:1\n        args: [uvicorn, 'app:app']\n        ports:\n        - containerPort: 9000\n        readinessProbe:\n          httpGet: {path: /ready, port: 9000}\n        env:\n        - {name: A, value: 'b'}\n";
        let documents = yaml::parse(text, Path::new("a.yaml")).unwrap();
        let mut found = Vec::new();
        containers(&documents[0], &Arc::from(Path::new("a.yaml")), &mut found);
        assert_eq!(found[0].name, "api");
        assert_eq!(found[0].port(), Some(9000));
        assert_eq!(found[0].health.as_ref().unwrap().value, "/ready");
        assert_eq!(found[0].variables, [("A".to_owned(), Some("b".to_owned()))]);
    }
}
