//! The servers that are asked for names that are not a network's: the host's own resolvers, or
//! those that a container names.
//!
//! Called from the host's namespace only; a server that is a container itself is asked through its
//! network's. The resolver file is read for each question: it changes
//! when a laptop changes networks, and reading it costs less than asking.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::time::timeout;

use crate::network::namespace::Resident;

const PATIENCE: Duration = Duration::from_millis(2500);

/// A resolver is asked again once; then whoever asked should hear that it failed.
const ROUNDS: usize = 2;

/// How a question came, and so how it is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// One datagram; a long answer is cut.
    Datagram,
    /// A connection.
    Stream,
}

/// The host's resolvers.
#[derive(Debug)]
pub(crate) struct Upstream {
    resolver_file: PathBuf,
}

impl Upstream {
    /// Resolvers named by a file in the format of `resolv.conf`.
    pub(crate) fn new(resolver_file: PathBuf) -> Self {
        Self { resolver_file }
    }

    /// Passes a query on, byte for byte, and gives the first answer.
    pub(crate) async fn ask(&self, query: &[u8], transport: Transport) -> io::Result<Vec<u8>> {
        let text = fs_err::read_to_string(&self.resolver_file)?;
        let servers: Vec<NameServer> = name_servers(&text)
            .into_iter()
            .map(|address| NameServer {
                address,
                inside: None,
            })
            .collect();
        ask_these(&servers, query, transport).await
    }
}

/// One server.
#[derive(Debug)]
pub(crate) struct NameServer {
    /// Its address and port.
    pub(crate) address: SocketAddr,
    /// The network it is a container on; `None`: it is outside.
    pub(crate) inside: Option<Arc<Resident>>,
}

/// Passes a query on to one server after the other, and gives the first answer.
pub(crate) async fn ask_these(
    servers: &[NameServer],
    query: &[u8],
    transport: Transport,
) -> io::Result<Vec<u8>> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "no name server is configured");
    for _ in 0..ROUNDS {
        for server in servers {
            let asked = timeout(PATIENCE, async {
                match transport {
                    Transport::Datagram => ask_datagram(server, query).await,
                    Transport::Stream => ask_stream(server, query).await,
                }
            });
            match asked.await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::Error::from(io::ErrorKind::TimedOut),
            }
        }
    }
    Err(failure)
}

impl NameServer {
    /// A socket from which it can be reached.
    async fn socket(&self, kind: Type) -> io::Result<Socket> {
        let open = {
            let domain = Domain::for_address(self.address);
            move || Socket::new(domain, kind.nonblocking().cloexec(), None)
        };
        match &self.inside {
            Some(resident) => resident.open_async(open).await,
            None => open(),
        }
    }
}

async fn ask_datagram(server: &NameServer, query: &[u8]) -> io::Result<Vec<u8>> {
    let own: IpAddr = match server.address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = server.socket(Type::DGRAM).await?;
    socket.bind(&SocketAddr::new(own, 0).into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    socket.connect(server.address).await?;
    // The container chose its identifier; towards the world it is ours, as the port is.
    let own_id = Message::query().metadata.id;
    socket.send(&with_id(query, own_id)).await?;
    let mut buffer = vec![0_u8; 65_535];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if answers(&buffer[..length], query, own_id) {
            return Ok(with_id(&buffer[..length], id(query)));
        }
    }
}

async fn ask_stream(server: &NameServer, query: &[u8]) -> io::Result<Vec<u8>> {
    let socket = TcpSocket::from_std_stream(server.socket(Type::STREAM).await?.into());
    let mut stream = socket.connect(server.address).await?;
    let length =
        u16::try_from(query.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(query);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0_u8; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    if answers(&answer, query, id(query)) {
        Ok(answer)
    } else {
        Err(io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// Whether the bytes are an answer to this very question.
fn answers(answer: &[u8], query: &[u8], id_expected: u16) -> bool {
    let (Some(asked), Some(answered)) = (question(query), question(answer)) else {
        return false;
    };
    id(answer) == id_expected && answer[2] & 0x80 != 0 && asked.eq_ignore_ascii_case(answered)
}

/// The bytes of the first question: a name without compression, type and class.
fn question(message: &[u8]) -> Option<&[u8]> {
    let mut end = 12;
    loop {
        let label = usize::from(*message.get(end)?);
        end += label + 1;
        if label == 0 {
            return message.get(12..end + 4);
        }
        if label > 63 {
            return None;
        }
    }
}

fn id(message: &[u8]) -> u16 {
    match message {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

fn with_id(message: &[u8], id: u16) -> Vec<u8> {
    let mut bytes = message.to_vec();
    if let Some(place) = bytes.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
    bytes
}

fn name_servers(resolver_file: &str) -> Vec<SocketAddr> {
    resolver_file
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == "nameserver").then(|| words.next())?
        })
        // A zone (`fe80::1%eth0`) cannot be kept in an address; such a server is left out.
        .filter_map(|text| text.parse::<IpAddr>().ok())
        .map(|address| SocketAddr::new(address, 53))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;
    use hickory_proto::rr::{Name, RecordType};

    fn query(name: &str) -> Vec<u8> {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
        message.to_vec().unwrap()
    }

    #[test]
    fn resolver_files_are_read_as_the_system_does() {
        let text = "# local\nsearch example.org\nnameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\n nameserver 192.0.2.1 # two\noptions edns0\n";
        let servers: Vec<String> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["127.0.0.53:53", "[::1]:53", "192.0.2.1:53"]);
    }

    #[test]
    fn only_answers_to_the_question_count() {
        let asked = query("example.org.");
        let mut answer = asked.clone();
        assert!(
            !answers(&answer, &asked, id(&asked)),
            "a query is no answer"
        );
        answer[2] |= 0x80;
        assert!(answers(&answer, &asked, id(&asked)));
        assert!(!answers(&answer, &asked, id(&asked).wrapping_add(1)));
        let mut upper = answer.clone();
        upper[13] = b'E';
        assert!(answers(&upper, &asked, id(&asked)));
        let mut other = query("example.net.");
        other[2] |= 0x80;
        assert!(!answers(&with_id(&other, id(&asked)), &asked, id(&asked)));
        assert!(!answers(&answer[..14], &asked, id(&asked)));
    }
}
