//! The root file system of a container: an overlay of its layers in a private mount namespace.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use super::tree::Tree;
use super::{AtPath, StartFailure, StartStage};
use crate::container::{ContainerSpec, RootAccess};

/// A mounted root.
pub(crate) struct Root {
    /// Where it is mounted, in this process's mount namespace only.
    pub(crate) path: PathBuf,
    /// The same, for looking into it without leaving it.
    pub(crate) tree: Tree,
}

/// Gives this process a mount namespace of its own. What it mounts from here on nobody else sees,
/// and it vanishes with the last process in the namespace, however that ends.
pub(crate) fn leave_host_mounts() -> Result<(), StartFailure> {
    crate::kernel::unshare_mounts().at(StartStage::Root, Path::new("/"))?;
    // Slave, not private: what the host unmounts must not stay busy because of us.
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags).at(StartStage::Root, Path::new("/"))
}

/// Mounts a memory file system that only this namespace sees.
pub(crate) fn mount_private_memory(path: &Path, options: &str) -> Result<(), StartFailure> {
    make_dir(path)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = std::ffi::CString::new(options)
        .map_err(|error| StartFailure::new(StartStage::Root, error))?;
    mount("tmpfs", path, "tmpfs", flags, options.as_c_str()).at(StartStage::Root, path)
}

/// Mounts the layers of `spec` below `dir`, the container's directory.
pub(crate) fn mount_root(spec: &ContainerSpec, dir: &Path) -> Result<Root, StartFailure> {
    let path = dir.join("root");
    make_dir(&path)?;
    // Only mount points are made in a read-only root: they need no disk, and memory leaves
    // nothing behind.
    let writable = match spec.root {
        RootAccess::ReadOnly => {
            let memory = dir.join("upper");
            mount_private_memory(&memory, "mode=0700,size=16m")?;
            memory
        }
        RootAccess::Writable | RootAccess::Synchronised => spec.scratch.clone(),
    };
    let (upper, work) = (writable.join("upper"), writable.join("work"));
    make_dir(&upper)?;
    make_dir(&work)?;
    let empty = dir.join("empty");
    let mut layers: Vec<&Path> = spec.layers.iter().map(PathBuf::as_path).collect();
    if layers.is_empty() {
        make_dir(&empty)?;
        layers.push(&empty);
    }
    mount_overlay(&layers, &upper, &work, &path)?;
    let tree = Tree::open(&path).at(StartStage::Root, &path)?;
    // The runtime makes links and nodes in these without looking: a link to elsewhere in their
    // place would be followed out of the root.
    for name in ["dev", "proc", "sys"] {
        tree.make_plain_directory(name)
            .at(StartStage::Root, &path.join(name))?;
    }
    Ok(Root { path, tree })
}

/// Where layers that a container shows at `target` are mounted.
pub(crate) fn layers_dir(dir: &Path, target: &Path) -> PathBuf {
    let name: String = target
        .to_string_lossy()
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    dir.join("layers").join(name)
}

/// Mounts layers one over the other, read-only.
pub(crate) fn mount_layers(layers: &[PathBuf], target: &Path) -> Result<(), StartFailure> {
    make_dir(target)?;
    let empty = target.with_extension("empty");
    make_dir(&empty)?;
    // Without a directory to write to the kernel asks for two to read from at least.
    let mut below = vec![empty.as_path()];
    below.extend(layers.iter().map(PathBuf::as_path));
    let opened = open_directories(&below)?;
    let options = format!("lowerdir={}", lower_directories(&opened));
    let options = std::ffi::CString::new(options)
        .map_err(|error| StartFailure::new(StartStage::Mounts, error))?;
    let flags = MountFlags::NODEV | MountFlags::RDONLY;
    mount("overlay", target, "overlay", flags, options.as_c_str()).at(StartStage::Mounts, target)
}

fn open_directories(paths: &[&Path]) -> Result<Vec<OwnedFd>, StartFailure> {
    let open = |path: &&Path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, *path, flags, Mode::empty()).at(StartStage::Root, path)
    };
    paths.iter().map(open).collect()
}

/// Mount options are limited to a page and separated by `:` and `,`. Paths of descriptors are short
/// and have neither.
fn lower_directories(layers: &[OwnedFd]) -> String {
    let lower: Vec<String> = layers.iter().rev().map(place).collect();
    lower.join(":")
}

fn place(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn mount_overlay(
    layers: &[&Path],
    upper: &Path,
    work: &Path,
    target: &Path,
) -> Result<(), StartFailure> {
    let layers = open_directories(layers)?;
    let writable = open_directories(&[upper, work])?;
    let [upper, work] = writable.as_slice() else {
        return Err(StartFailure::new(
            StartStage::Root,
            "two directories were opened",
        ));
    };
    let mut options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower_directories(&layers),
        place(upper),
        place(work)
    );
    // No layer holds device nodes that should work; `/dev` is mounted on top.
    let flags = MountFlags::NODEV;
    // The upper directory is thrown away with the container: nothing in it is worth a sync.
    let volatile = std::ffi::CString::new(format!("{options},volatile"));
    let volatile = volatile.map_err(|error| StartFailure::new(StartStage::Root, error))?;
    if mount("overlay", target, "overlay", flags, volatile.as_c_str()).is_ok() {
        return Ok(());
    }
    options.push('\0');
    let plain = std::ffi::CStr::from_bytes_with_nul(options.as_bytes())
        .map_err(|error| StartFailure::new(StartStage::Root, error))?;
    mount("overlay", target, "overlay", flags, plain).at(StartStage::Root, target)
}

pub(crate) fn make_dir(path: &Path) -> Result<(), StartFailure> {
    fs_err::create_dir_all(path).map_err(|error| StartFailure::new(StartStage::Root, error))
}
