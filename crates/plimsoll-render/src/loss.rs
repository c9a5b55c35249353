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

fn place<S: Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
    span.as_ref()
        .map(|span| format!("{}:{}", span.file.display(), span.start.line))
        .serialize(serializer)
}
