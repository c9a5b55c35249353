//! A Helm chart out of the objects that the target `kubernetes` gives: where an environment or a
//! team sets something otherwise, a value stands in the object's place. There is no second set of
//! manifests, so what the chart gives for an environment is what its overlay gives.

mod environment;
mod notes;
mod routes;
mod service;
mod template;
mod tests;
mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::header::header;
use crate::kubernetes::{self, overlay, scaling};
use crate::{Fidelity, Input, Loss, Rendering, Stage, Workload, workloads, yaml};

/// The directory of the chart.
pub(crate) fn place(input: &Input<'_>) -> String {
    format!("charts/{}", input.namespace())
}

/// Renders the chart.
pub fn render(input: &Input<'_>) -> Rendering {
    let (cluster, given) = kubernetes::objects(input);
    let mut rendering = Rendering {
        losses: given.losses,
        ..Rendering::default()
    };
    let all = workloads(input);
    let by_name: BTreeMap<String, &Workload<'_>> = all
        .iter()
        .map(|one| (format!("{}.yaml", one.name()), one))
        .collect();
    let place = place(input);
    let head = header(input, "helm");
    let mut services = Map::new();
    let mut profiles = Map::new();
    let mut namespace = Value::Null;
    for (file, objects) in cluster.files() {
        let path = format!("{place}/templates/{file}");
        if file == "namespace.yaml" {
            namespace = objects.first().cloned().unwrap_or_default();
            continue;
        }
        let templated = service::templated(input, objects);
        let Some(one) = by_name.get(file) else {
            rendering.file(path, format!("{head}{}", templated.text));
            continue;
        };
        let mut condition = "$service.enabled".to_owned();
        if let Some(profile) = overlay::component(one) {
            let profile = profile.trim_start_matches("profile-").to_owned();
            let way = template::field(".Values.profiles", &profile);
            condition = format!("and {condition} {way}");
            profiles.insert(profile, json!(true));
        }
        services.insert(one.name().to_owned(), Value::Object(templated.values));
        rendering.file(
            path,
            format!(
                "{head}{{{{- $service := index .Values.services {:?} }}}}\n{{{{- if {condition} }}}}\n{}{{{{- end }}}}\n",
                one.name(),
                templated.text
            ),
        );
    }
    for (file, text) in environment::templates(input, &all, &namespace) {
        rendering.file(format!("{place}/templates/{file}"), format!("{head}{text}"));
    }
    let of_stage: Vec<Value> = Stage::ALL
        .iter()
        .map(|&stage| of_stage(input, &all, &services, &profiles, stage))
        .collect();
    let [development, staging, production] = of_stage.as_slice() else {
        return rendering;
    };
    rendering.file(
        format!("{place}/values.yaml"),
        commented_values(&head, production),
    );
    for (stage, values) in Stage::ALL.iter().zip(&of_stage) {
        let different = values::differences(production, &[development, staging], values);
        rendering.file(
            format!("{place}/values-{}.yaml", stage.word()),
            format!("{head}\n{}", yaml(&different)),
        );
    }
    rendering.file(
        format!("{place}/values.schema.json"),
        crate::json(&values::schema(production)),
    );
    rendering.file(
        format!("{place}/Chart.yaml"),
        format!("{head}\n{}", chart(input)),
    );
    rendering.file(format!("{place}/.helmignore"), ".git/\n*.swp\n*.tmp\n");
    rendering.file(format!("{place}/templates/_helpers.tpl"), helpers(input));
    rendering.file(
        format!("{place}/templates/NOTES.txt"),
        notes::notes(input, &all),
    );
    for (name, text) in tests::pods(input, &all) {
        rendering.file(
            format!("{place}/templates/tests/{name}.yaml"),
            format!("{head}{text}"),
        );
    }
    losses(input, &mut rendering);
    rendering
}

/// The values of one environment.
fn of_stage(
    input: &Input<'_>,
    all: &[Workload<'_>],
    services: &Map<String, Value>,
    profiles: &Map<String, Value>,
    stage: Stage,
) -> Value {
    let mut services = services.clone();
    for one in all {
        if let Some((least, most)) = scaling::bounds_in(one, stage)
            && let Some(scaling) = services
                .get_mut(one.name())
                .and_then(|service| service.get_mut("autoscaling"))
        {
            scaling["minReplicas"] = json!(least);
            scaling["maxReplicas"] = json!(most);
        }
    }
    routes::set_hosts(input, all, stage, &mut services);
    let mut values = json!({ "services": services });
    if !profiles.is_empty() {
        values["profiles"] = json!(profiles);
    }
    if let (Some(values), Value::Object(rest)) = (
        values.as_object_mut(),
        environment::values(input, all, stage),
    ) {
        values.extend(rest);
    }
    if tests::pods(input, all).next().is_some() {
        values["tests"] = json!({ "image": tests::IMAGE });
    }
    values
}

/// What each part of the values is for.
const PARTS: &[(&str, &str)] = &[
    (
        "services",
        "Services by name. One that runs elsewhere is switched off by `enabled: false`. A `digest`\nstands above a `tag`: pipelines set it. `extraEnvironment` takes entries as a container's `env` has.",
    ),
    (
        "profiles",
        "Services that run only where their profile does.",
    ),
    (
        "imagePullSecrets",
        "Secrets by which nodes sign in to a private registry: `- name: registry`.",
    ),
    (
        "namespace",
        "Whether the chart makes its namespace. `helm install` makes none with labels: NOTES.txt says how.",
    ),
    (
        "gateway",
        "The Gateway that routes hang on, and its class in this cluster.",
    ),
    (
        "ingress",
        "Whether requests are let in, and by which class of this cluster; empty: its default.",
    ),
    (
        "certificates",
        "Who gives certificates, through an Issuer of cert-manager, and who is told that one ends.",
    ),
    ("limits", "What a container gets that asks for nothing."),
    ("quota", "What the namespace may use in all."),
    (
        "secrets",
        "Where values of secrets come from: `external` (a store, by the External Secrets operator),\n`sealed` (Sealed Secrets), or `values`: NAME: { KEY: value } under `values`, in a file that is\nnever committed as it is. Secrets that are there already need nothing.",
    ),
    (
        "mesh",
        "The mesh that encrypts between pods: `istio`, `linkerd`, or none.",
    ),
    ("tests", "What `helm test` asks services with."),
];

fn commented_values(head: &str, values: &Value) -> String {
    let mut text = format!(
        "{head}#\n# The values of production. The other files say what differs between environments.\n"
    );
    for (key, value) in values.as_object().into_iter().flatten() {
        text.push('\n');
        if let Some((_, about)) = PARTS.iter().find(|(part, _)| part == key) {
            for line in about.lines() {
                text.push_str(&format!("# {line}\n"));
            }
        }
        text.push_str(&yaml(&json!({ (key): value })));
    }
    text
}

fn chart(input: &Input<'_>) -> String {
    yaml(&json!({
        "apiVersion": "v2",
        "name": input.namespace(),
        "description": format!("The services of {}.", input.namespace()),
        "type": "application",
        "version": "0.1.0",
        // Pods sleep before they stop, which older clusters do not know.
        "kubeVersion": ">=1.30.0-0",
    }))
}

fn helpers(input: &Input<'_>) -> String {
    let name = &input.namespace();
    format!(
        "{{{{/* The reference of an image: its digest stands above its tag. */}}}}
{{{{- define \"{name}.image\" -}}}}
{{{{ .repository }}}}{{{{ with .tag }}}}:{{{{ . }}}}{{{{ end }}}}{{{{ with .digest }}}}@{{{{ . }}}}{{{{ end }}}}
{{{{- end }}}}

{{{{/* Every host name of a service that runs, as a JSON list. */}}}}
{{{{- define \"{name}.hosts\" -}}}}
{{{{- $hosts := list -}}}}
{{{{- range .Values.services -}}}}
{{{{- if .enabled -}}}}
{{{{- $hosts = concat $hosts (.hosts | default list) -}}}}
{{{{- end -}}}}
{{{{- end -}}}}
{{{{- $hosts | uniq | sortAlpha | toJson -}}}}
{{{{- end }}}}
"
    )
}

fn losses(input: &Input<'_>, rendering: &mut Rendering) {
    let all = workloads(input);
    let mut more = Vec::new();
    kubernetes::secrets::losses(input, &kubernetes::secrets::secrets(input, &all), &mut more);
    kubernetes::mesh::losses(input, &mut more);
    for loss in more {
        // A chart takes values of any source.
        if loss.fidelity != Fidelity::Refused && !rendering.losses.contains(&loss) {
            rendering.losses.push(loss);
        }
    }
    if all.iter().any(|one| !one.is_daemon()) {
        rendering.losses.push(Loss::new(
            Fidelity::Approximate,
            "services",
            "an upgrade makes each job anew, beside the new pods: what starts before its migration is restarted until that is done",
        ));
    }
}
