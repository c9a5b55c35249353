//! What was found in a tree is found again without a look into its files, until one of them changes.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use plimsoll_detect::{Bounds, Detection, Memory, Texts, Tree, Trees, detect};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::tree::written;

/// What one look leaves to the next.
#[derive(Debug, Clone, Default)]
struct Kept {
    texts: Vec<u8>,
    trees: Vec<u8>,
}

impl Kept {
    /// A look with what an earlier one left: what is found, and how many files were read for it.
    fn look(&mut self, root: &Path) -> (Detection, usize) {
        self.look_as(root, "a")
    }

    fn look_as(&mut self, root: &Path, maker: &str) -> (Detection, usize) {
        self.with_memory(maker, |memory| {
            let tree = Tree::read(root).unwrap().remembering(memory.clone());
            (detect(&tree), tree.files_read())
        })
    }

    /// One look at two trees, as at a project and a context of its services.
    fn look_at(&mut self, roots: [&Path; 2]) {
        self.with_memory("a", |memory| {
            for root in roots {
                detect(&Tree::read(root).unwrap().remembering(memory.clone()));
            }
        });
    }

    fn with_memory<T>(&mut self, maker: &str, look: impl FnOnce(&Arc<Memory>) -> T) -> T {
        let texts = self.texts.clone();
        let memory = Arc::new(Memory {
            texts: Texts::new(move || texts, maker),
            trees: Trees::new(self.trees.clone(), maker),
        });
        let found = look(&memory);
        self.texts = memory.texts.to_keep().unwrap_or(self.texts.split_off(0));
        self.trees = memory.trees.to_keep().unwrap_or(self.trees.split_off(0));
        found
    }
}

/// What is found in a directory, and that it is found again from memory.
pub(crate) fn found_twice(root: &Path) -> Detection {
    let mut kept = Kept::default();
    let (first, _) = kept.look(root);
    let (again, read) = kept.look(root);
    assert_eq!(read, 0, "nothing has changed");
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    // As after an edit: what the files say is known, what they make up is not.
    kept.trees.clear();
    let (anew, read) = kept.look(root);
    assert!(read > 0 || first.files_read == 0);
    assert_eq!(format!("{first:?}"), format!("{anew:?}"));
    first
}

const SERVER: &str =
    "import os\nfrom fastapi import FastAPI\n\napp = FastAPI()\nKEY = os.environ['KEY']\n";

fn project() -> TempDir {
    written(&[
        ("README.md", "# Desk\n"),
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("app/main.py", SERVER),
        (
            "Dockerfile",
            "FROM python\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]\n",
        ),
    ])
}

fn names(detection: &Detection) -> Vec<&str> {
    let variables = detection.environment.iter();
    variables.map(|variable| variable.name.as_str()).collect()
}

#[test]
fn whole_projects_are_found_again() {
    let trees = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees");
    for tree in fs_err::read_dir(trees).unwrap() {
        found_twice(&tree.unwrap().path());
    }
}

#[test]
fn files_of_the_same_text_are_told_apart() {
    let server = "const port = 3000;\nrequire('http').createServer().listen(port);\n";
    let package = "{\"name\": \"one\", \"scripts\": {\"start\": \"node server.js\"}}";
    let root = written(&[
        ("one/package.json", package),
        ("one/server.js", server),
        ("two/package.json", package),
        ("two/server.js", server),
    ]);
    let found = found_twice(root.path());
    let places = found.services.iter();
    let places: Vec<_> = places
        .map(|service| service.defined_at.file.to_str().unwrap())
        .collect();
    assert_eq!(places, ["one/server.js", "two/server.js"]);
}

#[test]
fn a_change_that_leaves_size_and_time_is_seen() {
    let root = project();
    let mut kept = Kept::default();
    assert_eq!(names(&kept.look(root.path()).0), ["KEY"]);
    let file = root.path().join("app/main.py");
    let modified = fs_err::metadata(&file).unwrap().modified().unwrap();
    fs_err::write(&file, SERVER.replace("KEY", "LOG")).unwrap();
    let written = File::options().write(true).open(&file).unwrap();
    written.set_modified(modified).unwrap();
    let (found, read) = kept.look(root.path());
    assert_eq!(names(&found), ["LOG"]);
    assert!(read > 0);
}

#[test]
fn files_that_come_go_or_are_kept_out_of_images_are_seen() {
    let root = project();
    let mut kept = Kept::default();
    kept.look(root.path());
    let settled = |kept: &mut Kept| kept.look(root.path()).1 == 0;
    assert!(settled(&mut kept));

    fs_err::write(root.path().join("app/more.py"), "").unwrap();
    assert!(!settled(&mut kept) && settled(&mut kept));
    fs_err::write(root.path().join(".dockerignore"), "app/more.py\n").unwrap();
    assert!(!settled(&mut kept) && settled(&mut kept));
    fs_err::write(root.path().join(".dockerignore"), "README.md  \n").unwrap();
    assert!(!settled(&mut kept) && settled(&mut kept));
    fs_err::create_dir(root.path().join("app/empty")).unwrap();
    assert!(!settled(&mut kept) && settled(&mut kept));
    fs_err::remove_file(root.path().join("app/main.py")).unwrap();
    assert!(!settled(&mut kept));
    assert!(kept.look(root.path()).0.services.is_empty());
}

#[test]
fn files_that_nobody_looked_into_may_change() {
    let root = project();
    let mut kept = Kept::default();
    kept.look(root.path());
    fs_err::write(root.path().join("README.md"), "# Another\n").unwrap();
    assert_eq!(kept.look(root.path()).1, 0);
}

#[test]
fn a_file_that_only_looks_new_is_the_same() {
    let root = project();
    let mut kept = Kept::default();
    kept.look(root.path());
    let file = root.path().join("app/main.py");
    fs_err::remove_file(&file).unwrap();
    fs_err::write(&file, SERVER).unwrap();
    let touched = File::options().write(true).open(&file).unwrap();
    touched.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(kept.look(root.path()).1, 0);
}

#[test]
fn another_program_or_place_looks_for_itself() {
    let root = project();
    let mut kept = Kept::default();
    kept.look(root.path());
    assert!(kept.clone().look_as(root.path(), "b").1 > 0);
    let moved = root.path().join("app");
    assert!(kept.look(&moved).1 > 0);
    // Neither takes the place of the other.
    assert_eq!(kept.look(root.path()).1, 0);
    assert_eq!(kept.look(&moved).1, 0);
}

#[test]
fn a_file_that_grew_too_large_is_another_one() {
    let root = project();
    let mut kept = Kept::default();
    kept.look(root.path());
    let file = root.path().join("app/main.py");
    let most = Bounds::default().source_bytes as usize;
    fs_err::write(&file, format!("{SERVER}#{}\n", "-".repeat(most))).unwrap();
    assert!(kept.look(root.path()).0.services.is_empty());
    assert_eq!(kept.look(root.path()).1, 0);
}

#[test]
fn what_the_texts_say_outlasts_a_look_at_the_whole() {
    let root = project();
    let mut kept = Kept::default();
    kept.look(root.path());
    let texts = kept.texts.clone();
    kept.look(root.path());
    assert_eq!(kept.texts, texts);
    // A look at another tree learns something; what the first one's texts say stays.
    let other = written(&[(
        "main.py",
        "from flask import Flask\n\napp = Flask(__name__)\n",
    )]);
    kept.look_at([root.path(), other.path()]);
    assert!(kept.texts.len() > texts.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn damage_is_as_if_nothing_had_been_kept(place in 0_usize..4000, value: u8, cut in 0_usize..4000) {
        let root = project();
        let mut kept = Kept::default();
        let (first, _) = kept.look(root.path());
        let length = kept.trees.len();
        kept.trees.truncate(length - cut % length);
        if let Some(byte) = kept.trees.get_mut(place) {
            *byte = value;
        }
        let (again, _) = kept.look(root.path());
        prop_assert_eq!(format!("{first:?}"), format!("{again:?}"));
    }
}
