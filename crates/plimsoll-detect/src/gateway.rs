//! Which of many candidates make the default stack, where a project holds more servers than it ever runs at once:
//! those that a gateway passes requests to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::claims::Launched;
use crate::detection::{Rejected, ServiceKind};
use crate::found::Found;
use crate::places;
use crate::python::{Calls, Peer};

/// Fewer servers than this are all meant.
pub(crate) const MANY: usize = 8;

/// Peers without which a server is no gateway.
const PEERS: usize = 3;

/// Leaves the gateway's own set, and tells of the others why they are not in it.
pub(crate) fn choose(
    found: &mut Vec<Found>,
    rejected: &mut Vec<Rejected>,
    calls: &[Calls],
    launched: &[Launched],
) {
    let servers: Vec<usize> = (0..found.len())
        .filter(|index| found[*index].service.kind == ServiceKind::Web)
        .collect();
    let mut by_port: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for index in &servers {
        for port in &found[*index].service.ports {
            by_port.entry(*port).or_default().push(*index);
        }
    }
    // Servers that each have a port of their own may well run side by side.
    let contested = by_port.values().filter(|those| those.len() > 1).count();
    if servers.len() < MANY || contested == 0 {
        return;
    }
    let scripts: Vec<BTreeSet<Arc<Path>>> = found
        .iter()
        .map(|found| scripts_of(found, launched))
        .collect();
    let mut best: Option<(usize, usize, BTreeSet<usize>)> = None;
    for index in &servers {
        let own = calls_of(&found[*index], calls);
        let ports: BTreeSet<u16> = own.iter().map(|peer| peer.port).collect();
        if ports.len() < PEERS {
            continue;
        }
        let set: BTreeSet<usize> = ports
            .iter()
            .filter_map(|port| {
                let those = by_port.get(port)?;
                let together = those
                    .iter()
                    .find(|other| !scripts[**other].is_disjoint(&scripts[*index]));
                together.or_else(|| those.first()).copied()
            })
            .filter(|other| other != index)
            .collect();
        let together = set
            .iter()
            .filter(|other| !scripts[**other].is_disjoint(&scripts[*index]))
            .count();
        let score = set.len() + 2 * together + passes_on(&found[*index]);
        if set.len() >= 2 && best.as_ref().is_none_or(|(known, ..)| score > *known) {
            best = Some((score, *index, set));
        }
    }
    let Some((_, gateway, mut kept)) = best else {
        return;
    };
    kept.insert(gateway);
    let same_start = |index: &usize| !scripts[*index].is_disjoint(&scripts[gateway]);
    let gateway_ports = found[gateway].service.ports.clone();
    for (index, other) in found.iter().enumerate() {
        let calls_gateway = calls_of(other, calls)
            .iter()
            .any(|peer| gateway_ports.contains(&peer.port));
        let keep = match other.service.kind {
            ServiceKind::Web => false,
            ServiceKind::Ui => same_start(&index) || calls_gateway,
            // A loop of its own is no worker that a queue of the others has.
            ServiceKind::Worker | ServiceKind::Scheduler
                if matches!(
                    other.service.framework.as_deref(),
                    Some("Python" | "schedule")
                ) =>
            {
                same_start(&index)
            }
            _ => true,
        };
        if keep {
            kept.insert(index);
        }
    }
    let taken: BTreeMap<u16, String> = kept
        .iter()
        .flat_map(|index| {
            let service = &found[*index].service;
            let file = places::text(&service.defined_at.file).to_owned();
            service.ports.iter().map(move |port| (*port, file.clone()))
        })
        .collect();
    let gateway_file = places::text(&found[gateway].service.defined_at.file).to_owned();
    let mut index = 0;
    found.retain(|other| {
        let keep = kept.contains(&index);
        index += 1;
        if !keep {
            let service = &other.service;
            let mut why = format!(
                "could run, but is not in the set that the gateway `{gateway_file}` passes requests to"
            );
            if let Some((port, owner)) = service
                .ports
                .iter()
                .find_map(|port| Some((port, taken.get(port)?)))
            {
                why += &format!("; port {port} is taken by `{owner}`");
            }
            let framework = service.framework.as_deref().unwrap_or(&service.language);
            let what = match service.kind {
                ServiceKind::Ui => "page",
                ServiceKind::Worker => "worker",
                _ => "application",
            };
            rejected.push(Rejected {
                path: service.defined_at.file.clone(),
                looks_like: format!("{framework} {what}"),
                why,
            });
        }
        keep
    });
}

/// How much says that a server passes on what it is asked: whoever only watches the others calls as many of them.
fn passes_on(found: &Found) -> usize {
    let service = &found.service;
    let named = ["gateway", "proxy", "ingress", "bff"]
        .iter()
        .any(|word| service.target.to_ascii_lowercase().contains(word));
    let any_path = service
        .routes
        .iter()
        .any(|route| route.contains(":path}") || route.contains("<path:"));
    5 * (usize::from(named) + usize::from(any_path))
}

fn calls_of<'c>(found: &Found, calls: &'c [Calls]) -> &'c [Peer] {
    calls
        .iter()
        .find(|calls| calls.defined_at == found.service.defined_at)
        .map(|calls| calls.peers.as_slice())
        .unwrap_or_default()
}

/// The start scripts that start a service.
fn scripts_of(found: &Found, launched: &[Launched]) -> BTreeSet<Arc<Path>> {
    let module = found.service.target.split(':').next().unwrap_or_default();
    let file = &found.service.defined_at.file;
    launched
        .iter()
        .filter(|one| {
            crate::claims::start_scripts::of(std::slice::from_ref(*one), module, file).is_some()
        })
        .map(|one| one.span.file.clone())
        .collect()
}
