//! A server of metrics beside a program's own work: `start_http_server(9100)` of Prometheus' client.

use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::detection::{DetectedService, Health, Route, ServiceKind};
use crate::python::module::{Module, Moment};
use crate::python::workspace::Workspace;

/// Functions that start one: full name.
const STARTS: &[&str] = &[
    "prometheus_client.start_http_server",
    "prometheus_client.start_wsgi_server",
    "prometheus_client.exposition.start_http_server",
    "prometheus_client.exposition.start_wsgi_server",
];

/// Makes the port of such a server known of a service whose files are `modules`.
pub(crate) fn add(
    workspace: &Workspace<'_>,
    modules: &[Arc<Module>],
    service: &mut DetectedService,
) {
    let started = modules.iter().find_map(|module| {
        let placed = module.calls.iter().find(|placed| {
            let callee = module.callee(&placed.call);
            // What another file does only when it is run itself does not happen.
            let elsewhere = placed.scope.main && module.shown != service.defined_at.file;
            placed.scope.moment != Moment::Never
                && !elsewhere
                && callee.is_some_and(|name| STARTS.contains(&&*name))
        })?;
        let value = placed.call.argument(0, "port")?;
        let port = workspace
            .constant(module, &placed.scope.path, value)
            .port()?;
        Some((port, module.span(placed.call.place)))
    });
    let Some((port, span)) = started else {
        return;
    };
    let route = Route {
        path: "/metrics".to_owned(),
        port,
        span: Some(span.clone()),
    };
    if !service.ports.contains(&port) {
        service.ports.push(port);
        if let Some(recipe) = &mut service.recipe {
            recipe.ports.push(port);
        }
    }
    let is_own_work = matches!(service.kind, ServiceKind::Worker | ServiceKind::Scheduler);
    if is_own_work && service.health.is_none() {
        service.health = Some(Health::Http(route.clone()));
    }
    service.metrics.get_or_insert(route);
    let why = format!("gives metrics on port {port}");
    service.evidence.push(Evidence::new(span, why));
}
