//! Lock files that contradict the manifest they belong to. An installer that keeps to the lock file stops there, so it
//! is told before anything is installed. Nothing is resolved here: what is not understood counts as kept.

mod cargo;
mod go;
mod node;
mod pipenv;
mod python;

use std::path::Path;

use plimsoll_diag::{Diagnostic, Spanned};

use crate::places;

pub(crate) use cargo::{Asked as AskedOfCargo, Held as HeldByCargo, review as review_cargo};
pub(crate) use go::review as review_go;
pub(crate) use node::{chosen as chosen_of_node, review as review_node};
pub(crate) use python::review as review_python;

/// How a lock file disagrees with one line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Strays {
    /// The dependency is not in it.
    Lacks,
    /// It holds another version, or was made for another range.
    Holds(String),
}

/// Dependencies of a manifest that are named one by one; of more it is told how many there are.
const NAMED: usize = 4;

/// One problem for all dependencies that a lock file does not have, and one for each that it has otherwise.
fn told(lock: &Path, strays: Vec<(Spanned<String>, Strays)>, make: &str) -> Vec<Diagnostic> {
    let lock = places::text(lock);
    let mut problems = Vec::new();
    let lacking: Vec<&Spanned<String>> = strays
        .iter()
        .filter(|(_, how)| *how == Strays::Lacks)
        .map(|(name, _)| name)
        .collect();
    if let Some(first) = lacking.first() {
        let mut names: Vec<String> = lacking
            .iter()
            .take(NAMED)
            .map(|name| format!("`{}`", name.value))
            .collect();
        if lacking.len() > NAMED {
            names.push(format!("{} more", lacking.len() - NAMED));
        }
        let verb = if lacking.len() == 1 { "is" } else { "are" };
        problems.push(
            Diagnostic::warning(format!(
                "{} {verb} declared here, but `{lock}` does not have {}",
                listed(&names),
                if lacking.len() == 1 { "it" } else { "them" }
            ))
            .at(first.span.clone())
            .hint(format!("bring the lock file up to date: `{make}`")),
        );
    }
    for (name, how) in &strays {
        if let Strays::Holds(what) = how {
            problems.push(
                Diagnostic::warning(format!(
                    "`{}` is wanted here, but `{lock}` {what}",
                    name.value
                ))
                .at(name.span.clone())
                .hint(format!("bring the lock file up to date: `{make}`")),
            );
        }
    }
    problems
}

/// `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}
