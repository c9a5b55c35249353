//! A container that was started, by this process or another.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags};

use super::{EngineError, liveness};
use crate::container::protocol::{Reply, Request, line};
use crate::container::{
    ContainerSpec, ContainerState, HealthStatus, LogOptions, LogReader, Phase, SOCKET_FILE,
    SPEC_FILE, StateError, logs,
};
use crate::runtime::cgroup::Hierarchies;

/// A container, known by its directory.
#[derive(Debug, Clone)]
pub struct ContainerHandle {
    dir: PathBuf,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Its program runs.
    Running,
    /// Its health check passes; without a check: its program runs.
    Healthy,
    /// It has ended for good.
    Ended,
}

/// How a wait ended.
#[derive(Debug, Clone)]
pub enum Waited {
    /// The condition holds.
    Met(ContainerState),
    /// The container has ended, so the condition cannot hold any more.
    Ended(ContainerState),
    /// It took too long.
    TimedOut(ContainerState),
}

impl Waited {
    /// The last state that was seen.
    pub fn state(&self) -> &ContainerState {
        match self {
            Self::Met(state) | Self::Ended(state) | Self::TimedOut(state) => state,
        }
    }
}

impl Condition {
    fn holds(self, state: &ContainerState) -> bool {
        let runs = state.phase == Phase::Running;
        match self {
            Self::Running => runs,
            Self::Healthy => {
                runs && state
                    .health_status()
                    .is_none_or(|status| status == HealthStatus::Healthy)
            }
            Self::Ended => state.is_final(),
        }
    }
}

impl ContainerHandle {
    /// The container in `dir`, whether it runs or not.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its specification, without the contents of file mounts.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn spec(&self) -> Result<ContainerSpec, EngineError> {
        let path = self.dir.join(SPEC_FILE);
        let text = fs_err::read(&path)?;
        serde_json::from_slice(&text)
            .map_err(|source| StateError::Malformed { path, source }.into())
    }

    /// Its state. A container whose supervisor was killed is [`Phase::Lost`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn state(&self) -> Result<ContainerState, EngineError> {
        let held = || Ok(liveness::is_held(&self.dir)?);
        seen(held, || Ok(ContainerState::read(&self.dir)?))
    }

    /// Waits until the condition holds, the container has ended, or the time is over.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn wait(
        &self,
        condition: Condition,
        timeout: Option<Duration>,
    ) -> Result<Waited, EngineError> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut last = None;
        for state in self.states(deadline)? {
            let state = state?;
            if condition.holds(&state) {
                return Ok(Waited::Met(state));
            }
            if state.is_final() {
                return Ok(Waited::Ended(state));
            }
            last = Some(state);
        }
        match last {
            Some(state) => Ok(Waited::TimedOut(state)),
            None => Ok(Waited::TimedOut(self.state()?)),
        }
    }

    /// Its state now and at each change, until it has ended or the deadline has passed. The last
    /// one of a container that has ended is final.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn states(&self, deadline: Option<Instant>) -> Result<StateStream, EngineError> {
        let connection = match self.connect() {
            Ok(mut stream) => {
                // A supervisor that ends right now closes the stream, which reading will tell.
                let _ = stream.write_all(&line(&Request::Watch));
                Some(BufReader::new(stream))
            }
            Err(error) if is_gone(&error) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(StateStream {
            handle: self.clone(),
            connection,
            deadline,
            ended: false,
            line: Vec::new(),
        })
    }

    /// Ends it for good and waits until it has: its stop signal, after `grace` SIGKILL; `None`:
    /// the specification's grace. One that has ended stays as it is.
    ///
    /// # Errors
    /// When the supervisor does not answer.
    pub fn stop(&self, grace: Option<Duration>) -> Result<ContainerState, EngineError> {
        self.finish(&Request::Stop { grace })
    }

    /// Ends its program as a stop does, and starts it again.
    ///
    /// # Errors
    /// When it has ended for good.
    pub fn restart(&self) -> Result<(), EngineError> {
        self.ask(&Request::Restart)
    }

    /// Sends its program a signal.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self, signal: i32) -> Result<(), EngineError> {
        self.ask(&Request::Kill { signal })
    }

    /// Has the supervisor do something.
    fn ask(&self, request: &Request) -> Result<(), EngineError> {
        let refused = |reason: &str| EngineError::Refused {
            dir: self.dir.clone(),
            reason: reason.to_owned(),
        };
        let mut stream = match self.connect() {
            Ok(stream) => stream,
            Err(error) if is_gone(&error) => return Err(refused("the container has ended")),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        let answer = stream
            .write_all(&line(request))
            .and_then(|()| BufReader::new(stream).read_until(b'\n', &mut text));
        match answer {
            Err(error) if !is_gone(&error) => return Err(error.into()),
            _ => {}
        }
        match serde_json::from_slice(&text) {
            Ok(Reply::Refused { reason }) => Err(refused(&reason)),
            Ok(_) => Ok(()),
            Err(_) => Err(refused("the container has ended")),
        }
    }

    /// What it uses at the moment, as far as the kernel's control groups tell.
    ///
    /// # Errors
    /// When its state cannot be read.
    pub fn usage(&self) -> Result<Usage, EngineError> {
        let state = ContainerState::read(&self.dir)?;
        let group = Hierarchies::detect()?.group(&state.cgroup);
        Ok(Usage {
            memory: group.memory(),
            processes: group.pids(),
            processor: group.cpu(),
        })
    }

    /// Its log.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn logs(&self, follow: Follow, options: &LogOptions) -> Result<LogReader, EngineError> {
        let spec = self.spec()?;
        let dir = match follow {
            Follow::Yes => Some(self.dir.as_path()),
            Follow::No => None,
        };
        Ok(logs(&spec.log, dir, options)?)
    }

    /// Ends it at once, the supervisor too if it does not answer.
    pub(super) fn destroy(&self) -> Result<(), EngineError> {
        let request = Request::Stop {
            grace: Some(Duration::ZERO),
        };
        let patience = Instant::now() + Duration::from_secs(10);
        if self.finish_until(&request, Some(patience)).is_ok() && !liveness::is_held(&self.dir)? {
            return Ok(());
        }
        let state = ContainerState::read(&self.dir)?;
        if liveness::is_held(&self.dir)?
            && let Some(pid) = rustix::process::Pid::from_raw(state.supervisor)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        while liveness::is_held(&self.dir)? {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn finish(&self, request: &Request) -> Result<ContainerState, EngineError> {
        self.finish_until(request, None)
    }

    /// Sends a request and waits for the end of the supervisor.
    fn finish_until(
        &self,
        request: &Request,
        deadline: Option<Instant>,
    ) -> Result<ContainerState, EngineError> {
        let mut stream = match self.connect() {
            Ok(stream) => stream,
            Err(error) if is_gone(&error) => return self.state(),
            Err(error) => return Err(error.into()),
        };
        let _ = stream.write_all(&line(request));
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        }
        let mut reader = BufReader::new(stream);
        let mut text = Vec::new();
        loop {
            match reader.read_until(b'\n', &mut text) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if is_gone(&error) => break,
                Err(error) => return Err(error.into()),
            }
            if let Ok(Reply::Refused { reason }) = serde_json::from_slice(&text) {
                return Err(EngineError::Refused {
                    dir: self.dir.clone(),
                    reason,
                });
            }
            text.clear();
        }
        if deadline.is_none() {
            // What follows may start another container in the same directory.
            liveness::wait_until_free(&self.dir)?;
        }
        self.state()
    }

    fn connect(&self) -> io::Result<UnixStream> {
        // Socket addresses are limited to 108 bytes; a descriptor's path is short.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(CWD, &self.dir, flags, Mode::empty())?;
        UnixStream::connect(crate::supervisor::descriptor_path(&dir).join(SOCKET_FILE))
    }
}

/// What a container uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Memory in bytes, page cache included.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Processor time since its start.
    pub processor: Option<Duration>,
}

/// Whether reading a log goes on until the container has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// It does.
    Yes,
    /// It ends with what is there.
    No,
}

/// Whether nobody listens on the socket.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
    )
}

/// States as they come; see [`ContainerHandle::states`].
pub struct StateStream {
    handle: ContainerHandle,
    connection: Option<BufReader<UnixStream>>,
    deadline: Option<Instant>,
    ended: bool,
    line: Vec<u8>,
}

impl StateStream {
    fn next_state(&mut self) -> Result<Option<ContainerState>, EngineError> {
        if self.ended {
            return Ok(None);
        }
        while let Some(connection) = &mut self.connection {
            if let Some(deadline) = self.deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    self.ended = true;
                    return Ok(None);
                }
                connection.get_ref().set_read_timeout(Some(left))?;
            }
            match connection.read_until(b'\n', &mut self.line) {
                Ok(0) => self.connection = None,
                Ok(_) if self.line.last() != Some(&b'\n') => self.connection = None,
                Ok(_) => {
                    let reply = serde_json::from_slice(&self.line);
                    self.line.clear();
                    if let Ok(Reply::State { state }) = reply {
                        self.ended = state.is_final();
                        return Ok(Some(*state));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => self.connection = None,
                Err(error) => return Err(error.into()),
            }
        }
        // The supervisor is gone: what it wrote last is final, or it was killed.
        self.ended = true;
        let mut state = self.handle.state()?;
        if !state.is_final() {
            state.phase = Phase::Lost;
            state.pid = None;
        }
        Ok(Some(state))
    }
}

impl Iterator for StateStream {
    type Item = Result<ContainerState, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_state().transpose()
    }
}

/// A container's state, by whether its supervisor lives and what that wrote last.
fn seen(
    held: impl Fn() -> Result<bool, EngineError>,
    read: impl Fn() -> Result<ContainerState, EngineError>,
) -> Result<ContainerState, EngineError> {
    // A supervisor that ends in between has written its last state, and one that begins in between holds its lock
    // before it writes the first: only what is twice without one has none.
    let mut state = read()?;
    for _ in 0..2 {
        if held()? || state.is_final() {
            return Ok(state);
        }
        state = read()?;
    }
    if !state.is_final() {
        state.phase = Phase::Lost;
        state.pid = None;
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What is seen when the lock is looked at with these outcomes, one after the other, and the state is this.
    fn phase(held: &[bool], written: Phase) -> Phase {
        let looked = Cell::new(0);
        let held = || {
            let index = looked.replace(looked.get() + 1);
            Ok(held[index.min(held.len() - 1)])
        };
        let mut state = crate::container::sample_state();
        state.phase = written;
        seen(held, || Ok(state.clone())).unwrap().phase
    }

    #[test]
    fn a_supervisor_that_just_began_is_not_lost() {
        assert_eq!(phase(&[true], Phase::Running), Phase::Running);
        assert_eq!(phase(&[false, true], Phase::Created), Phase::Created);
        assert_eq!(phase(&[false], Phase::Running), Phase::Lost);
        assert_eq!(phase(&[false], Phase::Exited), Phase::Exited);
    }
}
