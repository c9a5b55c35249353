//! The last steps in a container's first process before the program runs.

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::RawFd;

use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use rustix::termios::Winsize;

use super::seccomp::Filter;
use super::{StartFailure, StartStage};
use crate::container::InitProcess;
use crate::kernel;

/// Capabilities that installing a filter without `no_new_privs`, and giving them up afterwards,
/// take. The container is made with them and they are dropped right before the program.
pub(crate) const INSTALLER_CAPABILITIES: [&str; 2] = ["CAP_SYS_ADMIN", "CAP_SETPCAP"];

/// Runs the program of a container. Everything is prepared before the fork: afterwards only
/// system calls are made.
#[derive(Clone)]
pub(crate) struct ProgramExecutor {
    pub(crate) program: Program,
    pub(crate) filter: Option<Filter>,
    /// Bits of the capabilities the program may keep, when the process holds more.
    pub(crate) reduce_to: Option<u64>,
    /// Where a failure to execute is reported; closed by executing.
    pub(crate) report: RawFd,
    /// Refers to the supervisor; readable when it has ended.
    pub(crate) parent: RawFd,
    pub(crate) init: InitProcess,
    /// The size that the process's own terminal gets before the program can ask for it.
    pub(crate) terminal_size: Option<Winsize>,
}

/// A program in the form the kernel takes.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    arguments: Vec<CString>,
    environment: Vec<CString>,
    /// Paths to try, in order.
    candidates: Vec<CString>,
}

impl Program {
    pub(crate) fn new(
        command: &[String],
        environment: &[(String, String)],
    ) -> Result<Self, StartFailure> {
        let text = |text: &str| {
            CString::new(text).map_err(|error| StartFailure::new(StartStage::Specification, error))
        };
        let arguments = command
            .iter()
            .map(|word| text(word))
            .collect::<Result<_, _>>()?;
        let variables = environment
            .iter()
            .map(|(name, value)| text(&format!("{name}={value}")))
            .collect::<Result<_, _>>()?;
        let name = command.first().map_or("", String::as_str);
        let candidates = if name.contains('/') {
            vec![text(name)?]
        } else {
            let path = environment
                .iter()
                .rev()
                .find(|(variable, _)| variable == "PATH")
                .map_or(crate::container::default_path(), |(_, value)| value);
            path.split(':')
                .filter(|directory| directory.starts_with('/'))
                .map(|directory| text(&format!("{directory}/{name}")))
                .collect::<Result<_, _>>()?
        };
        Ok(Self {
            arguments,
            environment: variables,
            candidates,
        })
    }

    /// Executes it in this process; returns only when that fails.
    fn execute(&self) -> io::Error {
        let mut refused = None;
        for candidate in &self.candidates {
            let error = kernel::execute(candidate, &self.arguments, &self.environment);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                // As shells do: something else on the path may be executable.
                Some(libc::EACCES) => drop(refused.get_or_insert(error)),
                _ => return error,
            }
        }
        refused.unwrap_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }
}

impl ProgramExecutor {
    /// Has the kernel end this process when the supervisor ends, however that happens.
    fn die_with_parent(&self) -> io::Result<()> {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // The supervisor may have ended before the line above. Asking for the parent's number
        // does not tell: from inside of a PID namespace it is 0 in either case.
        if kernel::is_readable(self.parent) {
            return Err(io::Error::other("the supervisor has ended"));
        }
        Ok(())
    }

    fn execute(&self) -> io::Error {
        match self.prepare() {
            Ok(()) => self.program.execute(),
            Err(error) => error,
        }
    }

    fn prepare(&self) -> io::Result<()> {
        // First, so that a process of the engine that stays as number 1 is confined as well.
        if let Some(filter) = &self.filter {
            filter.install()?;
        }
        if let Some(bits) = self.reduce_to {
            reduce_capabilities(bits)?;
        }
        if let Some(size) = self.terminal_size {
            rustix::termios::tcsetwinsize(rustix::stdio::stdin(), size)?;
        }
        match self.init {
            InitProcess::Program => {}
            InitProcess::Reaper => super::reaper::become_init(self.report)?,
        }
        reset_signals()
    }

    fn fail(&self, error: &io::Error) -> ! {
        let code = error.raw_os_error().unwrap_or(libc::EIO);
        kernel::write_number(self.report, code);
        kernel::exit_now(if code == libc::ENOENT { 127 } else { 126 })
    }
}

impl Executor for ProgramExecutor {
    fn exec(&self, _spec: &Spec) -> Result<(), ExecutorError> {
        let error = self.execute();
        self.fail(&error)
    }

    /// Called before the container waits for its start: the place where a killed supervisor would
    /// leave a waiting process behind.
    fn validate(&self, _spec: &Spec) -> Result<(), ExecutorValidationError> {
        self.die_with_parent()
            .map_err(|error| ExecutorValidationError::ArgValidationError(error.to_string()))
    }

    /// The environment is passed to `execve` as it was prepared, in its order.
    fn setup_envs(&self, _envs: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }
}

/// What a failed execution means, by the error number the executor reported.
pub(crate) fn execution_failure(program: &str, code: i32) -> StartFailure {
    if code == libc::ENOENT {
        return StartFailure::new(
            StartStage::ProgramMissing,
            format!("`{program}` is not in the image, or its interpreter is not"),
        );
    }
    let reason = match code {
        libc::EACCES => "it is not executable by the container's user".to_owned(),
        libc::ENOEXEC => "it is no program for this machine".to_owned(),
        _ => io::Error::from_raw_os_error(code).to_string(),
    };
    StartFailure::new(StartStage::ProgramRefused, format!("`{program}`: {reason}"))
}

/// Undoes what this process did to its signals: the supervisor blocks some, Rust ignores SIGPIPE,
/// and both would be inherited.
pub(super) fn reset_signals() -> io::Result<()> {
    kernel::reset_signal_actions();
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    Ok(())
}

/// Takes all capabilities but `bits` from this process, for good.
fn reduce_capabilities(bits: u64) -> io::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    kernel::limit_capabilities(bits);
    let kept = CapabilitySet::from_bits_retain(bits);
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(())
}
