//! The directories of a project in which its own source lies, for the few questions that a failure
//! raises: bounded, and blind to what is installed or made.

use std::path::{Path, PathBuf};

/// How deep below the project it is looked.
const DEPTH: usize = 5;
/// More directories than these are not looked into.
const MOST: usize = 5_000;
/// Directories that hold what is installed or made, not what is written.
const NOT_SOURCE: &[&str] = &[
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "target",
    "vendor",
    "venv",
];

/// The directories below `root`, and itself, relative to it. Links are not followed.
pub(crate) fn source_directories(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![(PathBuf::new(), 0)];
    while let Some((below, depth)) = waiting.pop() {
        if found.len() == MOST {
            break;
        }
        let entries = fs_err::read_dir(root.join(&below)).into_iter().flatten();
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let is_source = !name.starts_with(['.', '_']) && !NOT_SOURCE.contains(&name.as_str());
            if is_directory && is_source && depth < DEPTH {
                waiting.push((below.join(name), depth + 1));
            }
        }
        found.push(below);
    }
    found
}
