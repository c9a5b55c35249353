//! All published ports of a keeper.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use plimsoll_model::Protocol;
use tokio::runtime::Handle;

use super::Publication;
use crate::network::error::NetworkError;
use crate::network::namespace::Resident;
use crate::network::protocol::{PublishRequest, PublishedPort};

/// Published ports, in the order asked for.
#[derive(Debug)]
pub(crate) struct Publications {
    runtime: Handle,
    open: Vec<Publication>,
}

impl Publications {
    pub(crate) fn new(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            open: Vec::new(),
        }
    }

    /// Listens on the host for a container, or finds that it does already.
    pub(crate) fn publish(
        &mut self,
        request: &PublishRequest,
        resident: &Arc<Resident>,
        container: Ipv4Addr,
    ) -> Result<SocketAddr, NetworkError> {
        let wanted = PublishedPort {
            address: SocketAddr::new(request.host, request.host_port),
            protocol: request.protocol,
            container: request.container.clone(),
            container_port: request.container_port,
        };
        if let Some(existing) = self.open.iter().find(|open| open.port == wanted) {
            return Ok(existing.port.address);
        }
        let destination = SocketAddrV4::new(container, request.container_port);
        let publication = Publication::start(&self.runtime, &wanted, resident, destination)
            .map_err(|error| self.name_own_container(error))?;
        let address = publication.port.address;
        self.open.push(publication);
        Ok(address)
    }

    /// Stops listening.
    pub(crate) fn unpublish(
        &mut self,
        address: SocketAddr,
        protocol: Protocol,
    ) -> Result<(), NetworkError> {
        let place = self
            .open
            .iter()
            .position(|open| open.port.address == address && open.port.protocol == protocol)
            .ok_or(NetworkError::NotPublished { address, protocol })?;
        self.open.remove(place).stop();
        Ok(())
    }

    /// Stops listening for a container.
    pub(crate) fn forget(&mut self, container: &str) {
        for publication in self
            .open
            .extract_if(.., |open| open.port.container == container)
        {
            publication.stop();
        }
    }

    pub(crate) fn list(&self) -> Vec<PublishedPort> {
        self.open.iter().map(|open| open.port.clone()).collect()
    }

    /// A port that this very process holds belongs to one of the project's containers.
    fn name_own_container(&self, error: NetworkError) -> NetworkError {
        match error {
            NetworkError::PortTaken {
                address,
                protocol,
                holder: Some(mut holder),
            } if holder.pid == std::process::id() => {
                holder.container = self
                    .open
                    .iter()
                    .map(|open| &open.port)
                    .find(|port| port.protocol == protocol && port.address.port() == address.port())
                    .map(|port| port.container.clone());
                NetworkError::PortTaken {
                    address,
                    protocol,
                    holder: Some(holder),
                }
            }
            other => other,
        }
    }
}
