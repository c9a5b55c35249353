//! Networks of a project: namespaces, names, published ports and the way out.
//!
//! One [`keeper`] process for each project holds them; [`Keeper`] is the connection to it. A
//! network is a network namespace with one bridge, and exists only as an open file of the keeper;
//! a container's namespace has a cable to each network that it joins. The host's own namespace is
//! never given an address, a route or a rule: the keeper's sockets, opened on either side, are the
//! only link between the two.
//!
//! What follows from that, and is not a mistake: a published port does not show the container the
//! client's address; containers have IPv4 only (but `::1`); pings stay within a network; a
//! connection to the outside is accepted before it is known whether it can be made, so its failure
//! is a reset; a container does not reach the host's addresses, published ports included, unless
//! it asked for the host gateway.

mod address_plan;
mod client;
mod control;
mod directory;
mod dns;
mod egress;
mod error;
pub mod keeper;
mod names;
mod namespace;
mod netlink;
mod protocol;
mod publish;
mod relay;
mod tasks;
mod topology;
mod wire;

pub use client::{Attachment, Keeper};
pub use egress::EgressMethod;
pub use error::{AddressHolder, NetworkError, PortHolder};
pub use keeper::KeeperOptions;
pub(crate) use names::checked_name;
pub use protocol::{
    AttachRequest, AttachmentDetails, ContainerStatus, Egress, HostGateway, JoinNetwork,
    JoinedNetwork, KeeperStatus, NetworkSpec, NetworkStatus, NetworkWarning, PublishRequest,
    PublishedPort, Request, Response,
};
pub(crate) use publish::holder_of;
