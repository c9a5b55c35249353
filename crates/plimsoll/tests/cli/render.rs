//! Rendering files into the project, and what is said of those that are there.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use crate::context::Context;

fn project() -> Context {
    let context = Context::new();
    context.write(
        "compose.yaml",
        "services:\n  api:\n    build: .\n    ports: [\"8000:8000\"]\n",
    );
    context.write("requirements.txt", "flask==3.1.0\n");
    context.write(
        "app.py",
        "from flask import Flask\napp = Flask(__name__)\napp.run(port=8000)\n",
    );
    context
}

#[test]
fn what_is_rendered_is_told_and_known_again() {
    let context = project();
    assert_snapshot!(context.run(&["render", "docs", "-o", "out"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
      new       docs/ci-cd.md
      new       docs/cloud.md
      new       docs/deployment-checklist.md
      new       docs/environment.md
      new       docs/images.md
      new       docs/kubernetes.md
      new       docs/local-development.md
      new       docs/monitoring.md
      new       docs/production.md
      new       docs/quick-start.md
      new       docs/running.md
      new       docs/troubleshooting.md
    12 of 12 files written to out
    ");
    assert_snapshot!(context.run(&["render", "docs", "-o", "out", "--check"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    12 files are up to date
    ");
}

#[test]
fn commands_that_documents_name_are_there() {
    let context = project();
    context.run(&["render", "docs"]);
    let mut seen = BTreeSet::new();
    for page in std::fs::read_dir(context.project().join("docs")).unwrap() {
        let text = std::fs::read_to_string(page.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| line.starts_with("plimsoll ")) {
            // `--help` comes last: everything before it is read first.
            let (line, _) = line.split_once(" > ").unwrap_or((line, ""));
            let mut words: Vec<&str> = line.split_whitespace().skip(1).collect();
            words.push("--help");
            let told = context.run(&words);
            assert!(told.starts_with("exit code: 0\n"), "{line}\n{told}");
            seen.insert(line.to_owned());
        }
    }
    assert!(seen.len() >= 4, "{seen:?}");
    // The one that needs neither root nor a registry, as it is written.
    assert!(
        context
            .run(&["render", "all"])
            .starts_with("exit code: 0\n")
    );
    let checked = context.run(&["render", "all", "--check"]);
    assert!(checked.starts_with("exit code: 0\n"), "{checked}");
}

#[test]
fn an_edited_file_stays() {
    let context = project();
    context.run(&["render", "docs", "-o", "out"]);
    context.write("out/docs/environment.md", "mine\n");
    assert_snapshot!(context.run(&["render", "docs", "-o", "out"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `docs/environment.md` was not rendered here, or was edited since
    hint: `--diff` shows what would change, `--force` overwrites
    hint: `-o DIR` renders elsewhere
    ");
    assert_snapshot!(context.run(&["render", "docs", "-o", "out", "--check"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
      edited       docs/environment.md
    1 of 12 files are out of date · plimsoll render --diff shows how
    ");
    context.run(&["render", "docs", "-o", "out", "--force"]);
    let page = std::fs::read_to_string(context.project().join("out/docs/environment.md")).unwrap();
    assert_ne!(page, "mine\n");
}

#[test]
fn a_target_that_does_not_exist() {
    assert_snapshot!(project().run(&["render", "nomad"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'nomad' for '<TARGET>...'
      [possible values: all, dockerfile, compose, kubernetes, helm, ci, cloud, monitoring, docs]

    For more information, try '--help'.
    ");
}

#[test]
fn images_are_named_by_what_was_pushed() {
    let context = project();
    let digest = format!("sha256:{}", "a".repeat(64));
    context.write(
        "images.json",
        &format!(r#"{{ "schema": 1, "project": "x", "pushed": [{{ "service": "api", "repository": "registry.example/x/api", "tags": ["1"], "digest": "{digest}" }}] }}"#),
    );
    let told = context.run(&[
        "render",
        "kubernetes",
        "-o",
        "out",
        "--images",
        "images.json",
    ]);
    assert!(told.contains("exit code: 0"), "{told}");
    assert!(!told.contains("without a version"), "{told}");
    let manifest = context.read("out/kubernetes/base/api.yaml");
    let image = format!("image: registry.example/x/api@{digest}");
    assert!(manifest.contains(&image), "{manifest}");
}

#[test]
fn what_is_no_answer_of_push_is_refused() {
    let context = project();
    context.write("images.json", "{}");
    assert_snapshot!(context.run(&["render", "helm", "-o", "out", "--images", "images.json"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `images.json` is not what `push --json` tells: missing field `pushed` at line 1 column 2
    hint: `plimsoll push --json > images.json` writes it; then `--images images.json`
    ");
    let pushed = |digest: &str| {
        format!(
            r#"{{ "pushed": [{{ "service": "web", "repository": "registry.example/x/web", "digest": "{digest}" }}] }}"#
        )
    };
    context.write("images.json", &pushed("sha256:0"));
    assert_snapshot!(context.run(&["render", "helm", "-o", "out", "--images", "images.json"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `images.json` is not what `push --json` tells: `sha256:0` is not a SHA-256 digest: expected `sha256:` and 64 hexadecimal digits at line 1 column 95
    hint: `plimsoll push --json > images.json` writes it; then `--images images.json`
    ");
    context.write(
        "images.json",
        &pushed(&format!("sha256:{}", "0".repeat(64))),
    );
    assert_snapshot!(context.run(&["render", "helm", "-o", "out", "--images", "images.json"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `images.json` has an image of `web`, which is no service of `desk`
    hint: `plimsoll push --json > images.json` writes it; then `--images images.json`
    ");
    assert_snapshot!(context.run(&["render", "helm", "-o", "out", "--images", "none.json"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: failed to open file `none.json`: No such file or directory (os error 2)
    hint: `plimsoll push --json > images.json` writes it; then `--images images.json`
    ");
}

#[test]
fn what_one_target_refuses_keeps_no_other_from_being_written() {
    let context = project();
    context.write(
        "compose.yaml",
        "name: desk\nservices:\n  web_app:\n    build: .\n    ports: [\"8000:8000\"]\n",
    );
    assert_snapshot!(context.run(&["render", "dockerfile", "kubernetes", "helm"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    note: `images.python:3.13-slim-trixie`: its digest is not known here; its tag names it, whose content changes with updates
    hint: let the updater of dependencies pin it: it keeps digests current, too
      new       .dockerignore
      new       docker/web_app.Dockerfile
    2 of 2 files written to [ROOT]/desk
    error: `services.web_app`: Kubernetes allows small letters, digits and `-` in a name, 63 at most
      --> compose.yaml:3:3
       |
     3 |   web_app:
       |   ^^^^^^^
    hint: call it `web-app`, and keep the old name as an alias under `networks`
    hint: not rendered: kubernetes, helm
    ");
    assert!(!context.project().join("kubernetes").exists());
    // Alone it writes nothing.
    assert_snapshot!(context.run(&["render", "helm"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `services.web_app`: Kubernetes allows small letters, digits and `-` in a name, 63 at most
      --> compose.yaml:3:3
       |
     3 |   web_app:
       |   ^^^^^^^
    hint: call it `web-app`, and keep the old name as an alias under `networks`
    hint: not rendered: helm
    ");
}
