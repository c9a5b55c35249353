//! What one container of a trial does, from its start until it is asked to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use plimsoll_detect::{Answer, Check, Stop, Trial, Verdict};
use plimsoll_diag::{Progress, ProgressEvent};
use plimsoll_model::facts::{Health, ServiceKind};
use plimsoll_model::{HealthRequest, Project, Service};
use plimsoll_run::container::{ContainerState, HealthStatus, LogOptions};
use plimsoll_run::stack::StackPaths;
use plimsoll_run::{ContainerHandle, Engine, Follow};

use super::http::{Reading, Request, Response};
use super::inside::Inside;
use super::loading::{self, Places};
use super::page;
use super::protocol;
use super::writing::writes;
use crate::trace::{self, Sources};

/// How often it is looked at a container.
const LOOK: Duration = Duration::from_millis(100);
/// How long a program that listens on another port than it should gets to open that one, too.
const OTHER_PORT: Duration = Duration::from_secs(8);
/// How long a program that listens on nothing must stay alive.
const STAY: Duration = Duration::from_secs(5);
/// How long an answer may be a failure before it is one.
const RECOVERY: Duration = Duration::from_secs(20);
/// How long a check that is not what makes a service work is waited for.
const CHECK: Duration = Duration::from_secs(6);
/// Time a service has to end, where it does not say so.
const GRACE: Duration = Duration::from_secs(10);
/// Lines of a failed service that are kept.
const LAST_LINES: usize = 12;
/// How much of an answer is kept.
const BEGINNING: usize = 80;

/// Looks at the containers of a trial's stack.
pub(super) struct Observer<'s> {
    pub(super) engine: &'s Engine,
    pub(super) project: &'s Project,
    pub(super) paths: &'s StackPaths,
    pub(super) patience: Duration,
    pub(super) cancelled: &'s AtomicBool,
    pub(super) progress: &'s dyn Progress,
}

/// How the time until a service is up ended.
enum Settled {
    /// It does what can be seen from outside.
    Up(i32),
    /// It ended by itself.
    Ended(Box<ContainerState>),
    /// It runs, and does not do what it is there for.
    Late(i32),
    /// It has no container, or the user wants to stop.
    Nothing,
}

impl Observer<'_> {
    fn container(&self, service: &Service) -> ContainerHandle {
        let name = format!("{}-{}-1", self.project.name, service.name);
        ContainerHandle::new(&self.paths.container(&name))
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn tell(&self, service: &Service, step: &str) {
        self.progress.report(ProgressEvent::Started {
            subject: service.name.clone(),
            step: step.to_owned(),
        });
    }

    /// Its log.
    fn lines(&self, handle: &ContainerHandle) -> Vec<String> {
        let Ok(entries) = handle.logs(Follow::No, &LogOptions::default()) else {
            return Vec::new();
        };
        let mut text = String::new();
        for entry in entries.filter_map(Result::ok) {
            text.push_str(&entry.text);
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        text.lines().map(str::to_owned).collect()
    }

    /// Watches a service that is being started; `over` is set once nothing more will be started.
    pub(super) fn watch(&self, service: &Service, over: &AtomicBool, trial: &mut Trial) {
        let handle = self.container(service);
        let settled = self.settle(service, &handle, over);
        match &settled {
            Settled::Nothing => return,
            Settled::Up(process) | Settled::Late(process) => {
                let inside = Inside::of_process(*process);
                trial.seconds = handle.state().ok().and_then(|state| running_for(&state));
                trial.listens = inside.listens();
                self.tell(service, "asking what it does");
                match service.facts.kind {
                    Some(ServiceKind::McpHttp) => self.shake_hands(service, inside, trial),
                    _ => self.ask(service, inside, trial),
                }
                self.check(service, &handle, trial);
            }
            Settled::Ended(state) => ended(service, self.project, state, trial),
        }
        // What came in the end was only slow: a busy machine takes its time.
        let came = trial.check.as_ref().is_some_and(|check| check.passed);
        if let Settled::Late(_) = settled
            && trial.verdict == Verdict::Works
            && !came
        {
            trial.fail(late(service, self.patience));
        }
        self.look(service, &handle, &settled, trial);
        self.progress.report(ProgressEvent::Finished {
            subject: service.name.clone(),
        });
    }

    /// Waits until the service does what can be seen from outside, ends, or takes too long.
    fn settle(&self, service: &Service, handle: &ContainerHandle, over: &AtomicBool) -> Settled {
        let mut began: Option<Instant> = None;
        let mut elsewhere: Option<Instant> = None;
        let expected = expected_ports(service);
        loop {
            if self.is_cancelled() {
                return Settled::Nothing;
            }
            // In this order: a container that is there when nothing more starts was started.
            let no_more = over.load(Ordering::Relaxed);
            let state = handle.state().ok();
            let Some(state) = state.filter(|state| state.pid.is_some() || state.is_final()) else {
                if no_more {
                    return Settled::Nothing;
                }
                std::thread::sleep(LOOK);
                continue;
            };
            if state.is_final() {
                return Settled::Ended(Box::new(state));
            }
            let since = *began.get_or_insert_with(|| {
                self.tell(service, "watching what it does");
                Instant::now()
            });
            let Some(process) = state.pid else { continue };
            let up = match service.facts.kind {
                // One that only has to end is watched until it does.
                _ if is_job(self.project, service) => false,
                _ if expected.is_empty() && !serves(service) => match health_command(service) {
                    Some(_) => state.health_status() == Some(HealthStatus::Healthy),
                    None => since.elapsed() > STAY,
                },
                _ => {
                    let listens = Inside::of_process(process).listens();
                    let is_expected =
                        |port: &u16| listens.iter().any(|listening| listening.port == *port);
                    if expected.iter().any(is_expected) {
                        true
                    } else if listens.is_empty() {
                        false
                    } else {
                        let seen = elsewhere.get_or_insert_with(Instant::now);
                        expected.is_empty() || seen.elapsed() > OTHER_PORT
                    }
                }
            };
            if up {
                return Settled::Up(process);
            }
            if since.elapsed() > self.patience {
                return Settled::Late(process);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Completes the first exchange with a server of the Model Context Protocol.
    fn shake_hands(&self, service: &Service, inside: Inside, trial: &mut Trial) {
        let Some(port) = port_of(service, trial) else {
            return;
        };
        let deadline = Instant::now() + RECOVERY;
        loop {
            match protocol::with_server(inside, port) {
                Ok(handshake) => {
                    trial.handshake = Some(handshake);
                    return;
                }
                Err(instead) if Instant::now() > deadline || self.is_cancelled() => {
                    let what = format!("it completes no `initialize` on port {port}: {instead}");
                    return trial.fail(what);
                }
                Err(_) => std::thread::sleep(LOOK * 5),
            }
        }
    }

    /// Asks the paths that should answer.
    fn ask(&self, service: &Service, inside: Inside, trial: &mut Trial) {
        let Some(port) = port_of(service, trial) else {
            return;
        };
        let health = match &service.facts.health {
            Some(Health::Http(route)) => Some(route.path.as_str()),
            _ => None,
        };
        let metrics = service
            .facts
            .metrics
            .as_ref()
            .map(|route| route.path.as_str());
        let mut asked: Vec<&str> = Vec::new();
        for path in health.into_iter().chain(["/"]).chain(metrics) {
            if asked.contains(&path) {
                continue;
            }
            asked.push(path);
            let answered = self.answer(inside, port, path);
            match answered {
                Ok(answer) => {
                    let must = Some(path) == health;
                    if must && answer.status >= 400 || answer.status >= 500 {
                        trial.fail(format!("`{path}` answers {}", answer.status));
                    }
                    trial.answers.push(answer);
                }
                Err(error) if Some(path) == health => {
                    trial.fail(format!("`{path}` on port {port} does not answer: {error}"));
                }
                Err(_) => {}
            }
        }
        if trial.answers.is_empty() && serves(service) {
            trial.fail(format!("nothing on port {port} speaks HTTP"));
        }
    }

    /// What a path answers; failures count only once they stay.
    fn answer(&self, inside: Inside, port: u16, path: &str) -> std::io::Result<Answer> {
        let deadline = Instant::now() + RECOVERY;
        loop {
            let answered = get(inside, port, path);
            let is_settled = match &answered {
                Ok(response) => response.status < 500,
                Err(error) => error.kind() == std::io::ErrorKind::Other,
            };
            if is_settled || Instant::now() > deadline || self.is_cancelled() {
                return answered.map(|response| Answer {
                    port,
                    path: path.to_owned(),
                    status: response.status,
                    content_type: response.header("content-type").map(str::to_owned),
                    begins: response
                        .body
                        .split_whitespace()
                        .collect::<Vec<_>>()
                        .join(" ")
                        .chars()
                        .take(BEGINNING)
                        .collect(),
                });
            }
            std::thread::sleep(LOOK * 5);
        }
    }

    /// Waits for what the service's own check says.
    fn check(&self, service: &Service, handle: &ContainerHandle, trial: &mut Trial) {
        let command = health_command(service);
        // A check that asks where nothing listens will not pass.
        let lost = check_port(service).is_some_and(|port| {
            !trial.listens.is_empty() && trial.listens.iter().all(|one| one.port != port)
        });
        let patience = match (lost, &command) {
            (true, _) => Duration::ZERO,
            (false, Some(_)) => self.patience,
            (false, None) => CHECK,
        };
        let deadline = Instant::now() + patience;
        let (health, passed) = loop {
            let Some(health) = handle.state().ok().and_then(|state| state.health) else {
                return;
            };
            match health.status {
                HealthStatus::Healthy => break (health, true),
                HealthStatus::Starting if Instant::now() < deadline && !self.is_cancelled() => {}
                _ => break (health, false),
            }
            std::thread::sleep(LOOK);
        };
        let what = match (&command, check_port(service)) {
            (Some(name), _) => name.clone(),
            (None, Some(port)) => format!("its check on port {port}"),
            (None, None) => "its check".to_owned(),
        };
        let said = health.log.last().map(|record| record.output.lines());
        let said = said.into_iter().flatten().map(str::to_owned).collect();
        let (said, _) = loading::separate(said);
        let said = said.join("\n").trim().to_owned();
        let why = match said.is_empty() {
            true => format!("{what} does not pass"),
            false => format!("{what} does not pass: {}", first_line(&said)),
        };
        trial.check = Some(Check { what, passed, said });
        // Where it listens elsewhere, that is what is told.
        if !passed && !lost {
            trial.fail(why);
        }
    }

    /// What can be seen of a container whether it works or not: its log, what it loaded and wrote.
    fn look(
        &self,
        service: &Service,
        handle: &ContainerHandle,
        settled: &Settled,
        trial: &mut Trial,
    ) {
        let (lines, modules) = loading::separate(self.lines(handle));
        let spec = handle.spec().ok();
        let process = match settled {
            Settled::Up(process) | Settled::Late(process) => Some(*process),
            _ => None,
        };
        let places = spec.as_ref().map(Places::of_container);
        trial.loads = loading::loads(&modules, process, places.as_ref());
        if let (Some(process), Some(spec)) = (process, &spec)
            && let Some(started) = handle.state().ok().and_then(|state| state.started_at)
        {
            let since = started.to_system_time();
            let since = since.duration_since(SystemTime::UNIX_EPOCH);
            let seconds = i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
            trial.writes = writes(process, spec, seconds);
        }
        trial.refused_writes = trace::refused_writes(&lines);
        if trial.fails() {
            explain(trial, &lines, &Sources::of(self.project, service));
        }
    }

    /// Draws a page that answers whether it is broken or not.
    pub(super) fn draw(&self, service: &Service, trial: &mut Trial) {
        if trial.verdict != Verdict::Works || self.is_cancelled() {
            return;
        }
        self.tell(service, "drawing its page");
        let drawn = page::draw(self.engine, service, &self.container(service));
        if let Some(drawn) = drawn.filter(|drawn| !drawn.raised.is_empty()) {
            trial.fail(format!("the page `{}` raises an error", drawn.script));
            explain(trial, &drawn.raised, &Sources::of(self.project, service));
        }
        self.progress.report(ProgressEvent::Finished {
            subject: service.name.clone(),
        });
    }

    /// Asks a service to end, and looks how it does.
    pub(super) fn stop(&self, service: &Service, trial: &mut Trial) {
        let handle = self.container(service);
        // What has no container, or ended, has nothing to stop.
        if handle.state().map_or(true, |state| state.is_final()) {
            return;
        }
        self.tell(service, "stopping");
        let began = Instant::now();
        let grace = service
            .stop_grace_period
            .as_ref()
            .map_or(GRACE, |grace| grace.value);
        if let Ok(state) = handle.stop(Some(grace)) {
            trial.stop = Some(Stop {
                exit_code: state.exit_code,
                seconds: began.elapsed().as_secs_f64(),
            });
        }
        self.progress.report(ProgressEvent::Finished {
            subject: service.name.clone(),
        });
    }
}

/// Says by the lines what failed, and keeps the last ones.
pub(super) fn explain(trial: &mut Trial, lines: &[String], sources: &Sources<'_>) {
    let why = trial.why.take().unwrap_or_default();
    let failure = trace::failure(lines, sources);
    // That it ended follows from what failed.
    let follows = why.starts_with("it ended") || why.starts_with("the page");
    let word = trace::last_word(lines).filter(|_| failure.is_none());
    trial.place = match &failure {
        Some(failure) => failure.span.clone(),
        None => word.as_ref().and_then(|word| trace::author(word, sources)),
    };
    trial.why = Some(match (failure, word) {
        (Some(failure), _) if follows => failure.what,
        (Some(failure), _) => format!("{why}: {}", failure.what),
        (None, Some(word)) => format!("{why}: {word}"),
        (None, None) => why,
    });
    let last = lines.len().saturating_sub(LAST_LINES);
    trial.last_lines = lines[last..].to_vec();
}

/// Whether a service only has to end well before others start.
pub(super) fn is_job(project: &Project, service: &Service) -> bool {
    use plimsoll_model::DependencyCondition::ServiceCompletedSuccessfully;
    let waits = |other: &Service| {
        let how = other.depends_on.get(&service.name);
        how.is_some_and(|how| how.condition == ServiceCompletedSuccessfully)
    };
    service.facts.kind == Some(ServiceKind::Job) || project.services.values().any(waits)
}

/// Whether a service is there to answer requests.
pub(super) fn serves(service: &Service) -> bool {
    matches!(
        service.facts.kind,
        Some(ServiceKind::Web | ServiceKind::Ui | ServiceKind::McpHttp)
    )
}

/// The ports that a service should listen on.
fn expected_ports(service: &Service) -> Vec<u16> {
    let mut ports = service.facts.ports.clone();
    if ports.is_empty() {
        ports.extend(check_port(service));
    }
    ports
}

/// The port that a service's health check asks.
pub(super) fn check_port(service: &Service) -> Option<u16> {
    let test = service.healthcheck.as_ref()?.test.as_ref()?;
    HealthRequest::of_test(test)?.port()
}

/// What the command is called that tells whether a service works, where a command does.
fn health_command(service: &Service) -> Option<String> {
    match &service.facts.health {
        Some(Health::Command { name, .. }) => Some(format!("`{name}`")),
        _ => None,
    }
}

/// The port to ask: one that it should listen on, or one that it does.
fn port_of(service: &Service, trial: &mut Trial) -> Option<u16> {
    let listened: Vec<u16> = trial.listens.iter().map(|one| one.port).collect();
    let mut expected = expected_ports(service).into_iter();
    let found = expected
        .find(|port| listened.contains(port))
        .or_else(|| trial.open_ports().next())
        .or_else(|| listened.first().copied());
    if found.is_none() && serves(service) {
        trial.fail("it listens on no port");
    }
    found
}

fn get(inside: Inside, port: u16, path: &str) -> std::io::Result<Response> {
    let request = Request::get(port, path);
    let streams = |response: &Response| {
        let kind = response.header("content-type").unwrap_or_default();
        kind.contains("event-stream") || response.body.len() > 4 * BEGINNING
    };
    Reading::begin(inside.connect(port)?, &request)?.until(&streams)
}

/// Seconds since the container's program was started.
fn running_for(state: &ContainerState) -> Option<f64> {
    let started = state.started_at?.to_system_time();
    let since = SystemTime::now().duration_since(started).ok()?;
    Some(since.as_secs_f64())
}

/// Records how a service ended that was not asked to.
fn ended(service: &Service, project: &Project, state: &ContainerState, trial: &mut Trial) {
    let job = is_job(project, service);
    match (&state.error, state.exit_code) {
        (Some(error), _) => trial.fail(format!("it could not be started: {error}")),
        (None, Some(0)) if job => {}
        (None, _) if state.oom_killed => trial.fail("it used more memory than it may"),
        (None, Some(0)) => trial.fail("it ended by itself with code 0"),
        (None, Some(code)) => trial.fail(format!("it ended with code {code}")),
        (None, None) => trial.fail("it was killed from outside, and what watches over it too"),
    }
}

/// What a service that runs did not do in time.
fn late(service: &Service, patience: Duration) -> String {
    let seconds = patience.as_secs();
    let ports = expected_ports(service);
    match (health_command(service), ports.first()) {
        (Some(name), _) => format!("{name} did not pass within {seconds} s"),
        (None, Some(port)) => format!("it did not listen on port {port} within {seconds} s"),
        (None, None) if serves(service) => format!("it listened on no port within {seconds} s"),
        (None, None) => format!("it did not end within {seconds} s"),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
