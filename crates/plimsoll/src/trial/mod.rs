//! The trial: each service that was found starts in a stack of its own, beside what it needs, and
//! what it does there becomes evidence.
//!
//! The stack has a name of its own, publishes no port, writes to nothing of the project, and is
//! removed with its volumes.

mod candidates;
mod findings;
mod http;
mod inside;
mod loading;
mod mounts;
mod observe;
mod page;
mod protocol;
mod stage;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use plimsoll_detect::{Detection, NamedTrial, Problem, Trial, Verdict};
use plimsoll_diag::Diagnostic;
use plimsoll_image::Variant;
use plimsoll_image::builder::{Memory, PullPolicy};
use plimsoll_image::project_lock::LockPolicy;
use plimsoll_model::Project;
use plimsoll_run::Engine;
use plimsoll_run::stack::{NamedImages, ServiceImage, StackPaths, UpError};

use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::printer::{Form, Printer};
use crate::service_images::{self, HealthChecks, ImagePolicy};
use crate::settings::Settings;
use crate::stack_of_project::{engine, lock};
use crate::terminal_progress::TerminalProgress;
use crate::trace;
use crate::variants::VariantChoice;
use crate::workshop::Workshop;

use candidates::Candidates;
use stage::{Stage, lacks};

/// What each service showed, by its name in its project.
type Trials = BTreeMap<String, Trial>;

/// What is needed for images to be unpacked for the engine.
#[derive(Default)]
struct Images {
    own: BTreeMap<String, ServiceImage>,
    named: NamedImages,
}

/// Tries services, and adds what they show to the detection. No name means all services.
pub(crate) fn run(
    settings: &Settings,
    detection: &mut Detection,
    wanted: &[String],
    patience: Duration,
    printer: &Printer,
) -> Result<(), Failure> {
    let engine = engine()?;
    let (all, told) = candidates::of(settings, detection, wanted)?;
    let interruption = Interruption::listen()?;
    let mut problems: Vec<Problem> = told.iter().map(Problem::from).collect();
    let known = &detection.problems;
    problems.retain(|one| {
        let mut known = known.iter();
        !known.any(|other| (&other.what, &other.path) == (&one.what, &one.path))
    });
    for candidates in all {
        let attempt = Attempt {
            engine: &engine,
            settings,
            patience,
            interruption: &interruption,
            printer,
        };
        problems.extend(attempt.play(candidates, detection)?);
    }
    // What was seen to happen stands above what was read.
    problems.sort_by_key(|problem| problem.severity);
    problems.append(&mut detection.problems);
    detection.problems = problems;
    Ok(())
}

/// Whether anything that was tried does not do what it is there for.
pub(crate) fn fails(detection: &Detection) -> bool {
    let own = detection
        .services
        .iter()
        .filter_map(|service| service.trial.as_ref());
    let others = detection.also_tried.iter().map(|named| &named.trial);
    own.chain(others).any(Trial::fails)
}

/// A full disk of this machine says nothing of a service.
fn without_room(trial: &mut Trial) {
    let is_full = trial
        .why
        .as_deref()
        .is_some_and(|why| why.contains("No space left on device"));
    if trial.fails() && is_full {
        trial.verdict = Verdict::NotTried;
    }
}

/// Why a build failed in one line, and the last lines of the program that failed.
fn told_by_build(diagnostic: Option<&Diagnostic>) -> (String, Vec<String>) {
    let Some(diagnostic) = diagnostic else {
        return ("nobody knows why".to_owned(), Vec::new());
    };
    let mut lines = diagnostic.message.lines().map(str::to_owned);
    let said = lines.next().unwrap_or_default();
    let lines: Vec<String> = lines.collect();
    match trace::complaint(&lines) {
        Some(complaint) => (format!("{said}: {complaint}"), lines),
        None => (said, lines),
    }
}

/// The trial of one project.
struct Attempt<'a> {
    engine: &'a Engine,
    settings: &'a Settings,
    patience: Duration,
    interruption: &'a Interruption,
    printer: &'a Printer,
}

impl Attempt<'_> {
    /// Tries the services of one project; gives what is wrong with them.
    fn play(
        &self,
        mut candidates: Candidates,
        detection: &mut Detection,
    ) -> Result<Vec<Problem>, Failure> {
        let stated = candidates.project.clone();
        let order = candidates.order()?;
        let mut trials = candidates.trials();
        let images = self.build(&candidates.project, &order, &mut trials)?;
        let there: BTreeSet<String> = images.own.keys().cloned().collect();
        candidates.isolate(&there, self.patience);
        let order: Vec<String> = order
            .into_iter()
            .filter(|name| there.contains(name))
            .collect();
        self.stage(&candidates.project, &images, &order, &mut trials)?;
        let mut problems = Vec::new();
        for (name, mut trial) in trials {
            without_room(&mut trial);
            let tried = candidates.project.services.get(&name);
            let Some(service) = tried.or_else(|| stated.services.get(&name)) else {
                continue;
            };
            problems.extend(findings::problems(service, &stated, &trial));
            let is_free = |found: &&str| {
                let service = detection.service(found);
                service.is_some_and(|service| service.trial.is_none())
            };
            match service.facts.found_as.as_deref().filter(is_free) {
                Some(found_as) => findings::add(detection, found_as, trial),
                None => detection.also_tried.push(NamedTrial { name, trial }),
            }
        }
        if stated.files.is_empty() {
            findings::add_help(detection, &candidates.names);
        }
        Ok(problems)
    }

    /// Builds each service by itself, so that one that fails hides no other.
    fn build(
        &self,
        project: &Project,
        order: &[String],
        trials: &mut Trials,
    ) -> Result<Images, Failure> {
        let progress = Arc::new(TerminalProgress::new(self.printer));
        let _building = self.interruption.end_at_once(self.printer, &progress);
        let workshop = Workshop::open(self.settings, self.engine)?;
        let policy = ImagePolicy {
            memory: Memory::Use,
            pull: PullPolicy::Missing,
            variant: VariantChoice::Named(Variant::Production),
            checks: HealthChecks::ByEngine,
            // A trial leaves the project as it is.
            lock: LockPolicy::Aside,
        };
        let builder = workshop.builder(progress, policy.lock)?;
        let mut images = Images::default();
        let store = workshop.store();
        let make = |name: &String| {
            let one = std::slice::from_ref(name);
            let prepared = service_images::prepare(&builder, project, one, policy)?;
            if self.printer.form() == Form::Text {
                service_images::tell(prepared.iter(), self.printer);
            }
            let ready = service_images::unpack(store, prepared)?;
            let named = service_images::named(&builder, project, &ready, policy, store)?;
            Ok::<_, Failure>((ready, named))
        };
        let made: Vec<_> = std::thread::scope(|scope| {
            let make = &make;
            let threads: Vec<_> = order
                .iter()
                .map(|name| scope.spawn(move || (name, make(name))))
                .collect();
            let joined = threads.into_iter().map(ScopedJoinHandle::join);
            joined.filter_map(Result::ok).collect()
        });
        for (name, made) in made {
            match made {
                Ok((ready, named)) => {
                    images.named.extend(named);
                    let own = ready.into_iter();
                    images
                        .own
                        .extend(own.map(|(name, image)| (name, image.for_engine)));
                }
                Err(failure) => {
                    let first = failure.diagnostics.into_iter().next();
                    let (said, lines) = told_by_build(first.as_ref());
                    match trials.get_mut(name) {
                        // Who waits for it is tried without it.
                        Some(trial) => {
                            trial.place = first.and_then(|diagnostic| diagnostic.span);
                            trial.fail(format!("it cannot be built: {said}"));
                            trial.last_lines = lines;
                        }
                        None => lacks(project, trials, name, &said),
                    }
                }
            }
        }
        Ok(images)
    }

    /// Has the services play their parts, and removes the stack.
    fn stage(
        &self,
        project: &Project,
        images: &Images,
        order: &[String],
        trials: &mut Trials,
    ) -> Result<(), Failure> {
        let is_any = order.iter().any(|name| {
            let trial = trials.get(name);
            trial.is_some_and(|trial| trial.verdict == Verdict::Works)
        });
        if !is_any {
            return Ok(());
        }
        let paths = StackPaths::new(&self.settings.data, &self.settings.runtime, &project.name);
        let _held = lock(&paths)?;
        let progress = TerminalProgress::new(self.printer);
        let stage = Stage {
            engine: self.engine,
            settings: self.settings,
            project,
            images: &images.own,
            named: &images.named,
            paths: &paths,
            patience: self.patience,
            cancelled: self.interruption.flag(),
            progress: &progress,
        };
        // What an earlier trial left that was killed.
        if paths.runtime().exists() {
            stage.clear()?;
        }
        let outcome = stage.play(order, trials);
        stage.clear()?;
        drop(progress);
        outcome?;
        if self.interruption.is_requested() {
            self.printer.say("stopped; nothing of the trial is left");
            return Err(Failure::from_up(UpError::Cancelled));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_failure_of_a_service() {
        let verdict = |why: &str| {
            let mut trial = Trial::default();
            trial.fail(why);
            without_room(&mut trial);
            trial.verdict
        };
        let full = "it cannot be built: `/x`: No space left on device (os error 28)";
        assert_eq!(verdict(full), Verdict::NotTried);
        assert_eq!(verdict("it ended with code 1"), Verdict::Fails);
    }
}
