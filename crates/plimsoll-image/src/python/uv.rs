//! Running uv in the sandbox.
//!
//! uv sees the image's own Python base as its root, its program and cache, the project read-only,
//! and a scratch directory. It reaches the network only in calls that fetch. Nothing of the
//! user's machine is shown to it except the certificates and name servers a fetch needs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::PythonError;
use super::failure::UvFailure;
use crate::clients::Registries;
use crate::step::fetching;
use crate::{Access, BindMount, Sandbox, Step, StepNetwork};

/// Where things are in the sandbox.
pub(super) mod place {
    /// uv itself.
    pub const UV: &str = "/plimsoll/uv";
    /// uv's cache.
    pub const CACHE: &str = "/plimsoll/cache";
    /// The project, read-only.
    pub const PROJECT: &str = "/plimsoll/project";
    /// A directory to write to.
    pub const WORK: &str = "/plimsoll/work";
}

/// The user build steps run as.
pub(crate) const BUILD_USER: (u32, u32) = (65532, 65532);

/// How long one call may take.
const LONGEST: Duration = Duration::from_secs(1800);

/// Calls uv for one build.
#[derive(Clone, Copy)]
pub(super) struct Uv<'a> {
    /// Where steps run.
    pub sandbox: &'a dyn Sandbox,
    /// Whose indexes are used.
    pub registries: &'a Registries,
    /// uv itself; `None` where only the interpreter runs.
    pub program: Option<Program<'a>>,
    /// The unpacked layers of the Python base, lowest first.
    pub root: &'a [PathBuf],
    /// Whose work it is, for step names.
    pub subject: &'a str,
}

/// uv on this machine.
#[derive(Clone, Copy)]
pub(super) struct Program<'a> {
    /// Its program.
    pub file: &'a Path,
    /// Its cache.
    pub cache: &'a Path,
}

/// One call.
pub(super) struct Call<'a> {
    /// What it does, for step names: `resolve dependencies`.
    pub what: &'a str,
    /// The program and its arguments; the first is [`place::UV`] except for scripts.
    pub command: Vec<String>,
    /// Mounts besides uv's own.
    pub mounts: Vec<BindMount>,
    /// Whether it fetches.
    pub network: StepNetwork,
    /// Where it runs.
    pub working_dir: &'a str,
    /// Further variables.
    pub environment: Vec<(String, String)>,
}

impl Uv<'_> {
    /// Makes one call and gives its standard output.
    pub(super) fn call(&self, call: Call<'_>) -> Result<String, PythonError> {
        let mut mounts = Vec::new();
        if let Some(program) = self.program {
            mounts.push(BindMount {
                source: program.file.to_path_buf(),
                target: PathBuf::from(place::UV),
                access: Access::ReadOnly,
            });
            mounts.push(BindMount {
                source: program.cache.to_path_buf(),
                target: PathBuf::from(place::CACHE),
                access: Access::ReadWrite,
            });
        }
        mounts.extend(call.mounts);
        let mut environment = base_environment();
        match call.network {
            StepNetwork::Host => {
                let settings = self.registries.settings();
                environment.extend(self.registries.python()?.environment());
                fetching::prepare(settings, &mut mounts, &mut environment);
            }
            StepNetwork::None => environment.push(("UV_OFFLINE".into(), "1".into())),
        }
        environment.extend(call.environment);
        let step = Step {
            name: format!("{}: {}", self.subject, call.what),
            root: self.root.to_vec(),
            mounts,
            command: call.command,
            environment,
            working_dir: PathBuf::from(call.working_dir),
            network: call.network,
            user: BUILD_USER,
            timeout: LONGEST,
            memory: Some(8 << 30),
            pids: Some(4096),
        };
        tracing::debug!(step = step.name, command = ?step.command, "running");
        let outcome = self.sandbox.run(&step)?;
        let mut stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        if outcome.exit_code != 0 {
            for known in self.registries.settings().known_credentials() {
                stderr = stderr.replace(known.value.expose().as_str(), "****");
            }
        }
        if outcome.out_of_memory {
            return Err(PythonError::OutOfMemory { step: step.name });
        }
        if outcome.exit_code != 0 {
            tracing::debug!(step = step.name, code = outcome.exit_code, %stderr, "failed");
            return Err(PythonError::Uv(UvFailure::read(&stderr)));
        }
        Ok(String::from_utf8_lossy(&outcome.stdout).into_owned())
    }
}

/// What every call sees. Nothing here depends on the machine.
fn base_environment() -> Vec<(String, String)> {
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", "/tmp"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("NO_COLOR", "1"),
        ("PYTHONHASHSEED", "0"),
        ("SOURCE_DATE_EPOCH", "315532801"),
        ("UV_CACHE_DIR", place::CACHE),
        ("UV_LINK_MODE", "copy"),
        ("UV_NO_INSTALLER_METADATA", "1"),
        ("UV_NO_PROGRESS", "1"),
        ("UV_PYTHON_DOWNLOADS", "never"),
    ]
    .iter()
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .collect()
}
