//! Routes as templates, and the hosts that they are for as values of their services.

use serde_json::{Map, Value, json};

use super::service::in_namespace;
use super::template::{Template, field};
use crate::kubernetes::object::Cluster;
use crate::kubernetes::{overlay, routes};
use crate::{Input, Stage, Workload};

/// The host of a range as the name of its listener.
pub(super) fn listener(host: &str) -> String {
    format!("{host} | replace \"*\" {:?}", routes::ANY)
}

/// Sets the hosts that services have in an environment.
pub(super) fn set_hosts(
    input: &Input<'_>,
    all: &[Workload<'_>],
    stage: Stage,
    services: &mut Map<String, Value>,
) {
    for one in all.iter().filter(|one| routes::is_routed(one)) {
        if let Some(service) = services.get_mut(one.name()) {
            service["hosts"] = json!(routes::hosts(input, one, stage));
        }
    }
}

/// The route of each service that has one; `None`: no service has.
pub(super) fn template(input: &Input<'_>, all: &[Workload<'_>]) -> Option<String> {
    let cluster = Cluster::new(input);
    let mut text = String::new();
    for one in all {
        let Some(mut object) = routes::route(&cluster, input, one, Stage::Production) else {
            continue;
        };
        let mut template = Template::default();
        in_namespace(input, &mut template, &mut object);
        let entry = match object["kind"].as_str() {
            Some("Ingress") => {
                ingress(&mut template, &mut object);
                "ingress"
            }
            _ => {
                http_route(&mut template, &mut object);
                "gateway"
            }
        };
        let mut conditions = format!(".Values.{entry}.enabled $service.enabled");
        if let Some(profile) = overlay::component(one) {
            let profile = profile.trim_start_matches("profile-");
            conditions.push_str(&format!(" {}", field(".Values.profiles", profile)));
        }
        text.push_str(&format!(
            "{{{{- $service := index .Values.services {:?} }}}}\n{{{{- if and {conditions} }}}}\n---\n{}{{{{- end }}}}\n",
            one.name(),
            template.text(&object)
        ));
    }
    (!text.is_empty()).then_some(text)
}

/// A parent for each host: the listener of that name.
fn http_route(template: &mut Template, object: &mut Value) {
    let Some(mut parent) = object.pointer("/spec/parentRefs/0").cloned() else {
        return;
    };
    parent["sectionName"] = json!(template.inline(listener(".")));
    object["spec"]["parentRefs"] = each_host(template, &parent);
    object["spec"]["hostnames"] = template.block("$service.hosts");
}

/// One rule for each host, all alike.
fn ingress(template: &mut Template, object: &mut Value) {
    let Some(mut rule) = object.pointer("/spec/rules/0").cloned() else {
        return;
    };
    rule["host"] = json!(template.inline(". | quote"));
    object["spec"]["rules"] = each_host(template, &rule);
    if let Some(tls) = object.pointer_mut("/spec/tls/0/hosts") {
        *tls = template.block("$service.hosts");
    }
    let class = template.instead(vec![
        "{{- with $.Values.ingress.className }}".to_owned(),
        "ingressClassName: {{ . | quote }}".to_owned(),
        "{{- end }}".to_owned(),
    ]);
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.shift_insert(0, "ingressClassName".to_owned(), class);
    }
}

/// An entry of a list for each host of the service.
fn each_host(template: &mut Template, entry: &Value) -> Value {
    let mut lines = vec!["{{- range $service.hosts }}".to_owned()];
    lines.extend(crate::yaml(&json!([entry])).lines().map(str::to_owned));
    lines.push("{{- end }}".to_owned());
    template.below(lines)
}
