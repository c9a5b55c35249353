//! `compose.dev.yaml`: changed files reach running services, debuggers find a port, stores can be
//! looked into.

use std::path::{Path, PathBuf};

use plimsoll_model::facts::NeedKind;
use plimsoll_model::{PythonDependencies, RecipeKind};
use serde_json::{Map, Value, json};

use super::document::{literals, text};
use super::stack::Stack;
use crate::dockerfile::node::{START, development_script};
use crate::dockerfile::{Place, python};
use crate::{Rendering, Workload};

/// The profile of tools for people.
const TOOLS: &str = "tools";

/// What changes without meaning anything.
const NOISE: [&str; 6] = [
    ".venv/",
    "node_modules/",
    "__pycache__/",
    ".pytest_cache/",
    "dist/",
    ".git/",
];

/// Writes the file.
pub(super) fn write(stack: &Stack<'_>, rendering: &mut Rendering) {
    let mut services = Map::new();
    let mut debug_ports = 0;
    for one in &stack.all {
        let value = match one.store {
            Some(_) => datastore(one),
            None => service(stack, one, &mut debug_ports),
        };
        services.insert(one.name().to_owned(), value);
    }
    let front = tools(stack, &mut services);
    let networks: Map<String, Value> = stack
        .internal()
        .into_iter()
        .filter(|name| stack.networks.values().any(|names| names.contains(name)))
        .map(|name| (name, json!({ "internal": false })))
        .collect();
    let base = stack.base_file();
    let about = format!(
        "\n    docker compose -f {base} -f compose.dev.yaml up --build --watch\n\n\
         Changed files are copied into the containers. Debuggers and stores are on loopback.\n\
         `--profile {TOOLS}` adds a look into the stores{}.",
        match front.is_empty() {
            true => String::new(),
            false => format!(": {}", front.join(", ")),
        }
    );
    let value = json!({ "services": services, "networks": networks });
    rendering.file("compose.dev.yaml", text(stack.input, &about, value));
}

fn service(stack: &Stack<'_>, one: &Workload<'_>, debug_ports: &mut u16) -> Value {
    let mut value = json!({});
    let Some(build) = stack.build(one, "dev") else {
        return json!({ "environment": levels(stack, one) });
    };
    value["build"] = build;
    value["image"] = json!(format!("{}-{}:dev", stack.input.project.name, one.name()));
    let Some(recipe) = &one.service.recipe else {
        return value;
    };
    stack.amend(one, &mut value);
    stack.without_source(one, &mut value);
    let command = Stack::command(one);
    let mut environment = levels(stack, one);
    match &recipe.kind {
        RecipeKind::Python(_) => {
            let reloading = python::reloading(&command);
            if let Some(words) = python::debugged(&reloading) {
                value["command"] = json!(literals(&words));
                value["ports"] = json!([debug_port(one, python::DEBUG_PORT, *debug_ports)]);
                *debug_ports += 1;
            } else if reloading.len() != command.len() {
                value["command"] = json!(literals(&reloading));
            }
        }
        RecipeKind::NodeServer(_) => {
            value["ports"] = json!([debug_port(one, 9229, *debug_ports)]);
            *debug_ports += 1;
            environment.insert("NODE_OPTIONS".to_owned(), json!("--inspect=0.0.0.0:9229"));
        }
        RecipeKind::StaticSite(_) => {
            // The bundler's server knows no path for health.
            value["healthcheck"] = json!({
                "test": ["CMD", "node", "-e",
                    "fetch('http://127.0.0.1:8080/').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"],
            });
        }
        _ => {}
    }
    value["environment"] = Value::Object(environment);
    value["develop"] = json!({ "watch": watch(stack, one) });
    value
}

/// The port of a debugger on loopback, each service's its own.
fn debug_port(one: &Workload<'_>, port: u16, taken: u16) -> String {
    let variable = one.name().to_ascii_uppercase().replace(['-', '.'], "_");
    format!(
        "127.0.0.1:${{{variable}_DEBUG_PORT:-{}}}:{port}",
        port + taken
    )
}

/// Variables that say how much is logged.
fn levels(stack: &Stack<'_>, one: &Workload<'_>) -> Map<String, Value> {
    stack
        .input
        .project
        .variables
        .iter()
        .filter(|variable| {
            (variable.name == "LOG_LEVEL" || variable.name.ends_with("_LOG_LEVEL"))
                && variable.services.iter().any(|name| name == one.name())
        })
        .map(|variable| {
            let is_small = variable
                .default
                .as_ref()
                .is_some_and(|default| default.chars().any(|c| c.is_ascii_lowercase()));
            let level = if is_small { "debug" } else { "DEBUG" };
            (variable.name.clone(), json!(level))
        })
        .collect()
}

/// What happens when files change.
fn watch(stack: &Stack<'_>, one: &Workload<'_>) -> Vec<Value> {
    let Some(recipe) = &one.service.recipe else {
        return Vec::new();
    };
    let Some(place) = Place::of(stack.input, recipe) else {
        return Vec::new();
    };
    let here = |path: &Path| match place.path(path).as_str() {
        "." => ".".to_owned(),
        path => format!("./{path}"),
    };
    let context = here(Path::new(""));
    let node = |root: &Path, lock: &Option<PathBuf>| {
        let files = [Some(root.join("package.json")), lock.clone()];
        files.into_iter().flatten().collect()
    };
    let (action, installs): (_, Vec<PathBuf>) = match &recipe.kind {
        RecipeKind::Python(python) => {
            let action = match python::reloads(&Stack::command(one)) {
                true => "sync",
                false => "sync+restart",
            };
            (action, manifests(python))
        }
        RecipeKind::StaticSite(site) => ("sync", node(&site.root, &site.lock)),
        RecipeKind::NodeServer(server) => {
            let action = match development_script(stack.input, recipe, &server.root) {
                START => "sync+restart",
                _ => "sync",
            };
            (action, node(&server.root, &server.lock))
        }
        _ => return vec![json!({ "action": "rebuild", "path": context })],
    };
    let mut rules = vec![json!({
        "action": action,
        "path": context,
        // Where the image has the sources, whoever made it.
        "target": "/app",
        "ignore": NOISE,
    })];
    for file in installs {
        rules.push(json!({ "action": "rebuild", "path": here(&file) }));
    }
    rules
}

/// Files that say what a Python application installs.
fn manifests(python: &plimsoll_model::PythonRecipe) -> Vec<PathBuf> {
    match &python.dependencies {
        PythonDependencies::UvLock { lock, .. } | PythonDependencies::Lock { lock, .. } => {
            vec![lock.clone()]
        }
        PythonDependencies::Requirements { files } => files.clone(),
        PythonDependencies::Pyproject { file } => vec![file.clone()],
        PythonDependencies::None => Vec::new(),
    }
}

/// A store on loopback, for clients of the developer's machine.
fn datastore(one: &Workload<'_>) -> Value {
    let ports: Vec<String> = one
        .listeners
        .iter()
        .filter(|listener| listener.published.is_empty())
        .map(|listener| {
            let variable = one.name().to_ascii_uppercase().replace(['-', '.'], "_");
            format!(
                "127.0.0.1:${{{variable}_PORT:-{port}}}:{port}",
                port = listener.port
            )
        })
        .collect();
    json!({ "ports": ports })
}

/// Programs to look into stores with; gives their addresses.
fn tools(stack: &Stack<'_>, services: &mut Map<String, Value>) -> Vec<String> {
    let mut addresses = Vec::new();
    let mut port = 5050;
    for store in stack.datastores() {
        let host = store.name();
        let networks: Vec<&String> = stack.networks[host].iter().collect();
        let (name, mut value, inner) = match store.store.and_then(|store| store.kind) {
            Some(NeedKind::Postgres) => (
                "pgadmin",
                json!({
                    "image": "dpage/pgadmin4:9",
                    "environment": {
                        "PGADMIN_DEFAULT_EMAIL": "dev@example.com",
                        "PGADMIN_DEFAULT_PASSWORD": "${PGADMIN_PASSWORD:-pgadmin}",
                        "PGADMIN_CONFIG_SERVER_MODE": "False",
                        "PGADMIN_CONFIG_MASTER_PASSWORD_REQUIRED": "False",
                    },
                }),
                80,
            ),
            Some(NeedKind::Mysql) => (
                "adminer",
                json!({
                    "image": "adminer:5",
                    "environment": { "ADMINER_DEFAULT_SERVER": host },
                }),
                8080,
            ),
            Some(NeedKind::Redis) => (
                "redis-commander",
                json!({
                    "image": "rediscommander/redis-commander:latest",
                    "environment": { "REDIS_HOSTS": format!("{host}:{host}:6379") },
                }),
                8081,
            ),
            Some(NeedKind::Mongodb) => (
                "mongo-express",
                json!({
                    "image": "mongo-express:1",
                    "environment": { "ME_CONFIG_MONGODB_SERVER": host },
                }),
                8081,
            ),
            _ => continue,
        };
        if services.contains_key(name) {
            continue;
        }
        value["profiles"] = json!([TOOLS]);
        value["ports"] = json!([format!("127.0.0.1:{port}:{inner}")]);
        if !networks.is_empty() {
            value["networks"] = json!(networks);
        }
        value["depends_on"] = json!({ host: { "condition": "service_started" } });
        services.insert(name.to_owned(), value);
        addresses.push(format!("{name} at http://127.0.0.1:{port}"));
        port += 1;
    }
    addresses
}
