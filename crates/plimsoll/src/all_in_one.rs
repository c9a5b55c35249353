//! `build --all-in-one`: the services of a project that are built from source, in one image.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_image::Memory;
use plimsoll_image::all_in_one::{AllInOneRequest, Member};
use plimsoll_image::builder::Builder;
use plimsoll_image::oci::Architecture;
use plimsoll_model::{DependencyCondition, Project, RecipeKind, Service};
use plimsoll_run::stack::{ImageOrigin, start_order_of_these};

use crate::failure::Failure;
use crate::printer::Printer;
use crate::service_images::Prepared;

/// What the image is called among services, and its tag.
pub(crate) const NAME: &str = "all-in-one";

/// Variables whose values a service needs to be another one than its neighbours.
const OWN: [&str; 4] = ["PORT", "HOST", "_PORT", "_HOST"];

/// Those of the services that can be in one image.
pub(crate) fn members(
    project: &Project,
    services: &[String],
    printer: &Printer,
) -> Result<Vec<String>, Failure> {
    let (built, others): (Vec<&Service>, Vec<&Service>) = services
        .iter()
        .filter_map(|name| project.services.get(name))
        .partition(|service| service.recipe.is_some());
    if let Some(service) = built.iter().find(|service| {
        let recipe = service.recipe.as_ref();
        recipe.is_some_and(|recipe| matches!(recipe.kind, RecipeKind::Dockerfile(_)))
    }) {
        return Err(Failure::usage(
            Diagnostic::error(format!(
                "`{}` is built by a Dockerfile, and only assembled images can be joined",
                service.name
            ))
            .at(service.span.clone())
            .hint("`--native` assembles it, or name the services to join"),
        ));
    }
    if built.is_empty() {
        return Err(Failure::usage(Diagnostic::error(
            "no service here is built from source: there is nothing to join",
        )));
    }
    for service in others {
        let image = service.image.as_ref().map_or("", |image| &image.value);
        printer.say(&format!(
            "  beside   {:<12} {image}: others make it, and it stays a container of its own",
            service.name
        ));
    }
    Ok(built.iter().map(|service| service.name.clone()).collect())
}

/// Joins built images into one.
pub(crate) fn join(
    builder: &Builder<'_>,
    project: &Project,
    prepared: &BTreeMap<String, Prepared>,
    architecture: Architecture,
    memory: Memory,
    printer: &Printer,
) -> Result<Prepared, Failure> {
    let names: Vec<String> = prepared.keys().cloned().collect();
    let order = start_order_of_these(project, &names)?;
    let mut members = Vec::new();
    let mut left_out = BTreeSet::new();
    for name in order.sequence() {
        let (Some(service), Some(one)) = (project.services.get(name), prepared.get(name)) else {
            continue;
        };
        members.push(member(project, service, one, &names, &mut left_out));
    }
    if !left_out.is_empty() {
        let names: Vec<&str> = left_out.iter().map(String::as_str).collect();
        printer.tell(&Diagnostic::note(format!(
            "given when it starts, not in the image: {}",
            names.join(", ")
        )));
    }
    let reference = reference(project);
    let request = AllInOneRequest {
        reference: &reference,
        members: &members,
        architecture,
        memory,
    };
    let built = builder.join(&request).map_err(|error| {
        Failure::failed(
            error
                .diagnostic()
                .hint("`plimsoll build --all-in-one SERVICE …` joins only some"),
        )
    })?;
    Ok(Prepared {
        image: built.image,
        origin: ImageOrigin::Assembled,
        built: Some(built.outcome),
        took: built.duration,
        stand_in: None,
        findings: built.findings,
    })
}

/// Makes the image one of the project's, for what is done with images later.
pub(crate) fn enter(project: &mut Project) {
    let first = project
        .services
        .values()
        .find_map(|service| service.recipe.clone());
    let service = Service {
        name: NAME.to_owned(),
        image: Some(Spanned::unplaced(reference(project))),
        recipe: first,
        ..Service::default()
    };
    project.services.insert(NAME.to_owned(), service);
}

fn reference(project: &Project) -> String {
    format!("{}:{NAME}", project.name)
}

/// A service as a part of the image. Names of variables that stay out are added to `left_out`.
fn member<'a>(
    project: &'a Project,
    service: &'a Service,
    prepared: &'a Prepared,
    names: &[String],
    left_out: &mut BTreeSet<String>,
) -> Member<'a> {
    let after = service.depends_on.iter().filter_map(|(name, dependency)| {
        let other = project
            .services
            .get(name)
            .filter(|_| names.contains(name))?;
        let condition = match dependency.value.condition {
            // Nobody could say when it is.
            DependencyCondition::ServiceHealthy if other.healthcheck.is_none() => {
                DependencyCondition::ServiceStarted
            }
            condition => condition,
        };
        Some((name.clone(), condition))
    });
    let mut environment = BTreeMap::new();
    for (name, value) in &service.environment {
        let Some(value) = &value.value else { continue };
        let local = at_home(value, names);
        let is_own = OWN.iter().any(|end| match end.strip_prefix('_') {
            Some(_) => name.ends_with(end),
            None => name == end,
        });
        let is_address = local != *value && value.contains(':') && !value.contains('@');
        if is_own || is_address {
            environment.insert(name.clone(), local);
        } else {
            left_out.insert(name.clone());
        }
    }
    Member {
        name: &service.name,
        image: &prepared.image,
        entrypoint: service
            .entrypoint
            .as_ref()
            .map(|command| command.value.0.clone()),
        command: service
            .command
            .as_ref()
            .map(|command| command.value.0.clone()),
        working_dir: service
            .working_dir
            .as_ref()
            .map(|directory| directory.value.clone()),
        ports: listened(service, prepared, &environment),
        environment,
        after: after.collect(),
        restart: service.restart.value,
        health: service.healthcheck.as_ref().map(|check| &check.value),
        stop_signal: service
            .stop_signal
            .as_ref()
            .map(|signal| signal.value.clone()),
        grace: service.stop_grace_period.as_ref().map(|grace| grace.value),
    }
}

/// The ports that a service listens on: that of its variable, else those of its image; where it
/// runs another command than was found, only what the project states.
fn listened(
    service: &Service,
    prepared: &Prepared,
    environment: &BTreeMap<String, String>,
) -> Vec<u16> {
    if let Some(port) = environment.get("PORT").and_then(|port| port.parse().ok()) {
        return vec![port];
    }
    let found = service.recipe.as_ref().map(|recipe| &recipe.command);
    let stated = service.command.as_ref().map(|command| &command.value.0);
    let ports: BTreeSet<u16> = match stated {
        Some(stated) if Some(stated) != found => {
            let published = service.ports.iter().map(|port| port.value.target);
            let exposed = service
                .expose
                .iter()
                .filter_map(|port| port.value.parse().ok());
            published.chain(exposed).collect()
        }
        _ => {
            let exposed = prepared.image.config.exposed_ports.iter();
            exposed
                .filter_map(|port| port.strip_suffix("/tcp")?.parse().ok())
                .collect()
        }
    };
    ports.into_iter().collect()
}

/// An address with its host, where that is one of the services, as the same container sees it.
fn at_home(value: &str, names: &[String]) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), value),
    };
    let end = rest.find([':', '/', '?']).unwrap_or(rest.len());
    let (host, after) = rest.split_at(end);
    match names.iter().any(|name| name == host) {
        true => format!("{scheme}127.0.0.1{after}"),
        false => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_found_on_the_loopback() {
        let names = ["api".to_owned(), "web".to_owned()];
        for (value, expected) in [
            ("http://api:8000/v1", "http://127.0.0.1:8000/v1"),
            ("api:8000", "127.0.0.1:8000"),
            ("api", "127.0.0.1"),
            ("http://db:5432", "http://db:5432"),
            ("apis", "apis"),
            ("https://example.com/api", "https://example.com/api"),
        ] {
            assert_eq!(at_home(value, &names), expected);
        }
    }
}
