//! Trees made to break whoever reads them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its tree has failed"
)]

use std::path::Path;

use plimsoll_detect::{Tree, detect};
use proptest::prelude::*;

fn tree(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Tree) {
    let directory = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = directory.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
    let tree = Tree::read(directory.path()).unwrap();
    (directory, tree)
}

/// A service that must be found whatever lies beside it.
const SERVICE: (&str, &[u8]) = (
    "app.py",
    b"from fastapi import FastAPI\nimport uvicorn\napp = FastAPI()\n",
);

#[test]
fn deep_nesting_is_survived() {
    let lists = "[".repeat(200_000);
    let calls = format!("uvicorn = {}1{}", "f(".repeat(20_000), ")".repeat(20_000));
    let blocks: String = (0..2_000)
        .map(|depth| format!("{}if uvicorn:\n", " ".repeat(depth % 300)))
        .collect();
    let json = "{\"a\":".repeat(50_000);
    let toml = format!("a = {}{}", "[".repeat(50_000), "]".repeat(50_000));
    let deep = format!("{}main.py", "d/".repeat(80));
    let (_directory, tree) = tree(&[
        SERVICE,
        ("lists.py", format!("uvicorn = {lists}").as_bytes()),
        ("calls.py", calls.as_bytes()),
        ("blocks.py", blocks.as_bytes()),
        ("package.json", json.as_bytes()),
        ("deep/pyproject.toml", toml.as_bytes()),
        (&deep, SERVICE.1),
    ]);
    let detection = detect(&tree);
    assert!(
        detection
            .services
            .iter()
            .any(|service| service.target == "app:app")
    );
}

#[test]
fn files_that_include_themselves_are_read_once() {
    let (_directory, tree) = tree(&[
        SERVICE,
        ("requirements.txt", b"-r requirements.txt\n-r ../../../etc/passwd\nfastapi==0.115.0\nuvicorn\n"),
        ("a.py", b"from b import *\nfrom fastapi import FastAPI\n"),
        ("b.py", b"from a import *\nfrom fastapi import FastAPI\nserved = app\n"),
        ("c.py", b"from fastapi import FastAPI\nclass S(S): ...\nx = x\napp2 = x\napp2.include_router(app2)\n"),
    ]);
    let detection = detect(&tree);
    let service = detection
        .services
        .iter()
        .find(|service| service.target == "app:app")
        .unwrap();
    assert_eq!(service.version.as_deref(), Some("0.115"));
}

#[test]
fn wrong_bytes_do_not_hide_a_service() {
    let (_directory, tree) = tree(&[
        (
            "app.py",
            b"# \xff\xfe caf\xe9\nfrom fastapi import FastAPI\napp = FastAPI()\n",
        ),
        ("nul.py", b"\0\0\0uvicorn\0"),
        ("pyproject.toml", b"\xff\xfe[project]"),
        ("Dockerfile", b"FROM \xff\nCMD [\"\\"),
        (".env.example", b"\xff=1\nA=\n"),
    ]);
    assert_eq!(detect(&tree).services.len(), 1);
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_left_alone() {
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("app.py"), SERVICE.1).unwrap();
    let directory = tempfile::tempdir().unwrap();
    fs_err::os::unix::fs::symlink(outside.path(), directory.path().join("linked")).unwrap();
    fs_err::os::unix::fs::symlink(
        outside.path().join("app.py"),
        directory.path().join("app.py"),
    )
    .unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(directory.path().join("pipe.py"))
        .status();
    assert!(pipe.is_ok_and(|status| status.success()));
    let tree = Tree::read(directory.path()).unwrap();
    assert!(tree.files().is_empty());
    assert!(detect(&tree).services.is_empty());
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs_err::write(root.join("main.py"), SERVICE.1).unwrap();
    // Directories that contain themselves, be it over two links, and links that lead nowhere.
    fs_err::create_dir_all(root.join("inner")).unwrap();
    for (target, link) in [
        (".", "itself"),
        ("..", "inner/above"),
        ("turn", "about"),
        ("about", "turn"),
        ("/proc/self/root", "everything"),
        ("nowhere", "server.py"),
    ] {
        fs_err::os::unix::fs::symlink(target, root.join(link)).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(root.join("app.py")).unwrap();
    for name in [
        "wsgi.py",
        "Dockerfile",
        "package.json",
        "inner/pyproject.toml",
    ] {
        let made = std::process::Command::new("mkfifo")
            .arg(root.join(name))
            .status();
        assert!(made.is_ok_and(|status| status.success()));
    }
    // Only root makes devices; elsewhere the rest has been shown.
    let _ = std::process::Command::new("mknod")
        .arg(root.join("zero.py"))
        .args(["c", "1", "5"])
        .stderr(std::process::Stdio::null())
        .status();
    let tree = Tree::read(root).unwrap();
    let files: Vec<_> = tree.files().iter().map(|file| file.path.clone()).collect();
    assert_eq!(files, [std::sync::Arc::from(Path::new("main.py"))]);
    assert_eq!(detect(&tree).services.len(), 1);
}

#[cfg(unix)]
#[test]
fn a_directory_that_nobody_may_read_hides_nothing_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, _) = tree(&[SERVICE, ("closed/other.py", SERVICE.1)]);
    let closed = directory.path().join("closed");
    fs_err::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    let again = Tree::read(directory.path()).map(|tree| detect(&tree).services);
    fs_err::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    let services = again.unwrap();
    assert!(services.iter().any(|service| service.target == "app:app"));
}

#[test]
fn one_line_of_many_megabytes_is_survived() {
    let long = |start: &str, unit: &str, end: &str| {
        format!("{start}{}{end}", unit.repeat(50 * 1024 * 1024 / unit.len()))
    };
    let python = long("uvicorn = [", "1,", "]\n");
    let (_directory, tree) = tree(&[
        SERVICE,
        ("data.py", python.as_bytes()),
        (
            "web/bundle.js",
            long("const x=\"", "process.env.A;", "\";").as_bytes(),
        ),
        (
            "web/package.json",
            long("{\"name\":\"", "a", "\"}").as_bytes(),
        ),
        (
            "main.go",
            long("package main\nvar x = \"", "a", "\"").as_bytes(),
        ),
        ("Procfile", long("web: ", "gunicorn ", "").as_bytes()),
    ]);
    let detection = detect(&tree);
    assert!(
        detection
            .services
            .iter()
            .any(|service| service.target == "app:app")
    );
}

#[test]
fn a_file_that_vanishes_is_told() {
    let (directory, tree) = tree(&[SERVICE, ("other.py", b"import uvicorn\n")]);
    fs_err::remove_file(directory.path().join("other.py")).unwrap();
    let detection = detect(&tree);
    assert_eq!(detection.services.len(), 1);
    assert!(
        detection
            .problems
            .iter()
            .any(|problem| problem.path.as_ref() == Path::new("other.py"))
    );
}

#[test]
fn many_files_are_listed_once() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..3_000 {
        let part = directory.path().join(format!("p{}", number % 50));
        fs_err::create_dir_all(&part).unwrap();
        fs_err::write(part.join(format!("m{number}.py")), b"x = 1\n").unwrap();
    }
    fs_err::write(directory.path().join("app.py"), SERVICE.1).unwrap();
    let tree = Tree::read(directory.path()).unwrap();
    let detection = detect(&tree);
    assert_eq!(
        (detection.files_listed, detection.services.len()),
        (3_001, 1)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Fragments of real files in any order: nothing panics, and the same bytes give the same answer.
    #[test]
    fn any_mixture_of_fragments_is_survived(
        fragments in proptest::collection::vec(0usize..FRAGMENTS.len(), 0..40),
        noise in "[ -~\\n]{0,40}",
    ) {
        let text: String = fragments.iter().map(|index| FRAGMENTS[*index]).chain([noise.as_str()]).collect();
        let (_directory, tree) = tree(&[
            ("app/main.py", text.as_bytes()),
            ("app/other.py", text.as_bytes()),
            ("pyproject.toml", text.as_bytes()),
            ("requirements.txt", text.as_bytes()),
            ("web/package.json", text.as_bytes()),
            ("web/vite.config.ts", text.as_bytes()),
            ("Dockerfile", text.as_bytes()),
            (".env.example", text.as_bytes()),
        ]);
        let first = serde_json::to_string(&detect(&tree).services).unwrap();
        prop_assert_eq!(first, serde_json::to_string(&detect(&tree).services).unwrap());
    }
}

const FRAGMENTS: &[&str] = &[
    "from fastapi import FastAPI\n",
    "app = FastAPI()\n",
    "from .other import app\n",
    "from app.other import *\n",
    "import os, uvicorn\n",
    "def create_app(x=1):\n    app = FastAPI()\n    return app\n",
    "app = create_app()\n",
    "if __name__ == '__main__':\n    uvicorn.run(app, host='127.0.0.1', port=int(os.getenv('PORT', '8000')))\n",
    "from celery import Celery\nqueue = Celery('x', broker=os.environ['BROKER_URL'])\n",
    "@queue.task\ndef work(): ...\n",
    "class Settings(Settings):\n    a: int = Field(..., alias='B')\n",
    "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    url: str\n",
    "from fastmcp import FastMCP\nmcp = FastMCP('x')\nmcp.run(transport='http', port=1)\n",
    "import streamlit as st\nst.title('x')\n",
    "[project]\nname = 'x'\ndependencies = ['fastapi']\n",
    "[project.scripts]\nx = 'app.main:create_app'\n",
    "{\"name\": \"x\", \"dependencies\": {\"vite\": \"^6\"}, \"scripts\": {\"build\": \"vite build\"}}\n",
    "export default { build: { outDir: `${x}` } };\n",
    "FROM python:3.11-slim AS a\nCMD [\"uvicorn\", \"app.main:app\"]\n",
    "\"\"\"",
    "(",
    "{",
    "'''",
    "\\",
    "\t",
    "\n    ",
    "=",
    "import ",
    "from ",
    "@",
];
