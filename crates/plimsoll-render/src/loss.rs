//! What a rendered file does not say as the Compose file does.

use plimsoll_diag::Span;
use serde::{Serialize, Serializer};

/// One thing that a target says otherwise, or not at all. What it says exactly is no loss.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Loss {
    /// How much is lost.
    pub fidelity: Fidelity,
    /// Where it stands in the model: `services.web.ulimits`.
    pub subject: String,
    /// What is said instead, or why nothing is: one sentence, lower case, no final period.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Its place in the Compose file.
    #[serde(serialize_with = "place")]
    pub span: Option<Span>,
}

/// How much is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fidelity {
    /// Said in another way that means nearly the same.
    Approximate,
    /// Not said.
    Dropped,
    /// Not rendered at all, because the result would be wrong or unsafe.
    Refused,
}

impl Loss {
    /// A loss without hint and place.
    pub fn new(fidelity: Fidelity, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            fidelity,
            subject: subject.into(),
            what: what.into(),
            hint: None,
            span: None,
        }
    }

    /// Names the place.
    #[must_use]
    pub fn at(mut self, span: impl Into<Option<Span>>) -> Self {
        self.span = span.into();
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Losses that say the same of one key, of several services or volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossGroup<'l> {
    /// The key, without whose it is: `depends_on`.
    pub key: String,
    /// Whose key it is, each once.
    pub owners: Vec<&'l str>,
    /// The losses, in their order.
    pub losses: Vec<&'l Loss>,
}

/// Losses by fidelity, key and what is said of it: the gravest first.
pub fn grouped(losses: &[Loss]) -> Vec<LossGroup<'_>> {
    let mut groups: Vec<LossGroup<'_>> = Vec::new();
    for loss in losses {
        let (key, owner) = key_and_owner(&loss.subject);
        let known = groups.iter_mut().find(|group| {
            let first = group.losses[0];
            group.key == key
                && (first.fidelity, &first.what, &first.hint)
                    == (loss.fidelity, &loss.what, &loss.hint)
        });
        match known {
            Some(group) => {
                group.losses.push(loss);
                group
                    .owners
                    .extend(owner.filter(|owner| !group.owners.contains(owner)));
            }
            None => groups.push(LossGroup {
                key,
                owners: owner.into_iter().collect(),
                losses: vec![loss],
            }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.losses[0].fidelity));
    groups
}

/// `services.web.volumes[0]` is the key `volumes` of `web`.
fn key_and_owner(subject: &str) -> (String, Option<&str>) {
    let mut parts = subject.splitn(3, '.');
    let (section, owner, rest) = (parts.next(), parts.next(), parts.next());
    let key = match rest {
        Some(rest) => rest.split('[').next().unwrap_or(rest).to_owned(),
        // A key of the whole file, which no service's key of that name is.
        None if owner.is_some() => format!("{}.*", section.unwrap_or(subject)),
        None => subject.to_owned(),
    };
    (key, owner)
}

fn place<S: Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
    span.as_ref()
        .map(|span| format!("{}:{}", span.file.display(), span.start.line))
        .serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_several_is_said_once() {
        let loss = |fidelity, subject: &str, what: &str| Loss::new(fidelity, subject, what);
        let losses = [
            loss(Fidelity::Approximate, "services.a.ports", "one"),
            loss(Fidelity::Dropped, "services.a.volumes[0]", "left out"),
            loss(Fidelity::Dropped, "services.b.volumes[2]", "left out"),
            loss(Fidelity::Dropped, "services.b.volumes[3]", "left out"),
            loss(Fidelity::Dropped, "volumes.data", "left out"),
            loss(Fidelity::Approximate, "name", "one"),
        ];
        let groups: Vec<String> = grouped(&losses)
            .iter()
            .map(|group| format!("{} {:?} {}", group.key, group.owners, group.losses.len()))
            .collect();
        assert_eq!(
            groups,
            [
                "volumes [\"a\", \"b\"] 3",
                "volumes.* [\"data\"] 1",
                "ports [\"a\"] 1",
                "name [] 1"
            ]
        );
    }
}
