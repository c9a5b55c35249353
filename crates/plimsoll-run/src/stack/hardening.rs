//! What a container may do when its Compose file does not say.
//!
//! Images that we assemble are known to need nothing; images from elsewhere were written for
//! Docker, where root in the container has more. A Compose file that says otherwise is obeyed.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::Service;

use super::ImageOrigin;
use crate::container::{Confinement, Privileges, RootAccess, Seccomp};

/// Processes and threads a container may have when nothing is said.
pub(super) const DEFAULT_PIDS: u32 = 2048;

/// What entrypoints of images from elsewhere use to prepare a directory and give root up.
const ROOT_ENTRYPOINT_CAPABILITIES: [&str; 7] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETGID",
    "CAP_SETUID",
];

/// Every capability of Linux, for `ALL` and `privileged`.
const ALL_CAPABILITIES: [&str; 41] = [
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_WAKE_ALARM",
];

/// What one container may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permissions {
    pub(super) root: RootAccess,
    pub(super) capabilities: BTreeSet<String>,
    pub(super) privileges: Privileges,
    pub(super) seccomp: Seccomp,
    pub(super) confinement: Confinement,
}

/// What `service` may do on an image of this origin, whose user is root or not.
///
/// # Errors
/// Capabilities and options that do not exist.
pub(super) fn permissions(
    service: &Service,
    origin: ImageOrigin,
    uid: u32,
) -> Result<Permissions, Diagnostic> {
    let ours = origin != ImageOrigin::Pulled;
    if service
        .privileged
        .as_ref()
        .is_some_and(|privileged| privileged.value)
    {
        return Ok(Permissions {
            root: root_access(service, RootAccess::Writable),
            capabilities: ALL_CAPABILITIES.map(str::to_owned).into(),
            privileges: Privileges::MayGain,
            seccomp: Seccomp::Unconfined,
            confinement: Confinement::Privileged,
        });
    }
    let mut capabilities: BTreeSet<String> = if ours || uid != 0 {
        BTreeSet::new()
    } else {
        ROOT_ENTRYPOINT_CAPABILITIES.map(str::to_owned).into()
    };
    for dropped in named_capabilities(&service.cap_drop)? {
        capabilities.remove(&dropped);
    }
    capabilities.extend(named_capabilities(&service.cap_add)?);
    let mut permissions = Permissions {
        root: root_access(
            service,
            if ours && !writes_beside_itself(service) {
                RootAccess::ReadOnly
            } else {
                RootAccess::Writable
            },
        ),
        capabilities,
        privileges: Privileges::NoNew,
        seccomp: Seccomp::Default,
        confinement: Confinement::Standard,
    };
    for option in &service.security_opt {
        apply_option(&mut permissions, option)?;
    }
    Ok(permissions)
}

/// Whether the code writes to files beside its own, in no volume: whoever wrote it counts on that.
fn writes_beside_itself(service: &Service) -> bool {
    let is_mounted = |path: &Path| {
        service.volumes.iter().any(|mount| {
            let mut above = path.ancestors().filter(|part| !part.as_os_str().is_empty());
            above.any(|part| mount.value.target.ends_with(part))
        })
    };
    let mut writes = service.facts.writes.iter().map(Path::new);
    writes.any(|path| path.is_relative() && !is_mounted(path))
}

/// What a service of ours has to own where its root can be written to, if it is a directory: where
/// it works, and what its code names below that.
pub(super) fn written_directories(service: &Service, working_dir: &Path) -> Vec<PathBuf> {
    if working_dir == Path::new("/") {
        return Vec::new();
    }
    let mut directories = vec![working_dir.to_owned()];
    for path in service.facts.writes.iter().map(Path::new) {
        let is_inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !is_inside {
            continue;
        }
        // Which of them is a directory shows in the image.
        directories.extend(path.parent().map(|parent| working_dir.join(parent)));
        directories.push(working_dir.join(path));
    }
    directories.sort();
    directories.dedup();
    directories
}

fn root_access(service: &Service, default: RootAccess) -> RootAccess {
    match service.read_only.as_ref().map(|read_only| read_only.value) {
        Some(true) => RootAccess::ReadOnly,
        Some(false) => RootAccess::Writable,
        None => default,
    }
}

fn named_capabilities(names: &[Spanned<String>]) -> Result<Vec<String>, Diagnostic> {
    let mut capabilities = Vec::new();
    for name in names {
        let upper = name.to_ascii_uppercase();
        let full = if upper.starts_with("CAP_") {
            upper.clone()
        } else {
            format!("CAP_{upper}")
        };
        if upper == "ALL" || full == "CAP_ALL" {
            capabilities.extend(ALL_CAPABILITIES.map(str::to_owned));
        } else if ALL_CAPABILITIES.contains(&full.as_str()) {
            capabilities.push(full);
        } else {
            return Err(
                Diagnostic::error(format!("`{}` is no capability", name.value))
                    .at(name.span.clone()),
            );
        }
    }
    Ok(capabilities)
}

fn apply_option(permissions: &mut Permissions, option: &Spanned<String>) -> Result<(), Diagnostic> {
    // `name:value` is the older form of `name=value`.
    let (name, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
    match (name, value) {
        ("no-new-privileges", "" | "true") => permissions.privileges = Privileges::NoNew,
        ("no-new-privileges", "false") => permissions.privileges = Privileges::MayGain,
        ("seccomp", "unconfined") => permissions.seccomp = Seccomp::Unconfined,
        // Neither confines anything here; asking for no confinement is granted.
        ("apparmor" | "label", "unconfined" | "disable") => {}
        _ => {
            return Err(
                Diagnostic::error(format!("`{}` is not supported", option.value))
                    .at(option.span.clone())
                    .hint("no-new-privileges, seccomp=unconfined and apparmor=unconfined are"),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_images_get_nothing() {
        let granted = permissions(&Service::default(), ImageOrigin::Assembled, 65532).unwrap();
        assert_eq!(granted.root, RootAccess::ReadOnly);
        assert_eq!(granted.capabilities, BTreeSet::new());
        assert_eq!(granted.privileges, Privileges::NoNew);
        assert_eq!(granted.seccomp, Seccomp::Default);
    }

    #[test]
    fn root_of_an_image_from_elsewhere_can_give_itself_up() {
        let granted = permissions(&Service::default(), ImageOrigin::Pulled, 0).unwrap();
        assert_eq!(granted.root, RootAccess::Writable);
        assert!(granted.capabilities.contains("CAP_SETUID"));
        assert!(!granted.capabilities.contains("CAP_SYS_ADMIN"));
    }

    #[test]
    fn code_that_writes_beside_itself_can() {
        let mut service = Service::default();
        service.facts.writes = vec!["jobs.db".to_owned(), "data/uploads".to_owned()];
        let granted = permissions(&service, ImageOrigin::Assembled, 65532).unwrap();
        assert_eq!(granted.root, RootAccess::Writable);
        let owned = written_directories(&service, Path::new("/app"));
        let expected =
            ["/app", "/app/data", "/app/data/uploads", "/app/jobs.db"].map(PathBuf::from);
        assert_eq!(owned, expected);

        service.read_only = Some(Spanned::unplaced(true));
        let granted = permissions(&service, ImageOrigin::Assembled, 65532).unwrap();
        assert_eq!(granted.root, RootAccess::ReadOnly);

        // A volume is where they go.
        service.read_only = None;
        service.facts.writes = vec!["data/uploads".to_owned(), "/srv/cache".to_owned()];
        service.volumes = vec![Spanned::unplaced(plimsoll_model::Mount {
            kind: plimsoll_model::MountKind::Tmpfs {
                size: None,
                mode: None,
                owner: None,
            },
            target: PathBuf::from("/app/data"),
            read_only: false,
        })];
        let granted = permissions(&service, ImageOrigin::Assembled, 65532).unwrap();
        assert_eq!(granted.root, RootAccess::ReadOnly);
        let nowhere = written_directories(&service, Path::new("/"));
        assert_eq!(nowhere, Vec::<PathBuf>::new());
    }

    #[test]
    fn what_the_file_says_is_obeyed() {
        let service = Service {
            cap_drop: vec![Spanned::unplaced("ALL".to_owned())],
            cap_add: vec![Spanned::unplaced("net_raw".to_owned())],
            read_only: Some(Spanned::unplaced(false)),
            security_opt: vec![Spanned::unplaced("seccomp:unconfined".to_owned())],
            ..Service::default()
        };
        let granted = permissions(&service, ImageOrigin::Pulled, 0).unwrap();
        assert_eq!(
            granted.capabilities,
            BTreeSet::from(["CAP_NET_RAW".to_owned()])
        );
        assert_eq!(granted.root, RootAccess::Writable);
        assert_eq!(granted.seccomp, Seccomp::Unconfined);
    }

    #[test]
    fn a_capability_that_does_not_exist_is_told() {
        let service = Service {
            cap_add: vec![Spanned::unplaced("NET_RAWW".to_owned())],
            ..Service::default()
        };
        let problem = permissions(&service, ImageOrigin::Assembled, 1).unwrap_err();
        assert_eq!(problem.message, "`NET_RAWW` is no capability");
    }
}
