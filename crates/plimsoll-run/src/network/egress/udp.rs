//! Datagrams to the outside: for each pair of container socket and destination one socket on
//! either side, until both are idle.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::datagram::{self, Received};
use super::policy::Policy;
use crate::network::namespace::Resident;

/// After this long without a datagram in either direction a pair is forgotten.
const IDLE: Duration = Duration::from_secs(60);

/// Pairs at once; a new one beyond that is not served.
const PAIRS: usize = 8192;

/// Datagrams that wait while a pair's sockets are opened; more are lost, as on a wire.
const WAITING: usize = 64;

type Pair = (SocketAddrV4, SocketAddrV4);

/// Passes datagrams on until dropped.
pub(super) async fn serve(socket: UdpSocket, resident: Arc<Resident>, policy: Policy) {
    let mut sessions = tokio::task::JoinSet::new();
    let mut pairs: HashMap<Pair, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0_u8; 65_535];
    loop {
        tokio::select! {
            received = socket.async_io(Interest::READABLE, || {
                datagram::receive(socket.as_fd(), &mut buffer)
            }) => {
                let Ok(Received { length, source, destination }) = received else { continue };
                let pair = (source, destination);
                let datagram = buffer[..length].to_vec();
                let sender = match pairs.get(&pair) {
                    Some(sender) if !sender.is_closed() => sender,
                    _ if pairs.len() >= PAIRS => continue,
                    _ => {
                        let (sender, datagrams) = mpsc::channel(WAITING);
                        let (resident, policy) = (Arc::clone(&resident), policy.clone());
                        sessions.spawn(async move {
                            if let Err(error) = run(pair, &resident, &policy, datagrams).await {
                                tracing::debug!(%source, %destination, %error, "datagrams to the outside ended");
                            }
                            pair
                        });
                        pairs.insert(pair, sender);
                        &pairs[&pair]
                    }
                };
                let _ = sender.try_send(datagram);
            }
            Some(ended) = sessions.join_next() => {
                if let Ok(pair) = ended
                    && pairs.get(&pair).is_some_and(mpsc::Sender::is_closed)
                {
                    pairs.remove(&pair);
                }
            }
        }
    }
}

/// Once the socket inside is connected, the kernel gives it the pair's datagrams; the channel has
/// those that came before.
async fn run(
    (source, destination): Pair,
    resident: &Resident,
    policy: &Policy,
    mut datagrams: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let address = policy.dial_address(*source.ip(), destination)?;
    let outside = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    outside.connect(address).await?;
    let inside = resident
        .open_async(move || datagram::impersonate(destination, source))
        .await?;
    let inside = UdpSocket::from_std(inside.into())?;
    let (mut from_inside, mut from_outside) = (vec![0_u8; 65_535], vec![0_u8; 65_535]);
    loop {
        let turn = async {
            tokio::select! {
                Some(datagram) = datagrams.recv() => outside.send(&datagram).await,
                received = inside.recv(&mut from_inside) => {
                    let length = received?;
                    outside.send(&from_inside[..length]).await
                }
                received = outside.recv(&mut from_outside) => {
                    let length = received?;
                    inside.send(&from_outside[..length]).await
                }
            }
        };
        match timeout(IDLE, turn).await {
            Ok(passed) => passed.map(drop)?,
            Err(_) => return Ok(()),
        }
    }
}
