//! Connections to the outside.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::policy::Policy;
use crate::network::relay::{relay, reset};

/// The container is connected already and waits; longer than this nobody should.
const PATIENCE: Duration = Duration::from_secs(15);

/// Accepts until dropped. The accepted socket's own address is where the container wanted to go.
pub(super) async fn serve(listener: TcpListener, policy: Policy) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((inside, source)) => {
                    let policy = policy.clone();
                    connections.spawn(async move {
                        match dial(&inside, source, &policy).await {
                            Ok(outside) => relay(inside, outside).await,
                            Err(error) => {
                                tracing::debug!(%source, %error, "a connection to the outside failed");
                                reset(inside);
                            }
                        }
                    });
                }
                // Out of descriptors, most likely: others will be closed meanwhile.
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn dial(inside: &TcpStream, source: SocketAddr, policy: &Policy) -> io::Result<TcpStream> {
    let (SocketAddr::V4(source), SocketAddr::V4(wanted)) = (source, inside.local_addr()?) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let address = policy.dial_address(*source.ip(), wanted)?;
    timeout(PATIENCE, TcpStream::connect(SocketAddr::V4(address))).await?
}
