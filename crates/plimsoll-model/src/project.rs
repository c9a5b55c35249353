//! Services, networks, volumes and secrets, as the Compose Specification means them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_diag::{Span, Spanned};
use serde::Serialize;

use crate::BuildRecipe;
use crate::facts::{Facts, Variable};
use crate::process::{
    BlockIo, Device, DeviceRule, Hook, IpcMode, Link, LoggingDriver, PidMode, PreStart, Sharing,
    Ulimit, VolumesFrom,
};
use crate::stage::StagePurpose;
use crate::watch::Watch;

/// One application: what Compose calls a project.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Project {
    /// Name, valid as a Compose project name (`[a-z0-9][a-z0-9_-]*`).
    pub name: String,
    /// Absolute path that relative paths start from.
    pub directory: PathBuf,
    /// The Compose files it was read from, in order; empty when it was inferred.
    pub files: Vec<PathBuf>,
    /// Services of the active profiles, by name.
    pub services: BTreeMap<String, Service>,
    /// Networks, by the name services use; `default` is there when a service joins it.
    pub networks: BTreeMap<String, Network>,
    /// Named volumes, by the name services use.
    pub volumes: BTreeMap<String, Volume>,
    /// Secrets, by the name services use.
    pub secrets: BTreeMap<String, FileObject>,
    /// Configs, by the name services use.
    pub configs: BTreeMap<String, FileObject>,
    /// Variables that the services' code reads; filled by detection.
    pub variables: Vec<Variable>,
}

/// One service. Field names are the Compose keys.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Service {
    /// Name, the key under `services`.
    pub name: String,
    /// The key's place.
    pub span: Option<Span>,
    /// Image reference to pull, or to tag what is built with.
    pub image: Option<Spanned<String>>,
    /// How to build the image.
    pub build: Option<Build>,
    /// How Plimsoll assembles the image; filled by detection, never read from a file.
    pub recipe: Option<BuildRecipe>,
    /// What is known of it beyond what Compose says; filled by detection.
    pub facts: Facts,
    /// Replaces the image's command.
    pub command: Option<Spanned<Command>>,
    /// Replaces the image's entrypoint.
    pub entrypoint: Option<Spanned<Command>>,
    /// Environment, `env_file` already merged in. `None`: named without a value and unset in the
    /// caller's environment, so the container does not get it.
    pub environment: BTreeMap<String, Spanned<Option<String>>>,
    /// `user[:group]`, names or numbers.
    pub user: Option<Spanned<String>>,
    /// Supplementary groups, names or numbers.
    pub group_add: Vec<String>,
    /// Working directory in the container.
    pub working_dir: Option<Spanned<String>>,
    /// Published ports, one entry a port (ranges are expanded).
    pub ports: Vec<Spanned<Port>>,
    /// Ports said to be listened on, not published.
    pub expose: Vec<Spanned<String>>,
    /// Mounts of every kind, `tmpfs` entries included.
    pub volumes: Vec<Spanned<Mount>>,
    /// Services whose mounts it has, too.
    pub volumes_from: Vec<Spanned<VolumesFrom>>,
    /// Networks joined, by the project's names.
    pub networks: BTreeMap<String, NetworkAttachment>,
    /// `network_mode`, where it is set.
    pub network_mode: Option<Spanned<NetworkMode>>,
    /// Other names under which it finds services.
    pub links: Vec<Spanned<Link>>,
    /// What must be there first, by service name.
    pub depends_on: BTreeMap<String, Spanned<Dependency>>,
    /// Health check.
    pub healthcheck: Option<Spanned<Healthcheck>>,
    /// Restart policy.
    pub restart: Spanned<Restart>,
    /// Number of containers.
    pub scale: Spanned<u32>,
    /// Resource limits (`deploy.resources.limits`, or the short keys).
    pub limits: Limits,
    /// Limits of its processes, by name without `RLIMIT_`, in small letters.
    pub ulimits: BTreeMap<String, Spanned<Ulimit>>,
    /// Device nodes of the host.
    pub devices: Vec<Spanned<Device>>,
    /// How much sooner the kernel ends it when memory runs out: -1000 to 1000.
    pub oom_score_adj: Option<Spanned<i32>>,
    /// Whose processes it sees; `None`: its own.
    pub pid: Option<Spanned<PidMode>>,
    /// With whom it shares memory; `None`: with nobody.
    pub ipc: Option<Spanned<IpcMode>>,
    /// Whose host name it has.
    pub uts: Option<Spanned<Sharing>>,
    /// Whose tree of control groups it sees.
    pub cgroup: Option<Spanned<Sharing>>,
    /// The control group that its own is made in; `None`: the engine's.
    pub cgroup_parent: Option<Spanned<String>>,
    /// Device nodes it may use besides those it is given.
    pub device_cgroup_rules: Vec<Spanned<DeviceRule>>,
    /// Its part of the disks.
    pub blkio_config: Option<Spanned<BlockIo>>,
    /// Hardware address of its first interface.
    pub mac_address: Option<Spanned<[u8; 6]>>,
    /// Containers that run to their end before it starts, one after the other.
    pub pre_start: Vec<Spanned<PreStart>>,
    /// What happens when its source changes (`develop.watch`).
    pub watch: Vec<Spanned<Watch>>,
    /// Programs run in the container once it has started, one after the other.
    pub post_start: Vec<Spanned<Hook>>,
    /// Programs run in the container before it is asked to stop, one after the other.
    pub pre_stop: Vec<Spanned<Hook>>,
    /// Annotations of the container, for runtimes.
    pub annotations: BTreeMap<String, String>,
    /// Signal that asks the process to stop; `None`: the image's, or SIGTERM.
    pub stop_signal: Option<Spanned<String>>,
    /// How long to wait after it before SIGKILL; `None`: 10 seconds.
    pub stop_grace_period: Option<Spanned<Duration>>,
    /// `read_only`, where it is set.
    pub read_only: Option<Spanned<bool>>,
    /// `privileged`.
    pub privileged: Option<Spanned<bool>>,
    /// Capabilities to add.
    pub cap_add: Vec<Spanned<String>>,
    /// Capabilities to drop.
    pub cap_drop: Vec<Spanned<String>>,
    /// `security_opt` entries as written.
    pub security_opt: Vec<Spanned<String>>,
    /// Run an init process that reaps children.
    pub init: Option<Spanned<bool>>,
    /// Allocate a terminal.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin_open: bool,
    /// Host name; `None`: made from the container's name.
    pub hostname: Option<Spanned<String>>,
    /// Extra lines of `/etc/hosts`: name and addresses (`host-gateway` is kept as written).
    pub extra_hosts: Vec<(String, String)>,
    /// Name servers that are asked for what is no name of the project.
    pub dns: Vec<IpAddr>,
    /// Domains in which short names are looked up.
    pub dns_search: Vec<String>,
    /// Options of the resolver: `ndots:2`.
    pub dns_opt: Vec<String>,
    /// NIS domain, and the domain of the host name.
    pub domainname: Option<Spanned<String>>,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Profiles that activate it; empty: always active.
    pub profiles: Vec<String>,
    /// Secrets, as files.
    pub secrets: Vec<Spanned<FileUse>>,
    /// Configs, as files.
    pub configs: Vec<Spanned<FileUse>>,
    /// Pull policy as written: `always`, `missing`, `never`, `build`.
    pub pull_policy: Option<Spanned<String>>,
    /// `platform`, where it is set.
    pub platform: Option<Spanned<String>>,
    /// `container_name`, where it is set.
    pub container_name: Option<Spanned<String>>,
    /// Where its output goes.
    pub logging_driver: LoggingDriver,
    /// Log driver options (`max-size`, `max-file`).
    pub logging_options: BTreeMap<String, String>,
    /// Values of keys whose support is not in this struct, for telling the user: key and place.
    pub unsupported: Vec<Spanned<String>>,
}

/// `build` of a service.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Build {
    /// Absolute path of the build context.
    pub context: Spanned<PathBuf>,
    /// Dockerfile relative to the context, where one is named.
    pub dockerfile: Option<Spanned<String>>,
    /// A Dockerfile's text, where it stands in the Compose file.
    pub dockerfile_inline: Option<Spanned<String>>,
    /// Build arguments.
    pub args: BTreeMap<String, Option<String>>,
    /// Contexts with a name: an absolute path, or `docker-image://reference`.
    pub additional_contexts: BTreeMap<String, String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Secrets of the build: what it calls them, and the project's name.
    pub secrets: Vec<(String, String)>,
    /// What commands of the build reach: `none`, `host`.
    pub network: Option<Spanned<String>>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// Stage to build.
    pub target: Option<Spanned<String>>,
    /// Platforms to build for, where they are named.
    pub platforms: Vec<Spanned<String>>,
}

impl Build {
    /// What the stage to build is for, where one is named and its name tells it.
    pub fn purpose(&self) -> Option<StagePurpose> {
        StagePurpose::of_name(&self.target.as_ref()?.value)
    }
}

/// `command` or `entrypoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Command(
    /// The words; a string form is split as a POSIX shell splits words, without a shell.
    pub Vec<String>,
);

/// One published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Address on the host, where one is named.
    pub host_ip: Option<IpAddr>,
    /// Port on the host; `None`: any free one.
    pub published: Option<u16>,
    /// Port in the container.
    pub target: u16,
    /// Transport.
    pub protocol: Protocol,
}

/// Transport protocol.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Absolute path in the container.
    pub target: PathBuf,
    /// Whether writing is refused.
    pub read_only: bool,
}

/// What a mount shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum MountKind {
    /// A directory or file of the host.
    Bind {
        /// Absolute path on the host.
        source: PathBuf,
        /// Whether a missing source is made as a directory (the short form does).
        create: bool,
        /// Whether what the host mounts below it later is seen.
        propagation: Propagation,
        /// Whether mounts below the source are shown, too.
        recursion: Recursion,
    },
    /// A volume; `None`: an anonymous one.
    Volume {
        /// The project's name for it.
        name: Option<String>,
        /// Whether an empty volume is left empty instead of filled from the image.
        nocopy: bool,
        /// Directory of the volume that is mounted instead of its root.
        subpath: Option<PathBuf>,
    },
    /// Memory.
    Tmpfs {
        /// Size in bytes.
        size: Option<u64>,
        /// Mode bits of the root; `None`: 1777.
        mode: Option<u32>,
        /// Owner of the root: user and group; `None`: root.
        owner: Option<(u32, u32)>,
    },
    /// The files of an image, read-only.
    Image {
        /// The image.
        reference: String,
        /// Directory of the image that is mounted instead of its root.
        subpath: Option<PathBuf>,
    },
}

/// Whether mounts that the host makes below a bind mount are seen in the container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// They are not.
    #[default]
    Private,
    /// They are.
    Slave,
}

/// Whether mounts below a bind mount's source are shown, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Recursion {
    /// They are, and are as writable as the mount.
    #[default]
    Enabled,
    /// They are not.
    Disabled,
    /// They are, and stay writable below a read-only mount.
    Writable,
}

/// A service's place in one network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NetworkAttachment {
    /// Extra names under which others find the service.
    pub aliases: Vec<String>,
    /// A fixed address.
    pub ipv4_address: Option<Ipv4Addr>,
    /// A fixed hardware address.
    pub mac_address: Option<[u8; 6]>,
    /// Name of the interface in the container; `None`: `eth0`, `eth1` and so on.
    pub interface_name: Option<String>,
}

/// `network_mode`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Loopback only.
    None,
    /// The host's own network.
    Host,
    /// A default bridge.
    Bridge,
    /// The network of another service.
    Service(String),
    /// The network of another container, by name.
    Container(String),
}

/// One entry of `depends_on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// What must hold before the dependant starts.
    pub condition: DependencyCondition,
    /// Whether a missing or disabled dependency is an error.
    pub required: bool,
    /// Whether the dependant restarts with it.
    pub restart: bool,
}

/// What must hold of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyCondition {
    /// Started.
    ServiceStarted,
    /// Its health check passes.
    ServiceHealthy,
    /// Ended with exit code 0.
    ServiceCompletedSuccessfully,
}

/// A health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// What is run; `None`: the image's own test.
    pub test: Option<HealthTest>,
    /// Time between checks.
    pub interval: Option<Duration>,
    /// Time a check may take.
    pub timeout: Option<Duration>,
    /// Failures in a row that mean unhealthy.
    pub retries: Option<u32>,
    /// Time after the start in which failures do not count.
    pub start_period: Option<Duration>,
    /// Time between checks in the start period.
    pub start_interval: Option<Duration>,
}

/// What a health check runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthTest {
    /// No check.
    Disabled,
    /// A program and its arguments.
    Exec(Vec<String>),
    /// A line for the container's shell.
    Shell(String),
}

/// Restart policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// Whenever it ends.
    Always,
    /// Whenever it ends, unless it was stopped by hand.
    UnlessStopped,
    /// When it ends with a failure.
    OnFailure {
        /// At most so often; `None`: without end.
        max_attempts: Option<u32>,
    },
}

/// Resource limits of one container.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Processors, in fractions: 0.5.
    pub cpus: Option<f64>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// Memory in bytes that is left to it when the machine runs short.
    pub memory_reservation: Option<u64>,
    /// Memory and swap in bytes together; -1: swap without limit.
    pub memory_and_swap: Option<i64>,
    /// Which processors: `0-2,4`.
    pub cpuset: Option<String>,
    /// Share of the processors when they are all busy; others have 1024.
    pub cpu_shares: Option<u64>,
    /// How readily memory goes to swap: 0 to 100.
    pub swappiness: Option<u64>,
    /// Length of the period in which its real-time processes get their time, in microseconds.
    pub realtime_period: Option<u64>,
    /// Time that they get in each period, in microseconds.
    pub realtime_runtime: Option<i64>,
}

/// A network.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Network {
    /// Full name: `project_name`, or as set.
    pub name: String,
    /// The key's place.
    pub span: Option<Span>,
    /// Whether it exists outside of the project.
    pub external: bool,
    /// Whether there is no way out of it.
    pub internal: bool,
    /// IPv4 subnet in CIDR form, where one is set.
    pub subnet: Option<Spanned<String>>,
    /// Address of the network's gateway in it, where one is set.
    pub gateway: Option<Spanned<Ipv4Addr>>,
    /// Addresses of it that no container is given unasked (`aux_addresses`).
    pub reserved: Vec<Ipv4Addr>,
}

/// A named volume.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Volume {
    /// Full name: `project_name`, or as set.
    pub name: String,
    /// The key's place.
    pub span: Option<Span>,
    /// Whether it exists outside of the project.
    pub external: bool,
    /// What its content is kept in.
    pub backing: VolumeBacking,
}

/// What the content of a volume is kept in: `driver_opts` of the driver `local`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeBacking {
    /// A directory of the engine.
    #[default]
    Directory,
    /// A directory of the host that exists (`type: none`, `o: bind`, `device: /path`).
    Bind {
        /// Absolute path on the host.
        directory: PathBuf,
        /// Whether no container may write there (`o: bind,ro`).
        read_only: bool,
    },
    /// Memory, of each container its own (`type: tmpfs`).
    Tmpfs {
        /// Size in bytes.
        size: Option<u64>,
        /// Mode bits of the root; `None`: 1777.
        mode: Option<u32>,
        /// Owner of the root: user and group; `None`: root.
        owner: Option<(u32, u32)>,
    },
}

/// A secret or config of the project.
#[derive(Debug, Clone, Serialize)]
pub struct FileObject {
    /// Full name.
    pub name: String,
    /// The key's place.
    pub span: Option<Span>,
    /// Where its bytes come from.
    pub source: FileSource,
}

/// Where the bytes of a secret or config come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSource {
    /// A file of the host, absolute.
    File(PathBuf),
    /// A variable of the caller's environment.
    Environment(String),
    /// Text in the Compose file.
    Content(String),
    /// Something that exists outside of the project.
    External,
}

/// A service's use of a secret or config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileUse {
    /// The project's name for it.
    pub source: String,
    /// Absolute path in the container.
    pub target: PathBuf,
    /// Owner's uid as written.
    pub uid: Option<String>,
    /// Group's gid as written.
    pub gid: Option<String>,
    /// Mode bits.
    pub mode: Option<u32>,
}
