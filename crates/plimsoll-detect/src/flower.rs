//! Flower: pages that show what the workers of a Celery application do. Only a command starts it.

use plimsoll_diag::{Evidence, Span};

use crate::claims::{Reviewed, Starts};
use crate::detection::{Health, ServiceKind};
use crate::found::Found;

/// The framework's name.
pub(crate) const FLOWER: &str = "Flower";

/// The port it listens on unless it is told another one.
pub(crate) const PORT: u16 = 5555;

/// Adds Flower where a command starts it beside a worker that was found.
pub(crate) fn add(claims: &Reviewed, found: &mut Vec<Found>) {
    for (target, port, span) in commands(claims) {
        let known = found
            .iter()
            .any(|one| one.service.framework.as_deref() == Some(FLOWER));
        let module = target.split(':').next().unwrap_or_default();
        let about = |one: &&Found| {
            let own = one.service.target.split(':').next().unwrap_or_default();
            let named = own == module
                || own.ends_with(&format!(".{module}"))
                || own.starts_with(&format!("{module}."));
            one.service.framework.as_deref() == Some("Celery")
                && one.service.kind == ServiceKind::Worker
                && (named || module.is_empty())
        };
        let worker = found.iter().find(about).filter(|_| !known).cloned();
        if let Some(worker) = worker {
            found.push(beside(worker, port.unwrap_or(PORT), span));
        }
    }
}

/// What commands say of it: the application, the port, and where.
fn commands(claims: &Reviewed) -> Vec<(String, Option<u16>, Span)> {
    let scripts = claims
        .launched
        .iter()
        .map(|launched| (Some(launched.starts.clone()), launched.span.clone()));
    let deployed = claims.deployments.programs.iter();
    let deployed = deployed.map(|program| (program.starts(), program.span.clone()));
    let flower = |(starts, span): (Option<Starts>, Span)| match starts {
        Some(Starts::Flower { target, port }) => Some((target, port, span)),
        _ => None,
    };
    scripts.chain(deployed).filter_map(flower).collect()
}

/// Flower, of the same source as a worker.
fn beside(mut worker: Found, port: u16, span: Span) -> Found {
    let service = &mut worker.service;
    let at = service.command.iter().position(|word| word == "worker");
    service
        .command
        .truncate(at.unwrap_or(service.command.len()));
    service
        .command
        .extend(["flower".to_owned(), format!("--port={port}")]);
    service.kind = ServiceKind::Ui;
    service.framework = Some(FLOWER.to_owned());
    service.version = None;
    service.ports = vec![port];
    service.health = Some(Health::Tcp { port });
    service.replicas_max = Some(1);
    service.evidence = vec![Evidence::new(span.clone(), "starts Flower")];
    service.defined_at = span;
    if let Some(recipe) = &mut service.recipe {
        recipe.command.clone_from(&service.command);
        recipe.ports = vec![port];
    }
    worker.says_port = true;
    worker.problems.clear();
    worker
}
