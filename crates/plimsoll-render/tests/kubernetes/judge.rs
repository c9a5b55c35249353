//! What the API server's own code says of the manifests: nothing.
//!
//! `judge/build` makes the program that asks it; it is too heavy to be built on each run.

use std::process::Command;

use crate::kustomize;
use crate::project::{self, WIDE};

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the one who runs it says where the program is"
)]
fn the_api_server_has_nothing_to_say() {
    let Ok(judge) = std::env::var("PLIMSOLL_MANIFEST_JUDGE") else {
        eprintln!("skipped: PLIMSOLL_MANIFEST_JUDGE names no program");
        return;
    };
    let mut words = judge.split_whitespace();
    let program = words.next().unwrap();
    let definitions: Vec<&str> = words.collect();
    let ask = |place: &std::path::Path| {
        let output = Command::new(program)
            .args(&definitions)
            .arg(place)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), told)
    };
    for cluster in project::choices() {
        let directory = tempfile::tempdir().unwrap();
        let rendering = project::manifests(WIDE, cluster);
        kustomize::write(&rendering, directory.path());
        // SOPS' own file of rules, and what a plug-in reads, are no objects.
        for stage in ["staging", "prod"] {
            let place = directory.path().join("kubernetes/overlays").join(stage);
            for file in ["secret-generator.yaml", ".sops.yaml"] {
                let _ = fs_err::remove_file(place.join(file));
            }
        }
        let (is_fine, told) = ask(&directory.path().join("kubernetes"));
        assert!(is_fine, "{cluster:?}\n{told}");
    }
    // The program can say something, too.
    let directory = tempfile::tempdir().unwrap();
    let wrong = "apiVersion: v1\nkind: Service\nmetadata: { name: Web, namespace: a }\nspec: { ports: [] }\n";
    fs_err::write(directory.path().join("wrong.yaml"), wrong).unwrap();
    let (is_fine, told) = ask(directory.path());
    assert!(!is_fine);
    assert!(told.contains("Service/Web"), "{told}");
}
