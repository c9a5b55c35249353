//! A container for `libcontainer`: its OCI bundle, its creation, its start.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use rustix::process::{Pid, PidfdFlags};
use serde_json::{Value, json};

use super::cgroup::{Controller, Hierarchies};
use super::credentials::{Credentials, ProcessSpec};
use super::device;
use super::files::GeneratedFile;
use super::root::Root;
use super::volume;
use super::{AtPath, StartFailure, StartStage};
use crate::container::{
    Confinement, ContainerSpec, MountAccess, MountKind, MountPropagation, NamespaceSpec,
    NetworkSpec, Recursive, Warning,
};

/// Hidden from containers, as other runtimes do.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
/// Shown read-only.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The limit that a kernel with the memory controller may lack all the same.
const SWAP: &str = "swap";

/// What the machine offers and what of the specification cannot be had.
pub(crate) struct Limits {
    resources: Value,
    /// Whether all controllers are in one hierarchy.
    unified: bool,
    pub(crate) warnings: Vec<Warning>,
}

impl Limits {
    pub(crate) fn new(spec: &ContainerSpec, hierarchies: &Hierarchies) -> Self {
        let mut warnings = Vec::new();
        let mut available = |controller: Controller, limit: &str| {
            let has = hierarchies.has(controller) && (limit != SWAP || hierarchies.counts_swap());
            if !has {
                warnings.push(missing(controller, limit));
            }
            has
        };
        let mut resources = json!({ "devices": device::rules(spec) });
        if let Some(memory) = spec.limits.memory
            && available(Controller::Memory, "memory")
        {
            resources["memory"] = json!({ "limit": memory });
        }
        let more = [
            (
                "reservation",
                spec.limits.memory_reservation.map(Value::from),
            ),
            (SWAP, spec.limits.memory_and_swap.map(Value::from)),
        ];
        for (name, value) in more {
            if let Some(value) = value
                && available(Controller::Memory, name)
            {
                resources["memory"][name] = value;
            }
        }
        if let Some(cpus) = spec.limits.cpus
            && available(Controller::Cpu, "processor")
        {
            let period = 100_000_u64;
            // A thousandth of a processor is the least the kernel takes.
            let quota = (cpus * period as f64).max(1_000.0) as i64;
            resources["cpu"] = json!({ "period": period, "quota": quota });
        }
        if let Some(shares) = spec.limits.cpu_shares
            && available(Controller::Cpu, "processor share")
        {
            resources["cpu"]["shares"] = shares.into();
        }
        if let Some(processors) = &spec.limits.cpuset
            && available(Controller::Cpuset, "`cpuset`")
        {
            resources["cpu"]["cpus"] = processors.as_str().into();
        }
        if let Some(pids) = spec.limits.pids
            && available(Controller::Pids, "process")
        {
            resources["pids"] = json!({ "limit": pids });
        }
        if let Some(swappiness) = spec.limits.swappiness {
            // The newer groups have no such value.
            if hierarchies.has_file(Controller::Memory, "memory.swappiness") {
                resources["memory"]["swappiness"] = swappiness.into();
            } else {
                warnings.push(missing(Controller::Memory, "`mem_swappiness`"));
            }
        }
        let realtime = [
            (
                "realtimePeriod",
                spec.limits.realtime_period.map(Value::from),
            ),
            (
                "realtimeRuntime",
                spec.limits.realtime_runtime.map(Value::from),
            ),
        ];
        if realtime.iter().any(|(_, value)| value.is_some()) {
            if hierarchies.has_file(Controller::Cpu, "cpu.rt_runtime_us") {
                for (name, value) in realtime {
                    if let Some(value) = value {
                        resources["cpu"][name] = value;
                    }
                }
            } else {
                warnings.push(missing(Controller::Cpu, "real-time"));
            }
        }
        if let Some(value) = super::block_io::resources(&spec.block_io) {
            if hierarchies.has(Controller::Blkio) {
                resources["blockIO"] = value;
            } else {
                warnings.push(missing(Controller::Blkio, "disk"));
            }
        }
        let least = own_oom_score();
        if spec.oom_score.is_some_and(|score| score < least) {
            warnings.push(Warning::OomScoreRaised { given: least });
        }
        Self {
            resources,
            unified: matches!(hierarchies, Hierarchies::Unified(_)),
            warnings,
        }
    }
}

fn missing(controller: Controller, limit: &str) -> Warning {
    Warning::ControllerMissing {
        controller: controller.name().to_owned(),
        limit: limit.to_owned(),
    }
}

/// A container that is made and can be started.
pub(crate) struct Bundle<'a> {
    pub(crate) spec: &'a ContainerSpec,
    /// The container's directory.
    pub(crate) dir: &'a Path,
    pub(crate) root: &'a Root,
    /// Path of the control group.
    pub(crate) cgroup: &'a str,
    pub(crate) credentials: &'a Credentials,
    pub(crate) limits: &'a Limits,
    /// `/etc/hosts` and its like, then secret files.
    pub(crate) files: &'a [GeneratedFile],
    /// The network's namespace, kept open; `None`: the host's.
    pub(crate) network: Option<BorrowedFd<'a>>,
}

/// A started container's first process.
pub(crate) struct Started {
    pub(crate) pid: Pid,
    /// Readable when it has ended.
    pub(crate) handle: OwnedFd,
}

/// What the first process gets as standard input, output and error.
pub(crate) enum Stdio {
    /// Three descriptors.
    Files([OwnedFd; 3]),
    /// A terminal, whose master is sent to a listener on this path.
    Console(PathBuf),
}

/// Where `libcontainer` keeps its own state.
pub(crate) fn runtime_dir(dir: &Path) -> PathBuf {
    dir.join("runtime")
}

/// Where the runtime specification is.
pub(crate) fn bundle_dir(dir: &Path) -> PathBuf {
    dir.join("bundle")
}

impl Bundle<'_> {
    /// Makes the targets of mounts, seeds volumes, and writes the runtime specification. Once in a
    /// container's life; restarts use the same.
    pub(crate) fn prepare(&self) -> Result<(), StartFailure> {
        let tree = &self.root.tree;
        tree.make_directory(&self.spec.working_dir)
            .at(StartStage::Mounts, &self.spec.working_dir)?;
        if self.spec.root == crate::container::RootAccess::Writable {
            for directory in &self.spec.own_directories {
                tree.give_directory(directory, &self.spec.user)
                    .at(StartStage::Mounts, directory)?;
            }
        }
        for mount in &self.spec.mounts {
            let target = &mount.target;
            match &mount.kind {
                MountKind::Volume { source, seed, .. } => {
                    volume::prepare(source, tree, target, *seed, &self.spec.user)
                        .at(StartStage::Mounts, target)?;
                }
                MountKind::Bind { source, .. } if !source.exists() => {
                    return Err(StartFailure::new(
                        StartStage::Mounts,
                        format!("`{}` does not exist", source.display()),
                    ));
                }
                MountKind::Layers { layers, subpath } => {
                    let place = super::root::layers_dir(self.dir, target);
                    super::root::mount_layers(layers, &place)?;
                    if let Some(subpath) = subpath
                        && !is_plain_directory(&place, subpath)
                    {
                        return Err(StartFailure::new(
                            StartStage::Mounts,
                            format!("the image has no directory `{}`", subpath.display()),
                        ));
                    }
                }
                _ => {}
            }
        }
        for file in self.files {
            if file.target.starts_with("/etc") {
                tree.make_file(&file.target)
                    .at(StartStage::Mounts, &file.target)?;
            }
        }
        let bundle = bundle_dir(self.dir);
        super::root::make_dir(&bundle)?;
        let path = bundle.join("config.json");
        let devices = device::nodes(self.spec)?;
        let text = self.config(&devices).to_string();
        fs_err::write(&path, text).map_err(|error| StartFailure::new(StartStage::Container, error))
    }

    fn config(&self, devices: &[Value]) -> Value {
        let spec = self.spec;
        let mut namespaces = vec![json!({ "type": "mount" })];
        if spec.cgroup == NamespaceSpec::Own && Path::new("/proc/self/ns/cgroup").exists() {
            namespaces.push(json!({ "type": "cgroup" }));
        }
        for (kind, namespace) in [("pid", &spec.pid), ("ipc", &spec.ipc), ("uts", &spec.uts)] {
            match namespace {
                NamespaceSpec::Own => namespaces.push(json!({ "type": kind })),
                NamespaceSpec::Joined(path) => {
                    namespaces.push(json!({ "type": kind, "path": path }));
                }
                NamespaceSpec::Host => {}
            }
        }
        if let Some(network) = self.network {
            namespaces.push(json!({
                "type": "network",
                // Not through `self`: programs that join later read this, too.
                "path": format!("/proc/{}/fd/{}", std::process::id(), network.as_raw_fd()),
            }));
        }
        let (masked, read_only): (&[&str], &[&str]) = match spec.confinement {
            Confinement::Standard => (&MASKED, &READ_ONLY),
            Confinement::Privileged => (&[], &[]),
        };
        // Set in the host's namespace, it would be the host's name.
        let named = spec.uts == NamespaceSpec::Own;
        json!({
            "ociVersion": "1.0.2",
            "hostname": named.then_some(&spec.hostname),
            "domainname": spec.domainname.as_ref().filter(|_| named),
            "annotations": spec.annotations,
            "root": {
                "path": self.root.path,
                "readonly": spec.root != crate::container::RootAccess::Writable,
            },
            "process": self.credentials.process(&first_process(spec)),
            "mounts": self.mounts(),
            "linux": {
                "namespaces": namespaces,
                "cgroupsPath": self.cgroup,
                "resources": self.limits.resources,
                "devices": devices,
                "maskedPaths": masked,
                "readonlyPaths": read_only,
                "sysctl": sysctls(spec),
            },
        })
    }

    fn mounts(&self) -> Vec<Value> {
        let spec = self.spec;
        let mount = |target: &Path, kind: &str, source: &Path, options: Vec<String>| json!({ "destination": target, "type": kind, "source": source, "options": options });
        let words = |options: &str| options.split(',').map(str::to_owned).collect::<Vec<_>>();
        let sys_access = match spec.confinement {
            Confinement::Standard => "ro",
            Confinement::Privileged => "rw",
        };
        let system = [
            ("/proc", "proc", "nosuid,noexec,nodev".to_owned()),
            (
                "/dev",
                "tmpfs",
                "nosuid,strictatime,mode=0755,size=65536k".to_owned(),
            ),
            (
                "/dev/pts",
                "devpts",
                "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5".to_owned(),
            ),
            (
                "/dev/shm",
                "tmpfs",
                format!("nosuid,noexec,nodev,mode=1777,size={}", spec.shm_size),
            ),
            ("/dev/mqueue", "mqueue", "nosuid,noexec,nodev".to_owned()),
            ("/sys", "sysfs", format!("nosuid,noexec,nodev,{sys_access}")),
        ];
        let mut mounts: Vec<Value> = system
            .iter()
            .filter(|(target, ..)| {
                !spec
                    .mounts
                    .iter()
                    .any(|mount| mount.target == Path::new(target))
            })
            .map(|(target, kind, options)| {
                mount(Path::new(target), kind, Path::new(kind), words(options))
            })
            .collect();
        if self.limits.unified {
            // Programs size themselves by the limits they see here. With separate hierarchies it
            // would take a mount for each of a dozen, at every start.
            let target = Path::new("/sys/fs/cgroup");
            let options = words("nosuid,noexec,nodev,relatime,ro");
            mounts.push(mount(target, "cgroup", Path::new("cgroup"), options));
        }
        let bind = |target: &Path,
                    source: &Path,
                    access: MountAccess,
                    how: (Recursive, MountPropagation)| {
            let mut options = words(match how.0 {
                Recursive::No => "bind",
                Recursive::Yes | Recursive::Untouched => "rbind",
            });
            options.extend(words(match how.1 {
                MountPropagation::Private => "rprivate",
                MountPropagation::Slave => "rslave",
            }));
            match (access, how.0) {
                (MountAccess::ReadOnly, Recursive::Yes) => options.extend(words("ro,rro")),
                (MountAccess::ReadOnly, _) => options.push("ro".to_owned()),
                (MountAccess::ReadWrite, _) => {}
            }
            mount(target, "bind", source, options)
        };
        let alone = (Recursive::No, MountPropagation::Private);
        let mut own: Vec<(&Path, Value)> = self
            .files
            .iter()
            .filter(|file| !self.is_replaced(&file.target))
            .map(|file| {
                let value = bind(&file.target, &file.source, MountAccess::ReadOnly, alone);
                (file.target.as_path(), value)
            })
            .collect();
        for entry in &spec.mounts {
            let target = entry.target.as_path();
            let value = match &entry.kind {
                MountKind::Bind {
                    source,
                    access,
                    recursive,
                    propagation,
                } => bind(target, source, *access, (*recursive, *propagation)),
                MountKind::Volume { source, access, .. } => bind(target, source, *access, alone),
                // Mounted beside the root already, in this namespace.
                MountKind::Layers { subpath, .. } => {
                    let mut source = super::root::layers_dir(self.dir, target);
                    source.extend(subpath);
                    bind(target, &source, MountAccess::ReadOnly, alone)
                }
                MountKind::Tmpfs { size, mode, owner } => {
                    let mut options = words("nosuid,nodev");
                    options.push(format!("mode={mode:04o}"));
                    options.push(format!("uid={}", owner.0));
                    options.push(format!("gid={}", owner.1));
                    options.extend(size.map(|size| format!("size={size}")));
                    mount(target, "tmpfs", Path::new("tmpfs"), options)
                }
                // Among the generated files already.
                MountKind::File { .. } => continue,
            };
            own.push((target, value));
        }
        // A mount below another one's target must come after it.
        own.sort_by_key(|(target, _)| target.components().count());
        mounts.extend(own.into_iter().map(|(_, value)| value));
        mounts
    }

    /// Whether the specification mounts something of its own at a generated file's place.
    fn is_replaced(&self, target: &Path) -> bool {
        self.spec
            .mounts
            .iter()
            .any(|mount| mount.target == target && !matches!(mount.kind, MountKind::File { .. }))
    }

    /// Makes the container and starts it. Returns once its program runs.
    pub(crate) fn start(&self, stdio: Stdio) -> Result<Started, StartFailure> {
        let fail = |error: &dyn std::fmt::Display| StartFailure::new(StartStage::Container, error);
        let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
            .map_err(|error| fail(&error))?;
        let process = first_process(self.spec);
        let (executor, report) =
            self.credentials
                .executor(&process, self.spec.init, std::os::fd::AsFd::as_fd(&own))?;
        let runtime = runtime_dir(self.dir);
        super::root::make_dir(&runtime)?;
        let mut builder = ContainerBuilder::new(self.spec.id.clone(), SyscallType::default())
            .with_root_path(&runtime)
            .map_err(|error| fail(&chain(&error)))?
            .with_executor(executor);
        match stdio {
            Stdio::Files([stdin, stdout, stderr]) => {
                builder = builder
                    .with_stdin(stdin)
                    .with_stdout(stdout)
                    .with_stderr(stderr);
            }
            Stdio::Console(path) => builder = builder.with_console_socket(Some(path)),
        }
        let mut container = builder
            .as_init(bundle_dir(self.dir))
            .with_systemd(false)
            .build()
            .map_err(|error| fail(&chain(&error)))?;
        let pid = container
            .pid()
            .and_then(|pid| Pid::from_raw(pid.as_raw()))
            .ok_or_else(|| fail(&"the container has no process"))?;
        let handle =
            rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(|error| fail(&error))?;
        if let Some(score) = self.spec.oom_score {
            raise_oom_score(pid, score).map_err(|error| fail(&error))?;
        }
        container.start().map_err(|error| fail(&chain(&error)))?;
        let outcome = report.outcome(self.spec.command.first().map_or("", String::as_str));
        if let Err(failure) = outcome {
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            return Err(failure);
        }
        Ok(Started { pid, handle })
    }
}

/// Whether a directory lies below another one, reached through no link: one could lead out of it.
fn is_plain_directory(base: &Path, below: &Path) -> bool {
    let mut place = base.to_owned();
    below.components().all(|part| {
        place.push(part);
        matches!(part, std::path::Component::Normal(_))
            && fs_err::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_dir())
    })
}

/// The first process of a container.
fn first_process(spec: &ContainerSpec) -> ProcessSpec<'_> {
    ProcessSpec {
        command: &spec.command,
        environment: &spec.environment,
        working_dir: &spec.working_dir,
        user: &spec.user,
        terminal: spec.terminal,
    }
}

fn sysctls(spec: &ContainerSpec) -> serde_json::Map<String, Value> {
    let mut sysctls = serde_json::Map::new();
    if spec.network != NetworkSpec::Host {
        // In a network of its own, port 80 needs no privilege, nor does a ping.
        sysctls.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), json!("0"));
        sysctls.insert(
            "net.ipv4.ping_group_range".to_owned(),
            json!("0 2147483647"),
        );
    }
    for (name, value) in &spec.sysctls {
        sysctls.insert(name.clone(), json!(value));
    }
    sysctls
}

/// How soon the kernel ends this process when memory runs out, which is the least a child has.
fn own_oom_score() -> i32 {
    fs_err::read_to_string("/proc/self/oom_score_adj")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

/// Of the container's process alone: `libcontainer` would have this one ended as soon as it.
fn raise_oom_score(pid: Pid, score: i32) -> io::Result<()> {
    let path = format!("/proc/{}/oom_score_adj", pid.as_raw_nonzero());
    fs_err::write(path, score.max(own_oom_score()).to_string())
}

/// Forgets a container that has ended, so that it can be made again.
pub(crate) fn forget(dir: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(runtime_dir(dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// An error with its causes: those of `libcontainer` say little by themselves.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
