//! What a service mounts, alone and with others, and where it writes.

use std::path::{Path, PathBuf};

use plimsoll_diag::Spanned;
use plimsoll_model::{Mount, MountKind, Project, RecipeKind, Service};

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

/// Directories with what is installed or made from the source. Development keeps them in volumes, so
/// that the mount of the source around them does not hide what the image has there.
const MADE: [&str; 14] = [
    ".cache",
    ".next",
    ".nuxt",
    ".pnpm-store",
    ".svelte-kit",
    ".turbo",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "node_modules",
    "target",
    "vendor",
    "venv",
];

/// Whether the image has what a mount shows: the source that it is assembled from, or what is
/// installed or made below that.
pub(super) fn is_in_image(service: &Service, mount: &Mount) -> bool {
    let Some(root) = source(service) else {
        return false;
    };
    let is_source = |mount: &Mount| matches!(&mount.kind, MountKind::Bind { source, .. } if root.starts_with(source));
    let MountKind::Volume { name, .. } = &mount.kind else {
        return is_source(mount);
    };
    let is_below = service
        .volumes
        .iter()
        .any(|other| mount.target.starts_with(&other.value.target) && is_source(&other.value));
    let last = mount.target.file_name().and_then(|last| last.to_str());
    is_below && (name.is_none() || last.is_some_and(|last| MADE.contains(&last)))
}

/// The directory that a service is assembled from.
fn source(service: &Service) -> Option<PathBuf> {
    let recipe = service.recipe.as_ref()?;
    let below = match &recipe.kind {
        RecipeKind::Dockerfile(_) => return None,
        RecipeKind::StaticSite(site) => site.root.as_path(),
        RecipeKind::NodeServer(node) => node.root.as_path(),
        RecipeKind::Python(python) => python.root.as_path(),
        _ => Path::new(""),
    };
    Some(recipe.context.join(below))
}

/// Whether a service mounts this volume of the project.
pub(crate) fn has_volume(project: &Project, service: &Service, volume: &str) -> bool {
    mounts(project, service).iter().any(|mount| {
        matches!(&mount.value.kind, MountKind::Volume { name: Some(name), .. } if name == volume)
    })
}

/// Whether another service mounts the volume that a mount names; `None` where it names none.
fn is_shared(project: &Project, service: &Service, mount: &Mount) -> Option<bool> {
    let MountKind::Volume {
        name: Some(name), ..
    } = &mount.kind
    else {
        return None;
    };
    let others = project.services.values();
    let mut others = others.filter(|other| other.name != service.name);
    Some(others.any(|other| has_volume(project, other, name)))
}

/// Whether a service mounts a volume that another one mounts, too.
pub(super) fn shares_volumes(project: &Project, service: &Service) -> bool {
    mounts(project, service)
        .iter()
        .any(|mount| is_shared(project, service, &mount.value) == Some(true))
}

/// Whether a service keeps something in a volume that no other service mounts.
pub(super) fn owns_volumes(project: &Project, service: &Service) -> bool {
    mounts(project, service)
        .iter()
        .filter(|mount| !is_in_image(service, &mount.value))
        .any(|mount| is_shared(project, service, &mount.value) == Some(false))
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
