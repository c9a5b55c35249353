//! `compose.yaml` of a project that has none: standard keys only, for `docker compose up`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::document::{literals, references, text, with_required};
use super::service::{dependency, file_variable, healthcheck, mount, port, restart, secret_name};
use super::stack::{BACK, Stack};
use crate::{Fidelity, Loss, Rendering, Workload};

/// Writes the file.
pub(super) fn write(stack: &Stack<'_>, rendering: &mut Rendering) {
    let mut secrets = Map::new();
    let services: Map<String, Value> = stack
        .all
        .iter()
        .map(|one| {
            (
                one.name().to_owned(),
                service(stack, one, &mut secrets, rendering),
            )
        })
        .collect();
    let used: BTreeSet<&String> = stack.networks.values().flatten().collect();
    let networks: Map<String, Value> = used
        .into_iter()
        .map(|name| {
            let settings = match name == BACK {
                true => json!({ "internal": true }),
                false => Value::Null,
            };
            (name.clone(), settings)
        })
        .collect();
    let volumes: Map<String, Value> = stack
        .input
        .project
        .volumes
        .keys()
        .map(|name| (name.clone(), Value::Null))
        .collect();
    let about = "\n    docker compose up --build\n\n\
        Passwords are read from `.env`: copy `.env.example`. Networks: `front` is what people reach,\n\
        `back` leads nowhere else, `egress` reaches other people's services.";
    let value = json!({
        "name": stack.input.project.name,
        "services": services,
        "networks": networks,
        "volumes": volumes,
        "secrets": secrets,
    });
    rendering.file("compose.yaml", text(stack.input, about, value));
}

fn service(
    stack: &Stack<'_>,
    one: &Workload<'_>,
    secrets: &mut Map<String, Value>,
    rendering: &mut Rendering,
) -> Value {
    let service = one.service;
    let mut value = json!({ "image": stack.image(one) });
    if let Some(build) = stack.build(one, "production") {
        value["build"] = build;
    }
    if let Some(command) = &service.command {
        value["command"] = json!(literals(&command.value.0));
    }
    let (environment, files) = environment(stack, one, secrets);
    value["environment"] = Value::Object(environment);
    value["secrets"] = json!(files);
    value["ports"] = service
        .ports
        .iter()
        .map(|published| port(&published.value))
        .collect();
    value["volumes"] = service
        .volumes
        .iter()
        .filter_map(|it| mount(&it.value, &stack.input.project.directory))
        .collect();
    let networks: Vec<&String> = stack.networks[one.name()].iter().collect();
    match &service.network_mode {
        Some(mode) => match &mode.value {
            plimsoll_model::NetworkMode::Service(other) => {
                value["network_mode"] = json!(format!("service:{other}"));
            }
            plimsoll_model::NetworkMode::None => value["network_mode"] = json!("none"),
            plimsoll_model::NetworkMode::Host => value["network_mode"] = json!("host"),
            _ => {}
        },
        None => value["networks"] = json!(networks),
    }
    let depends_on: Map<String, Value> = service
        .depends_on
        .iter()
        .map(|(name, it)| {
            let on = stack.all.iter().find(|other| other.name() == name);
            (name.clone(), dependency(it.value, on))
        })
        .collect();
    value["depends_on"] = Value::Object(depends_on);
    match healthcheck(one) {
        Some(check) => value["healthcheck"] = check,
        None if one.probe.is_some() => rendering.losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.healthcheck", one.name()),
                "its image has no program that could ask; who waits for it waits until it has started",
            )
            .at(service.span.clone()),
        ),
        None => {}
    }
    if let Some(policy) = restart(&service.restart.value) {
        value["restart"] = json!(policy);
    }
    if service.stdin_open {
        value["stdin_open"] = json!(true);
    }
    if service.tty {
        value["tty"] = json!(true);
    }
    value["profiles"] = json!(service.profiles);
    value
}

/// The environment, and the secrets that stand for a part of it.
fn environment(
    stack: &Stack<'_>,
    one: &Workload<'_>,
    secrets: &mut Map<String, Value>,
) -> (Map<String, Value>, Vec<String>) {
    let mut environment = Map::new();
    let mut files = Vec::new();
    let kind = one.store.and_then(|store| store.kind);
    for (name, value) in &one.service.environment {
        let reference = value
            .value
            .as_deref()
            .and_then(|value| references(value).into_iter().next());
        match (&value.value, file_variable(kind, name), reference) {
            (Some(_), Some(file), Some(variable)) => {
                let secret = secret_name(&variable);
                secrets.insert(secret.clone(), json!({ "environment": variable }));
                environment.insert(file, json!(format!("/run/secrets/{secret}")));
                if !files.contains(&secret) {
                    files.push(secret);
                }
            }
            (Some(value), _, _) => {
                environment.insert(name.clone(), json!(with_required(value)));
            }
            (None, _, _) => {
                let is_required = stack
                    .input
                    .project
                    .variables
                    .iter()
                    .any(|variable| variable.name == *name && variable.required);
                let value = match is_required {
                    true => json!(format!("${{{name}:?set it in .env}}")),
                    false => Value::Null,
                };
                environment.insert(name.clone(), value);
            }
        }
    }
    (environment, files)
}
