//! Small trees of the shapes that real projects have, and what is found in them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its tree has failed"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_detect::{Detection, Tree, View, complete, detect};
use plimsoll_diag::{Palette, render};
use plimsoll_model::compose::{LoadOptions, load};

fn directory(shape: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/trees")
        .join(shape)
}

fn detected(shape: &str) -> Detection {
    detect(&Tree::read(&directory(shape)).unwrap())
}

/// Text without the place of this checkout.
fn relative(text: &str, shape: &str) -> String {
    text.replace(directory(shape).to_str().unwrap(), "<tree>")
}

fn summary(detection: &Detection) -> String {
    detection.text(View::Summary, Palette::Plain, Duration::ZERO)
}

fn recipes(detection: &Detection, shape: &str) -> String {
    let recipes: Vec<_> = detection
        .services
        .iter()
        .map(|service| (&service.name, &service.recipe))
        .collect();
    relative(&serde_json::to_string_pretty(&recipes).unwrap(), shape)
}

/// What the Compose file of a tree becomes: command, health and recipe of each built service, and
/// what is wrong.
fn completed(shape: &str) -> String {
    let mut project = load(&LoadOptions {
        directory: directory(shape),
        ..LoadOptions::default()
    })
    .unwrap()
    .project;
    let diagnostics = complete(&mut project).unwrap();
    let mut text = String::new();
    for service in project.services.values() {
        let command = service
            .command
            .as_ref()
            .map(|command| command.value.0.join(" "));
        let health = service
            .healthcheck
            .as_ref()
            .and_then(|health| health.test.clone());
        let recipe = serde_json::to_string_pretty(&service.recipe).unwrap();
        text += &format!(
            "{}\n  command {command:?}\n  health {health:?}\n{recipe}\n\n",
            service.name
        );
    }
    for diagnostic in diagnostics {
        text += &render(&diagnostic, &project.directory, Palette::Plain);
    }
    relative(&text, shape)
}

#[test]
fn a_backend_with_a_worker_and_pages() {
    let detection = detected("desk");
    insta::assert_snapshot!("desk", summary(&detection));
    insta::assert_snapshot!(
        "desk-environment",
        detection.text(View::Environment, Palette::Plain, Duration::ZERO)
    );
    insta::assert_snapshot!("desk-recipes", recipes(&detection, "desk"));
    let (project, diagnostics) =
        detection.into_project("desk", &directory("desk"), &|name| format!("<{name}>"));
    let project = serde_json::to_value(&project).unwrap();
    let brief: Vec<_> = project["services"]
        .as_object()
        .unwrap()
        .values()
        .map(|service| {
            let keep = [
                "name",
                "image",
                "command",
                "environment",
                "ports",
                "volumes",
                "depends_on",
                "healthcheck",
                "restart",
                "profiles",
            ];
            keep.iter()
                .map(|key| ((*key).to_owned(), service[*key].clone()))
                .collect::<serde_json::Map<_, _>>()
        })
        .collect();
    insta::assert_snapshot!(
        "desk-project",
        serde_json::to_string_pretty(&brief).unwrap()
    );
    let told: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("desk-diagnostics", told.join("\n"));
}

#[test]
fn a_server_that_speaks_over_standard_input() {
    let detection = detected("stdio-mcp");
    insta::assert_snapshot!("stdio-mcp", summary(&detection));
    insta::assert_snapshot!("stdio-mcp-recipes", recipes(&detection, "stdio-mcp"));
    insta::assert_snapshot!("stdio-mcp-compose", completed("stdio-mcp"));
}

#[test]
fn a_member_of_a_workspace() {
    let detection = detected("workspace");
    insta::assert_snapshot!("workspace", summary(&detection));
    insta::assert_snapshot!("workspace-compose", completed("workspace"));
}

#[test]
fn one_service_among_many_that_cannot_start() {
    let detection = detected("mess");
    insta::assert_snapshot!("mess", summary(&detection));
    insta::assert_snapshot!(
        "mess-rejected",
        detection.text(View::Rejected, Palette::Plain, Duration::ZERO)
    );
    insta::assert_snapshot!("mess-compose", completed("mess"));
}

#[test]
fn one_of_each_kind() {
    let detection = detected("gallery");
    insta::assert_snapshot!("gallery", summary(&detection));
    insta::assert_snapshot!(
        "gallery-rejected",
        detection.text(View::Rejected, Palette::Plain, Duration::ZERO)
    );
    let gateway = detection.service("kept").unwrap().recipe.as_ref().unwrap();
    assert!(
        gateway
            .environment
            .contains(&("HOST".to_owned(), "0.0.0.0".to_owned()))
    );
}

#[test]
fn pages_are_built_with_the_address_of_the_backend() {
    let (project, _) =
        detected("desk").into_project("desk", &directory("desk"), &|_| "x".to_owned());
    let recipe = project.services["canvas"].recipe.as_ref().unwrap();
    let plimsoll_model::RecipeKind::StaticSite(site) = &recipe.kind else {
        panic!("the canvas is a site");
    };
    assert_eq!(
        site.build_environment,
        [(
            "VITE_API_URL".to_owned(),
            "http://localhost:8000".to_owned()
        )]
    );
}

#[test]
fn what_is_serialised_has_the_keys_that_others_read() {
    let json = serde_json::to_value(detected("desk")).unwrap();
    for key in ["services", "needs", "environment", "rejected", "problems"] {
        assert!(json[key].is_array(), "{key}");
    }
    let service = json["services"][0].as_object().unwrap();
    for key in [
        "name",
        "kind",
        "language",
        "framework",
        "version",
        "manager",
        "root",
        "command",
        "working_dir",
        "ports",
        "health",
        "metrics",
        "stream",
        "replicas_max",
        "writes",
        "packages",
        "needs",
        "evidence",
    ] {
        assert!(service.contains_key(key), "{key}");
    }
    assert_eq!(service["evidence"][0]["at"], "api/desk/main.py:24");
}

#[test]
fn the_same_tree_gives_the_same_text() {
    assert_eq!(
        serde_json::to_string(&detected("desk")).unwrap(),
        serde_json::to_string(&detected("desk")).unwrap()
    );
}
