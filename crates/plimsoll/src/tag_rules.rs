//! Tags by rule: from the commit that is built and from what a build service says of it.
//!
//! The words are those that build services' own tagging steps use. A rule that does not apply
//! gives no tag; a tag that moves (`latest`) comes only beside one that does not.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use crate::environment::Environment;

/// Where tags come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum TagRule {
    /// A release's tag `v1.2.3`: `1.2.3`, `1.2`, `1` and `latest`
    Semver,
    /// The branch
    Branch,
    /// The pull request: `pr-7`
    Pr,
    /// The commit: `sha-0123abc`
    Sha,
    /// A tag of one component's release, `backend/v1.2.3` or `backend-v1.2.3`: as `semver`
    Component,
}

/// What is built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Revision {
    /// The commit, in full.
    pub(crate) commit: Option<String>,
    /// The branch.
    pub(crate) branch: Option<String>,
    /// Git tags that point at the commit.
    pub(crate) tags: Vec<String>,
    /// The pull request's number.
    pub(crate) pull_request: Option<String>,
}

impl Revision {
    /// What the build service says, and for what it does not say, what git knows.
    pub(crate) fn of(directory: &Path, environment: &Environment) -> Self {
        let mut revision = Self::told(environment);
        let git = |arguments: &[&str]| git(directory, arguments);
        if revision.commit.is_none() {
            revision.commit = git(&["rev-parse", "HEAD"]);
        }
        if revision.branch.is_none() && revision.pull_request.is_none() && revision.tags.is_empty()
        {
            revision.branch = git(&["symbolic-ref", "--short", "-q", "HEAD"]);
            let tags = git(&["tag", "--points-at", "HEAD"]).unwrap_or_default();
            revision.tags = tags.lines().map(str::to_owned).collect();
        }
        revision
    }

    /// What a build service says in the environment.
    fn told(environment: &Environment) -> Self {
        let get = |name: &str| environment.get(name).map(str::to_owned);
        let mut revision = Self {
            commit: get("GITHUB_SHA").or(get("CI_COMMIT_SHA")),
            branch: get("CI_COMMIT_BRANCH"),
            tags: get("CI_COMMIT_TAG").into_iter().collect(),
            pull_request: get("CI_MERGE_REQUEST_IID"),
        };
        if let Some(reference) = environment.get("GITHUB_REF") {
            if let Some(branch) = reference.strip_prefix("refs/heads/") {
                revision.branch = Some(branch.to_owned());
            } else if let Some(tag) = reference.strip_prefix("refs/tags/") {
                revision.tags.push(tag.to_owned());
            } else if let Some(rest) = reference.strip_prefix("refs/pull/") {
                revision.pull_request = rest.split('/').next().map(str::to_owned);
            }
        }
        revision
    }
}

/// The tags that the rules give a service's image.
pub(crate) fn tags(rules: &[TagRule], service: &str, revision: &Revision) -> Vec<String> {
    let mut tags = BTreeSet::new();
    for rule in rules {
        match rule {
            TagRule::Semver => {
                for tag in &revision.tags {
                    tags.extend(versions(tag));
                }
            }
            TagRule::Component => {
                for tag in &revision.tags {
                    let version = tag
                        .strip_prefix(service)
                        .and_then(|rest| rest.strip_prefix(['/', '-', '@']));
                    tags.extend(version.map(versions).unwrap_or_default());
                }
            }
            TagRule::Branch => tags.extend(revision.branch.as_deref().map(sanitized)),
            TagRule::Pr => {
                let number = revision.pull_request.as_deref().map(sanitized);
                tags.extend(number.map(|number| format!("pr-{number}")));
            }
            TagRule::Sha => {
                let commit = revision
                    .commit
                    .as_deref()
                    .and_then(|commit| commit.get(..7));
                tags.extend(commit.map(|commit| format!("sha-{commit}")));
            }
        }
    }
    tags.into_iter().collect()
}

/// `v1.2.3` → `1.2.3`, `1.2`, `1`, `latest`. A version before 1 promises nothing about its major,
/// a pre-release nothing at all.
fn versions(tag: &str) -> Vec<String> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    // A tag of a registry has no `+`.
    let full = text.replace('+', "_");
    let core = text.split('+').next().unwrap_or(text);
    let (core, is_release) = match core.split_once('-') {
        Some((core, _)) => (core, false),
        None => (core, true),
    };
    let numbers: Vec<&str> = core.split('.').collect();
    let is_number =
        |part: &&str| -> bool { !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) };
    let [major, minor, _] = numbers.as_slice() else {
        return Vec::new();
    };
    if !numbers.iter().all(is_number) {
        return Vec::new();
    }
    let mut tags = vec![sanitized(&full)];
    if is_release {
        tags.push(format!("{major}.{minor}"));
        if *major != "0" {
            tags.push((*major).to_owned());
        }
        tags.push("latest".to_owned());
    }
    tags
}

/// What a registry takes as a tag: letters, digits, `_`, `.`, `-`, at most 128.
fn sanitized(text: &str) -> String {
    let mut tag: String = text
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || "._-".contains(c) => c,
            _ => '-',
        })
        .take(128)
        .collect();
    if tag.starts_with(['.', '-']) {
        tag.replace_range(..1, "_");
    }
    tag
}

/// What git answers, if there is git and it knows.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &[(&str, &str)]) -> Revision {
        let variables = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Revision::told(&Environment(variables.collect()))
    }

    const ALL: [TagRule; 5] = [
        TagRule::Semver,
        TagRule::Branch,
        TagRule::Pr,
        TagRule::Sha,
        TagRule::Component,
    ];

    #[test]
    fn each_rule_gives_what_the_revision_has() {
        let sha = ("GITHUB_SHA", "0123456789abcdef");
        for (reference, expected) in [
            ("refs/tags/v1.2.3", "1 1.2 1.2.3 latest sha-0123456"),
            ("refs/tags/v0.2.3", "0.2 0.2.3 latest sha-0123456"),
            ("refs/tags/v1.2.3-rc.1", "1.2.3-rc.1 sha-0123456"),
            (
                "refs/tags/1.2.3+build",
                "1 1.2 1.2.3_build latest sha-0123456",
            ),
            ("refs/tags/nightly", "sha-0123456"),
            ("refs/tags/backend/v2.0.1", "2 2.0 2.0.1 latest sha-0123456"),
            ("refs/tags/backend-v2.0.1", "2 2.0 2.0.1 latest sha-0123456"),
            ("refs/tags/canvas/v2.0.1", "sha-0123456"),
            ("refs/heads/feature/x y", "feature-x-y sha-0123456"),
            ("refs/pull/7/merge", "pr-7 sha-0123456"),
        ] {
            let revision = of(&[sha, ("GITHUB_REF", reference)]);
            assert_eq!(
                tags(&ALL, "backend", &revision).join(" "),
                expected,
                "{reference}"
            );
        }
        let merge = of(&[
            ("CI_COMMIT_SHA", "abcdef0123"),
            ("CI_MERGE_REQUEST_IID", "4"),
        ]);
        assert_eq!(tags(&ALL, "backend", &merge), ["pr-4", "sha-abcdef0"]);
        assert!(tags(&ALL, "backend", &Revision::default()).is_empty());
    }

    #[test]
    fn what_no_registry_takes_is_replaced() {
        assert_eq!(sanitized("-ümlaut/x"), "_-mlaut-x");
        assert_eq!(sanitized(&"a".repeat(200)).len(), 128);
    }
}
