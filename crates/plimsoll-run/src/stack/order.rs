//! Which services start, and what each one waits for.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_diag::{Diagnostic, Diagnostics};
use plimsoll_model::{Dependency, DependencyCondition, Project};

/// The services to start, each with what it waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartOrder {
    waits: BTreeMap<String, Vec<(String, Dependency)>>,
    sequence: Vec<String>,
}

impl StartOrder {
    /// The services in an order in which each one comes after what it waits for.
    pub fn sequence(&self) -> &[String] {
        &self.sequence
    }

    /// What a service waits for.
    pub fn waits_of(&self, service: &str) -> &[(String, Dependency)] {
        self.waits.get(service).map_or(&[], Vec::as_slice)
    }
}

/// Orders the services named and all they depend on; no name means all services.
///
/// # Errors
/// A name that is no service, a required dependency that does not exist, or a cycle (each with
/// the place that states it).
pub fn start_order(project: &Project, names: &[String]) -> Result<StartOrder, Diagnostics> {
    let mut problems = Diagnostics::default();
    let mut wanted: Vec<String> = if names.is_empty() {
        project.services.keys().cloned().collect()
    } else {
        names.to_vec()
    };
    let mut waits = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if waits.contains_key(&name) {
            continue;
        }
        let Some(service) = project.services.get(&name) else {
            problems.push(unknown_service(project, &name));
            continue;
        };
        let mut needed = Vec::new();
        for (dependency, how) in &service.depends_on {
            if project.services.contains_key(dependency) {
                wanted.push(dependency.clone());
                needed.push((dependency.clone(), how.value));
            } else if how.required {
                problems.push(
                    Diagnostic::error(format!(
                        "`{name}` depends on `{dependency}`, which is no active service"
                    ))
                    .at(how.span.clone())
                    .hint("activate its profile with `--profile`, or write `required: false`"),
                );
            }
        }
        waits.insert(name, needed);
    }
    if problems.has_errors() {
        return Err(problems);
    }
    let sequence = sequence(project, &waits)?;
    Ok(StartOrder { waits, sequence })
}

/// What those that wait for a service wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// That it runs, and is healthy where it has a check.
    Up,
    /// That it has ended: a job. That it runs says nothing about that.
    Completed,
}

impl Awaited {
    pub(super) fn of(order: &StartOrder, service: &str) -> Self {
        let mut waits = order.waits.values().flatten();
        match waits.any(|(dependency, how)| {
            dependency == service
                && how.condition == DependencyCondition::ServiceCompletedSuccessfully
        }) {
            true => Self::Completed,
            false => Self::Up,
        }
    }
}

/// The services named and no others, waiting for nothing but each other.
///
/// # Errors
/// As [`start_order`].
pub fn start_order_of_these(
    project: &Project,
    names: &[String],
) -> Result<StartOrder, Diagnostics> {
    let mut order = start_order(project, names)?;
    if names.is_empty() {
        return Ok(order);
    }
    let named = |name: &String| names.contains(name);
    order.sequence.retain(named);
    order.waits.retain(|name, _| named(name));
    for needed in order.waits.values_mut() {
        needed.retain(|(dependency, _)| named(dependency));
    }
    Ok(order)
}

fn unknown_service(project: &Project, name: &str) -> Diagnostic {
    let known: Vec<String> = project
        .services
        .keys()
        .map(|name| format!("`{name}`"))
        .collect();
    let diagnostic = Diagnostic::error(format!("no service is called `{name}`"));
    if known.is_empty() {
        diagnostic
    } else {
        diagnostic.hint(format!("there are {}", known.join(", ")))
    }
}

fn sequence(
    project: &Project,
    waits: &BTreeMap<String, Vec<(String, Dependency)>>,
) -> Result<Vec<String>, Diagnostics> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut sequence = Vec::new();
    while sequence.len() < waits.len() {
        let next = waits.iter().find(|(name, needed)| {
            !done.contains(name.as_str())
                && needed
                    .iter()
                    .all(|(dependency, _)| done.contains(dependency.as_str()))
        });
        let Some((name, _)) = next else {
            return Err(cycle(project, waits, &done).into());
        };
        done.insert(name);
        sequence.push(name.clone());
    }
    Ok(sequence)
}

/// Names one cycle among the services that are not done.
fn cycle(
    project: &Project,
    waits: &BTreeMap<String, Vec<(String, Dependency)>>,
    done: &BTreeSet<&str>,
) -> Diagnostic {
    let next_of = |name: &str| {
        let needed = waits.get(name).map_or(&[][..], Vec::as_slice);
        needed
            .iter()
            .map(|(dependency, _)| dependency.clone())
            .find(|dependency| !done.contains(dependency.as_str()))
    };
    let start = waits.keys().find(|name| !done.contains(name.as_str()));
    let mut path: Vec<String> = start.into_iter().cloned().collect();
    // Every service that is not done waits for another one that is not, so the walk must meet itself.
    while let Some(next) = path.last().and_then(|last| next_of(last)) {
        let met = path.iter().position(|name| *name == next);
        path.push(next);
        if let Some(met) = met {
            path.drain(..met);
            break;
        }
    }
    let shown: Vec<String> = path.iter().map(|name| format!("`{name}`")).collect();
    let place = path
        .first()
        .zip(path.get(1))
        .and_then(|(name, dependency)| {
            let service = project.services.get(name)?;
            service.depends_on.get(dependency)?.span.clone()
        });
    Diagnostic::error(format!(
        "services wait for each other: {}",
        shown.join(" → ")
    ))
    .at(place)
    .hint("take one of these out of `depends_on`")
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::Spanned;
    use plimsoll_model::{DependencyCondition, Service};

    use super::*;

    fn project(edges: &[(&str, &[&str])]) -> Project {
        let mut project = Project::default();
        for (name, needed) in edges {
            let mut service = Service {
                name: (*name).to_owned(),
                ..Service::default()
            };
            for dependency in *needed {
                let how = Dependency {
                    condition: DependencyCondition::ServiceStarted,
                    required: true,
                    restart: false,
                };
                service
                    .depends_on
                    .insert((*dependency).to_owned(), Spanned::unplaced(how));
            }
            project.services.insert((*name).to_owned(), service);
        }
        project
    }

    #[test]
    fn what_is_waited_for_comes_first() {
        let project = project(&[
            ("web", &["api"]),
            ("api", &["db", "cache"]),
            ("db", &[]),
            ("cache", &[]),
        ]);
        let order = start_order(&project, &[]).unwrap();
        assert_eq!(order.sequence(), ["cache", "db", "api", "web"]);
    }

    #[test]
    fn a_named_service_brings_only_what_it_needs() {
        let project = project(&[
            ("web", &["api"]),
            ("api", &["db"]),
            ("db", &[]),
            ("docs", &[]),
        ]);
        let order = start_order(&project, &["api".to_owned()]).unwrap();
        assert_eq!(order.sequence(), ["db", "api"]);
    }

    #[test]
    fn services_can_start_without_what_they_need() {
        let project = project(&[("web", &["api", "db"]), ("api", &["db"]), ("db", &[])]);
        let order = start_order_of_these(&project, &["web".to_owned(), "api".to_owned()]).unwrap();
        assert_eq!(order.sequence(), ["api", "web"]);
        let waits: Vec<&str> = order
            .waits_of("web")
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(waits, ["api"]);
    }

    #[test]
    fn a_cycle_is_named() {
        let project = project(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])]);
        let problem = start_order(&project, &[]).unwrap_err();
        insta::assert_snapshot!(problem, @"services wait for each other: `b` → `c` → `b`");
    }

    #[test]
    fn an_unknown_service_is_told_with_those_there_are() {
        let project = project(&[("api", &[])]);
        let problem = start_order(&project, &["apii".to_owned()]).unwrap_err();
        assert_eq!(problem.0[0].hints, ["there are `api`"]);
    }
}
