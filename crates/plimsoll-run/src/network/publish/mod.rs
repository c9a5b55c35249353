//! Ports of containers, offered on the host.
//!
//! The keeper listens in the host's namespace and connects from a socket inside the network, so
//! no rule of the host's firewall is involved. The container sees the bridge's address, not the
//! client's: by design, the client's address is lost.

mod holder;
mod table;
mod tcp;
mod udp;

pub(crate) use holder::find as holder_of;
pub(crate) use table::Publications;

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;

use plimsoll_model::Protocol;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;

use super::error::NetworkError;
use super::namespace::Resident;
use super::protocol::PublishedPort;
use super::tasks::Tasks;

/// A listening port of the host; it closes when dropped.
#[derive(Debug)]
struct Publication {
    port: PublishedPort,
    tasks: Tasks,
}

/// Where a published port leads.
#[derive(Debug, Clone)]
struct Destination {
    resident: Arc<Resident>,
    address: SocketAddrV4,
}

impl Publication {
    /// Listens on the host for a container's address on a network. `wanted` may have port 0.
    fn start(
        runtime: &Handle,
        wanted: &PublishedPort,
        resident: &Arc<Resident>,
        container: SocketAddrV4,
    ) -> Result<Self, NetworkError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => NetworkError::PortTaken {
                address: wanted.address,
                protocol: wanted.protocol,
                holder: holder::find(wanted.address, wanted.protocol),
            },
            _ => NetworkError::CannotListen {
                address: wanted.address,
                protocol: wanted.protocol,
                reason: error.to_string(),
            },
        };
        let socket = listen(wanted.address, wanted.protocol).map_err(failed)?;
        let destination = Destination {
            resident: Arc::clone(resident),
            address: container,
        };
        let _inside = runtime.enter();
        let mut tasks = Tasks::new(runtime);
        let address = match wanted.protocol {
            Protocol::Tcp => {
                let listener = TcpListener::from_std(socket.into()).map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                tasks.spawn(tcp::serve(listener, destination));
                address
            }
            Protocol::Udp => {
                let socket = UdpSocket::from_std(socket.into()).map_err(failed)?;
                let address = socket.local_addr().map_err(failed)?;
                tasks.spawn(udp::serve(socket, destination));
                address
            }
        };
        Ok(Self {
            port: PublishedPort {
                address,
                ..wanted.clone()
            },
            tasks,
        })
    }
}

impl Publication {
    /// Closes the port, and returns when it is closed.
    fn stop(self) {
        self.tasks.stop();
    }
}

fn listen(address: SocketAddr, protocol: Protocol) -> io::Result<Socket> {
    let kind = match protocol {
        Protocol::Tcp => Type::STREAM,
        Protocol::Udp => Type::DGRAM,
    };
    let socket = Socket::new(
        Domain::for_address(address),
        kind.nonblocking().cloexec(),
        None,
    )?;
    if address.is_ipv6() {
        // So that the same port can be published on both families.
        socket.set_only_v6(true)?;
    }
    if protocol == Protocol::Tcp {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    if protocol == Protocol::Tcp {
        socket.listen(4096)?;
    }
    Ok(socket)
}
