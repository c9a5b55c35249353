//! Python images, built for real: packages from their registries, steps in a sandbox.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs_err as fs;
use plimsoll_diag::Spanned;
use plimsoll_image::builder::{BuildRequest, BuiltImage, Memory, Outcome};
use plimsoll_image::oci::Architecture;
use plimsoll_image::project_lock::{LockPolicy, ProjectLock};
use plimsoll_image::{Sandbox, Step, StepNetwork};
use plimsoll_model::{BuildRecipe, PythonDependencies, PythonRecipe, RecipeKind};
use support::Bench;

fn recipe(context: &Path, dependencies: PythonDependencies) -> BuildRecipe {
    BuildRecipe {
        context: context.to_path_buf(),
        kind: RecipeKind::Python(PythonRecipe {
            root: PathBuf::new(),
            requires_python: None,
            preferred_python: None,
            dependencies,
            install_project: None,
            extras: Vec::new(),
            undeclared: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: vec!["python".into(), "-m".into(), "service".into()],
        working_dir: PathBuf::from("/app"),
        ports: vec![8000],
        pages: Vec::new(),
    }
}

fn python(recipe: &mut BuildRecipe) -> &mut PythonRecipe {
    match &mut recipe.kind {
        RecipeKind::Python(python) => python,
        _ => unreachable!("these recipes are for Python"),
    }
}

fn build(bench: &Bench, name: &str, recipe: &BuildRecipe) -> BuiltImage {
    build_with(bench, name, recipe, Memory::Use)
}

fn build_with(bench: &Bench, name: &str, recipe: &BuildRecipe, memory: Memory) -> BuiltImage {
    let reference = format!("test/{name}:latest");
    let request = BuildRequest {
        memory,
        ..BuildRequest::new(name, &reference, recipe, Architecture::host().unwrap())
    };
    let built = bench.builder().build(&request);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    println!("{name}: {:?} in {:?}", built.outcome, built.duration);
    for layer in &built.layers {
        println!("  {:>10} {}", layer.size, layer.created_by);
    }
    built
}

/// Runs a program in a container of the image.
fn run(bench: &Bench, built: &BuiltImage, command: &[&str]) -> String {
    let layers = built.image.layers.iter();
    let step = Step {
        name: command.join(" "),
        root: layers
            .map(|layer| bench.store.unpacked(layer).unwrap())
            .collect(),
        mounts: Vec::new(),
        command: command.iter().map(|word| word.to_string()).collect(),
        environment: built.image.config.environment.clone(),
        working_dir: PathBuf::from(&built.image.config.working_dir),
        network: StepNetwork::None,
        user: (65532, 65532),
        timeout: Duration::from_secs(60),
        memory: None,
        pids: None,
    };
    let outcome = bench.sandbox().run(&step).unwrap();
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.exit_code, 0, "{command:?}: {stderr}");
    String::from_utf8(outcome.stdout).unwrap()
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn requirements_become_a_service_that_imports_them() {
    let Some(bench) = Bench::open("requirements") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    write(
        context.path(),
        "requirements.txt",
        "fastapi\nuvicorn[standard]\npsycopg[binary]\nhttpx\n",
    );
    write(
        context.path(),
        "service/__main__.py",
        "import fastapi, httpx, psycopg, pydantic, ssl, uvloop\nprint('imported', psycopg.pq.version() > 0)\n",
    );
    write(context.path(), ".env", "SECRET=1");
    let recipe = recipe(
        context.path(),
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    let built = build(&bench, "requirements", &recipe);
    assert_eq!(
        run(&bench, &built, &["python", "-m", "service"]),
        "imported True\n"
    );
    // A console script runs the image's interpreter.
    assert!(run(&bench, &built, &["uvicorn", "--version"]).contains("CPython 3.13"));
    let listed =
        "import os; print(os.path.exists('/app/.env'), os.path.exists('/app/requirements.txt'))";
    assert_eq!(
        run(&bench, &built, &["python", "-c", listed]),
        "False True\n"
    );

    let again = build(&bench, "requirements", &recipe);
    assert_eq!(again.outcome, Outcome::Cached);
    assert_eq!(again.image.id, built.image.id);

    write(context.path(), "service/__main__.py", "print('edited')\n");
    let edited = build(&bench, "requirements", &recipe);
    assert_eq!(
        run(&bench, &edited, &["python", "-m", "service"]),
        "edited\n"
    );
    let layers = edited.image.layers.iter().zip(&built.image.layers);
    let changed = layers
        .filter(|(new, old)| new.diff_id != old.diff_id)
        .count();
    assert_eq!(changed, 1, "an edit changes the application's layer alone");
}

#[test]
fn a_locked_workspace_installs_one_member_and_what_it_needs() {
    let Some(bench) = Bench::open("workspace") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let root = context.path();
    write(
        root,
        "pyproject.toml",
        "[tool.uv.workspace]\nmembers = ['libs/*', 'apps/*']\n",
    );
    let member = |name: &str, dependencies: &str, more: &str| {
        format!(
            "[project]\nname = '{name}'\nversion = '1.2.3'\nrequires-python = '>=3.11'\n\
             dependencies = [{dependencies}]\n{more}\n\
             [build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
        )
    };
    write(
        root,
        "libs/core/pyproject.toml",
        &member("core", "'idna'", ""),
    );
    write(
        root,
        "libs/core/src/core/__init__.py",
        "import idna\nNAME = 'core'\n",
    );
    write(
        root,
        "libs/other/pyproject.toml",
        &member("other", "'flask'", ""),
    );
    write(root, "libs/other/src/other/__init__.py", "");
    let more = "[project.scripts]\nserve = 'api:main'\n[tool.uv.sources]\ncore = { workspace = true }\n\
                [dependency-groups]\ndev = ['pytest']\n";
    write(
        root,
        "apps/api/pyproject.toml",
        &member("api", "'core', 'sniffio'", more),
    );
    write(
        root,
        "apps/api/src/api/__init__.py",
        "import core, sniffio\ndef main(): print('serving', core.NAME)\n",
    );
    let lock = std::process::Command::new(bench.uv())
        .args(["lock", "--quiet"])
        .current_dir(root)
        .status()
        .unwrap();
    assert!(lock.success());

    let mut recipe = recipe(
        root,
        PythonDependencies::UvLock {
            lock: "uv.lock".into(),
            package: Some("api".into()),
        },
    );
    python(&mut recipe).root = "apps/api".into();
    python(&mut recipe).install_project = Some(Spanned::unplaced("api".into()));
    let built = build(&bench, "workspace", &recipe);
    assert_eq!(run(&bench, &built, &["serve"]), "serving core\n");
    let script =
        "from importlib.metadata import distributions as d; print(*sorted(x.name for x in d()))";
    assert_eq!(
        run(&bench, &built, &["python", "-c", script]),
        "api core idna sniffio\n"
    );
    let script = "import core, os; print(core.__file__, os.path.exists(core.__cached__))";
    assert_eq!(
        run(&bench, &built, &["python", "-c", script]),
        "/app/.venv/lib/python3.13/site-packages/core/__init__.py True\n"
    );
}

#[test]
fn what_does_not_resolve_is_told_with_package_and_reason() {
    let Some(bench) = Bench::open("unresolvable") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let mut recipe = recipe(
        context.path(),
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    let told = |text: &str, recipe: &BuildRecipe| {
        write(context.path(), "requirements.txt", text);
        let request = BuildRequest::new(
            "unresolvable",
            "test/unresolvable:latest",
            recipe,
            Architecture::host().unwrap(),
        );
        bench.builder().build(&request).unwrap_err().diagnostic()
    };
    let diagnostic = told("idna>=900\n", &recipe);
    println!("{diagnostic:#?}");
    assert!(diagnostic.message.contains("idna"), "{diagnostic}");
    let diagnostic = told("no-such-distribution-7f3a\n", &recipe);
    println!("{diagnostic:#?}");
    assert!(diagnostic.message.contains("no-such-distribution-7f3a"));
    // Pure Python, but only as a source distribution.
    write(context.path(), "requirements.txt", "docopt==0.6.2\n");
    let built = build(&bench, "source-only", &recipe);
    assert_eq!(
        run(
            &bench,
            &built,
            &["python", "-c", "import docopt; print(docopt.__version__)"]
        ),
        "0.6.2\n"
    );
    python(&mut recipe).requires_python = Some(Spanned::unplaced("==3.9.*".into()));
    let diagnostic = told("idna\n", &recipe);
    assert!(
        diagnostic.message.contains("3.13 (Debian 13)"),
        "{diagnostic}"
    );
}

/// A checkout of a real project, where the machine has one: `PLIMSOLL_LIVE_PROJECTS` names the
/// directory of checkouts.
fn checkout(name: &str) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the place of checkouts for live tests"
    )]
    let place = std::env::var_os("PLIMSOLL_LIVE_PROJECTS");
    let path = PathBuf::from(place.unwrap_or_default()).join(name);
    if !path.is_dir() {
        println!("{name} skipped: PLIMSOLL_LIVE_PROJECTS has no such checkout");
        return None;
    }
    Some(path)
}

#[test]
fn a_project_without_a_lock_that_needs_git_reads_a_strangers_repository() {
    let Some(bench) = Bench::open("flowcheck") else {
        return;
    };
    let Some(context) = checkout("flowcheck") else {
        return;
    };
    let mut recipe = recipe(
        &context,
        PythonDependencies::Pyproject {
            file: "pyproject.toml".into(),
        },
    );
    python(&mut recipe).requires_python = Some(Spanned::unplaced(">=3.10".into()));
    python(&mut recipe).install_project = Some(Spanned::unplaced("flowcheck".into()));
    recipe.system_packages = vec![Spanned::unplaced("git".into())];
    let built = build(&bench, "flowcheck", &recipe);
    let help = run(&bench, &built, &["flowcheck", "--help"]);
    println!("{help}");
    assert!(help.contains("flowcheck"));
    let config = run(&bench, &built, &["git", "config", "--system", "--list"]);
    assert_eq!(config, "safe.directory=*\n");
}

#[test]
fn the_example_backend_builds_from_its_own_files() {
    let Some(bench) = Bench::open("agent-desk") else {
        return;
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/agent-desk/backend");
    let context = example.canonicalize().unwrap();
    let mut recipe = recipe(
        &context,
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    python(&mut recipe).requires_python = Some(Spanned::unplaced(">=3.11".into()));
    let built = build(&bench, "agent-desk-backend", &recipe);
    let script = "import celery, fastapi, psycopg, uvicorn, desk.calculator; print('imported')";
    assert!(run(&bench, &built, &["python", "-c", script]).contains("imported"));
}

#[test]
fn building_anew_gives_the_same_layers() {
    let Some(bench) = Bench::open("repeatable") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    write(
        context.path(),
        "requirements.txt",
        "fastapi\nhttpx\nnumpy\nsqlalchemy\n",
    );
    write(context.path(), "service.py", "");
    let recipe = recipe(
        context.path(),
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    let first = build_with(&bench, "repeatable", &recipe, Memory::Ignore);
    let second = build_with(&bench, "repeatable", &recipe, Memory::Ignore);
    assert_eq!(second.outcome, Outcome::Built);
    for ((layer, one), two) in first
        .layers
        .iter()
        .zip(&first.image.layers)
        .zip(&second.image.layers)
    {
        assert_eq!(one.diff_id, two.diff_id, "{}", layer.created_by);
    }
    assert_eq!(first.image.id, second.image.id);
}

#[test]
fn services_that_share_work_do_it_once() {
    let Some(bench) = Bench::open("parallel") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let unique = format!("# {}\nidna\ncertifi\n", context.path().display());
    write(context.path(), "requirements.txt", &unique);
    let mut recipe = recipe(
        context.path(),
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    let worker = {
        recipe.command = vec!["python".into(), "-m".into(), "worker".into()];
        recipe.clone()
    };
    let builder = bench.builder();
    let built: Vec<BuiltImage> = std::thread::scope(|scope| {
        let threads: Vec<_> = [("api", &recipe), ("worker", &worker), ("cron", &worker)]
            .into_iter()
            .map(|(name, recipe)| {
                let builder = &builder;
                scope.spawn(move || {
                    let reference = format!("test/parallel-{name}:latest");
                    let request =
                        BuildRequest::new(name, &reference, recipe, Architecture::host().unwrap());
                    builder.build(&request).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let made = built.iter().filter(|image| image.outcome == Outcome::Built);
    let layers: Vec<_> = built.iter().map(|image| &image.image.layers).collect();
    assert!(layers.windows(2).all(|pair| pair[0] == pair[1]));
    println!("made by {} of {}", made.count(), built.len());
}

#[test]
fn a_locked_distribution_without_a_wheel_is_compiled() {
    let Some(bench) = Bench::open("orcheo") else {
        return;
    };
    let Some(context) = checkout("orcheo") else {
        return;
    };
    let mut recipe = recipe(
        &context,
        PythonDependencies::UvLock {
            lock: "uv.lock".into(),
            package: Some("orcheo-backend".into()),
        },
    );
    python(&mut recipe).root = "apps/backend".into();
    python(&mut recipe).install_project = Some(Spanned::unplaced("orcheo-backend".into()));
    python(&mut recipe).requires_python = Some(Spanned::unplaced(">=3.12".into()));
    let built = build(&bench, "orcheo", &recipe);
    let script = "import mmh3, os; print(mmh3.hash('a'), os.path.exists('/usr/bin/gcc'))";
    assert_eq!(
        run(&bench, &built, &["python", "-c", script]),
        "1009084850 False\n"
    );
}

#[test]
fn what_is_compiled_finds_its_headers_and_later_its_libraries() {
    let Some(bench) = Bench::open("compiled") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    write(
        context.path(),
        "requirements.txt",
        "psycopg2==2.9.10\ndocopt==0.6.2\n",
    );
    write(context.path(), "service.py", "");
    let recipe = recipe(
        context.path(),
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    let first = build_with(&bench, "compiled", &recipe, Memory::Ignore);
    let script = "import psycopg2, docopt; print(psycopg2.__libpq_version__ > 0)";
    assert_eq!(run(&bench, &first, &["python", "-c", script]), "True\n");
    assert!(
        first
            .layers
            .iter()
            .any(|layer| layer.created_by.contains("libpq5"))
    );
    // For another processor it is refused, and named.
    let other = match Architecture::host().unwrap() {
        Architecture::Amd64 => Architecture::Arm64,
        Architecture::Arm64 => Architecture::Amd64,
    };
    let request = BuildRequest::new("compiled", "test/compiled:other", &recipe, other);
    let error = bench.builder().build(&request).unwrap_err().diagnostic();
    println!("{error:#?}");
    assert!(error.message.contains("psycopg2==2.9.10"), "{error}");
    assert!(error.message.contains(other.name()), "{error}");
}

#[test]
fn an_image_for_another_processor_has_that_processors_modules_alone() {
    let Some(bench) = Bench::open("other processor") else {
        return;
    };
    let (other, machine) = match Architecture::host().unwrap() {
        Architecture::Amd64 => (Architecture::Arm64, 183),
        Architecture::Arm64 => (Architecture::Amd64, 62),
    };
    let context = tempfile::tempdir().unwrap();
    write(
        context.path(),
        "requirements.txt",
        "fastapi\nuvicorn[standard]\npsycopg[binary]\nnumpy\ndocopt==0.6.2\n",
    );
    write(context.path(), "service.py", "print('hello')\n");
    let mut recipe = recipe(
        context.path(),
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    recipe.system_packages = vec![Spanned::unplaced("git".into())];
    let mut ids = Vec::new();
    for _ in 0..2 {
        let request = BuildRequest {
            memory: Memory::Ignore,
            ..BuildRequest::new("other", "test/other:latest", &recipe, other)
        };
        let built = bench.builder().build(&request);
        let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
        ids.push(built.image.id);
        let mut objects = 0;
        for layer in &built.image.layers {
            let tree = bench.store.unpacked(layer).unwrap();
            each_file(&tree, &mut |bytes| {
                if bytes.starts_with(b"\x7fELF") {
                    objects += 1;
                    assert_eq!(bytes[0x12], machine);
                }
            });
        }
        assert!(objects > 50, "{objects}");
    }
    assert_eq!(ids[0], ids[1]);
}

/// Shows the start of every file below a directory.
fn each_file(directory: &Path, look: &mut dyn FnMut(&[u8])) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            each_file(&path, look);
        } else if metadata.is_file() {
            let mut start = [0; 20];
            let mut file = fs::File::open(&path).unwrap();
            if std::io::Read::read_exact(&mut file, &mut start).is_ok() {
                look(&start);
            }
        }
    }
}

#[test]
fn an_older_python_is_taken_where_only_it_has_the_wheels() {
    let Some(bench) = Bench::open("older Python") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let text = "fastapi==0.108.0\nuvicorn==0.25.0\nnumpy==1.26.2\npydantic==2.5.3\n";
    write(context.path(), "requirements.txt", text);
    let mut recipe = recipe(
        context.path(),
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    python(&mut recipe).requires_python = Some(Spanned::unplaced(">=3.9".into()));
    let built = build(&bench, "older", &recipe);
    let script = "import sys, numpy, fastapi; print(sys.version_info[:2], numpy.__version__)";
    assert_eq!(
        run(&bench, &built, &["python", "-c", script]),
        "(3, 11) 1.26.2\n"
    );
    assert_eq!(build(&bench, "older", &recipe).outcome, Outcome::Cached);
}

#[test]
fn what_a_project_leaves_open_is_settled_once_as_of_a_moment() {
    let Some(bench) = Bench::open("settled") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let aside = tempfile::tempdir().unwrap();
    write(context.path(), "requirements.txt", "idna\n");
    write(context.path(), "service/__main__.py", "");
    let recipe = recipe(
        context.path(),
        PythonDependencies::Requirements {
            files: vec!["requirements.txt".into()],
        },
    );
    let build = |policy, memory, moment: &str| {
        let lock = ProjectLock::open(context.path(), aside.path(), policy);
        let lock = Arc::new(lock.unwrap());
        let builder = bench.builder().with_project_lock(Arc::clone(&lock));
        let request = BuildRequest {
            memory,
            as_of: Some(moment.to_string()),
            ..BuildRequest::new(
                "settled",
                "test/settled:latest",
                &recipe,
                Architecture::host().unwrap(),
            )
        };
        let built = builder.build(&request);
        built.map(|built| (built.image.id, lock.change().map(|change| change.packages)))
    };
    let file = context.path().join("plimsoll.lock");
    let (first, change) = build(LockPolicy::Update, Memory::Use, "2024-01-01T00:00:00Z").unwrap();
    assert_eq!(change, Some(1));
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("\nidna==3.6 "), "{written}");
    // A later commit changes nothing, and nothing is asked for again.
    let (again, change) =
        build(LockPolicy::Locked, Memory::Ignore, "2025-01-01T00:00:00Z").unwrap();
    assert_eq!((again, change), (first, None));
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    // A requirement more is settled; what was settled stays.
    write(context.path(), "requirements.txt", "idna\nsniffio\n");
    let refused = build(LockPolicy::Locked, Memory::Use, "2025-01-01T00:00:00Z");
    let told = refused.unwrap_err().diagnostic().message;
    assert!(told.contains("`requirements.txt`"), "{told}");
    let (_, change) = build(LockPolicy::Update, Memory::Use, "2025-01-01T00:00:00Z").unwrap();
    assert_eq!(change, Some(1));
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("\nidna==3.6 ") && written.contains("\nsniffio==1.3.1 "));
    // A file that is not the settled one is told where it is settled.
    let changed: Vec<String> = written
        .lines()
        .map(|line| match line.split_once("sha256:") {
            Some((start, hash)) if start.contains("--hash") => {
                format!("{start}sha256:{}{}", "0".repeat(64), &hash[64..])
            }
            _ => line.to_string(),
        })
        .collect();
    fs::write(&file, changed.join("\n") + "\n").unwrap();
    let told = build(LockPolicy::Update, Memory::Use, "2025-01-01T00:00:00Z");
    let told = told.unwrap_err().diagnostic();
    assert!(
        told.message.contains("is not what is locked here"),
        "{told}"
    );
    let place = told.span.unwrap();
    assert!(place.file.ends_with("plimsoll.lock") && place.start.line > 1);
}
