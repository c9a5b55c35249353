//! Programs of Go, built for real: the toolchain and modules through the module proxy.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use plimsoll_diag::Spanned;
use plimsoll_image::builder::{BuildRequest, BuiltImage, Outcome};
use plimsoll_image::oci::Architecture;
use plimsoll_image::{Sandbox, Step, StepNetwork};
use plimsoll_model::{BuildRecipe, GoRecipe, HealthTest, Healthcheck, RecipeKind};
use support::Bench;

const BOTH: [Architecture; 2] = [Architecture::Amd64, Architecture::Arm64];

/// The largest that the image of a plain program may be.
const LARGEST: u64 = 20 << 20;

fn recipe(context: &Path, package: &str) -> BuildRecipe {
    BuildRecipe {
        context: context.to_path_buf(),
        kind: RecipeKind::Go(GoRecipe {
            root: PathBuf::new(),
            package: package.into(),
            version: Some(Spanned::unplaced("1.24".into())),
            cgo: false,
            tags: Vec::new(),
            data: vec!["templates".into()],
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: Vec::new(),
        working_dir: PathBuf::new(),
        ports: vec![8080],
        pages: Vec::new(),
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

fn build(bench: &Bench, name: &str, recipe: &BuildRecipe, target: Architecture) -> BuiltImage {
    let reference = format!("test/{name}:latest");
    let request = BuildRequest::new(name, &reference, recipe, target);
    let built = bench.builder().build(&request);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    println!(
        "{name} {target}: {:?} in {:?}",
        built.outcome, built.duration
    );
    for layer in &built.layers {
        println!("  {:>10} {}", layer.size, layer.created_by);
    }
    built
}

/// Runs the image's own program, which must succeed, and gives what it writes.
fn run(bench: &Bench, built: &BuiltImage) -> String {
    let (code, text) = outcome(bench, built);
    assert_eq!(code, 0, "{text}");
    text
}

/// Runs the image's own program, and gives how it ends and what it writes.
fn outcome(bench: &Bench, built: &BuiltImage) -> (i32, String) {
    let config = &built.image.config;
    let layers = built.image.layers.iter();
    let step = Step {
        name: "run".into(),
        root: layers
            .map(|layer| bench.store.unpacked(layer).unwrap())
            .collect(),
        mounts: Vec::new(),
        command: config.entrypoint.clone(),
        environment: config.environment.clone(),
        working_dir: PathBuf::from(&config.working_dir),
        network: StepNetwork::None,
        user: (65532, 65532),
        timeout: Duration::from_secs(60),
        memory: None,
        pids: None,
    };
    let outcome = bench.sandbox().run(&step).unwrap();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    println!("{}", String::from_utf8_lossy(&outcome.stderr));
    (outcome.exit_code, text)
}

const MODULE: &str =
    "module example.com/team/greeter\n\ngo 1.24\n\nrequire github.com/google/uuid v1.6.0\n";

const MAIN: &str = r#"package main

import (
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
)

func main() {
	text, err := os.ReadFile("templates/hello.txt")
	if err != nil {
		panic(err)
	}
	zone, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		panic(err)
	}
	fmt.Print(string(text), uuid.NewSHA1(uuid.NameSpaceDNS, text), " ", zone, "\n")
}
"#;

#[test]
fn a_program_stands_alone_for_both_processors_and_is_known_again() {
    let Some(bench) = Bench::open("go images") else {
        return;
    };
    // Without `go.sum`: it is mended in a copy.
    let project = project(&[
        ("go.mod", MODULE),
        ("cmd/greeter/main.go", MAIN),
        ("templates/hello.txt", "hello\n"),
        ("README.md", "not in the image"),
    ]);
    let recipe = recipe(project.path(), "./cmd/greeter");
    for target in BOTH {
        let built = build(&bench, "greeter", &recipe, target);
        let size: u64 = built.layers.iter().map(|layer| layer.size).sum();
        assert!(size < LARGEST, "{size}");
        if Architecture::host().unwrap() == target {
            let said = run(&bench, &built);
            assert!(said.starts_with("hello\n"), "{said}");
            assert!(said.ends_with(" Europe/Lisbon\n"), "{said}");
        }
        let again = build(&bench, "greeter", &recipe, target);
        assert_eq!(again.outcome, Outcome::Cached);
        assert_eq!(again.image.manifest, built.image.manifest);
    }
    assert!(!project.path().join("go.sum").exists());
    fs::write(
        project.path().join("cmd/greeter/main.go"),
        MAIN.replace("uuid.NewSHA1", "\"edited \", uuid.NewSHA1"),
    )
    .unwrap();
    let host = Architecture::host().unwrap();
    let before = build(&bench, "greeter", &recipe, host);
    assert!(run(&bench, &before).contains("edited"));
}

#[test]
fn an_image_for_other_engines_holds_a_probe_that_runs() {
    let Some(bench) = Bench::open("go images") else {
        return;
    };
    let project = project(&[
        ("go.mod", "module example.com/team/idle\n\ngo 1.24\n"),
        ("main.go", "package main\n\nfunc main() {}\n"),
    ]);
    let recipe = recipe(project.path(), ".");
    let health = Healthcheck {
        test: Some(HealthTest::Shell(
            "curl -f http://localhost:8080/health || exit 1".into(),
        )),
        interval: Some(Duration::from_secs(10)),
        timeout: None,
        retries: None,
        start_period: None,
        start_interval: None,
    };
    for target in BOTH {
        let request = BuildRequest {
            health: Some(&health),
            ..BuildRequest::new("idle", "test/idle:latest", &recipe, target)
        };
        let built = bench.builder().build(&request).unwrap();
        let probe = built.layers.last().unwrap();
        assert_eq!(probe.created_by, "health probe");
        assert!(probe.size < 50 << 10, "{}", probe.size);
        let check = built.image.config.healthcheck.clone().unwrap();
        assert_eq!(
            check.test,
            [
                "CMD",
                "/usr/bin/plimsoll-probe",
                "http",
                "http://localhost:8080/health"
            ]
        );
        if Architecture::host().unwrap() == target {
            let mut probing = built;
            probing.image.config.entrypoint = check.test[1..].to_vec();
            let (code, said) = outcome(&bench, &probing);
            assert_eq!((code, said.as_str()), (1, "nobody listens there\n"));
        }
    }
}

const WITH_C: &str = r#"package main

/*
#include <stdio.h>
static int twice(int x) { return 2 * x; }
*/
import "C"

import "fmt"

func main() { fmt.Println(C.twice(21)) }
"#;

#[test]
fn a_program_that_calls_c_gets_a_c_library() {
    let Some(bench) = Bench::open("go images") else {
        return;
    };
    let project = project(&[
        ("go.mod", "module example.com/team/twice\n\ngo 1.24\n"),
        ("main.go", WITH_C),
    ]);
    let mut recipe = recipe(project.path(), ".");
    if let RecipeKind::Go(go) = &mut recipe.kind {
        go.cgo = true;
    }
    for target in BOTH {
        let built = build(&bench, "twice", &recipe, target);
        if Architecture::host().unwrap() == target {
            assert_eq!(run(&bench, &built), "42\n");
        }
    }
}

#[test]
fn what_does_not_compile_is_told_with_its_place() {
    let Some(bench) = Bench::open("go images") else {
        return;
    };
    let project = project(&[
        ("go.mod", "module example.com/team/broken\n\ngo 1.24\n"),
        (
            "main.go",
            "package main\n\nfunc main() {\n\tundefined()\n}\n",
        ),
    ]);
    let recipe = recipe(project.path(), ".");
    let host = Architecture::host().unwrap();
    let request = BuildRequest::new("broken", "test/broken:latest", &recipe, host);
    let error = bench.builder().build(&request).unwrap_err().diagnostic();
    let span = error.span.unwrap();
    assert_eq!((span.file.to_str(), span.start.line), (Some("main.go"), 4));
}
