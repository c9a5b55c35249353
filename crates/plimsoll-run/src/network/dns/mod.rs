//! Names on a network.
//!
//! Each network's bridge address answers on port 53, UDP and TCP. What is known comes from the
//! keeper's directory; what is not goes to the host's own resolvers, for containers that have a
//! way out.

mod answer;
mod server;
mod upstream;

pub(crate) use server::start;
pub(crate) use upstream::Upstream;
