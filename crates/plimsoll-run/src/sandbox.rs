//! Runs build steps in containers that are thrown away.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use plimsoll_image::{Access, Sandbox, SandboxError, Step, StepNetwork, StepOutcome, SystemChange};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags};

use crate::container::{
    ContainerSpec, ContainerState, FileContent, InitProcess, LimitSpec, MountAccess, MountKind,
    MountPropagation, MountSpec, NetworkSpec, Privileges, Recursive, RootAccess, UserSpec,
};
use crate::engine::{Engine, EngineError};

/// Output that is kept of each stream: the end, where failures are told.
const LONGEST_OUTPUT: usize = 1 << 20;

/// The engine as a place for build steps.
#[derive(Debug, Clone)]
pub struct EngineSandbox {
    engine: Engine,
    runtime: PathBuf,
    scratch: PathBuf,
}

impl EngineSandbox {
    /// Steps keep their state below `runtime` while they run, and what they write to their root
    /// below `scratch`, a directory on a disk with room for it.
    pub fn new(engine: Engine, runtime: &Path, scratch: &Path) -> Self {
        Self {
            engine,
            runtime: runtime.to_owned(),
            scratch: scratch.to_owned(),
        }
    }

    fn specification(&self, step: &Step, id: &str) -> std::io::Result<ContainerSpec> {
        let mut spec = ContainerSpec::new(
            id,
            step.root.clone(),
            step.command.clone(),
            self.scratch.join(id),
        );
        spec.hostname = "build".to_owned();
        spec.root = RootAccess::Writable;
        spec.environment.clone_from(&step.environment);
        spec.working_dir.clone_from(&step.working_dir);
        spec.user = UserSpec {
            uid: step.user.0,
            gid: step.user.1,
            additional_gids: Vec::new(),
        };
        spec.mounts = step
            .mounts
            .iter()
            .map(|mount| {
                let bind = |access| MountKind::Bind {
                    source: mount.source.clone(),
                    access,
                    recursive: Recursive::No,
                    propagation: MountPropagation::Private,
                };
                Ok(MountSpec {
                    target: mount.target.clone(),
                    kind: match mount.access {
                        Access::ReadOnly => bind(MountAccess::ReadOnly),
                        Access::ReadWrite => bind(MountAccess::ReadWrite),
                        Access::OwnCopy => MountKind::File {
                            content: FileContent::new(fs_err::read(&mount.source)?),
                            mode: 0o400,
                            owner: step.user,
                        },
                    },
                })
            })
            .collect::<std::io::Result<_>>()?;
        spec.network = match step.network {
            StepNetwork::None => NetworkSpec::None,
            StepNetwork::Host => NetworkSpec::Host,
        };
        spec.limits = LimitSpec {
            memory: step.memory,
            pids: step.pids,
            ..LimitSpec::default()
        };
        // Build tools leave children behind.
        spec.init = InitProcess::Reaper;
        Ok(spec)
    }

    fn attempt(
        &self,
        step: &Step,
        spec: &ContainerSpec,
        dir: &Path,
    ) -> Result<Attempt, EngineError> {
        let mut captured = None;
        let ended = self.engine.run_with(spec, dir, |command| {
            let mut child = command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            let deadline = Instant::now() + step.timeout;
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let (timed_out, stdout, stderr, status) = thread::scope(|scope| {
                let stdout = scope.spawn(|| last_of(stdout));
                let stderr = scope.spawn(|| last_of(stderr));
                let timed_out = !wait_until(child.id(), deadline)?;
                if timed_out {
                    // The container dies with its supervisor, whatever it is doing.
                    child.kill()?;
                }
                let status: ExitStatus = child.wait()?;
                let stdout = stdout.join().unwrap_or_default();
                let stderr = stderr.join().unwrap_or_default();
                Ok::<_, std::io::Error>((timed_out, stdout, stderr, status))
            })?;
            captured = Some((timed_out, stdout, stderr));
            Ok(status)
        });
        match (captured, ended) {
            (Some((true, ..)), _) => Ok(Attempt::TimedOut),
            (Some((false, stdout, stderr)), Ok(exit_code)) => Ok(Attempt::Ended(StepOutcome {
                exit_code,
                stdout,
                stderr,
                out_of_memory: ContainerState::read(dir).is_ok_and(|state| state.oom_killed),
            })),
            (_, Err(error)) => Err(error),
            (None, Ok(_)) => Ok(Attempt::TimedOut),
        }
    }
}

enum Attempt {
    Ended(StepOutcome),
    TimedOut,
}

impl Sandbox for EngineSandbox {
    fn run(&self, step: &Step) -> Result<StepOutcome, SandboxError> {
        self.run_as(step, |_| {})
    }

    fn change(&self, change: &SystemChange) -> Result<StepOutcome, SandboxError> {
        let outcome = self.run_as(&change.step, |spec| make_system(spec, change))?;
        if change.writes.is_dir() {
            return Ok(outcome);
        }
        Err(SandboxError::Start {
            step: change.step.name.clone(),
            reason: format!(
                "what it wrote did not arrive at `{}`",
                change.writes.display()
            ),
        })
    }
}

/// What root has in a build of Docker's: package managers and their scripts count on it.
const SYSTEM_CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Turns a step's specification into one whose writes are kept.
fn make_system(spec: &mut ContainerSpec, change: &SystemChange) {
    spec.kept_writes = Some(change.writes.clone());
    spec.capabilities = SYSTEM_CAPABILITIES.map(str::to_owned).into();
    spec.privileges = Privileges::MayGain;
    spec.user
        .additional_gids
        .clone_from(&change.additional_groups);
    spec.shm_size = change.shm_size.unwrap_or(spec.shm_size);
    let memory = change.memory.iter().map(|mount| MountSpec {
        target: mount.target.clone(),
        kind: MountKind::Tmpfs {
            size: mount.size,
            mode: 0o1777,
            owner: (0, 0),
        },
    });
    let files = change.files.iter().map(|file| MountSpec {
        target: file.target.clone(),
        kind: MountKind::File {
            content: FileContent::new(file.content.expose().clone()),
            mode: file.mode,
            owner: file.owner,
        },
    });
    spec.mounts.extend(memory.chain(files));
}

impl EngineSandbox {
    fn run_as(
        &self,
        step: &Step,
        change: impl FnOnce(&mut ContainerSpec),
    ) -> Result<StepOutcome, SandboxError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let id = format!("step-{}-{number}", std::process::id());
        let dir = self.runtime.join(&id);
        let failed = |reason: String| SandboxError::Start {
            step: step.name.clone(),
            reason,
        };
        let start = |error: EngineError| failed(error.to_string());
        let mut spec = self
            .specification(step, &id)
            .map_err(|error| failed(error.to_string()))?;
        change(&mut spec);
        let attempt = self.attempt(step, &spec, &dir);
        let cleaned = self.engine.clean(&dir);
        match attempt {
            Ok(Attempt::Ended(outcome)) => {
                cleaned.map_err(start)?;
                Ok(outcome)
            }
            Ok(Attempt::TimedOut) => Err(SandboxError::TimedOut {
                step: step.name.clone(),
                timeout: step.timeout,
            }),
            Err(error) => Err(start(error)),
        }
    }
}

/// Reads to the end, and keeps the last part.
fn last_of(source: Option<impl Read>) -> Vec<u8> {
    let mut kept: VecDeque<u8> = VecDeque::new();
    let Some(mut source) = source else {
        return Vec::new();
    };
    let mut buffer = vec![0_u8; 64 * 1024];
    while let Ok(count) = source.read(&mut buffer) {
        if count == 0 {
            break;
        }
        kept.extend(&buffer[..count]);
        let surplus = kept.len().saturating_sub(LONGEST_OUTPUT);
        kept.drain(..surplus);
    }
    kept.into()
}

/// Whether the child ended before the deadline.
fn wait_until(child: u32, deadline: Instant) -> std::io::Result<bool> {
    let pid = Pid::from_raw(child.cast_signed())
        .ok_or_else(|| std::io::Error::other("the kernel gave no process"))?;
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left).unwrap_or(Timespec {
            tv_sec: i64::MAX,
            tv_nsec: 0,
        });
        let mut fds = [PollFd::new(&handle, PollFlags::IN)];
        match poll(&mut fds, Some(&limit)) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}
