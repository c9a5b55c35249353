//! Images that a project publishes itself, and that its Compose file names without saying how they are built.

use plimsoll_detect::{OwnImages, complete, own_images};
use plimsoll_model::Project;
use plimsoll_model::compose::{LoadOptions, load};

use crate::tree::written;

const APP: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

/// The project of a Compose file beside a server, its own images built as wanted, and what was told.
fn loaded(compose: &str, more: &[(&str, &str)], wanted: OwnImages) -> (Project, Vec<String>) {
    let mut files = vec![
        ("harbour/compose.yaml", compose),
        ("harbour/api/requirements.txt", "fastapi\nuvicorn\n"),
        ("harbour/api/main.py", APP),
    ];
    files.extend(more);
    let directory = written(&files);
    let mut project = load(&LoadOptions {
        directory: directory.path().join("harbour"),
        ..LoadOptions::default()
    })
    .unwrap()
    .project;
    let told = own_images(&mut project, wanted, &plimsoll_detect::Tree::read).unwrap();
    complete(&mut project).unwrap();
    (project, told.into_iter().map(|one| one.message).collect())
}

/// A Compose file with one service.
fn compose(image: &str) -> String {
    format!("services:\n  api:\n    image: {image}\n")
}

/// The directory that the image of `api` is known to be made of.
fn source(image: &str, more: &[(&str, &str)]) -> Option<String> {
    let (project, _) = loaded(&compose(image), more, OwnImages::AsStated);
    assert!(project.services["api"].build.is_none());
    let source = project.services["api"].facts.source.as_ref()?;
    Some(source.to_str().unwrap().to_owned())
}

#[test]
fn an_image_is_the_projects_own_by_its_name() {
    for (image, directory) in [
        ("ghcr.io/somebody/harbour:latest", ""),
        ("somebody/Harbour", ""),
        ("ghcr.io/somebody/harbour-api:1.2", "api"),
        (
            "harbour/api@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "api",
        ),
        // The service says which part it is.
        ("ghcr.io/somebody/harbour-backend", "api"),
    ] {
        assert_eq!(source(image, &[]).as_deref(), Some(directory), "{image}");
    }
    let named = (
        "harbour/pyproject.toml",
        "[project]\nname = \"tide_desk\"\n",
    );
    assert_eq!(source("somebody/tide-desk", &[named]).as_deref(), Some(""));
    let module = (
        "harbour/go.mod",
        "module example.com/somebody/tide\n\ngo 1.24\n",
    );
    assert_eq!(source("somebody/tide", &[module]).as_deref(), Some(""));
    for other in [
        "somebody/tide",
        "harbour",
        "library/harbour",
        "harbour/postgres:16",
        "somebody/harbourmaster",
    ] {
        assert_eq!(source(other, &[]), None, "{other}");
    }
}

#[test]
fn it_is_built_where_the_file_or_the_caller_wants_that() {
    let image = "ghcr.io/somebody/harbour-api:1";
    let policy = format!("{}    pull_policy: build\n", compose(image));
    for (compose, wanted) in [
        (compose(image), OwnImages::Built),
        (policy, OwnImages::AsStated),
    ] {
        let (project, told) = loaded(&compose, &[], wanted);
        let api = &project.services["api"];
        assert!(api.recipe.is_some());
        assert_eq!(api.image.as_ref().unwrap().value, image);
        assert_eq!(
            told,
            [
                "`ghcr.io/somebody/harbour-api:1` is this project's own image: it is built from `api`"
            ]
        );
    }
    // What says how it is built is built like that, and what somebody else publishes is pulled.
    let stated = "services:\n  api:\n    image: somebody/harbour\n    build: ./api\n  other:\n    image: somebody/tide\n";
    let (project, told) = loaded(stated, &[], OwnImages::Built);
    assert!(project.services["other"].recipe.is_none());
    assert_eq!(told, [""; 0]);
}
