//! The control socket of a supervisor: requests in, states out.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use crate::container::protocol::{LONGEST_REQUEST, Reply, Request, line};
use crate::container::{ContainerState, SOCKET_FILE};

/// The listening socket and those who are connected.
pub(super) struct Control {
    listener: UnixListener,
    clients: Vec<Client>,
}

pub(super) struct Client {
    stream: UnixStream,
    buffer: Vec<u8>,
    watching: bool,
}

impl Client {
    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends a line; a client that does not read is dropped rather than waited for.
    fn send(&mut self, reply: &Reply) -> bool {
        self.stream.write_all(&line(reply)).is_ok()
    }
}

impl Control {
    pub(super) fn bind(dir: &Path) -> io::Result<Self> {
        // Socket addresses are limited to 108 bytes; a descriptor's path is short.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, dir, flags, Mode::empty())?;
        let path = super::descriptor_path(&directory).join(SOCKET_FILE);
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        rustix::fs::chmod(&path, Mode::from_raw_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            clients: Vec::new(),
        })
    }

    pub(super) fn listener(&self) -> &UnixListener {
        &self.listener
    }

    pub(super) fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// Takes those who wait to be connected.
    pub(super) fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if may_control(&stream) && stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client {
                    stream,
                    buffer: Vec::new(),
                    watching: false,
                });
            }
        }
    }

    /// Reads from all clients; gives the requests that are whole, with the client's number. Those
    /// who hung up or talk nonsense are gone afterwards.
    pub(super) fn read(&mut self) -> Vec<(usize, Request)> {
        self.clients.retain_mut(|client| {
            let mut buffer = [0_u8; 1024];
            loop {
                match client.stream.read(&mut buffer) {
                    Ok(0) => return false,
                    Ok(count) if client.buffer.len() + count <= LONGEST_REQUEST => {
                        client.buffer.extend_from_slice(&buffer[..count]);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(_) | Err(_) => return false,
                }
            }
        });
        let mut requests = Vec::new();
        for (number, client) in self.clients.iter_mut().enumerate() {
            while let Some(end) = client.buffer.iter().position(|byte| *byte == b'\n') {
                let text: Vec<u8> = client.buffer.drain(..=end).collect();
                match serde_json::from_slice(&text) {
                    Ok(request) => requests.push((number, request)),
                    Err(error) => {
                        client.send(&Reply::Refused {
                            reason: error.to_string(),
                        });
                    }
                }
            }
        }
        requests
    }

    /// Answers one client.
    pub(super) fn reply(&mut self, number: usize, reply: &Reply) {
        if let Some(client) = self.clients.get_mut(number) {
            client.send(reply);
        }
    }

    /// Tells a client the state, now and from now on.
    pub(super) fn watch(&mut self, number: usize, state: &ContainerState) {
        if let Some(client) = self.clients.get_mut(number) {
            client.watching = true;
            let state = Box::new(state.clone());
            client.send(&Reply::State { state });
        }
    }

    /// Tells the state to those who watch.
    pub(super) fn publish(&mut self, state: &ContainerState) {
        let reply = Reply::State {
            state: Box::new(state.clone()),
        };
        self.clients
            .retain_mut(|client| !client.watching || client.send(&reply));
    }

    /// Removes the socket. Clients see the end of their stream.
    pub(super) fn close(&mut self, dir: &Path) {
        self.clients.clear();
        let _ = fs_err::remove_file(dir.join(SOCKET_FILE));
    }
}

/// The socket's mode keeps others out already; this holds where a file system has no modes.
fn may_control(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream.as_fd())
        .is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}
