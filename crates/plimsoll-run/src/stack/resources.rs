//! What a service is given of the machine: limits, devices, other namespaces.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use plimsoll_diag::{Diagnostic, Span, Spanned};
use plimsoll_model::{BlockIo, Device, IpcMode, PidMode, Project, Service, Sharing};

use super::StackPaths;
use super::hardening::DEFAULT_PIDS;
use super::up::container_name;
use crate::container::{
    BlockIoSpec, BlockOperation, BlockRateSpec, ContainerSpec, DeviceRuleSpec, DeviceSpec,
    InitProcess, LimitSpec, MountAccess, MountKind, MountPropagation, MountSpec, NamespaceSpec,
    Recursive, UlimitSpec,
};
use crate::engine::ContainerHandle;

/// Puts a service's limits, devices and namespaces into its container's specification. The
/// namespace of another service is joined later, once that one runs.
///
/// # Errors
/// What the machine does not have or the kernel would not take, with its place.
pub(super) fn apply(
    spec: &mut ContainerSpec,
    service: &Service,
    machine_memory: u64,
) -> Result<(), Diagnostic> {
    spec.limits = limits(service, machine_memory)?;
    spec.ulimits = service
        .ulimits
        .iter()
        .map(|(name, limit)| UlimitSpec {
            name: name.clone(),
            soft: limit.soft,
            hard: limit.hard,
        })
        .collect();
    spec.devices = service
        .devices
        .iter()
        .map(device)
        .collect::<Result<_, _>>()?;
    spec.oom_score = service.oom_score_adj.as_ref().map(|score| score.value);
    if let Some(mode) = &service.pid {
        spec.pid = match mode.value {
            PidMode::Host => NamespaceSpec::Host,
            PidMode::Service(_) => NamespaceSpec::Own,
        };
        // Reaping is the matter of process 1, which it is not.
        spec.init = InitProcess::Program;
    }
    let is_host = |sharing: &Option<Spanned<Sharing>>| matches!(sharing, Some(sharing) if sharing.value == Sharing::Host);
    if is_host(&service.uts) {
        if let Some(hostname) = &service.hostname {
            return Err(
                Diagnostic::error("with `uts: host` there is no `hostname` of its own")
                    .at(hostname.span.clone()),
            );
        }
        spec.uts = NamespaceSpec::Host;
    }
    if is_host(&service.cgroup) {
        spec.cgroup = NamespaceSpec::Host;
    }
    spec.cgroup_parent = service
        .cgroup_parent
        .as_ref()
        .map(|parent| parent.value.clone());
    spec.device_rules = service
        .device_cgroup_rules
        .iter()
        .map(|rule| DeviceRuleSpec {
            kind: rule.kind,
            major: rule.major,
            minor: rule.minor,
            permissions: rule.permissions.clone(),
        })
        .collect();
    if let Some(asked) = &service.blkio_config {
        spec.block_io = block_io(asked)?;
    }
    if service.ipc.as_ref().map(|mode| &mode.value) == Some(&IpcMode::Host) {
        spec.ipc = NamespaceSpec::Host;
        let taken = |mount: &MountSpec| mount.target.as_path() == "/dev/shm";
        if !spec.mounts.iter().any(taken) {
            spec.mounts.push(MountSpec {
                target: "/dev/shm".into(),
                kind: MountKind::Bind {
                    source: "/dev/shm".into(),
                    access: MountAccess::ReadWrite,
                    recursive: Recursive::No,
                    propagation: MountPropagation::Private,
                },
            });
        }
    }
    Ok(())
}

/// Puts a container into the namespaces of the services that its own names, which have to run.
///
/// # Errors
/// When that service does not run, with the place that names it.
pub(super) fn join_namespaces(
    spec: &mut ContainerSpec,
    project: &Project,
    paths: &StackPaths,
    service: &Service,
) -> Result<(), Diagnostic> {
    let process_of = |other: &str, what: &str, span: &Option<Span>| {
        let handle = ContainerHandle::new(&paths.container(&container_name(project, other, 1)));
        let pid = handle.state().ok().and_then(|state| state.pid);
        pid.ok_or_else(|| {
            Diagnostic::error(format!(
                "`{}` is to {what} of `{other}`, which does not run",
                service.name
            ))
            .at(span.clone())
        })
    };
    if let Some(mode) = &service.pid
        && let PidMode::Service(other) = &mode.value
    {
        let pid = process_of(other, "see the processes", &mode.span)?;
        spec.pid = NamespaceSpec::Joined(format!("/proc/{pid}/ns/pid").into());
    }
    if let Some(mode) = &service.ipc
        && let IpcMode::Service(other) = &mode.value
    {
        let pid = process_of(other, "share the memory", &mode.span)?;
        spec.ipc = NamespaceSpec::Joined(format!("/proc/{pid}/ns/ipc").into());
    }
    Ok(())
}

fn block_io(asked: &Spanned<BlockIo>) -> Result<BlockIoSpec, Diagnostic> {
    let mut spec = BlockIoSpec {
        weight: asked.weight,
        rates: Vec::new(),
    };
    for (operation, rates) in [
        (BlockOperation::ReadBytes, &asked.read_bytes),
        (BlockOperation::WriteBytes, &asked.write_bytes),
        (BlockOperation::Reads, &asked.reads),
        (BlockOperation::Writes, &asked.writes),
    ] {
        for rate in rates {
            let metadata = fs_err::metadata(&rate.device)
                .ok()
                .filter(|metadata| metadata.file_type().is_block_device());
            let number = metadata.map(|metadata| metadata.rdev()).ok_or_else(|| {
                Diagnostic::error(format!("`{}` is no disk", rate.device.display()))
                    .at(asked.span.clone())
                    .hint("name a block device, as `lsblk -p` lists them")
            })?;
            spec.rates.push(BlockRateSpec {
                operation,
                device: (rustix::fs::major(number), rustix::fs::minor(number)),
                rate: rate.rate,
            });
        }
    }
    Ok(spec)
}

fn limits(service: &Service, machine_memory: u64) -> Result<LimitSpec, Diagnostic> {
    let asked = &service.limits;
    let problem = |message: String| {
        Diagnostic::error(format!("`{}`: {message}", service.name)).at(service.span.clone())
    };
    if let Some(swap) = asked.memory_and_swap {
        let Some(memory) = asked.memory else {
            return Err(problem("`memswap_limit` needs `mem_limit`".to_owned()));
        };
        if swap != -1 && u64::try_from(swap).map_or(true, |swap| swap < memory) {
            return Err(problem(
                "`memswap_limit` counts memory, too, and cannot be below `mem_limit`".to_owned(),
            ));
        }
    }
    if let Some(processors) = &asked.cpuset
        && !is_processor_list(processors)
    {
        return Err(problem(format!("`{processors}` is no list of processors"))
            .hint("as in `cpuset: 0-2,4`"));
    }
    Ok(LimitSpec {
        // One service that leaks must not take the machine down.
        memory: asked.memory.or(Some(machine_memory / 4 * 3)),
        memory_reservation: asked.memory_reservation,
        memory_and_swap: asked.memory_and_swap,
        cpus: asked.cpus,
        cpu_shares: asked.cpu_shares,
        cpuset: asked.cpuset.clone(),
        pids: asked.pids.or(Some(DEFAULT_PIDS)),
        swappiness: match asked.swappiness {
            Some(given) if given > 100 => {
                return Err(problem(format!("`mem_swappiness` cannot be {given}"))
                    .hint("write a number from 0 to 100"));
            }
            swappiness => swappiness,
        },
        realtime_period: asked.realtime_period,
        realtime_runtime: asked.realtime_runtime,
    })
}

/// `0-2,4`, as `cpuset.cpus` takes it.
fn is_processor_list(text: &str) -> bool {
    text.split(',').all(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) => first <= last,
            _ => false,
        }
    })
}

fn device(device: &Spanned<Device>) -> Result<DeviceSpec, Diagnostic> {
    let problem = |reason: &str| {
        Diagnostic::error(format!("device `{}` {reason}", device.source.display()))
            .at(device.span.clone())
    };
    let kind = fs_err::metadata(&device.source)
        .map_err(|_| problem("is not there"))?
        .file_type();
    if !kind.is_char_device() && !kind.is_block_device() {
        return Err(problem("is no device").hint("name a device node, not a directory of them"));
    }
    Ok(DeviceSpec {
        source: device.source.clone(),
        target: device.target.clone(),
        permissions: device.permissions.clone(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Limits, Ulimit};

    use super::*;

    fn applied(service: &Service) -> Result<ContainerSpec, Diagnostic> {
        let mut spec = ContainerSpec::new("c", vec![], vec!["x".to_owned()], "/s".into());
        apply(&mut spec, service, 4 << 30)?;
        Ok(spec)
    }

    fn with_limits(limits: Limits) -> Service {
        Service {
            name: "web".to_owned(),
            limits,
            ..Service::default()
        }
    }

    #[test]
    fn a_service_that_says_nothing_cannot_take_the_machine() {
        let spec = applied(&Service::default()).unwrap();
        assert_eq!(spec.limits.memory, Some(3 << 30));
        assert_eq!(spec.limits.pids, Some(DEFAULT_PIDS));
        assert_eq!(spec.pid, NamespaceSpec::Own);
    }

    #[test]
    fn limits_that_the_kernel_would_refuse_are_told() {
        for (limits, message) in [
            (
                Limits {
                    memory_and_swap: Some(1),
                    ..Limits::default()
                },
                "`web`: `memswap_limit` needs `mem_limit`",
            ),
            (
                Limits {
                    memory: Some(2),
                    memory_and_swap: Some(1),
                    ..Limits::default()
                },
                "`web`: `memswap_limit` counts memory, too, and cannot be below `mem_limit`",
            ),
            (
                Limits {
                    cpuset: Some("2-1".to_owned()),
                    ..Limits::default()
                },
                "`web`: `2-1` is no list of processors",
            ),
        ] {
            let problem = applied(&with_limits(limits)).unwrap_err();
            assert_eq!(problem.message, message);
        }
        for list in ["0", "0-2,4"] {
            assert!(is_processor_list(list));
        }
    }

    #[test]
    fn devices_and_namespaces_of_the_host() {
        let device = |source: &str| {
            Spanned::unplaced(Device {
                source: source.into(),
                target: "/dev/x".into(),
                permissions: "rw".to_owned(),
            })
        };
        let mut service = Service {
            devices: vec![device("/dev/null")],
            pid: Some(Spanned::unplaced(PidMode::Host)),
            ipc: Some(Spanned::unplaced(IpcMode::Host)),
            oom_score_adj: Some(Spanned::unplaced(300)),
            ..Service::default()
        };
        let unlimited = Ulimit {
            soft: None,
            hard: None,
        };
        service
            .ulimits
            .insert("core".to_owned(), Spanned::unplaced(unlimited));
        let spec = applied(&service).unwrap();
        assert_eq!(spec.devices[0].permissions, "rw");
        assert_eq!(
            (&spec.pid, &spec.ipc),
            (&NamespaceSpec::Host, &NamespaceSpec::Host)
        );
        assert_eq!(spec.mounts[0].target.as_path(), "/dev/shm");
        assert_eq!(spec.ulimits[0].name, "core");
        assert_eq!(spec.oom_score, Some(300));
        service.devices = vec![device("/dev/plimsoll-nothing")];
        let problem = applied(&service).unwrap_err();
        assert_eq!(
            problem.message,
            "device `/dev/plimsoll-nothing` is not there"
        );
    }
}
