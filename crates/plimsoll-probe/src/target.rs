//! What is asked: an address, and for HTTP a path.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// What a check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An HTTP request.
    Http(HttpRequest),
    /// A TCP connection, closed at once.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
}

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path with query, as sent.
    pub(crate) path: String,
    /// Value of the `Host` header.
    pub(crate) authority: String,
    pub(crate) expect: Expect,
}

/// Which answers are well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// 200 to 399.
    Success,
    /// Any answer in HTTP.
    Response,
}

impl Expect {
    pub(crate) fn accepts(self, status: u16) -> bool {
        match self {
            Self::Success => (200..400).contains(&status),
            Self::Response => true,
        }
    }
}

/// Text that names no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseTargetError(String);

impl std::fmt::Display for ParseTargetError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ParseTargetError {}

impl Target {
    /// A request for `url`: `http://host[:port][/path]`; the scheme may be missing.
    ///
    /// # Errors
    /// Other schemes (TLS needs more than this crate has), user information, odd characters.
    pub fn http(url: &str, expect: Expect) -> Result<Self, ParseTargetError> {
        let bad = |reason: &str| ParseTargetError(format!("`{url}` {reason}"));
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(bad("is not an http:// address")),
            None => url,
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad("holds characters that an address cannot hold"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(bad("carries a user name, which is not supported"));
        }
        let (host, port) =
            split_authority(authority, Some(80)).ok_or_else(|| bad("names no host"))?;
        let path = path.split('#').next().unwrap_or("");
        let path = match path.as_bytes().first() {
            Some(b'/') => path.to_owned(),
            Some(_) => format!("/{path}"),
            None => "/".to_owned(),
        };
        Ok(Self::Http(HttpRequest {
            host,
            port,
            path,
            authority: authority.to_owned(),
            expect,
        }))
    }

    /// A connection to `host:port`.
    ///
    /// # Errors
    /// When either is missing.
    pub fn tcp(address: &str) -> Result<Self, ParseTargetError> {
        let (host, port) = split_authority(address, None)
            .ok_or_else(|| ParseTargetError(format!("`{address}` is not HOST:PORT")))?;
        Ok(Self::Tcp { host, port })
    }

    /// The host that is asked.
    pub fn host(&self) -> &str {
        match self {
            Self::Http(request) => &request.host,
            Self::Tcp { host, .. } => host,
        }
    }

    /// Whether the host is this machine's own loopback, by name or number.
    pub fn is_local(&self) -> bool {
        self.local_addresses().is_some()
    }

    fn port(&self) -> u16 {
        match self {
            Self::Http(request) => request.port,
            Self::Tcp { port, .. } => *port,
        }
    }

    /// Addresses of hosts that need no name server.
    fn local_addresses(&self) -> Option<Vec<IpAddr>> {
        let host = self.host();
        // No look-up for this name: an image may lack /etc/hosts, and a name server could lie.
        if host.eq_ignore_ascii_case("localhost") {
            return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let address: IpAddr = host.parse().ok()?;
        if address.is_unspecified() || address.is_loopback() {
            // Connecting to the unspecified address means the loopback on Linux.
            return Some(vec![address]);
        }
        None
    }

    pub(crate) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let port = self.port();
        if let Some(addresses) = self.local_addresses() {
            return Ok(addresses
                .into_iter()
                .map(|address| SocketAddr::new(address, port))
                .collect());
        }
        Ok((self.host(), port).to_socket_addrs()?.collect())
    }
}

/// `host`, `host:port`, `[v6]:port`.
fn split_authority(text: &str, default_port: Option<u16>) -> Option<(String, u16)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, rest.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None => default_port?,
    };
    if host.is_empty() {
        return None;
    }
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> Option<(String, u16, String)> {
        match Target::http(url, Expect::Success) {
            Ok(Target::Http(request)) => Some((request.host, request.port, request.path)),
            _ => None,
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        let expected =
            |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(parts("http://localhost"), expected("localhost", 80, "/"));
        assert_eq!(
            parts("http://127.0.0.1:8000/health?full=1#top"),
            expected("127.0.0.1", 8000, "/health?full=1")
        );
        assert_eq!(parts("http://[::1]:81/"), expected("::1", 81, "/"));
        assert_eq!(parts("web:3000?x"), expected("web", 3000, "/?x"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in [
            "https://localhost",
            "http://",
            "http://:80/",
            "http://a:0/",
            "http://a:99999/",
            "http://user:pass@a/",
            "http://a/b c",
            "http://a/\r\nx: y",
        ] {
            assert!(Target::http(url, Expect::Success).is_err(), "{url}");
        }
        assert!(Target::tcp("localhost").is_err());
        assert!(Target::tcp("localhost:5432").is_ok());
    }

    #[test]
    fn local_hosts_are_known_without_a_name_server() {
        for (host, local) in [
            ("localhost:1", true),
            ("LOCALHOST:1", true),
            ("127.0.0.2:1", true),
            ("0.0.0.0:1", true),
            ("[::1]:1", true),
            ("db:1", false),
            ("10.0.0.1:1", false),
        ] {
            assert_eq!(Target::tcp(host).unwrap().is_local(), local, "{host}");
        }
    }
}
