//! One service as its language's own part of detection hands it over.

use plimsoll_diag::{Diagnostic, Span};
use serde::{Deserialize, Serialize};

use crate::detection::{DetectedService, VariableKind};
use crate::needs::{FoundNeed, Told, is_secret, kind_of};
use crate::python::VariableRead;

/// One service, and what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) service: DetectedService,
    /// Whether its ports are what the project says, and not only what its framework does unless told otherwise.
    pub(crate) says_port: bool,
    /// The port of a server that speaks over its standard input, and over HTTP where it is told to.
    pub(crate) over_http: Option<u16>,
    pub(crate) variables: Vec<FoundVariable>,
    pub(crate) needs: Vec<FoundNeed>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Variables that every container has.
const SET_EVERYWHERE: &[&str] = &["PATH", "HOME", "HOSTNAME", "PWD"];

/// One reading of a variable by one service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FoundVariable {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) secret: bool,
    pub(crate) default: Option<String>,
    pub(crate) type_name: Option<String>,
    pub(crate) kind: VariableKind,
    pub(crate) span: Span,
    pub(crate) why: String,
    /// The variables of which one is enough, this one among them, where the code ends when none is set.
    pub(crate) one_of: Vec<String>,
}

impl FoundVariable {
    /// One that the code reads, by what its name and its default tell. Nothing insists on it.
    pub(crate) fn read(name: &str, default: Option<String>, span: Span) -> Self {
        Self {
            name: name.to_owned(),
            required: false,
            secret: is_secret(name),
            kind: kind_of(name, default.as_deref(), None),
            default,
            type_name: None,
            why: format!("reads `{name}`"),
            span,
            one_of: Vec::new(),
        }
    }

    /// The same, where the code does not go on without it if it `insists`.
    #[must_use]
    pub(crate) fn required(self, insists: bool) -> Self {
        let required = insists && !SET_EVERYWHERE.contains(&self.name.as_str());
        Self { required, ..self }
    }

    /// Several of which one is enough, checked at `span`. Where there is but one, nothing is said.
    pub(crate) fn one_of(names: impl IntoIterator<Item = String>, span: &Span) -> Vec<Self> {
        let mut all: Vec<String> = Vec::new();
        for name in names {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        let is_set = all
            .iter()
            .any(|name| SET_EVERYWHERE.contains(&name.as_str()));
        if all.len() < 2 || is_set {
            return Vec::new();
        }
        let one = |name: &String| Self {
            why: format!("one of `{}` is enough", all.join("`, `")),
            one_of: all.clone(),
            ..Self::read(name, None, span.clone())
        };
        all.iter().map(one).collect()
    }

    /// The variable, as far as needs are concerned.
    pub(crate) fn told(&self) -> Told<'_> {
        Told {
            name: &self.name,
            default: self.default.as_deref(),
            type_name: self.type_name.as_deref(),
            required: self.required,
            kind: self.kind,
            span: &self.span,
        }
    }
}

impl From<VariableRead> for FoundVariable {
    fn from(read: VariableRead) -> Self {
        let kind = kind_of(
            &read.name,
            read.default.as_deref(),
            read.type_name.as_deref(),
        );
        Self {
            secret: read.secret || is_secret(&read.name),
            kind,
            name: read.name,
            required: read.required,
            default: read.default,
            type_name: read.type_name,
            span: read.span,
            why: read.why,
            one_of: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn one_is_enough_only_of_several() {
        let span = Span::line(Path::new("a.ts"), 1);
        let of = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            let all = FoundVariable::one_of(names, &span);
            all.into_iter()
                .map(|one| (one.name, one.one_of.join(" ")))
                .collect::<Vec<_>>()
        };
        let both = |name: &str| (name.to_owned(), "A B".to_owned());
        assert_eq!(of(&["A", "B", "A"]), [both("A"), both("B")]);
        assert!(of(&["A", "A"]).is_empty() && of(&[]).is_empty());
    }
}
