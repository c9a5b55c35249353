//! One run of a container: the loop from its start to its end.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitOptions, WaitStatus};

use super::check::Check;
use super::console::Input;
use super::streams::Streams;
use super::{Mode, Supervisor, unheard};
use crate::container::health::HealthMonitor;
use crate::container::protocol::{Reply, Request};
use crate::container::{HealthSpec, HealthState, StopSpec, Unheard};
use crate::runtime::bundle::Started;

/// A program that runs, and what goes on around it.
pub(super) struct Run {
    started: Started,
    streams: Streams,
    health: Option<HealthMonitor>,
    check: Option<Check>,
    /// When it is killed, once it was asked to stop.
    kill_at: Option<Instant>,
}

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// The time has come.
    Time,
    /// A stop was asked for.
    Stop,
}

impl Run {
    pub(super) fn new(started: Started, streams: Streams, health: Option<HealthSpec>) -> Self {
        let now = Instant::now();
        Self {
            started,
            streams,
            health: health.map(|spec| HealthMonitor::new(spec, now)),
            check: None,
            kill_at: None,
        }
    }

    pub(super) fn health(&self) -> Option<&HealthState> {
        self.health.as_ref().map(HealthMonitor::state)
    }

    /// The next moment at which something is due.
    fn due(&self) -> Option<Instant> {
        let health = match (&self.check, &self.health) {
            (Some(check), _) => Some(check.deadline()),
            // None is begun while the program is asked to stop.
            (None, Some(health)) if self.kill_at.is_none() => Some(health.due()),
            _ => None,
        };
        [health, self.kill_at].into_iter().flatten().min()
    }

    fn signal(&self, signal: i32) -> std::io::Result<()> {
        crate::kernel::send_signal(self.started.pid, signal)
    }

    fn ask_to_stop(&mut self, stop: StopSpec) {
        let StopSpec {
            signal,
            grace,
            unheard,
        } = stop;
        let deadline = Instant::now() + grace;
        let in_vain = unheard == Unheard::Kill && unheard::is_dropped(self.started.pid, signal);
        if grace.is_zero() || in_vain {
            let _ = self.signal(libc::SIGKILL);
        } else if self.kill_at.is_none() {
            let _ = self.signal(signal);
        }
        self.kill_at = Some(
            self.kill_at
                .map_or(deadline, |earlier| earlier.min(deadline)),
        );
    }

    fn has_ended(&self) -> bool {
        is_ready(self.started.handle.as_fd(), PollFlags::IN)
    }
}

/// Asks about one descriptor without waiting.
fn is_ready(fd: BorrowedFd<'_>, events: PollFlags) -> bool {
    let mut fds = [PollFd::new(&fd, events)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|count| count > 0)
}

impl Supervisor<'_> {
    /// Stands by until the program has ended; gives its exit code.
    pub(super) fn stand_by(&mut self, mut run: Run) -> i32 {
        loop {
            self.wait(Some(&run), None);
            if run.has_ended() {
                break;
            }
            self.serve_signals(Some(&mut run));
            self.serve_clients(Some(&mut run));
            run.streams.pump(self.log.as_mut());
            if let Some(console) = &mut run.streams.console {
                console.relay(Input::now());
            }
            let now = Instant::now();
            if run.kill_at.is_some_and(|at| now >= at) {
                let _ = run.signal(libc::SIGKILL);
                // Killing is certain; what remains is to wait for the kernel.
                run.kill_at = Some(now + Duration::from_secs(3600));
            }
            self.serve_health(&mut run, now);
        }
        self.end(run)
    }

    fn end(&mut self, mut run: Run) -> i32 {
        if let Some(check) = run.check.take() {
            check.abandon();
        }
        let code = exit_code(run.started.pid);
        // All processes of the container are gone with its first one, so what is in the pipes now
        // is the rest.
        run.streams.pump(self.log.as_mut());
        if let Some(console) = &mut run.streams.console {
            console.relay(Input::Idle);
        }
        code
    }

    /// Waits until `until` between two runs.
    pub(super) fn wait_between(&mut self, until: Instant) -> Wake {
        loop {
            if self.stopping {
                return Wake::Stop;
            }
            if self.restarting || Instant::now() >= until {
                return Wake::Time;
            }
            self.wait(None, Some(until));
            self.serve_signals(None);
            self.serve_clients(None);
        }
    }

    /// Sleeps until something happens or is due.
    fn wait(&self, run: Option<&Run>, until: Option<Instant>) {
        let signals = self.signals.as_fd();
        let mut interests: Vec<(BorrowedFd<'_>, PollFlags)> = vec![
            (signals, PollFlags::IN),
            (self.control.listener().as_fd(), PollFlags::IN),
        ];
        for client in self.control.clients() {
            interests.push((client.stream().as_fd(), PollFlags::IN));
        }
        if let Some(run) = run {
            interests.push((run.started.handle.as_fd(), PollFlags::IN));
            for output in run.streams.outputs() {
                interests.push((output.as_fd(), PollFlags::IN));
            }
            if let Some(check) = &run.check {
                interests.push((check.handle(), PollFlags::IN));
                interests.push((check.output(), PollFlags::IN));
            }
            if let Some(console) = &run.streams.console {
                interests.extend(console.interests());
            }
        }
        let due = [until, run.and_then(Run::due)].into_iter().flatten().min();
        let timeout = due.map(|due| {
            let left = due.saturating_duration_since(Instant::now());
            Timespec::try_from(left).unwrap_or_default()
        });
        let mut fds: Vec<PollFd<'_>> = interests
            .iter()
            .map(|(fd, events)| PollFd::new(fd, *events))
            .collect();
        // An interruption is a reason to look around like any other.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    fn serve_signals(&mut self, mut run: Option<&mut Run>) {
        while let Ok(Some(information)) = self.signals.read_signal() {
            let Ok(signal) = Signal::try_from(information.ssi_signo.cast_signed()) else {
                continue;
            };
            match (signal, self.mode, run.as_deref_mut()) {
                (Signal::SIGWINCH, _, Some(run)) => {
                    if let Some(console) = &run.streams.console {
                        console.resize();
                    }
                }
                (Signal::SIGWINCH, _, None) => {}
                (Signal::SIGUSR1 | Signal::SIGUSR2, _, run) => {
                    if let Some(run) = run {
                        let _ = run.signal(signal as i32);
                    }
                }
                (_, Mode::Foreground, Some(run)) => {
                    // The program gets what the caller got; if it does not care, it is killed
                    // like any container that does not stop.
                    self.stopping = true;
                    run.ask_to_stop(StopSpec {
                        signal: signal as i32,
                        ..self.spec.stop
                    });
                }
                (_, Mode::Detached, Some(run)) => {
                    self.stopping = true;
                    run.ask_to_stop(self.spec.stop);
                }
                (_, _, None) => self.stopping = true,
            }
        }
    }

    fn serve_clients(&mut self, mut run: Option<&mut Run>) {
        self.control.accept();
        for (number, request) in self.control.read() {
            match request {
                Request::Watch => {
                    let state = self.state.clone();
                    self.control.watch(number, &state);
                }
                Request::Stop { grace } => {
                    self.stopping = true;
                    if let Some(run) = run.as_deref_mut() {
                        run.ask_to_stop(StopSpec {
                            grace: grace.unwrap_or(self.spec.stop.grace),
                            ..self.spec.stop
                        });
                    }
                    self.control.reply(number, &Reply::Done);
                }
                Request::Restart => {
                    self.restarting = true;
                    if let Some(run) = run.as_deref_mut() {
                        run.ask_to_stop(self.spec.stop);
                    }
                    self.control.reply(number, &Reply::Done);
                }
                Request::Kill { signal } => {
                    let outcome = match run.as_deref() {
                        Some(run) => run.signal(signal).map_err(|error| error.to_string()),
                        None => Err("the program does not run".to_owned()),
                    };
                    let reply = match outcome {
                        Ok(()) => Reply::Done,
                        Err(reason) => Reply::Refused { reason },
                    };
                    self.control.reply(number, &reply);
                }
            }
        }
    }

    fn serve_health(&mut self, run: &mut Run, now: Instant) {
        let Some(monitor) = &mut run.health else {
            return;
        };
        match run.check.take() {
            Some(mut check) => {
                check.read();
                let began = check.began();
                match check.finish(now) {
                    Ok(record) => {
                        monitor.record(began, Instant::now(), record);
                        self.state.health = Some(monitor.state().clone());
                        self.publish();
                    }
                    Err(check) => run.check = Some(check),
                }
            }
            None if now >= monitor.due() && run.kill_at.is_none() => {
                let pid = run.started.pid;
                match Check::begin(monitor.spec(), self.spec, self.dir, pid) {
                    Ok(check) => run.check = Some(check),
                    Err(error) => {
                        let now_at = crate::container::Timestamp::now();
                        let record = crate::container::HealthRecord {
                            started_at: now_at,
                            finished_at: now_at,
                            exit_code: -1,
                            output: format!("the check could not be made: {error}"),
                        };
                        monitor.record(now, Instant::now(), record);
                        self.state.health = Some(monitor.state().clone());
                        self.publish();
                    }
                }
            }
            None => {}
        }
    }
}

/// Reaps a process that has ended.
pub(crate) fn exit_code(pid: Pid) -> i32 {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return code_of(status),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return 255,
        }
    }
}

pub(crate) fn code_of(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 255,
    }
}
