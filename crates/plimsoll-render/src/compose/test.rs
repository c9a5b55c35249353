//! `compose.test.yaml`: one service that runs the project's tests against the running stack.

use serde_json::{Map, Value, json};

use super::document::{literals, reset, text, with_required};
use super::service::dependency;
use super::stack::Stack;
use crate::{Fidelity, Loss, Rendering, Role, Workload};
use plimsoll_model::{Dependency, DependencyCondition, RecipeKind};

/// Writes the file.
pub(super) fn write(stack: &Stack<'_>, rendering: &mut Rendering) {
    let tested = stack
        .all
        .iter()
        .filter(|one| {
            stack.build(one, "test").is_some()
                && (one.is_daemon() || one.role == Role::Stdio)
                && one.service.network_mode.is_none()
        })
        .min_by_key(|one| {
            let language = match one.service.recipe.as_ref().map(|recipe| &recipe.kind) {
                Some(RecipeKind::Python(_)) => 0,
                Some(RecipeKind::Go(_) | RecipeKind::Rust(_)) => 1,
                Some(RecipeKind::NodeServer(_)) => 2,
                _ => 3,
            };
            (language, one.role != Role::Web, one.name())
        });
    let Some(tested) = tested else {
        rendering.losses.push(Loss::new(
            Fidelity::Approximate,
            "compose.test.yaml",
            "no service that serves is assembled from source: there is nothing to test with",
        ));
        return;
    };
    let Some(name) = stack.free_name(&["test", "tests", "integration-test"]) else {
        return;
    };
    let mut services = Map::new();
    if !stack.is_found() {
        for one in &stack.all {
            if let Some(build) = stack.build(one, "production") {
                let mut value = json!({ "build": build });
                stack.amend(one, &mut value);
                if let Some(command) = one.lasting_command(&mut Vec::new()) {
                    value["command"] = json!(literals(&command));
                }
                stack.without_source(one, &mut value);
                services.insert(one.name().to_owned(), value);
            }
        }
    }
    services.insert(name.to_owned(), test(stack, tested));
    let base = stack.base_file();
    let about = format!(
        "\n    docker compose -f {base} -f compose.test.yaml up --build --abort-on-container-exit --exit-code-from {name}\n\n\
         Runs the tests of `{}` beside the running stack. NAME_URL leads to each service.",
        tested.name()
    );
    rendering.file(
        "compose.test.yaml",
        text(stack.input, &about, json!({ "services": services })),
    );
}

fn test(stack: &Stack<'_>, tested: &Workload<'_>) -> Value {
    let mut environment = Map::new();
    if stack.is_found() {
        for (name, value) in &tested.service.environment {
            let value = value
                .value
                .as_deref()
                .map_or(Value::Null, |value| json!(with_required(value)));
            environment.insert(name.clone(), value);
        }
    }
    for one in &stack.all {
        if let Some(listener) = one.main().filter(|listener| listener.http) {
            let variable = one.name().to_ascii_uppercase().replace(['-', '.'], "_");
            environment.insert(
                format!("{variable}_URL"),
                json!(format!("http://{}:{}", one.name(), listener.port)),
            );
        }
    }
    let healthy = Dependency {
        condition: DependencyCondition::ServiceHealthy,
        required: true,
        restart: false,
    };
    let depends_on: Map<String, Value> = stack
        .all
        .iter()
        .filter(|one| one.is_daemon() && one.service.profiles.is_empty())
        .map(|one| (one.name().to_owned(), dependency(healthy, Some(one))))
        .collect();
    let mut networks: Vec<&String> = stack
        .all
        .iter()
        .filter(|one| one.main().is_some())
        .flat_map(|one| &stack.networks[one.name()])
        .collect();
    networks.sort();
    networks.dedup();
    let mut value = json!({
        "build": stack.build(tested, "test"),
        "image": format!("{}-test:dev", stack.input.project.name),
        "environment": environment,
        "depends_on": depends_on,
        "networks": networks,
        "restart": "no",
    });
    if !stack.is_found() {
        // Its variables are the service's own, which the base alone knows before interpolation.
        value["extends"] = json!({ "file": stack.base_file(), "service": tested.name() });
        value["healthcheck"] = json!({ "disable": true });
        if !tested.service.ports.is_empty() {
            value["ports"] = reset(json!([]));
        }
        if tested.service.command.is_some() {
            value["command"] = json!(test_command(tested));
        }
        if tested.service.container_name.is_some() {
            value["container_name"] = json!(format!("{}-test", stack.input.project.name));
        }
        stack.without_source(tested, &mut value);
        // Networks of the service come along with the rest.
        let own = &stack.networks[tested.name()];
        networks.retain(|name| !own.contains(*name));
        value["networks"] = json!(networks);
    }
    value
}

fn test_command(tested: &Workload<'_>) -> &'static [&'static str] {
    match tested.service.recipe.as_ref().map(|recipe| &recipe.kind) {
        Some(RecipeKind::Go(_)) => &["go", "test", "./..."],
        Some(RecipeKind::Rust(_)) => &["cargo", "test", "--locked"],
        Some(RecipeKind::NodeServer(_) | RecipeKind::StaticSite(_)) => &["npm", "run", "test"],
        _ => &["python", "-m", "pytest", "-p", "no:cacheprovider"],
    }
}
