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

/// What is found in a directory, and that it is found again from memory, also where all code stands a line lower.
pub(crate) fn found_twice(root: &Path) -> Detection {
    moved_a_line(root);
    found_again(root)
}

/// That what is remembered of a directory and moved is what a look finds that knows nothing.
fn moved_a_line(root: &Path) {
    let copy = tempfile::tempdir().unwrap();
    let tree = Tree::read(root).unwrap();
    let files = tree.files().iter().map(|file| &file.path);
    for path in files.clone() {
        let target = copy.path().join(path);
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::copy(root.join(path), target).unwrap();
    }
    let mut kept = Kept::default();
    kept.look(copy.path());
    for path in files {
        let comment = match path.extension().and_then(|end| end.to_str()) {
            Some("py") => "# moved",
            Some("js" | "ts" | "tsx" | "mjs" | "go" | "rs") => "// moved",
            _ => continue,
        };
        let file = copy.path().join(path);
        let text = fs_err::read(&file).unwrap();
        if !text.starts_with(b"#!") {
            fs_err::write(&file, [comment.as_bytes(), b"\n", &text].concat()).unwrap();
        }
    }
    let (moved, _) = kept.look(copy.path());
    let (anew, _) = Kept::default().look(copy.path());
    assert_eq!(format!("{moved:?}"), format!("{anew:?}"));
    assert_eq!(kept.look(copy.path()).1, 0, "the edit is remembered");
}

/// What is found in a directory, and that it is found again from memory.
fn found_again(root: &Path) -> Detection {
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

/// How many files are read after an edit of one.
fn read_after(files: &[(&str, &str)], edited: &str, edit: impl FnOnce(&str) -> String) -> usize {
    let root = written(files);
    let mut kept = Kept::default();
    kept.look(root.path());
    let file = root.path().join(edited);
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, edit(&text)).unwrap();
    let (found, read) = kept.look(root.path());
    let (anew, _) = Kept::default().look(root.path());
    assert_eq!(format!("{found:?}"), format!("{anew:?}"));
    read
}

const PYTHON: &[(&str, &str)] = &[
    ("requirements.txt", "fastapi\nuvicorn\n"),
    (".env.example", "UNREAD=1\n"),
    ("main.py", SERVER),
];

#[test]
fn an_edit_that_says_nothing_new_is_no_reason_to_look() {
    let above = |text: &str| format!("\"\"\"What it does.\n\nAnd why.\n\"\"\"\n\n{text}");
    assert_eq!(read_after(PYTHON, "main.py", above), 0);
    let inside = |text: &str| text.replace("\napp =", "\n\n# The service.\napp =");
    assert_eq!(read_after(PYTHON, "main.py", inside), 0);
    let server = "const port = 3000;\nrequire('http').createServer().listen(port);\n";
    let package = "{\"name\": \"one\", \"scripts\": {\"start\": \"node server.js\"}}";
    let node = [("package.json", package), ("server.js", server)];
    assert_eq!(
        read_after(&node, "server.js", |text| format!("// Listens.\n{text}")),
        0
    );
    let go = [
        ("go.mod", "module desk\n\ngo 1.24\n"),
        (
            "main.go",
            "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.ListenAndServe(\":8080\", nil)\n}\n",
        ),
    ];
    let longer = |text: &str| text.replace("{\n", "{\n\t// Forever.\n");
    assert_eq!(read_after(&go, "main.go", longer), 0);
}

#[test]
fn an_edit_that_says_something_else_is_looked_at() {
    let more = |text: &str| format!("{text}MORE = os.environ['MORE']\n");
    assert!(read_after(PYTHON, "main.py", more) > 0);
    let other = |text: &str| text.replace("fastapi", "flask");
    assert!(read_after(PYTHON, "requirements.txt", other) > 0);
    // A file that the example of variables is held against.
    let mentions = |text: &str| format!("# UNREAD is of another program.\n{text}");
    assert!(read_after(PYTHON, "main.py", mentions) > 0);
    // What stood in two lines stands in one: the order in which things are told may be another.
    let joined = |text: &str| text.replace("import os\nfrom", "import os; from");
    assert!(read_after(PYTHON, "main.py", joined) > 0);
}

#[test]
fn a_place_that_a_problem_tells_moves_along() {
    let files = [
        ("requirements.txt", "fastapi\nuvicorn\n"),
        (".env.example", "LOG=1\n"),
        ("main.py", SERVER),
    ];
    let told = "does not start (main.py:7)";
    let root = written(&files);
    let mut kept = Kept::default();
    kept.look(root.path());
    fs_err::write(
        root.path().join("main.py"),
        format!("# One.\n# Two.\n{SERVER}"),
    )
    .unwrap();
    let (found, read) = kept.look(root.path());
    assert_eq!(read, 0);
    assert!(
        found
            .problems
            .iter()
            .any(|problem| problem.what.ends_with(told)),
        "{:?}",
        found.problems
    );
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
