//! A URL as it may be shown: without credentials and without the query, which may hold a token.

use std::fmt;

use serde::Serialize;

/// What of a URL may stand in a message or a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ShownUrl(String);

impl ShownUrl {
    /// Leaves out user, password, query and fragment.
    pub fn of(url: &str) -> Self {
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let (location, rest) = url.split_at(end);
        let mut shown = match location.split_once("://") {
            None => location.to_owned(),
            Some((scheme, after)) => {
                let authority_end = after.find('/').unwrap_or(after.len());
                let (authority, path) = after.split_at(authority_end);
                let host = authority
                    .rsplit_once('@')
                    .map_or(authority, |(_, host)| host);
                format!("{scheme}://{host}{path}")
            }
        };
        if rest.starts_with('?') {
            shown.push_str("?…");
        }
        Self(shown)
    }
}

impl fmt::Display for ShownUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ShownUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The part before the host in `user:password@host`, when the URL has one.
pub(super) fn credentials(url: &str) -> Option<(&str, &str)> {
    let (_, after) = url.split_once("://")?;
    let authority = &after[..after.find(['/', '?', '#']).unwrap_or(after.len())];
    let (user_info, _) = authority.rsplit_once('@')?;
    Some(user_info.split_once(':').unwrap_or((user_info, "")))
}

/// The URL without `user:password@`.
pub(super) fn without_credentials(url: &str) -> String {
    let Some((scheme, after)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_neither_password_nor_token() {
        let shown = |url| ShownUrl::of(url).to_string();
        assert_eq!(
            shown("https://me:p@ss@mirror.invalid:8443/a/b.deb?token=x#y"),
            "https://mirror.invalid:8443/a/b.deb?…"
        );
        assert_eq!(shown("http://mirror.invalid"), "http://mirror.invalid");
        assert_eq!(
            shown("https://mirror.invalid/a@b"),
            "https://mirror.invalid/a@b"
        );
    }

    #[test]
    fn takes_credentials_out_of_a_url() {
        let url = "https://me:secret@mirror.invalid/a?b=c@d";
        assert_eq!(credentials(url), Some(("me", "secret")));
        assert_eq!(without_credentials(url), "https://mirror.invalid/a?b=c@d");
        assert_eq!(credentials("https://mirror.invalid/a@b"), None);
    }
}
