//! A container's terminal in the foreground: its master is relayed to the caller's own terminal.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Bytes that wait to be written in one direction before reading is paused.
const LONGEST_QUEUE: usize = 64 * 1024;

/// Listens for a terminal's master.
pub(crate) fn listen(dir: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let name = format!("console-{}.sock", std::process::id());
    let path = dir.join(&name);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, dir, flags, Mode::empty())?;
    let _ = fs_err::remove_file(&path);
    let listener = UnixListener::bind(super::descriptor_path(&directory).join(&name))?;
    Ok((listener, path))
}

/// Receives the master that the runtime has sent.
pub(crate) fn receive(listener: &UnixListener) -> io::Result<OwnedFd> {
    let (stream, _) = listener.accept()?;
    let mut bytes = [0_u8; 256];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(
        &stream,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut rights) = message
            && let Some(fd) = rights.next()
        {
            return Ok(fd);
        }
    }
    Err(io::Error::other("the runtime sent no terminal"))
}

/// Whether standard input, whose reading may block, has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Ready,
    Idle,
}

impl Input {
    /// Asks without waiting.
    pub(crate) fn now() -> Self {
        let stdin = rustix::stdio::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut fds, Some(&Timespec::default())) {
            Ok(count) if count > 0 => Self::Ready,
            _ => Self::Idle,
        }
    }
}

/// Relays between a terminal's master and this process's standard input and output.
pub(crate) struct Console {
    master: OwnedFd,
    input: Option<VecDeque<u8>>,
    output: VecDeque<u8>,
    master_open: bool,
}

impl Console {
    pub(crate) fn new(master: OwnedFd) -> Self {
        let console = Self {
            master,
            input: Some(VecDeque::new()),
            output: VecDeque::new(),
            master_open: true,
        };
        console.resize();
        console
    }

    /// Gives the container's terminal the size of the caller's.
    pub(crate) fn resize(&self) {
        if let Ok(size) = rustix::termios::tcgetwinsize(rustix::stdio::stdin()) {
            let _ = rustix::termios::tcsetwinsize(&self.master, size);
        }
    }

    /// What to poll for: the master, and standard input and output, each with its events.
    pub(crate) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let mut interests = Vec::new();
        if self.master_open {
            let mut events = PollFlags::empty();
            if self.output.len() < LONGEST_QUEUE {
                events |= PollFlags::IN;
            }
            if self.input.as_ref().is_some_and(|queue| !queue.is_empty()) {
                events |= PollFlags::OUT;
            }
            interests.push((self.master.as_fd(), events));
        }
        if self
            .input
            .as_ref()
            .is_some_and(|queue| queue.len() < LONGEST_QUEUE)
        {
            interests.push((rustix::stdio::stdin(), PollFlags::IN));
        }
        if !self.output.is_empty() {
            interests.push((rustix::stdio::stdout(), PollFlags::OUT));
        }
        interests
    }

    /// Moves bytes.
    pub(crate) fn relay(&mut self, input: Input) {
        let mut buffer = [0_u8; 8192];
        if input == Input::Ready
            && let Some(queue) = &mut self.input
        {
            match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
                Ok(0) => {
                    // End of transmission, as if typed; only after what is queued.
                    queue.push_back(4);
                    self.flush_input();
                    self.input = None;
                }
                Ok(count) => queue.extend(&buffer[..count]),
                Err(_) => {}
            }
        }
        self.flush_input();
        while self.master_open && self.output.len() < LONGEST_QUEUE {
            match rustix::io::read(&self.master, &mut buffer) {
                Ok(0) | Err(Errno::IO) => self.master_open = false,
                Ok(count) => self.output.extend(&buffer[..count]),
                Err(_) => break,
            }
        }
        self.flush_output();
    }

    fn flush_input(&mut self) {
        if let Some(queue) = &mut self.input {
            while !queue.is_empty() {
                let (first, _) = queue.as_slices();
                match rustix::io::write(&self.master, first) {
                    Ok(count) => drop(queue.drain(..count)),
                    Err(_) => break,
                }
            }
        }
    }

    /// Writes all that is queued; the caller's terminal may block, which only holds this program.
    pub(crate) fn flush_output(&mut self) {
        while !self.output.is_empty() {
            let (first, _) = self.output.as_slices();
            match rustix::io::write(rustix::stdio::stdout(), first) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => self.output.clear(),
            }
        }
    }
}
