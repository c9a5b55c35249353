//! Published UDP ports: one socket inside the network for each client, until it is idle.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Destination;

/// After this long without a datagram in either direction a client is forgotten.
const IDLE: Duration = Duration::from_secs(60);

/// Clients at once; a new one beyond that is not served.
const CLIENTS: usize = 4096;

/// Datagrams that wait for a client's socket; more are lost, as they would be on a wire.
const WAITING: usize = 256;

/// Passes datagrams on until dropped.
pub(super) async fn serve(socket: UdpSocket, destination: Destination) {
    let socket = Arc::new(socket);
    let mut sessions = tokio::task::JoinSet::new();
    let mut clients: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0_u8; 65_535];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                // The error is about an earlier answer to a client that is gone.
                let Ok((length, client)) = received else { continue };
                let datagram = buffer[..length].to_vec();
                let sender = match clients.get(&client) {
                    Some(sender) if !sender.is_closed() => sender,
                    _ if clients.len() >= CLIENTS => continue,
                    _ => {
                        let (sender, datagrams) = mpsc::channel(WAITING);
                        let session = Session {
                            socket: Arc::clone(&socket),
                            destination: destination.clone(),
                            client,
                        };
                        sessions.spawn(async move {
                            // A failure ends the session; the next datagram begins another.
                            let _ = session.run(datagrams).await;
                            client
                        });
                        clients.insert(client, sender);
                        &clients[&client]
                    }
                };
                let _ = sender.try_send(datagram);
            }
            Some(ended) = sessions.join_next() => {
                if let Ok(client) = ended
                    && clients.get(&client).is_some_and(mpsc::Sender::is_closed)
                {
                    clients.remove(&client);
                }
            }
        }
    }
}

struct Session {
    socket: Arc<UdpSocket>,
    destination: Destination,
    client: SocketAddr,
}

impl Session {
    async fn run(&self, mut datagrams: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
        let inside = self
            .destination
            .resident
            .open_async(|| Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), None))
            .await?;
        inside.connect(&SocketAddr::V4(self.destination.address).into())?;
        let inside = UdpSocket::from_std(inside.into())?;
        let mut buffer = vec![0_u8; 65_535];
        loop {
            let turn = async {
                tokio::select! {
                    datagram = datagrams.recv() => match datagram {
                        None => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
                        // Refused while the container does not listen: lost, as on a wire.
                        Some(datagram) => { let _ = inside.send(&datagram).await; Ok(()) }
                    },
                    received = inside.recv(&mut buffer) => {
                        if let Ok(length) = received {
                            self.socket.send_to(&buffer[..length], self.client).await?;
                        }
                        Ok(())
                    }
                }
            };
            match timeout(IDLE, turn).await {
                Ok(done) => done?,
                Err(_) => return Ok(()),
            }
        }
    }
}
