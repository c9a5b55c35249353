//! What can go wrong around a project's networks.
//!
//! The same type travels from the keeper to its clients, so it holds values and text, never handles.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use plimsoll_model::Protocol;
use serde::{Deserialize, Serialize};

/// Why the keeper did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NetworkError {
    /// No network of that name.
    #[error("no network `{name}`")]
    UnknownNetwork {
        /// The name asked for.
        name: String,
    },
    /// A network of that name exists with other settings.
    #[error("network `{name}` exists with other settings")]
    NetworkDiffers {
        /// The network.
        name: String,
    },
    /// Containers are still attached.
    #[error("network `{name}` is in use by {}", containers.join(", "))]
    NetworkInUse {
        /// The network.
        name: String,
        /// Who uses it.
        containers: Vec<String>,
    },
    /// The subnet cannot hold a bridge and a container.
    #[error("subnet {subnet} of network `{network}` is too small or not a private range")]
    UnusableSubnet {
        /// The network.
        network: String,
        /// The subnet asked for.
        subnet: Ipv4Net,
    },
    /// Two networks of the project would overlap.
    #[error("subnet {subnet} of network `{network}` overlaps network `{other}`")]
    SubnetOverlaps {
        /// The network asked for.
        network: String,
        /// Its subnet.
        subnet: Ipv4Net,
        /// The network that has it.
        other: String,
    },
    /// Every candidate range is routed on the host.
    #[error("no free subnet for network `{network}`: the host routes every candidate range")]
    NoFreeSubnet {
        /// The network.
        network: String,
    },
    /// A fixed address lies outside of the subnet.
    #[error("address {address} is not in subnet {subnet} of network `{network}`")]
    AddressOutside {
        /// The address asked for.
        address: Ipv4Addr,
        /// The network.
        network: String,
        /// Its subnet.
        subnet: Ipv4Net,
    },
    /// A fixed address is in use.
    #[error("address {address} of network `{network}` belongs to {holder}")]
    AddressTaken {
        /// The address asked for.
        address: Ipv4Addr,
        /// The network.
        network: String,
        /// Who has it.
        holder: AddressHolder,
    },
    /// No address is left.
    #[error("subnet {subnet} of network `{network}` has no free address")]
    SubnetFull {
        /// The network.
        network: String,
        /// Its subnet.
        subnet: Ipv4Net,
    },
    /// No container of that name.
    #[error("container `{container}` is not attached")]
    UnknownContainer {
        /// The name asked for.
        container: String,
    },
    /// The container is attached with other settings.
    #[error("container `{container}` is attached with other settings")]
    AttachedDifferently {
        /// The container.
        container: String,
    },
    /// The container is on no network that the request can use.
    #[error("container `{container}` is on no network")]
    NoNetwork {
        /// The container.
        container: String,
    },
    /// A port of the host is in use.
    #[error("port {address}/{} is taken{}", protocol_name(*protocol), held_by(holder.as_ref()))]
    PortTaken {
        /// Address and port on the host.
        address: SocketAddr,
        /// Transport.
        protocol: Protocol,
        /// Who listens there, when it can be found.
        holder: Option<PortHolder>,
    },
    /// The host refuses to listen there for another reason.
    #[error("cannot listen on {address}/{}: {reason}", protocol_name(*protocol))]
    CannotListen {
        /// Address and port on the host.
        address: SocketAddr,
        /// Transport.
        protocol: Protocol,
        /// The system's words.
        reason: String,
    },
    /// Nothing is published there.
    #[error("nothing is published on {address}/{}", protocol_name(*protocol))]
    NotPublished {
        /// Address and port on the host.
        address: SocketAddr,
        /// Transport.
        protocol: Protocol,
    },
    /// A name that cannot be looked up.
    #[error("`{name}` cannot be a name on a network")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// The system refused a step.
    #[error("cannot {action}: {reason}")]
    System {
        /// What was tried.
        action: String,
        /// The system's words.
        reason: String,
    },
    /// No keeper answers in this directory.
    #[error("no network keeper runs in {}", directory.display())]
    NotRunning {
        /// The keeper's directory.
        directory: PathBuf,
    },
    /// Another keeper holds this directory.
    #[error("a network keeper runs in {} already", directory.display())]
    AlreadyRunning {
        /// The keeper's directory.
        directory: PathBuf,
    },
    /// The keeper ended before it was ready.
    #[error("the network keeper did not start: {reason}")]
    StartFailed {
        /// Its last words.
        reason: String,
    },
    /// The other side does not speak this protocol.
    #[error("the network keeper's answer is not understood: {reason}")]
    Protocol {
        /// What is wrong with it.
        reason: String,
    },
}

impl NetworkError {
    /// A step that the system refused.
    pub(crate) fn system(action: impl Into<String>, reason: &io::Error) -> Self {
        Self::System {
            action: action.into(),
            reason: reason.to_string(),
        }
    }

    /// A step on a file that the system refused.
    pub(crate) fn file(action: &str, path: &Path, reason: &io::Error) -> Self {
        Self::system(format!("{action} {}", path.display()), reason)
    }
}

/// Who has an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressHolder {
    /// The network's bridge.
    Bridge,
    /// The address that stands for the host.
    HostGateway,
    /// The subnet's own or its broadcast address.
    Subnet,
    /// A container.
    Container(String),
}

impl fmt::Display for AddressHolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge => formatter.write_str("the network's bridge"),
            Self::HostGateway => formatter.write_str("the host gateway"),
            Self::Subnet => formatter.write_str("the subnet itself"),
            Self::Container(name) => write!(formatter, "container `{name}`"),
        }
    }
}

/// Who listens on a port of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortHolder {
    /// Process name, as the kernel knows it.
    pub process: String,
    /// Process id.
    pub pid: u32,
    /// The container for which this very keeper listens there.
    pub container: Option<String>,
}

fn held_by(holder: Option<&PortHolder>) -> String {
    match holder {
        None => String::new(),
        Some(PortHolder {
            container: Some(container),
            ..
        }) => format!(" by container `{container}` of this project"),
        Some(PortHolder { process, pid, .. }) => format!(" by `{process}` (pid {pid})"),
    }
}

pub(crate) fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}
