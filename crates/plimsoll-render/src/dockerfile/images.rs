//! Images that others are built on, and how they are pinned.

use crate::{Fidelity, Input, Loss};

/// A reference with its digest where that is known; else as it is, and what is lost by that.
pub(super) fn pinned(input: &Input<'_>, reference: &str) -> (String, Option<Loss>) {
    let digest = input
        .images
        .values()
        .find(|pin| pin.reference == reference)
        .and_then(|pin| pin.digest.as_ref());
    match digest {
        Some(digest) => (format!("{reference}@{digest}"), None),
        None => (
            reference.to_owned(),
            Some(
                Loss::new(
                    Fidelity::Approximate,
                    format!("images.{reference}"),
                    "its digest is not known here; its tag names it, whose content changes with updates",
                )
                .hint("let the updater of dependencies pin it: it keeps digests current, too"),
            ),
        ),
    }
}

/// The version of Python that images are built on: the one that is named, else the newest of those
/// that Debian carries that fits.
pub(super) fn python(preferred: Option<&str>, requires: Option<&str>) -> String {
    if let Some(minor) = preferred.and_then(minor)
        && requires.is_none_or(|requires| fits(minor, requires))
    {
        return format!("python:3.{minor}-slim-{}", suite(minor));
    }
    let minor = [13, 11]
        .into_iter()
        .chain([12, 14, 10, 9])
        .find(|&minor| requires.is_none_or(|requires| fits(minor, requires)))
        .unwrap_or(13);
    format!("python:3.{minor}-slim-{}", suite(minor))
}

fn suite(minor: u32) -> &'static str {
    match minor {
        0..=11 => "bookworm",
        _ => "trixie",
    }
}

/// `3.12.4` and `cpython-3.12` → 12.
fn minor(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = digits.split('.');
    (parts.next()? == "3").then_some(())?;
    let minor: String = parts
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    minor.parse().ok()
}

/// Whether a minor version of Python satisfies a specifier set, its patch releases aside.
fn fits(candidate: u32, requires: &str) -> bool {
    requires.split(',').all(|part| {
        let part = part.trim();
        let at = part
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(part.len());
        let (operator, version) = part.split_at(at);
        let Some(stated) = minor(version) else {
            return version.starts_with('4') || version == "3";
        };
        let has_patch = version
            .split('.')
            .nth(2)
            .is_some_and(|patch| patch != "*" && patch != "0");
        match operator.trim() {
            ">=" | "~=" if operator.trim() == "~=" && has_patch => candidate == stated,
            ">=" | "~=" => candidate >= stated,
            ">" => candidate > stated || (candidate == stated && has_patch),
            "<" => candidate < stated || (candidate == stated && has_patch),
            "<=" => candidate <= stated,
            "==" | "===" => candidate == stated,
            "!=" => candidate != stated || has_patch,
            _ => true,
        }
    })
}

/// The version of Node that images are built on: the newest with long support that fits the range.
pub(super) fn node(range: Option<&str>) -> String {
    let major = range
        .and_then(|range| {
            let alternatives: Vec<(bool, u32)> = range
                .split("||")
                .filter_map(|part| {
                    let part = part.trim();
                    let open = part.starts_with('>') && !part.contains('<');
                    let digits: String = part
                        .trim_start_matches(|c: char| !c.is_ascii_digit())
                        .chars()
                        .take_while(char::is_ascii_digit)
                        .collect();
                    Some((open, digits.parse().ok()?))
                })
                .collect();
            match alternatives
                .iter()
                .any(|&(open, major)| open && major <= 24)
            {
                true => Some(24),
                false => alternatives.iter().map(|&(_, major)| major).max(),
            }
        })
        .unwrap_or(24);
    format!(
        "node:{major}-{}",
        match major {
            0..=19 => "bookworm-slim",
            _ => "trixie-slim",
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_that_fits_is_chosen() {
        assert_eq!(python(None, None), "python:3.13-slim-trixie");
        assert_eq!(
            python(Some("3.12.4"), Some(">=3.12")),
            "python:3.12-slim-trixie"
        );
        assert_eq!(
            python(None, Some(">=3.10,<3.13")),
            "python:3.11-slim-bookworm"
        );
        assert_eq!(
            python(Some("3.9"), Some(">=3.12")),
            "python:3.13-slim-trixie"
        );
        assert_eq!(python(None, Some("==3.12.*")), "python:3.12-slim-trixie");
        assert_eq!(python(None, Some(">=3.12,<4")), "python:3.13-slim-trixie");
    }

    #[test]
    fn a_node_that_fits_is_chosen() {
        assert_eq!(node(None), "node:24-trixie-slim");
        assert_eq!(node(Some(">=18")), "node:24-trixie-slim");
        assert_eq!(node(Some("^20.19.0 || >=22.12")), "node:24-trixie-slim");
        assert_eq!(node(Some("20.x")), "node:20-trixie-slim");
        assert_eq!(node(Some("^18 || ^20")), "node:20-trixie-slim");
    }
}
