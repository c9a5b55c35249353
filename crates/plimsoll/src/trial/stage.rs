//! The stack that a trial happens in: made, watched, and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plimsoll_detect::{Trial, Verdict};
use plimsoll_diag::{Progress, ProgressEvent};
use plimsoll_model::facts::ServiceKind;
use plimsoll_model::{Project, Service};
use plimsoll_run::Engine;
use plimsoll_run::container::{StdinMode, Terminal};
use plimsoll_run::stack::{
    DownRequest, NamedImages, Partner, RunRequest, ServiceImage, StackPaths, StartOrder, UpError,
    UpRequest, VolumesFate, down, run_once, start_order_of_these, up,
};

use super::Trials;
use super::loading::{self, Places};
use super::observe::{Observer, explain};
use super::protocol::{self, Spoken};

use crate::failure::Failure;
use crate::settings::Settings;
use crate::trace::{self, Sources};

/// Longest time for what services need to come up.
const NEEDS: Duration = Duration::from_secs(180);
/// Services that are started side by side: each takes a processor while it starts.
const SIDE_BY_SIDE: usize = 4;
/// How often it is looked whether all was seen.
const LOOK: Duration = Duration::from_millis(100);

/// A stack for a trial.
pub(super) struct Stage<'s> {
    pub(super) engine: &'s Engine,
    pub(super) settings: &'s Settings,
    pub(super) project: &'s Project,
    pub(super) images: &'s BTreeMap<String, ServiceImage>,
    pub(super) named: &'s NamedImages,
    pub(super) paths: &'s StackPaths,
    pub(super) patience: Duration,
    pub(super) cancelled: &'s AtomicBool,
    pub(super) progress: &'s dyn Progress,
}

impl Stage<'_> {
    /// Starts everything, watches it, and asks it to end. What runs on is for [`Stage::clear`].
    pub(super) fn play(&self, order: &[String], trials: &mut Trials) -> Result<(), Failure> {
        let service = |name: &String| self.project.services.get(name);
        let (tried, needs): (Vec<String>, Vec<String>) = order
            .iter()
            .cloned()
            .partition(|name| trials.contains_key(name));
        self.bring_up_needs(&needs, trials)?;
        let (spoken_to, started): (Vec<String>, Vec<String>) =
            tried.iter().cloned().partition(|name| {
                service(name).and_then(|service| service.facts.kind) == Some(ServiceKind::McpStdio)
            });
        for wave in waves(self.project, &started, SIDE_BY_SIDE) {
            if self.is_cancelled() {
                return Ok(());
            }
            self.watch(&wave, trials)?;
        }
        for name in &spoken_to {
            if self.is_cancelled() {
                return Ok(());
            }
            if let (Some(service), Some(trial)) = (service(name), trials.get_mut(name))
                && trial.verdict == Verdict::Works
            {
                self.speak(service, trial)?;
            }
        }
        let observer = self.observer();
        // What pages ask is up by now.
        for name in &started {
            if let (Some(service), Some(trial)) = (service(name), trials.get_mut(name)) {
                observer.draw(service, trial);
            }
        }
        // Dependants end first, as in any stack.
        for name in started.iter().rev() {
            if self.is_cancelled() {
                return Ok(());
            }
            if let (Some(service), Some(trial)) = (service(name), trials.get_mut(name)) {
                observer.stop(service, trial);
            }
        }
        Ok(())
    }

    /// Removes the stack and all that it left, whatever came of it.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        let request = DownRequest {
            paths: self.paths,
            project: Some(self.project),
            grace: Some(Duration::ZERO),
            volumes: VolumesFate::Removed,
            progress: self.progress,
        };
        let cleared = down(self.engine, &request);
        cleared.map(|_| ()).map_err(|error| {
            let name = self.paths.project();
            Failure::from_up(error).hint(&format!("`plimsoll -p {name} down -v` tries again"))
        })
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn observer(&self) -> Observer<'_> {
        Observer {
            engine: self.engine,
            project: self.project,
            paths: self.paths,
            patience: self.patience,
            cancelled: self.cancelled,
            progress: self.progress,
        }
    }

    fn request<'r>(
        &'r self,
        order: &'r StartOrder,
        patience: Duration,
        synchronised: &'r BTreeSet<String>,
        cancelled: &'r AtomicBool,
    ) -> UpRequest<'r> {
        UpRequest {
            project: self.project,
            order,
            images: self.images,
            named_images: self.named,
            synchronised,
            paths: self.paths,
            environment: &self.settings.environment.0,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            patience,
            cancelled,
            progress: self.progress,
        }
    }

    /// Brings up what services need; those whose need fails are not tried.
    fn bring_up_needs(&self, needs: &[String], trials: &mut Trials) -> Result<(), Failure> {
        if needs.is_empty() {
            return Ok(());
        }
        let order = start_order_of_these(self.project, needs)?;
        let none = BTreeSet::new();
        let request = self.request(&order, NEEDS, &none, self.cancelled);
        match up(self.engine, &request) {
            Ok(_) | Err(UpError::Cancelled) => Ok(()),
            Err(UpError::Services(failures)) => {
                for failure in failures {
                    let mut said = failure.diagnostic.message;
                    if let Some(complaint) = trace::complaint(&failure.last_lines) {
                        said = format!("{said}: {complaint}");
                    }
                    lacks(self.project, trials, &failure.service, &said);
                }
                Ok(())
            }
            Err(error) => Err(Failure::from_up(error)),
        }
    }

    /// Starts services side by side and watches each.
    fn watch(&self, wave: &[String], trials: &mut Trials) -> Result<(), Failure> {
        let names: Vec<String> = wave
            .iter()
            .filter(|name| {
                let trial = trials.get(*name);
                trial.is_some_and(|trial| trial.verdict == Verdict::Works)
            })
            .cloned()
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let order = start_order_of_these(self.project, &names)?;
        let none = BTreeSet::new();
        // Set once all was seen: nobody has to wait for checks that will not pass.
        let enough = AtomicBool::new(false);
        let started = AtomicBool::new(false);
        let observer = self.observer();
        let result = std::thread::scope(|scope| {
            let starting = scope.spawn(|| {
                let request = self.request(&order, self.patience, &none, &enough);
                let result = up(self.engine, &request);
                started.store(true, Ordering::Relaxed);
                result
            });
            let watched: Vec<_> = trials
                .iter_mut()
                .filter(|(name, _)| names.contains(name))
                .filter_map(|(name, trial)| Some((self.project.services.get(name)?, trial)))
                .map(|(service, trial)| {
                    let (observer, started) = (&observer, &started);
                    scope.spawn(move || observer.watch(service, started, trial))
                })
                .collect();
            while !watched
                .iter()
                .all(std::thread::ScopedJoinHandle::is_finished)
            {
                if self.is_cancelled() {
                    enough.store(true, Ordering::Relaxed);
                }
                std::thread::sleep(LOOK);
            }
            enough.store(true, Ordering::Relaxed);
            starting.join()
        });
        match result {
            Ok(Ok(_) | Err(UpError::Cancelled)) => Ok(()),
            Ok(Err(UpError::Services(failures))) => {
                for failure in failures {
                    // What has a container was seen itself.
                    let container = format!("{}-{}-1", self.project.name, failure.service);
                    let has_run = self.paths.container(&container).join("state.json").exists();
                    if let Some(trial) = trials.get_mut(&failure.service)
                        && !has_run
                    {
                        trial.place = failure.diagnostic.span;
                        trial.fail(failure.diagnostic.message);
                    }
                }
                Ok(())
            }
            Ok(Err(error)) => Err(Failure::from_up(error)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Speaks with a program that answers over its standard output.
    fn speak(&self, service: &Service, trial: &mut Trial) -> Result<(), Failure> {
        let Some(image) = self.images.get(&service.name) else {
            return Ok(());
        };
        self.progress.report(ProgressEvent::Started {
            subject: service.name.clone(),
            step: "speaking with it".to_owned(),
        });
        let began = Instant::now();
        let mut spoken = Spoken::default();
        let mut answered = None;
        let mut talk = |child: &mut Child| {
            spoken = protocol::with_program(child, self.patience, self.cancelled, &mut || {
                answered = Some(began.elapsed());
            })?;
            Ok(())
        };
        let order = StartOrder::default();
        let none = BTreeSet::new();
        let code = run_once(
            self.engine,
            RunRequest {
                up: self.request(&order, self.patience, &none, self.cancelled),
                service,
                image,
                stdin: StdinMode::Open,
                terminal: Terminal::None,
                partner: Partner::Itself(&mut talk),
                ready: &mut || {},
            },
        );
        self.progress.report(ProgressEvent::Finished {
            subject: service.name.clone(),
        });
        let code = match code {
            Ok(code) => code,
            Err(error) => {
                let failure = Failure::from_up(error);
                let first = failure.diagnostics.into_iter().next();
                trial.fail(first.map_or("it cannot be started".to_owned(), |one| one.message));
                return Ok(());
            }
        };
        let (said, modules) = loading::separate(spoken.said);
        trial.loads = loading::loads(&modules, None, Some(&Places::of_image(image)));
        trial.refused_writes = trace::refused_writes(&said);
        trial.handshake = spoken.handshake;
        if trial.handshake.is_some() {
            trial.seconds = answered.map(|answered| answered.as_secs_f64());
            trial.stop = spoken.farewell.map(|took| plimsoll_detect::Stop {
                exit_code: Some(code),
                seconds: took.as_secs_f64(),
            });
        } else if !self.is_cancelled() {
            trial.fail(match spoken.farewell {
                Some(_) => format!("it ended with code {code} before it answered"),
                None => format!(
                    "it did not answer `initialize` within {} s",
                    self.patience.as_secs()
                ),
            });
            explain(trial, &said, &Sources::of(self.project, service));
        }
        Ok(())
    }
}

/// Notes of all that need it, directly or not, that something is not there.
pub(super) fn lacks(project: &Project, trials: &mut Trials, missing: &str, why: &str) {
    let mut gone = BTreeSet::from([missing.to_owned()]);
    let needed = project.services.get(missing);
    let place = needed.and_then(|service| service.span.clone());
    loop {
        let more: Vec<String> = project
            .services
            .values()
            .filter(|service| !gone.contains(&service.name))
            // What is tried itself is started in any case.
            .filter(|service| {
                let mut needs = service.depends_on.iter();
                needs.any(|(name, how)| {
                    how.required
                        && gone.contains(name)
                        && (name == missing || !trials.contains_key(name))
                })
            })
            .map(|service| service.name.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        gone.extend(more);
    }
    for name in &gone {
        if let Some(trial) = trials.get_mut(name).filter(|_| name != missing)
            && trial.verdict == Verdict::Works
        {
            let why = format!("it needs `{missing}`: {why}");
            *trial = Trial {
                made_up: std::mem::take(&mut trial.made_up),
                // What has to be mended stands there.
                place: place.clone(),
                ..Trial::not_tried(why)
            };
        }
    }
}

/// The services in groups that start side by side, each after what it waits for.
fn waves(project: &Project, order: &[String], most: usize) -> Vec<Vec<String>> {
    let mut rest: Vec<String> = order.to_vec();
    let mut waves = Vec::new();
    while !rest.is_empty() {
        let waits = |name: &String| {
            let service = project.services.get(name);
            service
                .is_some_and(|service| service.depends_on.keys().any(|other| rest.contains(other)))
        };
        let mut wave: Vec<String> = rest.iter().filter(|name| !waits(name)).cloned().collect();
        wave.truncate(most);
        if wave.is_empty() {
            // A cycle is told before anything starts.
            wave.clone_from(&rest);
        }
        rest.retain(|name| !wave.contains(name));
        waves.push(wave);
    }
    waves
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::Spanned;
    use plimsoll_model::{Dependency, DependencyCondition};

    use super::*;

    fn project(services: &[(&str, &[&str])]) -> Project {
        let mut project = Project::default();
        for (name, needs) in services {
            let mut service = Service {
                name: (*name).to_owned(),
                ..Service::default()
            };
            for need in *needs {
                let how = Dependency {
                    condition: DependencyCondition::ServiceStarted,
                    required: true,
                    restart: false,
                };
                let how = Spanned::unplaced(how);
                service.depends_on.insert((*need).to_owned(), how);
            }
            project.services.insert((*name).to_owned(), service);
        }
        project
    }

    #[test]
    fn services_start_after_what_they_wait_for_and_not_all_at_once() {
        let project = project(&[("a", &[]), ("b", &["a"]), ("c", &[]), ("d", &[])]);
        let order = ["a", "c", "d", "b"].map(str::to_owned);
        assert_eq!(waves(&project, &order, 2), [vec!["a", "c"], vec!["d", "b"]]);
    }

    #[test]
    fn who_needs_what_failed_is_not_tried() {
        let project = project(&[
            ("web", &["tables"]),
            ("tables", &["postgres"]),
            ("other", &[]),
            ("postgres", &[]),
        ]);
        let mut trials = Trials::new();
        for name in ["web", "tables", "other"] {
            trials.insert(name.to_owned(), Trial::default());
        }
        lacks(&project, &mut trials, "postgres", "no image");
        let verdict = |name: &str| trials[name].verdict;
        assert_eq!(verdict("tables"), Verdict::NotTried);
        assert_eq!(verdict("other"), Verdict::Works);
        assert_eq!(
            trials["tables"].why.as_deref(),
            Some("it needs `postgres`: no image")
        );
    }
}
