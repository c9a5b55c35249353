//! Which tags of a repository stay, and taking away the others.
//!
//! Reproducible images carry no date, so that the age of a tag is the caller's to say; a tag whose
//! age nobody knows stays. What a tag leads to goes only with the last tag that leads to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::access::{Place, Purpose};
use super::{Reference, RegistryClient, RegistryError};
use crate::Digest;
use crate::fetch::{Headers, Method, Outgoing, Payload};

/// What stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// So many of the newest tags.
    pub keep: usize,
    /// Tags that fit one of these patterns, in which `*` stands for anything.
    pub keep_tags: Vec<String>,
    /// Tags that are not older than this.
    pub younger_than: Option<Duration>,
}

/// A tag as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagState {
    /// The tag.
    pub tag: String,
    /// What it points at.
    pub digest: Digest,
    /// When that was made, where it is known.
    pub made: Option<SystemTime>,
}

/// What becomes of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It fits a pattern.
    KeptByName,
    /// It is one of the newest.
    KeptByCount,
    /// It is young enough.
    KeptByAge,
    /// Nobody knows how old it is.
    KeptUndated,
    /// It leads to what another tag that stays leads to.
    KeptShared,
    /// It goes.
    Removed,
}

impl Retention {
    /// What becomes of each tag, in the order of the tags' names.
    pub fn plan(&self, tags: &[TagState], now: SystemTime) -> Vec<(TagState, Verdict)> {
        let mut by_age: Vec<&TagState> = tags.iter().filter(|tag| tag.made.is_some()).collect();
        by_age.sort_by(|a, b| (b.made, &b.tag).cmp(&(a.made, &a.tag)));
        // Several tags of one image count once.
        let mut newest: BTreeSet<Digest> = BTreeSet::new();
        for tag in by_age {
            if newest.len() < self.keep {
                newest.insert(tag.digest);
            }
        }
        let verdict = |tag: &TagState| {
            if self.keep_tags.iter().any(|glob| fits(glob, &tag.tag)) {
                return Verdict::KeptByName;
            }
            let Some(made) = tag.made else {
                return Verdict::KeptUndated;
            };
            if newest.contains(&tag.digest) {
                return Verdict::KeptByCount;
            }
            let age = now.duration_since(made).unwrap_or_default();
            match self.younger_than {
                Some(limit) if age <= limit => Verdict::KeptByAge,
                _ => Verdict::Removed,
            }
        };
        let mut plan: BTreeMap<&str, (TagState, Verdict)> = tags
            .iter()
            .map(|tag| (tag.tag.as_str(), (tag.clone(), verdict(tag))))
            .collect();
        let kept: BTreeSet<Digest> = plan
            .values()
            .filter(|(_, verdict)| *verdict != Verdict::Removed)
            .map(|(tag, _)| tag.digest)
            .collect();
        for (tag, verdict) in plan.values_mut() {
            if *verdict == Verdict::Removed && kept.contains(&tag.digest) {
                *verdict = Verdict::KeptShared;
            }
        }
        plan.into_values().collect()
    }
}

impl RegistryClient {
    /// The tags of a repository, without those under which clients keep lists of referrers.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn tags(&self, repository: &Reference) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct List {
            tags: Option<Vec<String>>,
        }
        let place = self.home(repository);
        let mut tags = Vec::new();
        let mut next = Some(place.url("tags", "list?n=1000"));
        while let Some(url) = next.take() {
            let answer = self.get(&place, &url)?;
            let list: List = serde_json::from_slice(&answer.body)
                .map_err(|error| self.malformed(&place, error.to_string()))?;
            tags.extend(list.tags.unwrap_or_default());
            next = answer
                .header("link")
                .and_then(|link| next_page(&place, link));
        }
        tags.retain(|tag| !tag.starts_with("sha256-"));
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    /// Takes away a manifest or index with all tags that lead to it, and the list of its referrers.
    ///
    /// # Errors
    /// When the registry cannot be reached or does not allow it.
    pub fn remove(&self, repository: &Reference, digest: &Digest) -> Result<(), RegistryError> {
        let place = self.home(repository);
        self.remove_manifest(&place, &digest.to_string())?;
        let list = Reference {
            tag: Some(format!("sha256-{}", digest.hex())),
            digest: None,
            ..repository.clone()
        };
        if let Some(list) = self.digest_of(&list)? {
            self.remove_manifest(&place, &list.to_string())?;
        }
        Ok(())
    }

    fn remove_manifest(&self, place: &Place<'_>, name: &str) -> Result<(), RegistryError> {
        let answer = self.ask(
            &self.contact,
            place,
            Purpose::Delete,
            &Outgoing {
                method: Method::Delete,
                url: &place.url("manifests", name),
                headers: &Headers::none(),
                payload: Payload::Nothing,
            },
        )?;
        match answer.status {
            // Somebody else was faster.
            200..300 | 404 => Ok(()),
            405 => Err(RegistryError::NoRemoval {
                reference: place.reference.to_string(),
            }),
            _ => Err(self.refused(place, &answer)),
        }
    }
}

/// The address in `<…>; rel="next"`.
fn next_page(place: &Place<'_>, link: &str) -> Option<String> {
    let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then(|| place.resolve(address))
}

/// Whether a tag fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(head) else {
        return false;
    };
    (0..=text.len())
        .filter(|start| text.is_char_boundary(*start))
        .any(|start| fits(rest, &text[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn state(tag: &str, image: u8, age: Option<u64>) -> TagState {
        TagState {
            tag: tag.into(),
            digest: Digest::of(&[image]),
            made: age.map(|days| now() - Duration::from_secs(days * DAY)),
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * DAY)
    }

    #[test]
    fn every_tag_gets_a_verdict_and_no_image_loses_a_tag_that_stays() {
        let retention = Retention {
            keep: 2,
            keep_tags: vec!["v*".into(), "latest".into()],
            younger_than: Some(Duration::from_secs(7 * DAY)),
        };
        let tags = [
            state("latest", 1, Some(1)),
            state("sha-1", 1, Some(1)),
            state("sha-2", 2, Some(2)),
            state("sha-3", 3, Some(3)),
            state("sha-9", 9, Some(90)),
            state("v1.0", 8, Some(80)),
            state("sha-8", 8, Some(80)),
            state("odd", 7, None),
        ];
        let plan: Vec<String> = retention
            .plan(&tags, now())
            .into_iter()
            .map(|(tag, verdict)| format!("{} {verdict:?}", tag.tag))
            .collect();
        insta::assert_snapshot!(plan.join("\n"), @r"
        latest KeptByName
        odd KeptUndated
        sha-1 KeptByCount
        sha-2 KeptByCount
        sha-3 KeptByAge
        sha-8 KeptShared
        sha-9 Removed
        v1.0 KeptByName
        ");
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("v*", "v1", true),
            ("v*", "w1", false),
            ("*-rc*", "1.0-rc2", true),
            ("a*b", "ab", true),
            ("a*b", "abc", false),
            ("a", "ab", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
