//! Why something could not be fetched. Messages name the URL without credentials.

use thiserror::Error;

use super::ShownUrl;
use crate::Digest;

/// Why something could not be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The server answered with something other than success.
    #[error("`{url}` answered {status}{}", tries(*attempts))]
    Status {
        /// What was asked for.
        url: ShownUrl,
        /// The HTTP status.
        status: u16,
        /// How often it was asked.
        attempts: u32,
    },
    /// No answer, or a connection that broke, until every attempt was used up.
    #[error("cannot reach `{url}`{}: {reason}", tries(*attempts))]
    Connection {
        /// What was asked for.
        url: ShownUrl,
        /// What the last attempt met.
        reason: String,
        /// How often it was asked.
        attempts: u32,
    },
    /// The URL, a header or the proxy setting is not usable at all.
    #[error("cannot ask for `{url}`: {reason}")]
    Request {
        /// What was asked for.
        url: ShownUrl,
        /// What is wrong.
        reason: String,
    },
    /// What came has another hash than what was asked for.
    #[error("`{url}` has the digest {actual}, expected {expected}")]
    Digest {
        /// What was asked for.
        url: ShownUrl,
        /// The digest that the index, lock file or caller names.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// What came has another length than what was asked for.
    #[error("`{url}` has {actual} bytes, expected {expected}")]
    Size {
        /// What was asked for.
        url: ShownUrl,
        /// The length that the index, lock file or caller names.
        expected: u64,
        /// The length of what came.
        actual: u64,
    },
    /// An answer that goes on beyond what can be right.
    #[error("`{url}` has more than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: ShownUrl,
        /// The most that was allowed.
        limit: u64,
    },
    /// What should be sent could not be read here; the source names the path.
    #[error("cannot read what is sent to `{url}`: {source}")]
    Source {
        /// Where it should go.
        url: ShownUrl,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be written here; the source names the path.
    #[error("cannot keep what `{url}` sends: {source}")]
    Write {
        /// What was asked for.
        url: ShownUrl,
        /// What the system said.
        source: std::io::Error,
    },
}

impl FetchError {
    /// Whether the server said that there is no such thing (404 or 410).
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            FetchError::Status {
                status: 404 | 410,
                ..
            }
        )
    }
}

fn tries(attempts: u32) -> String {
    if attempts > 1 {
        format!(" ({attempts} attempts)")
    } else {
        String::new()
    }
}
