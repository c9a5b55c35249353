//! The few requests to the kernel's routing family that networks are made of.
//!
//! A [`RouteSocket`] speaks for the namespace in which it was opened, whichever thread uses it
//! later. Requests are answered before they return: no event is waited for.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, SocketType};

/// The loopback interface has this index in every namespace.
pub(crate) const LOOPBACK: u32 = 1;

const CARRIER_PATIENCE: Duration = Duration::from_millis(1500);

/// A hardware address made from an IPv4 address, so that it comes back with it.
pub(crate) fn hardware_address(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    // Bit 1 of the first byte: locally administered.
    [0x02, 0x42, a, b, c, d]
}

/// A veth pair to make: one end on a bridge here, the other in a container.
#[derive(Debug)]
pub(crate) struct VethPair<'a> {
    pub(crate) name: &'a str,
    pub(crate) bridge: u32,
    pub(crate) peer_name: &'a str,
    pub(crate) peer_namespace: BorrowedFd<'a>,
    pub(crate) peer_hardware_address: [u8; 6],
}

/// A connection to one namespace's routing family.
#[derive(Debug)]
pub(crate) struct RouteSocket {
    socket: OwnedFd,
    sequence: u32,
}

impl RouteSocket {
    /// Opens a connection to the calling thread's namespace.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Makes a bridge that is up, and gives its index.
    pub(crate) fn add_bridge(&mut self, name: &str, hardware_address: [u8; 6]) -> io::Result<u32> {
        let mut link = LinkMessage::default();
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            // Without one of its own a bridge takes the lowest of its ports', and changes it as
            // ports come and go.
            LinkAttribute::Address(hardware_address.to_vec()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        self.create(RouteNetlinkMessage::NewLink(link))?;
        self.link_index(name)
    }

    /// Makes a veth pair with one end on a bridge.
    pub(crate) fn add_veth(&mut self, pair: &VethPair<'_>) -> io::Result<()> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(pair.peer_name.to_owned()),
            LinkAttribute::Address(pair.peer_hardware_address.to_vec()),
            LinkAttribute::NetNsFd(pair.peer_namespace.as_raw_fd()),
        ];
        let mut link = LinkMessage::default();
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes = vec![
            LinkAttribute::IfName(pair.name.to_owned()),
            LinkAttribute::Controller(pair.bridge),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.create(RouteNetlinkMessage::NewLink(link))
    }

    /// Brings a link up.
    pub(crate) fn set_up(&mut self, index: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        self.request(RouteNetlinkMessage::SetLink(link), NLM_F_ACK)
            .map(drop)
    }

    /// Removes a link, and its peer with it.
    pub(crate) fn delete_link(&mut self, name: &str) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
        self.request(RouteNetlinkMessage::DelLink(link), NLM_F_ACK)
            .map(drop)
    }

    /// The index of a link.
    pub(crate) fn link_index(&mut self, name: &str) -> io::Result<u32> {
        let mut link = LinkMessage::default();
        link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
        self.request(RouteNetlinkMessage::GetLink(link), NLM_F_ACK)?
            .into_iter()
            .find_map(|message| match message {
                RouteNetlinkMessage::NewLink(link) => Some(link.header.index),
                _ => None,
            })
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Waits until a link that has a carrier also passes packets on.
    ///
    /// The kernel acts on a new carrier in its own time: until then a bridge drops what it should
    /// give to the port. Asking for the link makes it act first, since Linux 6.8; older kernels
    /// take a moment, at worst a second.
    pub(crate) fn wait_for_carrier(&mut self, name: &str) -> io::Result<()> {
        let deadline = Instant::now() + CARRIER_PATIENCE;
        while !self.is_operational(name)? && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn is_operational(&mut self, name: &str) -> io::Result<bool> {
        let mut link = LinkMessage::default();
        link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
        let links = self.request(RouteNetlinkMessage::GetLink(link), NLM_F_ACK)?;
        Ok(links.into_iter().any(|message| {
            matches!(message, RouteNetlinkMessage::NewLink(link)
                if link.attributes.contains(&LinkAttribute::OperState(State::Up)))
        }))
    }

    /// Gives a link an address.
    pub(crate) fn add_address(
        &mut self,
        index: u32,
        address: Ipv4Addr,
        prefix: u8,
    ) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = prefix;
        message.header.index = index;
        message.attributes = vec![
            AddressAttribute::Local(IpAddr::V4(address)),
            AddressAttribute::Address(IpAddr::V4(address)),
        ];
        self.create(RouteNetlinkMessage::NewAddress(message))
    }

    /// Says which hardware has an address on a link, for good.
    pub(crate) fn add_neighbour(
        &mut self,
        index: u32,
        address: Ipv4Addr,
        hardware_address: [u8; 6],
    ) -> io::Result<()> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = index;
        message.header.state = NeighbourState::Permanent;
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
            NeighbourAttribute::LinkLayerAddress(hardware_address.to_vec()),
        ];
        self.request(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
        )
        .map(drop)
    }

    /// Sends everything without a more specific route to a gateway.
    pub(crate) fn add_default_route(&mut self, gateway: Ipv4Addr) -> io::Result<()> {
        let mut route = new_route(RouteType::Unicast, RouteScope::Universe);
        route
            .attributes
            .push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
        self.create(RouteNetlinkMessage::NewRoute(route))
    }

    /// Treats every address without a more specific route as the namespace's own.
    ///
    /// In the main table: the local table is asked before it, and a default route there would hide
    /// the subnet's.
    pub(crate) fn add_local_default_route(&mut self) -> io::Result<()> {
        let mut route = new_route(RouteType::Local, RouteScope::Host);
        route.attributes.push(RouteAttribute::Oif(LOOPBACK));
        self.create(RouteNetlinkMessage::NewRoute(route))
    }

    /// Every IPv4 destination that has a unicast route.
    pub(crate) fn routed_subnets(&mut self) -> io::Result<Vec<Ipv4Net>> {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        let routes = self.request(RouteNetlinkMessage::GetRoute(route), NLM_F_DUMP)?;
        Ok(routes
            .into_iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewRoute(route) if route.header.kind == RouteType::Unicast => {
                    let address =
                        route
                            .attributes
                            .iter()
                            .find_map(|attribute| match attribute {
                                RouteAttribute::Destination(RouteAddress::Inet(address)) => {
                                    Some(*address)
                                }
                                _ => None,
                            })?;
                    Ipv4Net::new(address, route.header.destination_prefix_length).ok()
                }
                _ => None,
            })
            .collect())
    }

    /// Every IPv4 address of the namespace.
    pub(crate) fn addresses(&mut self) -> io::Result<Vec<Ipv4Addr>> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        let addresses = self.request(RouteNetlinkMessage::GetAddress(message), NLM_F_DUMP)?;
        Ok(addresses
            .into_iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewAddress(address) => {
                    address
                        .attributes
                        .iter()
                        .find_map(|attribute| match attribute {
                            AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
                            _ => None,
                        })
                }
                _ => None,
            })
            .collect())
    }

    /// Whether packets to this address would go out to another machine.
    pub(crate) fn leads_outside(&mut self, address: Ipv4Addr) -> io::Result<bool> {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        route.header.destination_prefix_length = 32;
        route.attributes = vec![RouteAttribute::Destination(RouteAddress::Inet(address))];
        let routes = self.request(RouteNetlinkMessage::GetRoute(route), NLM_F_ACK)?;
        Ok(routes.into_iter().any(|message| {
            matches!(message, RouteNetlinkMessage::NewRoute(route) if route.header.kind == RouteType::Unicast)
        }))
    }

    fn create(&mut self, message: RouteNetlinkMessage) -> io::Result<()> {
        self.request(message, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
            .map(drop)
    }

    /// Sends a request and collects what comes back until the kernel says that it is done.
    fn request(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0_u8; packet.buffer_len()];
        packet.serialize(&mut bytes);
        rustix::net::send(&self.socket, &bytes, SendFlags::empty())?;

        let mut collected = Vec::new();
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            let (length, _) = rustix::io::retry_on_intr(|| {
                rustix::net::recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty())
            })?;
            let mut rest = &buffer[..length];
            while !rest.is_empty() {
                let answer =
                    NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(|error| {
                        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                    })?;
                // Messages are padded to four bytes.
                let end = (answer.header.length as usize).next_multiple_of(4);
                if end == 0 {
                    return Err(io::Error::from(io::ErrorKind::InvalidData));
                }
                rest = rest.get(end..).unwrap_or_default();
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => collected.push(message),
                    NetlinkPayload::Done(_) => return Ok(collected),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(collected),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }
}

fn new_route(kind: RouteType, scope: RouteScope) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header = RouteHeader {
        address_family: AddressFamily::Inet,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Static,
        scope,
        kind,
        ..RouteHeader::default()
    };
    route
}
