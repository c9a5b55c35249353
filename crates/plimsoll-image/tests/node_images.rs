//! Servers of Node, built for real: packages from the npm registry, scripts in a sandbox, and the
//! image's own command asked over HTTP.

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
use plimsoll_model::{
    BuildRecipe, NodeBuild, NodeLayout, NodeManager, NodeServerRecipe, RecipeKind,
};
use support::Bench;

fn recipe(context: &Path, manager: NodeManager, lock: Option<&str>, command: &str) -> BuildRecipe {
    BuildRecipe {
        context: context.to_path_buf(),
        kind: RecipeKind::NodeServer(NodeServerRecipe {
            root: PathBuf::new(),
            manager,
            lock: lock.map(PathBuf::from),
            node: None,
            build: None,
            layout: NodeLayout::Application,
            build_environment: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: vec![("PORT".into(), "8080".into())],
        command: command.split(' ').map(str::to_string).collect(),
        working_dir: PathBuf::new(),
        ports: vec![8080],
        pages: Vec::new(),
    }
}

fn server(recipe: &mut BuildRecipe) -> &mut NodeServerRecipe {
    match &mut recipe.kind {
        RecipeKind::NodeServer(server) => server,
        _ => unreachable!("these recipes are of Node servers"),
    }
}

fn build_for(
    bench: &Bench,
    name: &str,
    recipe: &BuildRecipe,
    architecture: Architecture,
) -> BuiltImage {
    let reference = format!("test/{name}:latest");
    let request = BuildRequest::new(name, &reference, recipe, architecture);
    let built = bench.builder().build(&request);
    let built = built.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    println!("{name}: {:?} in {:?}", built.outcome, built.duration);
    for layer in &built.layers {
        println!("  {:>10} {}", layer.size, layer.created_by);
    }
    built
}

fn build(bench: &Bench, name: &str, recipe: &BuildRecipe) -> BuiltImage {
    build_for(bench, name, recipe, Architecture::host().unwrap())
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Runs a pinned package manager on a project, to make its lock file.
fn manage(bench: &Bench, root: &Path, tool: &str, arguments: &[&str]) {
    let builder = bench.builder();
    let host = Architecture::host().unwrap();
    let program = |name: &str| builder.toolchains().program(name, None, host).unwrap().path;
    let registry = builder.registries().npm().unwrap();
    let mut command = match tool {
        "bun" => std::process::Command::new(program(tool).join("bin/bun")),
        _ => std::process::Command::new(program("node").join("bin/node")),
    };
    match tool {
        "npm" => command.arg(program(tool).join("bin/npm-cli.js")),
        "pnpm" => command.arg(program(tool).join("bin/pnpm.cjs")),
        "yarn" | "yarn-berry" => command.arg(program(tool).join("bin/yarn.js")),
        _ => &mut command,
    };
    let made = command
        .args(arguments)
        .current_dir(root)
        .env("npm_config_registry", registry.url.expose())
        .env("YARN_REGISTRY", registry.url.expose())
        .env("YARN_NPM_REGISTRY_SERVER", registry.url.expose())
        .env("YARN_ENABLE_IMMUTABLE_INSTALLS", "false")
        .status()
        .unwrap();
    assert!(made.success());
}

/// Starts the command it is given, asks it for a path, and prints the answer.
const ASK: &str = r#"
const { spawn } = require('child_process');
const [path, ...command] = process.argv.slice(1);
const server = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] });
server.on('exit', code => { console.error('the server ended with', code); process.exit(1); });
(async () => {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      const answer = await fetch('http://127.0.0.1:8080' + path);
      process.stdout.write(answer.status + ' ' + await answer.text());
      server.removeAllListeners('exit');
      server.kill();
      process.exit(0);
    } catch { await new Promise(done => setTimeout(done, 50)); }
  }
  process.exit(2);
})();
"#;

fn ask(bench: &Bench, built: &BuiltImage, path: &str) -> String {
    let layers = built.image.layers.iter();
    let mut command = ["/usr/local/bin/node", "-e", ASK, path]
        .map(str::to_string)
        .to_vec();
    command.extend(built.image.config.command.iter().cloned());
    let step = Step {
        name: "ask".into(),
        root: layers
            .map(|layer| bench.store.unpacked(layer).unwrap())
            .collect(),
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
    String::from_utf8(outcome.stdout).unwrap()
}

/// Whether an image has a path.
fn has(bench: &Bench, built: &BuiltImage, path: &str) -> bool {
    built
        .image
        .layers
        .iter()
        .any(|layer| bench.store.unpacked(layer).unwrap().join(path).exists())
}

const SERVER: &str = "const express = require('express');
const app = express();
app.get('/healthz', (request, response) => response.json({ ok: true }));
app.listen(process.env.PORT || 3000);
";

#[test]
fn a_server_in_typescript_is_built_and_answers_without_its_compiler() {
    let Some(bench) = Bench::open("node server") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let root = context.path();
    let manifest = r#"{"name":"server","version":"1.0.0","scripts":{"build":"tsc","start":"node dist/server.js"},
        "dependencies":{"express":"4.21.2"},"devDependencies":{"typescript":"5.8.3"}}"#;
    let options = r#"{"compilerOptions":{"outDir":"dist","allowJs":true,"module":"commonjs","target":"es2022",
        "skipLibCheck":true,"noImplicitAny":false,"types":[]},"include":["src"]}"#;
    write(
        root,
        &[
            ("package.json", manifest),
            ("tsconfig.json", options),
            ("src/server.js", SERVER),
            (".env", "SECRET=1"),
        ],
    );
    manage(&bench, root, "npm", &["install", "--package-lock-only"]);
    let mut recipe = recipe(
        root,
        NodeManager::Npm,
        Some("package-lock.json"),
        "node dist/server.js",
    );
    server(&mut recipe).build = Some(NodeBuild::Script("build".into()));
    let built = build(&bench, "node-server", &recipe);
    assert_eq!(ask(&bench, &built, "/healthz"), r#"200 {"ok":true}"#);
    assert!(has(&bench, &built, "app/node_modules/express"));
    for kept_out in [
        "app/node_modules/typescript",
        "app/.env",
        "usr/local/bin/npm",
        "bin/sh",
        "usr/bin/sh",
    ] {
        assert!(!has(&bench, &built, kept_out), "{kept_out}");
    }
    let again = build(&bench, "node-server", &recipe);
    assert_eq!(again.outcome, Outcome::Cached);
    assert_eq!(again.image.layers, built.image.layers);
    // An edit changes the application's layer and nothing else.
    write(root, &[("src/server.js", &SERVER.replace("ok", "fine"))]);
    let edited = build(&bench, "node-server", &recipe);
    assert_eq!(ask(&bench, &edited, "/healthz"), r#"200 {"fine":true}"#);
    let count = built.image.layers.len() - 1;
    assert_eq!(
        edited.image.layers[..count],
        built.image.layers[..count],
        "lower layers"
    );
}

#[test]
fn a_program_of_its_packages_may_build_it() {
    let Some(bench) = Bench::open("node built by a program") else {
        return;
    };
    let project = tempfile::tempdir().unwrap();
    let root = project.path();
    let manifest = r#"{"name":"web","version":"1.0.0","dependencies":{"express":"5.2.1"},
        "devDependencies":{"esbuild":"0.25.0"}}"#;
    write(
        root,
        &[("package.json", manifest), ("apps/api/server.js", SERVER)],
    );
    manage(&bench, root, "npm", &["install", "--package-lock-only"]);
    let mut recipe = recipe(
        root,
        NodeManager::Npm,
        Some("package-lock.json"),
        "node out/api.js",
    );
    let words = "esbuild apps/api/server.js --outfile=out/api.js";
    let words = words.split(' ').map(str::to_owned).collect();
    server(&mut recipe).build = Some(NodeBuild::Program(words));
    let built = build(&bench, "node-program", &recipe);
    assert_eq!(ask(&bench, &built, "/healthz"), r#"200 {"ok":true}"#);
    assert!(!has(&bench, &built, "app/node_modules/esbuild"));
}

#[test]
fn every_managers_lock_gives_the_service_its_own_packages() {
    let Some(bench) = Bench::open("node workspaces") else {
        return;
    };
    let pnpm = "packages:\n  - apps/*\n  - packages/*\ncatalog:\n  ms: 2.1.3\n";
    for (tool, manager, lock, arguments, wanted) in [
        (
            "npm",
            NodeManager::Npm,
            "package-lock.json",
            &["install", "--package-lock-only"][..],
            "*",
        ),
        (
            "pnpm",
            NodeManager::Pnpm,
            "pnpm-lock.yaml",
            &["install", "--lockfile-only"],
            "workspace:*",
        ),
        (
            "yarn",
            NodeManager::Yarn,
            "yarn.lock",
            &["install", "--ignore-scripts"],
            "*",
        ),
        (
            "yarn-berry",
            NodeManager::Yarn,
            "yarn.lock",
            &["install", "--mode=update-lockfile"],
            "workspace:*",
        ),
        (
            "bun",
            NodeManager::Bun,
            "bun.lock",
            &["install", "--lockfile-only", "--save-text-lockfile"],
            "workspace:*",
        ),
    ] {
        let context = tempfile::tempdir().unwrap();
        let root = context.path();
        let ms = if tool == "pnpm" { "catalog:" } else { "2.1.3" };
        let api = format!(
            r#"{{"name":"api","version":"1.0.0","dependencies":{{"core":"{wanted}"}},
                "devDependencies":{{"is-number":"7.0.0"}}}}"#
        );
        let core = format!(
            r#"{{"name":"core","version":"1.0.0","main":"dist/index.js",
                "scripts":{{"build":"node build.js"}},"dependencies":{{"ms":"{ms}"}}}}"#
        );
        write(
            root,
            &[
                (
                    "package.json",
                    r#"{"name":"all","private":true,"workspaces":["apps/*","packages/*"]}"#,
                ),
                ("apps/api/package.json", &api),
                (
                    "apps/api/index.js",
                    "require('http').createServer((q, r) => r.end(require('core').days)).listen(8080)",
                ),
                (
                    "apps/web/package.json",
                    r#"{"name":"web","version":"1.0.0","dependencies":{"left-pad":"1.3.0"}}"#,
                ),
                ("packages/core/package.json", &core),
                (
                    "packages/core/build.js",
                    "require('fs').mkdirSync('dist');require('fs').writeFileSync('dist/index.js', 'exports.days = String(require(\"ms\")(\"2 days\"))')",
                ),
            ],
        );
        if tool == "pnpm" {
            write(root, &[("pnpm-workspace.yaml", pnpm)]);
        }
        manage(&bench, root, tool, arguments);
        for left in ["node_modules", ".yarn"] {
            let _ = fs::remove_dir_all(root.join(left));
        }
        let mut recipe = recipe(root, manager, Some(lock), "node index.js");
        server(&mut recipe).root = "apps/api".into();
        recipe.working_dir = "apps/api".into();
        let built = build(&bench, &format!("workspace-{tool}"), &recipe);
        assert_eq!(ask(&bench, &built, "/"), "200 172800000", "{tool}");
        for kept_out in [
            "node_modules/left-pad",
            "node_modules/is-number",
            "apps/web",
        ] {
            let path = format!("app/{kept_out}");
            assert!(!has(&bench, &built, &path), "{tool}: {kept_out}");
        }
    }
}

#[test]
fn an_image_for_another_processor_holds_its_programs() {
    let Some(bench) = Bench::open("node on another processor") else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    let root = context.path();
    let manifest = r#"{"name":"server","version":"1.0.0","dependencies":{"esbuild":"0.25.0","sharp":"0.34.1"}}"#;
    write(root, &[("package.json", manifest), ("index.js", "")]);
    manage(&bench, root, "npm", &["install", "--package-lock-only"]);
    let recipe = recipe(
        root,
        NodeManager::Npm,
        Some("package-lock.json"),
        "node index.js",
    );
    for (architecture, own, other) in [
        (Architecture::Amd64, "x64", "arm64"),
        (Architecture::Arm64, "arm64", "x64"),
    ] {
        let name = format!("native-{architecture}");
        let built = build_for(&bench, &name, &recipe, architecture);
        let modules = "app/node_modules";
        assert!(has(
            &bench,
            &built,
            &format!("{modules}/@esbuild/linux-{own}")
        ));
        assert!(has(
            &bench,
            &built,
            &format!("{modules}/@img/sharp-linux-{own}")
        ));
        assert!(!has(
            &bench,
            &built,
            &format!("{modules}/@esbuild/linux-{other}")
        ));
        assert!(!has(
            &bench,
            &built,
            &format!("{modules}/@img/sharp-linuxmusl-{own}")
        ));
    }
}
