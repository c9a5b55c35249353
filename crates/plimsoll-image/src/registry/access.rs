//! Getting in: credentials and tokens, fetched once for each repository and purpose.

use serde::Deserialize;

use super::challenge::Challenge;
use super::credentials::{self, Credentials, basic};
use super::{Reference, RegistryClient, RegistryError};
use crate::fetch::{FetchError, Fetcher, Headers, Outgoing, Response};

/// The largest manifest or configuration file that is read.
pub(super) const LARGEST_DOCUMENT: u64 = 8 << 20;

/// A repository at one address.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    /// `https://host`, without a slash at the end.
    pub base: String,
    /// What is meant there.
    pub reference: &'a Reference,
}

/// What is done in a repository: a token is for one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    Pull,
    Push,
    /// Pushing, and taking blobs from another repository of the registry.
    PushFrom(&'a str),
    Delete,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Place<'_> {
    pub(super) fn url(&self, kind: &str, name: &str) -> String {
        format!("{}/v2/{}/{kind}/{name}", self.base, self.reference.name)
    }

    /// The address that a `Location` header names; upload locations may be relative.
    pub(super) fn resolve(&self, location: &str) -> String {
        if location.contains("://") {
            location.to_string()
        } else if location.starts_with('/') {
            format!("{}{location}", self.base)
        } else {
            format!("{}/{location}", self.base)
        }
    }

    /// Whether an address is the registry's own; others must not see its credentials.
    fn holds(&self, url: &str) -> bool {
        url.strip_prefix(&self.base)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn key(&self, purpose: Purpose<'_>) -> String {
        format!("{} {} {purpose:?}", self.base, self.reference.name)
    }
}

impl Purpose<'_> {
    /// The scopes that a token needs. What the registry names in its challenge speaks of the one
    /// request that it refused, so that it only counts for pulling.
    fn scopes(self, name: &str) -> Vec<String> {
        match self {
            Purpose::Pull => vec![format!("repository:{name}:pull")],
            Purpose::Push => vec![format!("repository:{name}:pull,push")],
            Purpose::PushFrom(other) => vec![
                format!("repository:{name}:pull,push"),
                format!("repository:{other}:pull"),
            ],
            Purpose::Delete => vec![format!("repository:{name}:delete,pull,push")],
        }
    }
}

impl RegistryClient {
    /// Sends a request, with credentials once the registry demands some, and returns the answer
    /// whatever its status is. `fetcher` says how patient to be.
    pub(super) fn ask(
        &self,
        fetcher: &Fetcher,
        place: &Place<'_>,
        purpose: Purpose<'_>,
        request: &Outgoing<'_, '_>,
    ) -> Result<Response, RegistryError> {
        let send = || {
            let headers = self.authorized(place, purpose, request.url, request.headers);
            fetcher
                .send(&Outgoing {
                    headers: &headers,
                    ..*request
                })
                .map_err(|source| unreachable(place, source))
        };
        let response = send()?;
        if response.status == 401 && self.admitted(place, purpose, &response)? {
            return send();
        }
        Ok(response)
    }

    /// The headers with the authorization that was given for this purpose, when the address is
    /// the registry's own.
    pub(super) fn authorized(
        &self,
        place: &Place<'_>,
        purpose: Purpose<'_>,
        url: &str,
        headers: &Headers,
    ) -> Headers {
        match self.access().get(&place.key(purpose)) {
            Some(authorization) if place.holds(url) => {
                headers.clone().with("authorization", authorization.clone())
            }
            _ => headers.clone(),
        }
    }

    /// Meets the challenge of an answer 401; whether there was anything to meet it with.
    pub(super) fn admitted(
        &self,
        place: &Place<'_>,
        purpose: Purpose<'_>,
        refusal: &Response,
    ) -> Result<bool, RegistryError> {
        self.access().remove(&place.key(purpose));
        let header = refusal.header("www-authenticate").unwrap_or_default();
        match Challenge::parse(header) {
            Some(challenge) => self.enter(place, purpose, &challenge),
            None => Ok(false),
        }
    }

    fn enter(
        &self,
        place: &Place<'_>,
        purpose: Purpose<'_>,
        challenge: &Challenge,
    ) -> Result<bool, RegistryError> {
        let known = credentials::find(&self.clients, place.reference);
        let authorization = match (challenge, &known) {
            (Challenge::Basic, Some(Credentials::Password(name, password))) => {
                basic(name, password.expose())
            }
            (Challenge::Basic, _) => return Ok(false),
            (Challenge::Bearer { .. }, known) => {
                let scopes = match (purpose, challenge) {
                    (
                        Purpose::Pull,
                        Challenge::Bearer {
                            scope: Some(scope), ..
                        },
                    ) => vec![scope.clone()],
                    _ => purpose.scopes(&place.reference.name),
                };
                let Some(url) = challenge.token_url(&scopes) else {
                    return Ok(false);
                };
                let mut headers = Headers::none();
                match known {
                    Some(Credentials::Password(name, password)) => {
                        headers = headers.with("authorization", basic(name, password.expose()));
                    }
                    // A token server that takes such a token by GET takes it as a password.
                    Some(Credentials::IdentityToken(token)) => {
                        headers = headers.with("authorization", basic("<token>", token.expose()));
                    }
                    None => {}
                }
                let answer = self.contact.get(&url, &headers, LARGEST_DOCUMENT)?;
                if !(200..300).contains(&answer.status) {
                    return Err(RegistryError::Denied {
                        reference: place.reference.to_string(),
                        status: answer.status,
                    });
                }
                let token: Token = serde_json::from_slice(&answer.body)
                    .map_err(|error| self.malformed(place, error.to_string()))?;
                match token.token.or(token.access_token) {
                    Some(token) => format!("Bearer {token}"),
                    None => return Err(self.malformed(place, "a token answer without token")),
                }
            }
        };
        self.access().insert(place.key(purpose), authorization);
        Ok(true)
    }

    /// An answer that is not success, as an error.
    pub(super) fn refused(&self, place: &Place<'_>, response: &Response) -> RegistryError {
        let reference = place.reference.to_string();
        match response.status {
            404 => RegistryError::NotFound { reference },
            status @ (401 | 403) => RegistryError::Denied { reference, status },
            status => self.malformed(place, format!("it answered {status}{}", said(response))),
        }
    }
}

/// A transfer that did not come to an answer.
pub(super) fn unreachable(place: &Place<'_>, source: FetchError) -> RegistryError {
    match source {
        FetchError::Connection { .. } | FetchError::Status { .. } => RegistryError::Unreachable {
            reference: place.reference.to_string(),
            source,
        },
        other => RegistryError::Fetch(other),
    }
}

/// What a registry's error document says, for people.
fn said(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(errors) = serde_json::from_slice::<Errors>(&response.body) else {
        return String::new();
    };
    let said: Vec<String> = errors
        .errors
        .into_iter()
        .map(|entry| format!("{} {}", entry.code, entry.message))
        .collect();
    format!(": {}", said.join(", "))
}
