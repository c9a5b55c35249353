//! Packages of an index that wants a password: it is used, and is nowhere afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use plimsoll_image::builder::{BuildError, BuildRequest, BuiltImage};
use plimsoll_image::clients::ClientSettings;
use plimsoll_image::oci::Architecture;
use plimsoll_image::project_lock::{LockPolicy, ProjectLock};
use plimsoll_image::secrets::SecretSearch;
use plimsoll_image::store::Store;
use plimsoll_model::{BuildRecipe, PythonDependencies, PythonRecipe, RecipeKind};
use support::Bench;
use support::index::{Answer, Index};

const USER: &str = "build-robot";
/// It has to be written otherwise in an address.
const PASSWORD: &str = "s3cret/of@robots";
const QUOTED: &str = "s3cret%2Fof%40robots";

/// A machine of its own: a home, a project, a store, and an index that only it may read.
struct Scene {
    bench: Bench,
    index: Index,
    root: tempfile::TempDir,
}

impl Scene {
    fn open(test: &str) -> Option<Self> {
        let mut bench = Bench::open(test)?;
        // Fetched from the machine's own index: this one has no uv.
        bench.uv();
        let root = tempfile::tempdir().unwrap();
        bench.store = Store::open(&root.path().join("store")).unwrap();
        fs::create_dir_all(root.path().join("project/service")).unwrap();
        fs::write(root.path().join("project/service/__main__.py"), "").unwrap();
        let index = Index::start(Some((USER, PASSWORD)));
        Some(Self { bench, index, root })
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn clients(&self, variables: &[(&str, &str)]) -> ClientSettings {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        ClientSettings {
            variables: variables.iter().map(owned).collect(),
            home: Some(self.root.path().join("home")),
            project: Some(self.root.path().join("project")),
            ..ClientSettings::default()
        }
    }

    fn build(
        &self,
        clients: ClientSettings,
        dependencies: PythonDependencies,
    ) -> Result<BuiltImage, BuildError> {
        let project = self.root.path().join("project");
        let lock = ProjectLock::open(
            &project,
            &self.root.path().join("aside"),
            LockPolicy::Update,
        );
        let recipe = BuildRecipe {
            context: project,
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
            ports: Vec::new(),
            pages: Vec::new(),
        };
        let host = Architecture::host().unwrap();
        let builder = self.bench.builder_with(clients);
        let builder = builder.with_project_lock(Arc::new(lock.unwrap()));
        builder.build(&BuildRequest::new(
            "private",
            "test/private:latest",
            &recipe,
            host,
        ))
    }

    /// Looks for the password in the image, in the lock file, and in every file of the store.
    fn nothing_is_kept(&self, built: &BuiltImage, clients: &ClientSettings) {
        let known = clients.known_credentials();
        assert!(!known.is_empty(), "what is looked for is known");
        let search = SecretSearch::new(&known);
        let hits = search.search(&self.bench.store, &built.image).unwrap();
        assert!(hits.is_empty(), "{hits:?}");
        assert!(search.search_cache(&self.bench.store).unwrap().is_empty());
        for place in ["store", "project/plimsoll.lock"] {
            holds_nothing(&self.root.path().join(place));
        }
        self.nothing_is_aside();
    }

    fn nothing_is_aside(&self) {
        // Wheels that are unpacked in memory leave nothing there.
        let aside = self.root.path().join("aside");
        if aside.is_dir() {
            holds_nothing(&aside);
        }
    }
}

fn holds_nothing(path: &Path) {
    // An unpacked layer has links to places of this machine: these are not the image's.
    let kind = fs::symlink_metadata(path).unwrap().file_type();
    if kind.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            holds_nothing(&entry.unwrap().path());
        }
    } else if kind.is_file() {
        let bytes = fs::read(path).unwrap();
        for secret in [PASSWORD, QUOTED] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{} holds the password", path.display());
        }
    }
}

fn requirements() -> PythonDependencies {
    PythonDependencies::Requirements {
        files: vec!["requirements.txt".into()],
    }
}

#[test]
fn a_password_of_pips_configuration_of_netrc_and_of_variables_is_used_and_kept_nowhere() {
    let Some(scene) = Scene::open("private index") else {
        return;
    };
    let address = |credentials: &str| format!("http://{credentials}{}/simple", scene.index.place());
    let plain = address("");
    let whole = address(&format!("{USER}:{QUOTED}@"));
    scene.write("project/requirements.txt", "hidden-one\n");
    // pip's configuration file, as a company's manual says it.
    let configuration = format!("[global]\nindex-url = {whole}\n");
    scene.write("home/.config/pip/pip.conf", &configuration);
    let clients = scene.clients(&[]);
    let built = scene.build(clients.clone(), requirements()).unwrap();
    scene.nothing_is_kept(&built, &clients);
    fs::remove_file(scene.root.path().join("home/.config/pip/pip.conf")).unwrap();

    // `.netrc` for an index that a variable names.
    scene.write("project/requirements.txt", "hidden-one\nhidden-two\n");
    let entry = format!("machine 127.0.0.1\n  login {USER}\n  password {PASSWORD}\n");
    scene.write("home/.netrc", &entry);
    let clients = scene.clients(&[("UV_DEFAULT_INDEX", &plain)]);
    let built = scene.build(clients.clone(), requirements()).unwrap();
    scene.nothing_is_kept(&built, &clients);
    fs::remove_file(scene.root.path().join("home/.netrc")).unwrap();

    // A variable for an index that the project names.
    let manifest = format!(
        "[project]\nname = 'service'\nversion = '1'\ndependencies = ['hidden-three']\n\
         [[tool.uv.index]]\nname = 'own-packages'\nurl = '{plain}'\n"
    );
    scene.write("project/pyproject.toml", &manifest);
    let from = PythonDependencies::Pyproject {
        file: "pyproject.toml".into(),
    };
    let clients = scene.clients(&[
        (
            "UV_DEFAULT_INDEX",
            &format!("http://{}/empty", scene.index.place()),
        ),
        ("UV_INDEX_OWN_PACKAGES_USERNAME", USER),
        ("UV_INDEX_OWN_PACKAGES_PASSWORD", PASSWORD),
    ]);
    let built = scene.build(clients.clone(), from).unwrap();
    scene.nothing_is_kept(&built, &clients);
    fs::remove_file(scene.root.path().join("project/pyproject.toml")).unwrap();

    // In the requirement itself.
    let wheel = format!(
        "http://{USER}:{QUOTED}@{}/files/hidden_one-1.0-py3-none-any.whl",
        scene.index.place()
    );
    scene.write(
        "project/requirements.txt",
        &format!("hidden-one @ {wheel}\n"),
    );
    let clients = scene.clients(&[("UV_DEFAULT_INDEX", &whole)]);
    let built = scene.build(clients.clone(), requirements()).unwrap();
    // The file itself is a part of the application: that is found before anything is given away.
    let search = SecretSearch::new(&clients.known_credentials());
    let hits = search.search(&scene.bench.store, &built.image).unwrap();
    let places: Vec<String> = hits.iter().map(|hit| hit.place.to_string()).collect();
    assert_eq!(places, ["`/app/requirements.txt` in layer 5"]);
    holds_nothing(&scene.root.path().join("project/plimsoll.lock"));
    scene.nothing_is_aside();
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let Some(scene) = Scene::open("wrong password") else {
        return;
    };
    scene.write("project/requirements.txt", "hidden-one\n");
    let whole = format!(
        "http://{USER}:wr0ng-{QUOTED}@{}/simple",
        scene.index.place()
    );
    let error = scene.build(
        scene.clients(&[("UV_DEFAULT_INDEX", &whole)]),
        requirements(),
    );
    let error = error.unwrap_err();
    let told = format!("{} {error:?}", error.diagnostic());
    println!("{}", error.diagnostic());
    assert!(
        told.contains("401") || told.contains("Unauthorized"),
        "{told}"
    );
    assert!(
        !told.contains("wr0ng") && !told.contains(PASSWORD),
        "{told}"
    );
    assert!(!scene.root.path().join("project/plimsoll.lock").exists());
}

#[test]
fn an_index_that_stumbles_is_asked_again_and_one_that_fails_is_named() {
    let Some(scene) = Scene::open("stumbling index") else {
        return;
    };
    let whole = format!("http://{USER}:{QUOTED}@{}/simple", scene.index.place());
    let clients = || scene.clients(&[("UV_DEFAULT_INDEX", &whole)]);
    for (name, answers) in [
        ("stumbles-1", vec![Answer::Status(500), Answer::Status(429)]),
        ("stumbles-2", vec![Answer::Cut]),
        ("stumbles-3", vec![Answer::Slow]),
    ] {
        scene.write("project/requirements.txt", &format!("{name}\n"));
        scene.index.stumble(answers);
        let built = scene.build(clients(), requirements());
        assert!(built.is_ok(), "{name}: {}", built.unwrap_err().diagnostic());
    }
    scene.write("project/requirements.txt", "no-such-thing\n");
    let told = scene
        .build(clients(), requirements())
        .unwrap_err()
        .diagnostic();
    println!("{told}");
    assert!(told.message.contains("no-such-thing"), "{told}");
    // What is never given up on has to end as well.
    scene.write("project/requirements.txt", "never-there\n");
    scene.index.stumble(vec![Answer::Status(500); 64]);
    let told = scene
        .build(clients(), requirements())
        .unwrap_err()
        .diagnostic();
    println!("{told}");
    assert!(told.message.contains("500"), "{told}");
    assert!(!told.to_string().contains(QUOTED), "{told}");
    scene.index.stumble(Vec::new());
    // A mirror that gives other bytes than were settled.
    scene.write("project/requirements.txt", "hidden-one\n");
    scene.build(clients(), requirements()).unwrap();
    let mirror = Index::start(Some((USER, PASSWORD)));
    mirror.stumble(vec![]);
    mirror.tamper();
    fs::remove_dir_all(scene.root.path().join("store")).unwrap();
    let other = format!("http://{USER}:{QUOTED}@{}/simple", mirror.place());
    let scene = Scene {
        bench: {
            let mut bench = scene.bench;
            bench.store = Store::open(&scene.root.path().join("store")).unwrap();
            bench
        },
        ..scene
    };
    let told = scene.build(
        scene.clients(&[("UV_DEFAULT_INDEX", &other)]),
        requirements(),
    );
    let told = told.unwrap_err().diagnostic();
    println!("{told}");
    assert!(
        told.message.contains("is not what is locked here"),
        "{told}"
    );
    assert!(told.span.unwrap().file.ends_with("plimsoll.lock"));
}
