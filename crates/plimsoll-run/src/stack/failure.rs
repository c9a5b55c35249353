//! Why a service did not come up, told with what it last said.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{HealthRequest, Mount, MountKind, Service};

use super::logs::log_spec;
use super::order::Awaited;
use super::up::{ServiceFailure, UpRequest};
use crate::container::{ContainerState, LogOptions, logs};
use crate::engine::ContainerHandle;
use crate::listening;

/// How many of its last lines a failed service is shown with.
const LAST_LINES: usize = 12;

impl UpRequest<'_> {
    /// Its container ended, or keeps ending, before it was up.
    pub(super) fn ended(
        &self,
        service: &Service,
        state: &ContainerState,
        began: Instant,
    ) -> Box<ServiceFailure> {
        let name = &service.name;
        let mut message = match (&state.error, state.exit_code) {
            (Some(error), _) => format!("`{name}` could not be started: {error}"),
            (None, _) if state.oom_killed => {
                format!("`{name}` was killed: it used more memory than it may")
            }
            (None, Some(code)) if state.restarts > 0 => {
                format!(
                    "`{name}` keeps ending: exited with code {code}, started {} times",
                    state.restarts + 1
                )
            }
            (None, Some(code)) => format!("`{name}` exited with code {code}"),
            (None, None) => format!("`{name}` ended"),
        };
        if state.error.is_none() && state.restarts == 0 {
            // Writing to a String cannot fail.
            let _ = write!(
                message,
                " {:.1} s after its start",
                began.elapsed().as_secs_f64()
            );
        }
        let mut diagnostic = Diagnostic::error(message).at(service.span.clone());
        let last_lines = self.last_lines(&state.id);
        let hint = read_only_hint(&last_lines).or_else(|| denied_hint(service, &last_lines));
        if let Some(hint) = hint {
            diagnostic = diagnostic.hint(hint);
        }
        Box::new(ServiceFailure {
            service: name.clone(),
            diagnostic,
            last_lines,
        })
    }

    /// Its check failed too often.
    pub(super) fn unhealthy(
        &self,
        service: &Service,
        state: &ContainerState,
    ) -> Box<ServiceFailure> {
        let name = &service.name;
        let last = state.health.as_ref().and_then(|health| health.log.last());
        let said = last
            .map(|check| check.output.trim().to_owned())
            .filter(|said| !said.is_empty());
        let waiting: Vec<String> = self
            .order
            .sequence()
            .iter()
            .filter(|other| {
                let waits = self.order.waits_of(other);
                waits.iter().any(|(dependency, _)| dependency == name)
            })
            .map(|other| format!("`{other}`"))
            .collect();
        let mut message = format!("`{name}` is unhealthy");
        if let Some(said) = said {
            let _ = write!(message, ": its check says: {said}");
        }
        let span = service
            .healthcheck
            .as_ref()
            .and_then(|check| check.span.clone());
        let mut diagnostic = Diagnostic::error(message).at(span.or(service.span.clone()));
        if let Some(hint) = elsewhere(service, state) {
            diagnostic = diagnostic.hint(hint);
        }
        if !waiting.is_empty() {
            let verb = if waiting.len() == 1 { "waits" } else { "wait" };
            diagnostic = diagnostic.hint(format!("{} {verb} for it", waiting.join(", ")));
        }
        Box::new(ServiceFailure {
            service: name.clone(),
            diagnostic,
            last_lines: self.last_lines(&state.id),
        })
    }

    /// Its time is over.
    pub(super) fn too_slow(
        &self,
        service: &Service,
        handle: &ContainerHandle,
        awaited: Awaited,
    ) -> Box<ServiceFailure> {
        let state = handle.state().ok();
        let last = state
            .as_ref()
            .and_then(|state| state.health.as_ref())
            .and_then(|health| health.log.last());
        let said = last
            .map(|check| format!(": its check says: {}", check.output.trim()))
            .unwrap_or_default();
        let seconds = self.patience.as_secs();
        let hint = state
            .as_ref()
            .and_then(|state| elsewhere(service, state))
            .unwrap_or_else(|| "`--wait-timeout SECONDS` waits longer".to_owned());
        Box::new(ServiceFailure {
            service: service.name.clone(),
            diagnostic: Diagnostic::error(format!(
                "`{}` {} after {seconds} s{said}",
                service.name,
                match awaited {
                    Awaited::Up => "is not healthy",
                    Awaited::Completed => "has not ended",
                }
            ))
            .at(service.span.clone())
            .hint(hint),
            last_lines: state
                .map(|state| self.last_lines(&state.id))
                .unwrap_or_default(),
        })
    }

    fn last_lines(&self, container: &str) -> Vec<String> {
        let log = log_spec(self.paths, container);
        let options = LogOptions {
            tail: Some(LAST_LINES),
            ..LogOptions::default()
        };
        let Ok(entries) = logs(&log, None, &options) else {
            return Vec::new();
        };
        entries
            .filter_map(Result::ok)
            .map(|entry| entry.text.trim_end().to_owned())
            .collect()
    }
}

/// What to do when a program failed because it could not write.
fn read_only_hint(lines: &[String]) -> Option<String> {
    let last = |words: [&str; 2]| {
        let mut lines = lines.iter().rev();
        lines.find(|line| words.iter().any(|words| line.contains(words)))
    };
    let Some(line) = last(["Read-only file system", "EROFS"]) else {
        // SQLite does not say why.
        last([
            "unable to open database file",
            "attempt to write a readonly database",
        ])?;
        return Some(
            "it may not write where its database is: give that directory a volume".to_owned(),
        );
    };
    Some(match quoted_path(line) {
        Some(path) => format!("its root is read-only: give `{path}` a volume or `tmpfs`, or write `read_only: false`"),
        None => "its root is read-only: give it a volume or `tmpfs` where it writes, or write `read_only: false`".to_owned(),
    })
}

/// What to do when a program failed because it may not write to what is mounted there.
fn denied_hint(service: &Service, lines: &[String]) -> Option<String> {
    let denied = |line: &&String| line.contains("Permission denied") || line.contains("EACCES");
    let path = quoted_path(lines.iter().rev().find(denied)?)?;
    let above = |mount: &&Spanned<Mount>| Path::new(path).starts_with(&mount.target);
    let mounts = service.volumes.iter().filter(above);
    let mount = mounts.max_by_key(|mount| mount.target.components().count())?;
    let MountKind::Bind { source, .. } = &mount.kind else {
        return None;
    };
    Some(format!(
        "`{}` is mounted there, and not the service's to write to: give it to an ordinary user (`chown -R`), or name \
         its owner as `user` of the service",
        source.display()
    ))
}

/// The path in a line, which stands quoted in what most languages print.
fn quoted_path(line: &str) -> Option<&str> {
    line.split(['\'', '"', '`'])
        .find(|part| part.starts_with('/'))
}

/// Where a service listens, if its check asks another port.
fn elsewhere(service: &Service, state: &ContainerState) -> Option<String> {
    let test = service.healthcheck.as_ref()?.test.as_ref()?;
    let asked = HealthRequest::of_test(test)?.port()?;
    elsewhere_than(asked, &listening(state.pid?))
}

fn elsewhere_than(asked: u16, listening: &[SocketAddr]) -> Option<String> {
    let mut ports: Vec<u16> = listening.iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.contains(&asked) {
        return None;
    }
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    Some(match ports.is_empty() {
        true => format!("it listens on no port, its health check asks {asked}"),
        false => format!(
            "it listens on {}, its health check asks {asked}",
            ports.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Propagation, Recursion};

    use super::*;

    #[test]
    fn a_service_that_listens_elsewhere_is_told() {
        let at = |port: u16| SocketAddr::from(([0, 0, 0, 0], port));
        assert_eq!(elsewhere_than(8000, &[at(9000), at(8000)]), None);
        assert_eq!(
            elsewhere_than(8000, &[at(8001), at(8001)]).as_deref(),
            Some("it listens on 8001, its health check asks 8000")
        );
        assert_eq!(
            elsewhere_than(8000, &[]).as_deref(),
            Some("it listens on no port, its health check asks 8000")
        );
    }

    #[test]
    fn a_program_that_may_not_write_to_a_mount_is_told_whose_it_is() {
        let service = Service {
            volumes: vec![Spanned::unplaced(Mount {
                kind: MountKind::Bind {
                    source: "/home/me/desk".into(),
                    create: true,
                    propagation: Propagation::Private,
                    recursion: Recursion::Enabled,
                },
                target: "/app".into(),
                read_only: false,
            })],
            ..Service::default()
        };
        let denied = |path: &str| {
            [format!(
                "PermissionError: [Errno 13] Permission denied: '{path}'"
            )]
        };
        let hint = denied_hint(&service, &denied("/app/logs/worker.log")).unwrap();
        assert!(
            hint.starts_with("`/home/me/desk` is mounted there"),
            "{hint}"
        );
        assert_eq!(denied_hint(&service, &denied("/var/log/worker.log")), None);
    }

    #[test]
    fn a_program_that_cannot_write_is_told_where_it_could() {
        let lines = [
            "Traceback:".to_owned(),
            "OSError: [Errno 30] Read-only file system: '/app/data'".to_owned(),
        ];
        let hint = read_only_hint(&lines).unwrap();
        assert!(hint.contains("give `/app/data` a volume"), "{hint}");
        assert_eq!(read_only_hint(&lines[..1]), None);
        let database = ["sqlite3.OperationalError: unable to open database file".to_owned()];
        let hint = read_only_hint(&database).unwrap();
        assert!(hint.contains("where its database is"), "{hint}");
    }
}
