//! What the processes of a container may do, the first one and those that join alike.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::termios::Winsize;
use rustix::thread::CapabilitySet;
use serde_json::{Value, json};

use super::executor::{INSTALLER_CAPABILITIES, Program, ProgramExecutor, execution_failure};
use super::seccomp::Filter;
use super::{StartFailure, StartStage};
use crate::container::{
    Confinement, ContainerSpec, InitProcess, Privileges, Seccomp, Terminal, UserSpec, Warning,
};

/// What a process of a container may do: the same for its first one and for those that join.
pub(crate) struct Credentials {
    /// Capabilities the container's program holds.
    capabilities: BTreeSet<String>,
    /// Capabilities the runtime leaves, more where the filter's installation takes them.
    granted: BTreeSet<String>,
    filter: Option<Filter>,
    privileges: Privileges,
    /// Limits of the processes.
    rlimits: Vec<Value>,
    /// Capabilities that were asked for and that this machine does not have.
    pub(crate) warnings: Vec<Warning>,
}

impl Credentials {
    pub(crate) fn new(spec: &ContainerSpec) -> Result<Self, StartFailure> {
        let own = rustix::thread::capabilities(None)
            .map_err(|error| StartFailure::new(StartStage::Container, error))?
            .permitted;
        let own: BTreeSet<String> = CapabilitySet::all()
            .iter_names()
            .filter(|(_, bit)| own.contains(*bit))
            .map(|(name, _)| format!("CAP_{name}"))
            .collect();
        let wanted = match spec.confinement {
            Confinement::Standard => spec.capabilities.clone(),
            Confinement::Privileged => own.clone(),
        };
        let (rlimits, lowered) = super::ulimit::rlimits(&spec.ulimits, &own);
        let warnings = wanted
            .difference(&own)
            .map(|capability| Warning::CapabilityMissing {
                capability: capability.clone(),
            })
            .chain(lowered)
            .collect();
        let capabilities: BTreeSet<String> = wanted.intersection(&own).cloned().collect();
        let filter = match (spec.seccomp, spec.confinement) {
            (Seccomp::Default, Confinement::Standard) => Some(Filter::new(&capabilities)?),
            _ => None,
        };
        let mut granted = capabilities.clone();
        if filter.is_some() && spec.privileges == Privileges::MayGain {
            granted.extend(INSTALLER_CAPABILITIES.map(str::to_owned));
        }
        Ok(Self {
            capabilities,
            granted,
            filter,
            privileges: spec.privileges,
            rlimits,
            warnings,
        })
    }

    fn reduce_to(&self) -> Option<u64> {
        if self.granted == self.capabilities {
            return None;
        }
        let bits = self.capabilities.iter().filter_map(|name| {
            CapabilitySet::from_name(name.strip_prefix("CAP_")?).map(|bit| bit.bits())
        });
        Some(bits.fold(0, |all, bit| all | bit))
    }

    /// The `process` object of the runtime specification.
    pub(crate) fn process(&self, process: &ProcessSpec<'_>) -> Value {
        let names: Vec<&String> = self.granted.iter().collect();
        json!({
            "terminal": process.terminal == Terminal::Allocate,
            "user": {
                "uid": process.user.uid,
                "gid": process.user.gid,
                "additionalGids": process.user.additional_gids,
                "umask": 0o022,
            },
            "args": process.command,
            "env": process.environment.iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>(),
            "cwd": process.working_dir,
            "rlimits": self.rlimits,
            "capabilities": {
                "bounding": names,
                "effective": names,
                "permitted": names,
                "inheritable": [],
                "ambient": [],
            },
            "noNewPrivileges": self.privileges == Privileges::NoNew,
        })
    }

    /// The executor for a process with these credentials, and the end of the pipe on which it
    /// reports a failure to execute.
    pub(crate) fn executor(
        &self,
        process: &ProcessSpec<'_>,
        init: InitProcess,
        parent: BorrowedFd<'_>,
    ) -> Result<(ProgramExecutor, ReportPipe), StartFailure> {
        let pipe =
            ReportPipe::new().map_err(|error| StartFailure::new(StartStage::Container, error))?;
        let executor = ProgramExecutor {
            program: Program::new(process.command, process.environment)?,
            filter: self.filter.clone(),
            reduce_to: self.reduce_to(),
            report: pipe.write.as_raw_fd(),
            parent: parent.as_raw_fd(),
            init,
            terminal_size: process.terminal_size(),
        };
        Ok((executor, pipe))
    }
}

/// One process of a container.
pub(crate) struct ProcessSpec<'a> {
    pub(crate) command: &'a [String],
    pub(crate) environment: &'a [(String, String)],
    pub(crate) working_dir: &'a Path,
    pub(crate) user: &'a UserSpec,
    pub(crate) terminal: Terminal,
}

impl ProcessSpec<'_> {
    /// The size of its terminal: that of the caller's own, where it has one.
    fn terminal_size(&self) -> Option<Winsize> {
        match self.terminal {
            Terminal::None => None,
            Terminal::Allocate => rustix::termios::tcgetwinsize(rustix::stdio::stdin()).ok(),
        }
    }
}

/// Tells whether a program was executed: executing closes the writing end.
pub(crate) struct ReportPipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl ReportPipe {
    fn new() -> io::Result<Self> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        Ok(Self { read, write })
    }

    /// Waits until the program runs or could not be executed.
    pub(crate) fn outcome(self, program: &str) -> Result<(), StartFailure> {
        drop(self.write);
        let mut bytes = Vec::new();
        std::fs::File::from(self.read)
            .read_to_end(&mut bytes)
            .map_err(|error| StartFailure::new(StartStage::Container, error))?;
        match <[u8; 4]>::try_from(bytes.as_slice()) {
            Ok(code) => Err(execution_failure(program, i32::from_ne_bytes(code))),
            Err(_) => Ok(()),
        }
    }
}
