//! The process that stands by one container for its whole life.
//!
//! One thread, one `poll` loop. It mounts the root, makes the container, pumps its output to the
//! log, checks its health, starts it again, writes its state, and answers on a socket. It is the
//! container's parent: if it is killed, the kernel kills the container, and the mounts vanish with
//! the mount namespace.

mod check;
pub(crate) mod console;
mod control;
mod run;
mod streams;
mod unheard;

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fs::{CWD, Mode as FileMode, OFlags};

use crate::container::log_writer::LogWriter;
use crate::container::restart::RestartPolicy;
use crate::container::{
    ContainerSpec, ContainerState, LogKeeping, NetworkSpec, Phase, RootAccess, Timestamp,
};
use crate::runtime::bundle::{self, Bundle, Limits, Stdio};
use crate::runtime::cgroup::{Group, Hierarchies};
use crate::runtime::credentials::Credentials;
use crate::runtime::files::{self, GeneratedFile};
use crate::runtime::head_start::HeadStart;
use crate::runtime::root::{self, Root};
use crate::runtime::{AtPath, StartFailure, StartStage};
use control::Control;
use run::{Run, Wake};
pub(crate) use run::{code_of, exit_code};
use streams::Streams;

/// How a supervisor relates to who started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In its own session; output goes to the log.
    Detached,
    /// The container has the supervisor's own standard input, output and error, or terminal.
    Foreground,
}

/// Supervises the container in `dir` to its end; gives its exit code. `contents` are those of the
/// specification's file mounts. `ready` is told once whether the program runs.
pub(crate) fn supervise(dir: &Path, mode: Mode, contents: &[Vec<u8>], mut ready: Ready) -> i32 {
    let prepared = read_spec(dir).and_then(|spec| {
        let lock = crate::engine::liveness::hold(dir).at(StartStage::Specification, dir)?;
        Ok((spec, lock))
    });
    let (spec, lock) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            ready.tell(Err(&failure));
            return failure.stage.exit_code();
        }
    };
    // Held until this process is gone: who gets it next knows that nothing of us is left.
    std::mem::forget(lock);
    let state = initial_state(&spec, dir);
    match Supervisor::new(&spec, dir, mode, state.clone()) {
        Ok(mut supervisor) => supervisor.live(contents, &mut ready),
        Err(failure) => {
            fail_early(state, dir, &failure);
            ready.tell(Err(&failure));
            failure.stage.exit_code()
        }
    }
}

fn read_spec(dir: &Path) -> Result<ContainerSpec, StartFailure> {
    let path = dir.join(crate::container::SPEC_FILE);
    let text =
        fs_err::read(&path).map_err(|error| StartFailure::new(StartStage::Specification, error))?;
    let spec: ContainerSpec = serde_json::from_slice(&text).at(StartStage::Specification, &path)?;
    spec.validate()
        .map_err(|error| StartFailure::new(StartStage::Specification, error))?;
    Ok(spec)
}

fn initial_state(spec: &ContainerSpec, dir: &Path) -> ContainerState {
    ContainerState {
        id: spec.id.clone(),
        phase: Phase::Created,
        supervisor: rustix::process::getpid().as_raw_nonzero().get(),
        pid: None,
        created_at: Timestamp::now(),
        started_at: None,
        finished_at: None,
        exit_code: None,
        oom_killed: false,
        restarts: 0,
        health: spec.health.as_ref().map(|_| Default::default()),
        addresses: spec.addresses.clone(),
        error: None,
        warnings: Vec::new(),
        cgroup: cgroup_path(spec, dir),
        scratch: spec.scratch.clone(),
    }
}

/// A group name that no container in another directory has.
fn cgroup_path(spec: &ContainerSpec, dir: &Path) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    let parent = spec.cgroup_parent.as_deref().unwrap_or("plimsoll");
    format!("/{parent}/{}-{:08x}", spec.id, hasher.finish() as u32)
}

fn fail_early(mut state: ContainerState, dir: &Path, failure: &StartFailure) {
    state.phase = Phase::Exited;
    state.finished_at = Some(Timestamp::now());
    state.exit_code = Some(failure.stage.exit_code());
    state.error = Some(failure.to_string());
    if let Err(error) = state.write(dir) {
        tracing::error!("{error}");
    }
}

/// Tells whoever started the supervisor how the first start went.
pub(crate) struct Ready(Option<OwnedFd>);

impl Ready {
    pub(crate) fn new(pipe: Option<OwnedFd>) -> Self {
        Self(pipe)
    }

    fn tell(&mut self, outcome: Result<(), &StartFailure>) {
        if let Some(pipe) = self.0.take() {
            let line = crate::container::protocol::line(&outcome.err());
            // Nobody may be waiting any more.
            let _ = std::fs::File::from(pipe).write_all(&line);
        }
    }
}

struct Supervisor<'a> {
    spec: &'a ContainerSpec,
    dir: &'a Path,
    mode: Mode,
    state: ContainerState,
    group: Group,
    hierarchies: Hierarchies,
    control: Control,
    signals: SignalFd,
    log: Option<LogWriter>,
    policy: RestartPolicy,
    /// A stop was asked for: no restart, whatever the policy.
    stopping: bool,
    /// A restart was asked for: once, whatever the policy.
    restarting: bool,
}

/// What is prepared once and used at each start.
struct Prepared {
    root: Root,
    files: Vec<GeneratedFile>,
    credentials: Credentials,
    limits: Limits,
    network: Option<OwnedFd>,
}

impl<'a> Supervisor<'a> {
    fn new(
        spec: &'a ContainerSpec,
        dir: &'a Path,
        mode: Mode,
        state: ContainerState,
    ) -> Result<Self, StartFailure> {
        let fail = |error: std::io::Error| StartFailure::new(StartStage::Container, error);
        rustix::process::umask(FileMode::from_raw_mode(0o022));
        let signals = watched_signals(mode).map_err(|error| fail(error.into()))?;
        let hierarchies = Hierarchies::detect().map_err(fail)?;
        let group = hierarchies.group(&state.cgroup);
        if group.exists() {
            // Left by a supervisor that was killed. Nobody else uses this name.
            group.remove().map_err(fail)?;
        }
        let log = match mode {
            Mode::Detached if spec.log.keeping == LogKeeping::Files => {
                Some(LogWriter::open(&spec.log).map_err(fail)?)
            }
            Mode::Detached | Mode::Foreground => None,
        };
        let control = Control::bind(dir).map_err(fail)?;
        Ok(Self {
            spec,
            dir,
            mode,
            policy: RestartPolicy::new(spec.restart),
            state,
            group,
            hierarchies,
            control,
            signals,
            log,
            stopping: false,
            restarting: false,
        })
    }

    fn live(&mut self, contents: &[Vec<u8>], ready: &mut Ready) -> i32 {
        let head_start = HeadStart::begin(&self.hierarchies);
        self.publish();
        let code = match self.prepare(contents) {
            Ok(prepared) => {
                let code = self.run_until_the_end(&prepared, ready, head_start);
                drop(prepared);
                code
            }
            Err(failure) => self.give_up(&failure, ready),
        };
        self.tidy();
        code
    }

    fn prepare(&mut self, contents: &[Vec<u8>]) -> Result<Prepared, StartFailure> {
        let spec = self.spec;
        // Opened first: the path may go through a process that ends.
        let network = match &spec.network {
            NetworkSpec::Namespace(path) => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(CWD, path, flags, FileMode::empty())
                    .at(StartStage::Container, path)?;
                Some(fd)
            }
            NetworkSpec::None => {
                let made = crate::kernel::new_network();
                Some(made.at(StartStage::Container, Path::new("/proc/self/ns/net"))?)
            }
            NetworkSpec::Host => None,
        };
        root::leave_host_mounts()?;
        if spec.root != RootAccess::ReadOnly {
            clear(&spec.scratch).at(StartStage::Root, &spec.scratch)?;
        }
        let root = root::mount_root(spec, self.dir)?;
        let mut generated = files::write_etc(spec, self.dir)?;
        generated.extend(files::write_secrets(spec, contents, self.dir)?);
        let credentials = Credentials::new(spec)?;
        let limits = Limits::new(spec, &self.hierarchies);
        self.state.warnings = limits.warnings.clone();
        self.state
            .warnings
            .extend(credentials.warnings.iter().cloned());
        let prepared = Prepared {
            root,
            files: generated,
            credentials,
            limits,
            network,
        };
        self.bundle(&prepared).prepare()?;
        Ok(prepared)
    }

    fn bundle<'b>(&'b self, prepared: &'b Prepared) -> Bundle<'b> {
        Bundle {
            spec: self.spec,
            dir: self.dir,
            root: &prepared.root,
            cgroup: &self.state.cgroup,
            credentials: &prepared.credentials,
            limits: &prepared.limits,
            files: &prepared.files,
            network: prepared.network.as_ref().map(AsFd::as_fd),
        }
    }

    fn run_until_the_end(
        &mut self,
        prepared: &Prepared,
        ready: &mut Ready,
        mut head_start: Option<HeadStart>,
    ) -> i32 {
        loop {
            let started = self.start(prepared);
            drop(head_start.take());
            let code = match started {
                Ok(run) => {
                    ready.tell(Ok(()));
                    self.stand_by(run)
                }
                Err(failure) if self.state.started_at.is_none() => {
                    return self.give_up(&failure, ready);
                }
                Err(failure) => {
                    self.state.error = Some(failure.to_string());
                    failure.stage.exit_code()
                }
            };
            let oom_kills = self.group.oom_kills();
            self.state.oom_killed = oom_kills > 0;
            self.state.pid = None;
            self.state.exit_code = Some(code);
            self.state.finished_at = Some(Timestamp::now());
            self.forget_run();
            let ran_for = self.ran_for();
            let asked_for = std::mem::take(&mut self.restarting);
            let delay = if self.stopping {
                None
            } else if asked_for {
                Some(Duration::ZERO)
            } else {
                self.policy.after_exit(code, ran_for)
            };
            let Some(delay) = delay else {
                self.state.phase = if self.stopping {
                    Phase::Stopped
                } else {
                    Phase::Exited
                };
                return code;
            };
            self.state.phase = Phase::Restarting;
            self.publish();
            if self.wait_between(Instant::now() + delay) == Wake::Stop {
                self.state.phase = Phase::Stopped;
                return code;
            }
            self.state.restarts = self.policy.restarts();
        }
    }

    fn ran_for(&self) -> Duration {
        match (self.state.started_at, self.state.finished_at) {
            (Some(start), Some(end)) => end
                .to_system_time()
                .duration_since(start.to_system_time())
                .unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    fn start(&mut self, prepared: &Prepared) -> Result<Run, StartFailure> {
        let (mut streams, stdio) = Streams::new(self.spec, self.dir, self.mode)
            .map_err(|error| StartFailure::new(StartStage::Container, error))?;
        let stdio = match stdio {
            Some(files) => Stdio::Files(files),
            None => Stdio::Console(streams.console_path()),
        };
        let started = self.bundle(prepared).start(stdio);
        let started = match started {
            Ok(started) => started,
            Err(failure) => {
                self.forget_run();
                return Err(failure);
            }
        };
        streams
            .accept_console()
            .map_err(|error| StartFailure::new(StartStage::Container, error))?;
        self.state.phase = Phase::Running;
        self.state.pid = Some(started.pid.as_raw_nonzero().get());
        self.state.started_at = Some(Timestamp::now());
        self.state.finished_at = None;
        self.state.exit_code = None;
        self.state.error = None;
        self.state.oom_killed = false;
        let run = Run::new(started, streams, self.spec.health.clone());
        self.state.health = run.health().cloned();
        self.publish();
        Ok(run)
    }

    fn give_up(&mut self, failure: &StartFailure, ready: &mut Ready) -> i32 {
        let code = failure.stage.exit_code();
        self.state.phase = Phase::Exited;
        self.state.exit_code = Some(code);
        self.state.finished_at = Some(Timestamp::now());
        self.state.error = Some(failure.to_string());
        // Written before the other side is told, which will read it.
        if let Err(error) = self.state.write(self.dir) {
            tracing::error!("{error}");
        }
        ready.tell(Err(failure));
        code
    }

    /// Removes what one run of the container left in the kernel and on disk.
    fn forget_run(&self) {
        if let Err(error) = self.group.remove() {
            tracing::error!("{error}");
        }
        if let Err(error) = bundle::forget(self.dir) {
            tracing::error!("{error}");
        }
    }

    /// The last steps: nothing but the state, the log and the specification stays.
    fn tidy(&mut self) {
        if let Some(log) = &mut self.log
            && let Err(error) = log.finish()
        {
            tracing::error!("{error}");
        }
        if self.spec.root != RootAccess::ReadOnly {
            let place = self.dir.join("root");
            let _ = rustix::mount::unmount(&place, rustix::mount::UnmountFlags::DETACH);
            if let Some(kept) = &self.spec.kept_writes
                && let Err(error) = fs_err::rename(self.spec.scratch.join("upper"), kept)
            {
                tracing::error!("{error}");
            }
            if let Err(error) = clear(&self.spec.scratch) {
                tracing::error!("{error}");
            }
        }
        self.publish();
        self.control.close(self.dir);
    }

    /// Writes the state and tells it to those who watch.
    fn publish(&mut self) {
        if let Err(error) = self.state.write(self.dir) {
            tracing::error!("{error}");
        }
        self.control.publish(&self.state);
    }
}

/// Removes what an earlier container left in its scratch directory, and the directory.
fn clear(scratch: &Path) -> std::io::Result<()> {
    match fs_err::remove_dir_all(scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Signals that the loop reads instead of being interrupted by.
fn watched_signals(mode: Mode) -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        set.add(signal);
    }
    if mode == Mode::Foreground {
        for signal in [Signal::SIGWINCH, Signal::SIGUSR1, Signal::SIGUSR2] {
            set.add(signal);
        }
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Path by which a descriptor of this process can be opened or connected to: short, whatever the
/// length of the path it was opened by.
pub(crate) fn descriptor_path(fd: &impl std::os::fd::AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}
