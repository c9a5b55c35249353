//! One message over the keeper's socket: a JSON line, and perhaps one file descriptor beside it.
//!
//! Both sides block; a message ends with a line feed and is limited in size.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Larger than any status of a project of thousands of containers.
const MESSAGE_LIMIT: usize = 16 * 1024 * 1024;

/// A connection that speaks in messages.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: UnixStream,
    received: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Wire {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            received: Vec::new(),
            descriptors: VecDeque::new(),
        }
    }

    /// Sends one message, with a descriptor beside its first byte.
    pub(crate) fn send<T: Serialize>(
        &mut self,
        message: &T,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(message)?;
        bytes.push(b'\n');
        let mut rest = bytes.as_slice();
        let mut descriptor = descriptor;
        while !rest.is_empty() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let beside = descriptor.take();
            let beside = beside.as_slice();
            if !beside.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(beside));
            }
            let sent = retry(|| {
                rustix::net::sendmsg(
                    self.stream.as_fd(),
                    &[IoSlice::new(rest)],
                    &mut control,
                    SendFlags::NOSIGNAL,
                )
            })?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Receives one message; `None` when the other side is gone.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.received.len() > MESSAGE_LIMIT {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "message is too long",
                ));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The descriptor beside the message just received, if that is one that has one. They come in
    /// the order of their messages, but may come while an earlier message is read, so only the
    /// message says whose it is.
    pub(crate) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0_u8; 8192];
        let received = retry(|| {
            rustix::net::recvmsg(
                self.stream.as_fd(),
                &mut [IoSliceMut::new(&mut bytes)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        })?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        self.received.extend_from_slice(&bytes[..received.bytes]);
        Ok(received.bytes)
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_descriptors_arrive_in_order() {
        let (left, right) = UnixStream::pair().unwrap();
        let (mut left, mut right) = (Wire::new(left), Wire::new(right));
        let long = "x".repeat(100_000);
        let file = tempfile::tempfile().unwrap();
        let writer = std::thread::spawn(move || {
            left.send(&1_u32, None).unwrap();
            left.send(&long, Some(file.as_fd())).unwrap();
        });
        assert_eq!(right.receive::<u32>().unwrap(), Some(1));
        assert_eq!(right.receive::<String>().unwrap().unwrap().len(), 100_000);
        assert!(right.take_descriptor().is_some());
        assert!(right.take_descriptor().is_none());
        writer.join().unwrap();
        assert!(right.receive::<u32>().unwrap().is_none());
    }
}
