//! The wheel of a project after an edit: what it is without its build backend is what that would make of it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::Spanned;
use plimsoll_image::Digest;
use plimsoll_image::builder::{BuildRequest, BuiltImage, Memory};
use plimsoll_image::oci::Architecture;
use plimsoll_model::{BuildRecipe, PythonDependencies, PythonRecipe, RecipeKind};
use support::Bench;

/// A backend, what its build requires, and settings.
struct Backend {
    name: &'static str,
    requires: &'static str,
    settings: &'static str,
}

const BACKENDS: [Backend; 6] = [
    Backend {
        name: "hatchling.build",
        requires: "hatchling",
        settings: "[tool.hatch.build.targets.wheel]\npackages = ['src/shop']\n",
    },
    Backend {
        name: "setuptools.build_meta",
        requires: "setuptools>=61",
        settings: "[tool.setuptools.packages.find]\nwhere = ['src']\n[tool.setuptools.package-data]\nshop = ['*.txt']\n",
    },
    Backend {
        name: "flit_core.buildapi",
        requires: "flit_core",
        settings: "",
    },
    Backend {
        name: "poetry.core.masonry.api",
        requires: "poetry-core>=2",
        settings: "[tool.poetry]\npackages = [{ include = 'shop', from = 'src' }]\n",
    },
    Backend {
        name: "pdm.backend",
        requires: "pdm-backend",
        settings: "",
    },
    Backend {
        name: "uv_build",
        requires: "uv_build",
        settings: "",
    },
];

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A project of this backend, of its own name so that no test gets what another made.
fn project(backend: &Backend) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let Backend {
        name,
        requires,
        settings,
    } = backend;
    let unique = root.path().display();
    let manifest = format!(
        "# {unique}\n[build-system]\nrequires = ['{requires}']\nbuild-backend = '{name}'\n\
         [project]\nname = 'shop'\nversion = '1.0'\ndescription = 'A shop'\nreadme = 'README.md'\n\
         [project.scripts]\nserve = 'shop.main:serve'\n{settings}"
    );
    write(root.path(), "pyproject.toml", &manifest);
    for (path, text) in [
        ("README.md", "# Shop\n"),
        ("LICENSE", "Free.\n"),
        ("src/shop/__init__.py", "'''A shop.'''\n"),
        ("src/shop/main.py", "def serve(): print('one')\n"),
        ("src/shop/broken.py", "def ("),
        ("src/shop/prices.txt", "1\n"),
        ("src/shop/parts/__init__.py", ""),
        ("src/shop/parts/again/__init__.py", ""),
        (
            "src/shop/parts/cart.py",
            "from shop import main\nNAMES = {'a', 'b', 'c'}\n",
        ),
        ("tests/test_main.py", "def test(): pass\n"),
    ] {
        write(root.path(), path, text);
    }
    root
}

fn recipe(context: &Path) -> BuildRecipe {
    BuildRecipe {
        context: context.to_path_buf(),
        kind: RecipeKind::Python(PythonRecipe {
            root: PathBuf::new(),
            requires_python: None,
            preferred_python: None,
            dependencies: PythonDependencies::None,
            install_project: Some(Spanned::unplaced("shop".to_string())),
            extras: Vec::new(),
            undeclared: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: vec!["serve".into()],
        working_dir: PathBuf::from("/app"),
        ports: Vec::new(),
        pages: Vec::new(),
    }
}

/// Builds the project, and says whether that took its backend.
fn build(bench: &Bench, context: &Path, memory: Memory) -> (BuiltImage, bool) {
    bench.sandbox().ran();
    let recipe = recipe(context);
    let request = BuildRequest {
        memory,
        ..BuildRequest::new(
            "shop",
            "test/shop:latest",
            &recipe,
            Architecture::host().unwrap(),
        )
    };
    let built = bench.builder().build(&request);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    let ran = bench.sandbox().ran();
    println!("{memory:?} in {:?}: {ran:?}", built.duration);
    let asks = ran.iter().any(|step| step.ends_with("install the project"));
    assert!(!asks, "a plain wheel is laid out without an installer");
    let took = ran.iter().any(|step| step.ends_with("build the project"));
    (built, took)
}

fn layers(built: &BuiltImage) -> Vec<Digest> {
    let layers = built.image.layers.iter();
    layers.map(|layer| layer.diff_id).collect()
}

#[test]
fn an_edited_wheel_is_what_its_backend_makes_in_another_directory() {
    let Some(bench) = Bench::open("edited wheel") else {
        return;
    };
    for backend in &BACKENDS {
        println!("{}", backend.name);
        let project = project(backend);
        let root = project.path();
        let (first, took) = build(&bench, root, Memory::Use);
        assert!(took);
        for (path, text) in [
            ("src/shop/main.py", "def serve(): print('two', 2)\n"),
            ("src/shop/parts/cart.py", "def ("),
            ("src/shop/broken.py", "x = 'mended'\n"),
            ("src/shop/prices.txt", "2\n3\n"),
            ("src/shop/main.py", ""),
            ("src/shop/main.py", "def serve(): print('three')\n"),
        ] {
            write(root, path, text);
            let (_, took) = build(&bench, root, Memory::Use);
            assert!(!took, "{} runs for an edit of {path}", backend.name);
        }
        let (edited, took) = build(&bench, root, Memory::Use);
        assert!(!took);
        assert_ne!(layers(&edited), layers(&first));

        let elsewhere = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("cp")
            .args(["-r", "."])
            .arg(elsewhere.path())
            .current_dir(root)
            .status();
        assert!(status.unwrap().success());
        let (cold, took) = build(&bench, elsewhere.path(), Memory::Ignore);
        assert!(took);
        assert_eq!(layers(&cold), layers(&edited), "{}", backend.name);
        assert_eq!(cold.image.id, edited.image.id, "{}", backend.name);
    }
}

#[test]
fn what_a_backend_reads_takes_it_again() {
    let Some(bench) = Bench::open("backend again") else {
        return;
    };
    let project = project(&BACKENDS[0]);
    let root = project.path();
    let manifest = fs::read_to_string(root.join("pyproject.toml")).unwrap();
    let dynamic = manifest.replace("version = '1.0'", "dynamic = ['version']");
    write(
        root,
        "pyproject.toml",
        &format!("{dynamic}[tool.hatch.version]\npath = 'src/shop/about.py'\n"),
    );
    write(root, "src/shop/about.py", "__version__ = '1.0'\n");
    assert!(build(&bench, root, Memory::Use).1);
    for (path, text, takes) in [
        ("src/shop/main.py", "def serve(): print('two')\n", false),
        ("src/shop/about.py", "__version__ = '1.1'\n", true),
        ("README.md", "# A shop\n", true),
        // Two files with these bytes might be what was copied.
        ("src/shop/parts/__init__.py", "", false),
        ("tests/test_main.py", "def test(): assert True\n", false),
        ("src/shop/new.py", "", true),
        ("src/shop/main.py", "def serve(): print('three')\n", false),
    ] {
        write(root, path, text);
        assert_eq!(build(&bench, root, Memory::Use).1, takes, "{path}");
    }
}
