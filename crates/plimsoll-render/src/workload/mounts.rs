//! What a service mounts, alone and with others, and where it writes.

use std::path::PathBuf;

use plimsoll_diag::Spanned;
use plimsoll_model::{Mount, MountKind, Project, Service};

/// The mounts of a service, with those of the services in its `volumes_from` behind them; of two
/// with one target the first counts.
pub(super) fn mounts(project: &Project, service: &Service) -> Vec<Spanned<Mount>> {
    let mut all = service.volumes.clone();
    for from in &service.volumes_from {
        let Some(other) = project.services.get(&from.value.service) else {
            continue;
        };
        for mount in &other.volumes {
            if all.iter().all(|own| own.value.target != mount.value.target) {
                let mut mount = mount.clone();
                mount.value.read_only |= from.value.read_only;
                all.push(mount);
            }
        }
    }
    all
}

/// Whether a service mounts this volume of the project.
pub(crate) fn has_volume(project: &Project, service: &Service, volume: &str) -> bool {
    mounts(project, service).iter().any(|mount| {
        matches!(&mount.value.kind, MountKind::Volume { name: Some(name), .. } if name == volume)
    })
}

pub(super) fn shares_volumes(project: &Project, service: &Service) -> bool {
    mounts(project, service)
        .iter()
        .any(|mount| match &mount.value.kind {
            MountKind::Volume {
                name: Some(name), ..
            } => project
                .services
                .values()
                .any(|other| other.name != service.name && has_volume(project, other, name)),
            _ => false,
        })
}

pub(super) fn writable(service: &Service) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = service
        .volumes
        .iter()
        .filter(|mount| !mount.value.read_only)
        .map(|mount| mount.value.target.clone())
        .collect();
    if service.recipe.is_some() {
        paths.push("/tmp".into());
    }
    paths.sort();
    paths.dedup();
    paths
}
