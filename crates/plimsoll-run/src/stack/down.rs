//! Taking a stack down.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_diag::{Progress, ProgressEvent};
use plimsoll_model::Project;

use super::hooks::before_stop;
use super::record::StackRecord;
use super::up::{UpError, container_name, engine_containers};
use super::{StackPaths, volumes};
use crate::engine::{ContainerHandle, Engine, EngineError};
use crate::network::{Keeper, NetworkError};

/// What to take down.
pub struct DownRequest<'a> {
    /// Where the stack keeps what it needs.
    pub paths: &'a StackPaths,
    /// The project, where its files can be read: gives the order in which services stop.
    pub project: Option<&'a Project>,
    /// Time a container has to stop; `None`: its own.
    pub grace: Option<Duration>,
    /// What happens to named volumes.
    pub volumes: VolumesFate,
    /// Receiver of progress.
    pub progress: &'a dyn Progress,
}

/// What happens to named volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumesFate {
    /// They stay.
    Kept,
    /// They are removed with their data.
    Removed,
}

/// What was taken down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DownReport {
    /// Containers that were stopped or cleaned away.
    pub containers: Vec<String>,
    /// Volumes that were removed.
    pub volumes: Vec<String>,
}

/// Stops every container of the stack, dependants before what they depend on, and removes all
/// that the stack left on the machine. A stack whose processes were killed is cleaned away.
///
/// The caller holds the project's [`super::StackLock`].
///
/// # Errors
/// The first thing that could not be removed; the rest is tried all the same.
pub fn down(engine: &Engine, request: &DownRequest<'_>) -> Result<DownReport, UpError> {
    let record = StackRecord::read(request.paths)
        .unwrap_or_default()
        .unwrap_or_default();
    let present = engine_containers(engine, request.paths)?;
    let mut first_error = None;
    for wave in waves(request.project, &record, &present) {
        for name in &wave {
            let subject = record
                .containers
                .get(name)
                .map_or(name, |container| &container.service);
            request.progress.report(ProgressEvent::Started {
                subject: subject.clone(),
                step: "stopping".to_owned(),
            });
        }
        if let Err(error) = stop_containers(engine, request.paths, &wave, request.grace) {
            first_error.get_or_insert(error);
        }
        for name in &wave {
            let subject = record
                .containers
                .get(name)
                .map_or(name, |container| &container.service);
            request.progress.report(ProgressEvent::Finished {
                subject: subject.clone(),
            });
        }
    }
    match Keeper::connect(&request.paths.keeper()) {
        Ok(keeper) => keeper.shutdown()?,
        Err(NetworkError::NotRunning { .. }) => {}
        Err(error) => {
            first_error.get_or_insert(error.into());
        }
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    let mut report = DownReport {
        containers: present,
        volumes: Vec::new(),
    };
    if request.volumes == VolumesFate::Removed {
        let mut names = record.volumes.clone();
        if let Some(project) = request.project {
            let own = project.volumes.values().filter(|volume| !volume.external);
            names.extend(own.map(|volume| volume.name.clone()));
        }
        names.sort();
        names.dedup();
        report.volumes = volumes::remove(request.paths, &names)?;
    }
    for directory in [request.paths.runtime(), request.paths.project_data()] {
        match fs_err::remove_dir_all(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(report)
}

/// Stops containers side by side and removes what they left.
pub(super) fn stop_containers(
    engine: &Engine,
    paths: &StackPaths,
    names: &[String],
    grace: Option<Duration>,
) -> Result<(), UpError> {
    // A record that cannot be read tells no hooks; the containers stop all the same.
    let record = StackRecord::read(paths)
        .unwrap_or_default()
        .unwrap_or_default();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = names
            .iter()
            .map(|name| scope.spawn(|| remove_container(engine, paths, &record, name, grace)))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    results
        .into_iter()
        .collect::<Result<(), _>>()
        .map_err(UpError::from)
}

/// Stops one container and removes what it left; one that is not there is no error.
pub(super) fn remove_container(
    engine: &Engine,
    paths: &StackPaths,
    record: &StackRecord,
    name: &str,
    grace: Option<Duration>,
) -> Result<(), EngineError> {
    let directory = paths.container(name);
    let handle = ContainerHandle::new(&directory);
    // A container that never came to have a state has nothing to stop, only to clean away.
    if handle.state().is_ok_and(|state| !state.is_final()) {
        before_stop(engine, paths, record, name);
        handle.stop(grace)?;
    }
    engine.clean(&directory)
}

/// Containers in the order in which they stop: each wave only once nothing that needs it runs.
fn waves(project: Option<&Project>, record: &StackRecord, present: &[String]) -> Vec<Vec<String>> {
    let Some(project) = project else {
        return vec![present.to_vec()];
    };
    let service_of: BTreeMap<String, &str> = project
        .services
        .values()
        .flat_map(|service| {
            (1..=service.scale.value.max(1)).map(|index| {
                (
                    container_name(project, &service.name, index),
                    service.name.as_str(),
                )
            })
        })
        .chain(
            record
                .containers
                .iter()
                .map(|(name, container)| (name.clone(), container.service.as_str())),
        )
        .collect();
    let mut rest: Vec<String> = present.to_vec();
    let mut waves = Vec::new();
    while !rest.is_empty() {
        let needed: Vec<&str> = rest
            .iter()
            .filter_map(|name| project.services.get(*service_of.get(name)?))
            .flat_map(|service| service.depends_on.keys().map(String::as_str))
            .collect();
        let (wave, later): (Vec<String>, Vec<String>) = rest.iter().cloned().partition(|name| {
            service_of
                .get(name)
                .is_none_or(|service| !needed.contains(service))
        });
        if wave.is_empty() {
            // A cycle, which could never have started as such: all at once.
            waves.push(rest);
            break;
        }
        waves.push(wave);
        rest = later;
    }
    waves
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::Spanned;
    use plimsoll_model::{Dependency, DependencyCondition, Service};

    use super::*;

    #[test]
    fn dependants_stop_first() {
        let mut project = Project {
            name: "desk".to_owned(),
            ..Project::default()
        };
        for (name, needs) in [("web", Some("api")), ("api", Some("db")), ("db", None)] {
            let mut service = Service {
                name: name.to_owned(),
                scale: Spanned::unplaced(1),
                ..Service::default()
            };
            if let Some(needs) = needs {
                let how = Dependency {
                    condition: DependencyCondition::ServiceStarted,
                    required: true,
                    restart: false,
                };
                service
                    .depends_on
                    .insert(needs.to_owned(), Spanned::unplaced(how));
            }
            project.services.insert(name.to_owned(), service);
        }
        let present = ["desk-api-1", "desk-db-1", "desk-old-1", "desk-web-1"].map(str::to_owned);
        let waves = waves(Some(&project), &StackRecord::default(), &present);
        assert_eq!(
            waves,
            [
                vec!["desk-old-1", "desk-web-1"],
                vec!["desk-api-1"],
                vec!["desk-db-1"]
            ]
        );
    }
}
