//! `go.sum`, held against the `go.mod` beside it: what it does not have, no build takes.

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll_diag::{Diagnostic, Span, Spanned};

use super::{Strays, told};
use crate::go::directives;
use crate::places;
use crate::tree::Tree;

/// What `go.mod` requires and `go.sum` does not have. `own` are the modules of the tree, which need no sum.
pub(crate) fn review(tree: &Tree, manifest: &Path, own: &[&str]) -> Vec<Diagnostic> {
    let directory = manifest.parent().unwrap_or(Path::new(""));
    // What is copied into the tree is not held against sums.
    let copied = tree.has_file(&directory.join("vendor/modules.txt"));
    if copied || places::set_aside(manifest).is_some() {
        return Vec::new();
    }
    let Some(text) = tree.manifest(manifest) else {
        return Vec::new();
    };
    let path = directory.join("go.sum");
    let mut sums = tree.manifest(&path);
    // A workspace keeps what only it needs beside its own file.
    for above in directory.ancestors() {
        if let Some(more) = tree.manifest(&above.join("go.work.sum")) {
            let known = sums.get_or_insert_default();
            known.push('\n');
            known.push_str(&more);
        }
    }
    let replaced: BTreeSet<String> = directives(&text, "replace")
        .into_iter()
        .filter_map(|(words, _)| words.into_iter().next())
        .collect();
    let shown = tree.shown(manifest);
    let required = directives(&text, "require")
        .into_iter()
        .filter_map(|(words, line)| {
            let mut words = words.into_iter();
            Some((words.next()?, words.next()?, line))
        })
        .filter(|(module, ..)| !replaced.contains(module) && !own.contains(&module.as_str()));
    let sums = sums.unwrap_or_default();
    let known: BTreeSet<(&str, &str)> = sums
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    let strays = required
        .filter(|(module, version, _)| {
            !known.contains(&(module.as_str(), format!("{version}/go.mod").as_str()))
        })
        .map(|(module, version, line)| {
            let others: Vec<&str> = known
                .iter()
                .filter(|(known, version)| *known == module && !version.ends_with("/go.mod"))
                .map(|(_, version)| *version)
                .collect();
            let how = match others.as_slice() {
                [] => Strays::Lacks,
                others => Strays::Holds(format!("holds {}", others.join(" and "))),
            };
            let name = match &how {
                Strays::Lacks => module,
                Strays::Holds(_) => format!("{module} {version}"),
            };
            (Spanned::new(name, Span::line(shown.clone(), line)), how)
        })
        .collect();
    told(&path, strays, "go mod tidy")
}
