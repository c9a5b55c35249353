//! What can be reached from inside of a container's network.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;

use plimsoll_detect::{Listening, Reach};
use plimsoll_run::listening;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Longest time until a connection is made.
const LIMIT: Duration = Duration::from_secs(5);

/// The network of a container, known by its first process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside {
    process: i32,
}

impl Inside {
    pub(super) fn of_process(process: i32) -> Self {
        Self { process }
    }

    /// The TCP ports that the container's own programs listen on.
    pub(super) fn listens(self) -> Vec<Listening> {
        let mut found: Vec<Listening> = Vec::new();
        for address in listening(self.process) {
            let reach = match address.ip().to_canonical().is_loopback() {
                true => Reach::Container,
                false => Reach::Network,
            };
            let port = address.port();
            match found.iter_mut().find(|known| known.port == port) {
                Some(known) => known.reach = known.reach.max(reach),
                None => found.push(Listening { port, reach }),
            }
        }
        found.sort();
        found
    }

    /// A connection to a port, as a program in the container would make it.
    pub(super) fn connect(self, port: u16) -> io::Result<TcpStream> {
        let namespace = fs_err::File::open(format!("/proc/{}/ns/net", self.process))?;
        let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
        addresses.extend(
            listening(self.process)
                .into_iter()
                .filter(|address| address.port() == port && !address.ip().is_unspecified()),
        );
        addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
        // A thread of its own: it does not come back from the other network. The socket that it
        // makes belongs there whoever uses it.
        let thread = std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            let mut last = io::Error::from(io::ErrorKind::ConnectionRefused);
            for address in addresses {
                match TcpStream::connect_timeout(&address, LIMIT) {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            Err(last)
        });
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the connection's thread failed")))
    }
}
