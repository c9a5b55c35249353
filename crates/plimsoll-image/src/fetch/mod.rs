//! Fetching over HTTP: the only way in which this crate reaches a network.
//!
//! A [`Fetcher`] retries, resumes, verifies and reports. It knows no host: every URL comes from
//! the caller, who has it from a package client's own configuration. It reads no environment:
//! proxies are [`FetchSettings`]. Certificates are those that the system trusts, so that a
//! company's authority works.

mod address;
mod attempt;
mod download;
mod error;
mod names;
mod outgoing;
mod partial;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plimsoll_diag::{Progress, Secret};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

pub use address::ShownUrl;
pub use download::Download;
pub use error::FetchError;

pub(crate) use attempt::{Failure, base64};
pub(crate) use outgoing::{Method, Opener, Outgoing, Payload};

use attempt::Attempts;
use names::Names;

/// How to reach the network, and how hard to try.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Proxy for `http:` URLs (`HTTP_PROXY`).
    pub http_proxy: Option<Secret<String>>,
    /// Proxy for `https:` URLs (`HTTPS_PROXY`).
    pub https_proxy: Option<Secret<String>>,
    /// Hosts reached without a proxy, comma-separated (`NO_PROXY`).
    pub no_proxy: Option<String>,
    /// How often one thing is asked for before giving up. Progress made by resuming does not
    /// count as an attempt.
    pub attempts: u32,
    /// Wait before the second attempt; doubles with each further one.
    pub first_delay: Duration,
    /// Longest silence of a server that is waited through.
    pub patience: Duration,
    /// How many files [`Fetcher::download_all`] fetches at once.
    pub parallel: usize,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            http_proxy: None,
            https_proxy: None,
            no_proxy: None,
            attempts: 5,
            first_delay: Duration::from_millis(250),
            patience: Duration::from_secs(30),
            parallel: 8,
        }
    }
}

/// Headers of a request. Values may be credentials, so they are never shown.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, Secret<String>)>);

impl Headers {
    /// No header.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds one.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), Secret::new(value.into())));
        self
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose().as_str()))
    }
}

/// An answer held in memory.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed where the transport compressed it.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(candidate, _)| candidate == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Fetches over HTTP and HTTPS. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Fetcher {
    plain: Agent,
    secure: Agent,
    settings: Arc<FetchSettings>,
    progress: Arc<dyn Progress>,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Fetcher")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher that tells `progress` what it does.
    ///
    /// # Errors
    /// When a proxy setting is not a URL.
    pub fn new(settings: FetchSettings, progress: Arc<dyn Progress>) -> Result<Self, FetchError> {
        let names = Names::default();
        Ok(Self {
            plain: agent(&settings, settings.http_proxy.as_ref(), &names)?,
            secure: agent(&settings, settings.https_proxy.as_ref(), &names)?,
            settings: Arc::new(settings),
            progress,
        })
    }

    /// The receiver of progress, for callers that do more than fetch.
    pub fn progress(&self) -> &Arc<dyn Progress> {
        &self.progress
    }

    /// Asks once for each attempt until there is an answer that is not 429, 5xx or a broken
    /// connection, and returns it whatever its status is.
    ///
    /// # Errors
    /// When every attempt fails, or the body exceeds `limit`.
    pub fn get(&self, url: &str, headers: &Headers, limit: u64) -> Result<Response, FetchError> {
        let mut attempts = Attempts::new(url, &self.settings);
        loop {
            match attempt::read_all(self.agent(url), url, headers, limit) {
                Ok(response) => return Ok(response),
                Err(failure) => attempts.next(failure)?,
            }
        }
    }

    /// Like [`Fetcher::get`], but anything other than success is an error.
    ///
    /// # Errors
    /// When every attempt fails, the status is not 2xx, or the body exceeds `limit`.
    pub fn get_bytes(
        &self,
        url: &str,
        headers: &Headers,
        limit: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let response = self.get(url, headers, limit)?;
        if (200..300).contains(&response.status) {
            Ok(response.body)
        } else {
            Err(FetchError::Status {
                url: ShownUrl::of(url),
                status: response.status,
                attempts: 1,
            })
        }
    }

    /// Works on all items at once, as many as are fetched at once; results in their order.
    pub(crate) fn at_once<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> R + Sync,
    ) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
        let run = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let (Some(item), Some(place)) = (items.get(index), results.get(index)) else {
                    break;
                };
                let result = work(item);
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.settings.parallel.min(items.len()) {
                scope.spawn(run);
            }
        });
        let taken = results
            .into_iter()
            .filter_map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner));
        taken.collect()
    }

    fn agent(&self, url: &str) -> &Agent {
        let secure = url
            .get(..6)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        if secure { &self.secure } else { &self.plain }
    }
}

fn agent(
    settings: &FetchSettings,
    proxy: Option<&Secret<String>>,
    names: &Names,
) -> Result<Agent, FetchError> {
    let proxy = proxy
        .map(|proxy| with_exceptions(proxy.expose(), settings.no_proxy.as_deref()))
        .transpose()?;
    let config = Agent::config_builder()
        // Without this line the client would read the proxy from the environment.
        .proxy(proxy)
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        )
        .http_status_as_error(false)
        .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(settings.patience))
        .timeout_recv_response(Some(settings.patience))
        .timeout_per_read(Some(settings.patience))
        .max_idle_connections_per_host(settings.parallel)
        .max_idle_connections(settings.parallel * 4)
        .build();
    Ok(Agent::with_parts(
        config,
        DefaultConnector::default(),
        names.clone(),
    ))
}

fn with_exceptions(proxy: &str, no_proxy: Option<&str>) -> Result<ureq::Proxy, FetchError> {
    let unusable = |error: ureq::Error| FetchError::Request {
        url: ShownUrl::of(proxy),
        reason: format!("the proxy setting is not usable: {error}"),
    };
    let parsed = ureq::Proxy::new(proxy).map_err(unusable)?;
    let Some(no_proxy) = no_proxy else {
        return Ok(parsed);
    };
    let mut builder = ureq::Proxy::builder(parsed.protocol())
        .host(parsed.host())
        .port(parsed.port());
    if let Some(user) = parsed.username() {
        builder = builder.username(user);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for host in no_proxy.split(',').map(str::trim) {
        if !host.is_empty() {
            builder = builder.no_proxy(host);
        }
    }
    builder.build().map_err(unusable)
}
