//! This executable, in a form that nobody can write to.
//!
//! A process that enters a container can be made to execute itself there, and what executes it can
//! be opened for writing through `/proc` once it ends (CVE-2019-5736). Helpers therefore run from
//! a read-only view, or from memory that is sealed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::OnceLock;

use rustix::fs::{CWD, MemfdFlags, SealFlags};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::container::{Confinement, ContainerSpec, Seccomp};
use crate::kernel;

/// Both forms, each made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct SealedExecutable {
    view: OnceLock<Option<OwnedFd>>,
    memory: OnceLock<OwnedFd>,
}

impl SealedExecutable {
    /// A command that runs this executable as the helper of a container, with an empty
    /// environment.
    pub(super) fn command(&self, spec: &ContainerSpec) -> io::Result<Command> {
        let executable = if may_change_mounts(spec) {
            self.memory()?
        } else {
            match self.view.get_or_init(|| read_only_view().ok()) {
                Some(view) => view,
                // The executable was replaced since it was started, or the kernel is old.
                None => self.memory()?,
            }
        };
        let mut command = Command::new(format!("/proc/self/fd/{}", executable.as_raw_fd()));
        command.env_clear();
        std::os::unix::process::CommandExt::arg0(&mut command, "plimsoll");
        Ok(command)
    }

    fn memory(&self) -> io::Result<&OwnedFd> {
        if let Some(memory) = self.memory.get() {
            return Ok(memory);
        }
        let memory = sealed_copy()?;
        Ok(self.memory.get_or_init(|| memory))
    }
}

/// Whether the container could make a read-only mount writable that it finds through `/proc`.
fn may_change_mounts(spec: &ContainerSpec) -> bool {
    spec.confinement == Confinement::Privileged
        || spec.seccomp == Seccomp::Unconfined
        || spec.capabilities.contains("CAP_SYS_ADMIN")
}

/// The executable through a mount of its own that is read-only and in no namespace. It costs
/// nothing, where a copy costs milliseconds.
fn read_only_view() -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let view = open_tree(CWD, "/proc/self/exe", flags)?;
    kernel::make_mount_read_only(view.as_fd())?;
    Ok(view)
}

fn sealed_copy() -> io::Result<OwnedFd> {
    let source = fs_err::File::open("/proc/self/exe")?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    if rustix::fs::fcntl_get_seals(source.as_fd()).is_ok_and(|present| present.contains(seals)) {
        // This process runs from such a copy itself.
        return Ok(source.into_parts().0.into());
    }
    let memory = create_memory()?;
    let mut left = source.metadata()?.len();
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX);
        let copied = rustix::fs::sendfile(&memory, source.as_fd(), None, count)?;
        if copied == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= copied as u64;
    }
    rustix::fs::fcntl_add_seals(&memory, seals)?;
    Ok(memory)
}

fn create_memory() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Newer kernels want to be told that it will be executed; older ones do not know the word.
    match rustix::fs::memfd_create("plimsoll", flags | MemfdFlags::EXEC) {
        Err(rustix::io::Errno::INVAL) => Ok(rustix::fs::memfd_create("plimsoll", flags)?),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_equal_and_refuses_writes() {
        let memory = sealed_copy().unwrap();
        let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
        let copy = fs_err::metadata(&path).unwrap().len();
        assert_eq!(copy, fs_err::metadata("/proc/self/exe").unwrap().len());
        assert_eq!(
            rustix::io::write(&memory, b"x"),
            Err(rustix::io::Errno::PERM)
        );
        let again = fs_err::OpenOptions::new().write(true).open(&path);
        if let Ok(mut file) = again {
            use std::io::Write;
            assert!(file.write_all(b"x").is_err());
        }
    }

    #[test]
    fn containers_that_could_mount_get_the_copy() {
        let mut spec = ContainerSpec::new("c", vec![], vec!["true".to_owned()], "/s".into());
        assert!(!may_change_mounts(&spec));
        spec.capabilities.insert("CAP_SYS_ADMIN".to_owned());
        assert!(may_change_mounts(&spec));
    }
}
