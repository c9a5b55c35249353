//! The way out of a network: connections and datagrams that the keeper receives inside the
//! network's namespace and sends on from the host's.
//!
//! Inside, every address of the world is local (the default route says so), and a small program in
//! the kernel gives whatever is sent there to one TCP and one UDP socket; see [`steering`]. Nothing
//! is translated, forwarded or masqueraded, so neither namespace needs a rule. Where the kernel
//! cannot run that program, sockets on well-known ports do the same for those ports.
//!
//! The connection inside is accepted before the one outside is made: a container learns of a
//! failure as a reset, not as a refusal. What is refused by [`policy`] is refused at once.

mod bpf;
mod datagram;
mod policy;
mod steering;
mod tcp;
mod udp;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;

use self::policy::{Gate, Policy};
use self::steering::Steering;
use super::directory::{Directory, ListedNetwork};
use super::namespace::Resident;
use super::netlink::RouteSocket;
use super::protocol::NetworkWarning;
use super::tasks::Tasks;

/// What works where the kernel gives us single ports only. Not 53: the name server has it.
const WELL_KNOWN_PORTS: &[u16] = &[
    21, 22, 25, 80, 443, 465, 587, 993, 1433, 1883, 2181, 3128, 3306, 4222, 4317, 4318, 5000, 5432,
    5671, 5672, 6333, 6334, 6379, 6443, 7687, 8000, 8080, 8081, 8086, 8123, 8443, 8883, 9000, 9042,
    9092, 9200, 9418, 11434, 19530, 26257, 27017,
];

/// How connections to the outside are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EgressMethod {
    /// All ports where the kernel can, well-known ports where not.
    #[default]
    Automatic,
    /// Well-known TCP ports, without a program in the kernel.
    WellKnownPorts,
}

/// What the host's routing says; it speaks for the namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct HostView {
    routes: Mutex<RouteSocket>,
}

impl HostView {
    /// Looks at the calling thread's namespace.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            routes: Mutex::new(RouteSocket::open()?),
        })
    }

    /// Every subnet that the host has a route to.
    pub(crate) fn routed_subnets(&self) -> io::Result<Vec<Ipv4Net>> {
        self.routes().routed_subnets()
    }

    fn addresses(&self) -> io::Result<Vec<Ipv4Addr>> {
        self.routes().addresses()
    }

    /// Whether packets to this address would leave the host.
    fn leads_outside(&self, address: Ipv4Addr) -> io::Result<bool> {
        self.routes().leads_outside(address)
    }

    fn routes(&self) -> MutexGuard<'_, RouteSocket> {
        // A request that panicked left at most answers behind, which the next one skips.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open way out; it closes when dropped.
#[derive(Debug)]
pub(crate) struct WayOut {
    steering: Option<Steering>,
    policy: Policy,
    _tasks: Tasks,
}

impl WayOut {
    /// Lets connections to the address that stands for the host through; who may make them is
    /// decided for each.
    pub(crate) fn allow_host_gateway(&self) -> io::Result<()> {
        match &self.steering {
            None => Ok(()),
            Some(steering) => steering.set(self.policy.host_gateway().into(), Gate::Steer),
        }
    }
}

/// Opens the way out of a network, as wide as the system allows.
pub(crate) fn open(
    runtime: &Handle,
    method: EgressMethod,
    resident: &Arc<Resident>,
    network: &ListedNetwork,
    directory: &Arc<RwLock<Directory>>,
    host: &Arc<HostView>,
) -> (Option<WayOut>, Option<NetworkWarning>) {
    let policy = Policy::new(network, Arc::clone(directory), Arc::clone(host));
    let steered = match method {
        EgressMethod::Automatic => steer(runtime, resident, &policy),
        EgressMethod::WellKnownPorts => Err(io::Error::other("it was asked for")),
    };
    let reason = match steered {
        Ok(way_out) => return (Some(way_out), None),
        Err(error) => format!("the kernel cannot steer connections ({error})"),
    };
    match listen_on_ports(runtime, resident, &policy) {
        Ok((way_out, ports)) => (
            Some(way_out),
            Some(NetworkWarning::EgressLimited {
                network: network.name.clone(),
                ports,
                reason,
            }),
        ),
        Err(error) => (
            None,
            Some(NetworkWarning::EgressUnavailable {
                network: network.name.clone(),
                reason: format!("{reason}, and {error}"),
            }),
        ),
    }
}

/// Two sockets and the program that gives them everything.
fn steer(runtime: &Handle, resident: &Arc<Resident>, policy: &Policy) -> io::Result<WayOut> {
    // Nothing that comes from a bridge can have this destination: only the program leads here.
    let nowhere = SocketAddr::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    let connections = resident.open(move || listen(nowhere))?;
    let datagrams = resident.open(move || datagram::listen(nowhere))?;
    let steering = Steering::attach(resident.namespace(), &connections, &datagrams)?;
    for (destinations, gate) in policy.gates()? {
        steering.set(destinations, gate)?;
    }
    let _inside = runtime.enter();
    let connections = TcpListener::from_std(connections.into())?;
    let datagrams = UdpSocket::from_std(datagrams.into())?;
    let mut tasks = Tasks::new(runtime);
    tasks.spawn(tcp::serve(connections, policy.clone()));
    tasks.spawn(udp::serve(datagrams, Arc::clone(resident), policy.clone()));
    Ok(WayOut {
        steering: Some(steering),
        policy: policy.clone(),
        _tasks: tasks,
    })
}

/// A socket for each well-known port, on every address: all of them are local.
fn listen_on_ports(
    runtime: &Handle,
    resident: &Arc<Resident>,
    policy: &Policy,
) -> io::Result<(WayOut, Vec<u16>)> {
    let _inside = runtime.enter();
    let mut tasks = Tasks::new(runtime);
    for port in WELL_KNOWN_PORTS {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port));
        let listener = resident.open(move || listen(address))?;
        tasks.spawn(tcp::serve(
            TcpListener::from_std(listener.into())?,
            policy.clone(),
        ));
    }
    let way_out = WayOut {
        steering: None,
        policy: policy.clone(),
        _tasks: tasks,
    };
    Ok((way_out, WELL_KNOWN_PORTS.to_vec()))
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket)
}
