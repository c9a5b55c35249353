//! The specification of one container, as the orchestrator writes it for the supervisor.
//!
//! Names are already resolved: users are numbers, layers are unpacked directories, networks are
//! namespaces. Contents of secret files are not part of the written form.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_model::Restart;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::health_command::ProbeCommand;
use super::mount::{MountKind, MountSpec, mount_target, normal_path};
use super::resources::{
    BlockIoSpec, DeviceRuleSpec, DeviceSpec, LimitSpec, NamespaceSpec, UlimitSpec,
};

/// One container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Name, unique among the containers of the same runtime directory: `[A-Za-z0-9_.-]+`.
    pub id: String,
    /// Host name inside.
    pub hostname: String,
    /// Domain of the host name.
    #[serde(default)]
    pub domainname: Option<String>,
    /// Unpacked layers, lowest first.
    pub layers: Vec<PathBuf>,
    /// A directory on a disk of the host that takes what the container writes to its root. It is
    /// made when missing and removed with the container.
    pub scratch: PathBuf,
    /// Where what it wrote to its root is moved to when it ends; `None`: it is removed.
    #[serde(default)]
    pub kept_writes: Option<PathBuf>,
    /// Whether the root can be written to.
    pub root: RootAccess,
    /// Directories of a writable root that belong to the user, where they are there.
    #[serde(default)]
    pub own_directories: Vec<PathBuf>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The whole environment, in order.
    pub environment: Vec<(String, String)>,
    /// Working directory; made when missing.
    pub working_dir: PathBuf,
    /// Who runs the program.
    pub user: UserSpec,
    /// What is mounted, in any order.
    pub mounts: Vec<MountSpec>,
    /// Lines of `/etc/hosts` beside those of the loopback.
    pub hosts: Vec<HostEntry>,
    /// Content of `/etc/resolv.conf`; `None`: the host's own with [`NetworkSpec::Host`], else
    /// no name server.
    pub resolver: Option<Resolver>,
    /// Capabilities as `CAP_CHOWN`.
    pub capabilities: BTreeSet<String>,
    /// Whether set-user-id programs and file capabilities work.
    pub privileges: Privileges,
    /// System call filter.
    pub seccomp: Seccomp,
    /// How far the container is kept from the kernel's control files.
    pub confinement: Confinement,
    /// Resource limits.
    pub limits: LimitSpec,
    /// Limits of each process.
    #[serde(default)]
    pub ulimits: Vec<UlimitSpec>,
    /// Device nodes of the host.
    #[serde(default)]
    pub devices: Vec<DeviceSpec>,
    /// Further device nodes that it may use, however it comes by them.
    #[serde(default)]
    pub device_rules: Vec<DeviceRuleSpec>,
    /// Its part of the disks.
    #[serde(default)]
    pub block_io: BlockIoSpec,
    /// Control group that its own is made in, below each hierarchy's mount point; `None`: the
    /// engine's.
    #[serde(default)]
    pub cgroup_parent: Option<String>,
    /// How much sooner the kernel ends it when memory runs out; never less than the engine itself.
    #[serde(default)]
    pub oom_score: Option<i32>,
    /// Whose processes it sees.
    #[serde(default)]
    pub pid: NamespaceSpec,
    /// With whom it shares memory and message queues.
    #[serde(default)]
    pub ipc: NamespaceSpec,
    /// Whose host name it has; with the host's it can have none of its own.
    #[serde(default)]
    pub uts: NamespaceSpec,
    /// Whose tree of control groups it sees.
    #[serde(default)]
    pub cgroup: NamespaceSpec,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Kernel parameters of the container's own namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Network.
    pub network: NetworkSpec,
    /// The container's own addresses, copied to its state and used in `/etc/hosts`.
    pub addresses: Vec<IpAddr>,
    /// Health check.
    pub health: Option<HealthSpec>,
    /// What happens when the program ends.
    pub restart: Restart,
    /// How it is asked to end.
    pub stop: StopSpec,
    /// Where its output goes.
    pub log: LogSpec,
    /// What process number 1 is.
    pub init: InitProcess,
    /// Whether it has a terminal.
    pub terminal: Terminal,
    /// What standard input is.
    pub stdin: StdinMode,
    /// Labels, not interpreted.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the runtime specification.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl ContainerSpec {
    /// A hardened container: root read-only, user 65532, no capability, no network.
    pub fn new(id: &str, layers: Vec<PathBuf>, command: Vec<String>, scratch: PathBuf) -> Self {
        let log = LogSpec::new(scratch.with_extension("log"));
        Self {
            id: id.to_owned(),
            hostname: id.to_owned(),
            domainname: None,
            layers,
            scratch,
            kept_writes: None,
            root: RootAccess::ReadOnly,
            own_directories: Vec::new(),
            command,
            environment: vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())],
            working_dir: PathBuf::from("/"),
            user: UserSpec {
                uid: 65532,
                gid: 65532,
                additional_gids: Vec::new(),
            },
            mounts: Vec::new(),
            hosts: Vec::new(),
            resolver: None,
            capabilities: BTreeSet::new(),
            privileges: Privileges::NoNew,
            seccomp: Seccomp::Default,
            confinement: Confinement::Standard,
            limits: LimitSpec::default(),
            ulimits: Vec::new(),
            devices: Vec::new(),
            device_rules: Vec::new(),
            block_io: BlockIoSpec::default(),
            cgroup_parent: None,
            oom_score: None,
            pid: NamespaceSpec::Own,
            ipc: NamespaceSpec::Own,
            uts: NamespaceSpec::Own,
            cgroup: NamespaceSpec::Own,
            shm_size: 64 << 20,
            sysctls: BTreeMap::new(),
            network: NetworkSpec::None,
            addresses: Vec::new(),
            health: None,
            restart: Restart::No,
            stop: StopSpec::default(),
            log,
            init: InitProcess::Program,
            terminal: Terminal::None,
            stdin: StdinMode::Closed,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Refuses what could not be run, or would reach outside of the container.
    ///
    /// # Errors
    /// The first field that does not hold.
    pub fn validate(&self) -> Result<(), SpecError> {
        let bad = |field: &str, reason: String| SpecError {
            field: field.to_owned(),
            reason,
        };
        let valid = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
        };
        if self.id.is_empty()
            || self.id.len() > 128
            || self.id.starts_with('.')
            || !self.id.chars().all(valid)
        {
            return Err(bad("id", format!("`{}` is not a name", self.id)));
        }
        if self.hostname.is_empty() || self.hostname.len() > 63 || !self.hostname.chars().all(valid)
        {
            return Err(bad(
                "hostname",
                format!("`{}` is not a host name", self.hostname),
            ));
        }
        if self.command.first().is_none_or(String::is_empty) {
            return Err(bad("command", "there is no program to run".to_owned()));
        }
        if self.command.iter().any(|word| word.contains('\0')) {
            return Err(bad("command", "a word holds a NUL byte".to_owned()));
        }
        for (name, value) in &self.environment {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(bad(
                    "environment",
                    format!("`{}` is not a variable", name.escape_default()),
                ));
            }
        }
        for path in self.layers.iter().chain([&self.scratch, &self.log.path]) {
            if !path.is_absolute() {
                return Err(bad("layers", format!("`{}` is relative", path.display())));
            }
        }
        for device in &self.devices {
            normal_path(&device.target).map_err(|reason| bad("devices", reason))?;
            if !device.target.starts_with("/dev") || !device.source.is_absolute() {
                return Err(bad(
                    "devices",
                    format!("`{}` is not below `/dev`", device.target.display()),
                ));
            }
        }
        if let Some(parent) = &self.cgroup_parent
            && parent
                .split('/')
                .any(|part| matches!(part, "" | "." | ".."))
        {
            return Err(bad(
                "cgroup_parent",
                format!("`{parent}` is no path of a group"),
            ));
        }
        normal_path(&self.working_dir).map_err(|reason| bad("working_dir", reason))?;
        for mount in &self.mounts {
            mount_target(&mount.target).map_err(|reason| bad("mounts", reason))?;
            if let MountKind::Bind { source, .. } | MountKind::Volume { source, .. } = &mount.kind
                && !source.is_absolute()
            {
                return Err(bad("mounts", format!("`{}` is relative", source.display())));
            }
        }
        Ok(())
    }
}

/// Search path of a container whose image names none.
pub(crate) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A specification that cannot be run.
#[derive(Debug, Clone, Error)]
#[error("container specification, `{field}`: {reason}")]
pub struct SpecError {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Whether the root file system can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RootAccess {
    /// Only mounts can be written to.
    ReadOnly,
    /// Writes go to the scratch directory.
    Writable,
    /// As read-only for the container; this side may write to it ([`crate::Synchroniser`]).
    Synchronised,
}

/// A numeric user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSpec {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub additional_gids: Vec<u32>,
}

/// One line of `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEntry {
    /// Address.
    pub address: IpAddr,
    /// Names.
    pub names: Vec<String>,
}

/// Content of `/etc/resolv.conf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolver {
    /// Name servers.
    pub nameservers: Vec<IpAddr>,
    /// Search domains.
    pub search: Vec<String>,
    /// Options as `ndots:0`.
    pub options: Vec<String>,
}

/// Whether a program can gain privileges by what it executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privileges {
    /// `no_new_privs` is set.
    NoNew,
    /// Set-user-id programs and file capabilities work.
    MayGain,
}

/// System call filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seccomp {
    /// The engine's allow-list.
    Default,
    /// None.
    Unconfined,
}

/// How far the container is kept from the kernel's control files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confinement {
    /// Parts of `/proc` are hidden or read-only, `/sys` is read-only.
    Standard,
    /// Nothing is hidden, and device nodes can be made: what Compose calls `privileged`.
    Privileged,
}

/// Network of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkSpec {
    /// A new namespace with nothing but the loopback.
    None,
    /// The host's own network.
    Host,
    /// A namespace that exists, named by a path that can be opened
    /// (`/run/netns/x`, `/proc/PID/fd/N`). The supervisor keeps it open.
    Namespace(PathBuf),
}

/// A health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// What is run.
    pub test: HealthTest,
    /// Time between checks.
    pub interval: Duration,
    /// Time a check may take.
    pub timeout: Duration,
    /// Failures in a row that mean unhealthy.
    pub retries: u32,
    /// Time after the start in which failures do not count.
    pub start_period: Duration,
    /// Time between checks in the start period.
    pub start_interval: Duration,
}

impl HealthSpec {
    /// A check with Docker's times: every 30 s, 30 s to answer, three failures.
    pub fn new(test: HealthTest) -> Self {
        Self {
            test,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            retries: 3,
            start_period: Duration::ZERO,
            start_interval: Duration::from_secs(5),
        }
    }
}

/// What a health check runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthTest {
    /// A program of the image.
    Exec(Vec<String>),
    /// A line for the image's shell.
    Shell(String),
    /// A request that the engine makes itself, from inside the container's network.
    Probe(ProbeCommand),
}

/// How a container is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSpec {
    /// Number of the signal.
    pub signal: i32,
    /// Time before SIGKILL.
    pub grace: Duration,
    /// What happens where the program cannot hear the signal.
    #[serde(default)]
    pub unheard: Unheard,
}

/// What happens to a program that a signal cannot reach: the kernel drops those that the first
/// process of a container has no handler for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unheard {
    /// It is killed at once: it would not stop in any time.
    #[default]
    Kill,
    /// It keeps the time that somebody stated for it.
    Wait,
}

impl Default for StopSpec {
    fn default() -> Self {
        Self {
            signal: libc::SIGTERM,
            grace: Duration::from_secs(10),
            unheard: Unheard::Kill,
        }
    }
}

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSpec {
    /// The newest file; older ones have `.1`, `.2` appended.
    pub path: PathBuf,
    /// Size in bytes at which a new file begins.
    pub max_size: u64,
    /// Number of files kept, the newest included.
    pub max_files: u32,
    /// Whether anything is kept.
    #[serde(default)]
    pub keeping: LogKeeping,
}

impl LogSpec {
    /// Three files of ten megabytes.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            max_size: 10_000_000,
            max_files: 3,
            keeping: LogKeeping::Files,
        }
    }
}

/// Whether output is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKeeping {
    /// In files.
    #[default]
    Files,
    /// It is thrown away.
    Nothing,
}

/// What process number 1 of a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitProcess {
    /// The program itself.
    Program,
    /// A process of the engine that starts the program, passes signals on, and reaps.
    Reaper,
}

/// Whether a container has a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terminal {
    /// Pipes.
    None,
    /// A pseudo terminal.
    Allocate,
}

/// What standard input of a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdinMode {
    /// Empty.
    Closed,
    /// Open: the caller's in the foreground, else silent.
    Open,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::mount::FileContent;
    use super::*;

    fn spec() -> ContainerSpec {
        ContainerSpec::new(
            "web",
            vec![PathBuf::from("/layers/a")],
            vec!["true".to_owned()],
            PathBuf::from("/scratch/web"),
        )
    }

    #[test]
    fn a_plain_specification_is_valid() {
        spec().validate().unwrap();
    }

    #[test]
    fn targets_that_would_undo_the_confinement_are_refused() {
        for target in [
            "/",
            "//",
            "/dev",
            "/dev/.",
            "/proc",
            "/proc/sys",
            "/sys/fs/cgroup",
            "data",
            "/a/../b",
            "/./",
        ] {
            let mut spec = spec();
            spec.mounts.push(MountSpec {
                target: PathBuf::from(target),
                kind: MountKind::Tmpfs {
                    size: None,
                    mode: 0o1777,
                    owner: (0, 0),
                },
            });
            assert!(spec.validate().is_err(), "{target}");
        }
    }

    #[test]
    fn ids_that_are_no_file_names_are_refused() {
        for id in ["", ".", "..", "a/b", "a b", ".hidden"] {
            let mut spec = spec();
            spec.id = id.to_owned();
            assert!(spec.validate().is_err(), "{id}");
        }
    }

    #[test]
    fn contents_of_secret_files_are_not_written() {
        let mut spec = spec();
        spec.mounts.push(MountSpec {
            target: PathBuf::from("/run/secrets/key"),
            kind: MountKind::File {
                content: FileContent::new(b"hunter2".to_vec()),
                mode: 0o400,
                owner: (1, 1),
            },
        });
        let text = serde_json::to_string(&spec).unwrap();
        assert!(!text.contains("content"), "{text}");
        assert!(!format!("{spec:?}").contains("hunter2"));
        let back: ContainerSpec = serde_json::from_str(&text).unwrap();
        assert_eq!(back.mounts[0].target, Path::new("/run/secrets/key"));
    }
}
