//! `Pipfile.lock`: whether it was made from the `Pipfile` beside it, as Pipenv itself tells.

use std::path::Path;

use plimsoll_diag::{Diagnostic, Span};
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use crate::places;
use crate::tree::Tree;

/// Tables of a `Pipfile` that say what is installed under another name in the hash, or do not count.
const NAMED_OTHERWISE: &[&str] = &[
    "source",
    "requires",
    "packages",
    "dev-packages",
    "scripts",
    "pipfile",
    "pipenv",
    "default",
    "develop",
];

/// Says so where the lock file was made from another `Pipfile`.
pub(super) fn review(tree: &Tree, pipfile: &Path, lock: &Path) -> Option<Diagnostic> {
    let text = tree.manifest(lock)?;
    let stated = serde_json::from_str::<serde_json::Value>(&text).ok()?;
    let stated = stated.pointer("/_meta/hash/sha256")?.as_str()?;
    let table: Table = tree.manifest(pipfile)?.parse().ok()?;
    if hash(&table)? == stated {
        return None;
    }
    let line = text.lines().position(|line| line.contains(stated))?;
    Some(
        Diagnostic::warning(format!(
            "this lock file was made from another `{}`: its hash says so, and `pipenv install --deploy` stops there",
            places::text(pipfile)
        ))
        .at(Span::line(tree.shown(lock), line as u32 + 1))
        .hint("bring the lock file up to date: `pipenv lock`"),
    )
}

/// What Pipenv calls the hash of a `Pipfile`; `None` where it depends on what the file does not say.
fn hash(table: &Table) -> Option<String> {
    let empty = || Value::Table(Table::new());
    let part = |name: &str| table.get(name).cloned().unwrap_or_else(empty);
    let mut meta = Table::new();
    meta.insert("sources".to_owned(), table.get("source")?.clone());
    meta.insert("requires".to_owned(), part("requires"));
    let mut all = Table::new();
    all.insert("_meta".to_owned(), Value::Table(meta));
    all.insert("default".to_owned(), part("packages"));
    all.insert("develop".to_owned(), part("dev-packages"));
    for (name, value) in table {
        if !NAMED_OTHERWISE.contains(&name.as_str()) {
            all.insert(name.clone(), value.clone());
        }
    }
    let mut text = String::new();
    write(&Value::Table(all), &mut text)?;
    let digest = Sha256::digest(text.as_bytes());
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a value as JSON with sorted keys and nothing between.
fn write(value: &Value, out: &mut String) -> Option<()> {
    match value {
        Value::String(text) => out.push_str(&quoted(text)?),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Boolean(value) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (index, (name, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&quoted(name)?);
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
        Value::Float(_) | Value::Datetime(_) => return None,
    }
    Some(())
}

/// A text as JSON; `None` for characters that are written differently here and there.
fn quoted(text: &str) -> Option<String> {
    text.is_ascii()
        .then(|| serde_json::to_string(text).ok())
        .flatten()
}
