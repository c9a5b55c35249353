//! Where a container's input comes from and its output goes.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode as FileMode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use super::Mode;
use super::console::{self, Console};
use crate::container::log_writer::LogWriter;
use crate::container::{ContainerSpec, LogStream, StdinMode, Terminal};

/// The supervisor's ends.
pub(super) struct Streams {
    outputs: Vec<Output>,
    /// Keeps a silent standard input open.
    _input: Option<OwnedFd>,
    listener: Option<(UnixListener, PathBuf)>,
    pub(super) console: Option<Console>,
    mode: Mode,
}

/// One output that goes to the log.
pub(super) struct Output {
    pub(super) stream: LogStream,
    fd: std::fs::File,
}

impl Output {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Streams {
    /// Makes both ends; the second part is the container's, `None` when it gets a terminal.
    pub(super) fn new(
        spec: &ContainerSpec,
        dir: &Path,
        mode: Mode,
    ) -> io::Result<(Self, Option<[OwnedFd; 3]>)> {
        let mut streams = Self {
            outputs: Vec::new(),
            _input: None,
            listener: None,
            console: None,
            mode,
        };
        if spec.terminal == Terminal::Allocate {
            streams.listener = Some(console::listen(dir)?);
            return Ok((streams, None));
        }
        let stdin = match (spec.stdin, mode) {
            (StdinMode::Closed, _) => open_null()?,
            (StdinMode::Open, Mode::Foreground) => duplicate(rustix::stdio::stdin())?,
            (StdinMode::Open, Mode::Detached) => {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
                streams._input = Some(write);
                read
            }
        };
        let files = match mode {
            Mode::Foreground => [
                stdin,
                duplicate(rustix::stdio::stdout())?,
                duplicate(rustix::stdio::stderr())?,
            ],
            Mode::Detached => [
                stdin,
                streams.output(LogStream::Stdout)?,
                streams.output(LogStream::Stderr)?,
            ],
        };
        Ok((streams, Some(files)))
    }

    fn output(&mut self, stream: LogStream) -> io::Result<OwnedFd> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        set_nonblocking(read.as_fd())?;
        let fd = std::fs::File::from(read);
        self.outputs.push(Output { stream, fd });
        Ok(write)
    }

    /// Where the runtime is to send the terminal's master.
    pub(super) fn console_path(&self) -> PathBuf {
        self.listener
            .as_ref()
            .map_or_else(PathBuf::new, |(_, path)| path.clone())
    }

    /// Takes the terminal's master, if the container has one.
    pub(super) fn accept_console(&mut self) -> io::Result<()> {
        let Some((listener, path)) = self.listener.take() else {
            return Ok(());
        };
        let master = console::receive(&listener)?;
        let _ = fs_err::remove_file(path);
        set_nonblocking(master.as_fd())?;
        match self.mode {
            Mode::Foreground => self.console = Some(Console::new(master)),
            Mode::Detached => self.outputs.push(Output {
                stream: LogStream::Stdout,
                fd: std::fs::File::from(master),
            }),
        }
        Ok(())
    }

    pub(super) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Moves what is there to the log. Outputs that ended are gone afterwards.
    pub(super) fn pump(&mut self, log: Option<&mut LogWriter>) {
        let mut buffer = vec![0_u8; 64 * 1024];
        let Some(log) = log else {
            // Thrown away, but read: a full pipe would stop the program. Once only, for a program
            // that writes without end must not keep this loop from anything else.
            self.outputs
                .retain_mut(|output| match output.fd.read(&mut buffer) {
                    Ok(count) => count > 0,
                    Err(error) => matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ),
                });
            return;
        };
        self.outputs.retain_mut(|output| {
            loop {
                match output.fd.read(&mut buffer) {
                    // A terminal whose last user is gone says EIO instead of an end.
                    Ok(0) => return false,
                    Ok(count) => {
                        if let Err(error) = log.write(output.stream, &buffer[..count]) {
                            // A full disk must not stop the container: the text is lost.
                            tracing::error!("{error}");
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return false,
                }
            }
        });
    }
}

pub(super) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?;
    Ok(())
}

fn open_null() -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(
        CWD,
        "/dev/null",
        flags,
        FileMode::empty(),
    )?)
}

fn duplicate(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)
}
