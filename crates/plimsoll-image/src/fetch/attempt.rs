//! One request, what may go wrong with it, and when it is worth another one.

use std::io::{self, Read};
use std::time::Duration;

use ureq::Agent;
use ureq::http;

use super::address::{credentials, without_credentials};
use super::{FetchError, FetchSettings, Headers, Response, ShownUrl};

/// Longest wait that a server may ask for with `Retry-After`.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Why one attempt did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Another attempt may succeed.
    Passing {
        reason: Reason,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
    /// Asking again cannot help.
    Final(FetchError),
}

/// What a passing failure looks like when it stays.
#[derive(Debug)]
pub(crate) enum Reason {
    Status(u16),
    Connection(String),
    /// Already an error, such as a wrong digest.
    Error(FetchError),
}

impl Failure {
    pub(crate) fn connection(reason: impl ToString) -> Self {
        Failure::Passing {
            reason: Reason::Connection(reason.to_string()),
            wait: None,
        }
    }
}

/// Counts attempts and waits between them.
pub(crate) struct Attempts<'a> {
    url: &'a str,
    settings: &'a FetchSettings,
    made: u32,
    delay: Duration,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(url: &'a str, settings: &'a FetchSettings) -> Self {
        Self {
            url,
            settings,
            made: 0,
            delay: settings.first_delay,
        }
    }

    /// Starts to count anew: the last attempt brought something.
    pub(crate) fn progressed(&mut self) {
        self.made = 0;
        self.delay = self.settings.first_delay;
    }

    /// Waits until another attempt is due, or says why there is none.
    pub(crate) fn next(&mut self, failure: Failure) -> Result<(), FetchError> {
        let (reason, wait) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing { reason, wait } => (reason, wait),
        };
        self.made += 1;
        if self.made >= self.settings.attempts {
            let url = ShownUrl::of(self.url);
            let attempts = self.made;
            return Err(match reason {
                Reason::Status(status) => FetchError::Status {
                    url,
                    status,
                    attempts,
                },
                Reason::Connection(reason) => FetchError::Connection {
                    url,
                    reason,
                    attempts,
                },
                Reason::Error(error) => error,
            });
        }
        let wait = wait.unwrap_or(self.delay).min(LONGEST_DELAY);
        tracing::debug!(url = %ShownUrl::of(self.url), ?reason, ?wait, "asking again");
        std::thread::sleep(wait);
        self.delay = self.delay.saturating_mul(2).min(LONGEST_DELAY);
        Ok(())
    }
}

/// Sends a request and returns the answer's head, unless it is one that another attempt may mend.
pub(super) fn send(
    agent: &Agent,
    url: &str,
    headers: &Headers,
    more: &[(&str, String)],
) -> Result<http::Response<ureq::Body>, Failure> {
    let mut request = agent.get(without_credentials(url));
    if let Some((user, password)) = credentials(url) {
        let (user, password) = (percent_decoded(user), percent_decoded(password));
        let token = base64(format!("{user}:{password}").as_bytes());
        request = request.header("authorization", format!("Basic {token}"));
    }
    for (name, value) in headers.iter() {
        request = request.header(name, value);
    }
    for (name, value) in more {
        request = request.header(*name, value);
    }
    let response = request.call().map_err(|error| classify(url, error))?;
    passing_status(response)
}

/// Tells the answers that another attempt may mend.
pub(super) fn passing_status(
    response: http::Response<ureq::Body>,
) -> Result<http::Response<ureq::Body>, Failure> {
    let status = response.status().as_u16();
    if status == 429 || status >= 500 {
        return Err(Failure::Passing {
            reason: Reason::Status(status),
            wait: retry_after(&response),
        });
    }
    Ok(response)
}

/// Reads a whole answer into memory.
pub(super) fn read_all(
    agent: &Agent,
    url: &str,
    headers: &Headers,
    limit: u64,
) -> Result<Response, Failure> {
    let response = send(agent, url, headers, &[])?;
    collect(response, url, limit)
}

/// Reads the rest of an answer into memory.
pub(super) fn collect(
    mut response: http::Response<ureq::Body>,
    url: &str,
    limit: u64,
) -> Result<Response, Failure> {
    let mut body = Vec::new();
    response
        .body_mut()
        .as_reader()
        .take(limit.saturating_add(1))
        .read_to_end(&mut body)
        .map_err(Failure::connection)?;
    if body.len() as u64 > limit {
        return Err(Failure::Final(FetchError::TooLarge {
            url: ShownUrl::of(url),
            limit,
        }));
    }
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    Ok(Response {
        status: response.status().as_u16(),
        headers,
        body,
    })
}

fn retry_after(response: &http::Response<ureq::Body>) -> Option<Duration> {
    let value = response.headers().get("retry-after")?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

pub(super) fn classify(url: &str, error: ureq::Error) -> Failure {
    let lasting = |reason: String| {
        Failure::Final(FetchError::Request {
            url: ShownUrl::of(url),
            reason,
        })
    };
    match error {
        ureq::Error::Http(_)
        | ureq::Error::BadUri(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::TooManyRedirects
        | ureq::Error::RedirectFailed => lasting(error.to_string()),
        // A certificate that is not trusted does not become so by asking again.
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => lasting(error.to_string()),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            lasting(error.to_string())
        }
        ureq::Error::HostNotFound => Failure::connection("no such host, or no name server answers"),
        other => Failure::connection(other),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match tail {
            [high, low, ..] if *first == b'%' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high)
                    .zip(digit(low))
                    .map(|(high, low)| high * 16 + low)
            }
            _ => None,
        };
        match code.and_then(|code| u8::try_from(code).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            if position <= chunk.len() {
                let index = (group >> (18 - 6 * position)) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_the_standard_says() {
        let encoded: Vec<String> = ["", "f", "fo", "foo", "foob", "fooba", "foobar"]
            .iter()
            .map(|text| base64(text.as_bytes()))
            .collect();
        assert_eq!(
            encoded,
            [
                "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"
            ]
        );
    }

    #[test]
    fn percent_decoding_leaves_what_is_no_code() {
        assert_eq!(percent_decoded("a%40b%2"), "a@b%2");
        assert_eq!(percent_decoded("100%"), "100%");
    }
}
