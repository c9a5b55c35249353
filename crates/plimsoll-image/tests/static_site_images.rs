//! Sites, built for real: packages from the npm registry, the build in a sandbox.

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
use plimsoll_image::oci::Architecture;
use plimsoll_image::{Sandbox, Step, StepNetwork};
use plimsoll_model::{BuildRecipe, NodeBuild, NodeManager, RecipeKind, StaticSiteRecipe};
use support::Bench;

fn recipe(context: &Path) -> BuildRecipe {
    BuildRecipe {
        context: context.to_path_buf(),
        kind: RecipeKind::StaticSite(StaticSiteRecipe {
            root: PathBuf::new(),
            manager: NodeManager::Npm,
            lock: Some("package-lock.json".into()),
            build: Some(NodeBuild::Script("build".into())),
            output: "dist".into(),
            build_environment: Vec::new(),
            proxies: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: Vec::new(),
        working_dir: PathBuf::new(),
        ports: vec![8080],
        pages: Vec::new(),
    }
}

fn build(bench: &Bench, name: &str, recipe: &BuildRecipe) -> BuiltImage {
    let reference = format!("test/{name}:latest");
    let request = BuildRequest::new(name, &reference, recipe, Architecture::host().unwrap());
    let built = bench.builder().build(&request);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    println!("{name}: {:?} in {:?}", built.outcome, built.duration);
    for layer in &built.layers {
        println!("  {:>10} {}", layer.size, layer.created_by);
    }
    built
}

/// Asks the image's server for paths, from within its network; gives status, kind and caching.
const ASK: &str = r#"
import http.client, subprocess, sys, time
server = subprocess.Popen(sys.argv[1].split())
for attempt in range(100):
    try:
        http.client.HTTPConnection("127.0.0.1", 8080).connect()
        break
    except OSError:
        time.sleep(0.05)
for path in sys.argv[2:]:
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    print(path, answer.status, answer.headers["content-type"], answer.headers["cache-control"], len(body) > 0)
server.terminate()
server.wait()
"#;

/// The image's layers below a Python of its own, so that the server has a client beside it.
fn ask(bench: &Bench, built: &BuiltImage, paths: &[&str]) -> String {
    let layers = built.image.layers.iter();
    let mut root: Vec<PathBuf> = layers
        .map(|layer| bench.store.unpacked(layer).unwrap())
        .collect();
    // An overlay takes each directory once; both have the foundation.
    let more = bench.python().into_iter();
    root.extend(more.filter(|tree| !built_has(bench, built, tree)));
    let server = built.image.config.command.join(" ");
    let mut command = vec![
        "/usr/bin/python3.13".to_string(),
        "-c".into(),
        ASK.into(),
        server,
    ];
    command.extend(paths.iter().map(|path| path.to_string()));
    let step = Step {
        name: "ask".into(),
        root,
        mounts: Vec::new(),
        command,
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
    assert_eq!(outcome.exit_code, 0, "{stderr}");
    assert_eq!(stderr, "", "the server has nothing to complain about");
    String::from_utf8(outcome.stdout).unwrap()
}

fn built_has(bench: &Bench, built: &BuiltImage, tree: &Path) -> bool {
    let mut layers = built.image.layers.iter();
    layers.any(|layer| bench.store.unpacked(layer).unwrap() == tree)
}

#[test]
fn the_example_canvas_is_built_and_served() {
    let Some(bench) = Bench::open("canvas") else {
        return;
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/agent-desk/canvas");
    let recipe = recipe(&example.canonicalize().unwrap());
    let built = build(&bench, "canvas", &recipe);
    let pages = bench
        .store
        .unpacked(built.image.layers.last().unwrap())
        .unwrap();
    let page = fs::read_to_string(pages.join("srv/site/index.html")).unwrap();
    let start = page.find("/assets/").unwrap();
    let script: String = page[start..].chars().take_while(|c| *c != '"').collect();
    let paths = [
        "/",
        "/some/route",
        &script,
        "/assets/gone-12345678.js",
        "/gone.js",
        "/healthz",
    ];
    let told = ask(&bench, &built, &paths);
    let expected = format!(
        "/ 200 text/html no-cache True\n\
         /some/route 200 text/html no-cache True\n\
         {script} 200 application/javascript public, max-age=31536000, immutable True\n\
         /assets/gone-12345678.js 404 text/html None True\n\
         /gone.js 404 text/html None True\n\
         /healthz 200 text/plain None True\n"
    );
    assert_eq!(told, expected);
    assert_eq!(build(&bench, "canvas", &recipe).outcome, Outcome::Cached);
}

#[test]
fn a_build_that_fails_shows_its_own_last_lines() {
    let Some(bench) = Bench::open("broken site") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let package = |script: &str| {
        let text = format!("{{\"name\":\"site\",\"scripts\":{{\"build\":\"{script}\"}}}}");
        fs::write(context.path().join("package.json"), text).unwrap();
    };
    let mut recipe = recipe(context.path());
    if let RecipeKind::StaticSite(site) = &mut recipe.kind {
        site.lock = None;
    }
    let told = |recipe: &BuildRecipe| {
        let request = BuildRequest::new(
            "broken",
            "test/broken:latest",
            recipe,
            Architecture::host().unwrap(),
        );
        bench.builder().build(&request).unwrap_err().to_string()
    };
    package("echo src/a.ts:1 is wrong >&2; exit 3");
    let message = told(&recipe);
    println!("{message}");
    assert!(
        message.starts_with("`npm run build` failed with exit code 3:\n"),
        "{message}"
    );
    assert!(message.contains("src/a.ts:1 is wrong"), "{message}");
    package("true");
    assert_eq!(
        told(&recipe),
        "`npm run build` succeeded but left nothing in `dist`"
    );
    // What cannot be fetched with the network either is told as the script told it.
    package(
        "node -e \\\"require('net').connect(9,'127.0.0.1').on('error',e=>{console.error(e.code);process.exit(9)})\\\"",
    );
    assert!(told(&recipe).contains("ECONNREFUSED"));
}

#[test]
fn a_site_of_a_real_repository_is_built() {
    let Some(bench) = Bench::open("orcheo canvas") else {
        return;
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the place of checkouts for live tests"
    )]
    let place = std::env::var_os("PLIMSOLL_LIVE_PROJECTS").unwrap_or_default();
    let context = PathBuf::from(place).join("orcheo/apps/canvas");
    if !context.is_dir() {
        println!("orcheo canvas skipped: PLIMSOLL_LIVE_PROJECTS has no such checkout");
        return;
    }
    let built = build(&bench, "orcheo-canvas", &recipe(&context));
    let told = ask(&bench, &built, &["/", "/workflow/1", "/healthz"]);
    assert_eq!(told.matches(" 200 ").count(), 3, "{told}");
}

/// A site whose build needs one package, with a lock file of the manager.
fn locked_site(bench: &Bench, root: &Path, manager: &str, arguments: &[&str]) {
    let manifest = r#"{"name":"site","version":"1.0.0","type":"commonjs","scripts":{"build":"node build.js"},
        "dependencies":{"ms":"2.1.3"}}"#;
    fs::write(root.join("package.json"), manifest).unwrap();
    let script = "const fs=require('fs');fs.mkdirSync('dist');fs.writeFileSync('dist/index.html',''+require('ms')('2 days'))";
    fs::write(root.join("build.js"), script).unwrap();
    let builder = bench.builder();
    let host = plimsoll_image::oci::Architecture::host().unwrap();
    let program = |name: &str| builder.toolchains().program(name, None, host).unwrap().path;
    let script = match manager {
        "pnpm" => "bin/pnpm.cjs",
        _ => "bin/yarn.js",
    };
    let registry = builder.registries().npm().unwrap();
    let made = std::process::Command::new(program("node").join("bin/node"))
        .arg(program(manager).join(script))
        .args(arguments)
        .current_dir(root)
        .env("npm_config_registry", registry.url.expose())
        .env("YARN_REGISTRY", registry.url.expose())
        .status()
        .unwrap();
    assert!(made.success());
}

#[test]
fn pnpm_and_yarn_install_from_their_own_locks() {
    let Some(bench) = Bench::open("pnpm and yarn") else {
        return;
    };
    for (name, manager, lock, arguments) in [
        (
            "pnpm",
            NodeManager::Pnpm,
            "pnpm-lock.yaml",
            &["install", "--lockfile-only"][..],
        ),
        (
            "yarn",
            NodeManager::Yarn,
            "yarn.lock",
            &["install", "--ignore-scripts"],
        ),
    ] {
        let context = tempfile::tempdir().unwrap();
        locked_site(&bench, context.path(), name, arguments);
        let mut recipe = recipe(context.path());
        if let RecipeKind::StaticSite(site) = &mut recipe.kind {
            site.manager = manager;
            site.lock = Some(lock.into());
        }
        let built = build(&bench, name, &recipe);
        let pages = bench
            .store
            .unpacked(built.image.layers.last().unwrap())
            .unwrap();
        let page = fs::read_to_string(pages.join("srv/site/index.html")).unwrap();
        assert_eq!(page, "172800000", "{name}");
    }
}

#[test]
fn a_workspace_is_installed_at_its_lock_and_built_in_its_member() {
    let Some(bench) = Bench::open("npm workspace") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let root = context.path();
    let member = root.join("apps/web");
    fs::create_dir_all(&member).unwrap();
    locked_site(&bench, &member, "yarn", &["install", "--ignore-scripts"]);
    fs::remove_file(member.join("yarn.lock")).unwrap();
    fs::remove_dir_all(member.join("node_modules")).unwrap();
    let manifest = r#"{"name":"all","private":true,"workspaces":["apps/*"]}"#;
    fs::write(root.join("package.json"), manifest).unwrap();
    let builder = bench.builder();
    let host = plimsoll_image::oci::Architecture::host().unwrap();
    let program = |name: &str| builder.toolchains().program(name, None, host).unwrap().path;
    let registry = builder.registries().npm().unwrap();
    let made = std::process::Command::new(program("node").join("bin/node"))
        .arg(program("npm").join("bin/npm-cli.js"))
        .args(["install", "--package-lock-only", "--ignore-scripts"])
        .current_dir(root)
        .env("npm_config_registry", registry.url.expose())
        .status()
        .unwrap();
    assert!(made.success());
    let mut recipe = recipe(root);
    if let RecipeKind::StaticSite(site) = &mut recipe.kind {
        site.root = "apps/web".into();
    }
    let built = build(&bench, "npm-workspace", &recipe);
    let tree = built.image.layers.last().unwrap();
    let pages = bench.store.unpacked(tree).unwrap();
    let page = fs::read_to_string(pages.join("srv/site/index.html")).unwrap();
    assert_eq!(page, "172800000");
}
