//! Objects: their metadata, and the files they stand in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{Input, Workload};

/// Prefix of labels and annotations of ours.
pub(crate) const PREFIX: &str = "plimsoll.dev";

/// The objects of a project, by file.
#[derive(Debug)]
pub(crate) struct Cluster<'a> {
    /// The project's name, which is the namespace's.
    name: Cow<'a, str>,
    files: BTreeMap<String, Vec<Value>>,
}

impl<'a> Cluster<'a> {
    pub(crate) fn new(input: &Input<'a>) -> Self {
        Self {
            name: input.namespace(),
            files: BTreeMap::new(),
        }
    }

    /// Files by name, each with its objects in order.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.files
            .iter()
            .map(|(file, objects)| (file.as_str(), objects.as_slice()))
    }

    pub(crate) fn add(&mut self, file: String, objects: Vec<Value>) {
        if !objects.is_empty() {
            self.files.entry(file).or_default().extend(objects);
        }
    }

    /// The namespace, at the level `restricted`.
    pub(crate) fn namespace(&mut self) {
        let level = |mode: &str| format!("pod-security.kubernetes.io/{mode}");
        let mut labels = Map::new();
        labels.insert("app.kubernetes.io/part-of".to_owned(), json!(self.name));
        for mode in ["enforce", "audit", "warn"] {
            labels.insert(level(mode), json!("restricted"));
        }
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": self.name, "labels": labels },
        });
        self.add("namespace.yaml".to_owned(), vec![namespace]);
    }

    /// The labels by which a service's pods are selected; they never change.
    pub(crate) fn selector(&self, service: &str) -> Value {
        json!({
            "app.kubernetes.io/name": service,
            "app.kubernetes.io/part-of": self.name,
        })
    }

    /// The labels of a service's objects.
    pub(crate) fn labels(&self, one: &Workload<'_>) -> Value {
        json!({
            "app.kubernetes.io/name": one.name(),
            "app.kubernetes.io/part-of": self.name,
            "app.kubernetes.io/component": one.role.word(),
        })
    }

    /// The metadata of an object of a service.
    pub(crate) fn metadata(&self, name: &str, one: &Workload<'_>) -> Value {
        json!({
            "name": name,
            "namespace": self.name,
            "labels": self.labels(one),
        })
    }

    /// The metadata of an object of the project.
    pub(crate) fn project_metadata(&self, name: &str) -> Value {
        json!({
            "name": name,
            "namespace": self.name,
            "labels": { "app.kubernetes.io/part-of": self.name },
        })
    }

    /// The project's name, which is the namespace's.
    pub(crate) fn project_name(&self) -> &str {
        &self.name
    }
}

/// An object without the entries that are null or empty.
pub(crate) fn tidy(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| (key, tidy(value)))
                .filter(|(_, value)| !is_nothing(value))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.into_iter().map(tidy).collect()),
        other => other,
    }
}

/// What says nothing. An empty mapping may mean "everything": those that do are put in after
/// tidying.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// An environment variable of a pod, a port name and the like: at most 15 characters for a port.
pub(crate) fn port_name(is_http: bool, port: u16, is_first: bool) -> String {
    match (is_http, is_first) {
        (true, true) => "http".to_owned(),
        (true, false) => format!("http-{port}"),
        (false, _) => format!("port-{port}"),
    }
}
