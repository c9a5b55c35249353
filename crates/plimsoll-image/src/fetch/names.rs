//! Addresses of hosts, asked for once.
//!
//! Many connections to one mirror begin at once. Asked for each of them, a name server that loses
//! one packet in a hundred would make most builds wait for its five seconds.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer holds: longer than a build's burst of connections, shorter than anyone waits
/// after changing an address.
const HOLDS: Duration = Duration::from_secs(60);

/// What is known of one host.
type Known = Arc<Mutex<Option<(Instant, Vec<SocketAddr>)>>>;

/// Resolves names through the system, and keeps the answers for a while. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    known: Arc<Mutex<HashMap<String, Known>>>,
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = format!(
            "{:?}:{:?} {:?}",
            uri.scheme(),
            uri.authority(),
            config.ip_family()
        );
        let entry = Arc::clone(
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(host)
                .or_default(),
        );
        // Held while asking: whoever wants the same host waits for this answer.
        let mut entry = entry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut addresses = self.empty();
        match &*entry {
            Some((asked, known)) if asked.elapsed() < HOLDS => {
                for address in known {
                    addresses.push(*address);
                }
            }
            _ => {
                addresses = DefaultResolver::default().resolve(uri, config, timeout)?;
                *entry = Some((Instant::now(), addresses.iter().copied().collect()));
            }
        }
        Ok(addresses)
    }
}
