//! Bridges and cables: what a network and a container's place on it are made of.
//!
//! A network is a namespace with one bridge; a container's namespace has one end of a veth pair in
//! each network that it joins. What may talk to what follows from that: there is no rule anywhere,
//! and nothing forwards packets between networks.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::Ipv4Net;

use super::error::NetworkError;
use super::namespace::{self, Resident, Setting};
use super::netlink::{RouteSocket, VethPair, hardware_address};
use super::protocol::Egress;

const BRIDGE: &str = "bridge";

/// A new namespace may inherit the host's settings, so what isolation rests on is written.
const NETWORK_SETTINGS: &[Setting] = &[
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/all/rp_filter", "1"),
    ("net/ipv4/conf/default/rp_filter", "1"),
    ("net/ipv4/conf/all/route_localnet", "0"),
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    // Every address of the world is local in a network with a way out: an answer to a ping
    // would come from here and mean nothing.
    ("net/ipv4/icmp_echo_ignore_all", "1"),
];

/// Loopback keeps IPv6 (made before the default changes), other interfaces never have it.
const CONTAINER_SETTINGS: &[Setting] = &[
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    // A process without any capability may serve port 80, and ping.
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    ("net/ipv4/ping_group_range", "0 2147483647"),
];

/// A network's namespace and bridge.
#[derive(Debug)]
pub(crate) struct NetworkRig {
    resident: Arc<Resident>,
    routes: Mutex<RouteSocket>,
    bridge: u32,
    gateway: Ipv4Addr,
}

/// A container's end on one network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cable<'a> {
    pub(crate) network: &'a NetworkRig,
    /// Name of the end on the bridge, unique in the network.
    pub(crate) bridge_end: &'a str,
    /// Name of the end in the container.
    pub(crate) interface: &'a str,
    pub(crate) address: Ipv4Addr,
    pub(crate) subnet: Ipv4Net,
    /// Of the end in the container.
    pub(crate) hardware_address: [u8; 6],
}

impl NetworkRig {
    /// Makes a network's namespace with its bridge.
    pub(crate) fn create(
        name: &str,
        subnet: Ipv4Net,
        gateway: Ipv4Addr,
        host_gateway: Ipv4Addr,
        egress: Egress,
    ) -> Result<Self, NetworkError> {
        let failed =
            |error| NetworkError::system(format!("make the bridge of network `{name}`"), &error);
        let (resident, mut routes) = Resident::create(NETWORK_SETTINGS).map_err(failed)?;
        let bridge = routes
            .add_bridge(BRIDGE, hardware_address(gateway))
            .map_err(failed)?;
        routes
            .add_address(bridge, gateway, subnet.prefix_len())
            .map_err(failed)?;
        if egress == Egress::Open {
            routes.add_local_default_route().map_err(failed)?;
            // It lies in the subnet, so the bridge must answer for it.
            routes
                .add_address(bridge, host_gateway, 32)
                .map_err(failed)?;
        }
        Ok(Self {
            resident: Arc::new(resident),
            routes: Mutex::new(routes),
            bridge,
            gateway,
        })
    }

    /// The thread that opens sockets in the network.
    pub(crate) fn resident(&self) -> &Arc<Resident> {
        &self.resident
    }

    /// Removes a container's end.
    pub(crate) fn unplug(&self, bridge_end: &str) -> Result<(), NetworkError> {
        match self.routes().delete_link(bridge_end) {
            // Gone with the container's namespace.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => other.map_err(|error| {
                NetworkError::system(format!("remove interface {bridge_end}"), &error)
            }),
        }
    }

    fn routes(&self) -> std::sync::MutexGuard<'_, RouteSocket> {
        // A request that panicked left at most answers behind, which the next one skips.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A container's namespace.
#[derive(Debug)]
pub(crate) struct ContainerRig {
    namespace: OwnedFd,
}

impl ContainerRig {
    /// Makes a container's namespace and plugs its cables in.
    pub(crate) fn create(
        container: &str,
        cables: &[Cable<'_>],
        default_gateway: Option<Ipv4Addr>,
    ) -> Result<Self, NetworkError> {
        let failed = |error| {
            NetworkError::system(
                format!("make the namespace of container `{container}`"),
                &error,
            )
        };
        let (namespace, mut routes) = namespace::create(CONTAINER_SETTINGS).map_err(failed)?;
        let rig = Self { namespace };
        for cable in cables {
            rig.plug(&mut routes, cable).map_err(failed)?;
        }
        if let Some(gateway) = default_gateway {
            routes.add_default_route(gateway).map_err(failed)?;
        }
        Ok(rig)
    }

    pub(crate) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    fn plug(&self, routes: &mut RouteSocket, cable: &Cable<'_>) -> std::io::Result<()> {
        cable.network.routes().add_veth(&VethPair {
            name: cable.bridge_end,
            bridge: cable.network.bridge,
            peer_name: cable.interface,
            peer_namespace: self.namespace.as_fd(),
            peer_hardware_address: cable.hardware_address,
        })?;
        let index = routes.link_index(cable.interface)?;
        routes.add_address(index, cable.address, cable.subnet.prefix_len())?;
        routes.set_up(index)?;
        // Hardware addresses are known on either side, so nobody has to ask: packets that wait for
        // an answer are few before they are dropped, and a burst of connections is more.
        let gateway = cable.network.gateway;
        routes.add_neighbour(index, gateway, hardware_address(gateway))?;
        let mut outer = cable.network.routes();
        outer.add_neighbour(cable.network.bridge, cable.address, cable.hardware_address)?;
        outer.wait_for_carrier(cable.bridge_end)?;
        outer.wait_for_carrier(BRIDGE)
    }
}
