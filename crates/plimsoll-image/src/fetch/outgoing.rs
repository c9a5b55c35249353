//! Requests that carry something: what uploads are made of.
//!
//! A body that is streamed can be opened again, so that an attempt that failed is followed by
//! another. Whoever resumes in the middle makes the attempts itself.

use std::io::Read;

use super::address::without_credentials;
use super::attempt::{self, Attempts, Failure};
use super::{FetchError, Fetcher, Headers, Response, ShownUrl};

/// The largest answer to an upload that is read.
const LARGEST_ANSWER: u64 = 8 << 20;

/// What is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Head,
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Head => "HEAD",
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// Opens a body for one attempt.
pub(crate) type Opener<'a> = dyn Fn() -> std::io::Result<Box<dyn Read + 'a>> + Sync + 'a;

/// What a request carries.
#[derive(Clone, Copy)]
pub(crate) enum Payload<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Stream { open: &'a Opener<'a>, length: u64 },
}

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a, 'p> {
    pub method: Method,
    pub url: &'a str,
    pub headers: &'a Headers,
    pub payload: Payload<'p>,
}

impl Fetcher {
    /// Sends a request until there is an answer that is not 429, 5xx or a broken connection, and
    /// returns it whatever its status is.
    pub(crate) fn send(&self, request: &Outgoing<'_, '_>) -> Result<Response, FetchError> {
        let mut attempts = self.attempts(request.url);
        loop {
            match self.send_once(request) {
                Ok(response) => return Ok(response),
                Err(failure) => attempts.next(failure)?,
            }
        }
    }

    /// Sends a request once.
    pub(crate) fn send_once(&self, request: &Outgoing<'_, '_>) -> Result<Response, Failure> {
        let unusable = |reason: String| {
            Failure::Final(FetchError::Request {
                url: ShownUrl::of(request.url),
                reason,
            })
        };
        let mut builder = ureq::http::Request::builder()
            .method(request.method.name())
            .uri(without_credentials(request.url));
        for (name, value) in request.headers.iter() {
            builder = builder.header(name, value);
        }
        if let Payload::Stream { length, .. } = request.payload {
            builder = builder.header("content-length", length);
        }
        let agent = self.agent(request.url);
        let answer = match request.payload {
            Payload::Nothing => {
                let request = builder.body(()).map_err(|e| unusable(e.to_string()))?;
                agent.run(request)
            }
            Payload::Bytes(bytes) => {
                let request = builder.body(bytes).map_err(|e| unusable(e.to_string()))?;
                agent.run(request)
            }
            Payload::Stream { open, .. } => {
                let mut source = open().map_err(|source| {
                    Failure::Final(FetchError::Source {
                        url: ShownUrl::of(request.url),
                        source,
                    })
                })?;
                let body = ureq::SendBody::from_reader(&mut source);
                let request = builder.body(body).map_err(|e| unusable(e.to_string()))?;
                agent.run(request)
            }
        };
        let response = answer.map_err(|error| attempt::classify(request.url, error))?;
        let response = attempt::passing_status(response)?;
        attempt::collect(response, request.url, LARGEST_ANSWER)
    }

    /// Counts the attempts of whoever makes them itself.
    pub(crate) fn attempts<'a>(&'a self, url: &'a str) -> Attempts<'a> {
        Attempts::new(url, &self.settings)
    }
}
