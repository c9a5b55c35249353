//! `up --watch`: the development loop. Follows the source and brings changes into the running stack.
//!
//! [`rules`] says what a change asks for, [`actions`] does it; here is the waiting in between.
//! Changes that come together are taken together: an editor or a checkout touches many files.

mod actions;
mod rules;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use plimsoll_diag::Diagnostic;
use plimsoll_model::{Project, WatchAction};

pub(crate) use actions::Stage;
use rules::{Change, Rule, Rules, Work};

use crate::failure::Failure;
use crate::format::count;
use crate::printer::Printer;

/// So long nothing may happen before changes are acted on.
const QUIET: Duration = Duration::from_millis(150);
/// Longest wait for quiet.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What is watched, and the events that came since.
pub(crate) struct Watching {
    rules: Rules,
    events: Receiver<notify::Result<notify::Event>>,
    /// Events come as long as it is there.
    _watcher: RecommendedWatcher,
}

impl Watching {
    /// Begins to watch the source of these services. Nothing that changes from here on is missed.
    ///
    /// # Errors
    /// When there is nothing to watch, or the kernel does not let it be watched.
    pub(crate) fn begin(project: &Project, started: &[String]) -> Result<Self, Failure> {
        let rules = Rules::of(project, started);
        if rules.rules.is_empty() {
            return Err(Failure::usage(
                Diagnostic::error("there is nothing to watch: no service is built from source")
                    .hint("a rule under `develop.watch` names what to watch"),
            ));
        }
        let (sender, events) = channel();
        let cannot = |path: &Path, error: &notify::Error| {
            let message = format!("cannot watch `{}`: {error}", path.display());
            let failure = Diagnostic::error(message);
            Failure::failed(match error.kind {
                notify::ErrorKind::MaxFilesWatch => failure.hint(
                    "the kernel lets no more be watched: raise fs.inotify.max_user_watches with `sysctl`",
                ),
                _ => failure,
            })
        };
        let mut watcher = notify::recommended_watcher(sender)
            .map_err(|error| cannot(&project.directory, &error))?;
        for (path, mode) in places(&rules) {
            watcher
                .watch(&path, mode)
                .map_err(|error| cannot(&path, &error))?;
        }
        Ok(Self {
            rules,
            events,
            _watcher: watcher,
        })
    }

    /// The services into whose containers files are copied.
    pub(crate) fn synchronised(&self) -> BTreeSet<String> {
        self.rules.synchronised()
    }

    /// Acts on changes until `is_over` says so. What fails is told; the next change is another try.
    pub(crate) fn run(&self, stage: &Stage<'_>, printer: &Printer, is_over: &dyn Fn() -> bool) {
        let services: BTreeSet<&str> = self
            .rules
            .rules
            .iter()
            .map(|rule| rule.service.as_str())
            .collect();
        printer.say(&format!(
            "  watching {} of {}",
            count(self.rules.rules.len(), "place"),
            services.into_iter().collect::<Vec<_>>().join(", ")
        ));
        for rule in &self.rules.rules {
            copy_first(rule, stage, printer);
        }
        while !is_over() {
            let Some(work) = self.next_work(is_over) else {
                continue;
            };
            // A service that is built again needs no copies: they are in the image.
            let rebuilt: HashSet<&str> = work
                .keys()
                .filter_map(|number| self.rules.rules.get(*number))
                .filter(|rule| rule.watch.action == WatchAction::Rebuild)
                .map(|rule| rule.service.as_str())
                .collect();
            let mut done: HashSet<&str> = HashSet::new();
            for (number, changes) in &work {
                let Some(rule) = self.rules.rules.get(*number) else {
                    continue;
                };
                let rebuilds = rule.watch.action == WatchAction::Rebuild;
                let is_due = if rebuilds {
                    done.insert(&rule.service)
                } else {
                    !rebuilt.contains(rule.service.as_str())
                };
                if !is_due || is_over() {
                    continue;
                }
                stage.act(rule, changes, printer);
                if rebuilds {
                    // The new containers have nothing that the image does not bring.
                    let rules = self.rules.rules.iter();
                    for other in rules.filter(|other| other.service == rule.service) {
                        copy_first(other, stage, printer);
                    }
                }
            }
        }
    }

    /// Gathers events until they pause; `None`: nothing that counts came.
    fn next_work(&self, is_over: &dyn Fn() -> bool) -> Option<Work> {
        let mut work = Work::new();
        let first = match self.events.recv_timeout(LOOK) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(LOOK);
                return None;
            }
        };
        self.take(first, &mut work);
        let deadline = Instant::now() + IMPATIENCE;
        while Instant::now() < deadline && !is_over() {
            match self.events.recv_timeout(QUIET) {
                Ok(event) => self.take(event, &mut work),
                Err(_) => break,
            }
        }
        (!work.is_empty()).then_some(work)
    }

    fn take(&self, event: notify::Result<notify::Event>, work: &mut Work) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!("while watching: {error}");
                return;
            }
        };
        // Programs read their source all the time.
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        for path in &event.paths {
            if path.is_dir() {
                // A directory that was moved here brings its files without an event for each.
                if matches!(
                    event.kind,
                    EventKind::Create(_) | EventKind::Modify(notify::event::ModifyKind::Name(_))
                ) {
                    for file in files_below(path) {
                        self.rules.add(&file, work);
                    }
                }
                continue;
            }
            self.rules.add(path, work);
        }
    }
}

/// Copies what a rule wants in the container before anything changes.
fn copy_first(rule: &Rule, stage: &Stage<'_>, printer: &Printer) {
    if !(rule.watch.action.copies() && rule.watch.initial_sync) {
        return;
    }
    let files = files_below(&rule.watch.path);
    let work: BTreeSet<Change> = files.iter().filter_map(|path| rule.change(path)).collect();
    if !work.is_empty() {
        stage.act(rule, &work, printer);
    }
}

/// What the kernel is asked to watch: directories whole, for single files the directory they are
/// in, because editors replace files. Nothing twice.
fn places(rules: &Rules) -> Vec<(PathBuf, RecursiveMode)> {
    let mut places: Vec<(PathBuf, RecursiveMode)> = Vec::new();
    for rule in &rules.rules {
        let path = &rule.watch.path;
        let place = if path.is_dir() {
            (path.clone(), RecursiveMode::Recursive)
        } else {
            let parent = path.parent().unwrap_or(path);
            (parent.to_owned(), RecursiveMode::NonRecursive)
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let whole: Vec<PathBuf> = places
        .iter()
        .filter(|(_, mode)| *mode == RecursiveMode::Recursive)
        .map(|(path, _)| path.clone())
        .collect();
    places.retain(|(path, mode)| {
        !whole.iter().any(|outer| {
            path.starts_with(outer) && (path != outer || *mode == RecursiveMode::NonRecursive)
        })
    });
    places
}

/// The files of a directory and of those below, or the file itself. Links are not followed.
fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        match fs_err::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                let entries = fs_err::read_dir(&path).into_iter().flatten().flatten();
                pending.extend(entries.map(|entry| entry.path()));
            }
            Ok(metadata) if metadata.is_file() => files.push(path),
            _ => {}
        }
    }
    files.sort();
    files
}
