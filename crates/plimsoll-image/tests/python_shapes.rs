//! Python projects of older and rarer shapes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::Spanned;
use plimsoll_image::builder::{BuildError, BuildRequest, BuiltImage};
use plimsoll_image::clients::ClientSettings;
use plimsoll_image::oci::Architecture;
use plimsoll_model::{BuildRecipe, PythonDependencies, PythonRecipe, RecipeKind};
use support::Bench;
use support::index::{Index, ONE_PROCESSOR};

fn recipe(context: &Path, dependencies: PythonDependencies, install: Option<&str>) -> BuildRecipe {
    BuildRecipe {
        context: context.to_path_buf(),
        kind: RecipeKind::Python(PythonRecipe {
            root: PathBuf::new(),
            requires_python: None,
            preferred_python: None,
            dependencies,
            install_project: install.map(|name| Spanned::unplaced(name.to_string())),
            extras: Vec::new(),
            undeclared: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: vec!["python".into(), "-m".into(), "shop".into()],
        working_dir: PathBuf::from("/app"),
        ports: Vec::new(),
        pages: Vec::new(),
    }
}

fn requirements() -> PythonDependencies {
    PythonDependencies::Requirements {
        files: vec!["requirements.txt".into()],
    }
}

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn build(bench: &Bench, name: &str, recipe: &BuildRecipe) -> Result<BuiltImage, BuildError> {
    let reference = format!("test/{name}:latest");
    let host = Architecture::host().unwrap();
    let request = BuildRequest::new(name, &reference, recipe, host);
    bench.builder().build(&request)
}

/// Whether a file of the image ends so.
fn has(bench: &Bench, built: &BuiltImage, end: &str) -> bool {
    fn below(directory: &Path, end: &str) -> bool {
        fs::read_dir(directory).unwrap().any(|entry| {
            let path = entry.unwrap().path();
            let found = path.to_string_lossy().ends_with(end);
            found || path.is_dir() && !path.is_symlink() && below(&path, end)
        })
    }
    built
        .image
        .layers
        .iter()
        .any(|layer| below(&bench.store.unpacked(layer).unwrap(), end))
}

const SETUP: &str = "from setuptools import find_packages, setup\n\n\
    setup(name=\"shop\", version=\"1.0\", packages=find_packages(), install_requires=[\"idna\" + \"==3.10\"],\n      \
    entry_points={\"console_scripts\": [\"shop-serve=shop.__main__:serve\"]})\n";

#[test]
fn a_setup_py_is_asked_what_it_needs() {
    let Some(bench) = Bench::open("setup.py") else {
        return;
    };
    let project = project(&[
        ("setup.py", SETUP),
        ("shop/__init__.py", ""),
        ("shop/__main__.py", "def serve(): print(\"open\")\n"),
    ]);
    let file = PythonDependencies::Pyproject {
        file: "setup.py".into(),
    };
    let recipe = recipe(project.path(), file, Some("shop"));
    let built = build(&bench, "setup", &recipe);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    assert!(has(&bench, &built, "idna-3.10.dist-info/METADATA"));
    assert!(has(&bench, &built, "bin/shop-serve"));
    // It was run in a copy.
    assert!(!project.path().join("shop.egg-info").exists());
}

#[test]
fn lines_for_other_files_limits_and_the_project_itself_are_followed() {
    let Some(bench) = Bench::open("requirements") else {
        return;
    };
    let project = project(&[
        (
            "requirements.txt",
            "-r more/base.txt\n-c limits.txt\n-e .\n",
        ),
        ("more/base.txt", "h11\n"),
        ("limits.txt", "h11<0.15\n"),
        ("setup.py", SETUP),
        ("shop/__init__.py", ""),
        ("shop/__main__.py", "def serve(): print(\"open\")\n"),
    ]);
    let recipe = recipe(project.path(), requirements(), None);
    let built = build(&bench, "lines", &recipe);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    assert!(has(&bench, &built, "idna-3.10.dist-info/METADATA"));
    assert!(has(&bench, &built, "h11-0.14.0.dist-info/METADATA"));
}

#[test]
fn versions_that_go_together_on_an_older_python_alone_get_that_one() {
    let Some(bench) = Bench::open("older") else {
        return;
    };
    let project = project(&[
        (
            "requirements.txt",
            "idna==3.10\nidna==3.9; python_version >= \"3.12\"\n",
        ),
        ("shop/__main__.py", ""),
    ]);
    let recipe = recipe(project.path(), requirements(), None);
    let built = build(&bench, "older", &recipe);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    assert!(has(&bench, &built, "idna-3.10.dist-info/METADATA"));
    assert!(has(&bench, &built, "bin/python3.11"));
    assert!(!has(&bench, &built, "bin/python3.13"));
}

#[test]
fn what_exists_for_another_processor_alone_is_named_before_anything_is_fetched() {
    let Some(bench) = Bench::open("one processor") else {
        return;
    };
    bench.uv();
    let index = Index::start(None);
    let text = format!("{ONE_PROCESSOR}-engine\n");
    let project = project(&[("requirements.txt", &text), ("shop/__main__.py", "")]);
    let recipe = recipe(project.path(), requirements(), None);
    let other = match Architecture::host().unwrap() {
        Architecture::Amd64 => Architecture::Arm64,
        Architecture::Arm64 => return println!("skipped: this machine is the other one"),
    };
    let address = format!("http://{}/simple", index.place());
    let builder = bench.builder_with(ClientSettings {
        variables: [("UV_DEFAULT_INDEX".to_string(), address)].into(),
        ..ClientSettings::default()
    });
    let request = BuildRequest::new("one", "test/one:latest", &recipe, other);
    let error = builder.build(&request).unwrap_err().diagnostic();
    println!("{error}");
    assert!(
        error.message.contains("only-amd64-engine") && error.message.contains("aarch64"),
        "{error}"
    );
    assert_eq!(index.given(), Vec::<String>::new());
}
