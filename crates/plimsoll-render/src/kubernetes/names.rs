//! Names: kept, or refused with a fix.

use std::borrow::Cow;

use crate::{Fidelity, Input, Loss, Workload};

/// Refuses services whose names Kubernetes does not allow. They are never renamed: code finds its
/// peers by these names.
pub(super) fn check(input: &Input<'_>, all: &[Workload<'_>], losses: &mut Vec<Loss>) {
    for one in all {
        if is_refused(one.name()) {
            losses.push(
                Loss::new(
                    Fidelity::Refused,
                    format!("services.{}", one.name()),
                    "Kubernetes allows small letters, digits and `-` in a name, 63 at most",
                )
                .at(one.service.span.clone())
                .hint(format!(
                    "call it `{}`, and keep the old name as an alias under `networks`",
                    allowed(one.name())
                )),
            );
        }
    }
    if !is_refused(&input.project.name) {
        return;
    }
    losses.push(match input.names_itself() {
        true => Loss::new(
            Fidelity::Refused,
            "name",
            format!("`{}` cannot be the name of a namespace", input.project.name),
        )
        .at(input
            .model
            .and_then(|model| model.get("name")?.span.clone()))
        .hint(format!("set `name: {}`", allowed(&input.project.name))),
        false => Loss::new(
            Fidelity::Approximate,
            "name",
            format!(
                "`{}`, as its directory is called, cannot be the name of a namespace: it is `{}`",
                input.project.name,
                allowed(&input.project.name)
            ),
        )
        .hint("give it a name of its own: `name` in a Compose file"),
    });
}

/// A project's name in the form that a namespace has.
pub(crate) fn allowed_namespace(name: &str) -> Cow<'_, str> {
    match is_refused(name) {
        true => Cow::Owned(allowed(name)),
        false => Cow::Borrowed(name),
    }
}

/// Whether a name is no label of RFC 1035, which services and namespaces must have.
pub(super) fn is_refused(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.is_empty()
        || name.len() > 63
        || !name.chars().all(fits)
        || !name.starts_with(|c: char| c.is_ascii_lowercase())
        || name.ends_with('-')
}

/// The nearest name that is allowed.
pub(super) fn allowed(name: &str) -> String {
    let mut text: String = name
        .to_ascii_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        text = format!("x-{}", text.trim_start_matches('-'));
    }
    text.trim_end_matches('-').to_owned()
}

/// Whether a label of a container can be one of a pod: its charset and length are narrower.
pub(super) fn is_label(name: &str, value: &str) -> bool {
    is_label_name(name) && (value.is_empty() || is_label_part(value))
}

/// Whether a name, which may stand below a domain, is allowed for a label or annotation.
pub(super) fn is_label_name(name: &str) -> bool {
    match name.split_once('/') {
        Some((domain, rest)) => {
            domain.len() <= 253
                && domain.split('.').all(|part| {
                    !part.is_empty()
                        && part
                            .chars()
                            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                        && !part.starts_with('-')
                        && !part.ends_with('-')
                })
                && is_label_part(rest)
        }
        None => is_label_part(name),
    }
}

/// Whether a text can be a label's value or the last part of its name.
pub(super) fn is_label_part(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && is_end(text.chars().next())
        && is_end(text.chars().last())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_or_refused_with_one_that_fits() {
        for (name, fixed) in [
            ("web_app", "web-app"),
            ("Web", "web"),
            ("9lives", "x-9lives"),
            ("a.b-", "a-b"),
        ] {
            assert!(is_refused(name), "{name}");
            assert_eq!(allowed(name), fixed);
            assert!(!is_refused(fixed), "{fixed}");
        }
        assert!(!is_refused("web-1"));
    }
}
