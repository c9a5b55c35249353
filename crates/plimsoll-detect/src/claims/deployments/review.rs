//! What deployment files say that the code, or the tree, contradicts.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use plimsoll_diag::{Diagnostic, Evidence};

use super::{Deployed, Deployments, Leads};
use crate::claims::Dockerfile;
use crate::claims::matching::{Claim, Match, find, of_stage, score};
use crate::claims::review::{elsewhere, route_contradiction};
use crate::detection::DetectedService;
use crate::merge::valid_name;
use crate::places;
use crate::tree::Tree;

/// Everything that is contradicted.
pub(crate) fn review(
    tree: &Tree,
    deployments: &Deployments,
    services: &[DetectedService],
) -> Vec<Diagnostic> {
    let all: Vec<&DetectedService> = services.iter().collect();
    let mut found: Vec<Diagnostic> = Vec::new();
    for deployed in &deployments.programs {
        match meant(tree, deployed, &all) {
            Some(service) => found.extend(contradictions(deployed, service)),
            // A service that is known is assembled without the file.
            None => found.extend(missing_file(tree, deployed)),
        }
    }
    for built in &deployments.built {
        if !tree.has_file(&built.value) {
            found.push(absent(places::text(&built.value)).at(built.span.clone()));
        }
    }
    found.extend(
        deployments
            .leads
            .iter()
            .filter_map(|leads| astray(leads, services)),
    );
    found
}

/// Adds to each service where it is deployed.
pub(crate) fn witness(tree: &Tree, deployments: &Deployments, services: &mut [DetectedService]) {
    let mut seen: Vec<(String, Evidence)> = Vec::new();
    {
        let all: Vec<&DetectedService> = services.iter().collect();
        for deployed in &deployments.programs {
            if let Some(service) = meant(tree, deployed, &all) {
                let evidence = Evidence::new(deployed.span.clone(), "is deployed here");
                seen.push((service.name.clone(), evidence));
            }
        }
    }
    for (name, evidence) in seen {
        let service = services.iter_mut().find(|service| service.name == name);
        if let Some(service) = service
            && !service.evidence.contains(&evidence)
        {
            service.evidence.push(evidence);
        }
    }
}

/// The service that a deployment means; `None` where that is not plain.
fn meant<'s>(
    tree: &Tree,
    deployed: &Deployed,
    services: &[&'s DetectedService],
) -> Option<&'s DetectedService> {
    if deployed.is_foreign() {
        return None;
    }
    let services = &of_application(tree, &deployed.span.file, services);
    let directory = deployed.directory.as_deref();
    let image = deployed
        .dockerfile
        .as_ref()
        .and_then(|file| Dockerfile::read(tree, &file.value))
        .map(|file| {
            let image = file.image(deployed.target.as_deref());
            of_stage(&image, directory.unwrap_or(Path::new("")))
        })
        .unwrap_or_default();
    let mut copies = image.copies;
    if copies.is_empty() {
        copies.extend(directory.map(|directory| places::text(directory).to_owned()));
    }
    let claim = Claim {
        name: (!deployed.name.is_empty()).then(|| deployed.name.clone()),
        starts: deployed.starts().or(image.starts),
        copies,
        // A port that is wrong must not lead to another service.
        ports: Vec::new(),
    };
    match find(&claim, services) {
        Match::One(service) if score(&claim, service) > 0 => Some(service),
        _ => None,
    }
}

/// The services that a file may speak of, where the tree holds several applications: a file that lies in the directory
/// of one, or in a directory named after one (`deploy/salon-desk/` for `salon_desk/`), speaks of no other.
fn of_application<'s>(
    tree: &Tree,
    file: &Path,
    services: &[&'s DetectedService],
) -> Vec<&'s DetectedService> {
    let top = |path: &Path| path.iter().next().map(|part| part.to_owned());
    let below = |wanted: &OsStr| -> Vec<&'s DetectedService> {
        let inside = services.iter().copied();
        inside
            .filter(|service| top(&service.root).is_some_and(|top| top == wanted))
            .collect()
    };
    let called = |part: &OsStr| valid_name(part.to_str().unwrap_or_default());
    let mut parts = file.parent().into_iter().flat_map(Path::iter);
    let own = parts.next().map(below).unwrap_or_default();
    if !own.is_empty() {
        return own;
    }
    let directories: BTreeSet<OsString> = tree
        .files()
        .iter()
        .filter(|file| file.path.parent() != Some(Path::new("")))
        .filter_map(|file| top(&file.path))
        .collect();
    let named = parts
        .filter(|part| services.iter().all(|service| service.name != called(part)))
        .find_map(|part| directories.iter().find(|one| called(one) == called(part)));
    named.map_or_else(|| services.to_vec(), |named| below(named))
}

fn missing_file(tree: &Tree, deployed: &Deployed) -> Option<Diagnostic> {
    let file = deployed.dockerfile.as_ref()?;
    let span = file.span.clone()?;
    (!tree.has_file(&file.value)).then(|| absent(places::text(&file.value)).at(span))
}

fn absent(path: &str) -> Diagnostic {
    Diagnostic::warning(format!("builds from `{path}`, which is not in the tree"))
        .hint("name a file that exists, or drop it")
}

fn contradictions(deployed: &Deployed, service: &DetectedService) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    // Who sets the port by an argument or a variable has said where it listens.
    let told = crate::claims::start_scripts::port(&deployed.words).is_some()
        || deployed.words.iter().any(|word| word.contains("PORT"))
        || deployed
            .variables
            .iter()
            .any(|(name, _)| name.ends_with("PORT"));
    if !told {
        found.extend(elsewhere("expects", &deployed.ports, service));
    }
    if let Some(health) = &deployed.health {
        found.extend(route_contradiction(
            &health.value,
            health.span.clone(),
            service,
        ));
    }
    found
}

/// A gateway that leads to a service by its name, but to a port on which it does not listen.
fn astray(leads: &Leads, services: &[DetectedService]) -> Option<Diagnostic> {
    let service = services.iter().find(|service| service.name == leads.host)?;
    // Where pages are served that have no server of their own is the matter of who serves them.
    if service.command.is_empty() {
        return None;
    }
    let known = [&service.ports[..], service.development_port.as_slice()].concat();
    if known.is_empty() || known.contains(&leads.port) {
        return None;
    }
    Some(
        Diagnostic::warning(format!(
            "leads to port {} of `{}`, which listens on {} ({}:{})",
            leads.port,
            service.name,
            service.ports[0],
            service.defined_at.file.display(),
            service.defined_at.start.line
        ))
        .at(leads.span.clone())
        .hint(format!("lead to port {}", service.ports[0])),
    )
}
