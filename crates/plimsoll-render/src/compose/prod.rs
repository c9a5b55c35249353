//! `compose.prod.yaml`: nothing of the source mounted, nothing writable that need not be, limits for
//! everything, stores where nothing but their users reach them, and one door in front.

use std::net::Ipv4Addr;

use plimsoll_model::Port;
use serde_json::{Map, Value, json};

use super::document::{literals, replaced, reset, text};
use super::service::{file_variable, secret_name};
use super::stack::{DATABASE, FRONT, Stack};
use super::{hardening, proxy};
use crate::addresses::{self, Addresses};
use crate::dockerfile::USER;
use crate::{Fidelity, Loss, Rendering, Role, Workload};

/// Where the proxy's configuration goes.
const CADDYFILE: &str = "proxy/Caddyfile";

/// Writes the file, and the proxy's.
pub(super) fn write(stack: &Stack<'_>, rendering: &mut Rendering) {
    let mut services = Map::new();
    let mut secrets = Map::new();
    let routed: Vec<String> = stack
        .routed()
        .iter()
        .map(|one| one.name().to_owned())
        .collect();
    let own_door = stack.own_door().map(|one| one.name());
    let proxy = match routed.is_empty() || own_door.is_some() {
        true => None,
        false => stack.free_name(&["proxy", "edge", "gateway-proxy"]),
    };
    let has_door = proxy.is_some() || own_door.is_some();
    let mut networks = Map::new();
    for one in &stack.all {
        services.insert(
            one.name().to_owned(),
            service(
                stack,
                one,
                has_door && own_door != Some(one.name()),
                &mut secrets,
                rendering,
            ),
        );
    }
    for store in stack.datastores() {
        networks.insert(DATABASE.to_owned(), json!({ "internal": true }));
        let aliases = store
            .service
            .networks
            .values()
            .flat_map(|attachment| attachment.aliases.clone())
            .collect::<Vec<_>>();
        let settings = match aliases.is_empty() {
            true => Value::Null,
            false => json!({ "aliases": aliases }),
        };
        if let Some(service) = services.get_mut(store.name()) {
            service["networks"] = replaced(json!({ DATABASE: settings }));
        }
        for user in stack.users(store) {
            join(&mut services, user, DATABASE);
        }
    }
    let mut volumes = Map::new();
    if let Some(name) = proxy {
        networks.insert(FRONT.to_owned(), Value::Null);
        for one in &routed {
            join(&mut services, one, FRONT);
        }
        let found = proxy::found_at(stack);
        for one in &stack.all {
            if let Some(value) = services.get_mut(one.name()) {
                behind_door(stack, one, &found, value, &mut rendering.losses);
            }
        }
        services.insert(name.to_owned(), door(stack, &routed));
        let caddyfile = proxy::caddyfile(stack, &mut rendering.losses);
        rendering.file(CADDYFILE, caddyfile);
        volumes.insert("proxy-certificates".to_owned(), Value::Null);
        volumes.insert("proxy-configuration".to_owned(), Value::Null);
    }
    keep_default(stack, &mut services);
    if let Some(door) = stack.own_door() {
        rendering.losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.ports", door.name()),
                "it takes encrypted requests already, so no other proxy stands in front of it",
            )
            .at(door.service.span.clone())
            .hint("without its port 443 there would be one, with certificates"),
        );
    }
    if !stack.is_found() {
        keep_known(stack, &mut networks);
    }
    let base = stack.base_file();
    let mut about = format!(
        "\n    docker compose -f {base} -f compose.prod.yaml up --detach\n\n\
         VERSION chooses the images that run."
    );
    if proxy.is_some() {
        about.push_str(&format!(
            " DOMAIN is the name that people type: the proxy\ngets its certificate ({CADDYFILE})."
        ));
    }
    if !secrets.is_empty() {
        let names: Vec<String> = secrets
            .values()
            .filter_map(|secret| secret["environment"].as_str().map(str::to_owned))
            .collect();
        about.push_str(&format!(
            "\nGiven to stores as files, from the environment or `.env`: {}.",
            names.join(", ")
        ));
    }
    let value = json!({
        "services": services,
        "networks": networks,
        "volumes": volumes,
        "secrets": secrets,
    });
    rendering.file("compose.prod.yaml", text(stack.input, &about, value));
}

/// Leaves services in the network that they are in without a word, beside those of the overlay: it
/// is where they find one another, and their way out. Stores stay out of it.
fn keep_default(stack: &Stack<'_>, services: &mut Map<String, Value>) {
    if stack.is_found() {
        return;
    }
    for one in stack.all.iter().filter(|one| one.store.is_none()) {
        let is_implied = one.service.networks.keys().eq(["default"]);
        let joined = services
            .get_mut(one.name())
            .and_then(|service| service.get_mut("networks"))
            .and_then(Value::as_object_mut);
        if let Some(joined) = joined.filter(|_| is_implied) {
            joined.insert("default".to_owned(), Value::Null);
        }
    }
}

/// A network that the base knows already keeps its own settings.
fn keep_known(stack: &Stack<'_>, networks: &mut Map<String, Value>) {
    for name in stack.input.project.networks.keys() {
        networks.remove(name);
    }
}

fn join(services: &mut Map<String, Value>, service: &str, network: &str) {
    let Some(service) = services.get_mut(service) else {
        return;
    };
    let networks = service["networks"].as_object().cloned().unwrap_or_default();
    let mut networks = networks;
    match networks.get_mut("!override").and_then(Value::as_object_mut) {
        Some(inner) => inner.insert(network.to_owned(), Value::Null),
        None => networks.insert(network.to_owned(), Value::Null),
    };
    service["networks"] = Value::Object(networks);
}

fn service(
    stack: &Stack<'_>,
    one: &Workload<'_>,
    has_door: bool,
    secrets: &mut Map<String, Value>,
    rendering: &mut Rendering,
) -> Value {
    let subject = |key: &str| format!("services.{}.{key}", one.name());
    let mut value = json!({});
    rendering.losses.extend(one.moving_image());
    if !stack.is_found()
        && let Some(build) = stack.build(one, "production")
    {
        value["build"] = build;
    }
    if one.service.image.is_none() && Stack::is_assembled(one) {
        value["image"] = json!(stack.image(one));
    }
    stack.amend(one, &mut value);
    stack.without_source(one, &mut value);
    if let Some(command) = one.lasting_command(&mut rendering.losses) {
        value["command"] = json!(literals(&command));
    }
    if let Some(home) = one.mounted_home() {
        value["environment"]["HOME"] = json!(home);
        rendering.losses.push(
            Loss::new(
                Fidelity::Approximate,
                subject("volumes"),
                "its mounts are for a user of another image, whose home becomes the home of this one's",
            )
            .at(one.service.span.clone())
            .hint(format!(
                "give directories of the host that it writes to its user: `chown -R {USER}:{USER} DIRECTORY`"
            )),
        );
    }
    let given = stores_secrets(stack, one, secrets, &mut value, rendering);
    let copied = given || hardening::has_copied_secrets(stack.input, one);
    read_only(one, copied, &mut value, rendering);
    if one.service.privileged.as_ref().is_some_and(|it| it.value) || hardening::sees_engine(one) {
        rendering.losses.push(
            Loss::new(
                Fidelity::Approximate,
                subject("cap_drop"),
                "it governs the host by what it is given: no capability is taken from it",
            )
            .at(one.service.span.clone()),
        );
    } else {
        capabilities(one, &mut value, &mut rendering.losses);
    }
    if Stack::is_assembled(one) && one.service.init.is_none() {
        value["init"] = json!(true);
    }
    let usual = one.usual_limits();
    let said = &one.service.limits;
    let mut limits = Map::new();
    if said.cpus.is_none() {
        limits.insert("cpus".to_owned(), json!(format!("{:.1}", usual.cpus)));
    }
    if said.memory.is_none() {
        limits.insert("memory".to_owned(), json!(mebibytes(usual.mebibytes)));
    }
    if said.pids.is_none() {
        limits.insert("pids".to_owned(), json!(usual.pids));
    }
    value["deploy"] = json!({ "resources": { "limits": limits } });
    if one.is_daemon() {
        value["restart"] = json!("unless-stopped");
    }
    value["logging"] = json!({
        "driver": "json-file",
        "options": { "max-size": "10m", "max-file": "5" },
    });
    let drains = one.role == Role::Worker || one.service.facts.stream.is_some();
    if drains && one.service.stop_grace_period.is_none() {
        value["stop_grace_period"] = json!("30s");
    }
    // People come in by the proxy; whoever is alone with its port keeps it.
    if one.is_tool() {
        on_loopback(one, &mut value, &mut rendering.losses);
    } else if !one.service.ports.is_empty() && (has_door || one.store.is_some()) {
        let others = one.service.ports.iter().any(|port| {
            one.listeners
                .iter()
                .any(|listener| listener.port == port.value.target && !listener.http)
        });
        if !others || one.store.is_some() {
            value["ports"] = reset(json!([]));
        }
    }
    value
}

/// Memory as Compose writes it: `1G`, `512M`.
fn mebibytes(count: u64) -> String {
    match count % 1024 {
        0 => format!("{}G", count / 1024),
        _ => format!("{count}M"),
    }
}

/// Publishes a tool of whoever runs the stack where nobody else reaches it.
fn on_loopback(one: &Workload<'_>, value: &mut Value, losses: &mut Vec<Loss>) {
    let is_open = |port: &Port| port.host_ip.is_none_or(|address| !address.is_loopback());
    if !one.service.ports.iter().any(|port| is_open(&port.value)) {
        return;
    }
    let ports: Vec<String> = one
        .service
        .ports
        .iter()
        .map(|port| {
            let mut port = port.value.clone();
            if is_open(&port) {
                port.host_ip = Some(Ipv4Addr::LOCALHOST.into());
            }
            super::service::port(&port)
        })
        .collect();
    value["ports"] = replaced(json!(ports));
    losses.push(
        Loss::new(
            Fidelity::Approximate,
            format!("services.{}.ports", one.name()),
            "it is a tool of whoever runs the stack: published on the host's loopback alone",
        )
        .at(one.service.ports.first().and_then(|port| port.span.clone()))
        .hint("reach it through `ssh -L`, or give it an `x-plimsoll.route`"),
    );
}

/// Passwords of a store as files, where its image takes them so. Says whether there is one.
fn stores_secrets(
    stack: &Stack<'_>,
    one: &Workload<'_>,
    secrets: &mut Map<String, Value>,
    value: &mut Value,
    rendering: &mut Rendering,
) -> bool {
    let kind = one.store.and_then(|store| store.kind);
    let mut environment = Map::new();
    let mut files = Vec::new();
    for (name, said) in &one.service.environment {
        let Some(file) = file_variable(kind, name) else {
            continue;
        };
        if said.value.as_deref().unwrap_or_default().is_empty() {
            continue;
        }
        if stack.is_found() {
            // The base gives it as a file already.
            files.push(String::new());
            continue;
        }
        let variable = super::variables::behind(stack.input, said).unwrap_or_else(|| name.clone());
        if variable != *name || said.span.is_none() {
            rendering.losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    format!("services.{}.environment.{name}", one.name()),
                    format!("in production it is a file with the value of `{variable}`, which must be set"),
                )
                .at(said.span.clone()),
            );
        }
        let secret = secret_name(&variable);
        environment.insert(name.clone(), reset(Value::Null));
        environment.insert(file, json!(format!("/run/secrets/{secret}")));
        secrets.insert(secret.clone(), json!({ "environment": variable }));
        files.push(secret);
    }
    let given = !files.is_empty();
    files.retain(|file| !file.is_empty());
    if !files.is_empty() {
        value["environment"] = Value::Object(environment);
        value["secrets"] = json!(files);
    }
    given
}

/// Gives a service the addresses that people find others by, where it would name those of a
/// developer's machine.
fn behind_door(
    stack: &Stack<'_>,
    one: &Workload<'_>,
    found: &Addresses,
    value: &mut Value,
    losses: &mut Vec<Loss>,
) {
    let pages = addresses::build_variables(stack.input, one);
    for (name, address) in found.environment(stack.input, one) {
        if pages.iter().any(|(known, _)| known == name) {
            continue;
        }
        let variable = one
            .service
            .environment
            .get(name)
            .map_or(Some(name.to_owned()), |said| {
                super::variables::behind(stack.input, said)
            });
        let address = match variable {
            Some(variable) => format!("${{{variable}:-{address}}}"),
            None => address,
        };
        value["environment"][name] = json!(address);
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.environment.{name}", one.name()),
                "it names a port of a developer's machine; in production it names the proxy's address of that service",
            )
            .at(one
                .service
                .environment
                .get(name)
                .and_then(|said| said.span.clone())),
        );
    }
    for (name, address) in found.build(stack.input, one) {
        value["build"]["args"][&name] = json!(format!("${{{name}:-{address}}}"));
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.build.args.{name}", one.name()),
                "it ends up in the pages: an image is for the DOMAIN that it was built for",
            )
            .at(one.service.span.clone())
            .hint("build where DOMAIN is set, or let the pages ask their own origin"),
        );
    }
}

/// Takes capabilities away, and the way to get others.
fn capabilities(one: &Workload<'_>, value: &mut Value, losses: &mut Vec<Loss>) {
    let needed = hardening::Capabilities::of(one);
    value["cap_drop"] = json!(hardening::unsaid(&["ALL"], &one.service.cap_drop));
    value["cap_add"] = json!(hardening::unsaid(&needed.names(), &one.service.cap_add));
    if !hardening::says_of_privileges(one) {
        value["security_opt"] = json!(["no-new-privileges:true"]);
    }
    if needed == hardening::Capabilities::OfOthers {
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.cap_add", one.name()),
                "its image may start as root: it keeps what becoming another user takes",
            )
            .at(one.service.span.clone())
            .hint("write `user: \"UID:GID\"` where it needs no root"),
        );
    }
}

fn read_only(one: &Workload<'_>, copied: bool, value: &mut Value, rendering: &mut Rendering) {
    if one.service.read_only.is_some() {
        return;
    }
    let subject = format!("services.{}.read_only", one.name());
    let Some(scratch) = hardening::scratch(one) else {
        rendering.losses.push(
            Loss::new(
                Fidelity::Approximate,
                subject,
                "its root stays writable: it is not known where its image writes",
            )
            .at(one.service.span.clone())
            .hint("write `read_only: true` and `tmpfs` for what it writes"),
        );
        return;
    };
    if copied {
        rendering.losses.push(
            Loss::new(
                Fidelity::Approximate,
                subject,
                "its root stays writable: Docker copies its secrets there before it starts",
            )
            .at(one.service.span.clone())
            .hint("a secret from a `file:` is mounted instead"),
        );
        return;
    }
    value["read_only"] = json!(true);
    let moved = one.mounted_home();
    value["tmpfs"] = scratch
        .iter()
        .copied()
        .chain(moved.as_deref().or(one.home()))
        .filter(|path| !hardening::is_mounted(one, path))
        .map(|path| json!(path))
        .collect();
}

/// The proxy that people come in by.
fn door(stack: &Stack<'_>, routed: &[String]) -> Value {
    let depends_on: Map<String, Value> = routed
        .iter()
        .filter_map(|name| stack.all.iter().find(|one| one.name() == name))
        .map(|one| {
            let says = one
                .service
                .healthcheck
                .as_ref()
                .is_some_and(|check| check.span.is_some());
            let shows = Stack::is_assembled(one) && crate::health::command(one).is_some() || says;
            let condition = if shows {
                "service_healthy"
            } else {
                "service_started"
            };
            (one.name().to_owned(), json!({ "condition": condition }))
        })
        .collect();
    json!({
        "image": proxy::IMAGE,
        "ports": [
            "${HTTP_PORT:-80}:80",
            "${HTTPS_PORT:-443}:443",
            "${HTTPS_PORT:-443}:443/udp",
        ],
        "environment": { "DOMAIN": "${DOMAIN:-localhost}" },
        "volumes": [
            format!("./{CADDYFILE}:/etc/caddy/Caddyfile:ro"),
            "proxy-certificates:/data",
            "proxy-configuration:/config",
        ],
        "networks": { FRONT: null },
        "depends_on": depends_on,
        "healthcheck": {
            "test": ["CMD", "wget", "-q", "-O", "/dev/null", format!("http://127.0.0.1:{}/", proxy::HEALTH)],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": "20s",
        },
        "read_only": true,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "cap_add": ["NET_BIND_SERVICE"],
        "security_opt": ["no-new-privileges:true"],
        "deploy": { "resources": { "limits": { "cpus": "1.0", "memory": "256M", "pids": 128 } } },
        "logging": { "driver": "json-file", "options": { "max-size": "10m", "max-file": "5" } },
        "restart": "unless-stopped",
        "stop_grace_period": "30s",
    })
}
