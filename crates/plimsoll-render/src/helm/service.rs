//! A service's objects as a template: what environments set otherwise comes from the values.

use serde_json::{Map, Value, json};

use super::template::{Template, field};
use crate::Input;

/// The values of one service, and its template.
pub(super) struct Templated {
    pub(super) values: Map<String, Value>,
    pub(super) text: String,
}

/// Puts marks where a service's values go in, and takes the values out.
pub(super) fn templated(input: &Input<'_>, objects: &[Value]) -> Templated {
    let mut writer = Writer {
        input,
        template: Template::default(),
        values: Map::new(),
    };
    writer.values.insert("enabled".to_owned(), json!(true));
    let objects: Vec<Value> = objects
        .iter()
        .map(|object| writer.object(object.clone()))
        .collect();
    let text: Vec<String> = objects
        .iter()
        .map(|object| writer.template.text(object))
        .collect();
    Templated {
        values: writer.values,
        text: text.join("---\n"),
    }
}

/// Puts the release's namespace in the place of the project's.
pub(super) fn in_namespace(input: &Input<'_>, template: &mut Template, object: &mut Value) {
    if object["metadata"]["namespace"] == json!(input.namespace()) {
        object["metadata"]["namespace"] = json!(template.inline(".Release.Namespace"));
    }
}

struct Writer<'w, 'a> {
    input: &'w Input<'a>,
    template: Template,
    values: Map<String, Value>,
}

impl Writer<'_, '_> {
    fn object(&mut self, mut object: Value) -> Value {
        in_namespace(self.input, &mut self.template, &mut object);
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                self.replace(&mut object, "/spec/replicas", "replicas");
                self.claims(&mut object);
                self.pod(&mut object, "/spec/template/spec");
            }
            "Job" => {
                // A job does not change: another revision makes another one.
                if let Some(name) = object["metadata"]["name"].as_str() {
                    let suffix = self
                        .template
                        .inline("if .Release.IsUpgrade }}-{{ .Release.Revision }}{{ end");
                    object["metadata"]["name"] = json!(format!("{name}{suffix}"));
                }
                self.pod(&mut object, "/spec/template/spec");
            }
            "CronJob" => {
                self.replace_text(&mut object, "/spec/schedule", "schedule");
                self.pod(&mut object, "/spec/jobTemplate/spec/template/spec");
            }
            "HorizontalPodAutoscaler" => self.autoscaler(&mut object),
            "PersistentVolumeClaim" => {
                let name = object["metadata"]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                self.size(&mut object, &name);
            }
            _ => {}
        }
        object
    }

    /// Puts a mark in a place, and what stood there into the values.
    fn replace(&mut self, object: &mut Value, place: &str, name: &str) {
        if let Some(value) = object.pointer_mut(place) {
            self.values.insert(name.to_owned(), value.clone());
            *value = json!(self.template.inline(field("$service", name)));
        }
    }

    fn replace_text(&mut self, object: &mut Value, place: &str, name: &str) {
        if let Some(value) = object.pointer_mut(place) {
            self.values.insert(name.to_owned(), value.clone());
            *value = json!(
                self.template
                    .inline(format!("{} | quote", field("$service", name)))
            );
        }
    }

    /// A mapping among the service's values.
    fn map(&mut self, name: &str) -> Option<&mut Map<String, Value>> {
        self.values
            .entry(name.to_owned())
            .or_insert_with(|| json!({}))
            .as_object_mut()
    }

    fn autoscaler(&mut self, object: &mut Value) {
        let mut places = vec![
            ("/spec/minReplicas".to_owned(), "minReplicas".to_owned()),
            ("/spec/maxReplicas".to_owned(), "maxReplicas".to_owned()),
        ];
        for (index, metric) in object["spec"]["metrics"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            if let Some(name) = metric["resource"]["name"].as_str() {
                places.push((
                    format!("/spec/metrics/{index}/resource/target/averageUtilization"),
                    name.to_owned(),
                ));
            }
        }
        for (place, name) in places {
            let Some(value) = object.pointer_mut(&place) else {
                continue;
            };
            let mark = self.template.inline(format!("$service.autoscaling.{name}"));
            let taken = std::mem::replace(value, json!(mark));
            if let Some(map) = self.map("autoscaling") {
                map.insert(name, taken);
            }
        }
    }

    fn claims(&mut self, object: &mut Value) {
        let Some(claims) = object
            .pointer_mut("/spec/volumeClaimTemplates")
            .and_then(Value::as_array_mut)
        else {
            return;
        };
        let mut taken = std::mem::take(claims);
        for claim in &mut taken {
            let name = claim["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            self.size(claim, &name);
        }
        object["spec"]["volumeClaimTemplates"] = Value::Array(taken);
    }

    fn size(&mut self, claim: &mut Value, name: &str) {
        let Some(size) = claim.pointer_mut("/spec/resources/requests/storage") else {
            return;
        };
        let mark = self.template.inline(field("$service.storage", name));
        let taken = std::mem::replace(size, json!(mark));
        if let Some(map) = self.map("storage") {
            map.insert(name.to_owned(), taken);
        }
    }

    fn pod(&mut self, object: &mut Value, place: &str) {
        let Some(spec) = object.pointer_mut(place).and_then(Value::as_object_mut) else {
            return;
        };
        for list in ["initContainers", "containers"] {
            let Some(containers) = spec.get_mut(list).and_then(Value::as_array_mut) else {
                continue;
            };
            for container in containers {
                self.container(container);
            }
        }
        let deep = if place.contains("jobTemplate") { 12 } else { 8 };
        let pull = self.template.instead(vec![
            "{{- with $.Values.imagePullSecrets }}".to_owned(),
            "imagePullSecrets:".to_owned(),
            format!("  {{{{- toYaml . | nindent {deep} }}}}"),
            "{{- end }}".to_owned(),
        ]);
        spec.shift_insert(0, "imagePullSecrets".to_owned(), pull);
    }

    fn container(&mut self, container: &mut Value) {
        self.image(container);
        if let Some(resources) = container.get_mut("resources") {
            let known = self.values.get("resources").cloned();
            // An object whose needs differ says them itself.
            if known.is_none_or(|known| known == *resources) {
                self.values
                    .insert("resources".to_owned(), resources.clone());
                *resources = self.template.block("$service.resources");
            }
        }
        let Some(environment) = container.get_mut("env").and_then(Value::as_array_mut) else {
            return;
        };
        let mut taken = std::mem::take(environment);
        for variable in &mut taken {
            let name = variable["name"].as_str().unwrap_or_default().to_owned();
            let Some(value) = variable.get_mut("value") else {
                continue;
            };
            let mark = self
                .template
                .inline(format!("{} | quote", field("$service.environment", &name)));
            let value = std::mem::replace(value, json!(mark));
            if let Some(map) = self.map("environment") {
                map.insert(name, value);
            }
        }
        self.values
            .entry("extraEnvironment")
            .or_insert_with(|| json!([]));
        taken.push(self.template.instead(vec![
            "{{- range $service.extraEnvironment }}".to_owned(),
            "- {{ toJson . }}".to_owned(),
            "{{- end }}".to_owned(),
        ]));
        container["env"] = Value::Array(taken);
    }

    fn image(&mut self, container: &mut Value) {
        let Some(reference) = container["image"].as_str() else {
            return;
        };
        let image = parts(reference);
        let known = self.values.get("image").cloned();
        if known.is_none_or(|known| known == image) {
            self.values.insert("image".to_owned(), image);
            let helper = format!(
                "include \"{}.image\" $service.image",
                self.input.namespace()
            );
            container["image"] = json!(self.template.inline(helper));
        }
    }
}

/// A reference in its parts.
fn parts(reference: &str) -> Value {
    let (name, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let (repository, tag) = match name.rsplit_once(':') {
        // A colon before a slash is a port of the registry.
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, ""),
    };
    json!({ "repository": repository, "tag": tag, "digest": digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_come_apart() {
        assert_eq!(
            parts("localhost:5000/acme/api:1.2@sha256:ab"),
            json!({ "repository": "localhost:5000/acme/api", "tag": "1.2", "digest": "sha256:ab" })
        );
        assert_eq!(
            parts("localhost:5000/acme/api"),
            json!({ "repository": "localhost:5000/acme/api", "tag": "", "digest": "" })
        );
    }
}
