//! What clients and the keeper say to each other: one JSON line for each request, one for each answer.
//!
//! An answer to [`Request::Attach`] carries the namespace itself, as a file descriptor beside the line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::Ipv4Net;
use plimsoll_model::Protocol;
use serde::{Deserialize, Serialize};

use super::error::NetworkError;

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Make a network; one that exists with the same settings is left as it is.
    CreateNetwork(NetworkSpec),
    /// Remove a network that nobody uses.
    RemoveNetwork {
        /// Its name.
        name: String,
    },
    /// Give a container its place; one attached with the same settings is left as it is.
    Attach(AttachRequest),
    /// Take a container off its networks and stop publishing its ports.
    Detach {
        /// Its id.
        container: String,
    },
    /// Replace the names under which a container is found on one network.
    SetNames {
        /// Its id.
        container: String,
        /// The network.
        network: String,
        /// All its names there.
        names: Vec<String>,
    },
    /// Listen on the host for a container.
    Publish(PublishRequest),
    /// Stop listening on the host.
    Unpublish {
        /// Address and port on the host.
        address: SocketAddr,
        /// Transport.
        protocol: Protocol,
    },
    /// Describe everything.
    Status,
    /// End the keeper, and with it every network.
    Shutdown,
}

/// What the keeper answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Response {
    /// The network.
    Network(NetworkStatus),
    /// The container's place; its namespace comes beside the line.
    Attached(AttachmentDetails),
    /// Where the host listens.
    Published {
        /// Address and port; never port 0.
        address: SocketAddr,
    },
    /// Done, nothing to say.
    Done,
    /// Everything.
    Status(KeeperStatus),
    /// Not done.
    Failed {
        /// Why.
        failure: NetworkError,
    },
}

/// Where a network's containers may go besides each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Egress {
    /// Anywhere except to the host itself and to link-local addresses.
    #[default]
    Open,
    /// Nowhere: `internal: true`.
    None,
}

/// A network to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Name, unique within the keeper.
    pub name: String,
    /// The way out.
    pub egress: Egress,
    /// Its subnet; `None`: a free one.
    pub subnet: Option<Ipv4Net>,
    /// The bridge's address; `None`: the first of the subnet.
    pub gateway: Option<Ipv4Addr>,
    /// Addresses that only containers which name them get.
    pub reserved: Vec<Ipv4Addr>,
}

impl NetworkSpec {
    /// A network of this name, everything else chosen by the keeper.
    #[must_use]
    pub fn new(name: impl Into<String>, egress: Egress) -> Self {
        Self {
            name: name.into(),
            egress,
            subnet: None,
            gateway: None,
            reserved: Vec::new(),
        }
    }
}

/// Whether a container may reach services of the host, through the gateway's address for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostGateway {
    /// It may not.
    #[default]
    Refused,
    /// It asked for it (`extra_hosts: host.docker.internal:host-gateway`).
    Allowed,
}

/// A container to attach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachRequest {
    /// Its id, unique within the keeper.
    pub container: String,
    /// The name it calls itself.
    pub hostname: String,
    /// Networks to join; the first becomes `eth0`. None: loopback only.
    pub networks: Vec<JoinNetwork>,
    /// Whether it may reach the host.
    pub host_gateway: HostGateway,
    /// Servers asked for names that are not a network's; none: the host's own.
    #[serde(default)]
    pub name_servers: Vec<IpAddr>,
}

/// One network to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinNetwork {
    /// The network.
    pub network: String,
    /// Names under which others on it find the container: service, aliases, container name.
    pub names: Vec<String>,
    /// A fixed address.
    pub address: Option<Ipv4Addr>,
    /// A fixed hardware address; `None`: one made from the address.
    #[serde(default)]
    pub hardware_address: Option<[u8; 6]>,
    /// Name of the interface; `None`: `eth` and its number.
    #[serde(default)]
    pub interface: Option<String>,
}

/// A container's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentDetails {
    /// Its namespace, as a path that works while the keeper lives.
    pub namespace: PathBuf,
    /// The networks it joined, in the order asked for.
    pub networks: Vec<JoinedNetwork>,
    /// The name server to write into its `resolv.conf`; `None` when it joined no network.
    pub resolver: Option<Ipv4Addr>,
    /// The address that stands for the host, where it is allowed.
    pub host_gateway: Option<Ipv4Addr>,
}

impl AttachmentDetails {
    /// The address others use first.
    #[must_use]
    pub fn primary_address(&self) -> Option<Ipv4Addr> {
        self.networks.first().map(|network| network.address)
    }
}

/// One network joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedNetwork {
    /// The network.
    pub network: String,
    /// The interface in the container.
    pub interface: String,
    /// The container's address on it.
    pub address: Ipv4Addr,
    /// The subnet.
    pub subnet: Ipv4Net,
}

/// A port of a container to offer on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishRequest {
    /// Address on the host.
    pub host: IpAddr,
    /// Port on the host; 0: any free one.
    pub host_port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// The container.
    pub container: String,
    /// Port in the container.
    pub container_port: u16,
}

/// Everything a keeper holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperStatus {
    /// The keeper's process.
    pub pid: u32,
    /// Networks, in the order made.
    pub networks: Vec<NetworkStatus>,
    /// Containers, in the order attached.
    pub containers: Vec<ContainerStatus>,
    /// Published ports.
    pub published: Vec<PublishedPort>,
}

/// One network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkStatus {
    /// Its name.
    pub name: String,
    /// Its way out.
    pub egress: Egress,
    /// Its subnet.
    pub subnet: Ipv4Net,
    /// The bridge's address, where the name server listens.
    pub gateway: Ipv4Addr,
    /// The address that stands for the host.
    pub host_gateway: Ipv4Addr,
    /// What does not work as it should.
    pub warnings: Vec<NetworkWarning>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Its id.
    pub container: String,
    /// Its place.
    pub attachment: AttachmentDetails,
}

/// One published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Address and port on the host.
    pub address: SocketAddr,
    /// Transport.
    pub protocol: Protocol,
    /// The container.
    pub container: String,
    /// Port in the container.
    pub container_port: u16,
}

/// What does not work as it should on a network that was made all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "warning", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NetworkWarning {
    /// The way out is limited to well-known ports.
    #[error(
        "containers on `{network}` reach the outside on ports {} only: {reason}",
        list(ports)
    )]
    EgressLimited {
        /// The network.
        network: String,
        /// Ports that work, TCP.
        ports: Vec<u16>,
        /// What is missing on this system.
        reason: String,
    },
    /// There is no way out.
    #[error("containers on `{network}` cannot reach the outside: {reason}")]
    EgressUnavailable {
        /// The network.
        network: String,
        /// What is missing on this system.
        reason: String,
    },
    /// The subnet asked for hides hosts that this machine can reach.
    #[error(
        "subnet {subnet} of `{network}` overlaps {routed}, which this host routes: containers on it cannot reach those hosts"
    )]
    SubnetShadowsRoute {
        /// The network.
        network: String,
        /// Its subnet.
        subnet: Ipv4Net,
        /// The host's route.
        routed: Ipv4Net,
    },
}

fn list(ports: &[u16]) -> String {
    ports
        .iter()
        .map(u16::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
