//! What environments have besides services, as templates: the namespace, the gateway, the issuer of
//! certificates, bounds, secrets, and the mesh.

use serde_json::{Value, json};

use super::routes;
use super::service::in_namespace;
use super::template::{Template, field};
use crate::kubernetes::object::Cluster;
use crate::kubernetes::secrets::{SecretObject, sealed, secrets};
use crate::kubernetes::{mesh, network, overlay};
use crate::{Input, Mesh, SecretSource, Stage, Workload};

/// The templates, by file name.
pub(super) fn templates(
    input: &Input<'_>,
    all: &[Workload<'_>],
    namespace: &Value,
) -> Vec<(&'static str, String)> {
    let cluster = Cluster::new(input);
    let secrets = secrets(input, all);
    let mut files = vec![("namespace.yaml", of_namespace(namespace))];
    // Production has all there is.
    for (file, objects) in overlay::environment(input, all, &secrets, Stage::Production) {
        let text = match file {
            "routes.yaml" => routes::template(input, all).unwrap_or_default(),
            _ => of_environment(input, objects),
        };
        files.push((file, text));
    }
    if !secrets.is_empty() {
        files.push(("secrets.yaml", of_values(input)));
    }
    let mut text = String::new();
    for one in Mesh::ALL {
        let objects: Vec<Value> = mesh::objects(&cluster, one)
            .into_iter()
            .chain(network::tunnel(&cluster, one))
            .collect();
        text.push_str(&format!("{{{{- if eq .Values.mesh {:?} }}}}\n", one.word()));
        for mut object in objects {
            let mut template = Template::default();
            in_namespace(input, &mut template, &mut object);
            text.push_str("---\n");
            text.push_str(&template.text(&object));
        }
        text.push_str("{{- end }}\n");
    }
    files.push(("mesh.yaml", text));
    files
}

/// The values of what the templates above take.
pub(super) fn values(input: &Input<'_>, all: &[Workload<'_>], stage: Stage) -> Value {
    let is_development = stage == Stage::Development;
    let secrets = secrets(input, all);
    let environment = overlay::environment(input, all, &secrets, Stage::Production);
    let find = |kind: &str| {
        environment
            .iter()
            .flat_map(|(_, objects)| objects)
            .find(|object| object["kind"] == kind)
    };
    let mut values = json!({
        "imagePullSecrets": [],
        "namespace": { "create": false },
    });
    if let Some(gateway) = find("Gateway") {
        values["gateway"] = json!({
            "enabled": !is_development,
            "className": gateway["spec"]["gatewayClassName"],
        });
    }
    if find("Ingress").is_some() {
        values["ingress"] = json!({ "enabled": !is_development, "className": "" });
    }
    if find("Issuer").is_some() {
        let of_stage = overlay::environment(input, all, &[], stage);
        let server = of_stage
            .iter()
            .flat_map(|(_, objects)| objects)
            .find_map(|object| object.pointer("/spec/acme/server").cloned());
        values["certificates"] = json!({
            "enabled": !is_development,
            "server": server,
            "email": "",
        });
    }
    values["limits"] = json!({ "enabled": !is_development });
    if let Some(quota) = find("ResourceQuota") {
        values["quota"] = json!({
            "enabled": stage == Stage::Production,
            "hard": quota["spec"]["hard"],
        });
    }
    if !secrets.is_empty() {
        values["secrets"] = of_secrets(input, &secrets, stage);
    }
    let mesh = input.cluster.mesh.filter(|_| !is_development);
    values["mesh"] = json!(mesh.map_or("", Mesh::word));
    values
}

fn of_secrets(input: &Input<'_>, secrets: &[SecretObject], stage: Stage) -> Value {
    let source = match input.cluster.secrets {
        _ if stage == Stage::Development => "values",
        SecretSource::External => "external",
        SecretSource::Sealed => "sealed",
        SecretSource::Sops | SecretSource::Plain => "values",
    };
    let mut values = json!({ "source": source });
    match input.cluster.secrets {
        SecretSource::External => {
            values["store"] = json!(input.namespace());
            values["path"] = json!(format!("{}/{}", input.namespace(), stage.word()));
        }
        SecretSource::Sealed => {
            let cluster = Cluster::new(input);
            for object in sealed(&cluster, secrets) {
                if let Some(name) = object["metadata"]["name"].as_str() {
                    values["sealed"][name] = object["spec"]["encryptedData"].clone();
                }
            }
        }
        SecretSource::Sops | SecretSource::Plain => {}
    }
    values["values"] = json!({});
    values
}

fn of_namespace(namespace: &Value) -> String {
    let mut template = Template::default();
    let mut object = namespace.clone();
    object["metadata"]["name"] = json!(template.inline(".Release.Namespace"));
    let mut annotations = Vec::new();
    for one in Mesh::ALL {
        let (labels, notes) = mesh::of_namespace(one);
        let condition = format!("{{{{- if eq .Values.mesh {:?} }}}}", one.word());
        if !labels.is_null() {
            object["metadata"]["labels"][one.word()] = template.instead(vec![
                condition.clone(),
                crate::yaml(&labels),
                "{{- end }}".to_owned(),
            ]);
        }
        if !notes.is_null() {
            let notes: String = crate::yaml(&notes)
                .lines()
                .map(|line| format!("  {line}\n"))
                .collect();
            annotations.extend([
                condition,
                "annotations:".to_owned(),
                notes,
                "{{- end }}".to_owned(),
            ]);
        }
    }
    object["metadata"]["annotations"] = template.instead(annotations);
    format!(
        "{{{{- if .Values.namespace.create }}}}\n{}{{{{- end }}}}\n",
        template.text(&object)
    )
}

/// The objects of an environment, below the conditions that they are there.
fn of_environment(input: &Input<'_>, objects: Vec<Value>) -> String {
    let mut text = String::new();
    let mut open = "";
    for object in objects {
        let (condition, object) = conditional(input, object);
        if condition != open {
            if !open.is_empty() {
                text.push_str("{{- end }}\n");
            }
            text.push_str(&format!("{{{{- if {condition} }}}}\n"));
            open = condition;
        }
        text.push_str("---\n");
        text.push_str(&object);
    }
    if !open.is_empty() {
        text.push_str("{{- end }}\n");
    }
    text
}

/// The condition that an object is there, and its template.
fn conditional(input: &Input<'_>, mut object: Value) -> (&'static str, String) {
    let mut template = Template::default();
    in_namespace(input, &mut template, &mut object);
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let condition = match kind.as_str() {
        "HTTPRoute" => ".Values.gateway.enabled",
        "Gateway" => {
            gateway(input, &mut template, &mut object);
            ".Values.gateway.enabled"
        }
        "Issuer" => {
            let server = template.inline(".Values.certificates.server | quote");
            if let Some(acme) = object
                .pointer_mut("/spec/acme")
                .and_then(Value::as_object_mut)
            {
                acme.insert("server".to_owned(), json!(server));
                let email = template.instead(vec![
                    "{{- with .Values.certificates.email }}".to_owned(),
                    "email: {{ . | quote }}".to_owned(),
                    "{{- end }}".to_owned(),
                ]);
                acme.insert("email".to_owned(), email);
            }
            ".Values.certificates.enabled"
        }
        "ResourceQuota" => {
            object["spec"]["hard"] = template.block(".Values.quota.hard");
            ".Values.quota.enabled"
        }
        "ExternalSecret" => {
            external(input, &mut template, &mut object);
            "eq .Values.secrets.source \"external\""
        }
        "SealedSecret" => {
            sealed_secret(&mut template, &mut object);
            "eq .Values.secrets.source \"sealed\""
        }
        _ => ".Values.limits.enabled",
    };
    (condition, template.text(&object))
}

/// Besides the listener without encryption, one for each host that a service has.
fn gateway(input: &Input<'_>, template: &mut Template, object: &mut Value) {
    object["spec"]["gatewayClassName"] =
        json!(template.inline(".Values.gateway.className | quote"));
    let listeners = object.pointer("/spec/listeners").cloned();
    let Some([plain, listener, ..]) = listeners
        .as_ref()
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    else {
        return;
    };
    let mut listener = listener.clone();
    listener["name"] = json!(template.inline(routes::listener("$host")));
    listener["hostname"] = json!(template.inline("$host | quote"));
    let certificate = format!("{}-tls", template.inline(routes::listener("$host")));
    listener["tls"]["certificateRefs"][0]["name"] = json!(certificate);
    let mut lines: Vec<String> = crate::yaml(&json!([plain]))
        .lines()
        .map(str::to_owned)
        .collect();
    lines.push(format!(
        "{{{{- range $host := include \"{}.hosts\" . | fromJsonArray }}}}",
        input.namespace()
    ));
    lines.extend(crate::yaml(&json!([listener])).lines().map(str::to_owned));
    lines.push("{{- end }}".to_owned());
    object["spec"]["listeners"] = template.below(lines);
}

fn external(input: &Input<'_>, template: &mut Template, object: &mut Value) {
    let prefix = format!("{}/{}", input.namespace(), Stage::Production.word());
    object["spec"]["secretStoreRef"]["name"] =
        json!(template.inline(".Values.secrets.store | quote"));
    for data in object["spec"]["data"].as_array_mut().into_iter().flatten() {
        let key = data["remoteRef"]["key"].as_str().unwrap_or_default();
        if let Some(rest) = key.strip_prefix(&prefix) {
            let key = format!("{}{rest}", template.inline(".Values.secrets.path"));
            data["remoteRef"]["key"] = json!(key);
        }
    }
}

fn sealed_secret(template: &mut Template, object: &mut Value) {
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    object["spec"]["template"]["metadata"]["namespace"] =
        json!(template.inline(".Release.Namespace"));
    let of = field(".Values.secrets.sealed", &name);
    if let Some(data) = object
        .pointer_mut("/spec/encryptedData")
        .and_then(Value::as_object_mut)
    {
        for (key, value) in data {
            *value = json!(template.inline(format!("{} | quote", field(&of, key))));
        }
    }
}

/// Secrets out of a file of values that is not committed, or that SOPS keeps.
fn of_values(input: &Input<'_>) -> String {
    let mut template = Template::default();
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": template.inline("$name"),
            "namespace": template.inline("$.Release.Namespace"),
            "labels": { "app.kubernetes.io/part-of": input.namespace() },
        },
        "type": "Opaque",
        "stringData": template.block("$data"),
    });
    format!(
        "{{{{- range $name, $data := .Values.secrets.values }}}}\n---\n{}{{{{- end }}}}\n",
        template.text(&object)
    )
}
