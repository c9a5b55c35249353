//! How a service's health shows: by the check that is written, else by what its source tells.

use std::time::Duration;

use plimsoll_diag::Span;
use plimsoll_model::facts::Health;
use plimsoll_model::{HealthRequest, HealthTest, Service};

/// How a service's health shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is tried.
    pub test: ProbeTest,
    /// Time between two tries.
    pub interval: Duration,
    /// Time a try may take.
    pub timeout: Duration,
    /// Failures in a row that mean unhealthy.
    pub retries: u32,
    /// Time after the start in which failures do not count.
    pub start_period: Duration,
    /// Time between two tries in that time.
    pub start_interval: Duration,
    /// Its place.
    pub span: Option<Span>,
}

/// What a health check tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeTest {
    /// A GET of this path.
    Http {
        /// The port.
        port: u16,
        /// The path, with its leading slash.
        path: String,
    },
    /// A connection.
    Tcp {
        /// The port.
        port: u16,
    },
    /// A program in the container.
    Exec(Vec<String>),
    /// A line for the container's shell.
    Shell(String),
}

pub(super) fn probe(service: &Service) -> Option<Probe> {
    let Some(check) = &service.healthcheck else {
        return found_probe(service);
    };
    let value = &check.value;
    let test = match value.test.as_ref() {
        None => return found_probe(service),
        Some(HealthTest::Disabled) => return None,
        Some(test) => request(test).unwrap_or_else(|| match test {
            HealthTest::Exec(words) => ProbeTest::Exec(words.clone()),
            HealthTest::Shell(line) => ProbeTest::Shell(line.clone()),
            HealthTest::Disabled => ProbeTest::Exec(Vec::new()),
        }),
    };
    // Docker's own defaults.
    Some(Probe {
        test,
        interval: value.interval.unwrap_or(Duration::from_secs(30)),
        timeout: value.timeout.unwrap_or(Duration::from_secs(30)),
        retries: value.retries.unwrap_or(3),
        start_period: value.start_period.unwrap_or_default(),
        start_interval: value.start_interval.unwrap_or(Duration::from_secs(5)),
        span: check.span.clone(),
    })
}

/// What the source tells of a service's health.
fn found_probe(service: &Service) -> Option<Probe> {
    let (test, span) = match service.facts.health.as_ref()? {
        Health::Http(route) => (
            ProbeTest::Http {
                port: route.port,
                path: route.path.clone(),
            },
            route.span.clone(),
        ),
        Health::Tcp { port } => (ProbeTest::Tcp { port: *port }, None),
        Health::Command { command, .. } => (ProbeTest::Exec(command.clone()), None),
        Health::McpHandshake => return None,
    };
    Some(Probe {
        test,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        retries: 3,
        start_period: Duration::from_secs(60),
        start_interval: Duration::from_secs(2),
        span,
    })
}

/// The request that a test makes to the service itself.
fn request(test: &HealthTest) -> Option<ProbeTest> {
    let (address, is_http) = match HealthRequest::of_test(test)? {
        HealthRequest::Http(url) => (url, true),
        // Kubernetes knows no probe that any status satisfies.
        HealthRequest::HttpAnyStatus(_) => return None,
        HealthRequest::Tcp(address) => (address, false),
    };
    let rest = address.strip_prefix("http://").unwrap_or(&address);
    if rest.contains("://") {
        return None;
    }
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    if !matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0") {
        return None;
    }
    Some(if is_http {
        ProbeTest::Http {
            port,
            path: path.to_owned(),
        }
    } else {
        ProbeTest::Tcp { port }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_of_the_service_itself_is_a_request() {
        let test = |line: &str| request(&HealthTest::Shell(line.to_owned()));
        assert_eq!(
            test("curl -f http://localhost:8000/health || exit 1"),
            Some(ProbeTest::Http {
                port: 8000,
                path: "/health".to_owned()
            })
        );
        assert_eq!(
            test("nc -z 127.0.0.1 5432"),
            Some(ProbeTest::Tcp { port: 5432 })
        );
        assert_eq!(test("curl -f http://db:8000/health"), None);
        assert_eq!(test("curl http://localhost:8000/health"), None);
        assert_eq!(test("pg_isready"), None);
    }
}
