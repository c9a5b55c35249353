//! Programs of Rust, built for real with the cargo of this machine. Nothing is fetched from a
//! registry of crates: the programs have no dependencies beyond the tree.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use plimsoll_image::builder::{BuildRequest, BuiltImage, Outcome};
use plimsoll_image::clients::{ClientSettings, is_client_variable};
use plimsoll_image::inventory::Inventory;
use plimsoll_image::oci::Architecture;
use plimsoll_image::{Sandbox, Step, StepNetwork};
use plimsoll_model::{BuildRecipe, RecipeKind, RustRecipe};
use support::Bench;

/// The largest that the image of a plain program may be.
const LARGEST: u64 = 40 << 20;

/// How this machine's package clients are configured; `None` where cargo is absent.
fn clients() -> Option<ClientSettings> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test stands for the binary here"
    )]
    let variables: std::collections::BTreeMap<String, String> = std::env::vars().collect();
    let path = variables.get("PATH").cloned().unwrap_or_default();
    if !path
        .split(':')
        .any(|directory| Path::new(directory).join("cargo").is_file())
    {
        println!("rust images skipped: there is no cargo on this machine");
        return None;
    }
    let home = variables.get("HOME").map(PathBuf::from);
    Some(ClientSettings {
        variables: variables
            .into_iter()
            .filter(|(name, _)| is_client_variable(name))
            .collect(),
        home,
        ..ClientSettings::default()
    })
}

fn recipe(context: &Path, package: &str, binary: &str) -> BuildRecipe {
    BuildRecipe {
        context: context.to_path_buf(),
        kind: RecipeKind::Rust(RustRecipe {
            root: PathBuf::new(),
            package: package.into(),
            binary: binary.into(),
            features: Vec::new(),
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

fn build(bench: &Bench, clients: &ClientSettings, name: &str, recipe: &BuildRecipe) -> BuiltImage {
    let reference = format!("test/{name}:latest");
    let request = BuildRequest::new(name, &reference, recipe, Architecture::host().unwrap());
    let built = bench.builder_with(clients.clone()).build(&request);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    println!("{name}: {:?} in {:?}", built.outcome, built.duration);
    for layer in &built.layers {
        println!("  {:>10} {}", layer.size, layer.created_by);
    }
    built
}

/// Runs the image's own program, which must succeed, and gives what it writes.
fn run(bench: &Bench, built: &BuiltImage) -> String {
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
    println!("{}", String::from_utf8_lossy(&outcome.stderr));
    assert_eq!(outcome.exit_code, 0);
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

const WORKSPACE: &str =
    "[workspace]\nmembers = [\"greeter\", \"words\", \"shout\"]\nresolver = \"2\"\n";

/// It unwinds, links threads, and reads a file of the image.
const MAIN: &str = r#"fn main() {
    let text = std::fs::read_to_string("templates/hello.txt").unwrap();
    let caught = std::thread::spawn(|| panic!("on purpose")).join().is_err();
    println!("{} {caught} {}", words::polite(text.trim()), env!("BUILT_BY"));
}
"#;

const MANIFEST: &str = r#"[package]
name = "greeter"
version = "0.3.0"
edition = "2021"

[[bin]]
name = "greet"
path = "src/main.rs"

[[bin]]
name = "loud"
path = "src/loud.rs"

[dependencies]
words = { path = "../words" }
shout = { path = "../shout" }
"#;

fn files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("Cargo.toml", WORKSPACE),
        ("greeter/Cargo.toml", MANIFEST),
        ("greeter/src/main.rs", MAIN),
        (
            "greeter/src/loud.rs",
            "fn main() { println!(\"{}\", shout::shout!(\"hey\")); }\n",
        ),
        (
            "greeter/build.rs",
            "fn main() { println!(\"cargo::rustc-env=BUILT_BY=script\"); }\n",
        ),
        (
            "words/Cargo.toml",
            "[package]\nname = \"words\"\nversion = \"1.2.0\"\nedition = \"2021\"\n",
        ),
        (
            "words/src/lib.rs",
            "pub fn polite(text: &str) -> String { format!(\"{text}, please\") }\n",
        ),
        (
            "shout/Cargo.toml",
            "[package]\nname = \"shout\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\nproc-macro = true\n",
        ),
        (
            "shout/src/lib.rs",
            "use proc_macro::TokenStream;\n\n#[proc_macro]\npub fn shout(input: TokenStream) -> TokenStream {\n    input.to_string().to_uppercase().parse().unwrap()\n}\n",
        ),
        ("templates/hello.txt", "hello\n"),
        (
            "target/CACHEDIR.TAG",
            "Signature: 8a477f597d28d172789f06886806bc55",
        ),
        ("target/release/greet", "what another build has left"),
        ("README.md", "not in the image"),
    ]
}

#[test]
fn programs_of_a_workspace_become_images_that_know_their_crates() {
    let Some(bench) = Bench::open("rust images") else {
        return;
    };
    let Some(clients) = clients() else { return };
    let project = project(&files());
    let greet = recipe(project.path(), "greeter", "greet");
    let built = build(&bench, &clients, "greet", &greet);
    assert_eq!(run(&bench, &built), "hello, please true script\n");
    let size: u64 = built.layers.iter().map(|layer| layer.size).sum();
    assert!(size < LARGEST, "{size}");
    let inventory = Inventory::of(&bench.store, &built.image).unwrap();
    let crates: Vec<String> = inventory
        .components
        .iter()
        .map(|component| format!("{} {}", component.name, component.version))
        .collect();
    assert!(crates.contains(&"words 1.2.0".to_string()), "{crates:?}");
    assert!(!crates.contains(&"shout 0.1.0".to_string()), "{crates:?}");

    let again = build(&bench, &clients, "greet", &greet);
    assert_eq!(again.outcome, Outcome::Cached);
    assert_eq!(again.image.manifest, built.image.manifest);
    let loud = build(
        &bench,
        &clients,
        "loud",
        &recipe(project.path(), "greeter", "loud"),
    );
    assert_eq!(run(&bench, &loud), "\"HEY\"\n".replace('"', ""));
    // The lock file was made in a copy.
    assert!(!project.path().join("Cargo.lock").exists());
}

#[test]
fn another_directory_gives_the_same_image_and_an_edit_another() {
    let Some(bench) = Bench::open("rust images") else {
        return;
    };
    let Some(clients) = clients() else { return };
    let (one, other) = (project(&files()), project(&files()));
    let first = build(
        &bench,
        &clients,
        "one",
        &recipe(one.path(), "greeter", "greet"),
    );
    let reference = "test/other:latest";
    let again = recipe(other.path(), "greeter", "greet");
    let mut request = BuildRequest::new("other", reference, &again, Architecture::host().unwrap());
    request.memory = plimsoll_image::Memory::Ignore;
    let second = bench.builder_with(clients.clone()).build(&request).unwrap();
    assert_eq!(second.outcome, Outcome::Built);
    let program = |built: &BuiltImage| built.image.layers.last().unwrap().diff_id;
    assert_eq!(program(&first), program(&second));
    fs::write(
        other.path().join("words/src/lib.rs"),
        "pub fn polite(text: &str) -> String { format!(\"dear {text}\") }\n",
    )
    .unwrap();
    let edited = build(&bench, &clients, "other", &again);
    assert_eq!(run(&bench, &edited), "dear hello true script\n");
}

#[test]
fn what_keeps_a_program_from_being_built_is_told() {
    let Some(bench) = Bench::open("rust images") else {
        return;
    };
    let Some(clients) = clients() else { return };
    let manifest = "[package]\nname = \"broken\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let project = project(&[
        ("Cargo.toml", manifest),
        ("src/main.rs", "fn main() {\n    undefined();\n}\n"),
    ]);
    let recipe = recipe(project.path(), "broken", "broken");
    let host = Architecture::host().unwrap();
    let request = BuildRequest::new("broken", "test/broken:latest", &recipe, host);
    let place = |clients: ClientSettings| {
        let error = bench.builder_with(clients).build(&request).unwrap_err();
        let told = error.diagnostic();
        let span = told.span.clone().unwrap_or_else(|| panic!("{told}"));
        (span.file.display().to_string(), span.start.line)
    };
    let expected = ("src/main.rs".to_string(), 2);
    assert_eq!(place(clients.clone()), expected);

    // Where no Rust is installed, one is fetched, and tells the same.
    let bare = |project: &Path| ClientSettings {
        system: project.to_path_buf(),
        ..ClientSettings::default()
    };
    assert_eq!(place(bare(project.path())), expected);

    // One that the project asks for, and that does not exist, is named.
    fs::write(
        project.path().join("rust-toolchain.toml"),
        "[toolchain]\nchannel = \"1.0.999\"\n",
    )
    .unwrap();
    let builder = bench.builder_with(bare(project.path()));
    let error = builder.build(&request).unwrap_err().diagnostic();
    assert!(error.message.contains("1.0.999"), "{error}");
}
