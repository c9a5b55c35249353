//! The way out of a network: connections received inside its namespace and dialled again from the
//! host's.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ipnet::Ipv4Net;
use tokio::runtime::Handle;

use super::directory::{Directory, ListedNetwork};
use super::namespace::Resident;
use super::netlink::RouteSocket;
use super::protocol::NetworkWarning;

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

    fn routes(&self) -> MutexGuard<'_, RouteSocket> {
        // A request that panicked left at most answers behind, which the next one skips.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open way out; it closes when dropped.
#[derive(Debug)]
pub(crate) struct WayOut {}

impl WayOut {
    pub(crate) fn allow_host_gateway(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn open(
    _runtime: &Handle,
    _resident: &Arc<Resident>,
    _network: &ListedNetwork,
    _directory: &Arc<RwLock<Directory>>,
    _host: &Arc<HostView>,
) -> (Option<WayOut>, Option<NetworkWarning>) {
    (None, None)
}
