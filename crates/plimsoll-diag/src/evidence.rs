//! Why an inferred fact is believed.

use serde::{Deserialize, Serialize};

use crate::Span;

/// One reason for an inferred fact: a place in the source tree and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The place that shows it.
    pub span: Span,
    /// What the place shows, as a short clause: "creates a FastAPI application".
    pub why: String,
}

impl Evidence {
    /// A reason that stands at `span`.
    pub fn new(span: Span, why: impl Into<String>) -> Self {
        Self {
            span,
            why: why.into(),
        }
    }
}
