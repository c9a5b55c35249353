//! What a service listens on.

use plimsoll_diag::Span;
use plimsoll_model::extension::Extension;
use plimsoll_model::facts::NeedKind;
use plimsoll_model::{Protocol, Service};
use serde::Serialize;

use super::{Probe, ProbeTest, Store};

/// A port that a service listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// Whether it carries HTTP.
    pub http: bool,
    /// The ports of the host it is published on.
    pub published: Vec<u16>,
    /// Whether it is published on loopback addresses only.
    pub loopback: bool,
    /// Its place.
    pub span: Option<Span>,
}

/// Ports from `ports`, `expose`, the source, and the health check, each once.
pub(super) fn listeners(
    service: &Service,
    extension: Option<&Extension>,
    store: Option<Store>,
    probe: Option<&Probe>,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    let datastore = store.is_some();
    let mut add = |port: u16, protocol: Protocol, span: Option<Span>| {
        let known = listeners
            .iter()
            .position(|listener| listener.port == port && listener.protocol == protocol);
        known.unwrap_or_else(|| {
            listeners.push(Listener {
                port,
                protocol,
                http: protocol == Protocol::Tcp && !datastore,
                published: Vec::new(),
                loopback: true,
                span,
            });
            listeners.len() - 1
        })
    };
    if let Some(port) = extension
        .and_then(|extension| extension.route.as_ref())
        .and_then(|route| route.value.port)
    {
        add(port, Protocol::Tcp, None);
    }
    let published: Vec<(usize, Option<u16>, bool)> = service
        .ports
        .iter()
        .map(|port| {
            let index = add(port.value.target, port.value.protocol, port.span.clone());
            let loopback = port.value.host_ip.is_some_and(|ip| ip.is_loopback());
            (index, port.value.published, loopback)
        })
        .collect();
    for exposed in &service.expose {
        let (port, protocol) = match exposed.value.split_once('/') {
            Some((port, "udp")) => (port, Protocol::Udp),
            Some((port, _)) => (port, Protocol::Tcp),
            None => (exposed.value.as_str(), Protocol::Tcp),
        };
        if let Ok(port) = port.parse() {
            add(port, protocol, exposed.span.clone());
        }
    }
    let usual = store.and_then(|store| store.kind).map(NeedKind::port);
    for port in usual.iter().chain(&service.facts.ports) {
        add(*port, Protocol::Tcp, None);
    }
    if let Some(recipe) = &service.recipe {
        for port in &recipe.ports {
            add(*port, Protocol::Tcp, None);
        }
    }
    if let Some(ProbeTest::Http { port, .. } | ProbeTest::Tcp { port }) =
        probe.map(|probe| &probe.test)
    {
        add(*port, Protocol::Tcp, None);
    }
    for (index, port, loopback) in published {
        listeners[index].published.extend(port);
        listeners[index].loopback &= loopback;
    }
    listeners
}
