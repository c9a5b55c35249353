//! The sockets of a network's name server.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use ipnet::Ipv4Net;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::{self, Decision};
use super::upstream::{self, NameServer, Transport, Upstream};
use crate::network::directory::Directory;
use crate::network::namespace::Resident;
use crate::network::tasks::Tasks;

const PORT: u16 = 53;

/// Questions passed on at once; more wait for nothing and are answered with a failure.
const FORWARDED_AT_ONCE: usize = 256;
const CONNECTIONS: usize = 128;
const IDLE: Duration = Duration::from_secs(10);

/// Answers on a network's gateway address, `place`, until the tasks are dropped.
pub(crate) fn start(
    runtime: &Handle,
    resident: &Arc<Resident>,
    network: &str,
    place: (Ipv4Addr, Ipv4Net),
    directory: &Arc<RwLock<Directory>>,
    upstream: &Arc<Upstream>,
) -> io::Result<Tasks> {
    let (gateway, subnet) = place;
    let address = SocketAddr::from(SocketAddrV4::new(gateway, PORT));
    let datagrams = resident.open(move || open(Type::DGRAM, address))?;
    let connections = resident.open(move || open(Type::STREAM, address))?;
    let server = Arc::new(Server {
        network: network.to_owned(),
        directory: Arc::clone(directory),
        upstream: Arc::clone(upstream),
        inside: (Arc::clone(resident), subnet),
        rotation: AtomicUsize::new(0),
        forwarded: Semaphore::new(FORWARDED_AT_ONCE),
    });
    let _inside = runtime.enter();
    let datagrams = UdpSocket::from_std(datagrams.into())?;
    let connections = TcpListener::from_std(connections.into())?;
    let mut tasks = Tasks::new(runtime);
    tasks.spawn(Arc::clone(&server).serve_datagrams(datagrams));
    tasks.spawn(server.serve_connections(connections));
    Ok(tasks)
}

fn open(kind: Type, address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind.nonblocking().cloexec(), None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        socket.listen(128)?;
    }
    Ok(socket)
}

#[derive(Debug)]
struct Server {
    network: String,
    directory: Arc<RwLock<Directory>>,
    upstream: Arc<Upstream>,
    /// The network itself, for servers that are containers on it.
    inside: (Arc<Resident>, Ipv4Net),
    rotation: AtomicUsize,
    forwarded: Semaphore,
}

impl Server {
    async fn serve_datagrams(self: Arc<Self>, socket: UdpSocket) {
        let socket = Arc::new(socket);
        let mut buffer = vec![0_u8; 65_535];
        loop {
            // A port unreachable that comes back from a client is no reason to stop.
            let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            let query = &buffer[..length];
            match self.decide(client, query) {
                Decision::Ignore => {}
                Decision::Reply(reply) => {
                    let limit = Message::from_vec(query).map_or(512, |query| query.max_payload());
                    let limit = answer::datagram_limit(limit);
                    if let Some(bytes) = answer::encode(&reply, limit) {
                        let _ = socket.send_to(&bytes, client).await;
                    }
                }
                Decision::Forward(parsed, servers) => {
                    let (server, socket) = (Arc::clone(&self), Arc::clone(&socket));
                    let query = query.to_vec();
                    tokio::spawn(async move {
                        let reply = server
                            .forward(&parsed, &query, Transport::Datagram, servers)
                            .await;
                        let _ = socket.send_to(&reply, client).await;
                    });
                }
            }
        }
    }

    async fn serve_connections(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // The semaphore is never closed, so a place comes.
            let place = Arc::clone(&places).acquire_owned().await;
            match listener.accept().await {
                Ok((stream, client)) => {
                    let server = Arc::clone(&self);
                    tokio::spawn(async move {
                        // The client is gone, or was too slow.
                        let _ = server.serve_connection(stream, client).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn serve_connection(&self, mut stream: TcpStream, client: SocketAddr) -> io::Result<()> {
        loop {
            let length = timeout(IDLE, stream.read_u16()).await??;
            let mut query = vec![0_u8; usize::from(length)];
            timeout(IDLE, stream.read_exact(&mut query)).await??;
            let reply = match self.decide(client, &query) {
                Decision::Ignore => return Ok(()),
                Decision::Reply(reply) => answer::encode(&reply, usize::from(u16::MAX)),
                Decision::Forward(parsed, servers) => Some(
                    self.forward(&parsed, &query, Transport::Stream, servers)
                        .await,
                ),
            };
            let reply = reply.unwrap_or_default();
            let Ok(length) = u16::try_from(reply.len()) else {
                return Ok(());
            };
            let mut framed = length.to_be_bytes().to_vec();
            framed.extend_from_slice(&reply);
            timeout(IDLE, stream.write_all(&framed)).await??;
        }
    }

    /// How a server is reached: a container on this network from inside of it.
    fn reach(&self, server: IpAddr) -> NameServer {
        let (resident, subnet) = &self.inside;
        let inside = matches!(server, IpAddr::V4(server) if subnet.contains(&server));
        NameServer {
            address: SocketAddr::new(server, PORT),
            inside: inside.then(|| Arc::clone(resident)),
        }
    }

    fn decide(&self, client: SocketAddr, query: &[u8]) -> Decision {
        let IpAddr::V4(source) = client.ip() else {
            return Decision::Ignore;
        };
        let rotation = self.rotation.fetch_add(1, Ordering::Relaxed);
        let directory = self
            .directory
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        answer::decide(&directory, &self.network, source, query, rotation)
    }

    async fn forward(
        &self,
        parsed: &Message,
        query: &[u8],
        transport: Transport,
        servers: Option<Vec<IpAddr>>,
    ) -> Vec<u8> {
        if let Ok(_place) = self.forwarded.try_acquire() {
            let asked = match servers {
                None => self.upstream.ask(query, transport).await,
                Some(servers) => {
                    let servers: Vec<NameServer> = servers
                        .into_iter()
                        .map(|server| self.reach(server))
                        .collect();
                    upstream::ask_these(&servers, query, transport).await
                }
            };
            match asked {
                Ok(answer) => return answer,
                Err(error) => {
                    tracing::debug!(network = self.network, %error, "no resolver answered")
                }
            }
        }
        answer::refusal(parsed, ResponseCode::ServFail)
            .to_vec()
            .unwrap_or_default()
    }
}
