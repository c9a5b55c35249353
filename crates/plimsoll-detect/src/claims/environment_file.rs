//! Files such as `.env.example`: variables that they document, and that nothing reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use plimsoll_diag::{Diagnostic, Span};

use crate::claims::{loaded_files, platform_variables};
use crate::detection::Variable;
use crate::places;
use crate::tree::Tree;

/// Contradictions told one by one; more are told together.
const ONE_BY_ONE: usize = 3;

/// Names of files that document variables.
pub(super) fn documents(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    matches!(
        name,
        ".env.example"
            | ".env.sample"
            | ".env.template"
            | ".env.dist"
            | "env.example"
            | ".env.defaults"
            | "example.env"
    )
}

/// What the documents of a tree say that is not so.
pub(crate) fn review(tree: &Tree, environment: &[Variable]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut documents_read: Vec<Document> = Vec::new();
    let loaded = loaded_files::loaded(tree);
    for file in tree.files() {
        let documents = documents(&file.path) || loaded.contains(&*file.path);
        if !documents || places::set_aside(&file.path).is_some() {
            continue;
        }
        let Some(text) = tree.source(&file.path) else {
            continue;
        };
        let shown = tree.shown(&file.path);
        let mut unread = documented(&text, &shown);
        documents_read.push(Document::of(shown, &unread));
        unread.retain(|(name, _)| environment.iter().all(|variable| variable.name != *name));
        mentioned_elsewhere(tree, &loaded, &mut unread);
        found.extend(told(unread));
    }
    for stated in platform_variables::read(tree) {
        let variables = &stated.variables;
        found.extend(platform_variables::contradictions(variables, environment));
        let mut unread: Vec<_> = variables
            .iter()
            .map(|one| (one.name.clone(), one.span.clone()))
            .collect();
        documents_read.push(Document::of(stated.shown, &unread));
        unread.retain(|(name, _)| environment.iter().all(|variable| variable.name != *name));
        mentioned_elsewhere(tree, &loaded, &mut unread);
        found.extend(told(unread));
    }
    found.extend(undocumented(&documents_read, environment));
    found
}

/// A file that documents variables.
struct Document {
    directory: PathBuf,
    shown: Arc<Path>,
    names: BTreeSet<String>,
}

impl Document {
    fn of(shown: Arc<Path>, named: &[(String, Span)]) -> Self {
        Self {
            directory: shown.parent().unwrap_or(Path::new("")).to_owned(),
            names: named.iter().map(|(name, _)| name.clone()).collect(),
            shown,
        }
    }
}

/// Variables without which something does not start, and that no document names: told at the closest one.
fn undocumented(documents: &[Document], environment: &[Variable]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let missing = environment.iter().filter(|variable| {
        variable.required
            && !documents
                .iter()
                .any(|file| file.names.contains(&variable.name))
    });
    for variable in missing {
        let Some(read) = variable.evidence.first() else {
            continue;
        };
        let closest = documents
            .iter()
            .filter(|file| read.span.file.starts_with(&file.directory) && !file.names.is_empty())
            .max_by_key(|file| file.directory.components().count());
        if let Some(file) = closest {
            found.push(
                Diagnostic::warning(format!(
                    "does not name `{}`, without which `{}` does not start ({}:{})",
                    variable.name,
                    variable.services.join("`, `"),
                    read.span.file.display(),
                    read.span.start.line
                ))
                .at(Span::line(file.shown.clone(), 1))
                .hint(format!("add `{}=`", variable.name)),
            );
        }
    }
    found
}

fn documented(text: &str, shown: &Arc<Path>) -> Vec<(String, Span)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, _)) = line.split_once('=') else {
            continue;
        };
        let name = name.trim();
        let plain = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if plain {
            let span = Span::new(shown.clone(), index as u32 + 1, 1, name.len() as u32);
            found.push((name.to_owned(), span));
        }
    }
    found
}

/// Keeps what no other file mentions: start scripts, Compose files and code that no service imports may read it.
fn mentioned_elsewhere(tree: &Tree, loaded: &BTreeSet<PathBuf>, unread: &mut Vec<(String, Span)>) {
    if unread.is_empty() {
        return;
    }
    let Ok(search) = AhoCorasick::new(unread.iter().map(|(name, _)| name)) else {
        unread.clear();
        return;
    };
    let mut mentioned: BTreeMap<usize, bool> = BTreeMap::new();
    for file in tree.files() {
        let name = places::text(&file.path);
        if documents(&file.path)
            || loaded.contains(&*file.path)
            || [".md", ".rst", ".txt", ".lock", ".json", ".svg"]
                .iter()
                .any(|end| name.ends_with(end))
        {
            continue;
        }
        if mentioned.len() == unread.len() {
            break;
        }
        let Some(text) = tree.source(&file.path) else {
            continue;
        };
        for hit in search.find_overlapping_iter_checked(&text) {
            mentioned.insert(hit, true);
        }
    }
    let mut index = 0;
    unread.retain(|_| {
        index += 1;
        !mentioned.contains_key(&(index - 1))
    });
}

/// Whole words only: `PORT` is not mentioned by `SUPPORT`.
trait WholeWords {
    fn find_overlapping_iter_checked(&self, text: &str) -> Vec<usize>;
}

impl WholeWords for AhoCorasick {
    fn find_overlapping_iter_checked(&self, text: &str) -> Vec<usize> {
        let bytes = text.as_bytes();
        let word = |index: usize| {
            bytes
                .get(index)
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        self.find_overlapping_iter(text)
            .filter(|hit| {
                let begins = hit.start() == 0 || !word(hit.start() - 1);
                begins && !word(hit.end())
            })
            .map(|hit| hit.pattern().as_usize())
            .collect()
    }
}

fn told(unread: Vec<(String, Span)>) -> Vec<Diagnostic> {
    let hint = "drop it, or it misleads whoever sets it";
    if unread.len() <= ONE_BY_ONE {
        return unread
            .into_iter()
            .map(|(name, span)| {
                Diagnostic::warning(format!("documents {name}, which nothing reads"))
                    .at(span)
                    .hint(hint)
            })
            .collect();
    }
    let span = unread.first().map(|(_, span)| span.clone());
    let names: Vec<&str> = unread
        .iter()
        .take(ONE_BY_ONE)
        .map(|(name, _)| name.as_str())
        .collect();
    vec![
        Diagnostic::warning(format!(
            "documents {} variables that nothing reads: {} and {} more",
            unread.len(),
            names.join(", "),
            unread.len() - names.len()
        ))
        .at(span)
        .hint("drop them, or they mislead whoever sets them"),
    ]
}
