//! A copy of this executable that nobody can write to.
//!
//! A process that enters a container can be made to execute itself there, and what executes it can
//! be opened for writing through `/proc` once it ends (CVE-2019-5736). Helpers therefore run from
//! memory that is sealed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Command;

use rustix::fs::{MemfdFlags, SealFlags};

/// The sealed copy.
#[derive(Debug)]
pub(super) struct SealedExecutable {
    memory: OwnedFd,
}

impl SealedExecutable {
    pub(super) fn new() -> io::Result<Self> {
        let source = fs_err::File::open("/proc/self/exe")?;
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        if rustix::fs::fcntl_get_seals(source.as_fd()).is_ok_and(|present| present.contains(seals))
        {
            // This process runs from such a copy itself.
            let memory = source.into_parts().0.into();
            return Ok(Self { memory });
        }
        let size = source.metadata()?.len();
        let memory = create_memory()?;
        let mut left = size;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(usize::MAX);
            let copied = rustix::fs::sendfile(&memory, source.as_fd(), None, count)?;
            if copied == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= copied as u64;
        }
        rustix::fs::fcntl_add_seals(&memory, seals)?;
        Ok(Self { memory })
    }

    /// A command that runs the copy with an empty environment.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(format!("/proc/self/fd/{}", self.memory.as_raw_fd()));
        command.env_clear();
        std::os::unix::process::CommandExt::arg0(&mut command, "plimsoll");
        command
    }
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
        let sealed = SealedExecutable::new().unwrap();
        let path = format!("/proc/self/fd/{}", sealed.memory.as_raw_fd());
        let copy = fs_err::metadata(&path).unwrap().len();
        assert_eq!(copy, fs_err::metadata("/proc/self/exe").unwrap().len());
        assert_eq!(
            rustix::io::write(&sealed.memory, b"x"),
            Err(rustix::io::Errno::PERM)
        );
        let again = fs_err::OpenOptions::new().write(true).open(&path);
        if let Ok(mut file) = again {
            use std::io::Write;
            assert!(file.write_all(b"x").is_err());
        }
    }
}
