//! Health checks that the engine can make itself instead of a program in the image.
//!
//! Those are requests ([`HealthRequest`]) to the container's own loopback. All others are run as
//! they are written.

use std::time::Duration;

use plimsoll_model::HealthRequest;
use plimsoll_probe::{Expect, Outcome, ParseTargetError, Target};
use serde::{Deserialize, Serialize};

use super::spec::HealthTest;

/// A request that the engine makes from inside a container's network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeCommand {
    /// A GET that must be answered with 2xx or 3xx.
    Http(String),
    /// A GET that must be answered in HTTP.
    HttpAnyStatus(String),
    /// A connection to `host:port`.
    Tcp(String),
}

impl ProbeCommand {
    /// Asks from where the caller is.
    pub(crate) fn check(&self, timeout: Duration) -> Outcome {
        match self.target() {
            Ok(target) => plimsoll_probe::check(&target, timeout),
            Err(error) => Outcome::Unhealthy(error.to_string()),
        }
    }

    fn target(&self) -> Result<Target, ParseTargetError> {
        match self {
            Self::Http(url) => Target::http(url, Expect::Success),
            Self::HttpAnyStatus(url) => Target::http(url, Expect::Response),
            Self::Tcp(address) => Target::tcp(address),
        }
    }

    /// The probe itself, if it stays within the container.
    fn if_local(self) -> Option<Self> {
        self.target()
            .is_ok_and(|target| target.is_local())
            .then_some(self)
    }
}

impl From<HealthRequest> for ProbeCommand {
    fn from(request: HealthRequest) -> Self {
        match request {
            HealthRequest::Http(url) => Self::Http(url),
            HealthRequest::HttpAnyStatus(url) => Self::HttpAnyStatus(url),
            HealthRequest::Tcp(address) => Self::Tcp(address),
        }
    }
}

/// The request that says the same as `test`, where there is one.
pub fn translate(test: &HealthTest) -> Option<ProbeCommand> {
    let request = match test {
        HealthTest::Probe(probe) => return Some(probe.clone()),
        HealthTest::Shell(line) => HealthRequest::of_line(line),
        HealthTest::Exec(words) => HealthRequest::of_words(words),
    };
    request.and_then(|request| ProbeCommand::from(request).if_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_shell(line: &str) -> Option<ProbeCommand> {
        translate(&HealthTest::Shell(line.to_owned()))
    }

    #[test]
    fn only_the_own_loopback_is_asked() {
        assert_eq!(
            of_shell("curl -f http://localhost:8000/health"),
            Some(ProbeCommand::Http(
                "http://localhost:8000/health".to_owned()
            ))
        );
        for line in [
            "curl -f https://localhost/health",
            "curl -f http://db:8000/health",
            "nc -z db 5432",
        ] {
            assert_eq!(of_shell(line), None, "{line}");
        }
    }
}
