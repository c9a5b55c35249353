//! Image references, as Compose files and registries write them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::Digest;

/// The domain that a reference without one means. This is a rule of the reference grammar; where
/// that registry answers is settled in [`Reference::endpoint_host`].
const DEFAULT_DOMAIN: &str = "docker.io";
/// The default domain's registry answers on a host of this name below it.
const DEFAULT_ENDPOINT: &str = "registry-1";
/// The namespace of the default domain's unprefixed names.
const DEFAULT_NAMESPACE: &str = "library";
/// The tag of a reference without tag and digest.
const DEFAULT_TAG: &str = "latest";

/// A reference to an image: `[domain/]name[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Reference {
    /// The registry's domain, with port where there is one.
    pub domain: String,
    /// The repository's full name: `library/postgres`.
    pub name: String,
    /// The tag; `latest` when neither tag nor digest is written.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<Digest>,
}

/// A text that is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not an image reference: {reason}")]
pub struct ReferenceError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Reference {
    /// The host, with port, where the domain's registry answers.
    pub(super) fn endpoint_host(&self) -> String {
        if self.domain == DEFAULT_DOMAIN {
            format!("{DEFAULT_ENDPOINT}.{DEFAULT_DOMAIN}")
        } else {
            self.domain.clone()
        }
    }

    /// Whether a key of a Docker configuration (`https://host/v1/` or `host`) speaks of this
    /// reference's registry.
    pub(super) fn is_meant_by(&self, key: &str) -> bool {
        let host = key.split_once("://").map_or(key, |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        host == self.domain
            || (self.domain == DEFAULT_DOMAIN
                && host
                    .strip_suffix(DEFAULT_DOMAIN)
                    .is_some_and(|prefix| prefix.ends_with('.')))
    }

    /// The name's last component: `postgres`.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Whether it names an image of the default domain's own namespace, as `postgres:16` does.
    pub fn is_well_known(&self) -> bool {
        self.domain == DEFAULT_DOMAIN
            && self.name.starts_with(DEFAULT_NAMESPACE)
            && self.name.as_bytes().get(DEFAULT_NAMESPACE.len()) == Some(&b'/')
    }

    /// The name without the default domain and namespace: `postgres`, `pgvector/pgvector`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return format!("{}/{}", self.domain, self.name);
        }
        let short = self.name.strip_prefix(DEFAULT_NAMESPACE);
        let short = short.and_then(|rest| rest.strip_prefix('/'));
        short.unwrap_or(&self.name).to_string()
    }

    /// The repository, without tag and digest.
    ///
    /// # Errors
    /// When the text is no reference, or has a tag or digest.
    pub fn repository(text: &str) -> Result<Self, ReferenceError> {
        let mut reference: Self = text.parse()?;
        let last = text.rsplit('/').next().unwrap_or(text);
        if last.contains([':', '@']) {
            return Err(ReferenceError {
                text: text.to_string(),
                reason: "only a repository is meant, without tag and digest",
            });
        }
        reference.tag = None;
        Ok(reference)
    }

    /// What a manifest is asked for by.
    pub(super) fn manifest_name(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_string(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.familiar_name())?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let error = |reason| ReferenceError {
            text: text.to_string(),
            reason,
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest
                    .parse()
                    .map_err(|_| error("its digest is malformed"))?;
                (rest, Some(digest))
            }
            None => (text, None),
        };
        let last_slash = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (path, tag) = match rest[last_slash..].find(':') {
            Some(colon) => {
                let (path, tag) = rest.split_at(last_slash + colon);
                (path, Some(&tag[1..]))
            }
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(error("its tag is malformed"));
        }
        let (domain, name) = match path.split_once('/') {
            Some((first, name)) if is_domain(first) => (first.to_string(), name.to_string()),
            Some(_) => (DEFAULT_DOMAIN.to_string(), path.to_string()),
            None => (
                DEFAULT_DOMAIN.to_string(),
                format!("{DEFAULT_NAMESPACE}/{path}"),
            ),
        };
        // `index.` before the default domain is an old spelling of it.
        let domain = if domain == format!("index.{DEFAULT_DOMAIN}") {
            DEFAULT_DOMAIN.to_string()
        } else {
            domain
        };
        let name = if domain == DEFAULT_DOMAIN && !name.contains('/') {
            format!("{DEFAULT_NAMESPACE}/{name}")
        } else {
            name
        };
        if path.is_empty() {
            return Err(error("it has no name"));
        }
        if name.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(error("a repository's name is lower-case"));
        }
        if name.len() > 255 || !name.split('/').all(is_component) {
            return Err(error("its name is malformed"));
        }
        let tag = match (tag, &digest) {
            (None, None) => Some(DEFAULT_TAG.to_string()),
            (tag, _) => tag.map(str::to_string),
        };
        Ok(Self {
            domain,
            name,
            tag,
            digest,
        })
    }
}

/// The first component is a domain when it can be nothing else.
fn is_domain(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let shape = text == "localhost" || text.contains(['.', ':']);
    shape
        && !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        && port.parse::<u16>().is_ok()
}

/// Runs of lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let mut rest = text;
    loop {
        let word = rest.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()));
        match word {
            Some(0) => return false,
            None => return !rest.is_empty(),
            Some(length) => rest = &rest[length..],
        }
        let joint = rest
            .find(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (separator, after) = rest.split_at(joint);
        let fits = matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-');
        if !fits {
            return false;
        }
        rest = after;
    }
}

fn is_tag(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= 128
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> (String, String, Option<String>) {
        let reference: Reference = text.parse().unwrap();
        (reference.domain, reference.name, reference.tag)
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let of = |domain: &str, name: &str, tag: &str| {
            (domain.to_string(), name.to_string(), Some(tag.to_string()))
        };
        assert_eq!(
            parts("postgres"),
            of(DEFAULT_DOMAIN, "library/postgres", "latest")
        );
        assert_eq!(
            parts("pgvector/pgvector:pg17"),
            of(DEFAULT_DOMAIN, "pgvector/pgvector", "pg17")
        );
        assert_eq!(parts("localhost/a:1"), of("localhost", "a", "1"));
        assert_eq!(
            parts("r.example:5000/a/b__c-d"),
            of("r.example:5000", "a/b__c-d", "latest")
        );
        let pinned: Reference = format!("a@sha256:{}", "0".repeat(64)).parse().unwrap();
        assert_eq!(
            (pinned.tag.clone(), pinned.manifest_name().len()),
            (None, 71)
        );
    }

    #[test]
    fn what_cannot_be_a_reference_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "it has no name"),
            ("Postgres", "a repository's name is lower-case"),
            ("a:", "its tag is malformed"),
            ("a:-x", "its tag is malformed"),
            ("a@sha256:12", "its digest is malformed"),
            ("a//b", "its name is malformed"),
            ("a_-b", "its name is malformed"),
        ] {
            assert_eq!(
                text.parse::<Reference>().unwrap_err().reason,
                reason,
                "{text}"
            );
        }
    }

    #[test]
    fn the_default_domain_has_several_names() {
        let reference: Reference = "redis:7".parse().unwrap();
        assert!(reference.is_meant_by(&format!("https://index.{DEFAULT_DOMAIN}/v1/")));
        assert!(reference.is_meant_by(DEFAULT_DOMAIN));
        assert!(!reference.is_meant_by(&format!("evil{DEFAULT_DOMAIN}")));
        let other: Reference = "r.example/redis".parse().unwrap();
        assert!(other.is_meant_by("https://r.example"));
        assert!(!other.is_meant_by("https://index.r.example"));
        assert!(reference.is_well_known() && !other.is_well_known());
    }

    proptest! {
        #[test]
        fn a_reference_prints_and_reads_back(text in "([a-z]{1,3}\\.[a-z]{2}(:[0-9]{2})?/)?[a-z0-9]{1,4}(/[a-z]{1,3}(-|_|\\.)[a-z]{1,3})?(:[a-zA-Z0-9._]{1,5})?") {
            if let Ok(reference) = text.parse::<Reference>() {
                let again: Reference = reference.to_string().parse().unwrap();
                prop_assert_eq!(again, reference);
            }
        }

        #[test]
        fn nonsense_never_panics(text in ".{0,40}") {
            let _ = text.parse::<Reference>();
        }
    }
}
