//! Asks a server whether it is well, without any program in the image.
//!
//! The standard library only, one connection, a bounded answer. The engine calls [`check`] from
//! inside a container's network; the small program of the same name can be put in images that
//! other engines run.

mod http;
mod target;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub use target::{Expect, ParseTargetError, Target};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered as it should.
    Healthy(String),
    /// It did not; the text says how.
    Unhealthy(String),
}

impl Outcome {
    /// Whether the server answered as it should.
    pub fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy(_))
    }

    /// What to tell a person.
    pub fn message(&self) -> &str {
        match self {
            Self::Healthy(message) | Self::Unhealthy(message) => message,
        }
    }
}

/// Asks once. All addresses of the host are tried in turn within `timeout`, which bounds the whole
/// check: a server that sends one byte a second does not keep it.
pub fn check(target: &Target, timeout: Duration) -> Outcome {
    let deadline = Instant::now() + timeout;
    let addresses = match target.addresses() {
        Ok(addresses) if !addresses.is_empty() => addresses,
        Ok(_) => return Outcome::Unhealthy(format!("`{}` has no address", target.host())),
        Err(error) => {
            return Outcome::Unhealthy(format!("cannot resolve `{}`: {error}", target.host()));
        }
    };
    let mut failures = Vec::new();
    for address in addresses {
        match connect(address, deadline) {
            Ok(stream) => return ask(target, stream, deadline),
            Err(error) => failures.push(format!("cannot connect to {address}: {error}")),
        }
    }
    Outcome::Unhealthy(failures.join("; "))
}

fn ask(target: &Target, stream: TcpStream, deadline: Instant) -> Outcome {
    match target {
        Target::Tcp { host, port } => {
            Outcome::Healthy(format!("{host}:{port} accepts connections"))
        }
        Target::Http(request) => match http::get(request, stream, deadline) {
            Ok(status) => {
                let message = format!("GET {} answered {status}", request.path);
                if request.expect.accepts(status) {
                    Outcome::Healthy(message)
                } else {
                    Outcome::Unhealthy(message)
                }
            }
            Err(error) => Outcome::Unhealthy(format!("GET {}: {error}", request.path)),
        },
    }
}

fn connect(address: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, remaining(deadline)?)
}

/// Time left; an error when there is none, since sockets take zero as "for ever".
fn remaining(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
    }
    Ok(left)
}
