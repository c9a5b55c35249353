//! Variables that a platform is told to ask for: `env` of Heroku's `app.json`.

use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};

use crate::detection::Variable;
use crate::document::{Data, Item};
use crate::places;
use crate::tree::Tree;

/// One such file.
pub(super) struct Stated {
    pub(super) shown: Arc<Path>,
    pub(super) variables: Vec<StatedVariable>,
}

/// What it says of a variable.
pub(super) struct StatedVariable {
    pub(super) name: String,
    pub(super) span: Span,
    /// Whether the platform starts the program without a value.
    optional: bool,
}

/// The files of a tree.
pub(super) fn read(tree: &Tree) -> Vec<Stated> {
    let mut found = Vec::new();
    for file in tree.files() {
        if !file.path.ends_with("app.json") || places::set_aside(&file.path).is_some() {
            continue;
        }
        let shown = tree.shown(&file.path);
        let item = tree
            .source(&file.path)
            .and_then(|text| Item::json(&shown, text));
        // Files of other programs have that name, too, and no such table.
        let Some(item) = item.filter(|item| item.get(&["expo"]).is_none()) else {
            continue;
        };
        let entries = item.entries(&["env"]).iter();
        let variables: Vec<StatedVariable> = entries
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, said)| StatedVariable {
                name: name.clone(),
                span: said.place.in_file(shown.clone()),
                optional: is_optional(said),
            })
            .collect();
        if !variables.is_empty() {
            found.push(Stated { shown, variables });
        }
    }
    found
}

/// Whether nobody has to give a value, and the platform makes none up: required is what says nothing else.
fn is_optional(said: &Item) -> bool {
    let refused = said
        .get(&["required"])
        .is_some_and(|item| matches!(item.value, Data::Boolean(false)));
    refused && said.get(&["value"]).is_none() && said.get(&["generator"]).is_none()
}

/// Variables that are called optional, and that something does not start without.
pub(super) fn contradictions(
    stated: &[StatedVariable],
    environment: &[Variable],
) -> Vec<Diagnostic> {
    let optional = stated.iter().filter(|one| one.optional);
    optional
        .filter_map(|one| {
            let variable = environment
                .iter()
                .find(|variable| variable.name == one.name && variable.required)?;
            let read = variable.evidence.first()?;
            let message = format!(
                "calls `{}` optional, without which `{}` does not start ({}:{})",
                one.name,
                variable.services.join("`, `"),
                read.span.file.display(),
                read.span.start.line
            );
            let told = Diagnostic::warning(message).at(one.span.clone());
            Some(told.hint("leave out `required`"))
        })
        .collect()
}
