//! Golden trees: `golden/CASE/in` is rendered and held against `golden/CASE/out`.
//!
//! `UPDATE_GOLDEN=1` writes what is rendered now; the difference is then reviewed as text.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "the tree says which file it is about"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_render::{Rendering, Target};

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(support::golden())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("in").is_dir())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn tree(directory: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(next) = todo.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap();
                files.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// Files, and the losses as one more.
fn rendered(rendering: &Rendering) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = rendering
        .files
        .iter()
        .map(|(path, artifact)| (path.clone(), artifact.text.clone()))
        .collect();
    let losses: String = rendering
        .losses
        .iter()
        .map(|loss| {
            let line = loss.span.as_ref().map_or(0, |span| span.start.line);
            format!(
                "{:?} {line} {}: {}\n",
                loss.fidelity, loss.subject, loss.what
            )
        })
        .collect();
    files.insert("losses.txt".to_owned(), losses);
    files
}

#[test]
fn what_is_rendered_is_what_was_reviewed() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for case in cases() {
        let rendering = support::render(&case.join("in"), Target::ALL);
        let now = rendered(&rendering);
        let out = case.join("out");
        if update {
            let _ = fs::remove_dir_all(&out);
            for (path, text) in &now {
                let path = out.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            continue;
        }
        let reviewed = tree(&out);
        let names =
            |files: &BTreeMap<String, String>| -> Vec<String> { files.keys().cloned().collect() };
        assert_eq!(names(&now), names(&reviewed), "{}", case.display());
        for (path, text) in &now {
            assert_eq!(text, &reviewed[path], "{}/{path}", out.display());
        }
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    for case in cases() {
        let once = support::render(&case.join("in"), Target::ALL);
        assert_eq!(once, support::render(&case.join("in"), Target::ALL));
    }
}

#[test]
fn no_value_of_a_secret_is_written() {
    for case in cases() {
        let rendering = support::render(&case.join("in"), Target::ALL);
        for (path, artifact) in &rendering.files {
            assert!(!artifact.text.contains("change-me"), "{path}");
        }
    }
}
