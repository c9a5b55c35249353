//! Where containers may go.
//!
//! Decided twice: roughly by the program in the kernel, from a table written when the network is
//! made, so that a refusal is one from the first packet; and for each connection before it is
//! dialled, from the host's routes of that moment, which is what counts.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, PoisonError, RwLock};

use ipnet::Ipv4Net;

use super::HostView;
use crate::network::directory::{Directory, ListedNetwork};
use crate::network::protocol::HostGateway;

/// Never dialled for a container, wherever the host's routes lead. Link-local holds the metadata
/// services of most clouds, which give credentials to whoever asks from the machine; two clouds
/// have theirs elsewhere.
const REFUSED: [(Ipv4Addr, u8); 7] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// What the program in the kernel does with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Give it to the socket for the outside.
    Steer,
    /// Look for a socket that listens there, as usual.
    Deliver,
    /// Refuse.
    Refuse,
}

/// The rules for one network.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    network: String,
    subnet: Ipv4Net,
    host_gateway: Ipv4Addr,
    directory: Arc<RwLock<Directory>>,
    host: Arc<HostView>,
}

impl Policy {
    pub(super) fn new(
        network: &ListedNetwork,
        directory: Arc<RwLock<Directory>>,
        host: Arc<HostView>,
    ) -> Self {
        Self {
            network: network.name.clone(),
            subnet: network.subnet,
            host_gateway: network.host_gateway,
            directory,
            host,
        }
    }

    pub(super) fn host_gateway(&self) -> Ipv4Addr {
        self.host_gateway
    }

    /// The table for the program in the kernel. The most specific entry counts.
    pub(super) fn gates(&self) -> io::Result<Vec<(Ipv4Net, Gate)>> {
        let mut gates = vec![
            (Ipv4Net::default(), Gate::Steer),
            (self.subnet, Gate::Deliver),
            (self.host_gateway.into(), Gate::Refuse),
        ];
        gates.extend(refused().map(|net| (net, Gate::Refuse)));
        let own = self.host.addresses()?;
        gates.extend(own.into_iter().map(|own| (own.into(), Gate::Refuse)));
        Ok(gates)
    }

    /// Where to dial for a container at `source` that wants to go to `destination`.
    pub(super) fn dial_address(
        &self,
        source: Ipv4Addr,
        destination: SocketAddrV4,
    ) -> io::Result<SocketAddrV4> {
        let address = *destination.ip();
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        {
            let directory = self
                .directory
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let asker = directory
                .container_at(&self.network, source)
                .ok_or_else(denied)?;
            if address == self.host_gateway {
                return match asker.host_gateway {
                    HostGateway::Allowed => {
                        Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, destination.port()))
                    }
                    HostGateway::Refused => Err(denied()),
                };
            }
            if directory.is_ours(address) {
                return Err(denied());
            }
        }
        if refused().any(|net| net.contains(&address)) || !self.host.leads_outside(address)? {
            return Err(denied());
        }
        Ok(destination)
    }
}

fn refused() -> impl Iterator<Item = Ipv4Net> {
    REFUSED
        .iter()
        .map(|(address, prefix)| Ipv4Net::new_assert(*address, *prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_metadata_services_are_refused() {
        let is_refused = |text: &str| {
            let address: Ipv4Addr = text.parse().unwrap();
            refused().any(|net| net.contains(&address))
        };
        for address in [
            "0.0.0.0",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "224.0.0.251",
            "255.255.255.255",
        ] {
            assert!(is_refused(address), "{address}");
        }
        for address in [
            "1.1.1.1",
            "10.0.0.1",
            "192.168.1.1",
            "100.100.100.201",
            "126.0.0.1",
        ] {
            assert!(!is_refused(address), "{address}");
        }
    }
}
