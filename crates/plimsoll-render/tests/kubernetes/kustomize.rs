//! Overlays build.

use std::path::Path;
use std::process::Command;

use crate::project::{self, WIDE};

/// Puts rendered files below a directory.
pub fn write(rendering: &plimsoll_render::Rendering, directory: &Path) {
    for (path, artifact) in &rendering.files {
        let path = directory.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, &artifact.text).unwrap();
    }
}

/// The values that a developer fills in.
pub fn fill_in(place: &Path) {
    for entry in fs_err::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "example") {
            fs_err::copy(&path, path.with_extension("")).unwrap();
        }
    }
}

/// Builds a kustomization; `None` where no program does that.
pub fn build(place: &Path) -> Option<Result<String, String>> {
    for (program, first) in [("kustomize", "build"), ("kubectl", "kustomize")] {
        let output = match Command::new(program).arg(first).arg(place).output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{program}: {error}"),
        };
        return Some(if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        });
    }
    None
}

#[test]
fn every_overlay_builds() {
    for cluster in project::choices() {
        let rendering = project::manifests(WIDE, cluster);
        let directory = tempfile::tempdir().unwrap();
        write(&rendering, directory.path());
        for stage in ["dev", "staging", "prod"] {
            let place = directory.path().join("kubernetes/overlays").join(stage);
            fill_in(&place);
            if cluster.secrets == plimsoll_render::SecretSource::Sops && stage != "dev" {
                // It takes the programs of SOPS, and values to encrypt.
                continue;
            }
            match build(&place) {
                None => {
                    eprintln!("skipped: neither kustomize nor kubectl is there");
                    return;
                }
                Some(Err(problem)) => panic!("{stage}: {problem}"),
                Some(Ok(text)) => {
                    let mesh = cluster.mesh.is_some() && stage != "dev";
                    assert_eq!(text.contains("mesh-tunnel"), mesh, "{stage}");
                    assert!(text.contains("name: debug"), "{stage}");
                    let scaled = text.contains("minReplicas: 2");
                    assert_eq!(scaled, stage == "prod", "{stage}");
                }
            }
        }
    }
}
