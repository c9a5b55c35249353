//! One health check under way.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags};

use crate::container::health::LONGEST_OUTPUT;
use crate::container::{ContainerSpec, HealthRecord, HealthSpec, HealthTest, Timestamp, translate};
use crate::exec::ExecSpec;

/// Time a helper has beyond its limit to end what it started.
const MERCY: Duration = Duration::from_secs(1);

/// A helper process that makes the check, and what it said so far.
pub(super) struct Check {
    child: Child,
    handle: OwnedFd,
    output: std::fs::File,
    text: Vec<u8>,
    began: Instant,
    began_at: Timestamp,
    limit: Duration,
}

impl Check {
    /// Begins a check of the container whose first process is `pid`.
    pub(super) fn begin(
        health: &HealthSpec,
        spec: &ContainerSpec,
        dir: &Path,
        pid: Pid,
    ) -> io::Result<Self> {
        let (output, write) = io::pipe()?;
        let mut command = Command::new("/proc/self/exe");
        command
            .env_clear()
            .stdin(Stdio::null())
            .stdout(write.try_clone()?)
            .stderr(write);
        match translate(&health.test) {
            Some(probe) => {
                let user = if spec.user.uid == 0 {
                    65534
                } else {
                    spec.user.uid
                };
                command
                    .args(["internal", "probe"])
                    .arg(pid.as_raw_nonzero().to_string())
                    .arg(user.to_string())
                    .arg(serde_json::to_string(&probe).map_err(io::Error::other)?)
                    .arg(health.timeout.as_millis().to_string());
            }
            None => {
                let mut exec = ExecSpec::new(words(&health.test));
                exec.timeout = Some(health.timeout);
                command.args(["internal", "exec"]).arg(dir);
                command.arg(serde_json::to_string(&exec).map_err(io::Error::other)?);
            }
        }
        let began = Instant::now();
        let mut child = command.spawn()?;
        drop(command);
        let handle = Pid::from_raw(child.id().cast_signed())
            .ok_or_else(|| io::Error::other("the kernel gave no process"))
            .and_then(|pid| Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?));
        let handle = match handle {
            Ok(handle) => handle,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let output = std::fs::File::from(OwnedFd::from(output));
        super::streams::set_nonblocking(output.as_fd())?;
        Ok(Self {
            child,
            handle,
            output,
            text: Vec::new(),
            began,
            began_at: Timestamp::now(),
            limit: health.timeout,
        })
    }

    /// When it has taken too long.
    pub(super) fn deadline(&self) -> Instant {
        // The helper ends by itself in time, unless it is stuck.
        self.began + self.limit + MERCY
    }

    /// When it began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Readable when it has ended.
    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// Reads what it has to say, so that it does not wait for a reader.
    pub(super) fn output(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }

    pub(super) fn read(&mut self) {
        let mut buffer = [0_u8; 4096];
        while let Ok(count) = self.output.read(&mut buffer) {
            if count == 0 {
                return;
            }
            let room = LONGEST_OUTPUT.saturating_sub(self.text.len());
            self.text.extend_from_slice(&buffer[..count.min(room)]);
        }
    }

    /// Whether it has ended, or has to.
    pub(super) fn finish(mut self, now: Instant) -> Result<HealthRecord, Self> {
        let code = match self.child.try_wait() {
            Ok(Some(_)) if now >= self.began + self.limit => -1,
            Ok(Some(status)) => status.code().unwrap_or(-1),
            _ if now >= self.deadline() => {
                // What it started inside of the container has it as parent, and dies with it.
                let _ = self.child.kill();
                let _ = self.child.wait();
                -1
            }
            _ => return Err(self),
        };
        self.read();
        let mut output = String::from_utf8_lossy(&self.text).into_owned();
        if code == -1 {
            output.push_str(&format!("no answer within {:?}", self.limit));
        }
        Ok(HealthRecord {
            started_at: self.began_at,
            finished_at: Timestamp::now(),
            exit_code: code,
            output,
        })
    }

    /// Ends it without a result: the container has ended.
    pub(super) fn abandon(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn words(test: &HealthTest) -> Vec<String> {
    match test {
        HealthTest::Exec(words) => words.clone(),
        HealthTest::Shell(line) => {
            vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()]
        }
        // Always translated.
        HealthTest::Probe(_) => Vec::new(),
    }
}
