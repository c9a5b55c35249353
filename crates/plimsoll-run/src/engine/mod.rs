//! Starts containers and finds them again: the side of the orchestrator.
//!
//! Safe to use from a program with many threads: every container is made by a process of its own,
//! this executable started again (see [`crate::internal`]).

mod handle;
pub(crate) mod liveness;
mod sealed;
mod synchronise;

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;

use thiserror::Error;

pub use handle::{Condition, ContainerHandle, Follow, StateStream, Usage, Waited};
use sealed::SealedExecutable;
pub use synchronise::Synchroniser;

use crate::container::{ContainerSpec, ContainerState, MountKind, SpecError, StateError, Terminal};
use crate::exec::ExecSpec;
use crate::internal::ReadyReport;
use crate::runtime::StartFailure;
use crate::runtime::cgroup::Hierarchies;

/// Starts containers.
#[derive(Debug, Clone)]
pub struct Engine {
    executable: Arc<SealedExecutable>,
}

impl Engine {
    /// An engine whose containers' helpers run this executable, sealed against writes. Make one
    /// and share it.
    ///
    /// # Errors
    /// When this executable cannot be used for that.
    pub fn new() -> Result<Self, EngineError> {
        Ok(Self {
            executable: Arc::new(SealedExecutable::default()),
        })
    }

    /// Starts a container whose files are in `dir`, which must hold no other container. Returns
    /// once its program runs; it goes on running when this process ends.
    ///
    /// # Errors
    /// When the specification does not hold, or any step up to executing the program fails.
    pub fn start(&self, spec: &ContainerSpec, dir: &Path) -> Result<ContainerHandle, EngineError> {
        let contents = self.write(spec, dir)?;
        let log = fs_err::File::create(dir.join("supervisor.log"))?;
        let mut child = self
            .command(spec)?
            .args(["internal", "supervise"])
            .arg(dir)
            .arg(contents.argument())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.into_parts().0)
            .spawn()?;
        let mut line = String::new();
        if let Some(pipe) = child.stdout.take() {
            BufReader::new(pipe).read_line(&mut line)?;
        }
        // The child only forked the supervisor.
        child.wait()?;
        drop(contents);
        match serde_json::from_str::<ReadyReport>(&line) {
            Ok(None) => Ok(ContainerHandle::new(dir)),
            Ok(Some(failure)) => Err(EngineError::Start {
                id: spec.id.clone(),
                failure,
            }),
            Err(_) => Err(EngineError::Supervisor {
                id: spec.id.clone(),
                said: said(dir),
            }),
        }
    }

    /// Runs a container with this process's own input, output and terminal, to its end; gives its
    /// exit code. While it runs, signals of the terminal are the container's: the caller should
    /// ignore them.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn run_foreground(&self, spec: &ContainerSpec, dir: &Path) -> Result<i32, EngineError> {
        self.run_with(spec, dir, |command| {
            let _terminal = RawTerminal::enter(spec.terminal);
            command.status()
        })
    }

    /// Runs a container whose standard streams are pipes to the caller, to its end; gives its exit
    /// code. `talk` gets the process that the pipes belong to: what it is sent by signal reaches the
    /// container's program.
    ///
    /// # Errors
    /// As [`Engine::start`], and when `talk` fails.
    pub fn run_piped(
        &self,
        spec: &ContainerSpec,
        dir: &Path,
        talk: impl FnOnce(&mut Child) -> io::Result<()>,
    ) -> Result<i32, EngineError> {
        self.run_with(spec, dir, |command| {
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            let talked = talk(&mut child);
            let status = child.wait();
            talked?;
            status
        })
    }

    /// Runs a container whose standard streams the caller chooses.
    pub(crate) fn run_with(
        &self,
        spec: &ContainerSpec,
        dir: &Path,
        run: impl FnOnce(&mut std::process::Command) -> io::Result<ExitStatus>,
    ) -> Result<i32, EngineError> {
        let contents = self.write(spec, dir)?;
        let mut command = self.command(spec)?;
        command
            .args(["internal", "run"])
            .arg(dir)
            .arg(contents.argument());
        let status = run(&mut command)?;
        let state = ContainerState::read(dir)?;
        match (state.started_at, state.error) {
            (None, Some(said)) => Err(EngineError::NeverRan {
                id: spec.id.clone(),
                said,
            }),
            _ => match status.code() {
                Some(code) => Ok(code),
                None => Err(EngineError::Supervisor {
                    id: spec.id.clone(),
                    said: status.to_string(),
                }),
            },
        }
    }

    /// Runs a further program in the container in `dir`, with this process's own input and
    /// output, to its end; gives its exit code: 127 when the container has no such program.
    ///
    /// # Errors
    /// When the helper cannot be started.
    pub fn exec(&self, dir: &Path, exec: &ExecSpec) -> Result<i32, EngineError> {
        self.exec_with(dir, exec, |command| {
            let _terminal = RawTerminal::enter(exec.terminal);
            command.status()
        })
    }

    /// Runs a further program in the container in `dir`; gives its exit code and what it said on
    /// standard output and error.
    ///
    /// # Errors
    /// When the helper cannot be started.
    pub fn exec_captured(
        &self,
        dir: &Path,
        exec: &ExecSpec,
    ) -> Result<(i32, Vec<u8>, Vec<u8>), EngineError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let code = self.exec_with(dir, exec, |command| {
            let output = command.stdin(Stdio::null()).output()?;
            (stdout, stderr) = (output.stdout, output.stderr);
            Ok(output.status)
        })?;
        Ok((code, stdout, stderr))
    }

    fn exec_with(
        &self,
        dir: &Path,
        exec: &ExecSpec,
        run: impl FnOnce(&mut std::process::Command) -> io::Result<ExitStatus>,
    ) -> Result<i32, EngineError> {
        let text = serde_json::to_vec(exec).map_err(io::Error::other)?;
        let text = Handover::new(&text)?;
        let mut command = self.command(&ContainerHandle::new(dir).spec()?)?;
        command
            .args(["internal", "exec"])
            .arg(dir)
            .arg(text.argument());
        let status = run(&mut command)?;
        Ok(status.code().unwrap_or(137))
    }

    /// The containers below a directory, running or not, by name.
    ///
    /// # Errors
    /// When the directory cannot be read. One that is missing holds no container.
    pub fn containers(&self, dir: &Path) -> Result<Vec<ContainerHandle>, EngineError> {
        let entries = match fs_err::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut handles = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.join(crate::container::SPEC_FILE).exists() {
                handles.push(ContainerHandle::new(&path));
            }
        }
        handles.sort_by(|left, right| left.dir().cmp(right.dir()));
        Ok(handles)
    }

    /// Removes a container and whatever it or a killed supervisor left: processes, control
    /// groups, scratch files, its directory. Its log stays.
    ///
    /// # Errors
    /// When something cannot be removed; calling it again goes on.
    pub fn clean(&self, dir: &Path) -> Result<(), EngineError> {
        if !dir.exists() {
            return Ok(());
        }
        let handle = ContainerHandle::new(dir);
        if liveness::is_held(dir)? {
            handle.destroy()?;
        }
        match ContainerState::read(dir) {
            Ok(state) => {
                Hierarchies::detect()?.group(&state.cgroup).remove()?;
                remove_dir(&state.scratch)?;
            }
            // Killed before the first line, or not a container at all.
            Err(StateError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!("{error}"),
        }
        remove_dir(dir)?;
        Ok(())
    }

    fn command(&self, spec: &ContainerSpec) -> Result<std::process::Command, EngineError> {
        self.executable.command(spec).map_err(EngineError::Seal)
    }

    fn write(&self, spec: &ContainerSpec, dir: &Path) -> Result<Handover, EngineError> {
        spec.validate()?;
        if liveness::is_held(dir)? {
            if !ContainerState::read(dir).is_ok_and(|state| state.is_final()) {
                return Err(EngineError::Running {
                    id: spec.id.clone(),
                });
            }
            // The last container has ended; its supervisor is about to.
            liveness::wait_until_free(dir)?;
        }
        create_private_dir(dir)?;
        for leftover in [crate::container::STATE_FILE, "runtime"] {
            remove_any(&dir.join(leftover))?;
        }
        let text = serde_json::to_vec(spec).map_err(io::Error::other)?;
        write_private(&dir.join(crate::container::SPEC_FILE), &text)?;
        let contents: Vec<&[u8]> = spec
            .mounts
            .iter()
            .filter_map(|mount| match &mount.kind {
                MountKind::File { content, .. } => Some(content.expose()),
                _ => None,
            })
            .collect();
        if contents.is_empty() {
            return Ok(Handover::nothing());
        }
        Handover::new(&serde_json::to_vec(&contents).map_err(io::Error::other)?).map_err(Into::into)
    }
}

/// The container's environment is in its files: they are nobody else's to read.
fn create_private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    use fs_err::os::unix::fs::OpenOptionsExt;
    let mut file = fs_err::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)
}

fn remove_any(path: &Path) -> io::Result<()> {
    match fs_err::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => remove_dir(path),
        Ok(_) => fs_err::remove_file(path),
    }
}

fn remove_dir(path: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The last lines a supervisor wrote before it died.
fn said(dir: &Path) -> String {
    let text = fs_err::read_to_string(dir.join("supervisor.log")).unwrap_or_default();
    let mut lines: Vec<&str> = text.trim().lines().rev().take(5).collect();
    lines.reverse();
    if lines.is_empty() {
        return "it ended without a word".to_owned();
    }
    lines.join("\n")
}

/// Bytes for a helper, in memory that it opens through this process.
struct Handover(Option<std::fs::File>);

impl Handover {
    fn nothing() -> Self {
        Self(None)
    }

    fn new(bytes: &[u8]) -> io::Result<Self> {
        let memory = rustix::fs::memfd_create("handover", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut file = std::fs::File::from(memory);
        file.write_all(bytes)?;
        Ok(Self(Some(file)))
    }

    fn argument(&self) -> String {
        match &self.0 {
            Some(file) => format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()),
            None => "-".to_owned(),
        }
    }
}

/// The caller's terminal passes every key on, until this is dropped.
struct RawTerminal(Option<rustix::termios::Termios>);

impl RawTerminal {
    fn enter(terminal: Terminal) -> Self {
        let stdin = rustix::stdio::stdin();
        if terminal == Terminal::None {
            return Self(None);
        }
        let Ok(before) = rustix::termios::tcgetattr(stdin) else {
            return Self(None);
        };
        let mut raw = before.clone();
        raw.make_raw();
        let now = rustix::termios::OptionalActions::Now;
        let entered = rustix::termios::tcsetattr(stdin, now, &raw).is_ok();
        Self(entered.then_some(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), now, before);
        }
    }
}

/// The engine could not do its part.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The executable could not be sealed.
    #[error("cannot seal this executable: {0}")]
    Seal(#[source] io::Error),
    /// The specification does not hold.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The directory holds a container that runs.
    #[error("`{id}` runs already")]
    Running {
        /// Its name.
        id: String,
    },
    /// The container could not be started.
    #[error("`{id}`: {failure}")]
    Start {
        /// Its name.
        id: String,
        /// Why.
        failure: StartFailure,
    },
    /// The container of a foreground run could not be started.
    #[error("`{id}`: {said}")]
    NeverRan {
        /// Its name.
        id: String,
        /// Why.
        said: String,
    },
    /// The supervisor died instead of reporting.
    #[error("the supervisor of `{id}` died: {said}")]
    Supervisor {
        /// The container's name.
        id: String,
        /// What it last wrote.
        said: String,
    },
    /// The supervisor did not do what it was asked to.
    #[error("the supervisor in `{}` refused: {reason}", dir.display())]
    Refused {
        /// The container's directory.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file system or the kernel said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}
