//! A further program in a running container.
//!
//! Runs in a process started for it: joining namespaces takes a process with one thread. The
//! program is this process's child and dies with it.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};

use crate::container::{ContainerSpec, InitProcess, StdinMode, Terminal, UserSpec};
use crate::runtime::bundle::{chain, runtime_dir};
use crate::runtime::credentials::{Credentials, ProcessSpec};
use crate::runtime::{StartFailure, StartStage};
use crate::supervisor::console::{self, Console, Input};

/// What to run in a container that runs already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables on top of the container's own.
    pub environment: Vec<(String, String)>,
    /// Who runs it; `None`: the container's user.
    pub user: Option<UserSpec>,
    /// Working directory; `None`: the container's.
    pub working_dir: Option<PathBuf>,
    /// Whether it gets a terminal.
    pub terminal: Terminal,
    /// What its standard input is.
    pub stdin: StdinMode,
    /// When it is killed, with what it has started.
    pub timeout: Option<Duration>,
}

impl ExecSpec {
    /// A program as the container's own user, without input.
    pub fn new(command: Vec<String>) -> Self {
        Self {
            command,
            environment: Vec::new(),
            user: None,
            working_dir: None,
            terminal: Terminal::None,
            stdin: StdinMode::Closed,
            timeout: None,
        }
    }
}

/// Runs a program in the container in `dir` with this process's own input and output, and gives
/// its exit code.
pub(crate) fn exec(dir: &Path, exec: &ExecSpec) -> Result<i32, StartFailure> {
    let fail = |error: &dyn std::fmt::Display| StartFailure::new(StartStage::Container, error);
    let spec = read_spec(dir)?;
    let signals = forwarded_signals().map_err(|error| fail(&error))?;
    let credentials = Credentials::new(&spec)?;
    let mut environment = spec.environment.clone();
    for (name, value) in &exec.environment {
        environment.retain(|(known, _)| known != name);
        environment.push((name.clone(), value.clone()));
    }
    let process = ProcessSpec {
        command: &exec.command,
        environment: &environment,
        working_dir: exec.working_dir.as_deref().unwrap_or(&spec.working_dir),
        user: exec.user.as_ref().unwrap_or(&spec.user),
        terminal: exec.terminal,
    };
    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(|error| fail(&error))?;
    let (executor, report) = credentials.executor(&process, InitProcess::Program, own.as_fd())?;
    let described = describe(&credentials.process(&process)).map_err(|error| fail(&error))?;
    let mut builder = ContainerBuilder::new(spec.id.clone(), SyscallType::default())
        .with_root_path(runtime_dir(dir))
        .map_err(|error| fail(&chain(&error)))?
        .with_executor(executor);
    let mut listener = None;
    if exec.terminal == Terminal::Allocate {
        let (socket, path) = console::listen(dir).map_err(|error| fail(&error))?;
        builder = builder.with_console_socket(Some(path.clone()));
        listener = Some((socket, path));
    } else if exec.stdin == StdinMode::Closed {
        let null = fs_err::File::open("/dev/null").map_err(|error| fail(&error))?;
        builder = builder.with_stdin(null.into_parts().0);
    }
    let pid = builder
        .as_tenant()
        .with_detach(true)
        .with_process(Some(crate::supervisor::descriptor_path(&described)))
        .build()
        .map_err(|error| fail(&chain(&error)))?;
    let pid = Pid::from_raw(pid.as_raw()).ok_or_else(|| fail(&"the program has no process"))?;
    let mut console = None;
    if let Some((socket, path)) = listener {
        let master = console::receive(&socket).map_err(|error| fail(&error))?;
        let _ = fs_err::remove_file(path);
        let flags = rustix::fs::fcntl_getfl(&master).map_err(|error| fail(&error))?;
        rustix::fs::fcntl_setfl(&master, flags | rustix::fs::OFlags::NONBLOCK)
            .map_err(|error| fail(&error))?;
        console = Some(Console::new(master));
    }
    let program = exec.command.first().map_or("", String::as_str);
    if let Err(failure) = report.outcome(program) {
        crate::supervisor::exit_code(pid);
        return Err(failure);
    }
    let deadline = exec.timeout.map(|timeout| Instant::now() + timeout);
    attend(pid, &signals, console, deadline).map_err(|error| fail(&error))
}

fn read_spec(dir: &Path) -> Result<ContainerSpec, StartFailure> {
    let fail = |error: &dyn std::fmt::Display| StartFailure::new(StartStage::Specification, error);
    let text = fs_err::read(dir.join(crate::container::SPEC_FILE)).map_err(|error| fail(&error))?;
    serde_json::from_slice(&text).map_err(|error| fail(&error))
}

/// The process's description, in memory: it holds the environment.
fn describe(process: &serde_json::Value) -> io::Result<std::fs::File> {
    let memory = rustix::fs::memfd_create("process", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(memory);
    file.write_all(process.to_string().as_bytes())?;
    Ok(file)
}

/// Signals that are passed on to the program.
fn forwarded_signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGWINCH,
    ] {
        set.add(signal);
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Passes signals and terminal input on until the program has ended.
fn attend(
    pid: Pid,
    signals: &SignalFd,
    mut console: Option<Console>,
    mut deadline: Option<Instant>,
) -> io::Result<i32> {
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let mut interests: Vec<(BorrowedFd<'_>, PollFlags)> = vec![
            (handle.as_fd(), PollFlags::IN),
            (signals.as_fd(), PollFlags::IN),
        ];
        if let Some(console) = &console {
            interests.extend(console.interests());
        }
        let mut fds: Vec<PollFd<'_>> = interests
            .iter()
            .map(|(fd, events)| PollFd::new(fd, *events))
            .collect();
        let left = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec::try_from(left).unwrap_or_default()
        });
        let _ = poll(&mut fds, left.as_ref());
        let ended = !fds[0].revents().is_empty();
        drop(fds);
        drop(interests);
        if !ended && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            // It leads a session and a group of its own, which its children are in.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            deadline = None;
        }
        while let Ok(Some(information)) = signals.read_signal() {
            match (
                Signal::try_from(information.ssi_signo.cast_signed()),
                &console,
            ) {
                (Ok(Signal::SIGWINCH), Some(console)) => console.resize(),
                (Ok(Signal::SIGWINCH), None) | (Err(_), _) => {}
                (Ok(signal), _) => drop(crate::kernel::send_signal(pid, signal as i32)),
            }
        }
        if let Some(console) = &mut console {
            console.relay(if ended { Input::Idle } else { Input::now() });
        }
        if ended {
            return Ok(crate::supervisor::exit_code(pid));
        }
    }
}
