//! What is done when a service's source has changed: copying, restarting, building again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use plimsoll_diag::{Diagnostic, Diagnostics};
use plimsoll_model::{Hook, Project, WatchAction};
use plimsoll_run::container::{LogOptions, Timestamp};
use plimsoll_run::stack::{
    LogRequest, ServiceLine, StackPaths, UpRequest, follow_lines, start_order_of_these, status, up,
    user_of_image,
};
use plimsoll_run::{ContainerHandle, Engine, ExecSpec, Synchroniser};

use super::rules::{Change, Rule};
use crate::failure::{Failure, chain};
use crate::format::{count, elapsed};
use crate::printer::Printer;
use crate::service_images::{self, ImagePolicy};
use crate::settings::Settings;
use crate::stack_of_project::lock;
use crate::terminal_progress::TerminalProgress;
use crate::workshop::Workshop;

/// The stack that changes are brought into.
pub(crate) struct Stage<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) engine: &'a Engine,
    pub(crate) project: &'a Project,
    pub(crate) paths: &'a StackPaths,
    pub(crate) policy: ImagePolicy,
    pub(crate) bind: std::net::IpAddr,
    pub(crate) patience: Duration,
    pub(crate) synchronised: &'a BTreeSet<String>,
    pub(crate) cancelled: &'a AtomicBool,
    /// Where lines of containers that are started now are read from.
    pub(crate) lines: Sender<std::sync::mpsc::Receiver<ServiceLine>>,
}

impl Stage<'_> {
    /// Does what a rule asks for, and tells how it went.
    pub(super) fn act(&self, rule: &Rule, changes: &BTreeSet<Change>, printer: &Printer) {
        let began = Instant::now();
        let outcome = match &rule.watch.action {
            WatchAction::Rebuild => self.rebuild(&rule.service, printer),
            WatchAction::Restart => self.restart(&rule.service),
            WatchAction::Sync => self.synchronise(rule, changes),
            WatchAction::SyncRestart => self
                .synchronise(rule, changes)
                .and_then(|()| self.restart(&rule.service)),
            WatchAction::SyncExec(hook) => self
                .synchronise(rule, changes)
                .and_then(|()| self.execute(&rule.service, hook)),
        };
        match outcome {
            Ok(()) => {
                let what = match &rule.watch.action {
                    WatchAction::Rebuild => "rebuilt",
                    WatchAction::Restart => "restarted",
                    WatchAction::Sync => "synced",
                    WatchAction::SyncRestart => "synced and restarted",
                    WatchAction::SyncExec(_) => "synced and run",
                };
                printer.say(&format!(
                    "  {what} {} · {} · {}",
                    rule.service,
                    named(changes, &rule.watch.path),
                    elapsed(began.elapsed())
                ));
            }
            // The stack is about to be taken down, which needs no excuse.
            Err(_) if self.cancelled.load(Ordering::Relaxed) => {}
            Err(failure) => {
                for diagnostic in &failure.diagnostics {
                    printer.tell(diagnostic);
                }
                printer.say("  the next change is another try");
            }
        }
    }

    fn containers(&self, service: &str) -> Result<Vec<ContainerHandle>, Failure> {
        let containers = status(self.paths).map_err(Failure::from_up)?;
        let handles: Vec<ContainerHandle> = containers
            .iter()
            .filter(|container| container.record.service == service)
            .map(|container| ContainerHandle::new(&self.paths.container(&container.name)))
            .collect();
        if handles.is_empty() {
            return Err(Failure::failed(Diagnostic::error(format!(
                "`{service}` has no container"
            ))));
        }
        Ok(handles)
    }

    fn synchronise(&self, rule: &Rule, changes: &BTreeSet<Change>) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::failed(Diagnostic::error(format!("`{}`: {error}", rule.service)))
        };
        for handle in self.containers(&rule.service)? {
            let into = Synchroniser::new(&handle).map_err(|error| failed(&chain(&error)))?;
            for change in changes {
                let Some(target) = &change.target else {
                    continue;
                };
                let written = if change.source.is_file() {
                    into.write(&change.source, target)
                } else {
                    into.remove(target)
                };
                written.map_err(|error| {
                    let place = target.display();
                    let problem = Diagnostic::error(format!(
                        "`{}`: cannot write `{place}`: {error}",
                        rule.service
                    ));
                    Failure::failed(match into.mount_at(target) {
                        Some(mount) => problem.hint(format!(
                            "`{}` is mounted there: write where it comes from, or mount it writable",
                            mount.display()
                        )),
                        None => problem,
                    })
                })?;
            }
        }
        Ok(())
    }

    fn restart(&self, service: &str) -> Result<(), Failure> {
        for handle in self.containers(service)? {
            handle.restart().map_err(|error| {
                Failure::failed(Diagnostic::error(format!(
                    "`{service}` cannot be restarted: {}",
                    chain(&error)
                )))
            })?;
        }
        Ok(())
    }

    fn execute(&self, service: &str, hook: &Hook) -> Result<(), Failure> {
        for handle in self.containers(service)? {
            let failed = |reason: String| {
                Failure::failed(Diagnostic::error(format!("`{service}`: `exec` {reason}")))
            };
            let mut spec = ExecSpec::new(hook.command.clone());
            spec.working_dir.clone_from(&hook.working_dir);
            spec.environment = hook
                .environment
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
                .collect();
            if let Some(user) = &hook.user {
                let layers = handle.spec().map_err(|error| failed(chain(&error)))?.layers;
                let user = user_of_image(&layers, user).map_err(|error| failed(chain(&error)))?;
                spec.user = Some(user);
            }
            let ran = self.engine.exec_captured(handle.dir(), &spec);
            let (code, stdout, stderr) =
                ran.map_err(|error| failed(format!("could not be run: {}", chain(&error))))?;
            if code != 0 {
                let said = [stdout, stderr].concat();
                let said = String::from_utf8_lossy(&said);
                let mut message = format!("exited with code {code}");
                for line in said.lines().rev().take(10).collect::<Vec<_>>().iter().rev() {
                    message.push_str("\n    | ");
                    message.push_str(line);
                }
                return Err(failed(message));
            }
        }
        Ok(())
    }

    /// Builds a service's image again and replaces its containers, and those of services that want
    /// to start again with it.
    fn rebuild(&self, service: &str, printer: &Printer) -> Result<(), Failure> {
        let _held = lock(self.paths)?;
        let mut names = vec![service.to_owned()];
        names.extend(
            self.project
                .services
                .values()
                .filter(|other| other.depends_on.get(service).is_some_and(|how| how.restart))
                .map(|other| other.name.clone()),
        );
        let order = start_order_of_these(self.project, &names)
            .map_err(|problems: Diagnostics| Failure::from(problems))?;
        let progress = std::sync::Arc::new(TerminalProgress::new(printer));
        let workshop = Workshop::open(self.settings, self.engine)?;
        let builder = workshop.builder(progress.clone(), self.policy.lock)?;
        let prepared =
            service_images::prepare(&builder, self.project, order.sequence(), self.policy)?;
        service_images::tell_lock(&builder, printer);
        let prepared = service_images::unpack(workshop.store(), prepared)?;
        let named = service_images::named(
            &builder,
            self.project,
            &prepared,
            self.policy,
            workshop.store(),
        )?;
        let images = prepared
            .iter()
            .map(|(name, image)| (name.clone(), image.for_engine.clone()))
            .collect();
        let since = Timestamp::now();
        let request = UpRequest {
            project: self.project,
            order: &order,
            images: &images,
            named_images: &named,
            synchronised: self.synchronised,
            paths: self.paths,
            environment: &self.settings.environment.0,
            bind: self.bind,
            patience: self.patience,
            cancelled: self.cancelled,
            progress: progress.as_ref(),
        };
        let outcome = up(self.engine, &request);
        // Also of what did not come up: why stands in its lines.
        let lines = follow_lines(
            self.paths,
            &LogRequest {
                services: names,
                options: LogOptions {
                    since: Some(since),
                    ..LogOptions::default()
                },
            },
        );
        if let Ok(lines) = lines {
            // Nobody follows any more when the stack is taken down.
            let _ = self.lines.send(lines);
        }
        outcome.map(drop).map_err(Failure::from_up)
    }
}

/// One file by its name, more by their number.
fn named(changes: &BTreeSet<Change>, base: &Path) -> String {
    match changes.iter().next() {
        Some(change) if changes.len() == 1 => {
            let base = if change.source == base {
                base.parent().unwrap_or(base)
            } else {
                base
            };
            let shown = change.source.strip_prefix(base);
            shown.unwrap_or(&change.source).display().to_string()
        }
        _ => count(changes.len(), "file"),
    }
}
