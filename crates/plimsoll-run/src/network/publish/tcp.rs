//! Published TCP ports.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::Destination;
use crate::network::relay::{relay, reset};

/// How long a client waits for a container that does not listen yet. Long enough for "started"
/// to become "listening" in most programs, short enough to look like a refusal in the others.
const HOLD: Duration = Duration::from_secs(1);

/// How long a connection attempt that nobody refuses may take: a busy server's full queue lets
/// packets drop, and the kernel tries again after one, three and seven seconds.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until dropped, and connects each client to the container.
pub(super) async fn serve(listener: TcpListener, destination: Destination) {
    let mut clients = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let destination = destination.clone();
                    clients.spawn(async move {
                        match connect(&destination).await {
                            Ok(container) => relay(client, container).await,
                            Err(error) => {
                                tracing::debug!(address = %destination.address, %error, "a published port leads nowhere");
                                reset(client);
                            }
                        }
                    });
                }
                // Out of descriptors, most likely: others will be closed meanwhile.
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

/// Connects from inside the network, holding on for a moment while nobody listens.
async fn connect(destination: &Destination) -> io::Result<TcpStream> {
    let deadline = Instant::now() + HOLD;
    let mut pause = FIRST_PAUSE;
    loop {
        match timeout(PATIENCE, attempt(destination)).await? {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() + pause > deadline => return Err(error),
            Err(_) => sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(destination: &Destination) -> io::Result<TcpStream> {
    let socket = destination
        .resident
        .open_async(|| Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None))
        .await?;
    TcpSocket::from_std_stream(socket.into())
        .connect(SocketAddr::V4(destination.address))
        .await
}
