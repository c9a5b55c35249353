//! Tests of what is told of services that a project's Compose file leaves out.

use super::tests::{DESK, Place};
use crate::project;

/// What starts of the source are told to be in no Compose file.
fn left_out(compose: &str) -> Vec<String> {
    let place = Place::new(DESK);
    place.write("compose.yaml", compose);
    let told = project::load(&place.settings(), &[]).unwrap().warnings;
    let told = told.into_iter().map(|warning| warning.message);
    told.filter(|message| message.contains("started by no Compose file"))
        .collect()
}

#[test]
fn services_that_a_file_of_stores_leaves_out_are_told() {
    let stores = "services:\n  db:\n    image: postgres:16\n";
    let told = left_out(stores);
    assert!(told.len() >= 3, "{told:?}");
    assert!(
        told.iter().any(|one| one.starts_with("`relay` (")),
        "{told:?}"
    );
    // Who builds one of them has chosen; so has who keeps them behind a profile.
    let built = format!("{stores}  relay:\n    build: ./relay\n");
    assert!(left_out(&built).is_empty());
    let profile = format!("{built}    profiles: [all]\n");
    assert!(left_out(&profile).is_empty());
}

#[test]
fn a_service_that_is_built_otherwise_than_alone_is_started() {
    let place = Place::new(DESK);
    let compose = "services:\n  canvas:\n    build: ./canvas\n    environment:\n      VITE_API_URL: http://localhost:8000\n  relay:\n    build: ./relay\n";
    place.write("compose.yaml", compose);
    place.init();
    let overlay = place.read("compose.plimsoll.yaml");
    assert!(
        !overlay.contains("`canvas` (Vite) is started by no"),
        "{overlay}"
    );
}
