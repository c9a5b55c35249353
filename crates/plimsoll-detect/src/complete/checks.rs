//! Ports and health checks of a Compose file that the code contradicts.

use plimsoll_diag::Diagnostic;
use plimsoll_model::{Build, BuildRecipe, RecipeKind, Service, StagePurpose};

use super::STATIC_PORT;
use crate::claims::answers;
use crate::claims::health::{Check, of_test};
use crate::detection::{DetectedService, Health, ServiceKind};
use crate::project::healthcheck;

/// Ports that nothing listens on.
pub(super) fn published_ports(
    service: &Service,
    detected: &DetectedService,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let why = match detected.kind {
        ServiceKind::McpStdio => "speaks over standard input and output",
        ServiceKind::Worker | ServiceKind::Scheduler if detected.ports.is_empty() => {
            "takes its work from a queue"
        }
        _ => return,
    };
    for port in &service.ports {
        // A debugger's, for instance.
        if is_named(service, port.target) {
            continue;
        }
        diagnostics.push(
            Diagnostic::warning(format!(
                "port {} is published, but `{}` {why} and listens on none",
                port.target, service.name
            ))
            .at(port.span.clone())
            .hint("drop it"),
        );
    }
    if detected.kind == ServiceKind::McpStdio
        && service.restart.value != plimsoll_model::Restart::No
    {
        diagnostics.push(
            Diagnostic::warning(format!(
                "`{}` ends when nobody speaks to it, so restarting it goes on for ever",
                service.name
            ))
            .at(service
                .restart
                .span
                .clone()
                .or_else(|| service.span.clone()))
            .hint(format!(
                "drop `restart`, and start it by `plimsoll run -i {}`",
                service.name
            )),
        );
    }
}

/// Whether a word of the service's own command names a port: `--listen 0.0.0.0:5678`.
fn is_named(service: &Service, port: u16) -> bool {
    let port = port.to_string();
    let words = service.command.iter().flat_map(|command| &command.value.0);
    words
        .filter_map(|word| word.rsplit([':', '=']).next())
        .any(|end| end == port)
}

/// Whether the image of a service has Node: sites are developed with it, and served without.
fn has_node(service: &Service, recipe: &BuildRecipe) -> bool {
    let purpose = service.build.as_ref().and_then(Build::purpose);
    match &recipe.kind {
        RecipeKind::NodeServer(_) => true,
        RecipeKind::StaticSite(site) => {
            site.build.is_some() && purpose == Some(StagePurpose::Development)
        }
        _ => false,
    }
}

/// Keeps a health check that can work, and puts the inferred one in the place of one that cannot.
pub(super) fn health(
    service: &mut Service,
    detected: &DetectedService,
    recipe: &BuildRecipe,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let inferred = healthcheck(detected);
    let Some(stated) = &service.healthcheck else {
        service.healthcheck = inferred;
        return;
    };
    let Some(check) = stated.test.as_ref().and_then(of_test) else {
        return;
    };
    let span = stated.span.clone().or_else(|| service.span.clone());
    let instead = |what: String| {
        let hint = match &detected.health {
            Some(Health::Http(route)) => format!(
                "drop it; Plimsoll asks for `{}` on port {} instead",
                route.path, route.port
            ),
            Some(Health::Tcp { port }) => {
                format!("drop it; Plimsoll connects to port {port} instead")
            }
            Some(Health::Command { name, .. }) => {
                format!("drop it; Plimsoll asks the worker by `{name}` instead")
            }
            Some(Health::McpHandshake) | None => {
                "drop it; it would stay unhealthy for ever, and is not run".to_owned()
            }
        };
        Diagnostic::warning(what).at(span.clone()).hint(hint)
    };
    let replace = match check {
        Check::Processes { program } => {
            diagnostics.push(instead(format!(
                "health check calls `{program}`, which the image will not have"
            )));
            true
        }
        Check::Http { port, path, .. } if matches!(recipe.kind, RecipeKind::StaticSite(_)) => {
            let fits = port == STATIC_PORT && path == "/";
            if !fits {
                diagnostics.push(instead(format!(
                    "health check asks port {port}, where nothing listens once the site is built"
                )));
            }
            !fits
        }
        Check::Http {
            program,
            port,
            path,
        } => {
            let unknown = !detected.routes.is_empty() && !answers(&detected.routes, &path);
            let elsewhere = !detected.ports.is_empty() && !detected.ports.contains(&port);
            if unknown {
                diagnostics.push(instead(format!(
                    "health check asks for `{path}`, which `{}` does not answer",
                    service.name
                )));
            } else if elsewhere {
                diagnostics.push(instead(format!(
                    "health check asks port {port}, but `{}` listens on {}",
                    service.name, detected.ports[0]
                )));
            } else if program != "plimsoll-probe" {
                diagnostics.push(
                    Diagnostic::note(format!("health check calls `{program}`, which the image will not have; Plimsoll makes the request itself"))
                        .at(span.clone()),
                );
            }
            unknown || elsewhere
        }
        Check::Program { program, .. } => {
            let there = program.starts_with("python")
                || program == "node" && has_node(service, recipe)
                || matches!(
                    program.as_str(),
                    "celery" | "uvicorn" | "test" | "true" | "nc" | "plimsoll-probe"
                )
                || recipe
                    .system_packages
                    .iter()
                    .any(|package| package.value == program);
            if !there {
                diagnostics.push(
                    Diagnostic::warning(format!(
                        "health check calls `{program}`, which the image may not have"
                    ))
                    .at(span.clone())
                    .hint("check it by `plimsoll exec`, or drop the check"),
                );
            }
            false
        }
    };
    if replace {
        // How often it is asked stays as it was stated.
        let stated = stated.clone();
        service.healthcheck = inferred.map(|mut inferred| {
            inferred.value.interval = stated.interval.or(inferred.value.interval);
            inferred.value.timeout = stated.timeout.or(inferred.value.timeout);
            inferred.value.retries = stated.retries.or(inferred.value.retries);
            inferred.value.start_period = stated.start_period.or(inferred.value.start_period);
            inferred.span = stated.span;
            inferred
        });
    }
}
