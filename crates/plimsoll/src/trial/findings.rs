//! From what trials showed to what a detection tells: evidence, corrected ports, problems.

use std::collections::BTreeSet;

use plimsoll_detect::{Detection, Health, Problem, Reach, Trial, Verdict};
use plimsoll_diag::{Evidence, Severity, Span};
use plimsoll_model::{Project, Service};

use super::observe::{check_port, serves};
use crate::remedy::remedy;

/// Exit code of a program that was killed because it did not end: 128 + SIGKILL.
const KILLED: i32 = 137;

/// What is wrong with one service of a project, as its trial showed it.
pub(super) fn problems(service: &Service, stated: &Project, trial: &Trial) -> Vec<Problem> {
    let findings = Findings {
        service,
        stated: stated.services.get(&service.name).unwrap_or(service),
        project: stated,
        has_files: !stated.files.is_empty(),
        trial,
    };
    let mut problems = Vec::new();
    problems.extend(findings.failure());
    if trial.verdict != Verdict::NotTried {
        problems.extend(findings.ports());
        problems.extend(findings.loopback());
        problems.extend(findings.writes());
        problems.extend(findings.end());
    }
    problems
}

struct Findings<'f> {
    /// As it was tried.
    service: &'f Service,
    /// As the project says it.
    stated: &'f Service,
    project: &'f Project,
    has_files: bool,
    trial: &'f Trial,
}

impl Findings<'_> {
    fn problem(
        &self,
        span: Option<Span>,
        severity: Severity,
        what: String,
        hint: Option<String>,
    ) -> Problem {
        let span = span.or_else(|| self.stated.span.clone());
        Problem {
            path: span
                .as_ref()
                .map_or_else(|| std::path::Path::new("").into(), |span| span.file.clone()),
            line: span.as_ref().map_or(1, |span| span.start.line),
            what,
            hint,
            severity,
            span,
        }
    }

    /// Why it does not do what it is there for.
    fn failure(&self) -> Option<Problem> {
        let why = self.trial.why.as_deref().unwrap_or("it fails");
        let name = &self.service.name;
        let (severity, what) = match self.trial.verdict {
            Verdict::Works => return None,
            Verdict::Fails => (
                Severity::Error,
                format!("`{name}` fails when it is tried: {why}"),
            ),
            Verdict::NotTried => (Severity::Warning, format!("`{name}` was not tried: {why}")),
        };
        let hint = remedy(why, &self.trial.last_lines, self.stated, self.project);
        let hint = hint.or_else(|| {
            let variables = &self.trial.made_up;
            (!variables.is_empty() && self.trial.fails()).then(|| {
                format!(
                    "tried with made-up values of {}: set them in `.env` to try with your own",
                    variables.join(", ")
                )
            })
        });
        Some(self.problem(self.trial.place.clone(), severity, what, hint))
    }

    /// Ports that it was believed to listen on, and does not.
    fn ports(&self) -> Option<Problem> {
        let listens: Vec<u16> = self.trial.listens.iter().map(|one| one.port).collect();
        let instead = *self.trial.open_ports().collect::<Vec<_>>().first()?;
        let name = &self.service.name;
        let is_deaf = |port: &u16| !listens.contains(port);
        // What a file says is somebody's to mend.
        if let Some(port) = self.stated.ports.iter().find(|port| is_deaf(&port.target))
            && self.has_files
        {
            let what = format!(
                "port {} of `{name}` is published, but it listens on {instead}",
                port.target
            );
            let hint = Some(format!("publish {instead}"));
            return Some(self.problem(port.span.clone(), Severity::Error, what, hint));
        }
        if let Some(port) = check_port(self.stated).filter(is_deaf)
            && self.has_files
        {
            let what = format!(
                "the health check of `{name}` asks port {port}, but it listens on {instead}"
            );
            let span = self.stated.healthcheck.as_ref();
            let span = span.and_then(|check| check.span.clone());
            let hint = Some(format!("ask port {instead}"));
            return Some(self.problem(span, Severity::Error, what, hint));
        }
        let deaf = self.service.facts.ports.iter().copied().find(is_deaf)?;
        let what = format!("`{name}` listens on {instead}, not on {deaf} as its code reads");
        let hint = Some(format!(
            "say `ports` and `healthcheck` for {instead} in the `compose.yaml` that `plimsoll init` writes"
        ));
        Some(self.problem(None, Severity::Warning, what, hint))
    }

    /// Ports that nobody else reaches.
    fn loopback(&self) -> Option<Problem> {
        if !serves(self.service) || self.trial.open_ports().next().is_some() {
            return None;
        }
        let mut unreached = self.trial.listens.iter();
        let port = unreached.find(|one| one.reach == Reach::Container)?.port;
        let name = &self.service.name;
        let what =
            format!("`{name}` listens on 127.0.0.1:{port}, where no other container reaches it");
        let hint = Some("have it listen on 0.0.0.0".to_owned());
        Some(self.problem(None, Severity::Error, what, hint))
    }

    /// Paths that it could not write to.
    fn writes(&self) -> Vec<Problem> {
        let name = &self.service.name;
        let mounts = &self.stated.volumes;
        let refused = self.trial.refused_writes.iter().filter(|path| {
            // A directory of the host, which a trial only reads.
            !mounts.iter().any(|mount| {
                std::path::Path::new(path).starts_with(&mount.target) && !mount.read_only
            })
        });
        refused
            .map(|path| {
                let what =
                    format!("`{name}` writes to `{path}`, which is read-only in its container");
                let hint = Some("give it a volume, or lead it to another path".to_owned());
                self.problem(None, Severity::Warning, what, hint)
            })
            .collect()
    }

    /// An end that takes a kill.
    fn end(&self) -> Option<Problem> {
        let stop = self.trial.stop.as_ref()?;
        (stop.exit_code == Some(KILLED)).then(|| {
            let name = &self.service.name;
            let what = format!(
                "`{name}` does not end when it is asked to: it was killed after {:.0} s",
                stop.seconds
            );
            let hint = Some("end on SIGTERM, or say another `stop_signal`".to_owned());
            self.problem(None, Severity::Warning, what, hint)
        })
    }
}

/// Adds what a trial showed to the service of the detection that it is.
pub(super) fn add(detection: &mut Detection, found_as: &str, trial: Trial) {
    let mut services = detection.services.iter_mut();
    let Some(service) = services.find(|service| service.name == found_as) else {
        return;
    };
    for fact in trial.facts() {
        let evidence = Evidence::new(service.defined_at.clone(), format!("trial: {fact}"));
        service.evidence.push(evidence);
    }
    let open: Vec<u16> = trial.open_ports().collect();
    let is_deaf = |port: &u16| trial.listens.iter().all(|one| one.port != *port);
    let wrong = service.ports.is_empty() || service.ports.iter().any(is_deaf);
    if trial.verdict == Verdict::Works && wrong && !open.is_empty() {
        if let Some(Health::Http(route)) = &mut service.health
            && is_deaf(&route.port)
            && let [port] = open[..]
        {
            route.port = port;
        }
        service.ports = open;
    }
    service.trial = Some(trial);
}

/// Says of help that was in place for these services whether they work with it. A Compose file is
/// tried as it is, without any.
pub(super) fn add_help(detection: &mut Detection, tried: &BTreeSet<String>) {
    let shims = detection.shims.iter_mut();
    for shim in shims.filter(|shim| tried.contains(&shim.service)) {
        let mut services = detection.services.iter();
        let helped = services.find(|service| service.name == shim.service);
        let trial = helped.and_then(|service| service.trial.as_ref());
        shim.trial = trial.map(|trial| trial.verdict);
    }
}
