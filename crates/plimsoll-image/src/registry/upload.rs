//! One blob on its way into a repository: looked for, mounted, sent whole or in chunks, resumed.
//!
//! An upload is a session at an address that the registry names and renames with every answer.
//! What the registry has of it is asked for after a cut, so that only the rest is sent again; a
//! session that is lost is begun anew.

use super::access::{Place, Purpose, unreachable};
use super::{RegistryClient, RegistryError};
use crate::Digest;
use crate::fetch::{Failure, Headers, Method, Opener, Outgoing, Payload, Response};
use crate::oci::Descriptor;

/// How a blob came to be in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was there.
    Present,
    /// The registry had it in another repository.
    Mounted,
    /// It was sent.
    Sent,
}

/// A blob that is to be sent.
pub(super) struct Cargo<'a> {
    pub descriptor: &'a Descriptor,
    /// Opens it at an offset.
    pub open: &'a (dyn Fn(u64) -> std::io::Result<Box<dyn std::io::Read + 'a>> + Sync),
    /// Checks it before the first byte is sent.
    pub check: &'a (dyn Fn() -> Result<(), RegistryError> + Sync),
    /// The most that is sent with one request.
    pub chunk: u64,
    /// Another repository that may have it.
    pub elsewhere: Option<String>,
}

/// A session.
struct Session {
    location: String,
    /// What the registry has.
    offset: u64,
    /// The least that it takes with one request, but for the last.
    least: u64,
    whole: bool,
}

/// Where an attempt left off.
enum Step {
    Done(Arrival),
    /// A part arrived.
    Advanced(Session),
}

/// Why an attempt failed.
enum Stumble {
    /// As requests fail.
    Failed(Failure),
    /// Nothing to be tried again.
    Final(RegistryError),
    /// The session is of no use any more.
    Lost(RegistryError),
}

impl From<RegistryError> for Stumble {
    fn from(error: RegistryError) -> Self {
        Stumble::Final(error)
    }
}

/// How often a session may be lost before the registry is taken to mean it.
const SESSIONS: u32 = 4;

impl RegistryClient {
    /// Brings a blob into a repository.
    pub(super) fn upload(
        &self,
        place: &Place<'_>,
        cargo: &Cargo<'_>,
    ) -> Result<Arrival, RegistryError> {
        let digest = cargo.descriptor.digest;
        if self.has_blob(place, &digest)? {
            return Ok(Arrival::Present);
        }
        (cargo.check)()?;
        let url = place.url("blobs", "uploads/");
        let mut attempts = self.fetcher.attempts(&url);
        let mut session: Option<Session> = None;
        let mut whole = false;
        let mut lost = 0;
        let mut cut = false;
        loop {
            let step = match session.take() {
                None => self.begin(place, cargo).map(|begun| match begun {
                    Some(mut session) => {
                        session.whole = whole;
                        Step::Advanced(session)
                    }
                    None => Step::Done(Arrival::Mounted),
                }),
                Some(session) if cut => self.progress(place, session).map(Step::Advanced),
                Some(open) => {
                    let kept = Session {
                        location: open.location.clone(),
                        ..open
                    };
                    match self.advance(place, cargo, open) {
                        Err(Stumble::Failed(failure)) => {
                            session = Some(kept);
                            Err(Stumble::Failed(failure))
                        }
                        other => other,
                    }
                }
            };
            cut = false;
            match step {
                Ok(Step::Done(arrival)) => return Ok(arrival),
                Ok(Step::Advanced(advanced)) => {
                    if advanced.offset > 0 {
                        attempts.progressed();
                    }
                    session = Some(advanced);
                }
                Err(Stumble::Final(error)) => return Err(error),
                Err(Stumble::Lost(error)) => {
                    lost += 1;
                    if lost == SESSIONS {
                        return Err(error);
                    }
                    // A registry that takes no chunks takes the blob in one piece.
                    whole = true;
                }
                Err(Stumble::Failed(failure)) => {
                    attempts
                        .next(failure)
                        .map_err(|source| unreachable(place, source))?;
                    // The answer may have been lost after the blob had arrived.
                    if self.has_blob(place, &digest)? {
                        return Ok(Arrival::Sent);
                    }
                    cut = session.is_some();
                }
            }
        }
    }

    /// Whether the repository has a blob.
    pub(super) fn has_blob(
        &self,
        place: &Place<'_>,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        let url = place.url("blobs", &digest.to_string());
        let answer = self.ask(
            &self.fetcher,
            place,
            Purpose::Push,
            &Outgoing {
                method: Method::Head,
                url: &url,
                headers: &Headers::none(),
                payload: Payload::Nothing,
            },
        )?;
        match answer.status {
            200..300 => Ok(true),
            404 => Ok(false),
            _ => Err(self.refused(place, &answer)),
        }
    }

    /// Opens a session, or has the blob mounted.
    fn begin(&self, place: &Place<'_>, cargo: &Cargo<'_>) -> Result<Option<Session>, Stumble> {
        let mut url = place.url("blobs", "uploads/");
        let purpose = match &cargo.elsewhere {
            Some(other) => {
                url.push_str(&format!("?mount={}&from={other}", cargo.descriptor.digest));
                Purpose::PushFrom(other)
            }
            None => Purpose::Push,
        };
        let answer = self.once(
            place,
            purpose,
            &Outgoing {
                method: Method::Post,
                url: &url,
                headers: &Headers::none(),
                payload: Payload::Bytes(b""),
            },
        )?;
        match answer.status {
            201 => Ok(None),
            202 => {
                let least = answer.header("oci-chunk-min-length");
                let least = least.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                let location = location(&answer)
                    .ok_or_else(|| self.malformed(place, "an upload without a location"))?;
                Ok(Some(Session {
                    location: place.resolve(location),
                    offset: 0,
                    least,
                    whole: false,
                }))
            }
            _ => Err(Stumble::Final(self.refused(place, &answer))),
        }
    }

    /// Sends the next chunk, or the rest.
    fn advance(
        &self,
        place: &Place<'_>,
        cargo: &Cargo<'_>,
        session: Session,
    ) -> Result<Step, Stumble> {
        let size = cargo.descriptor.size;
        let left = size - session.offset;
        let chunk = cargo.chunk.max(session.least);
        if session.whole || left <= chunk {
            return self.finish(place, cargo, session);
        }
        let offset = session.offset;
        let open: &Opener<'_> = &|| {
            let rest = (cargo.open)(offset)?;
            Ok(Box::new(std::io::Read::take(rest, chunk)))
        };
        let range = format!("{offset}-{}", offset + chunk - 1);
        let answer = self.once(
            place,
            Purpose::Push,
            &Outgoing {
                method: Method::Patch,
                url: &session.location,
                headers: &Headers::none().with("content-range", range),
                payload: Payload::Stream {
                    open,
                    length: chunk,
                },
            },
        )?;
        match answer.status {
            202 | 204 => Ok(Step::Advanced(Session {
                location: location(&answer)
                    .map_or(session.location, |location| place.resolve(location)),
                offset: received(&answer).unwrap_or(offset + chunk).min(size),
                ..session
            })),
            _ => Err(self.given_up(place, &answer)),
        }
    }

    /// Sends what is left and says what the whole should be.
    fn finish(
        &self,
        place: &Place<'_>,
        cargo: &Cargo<'_>,
        session: Session,
    ) -> Result<Step, Stumble> {
        let joint = if session.location.contains('?') {
            '&'
        } else {
            '?'
        };
        let url = format!(
            "{}{joint}digest={}",
            session.location, cargo.descriptor.digest
        );
        let left = cargo.descriptor.size - session.offset;
        let open: &Opener<'_> = &|| (cargo.open)(session.offset);
        let range = format!(
            "{}-{}",
            session.offset,
            cargo.descriptor.size.saturating_sub(1)
        );
        // In one piece it is no chunk.
        let headers = match session.offset {
            0 => Headers::none(),
            _ => Headers::none().with("content-range", range),
        };
        let payload = match left {
            0 => Payload::Bytes(b""),
            length => Payload::Stream { open, length },
        };
        let answer = self.once(
            place,
            Purpose::Push,
            &Outgoing {
                method: Method::Put,
                url: &url,
                headers: &headers,
                payload,
            },
        )?;
        match answer.status {
            201 | 204 => Ok(Step::Done(Arrival::Sent)),
            _ => Err(self.given_up(place, &answer)),
        }
    }

    /// Asks what the registry has of a session.
    fn progress(&self, place: &Place<'_>, session: Session) -> Result<Session, Stumble> {
        let answer = self.once(
            place,
            Purpose::Push,
            &Outgoing {
                method: Method::Get,
                url: &session.location,
                headers: &Headers::none(),
                payload: Payload::Nothing,
            },
        )?;
        if !(200..300).contains(&answer.status) {
            return Err(Stumble::Lost(self.refused(place, &answer)));
        }
        Ok(Session {
            location: location(&answer)
                .map_or(session.location, |location| place.resolve(location)),
            offset: received(&answer).unwrap_or(0),
            ..session
        })
    }

    /// What an answer means that neither takes a chunk nor asks to wait.
    fn given_up(&self, place: &Place<'_>, answer: &Response) -> Stumble {
        let error = self.refused(place, answer);
        match answer.status {
            // Unknown, out of order, or a registry that takes no chunks.
            400 | 404 | 405 | 416 => Stumble::Lost(error),
            _ => Stumble::Final(error),
        }
    }

    /// One request, once more when it has to be authorized first.
    fn once(
        &self,
        place: &Place<'_>,
        purpose: Purpose<'_>,
        request: &Outgoing<'_, '_>,
    ) -> Result<Response, Stumble> {
        let mut common = request.headers.clone();
        if !matches!(request.payload, Payload::Nothing) {
            common = common.with("content-type", "application/octet-stream");
        }
        let send = || {
            let headers = self.authorized(place, purpose, request.url, &common);
            self.fetcher
                .send_once(&Outgoing {
                    headers: &headers,
                    ..*request
                })
                .map_err(Stumble::Failed)
        };
        let answer = send()?;
        if answer.status == 401 && self.admitted(place, purpose, &answer)? {
            return send();
        }
        Ok(answer)
    }
}

fn location(answer: &Response) -> Option<&str> {
    answer.header("location")
}

/// How much the registry has, from `Range: 0-1023`.
fn received(answer: &Response) -> Option<u64> {
    let range = answer.header("range")?;
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let (_, last) = range.split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    // `0-0` is how some registries write that they have nothing; one byte is sent again then.
    Some(if last == 0 { 0 } else { last + 1 })
}
