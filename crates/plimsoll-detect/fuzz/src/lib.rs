//! What the targets share: a tree on disk, since that is what detection reads.

use std::fs;
use std::path::Path;

use plimsoll_detect::{Tree, detect};

/// A service that is found whatever lies beside it.
const APP: (&str, &str) = (
    "app.py",
    "from fastapi import FastAPI\napp = FastAPI()\n",
);

/// Detects in a tree of the files and one service, which has to be found: text that nobody can read must not hide it.
pub fn survive(files: &[(&str, &[u8])]) {
    let directory = tempfile::tempdir().expect("a directory for the tree");
    let own = (APP.0, APP.1.as_bytes());
    for (path, bytes) in files.iter().chain([&own]) {
        let path = directory.path().join(path);
        let parent = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).expect("a directory for the file");
        fs::write(path, bytes).expect("the file");
    }
    let tree = Tree::read(directory.path()).expect("a tree that was just written");
    let detection = detect(&tree);
    for problem in &detection.problems {
        let path = directory.path().join(&problem.path);
        let lines = fs::read(&path).map_or(1, |bytes| bytes.iter().filter(|b| **b == b'\n').count() + 1);
        assert!(problem.line as usize <= lines.max(1), "{problem:?}");
    }
    for service in &detection.services {
        assert!(!service.name.is_empty());
    }
}

/// The parts of an input: two files of a project import each other.
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    match data.windows(4).position(|window| window == b"\n---") {
        Some(at) => (&data[..at], &data[at + 4..]),
        None => (data, b""),
    }
}
