//! The chart gives what the overlays give.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use plimsoll_render::{ClusterOptions, Rendering, SecretSource, Target};
use serde_json::Value;

use crate::kustomize;
use crate::project::{self, WIDE, documents};

const STAGES: [&str; 3] = ["dev", "staging", "prod"];

/// Runs Helm; `None` where it is not there.
#[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
fn helm(arguments: &[&str], directory: &Path) -> Option<String> {
    let output = match Command::new("helm")
        .args(arguments)
        .current_dir(directory)
        .output()
    {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: helm is not there");
            return None;
        }
        other => other.unwrap(),
    };
    assert!(
        output.status.success(),
        "helm {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

fn chart(cluster: ClusterOptions) -> Rendering {
    project::rendered(&project::load(WIDE), Target::Helm, cluster)
}

/// Objects by kind and name, without what only one of the two makes.
fn by_name(text: &str) -> BTreeMap<String, Value> {
    documents(text)
        .into_iter()
        .filter(|object| object["metadata"]["annotations"]["helm.sh/hook"] != "test")
        .filter(|object| object["kind"] != "Secret")
        .map(|object| {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            let name = format!(
                "{} {}",
                word(&object["kind"]),
                word(&object["metadata"]["name"])
            );
            (name, object)
        })
        .collect()
}

/// The names of generated secrets without the hash at their end.
fn without_hashes(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        let (before, last) = line.rsplit_once('-').unwrap_or((line, ""));
        let is_hash = last.len() == 10
            && last
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && (before.ends_with("-secrets") || before.contains("secret-"));
        plain.push_str(if is_hash { before } else { line });
        plain.push('\n');
    }
    plain
}

#[test]
fn the_chart_gives_what_each_overlay_gives() {
    for cluster in project::choices() {
        let directory = tempfile::tempdir().unwrap();
        kustomize::write(&chart(cluster), directory.path());
        kustomize::write(&project::manifests(WIDE, cluster), directory.path());
        for stage in STAGES {
            let values = format!("charts/wide/values-{stage}.yaml");
            let arguments = [
                "template",
                "--kube-version",
                "1.33.0",
                "wide",
                "charts/wide",
                "--namespace",
                "wide",
                "--values",
                &values,
                "--set",
                "namespace.create=true",
            ];
            let Some(text) = helm(&arguments, directory.path()) else {
                return;
            };
            let place = directory.path().join("kubernetes/overlays").join(stage);
            if cluster.secrets == SecretSource::Sops && stage != "dev" {
                // It takes the programs of SOPS.
                continue;
            }
            kustomize::fill_in(&place);
            let Some(overlay) = kustomize::build(&place) else {
                eprintln!("skipped: neither kustomize nor kubectl is there");
                return;
            };
            let ours = by_name(&text);
            let theirs = by_name(&without_hashes(&overlay.unwrap()));
            let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&ours), names(&theirs), "{stage}");
            for (name, object) in &ours {
                assert_eq!(object, &theirs[name], "{stage}: {name}");
            }
        }
    }
}

#[test]
fn the_linter_of_charts_finds_nothing() {
    for cluster in project::choices() {
        let directory = tempfile::tempdir().unwrap();
        kustomize::write(&chart(cluster), directory.path());
        for stage in STAGES {
            let values = format!("charts/wide/values-{stage}.yaml");
            let arguments = ["lint", "charts/wide", "--strict", "--values", &values];
            if helm(&arguments, directory.path()).is_none() {
                return;
            }
        }
    }
}

#[test]
fn values_choose_what_there_is() {
    let directory = tempfile::tempdir().unwrap();
    kustomize::write(&chart(ClusterOptions::default()), directory.path());
    let template = |more: &[&str]| {
        let mut arguments = vec![
            "template",
            "--kube-version",
            "1.33.0",
            "wide",
            "charts/wide",
            "--namespace",
            "elsewhere",
        ];
        arguments.extend(more);
        helm(&arguments, directory.path())
    };
    let Some(text) = template(&[
        "--set",
        "services.db.enabled=false",
        "--set",
        "profiles.debug=false",
        "--set",
        "services.web.image.repository=example.org/web",
        "--set",
        &format!("services.web.image.digest=sha256:{}", "a".repeat(64)),
        "--set",
        "services.web.extraEnvironment[0].name=MORE",
        "--set",
        "services.web.extraEnvironment[0].value=1",
        "--set",
        "imagePullSecrets[0].name=registry",
        "--set",
        "secrets.values.web-secrets.API_TOKEN=said-here",
        "--is-upgrade",
    ]) else {
        return;
    };
    let all: Vec<Value> = documents(&text);
    let find = |kind: &str, name: &str| {
        all.iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    };
    assert!(find("StatefulSet", "db").is_none());
    assert!(find("Deployment", "debug").is_none());
    assert!(find("Namespace", "elsewhere").is_none());
    let web = find("Deployment", "web").unwrap();
    assert_eq!(web["metadata"]["namespace"], "elsewhere");
    let pod = &web["spec"]["template"]["spec"];
    assert_eq!(pod["imagePullSecrets"][0]["name"], "registry");
    let container = &pod["containers"][0];
    let digest = format!("example.org/web@sha256:{}", "a".repeat(64));
    assert_eq!(container["image"], digest);
    let last = container["env"].as_array().unwrap().last().unwrap();
    assert_eq!(last["name"], "MORE");
    assert_eq!(
        find("Secret", "web-secrets").unwrap()["stringData"]["API_TOKEN"],
        "said-here"
    );
    // A job cannot be changed, so each revision has its own.
    assert!(find("Job", "seed-1").is_some());
    assert!(find("Job", "seed").is_none());
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    kustomize::write(&chart(ClusterOptions::default()), directory.path());
    for wrong in [
        "services.web.image.digest=latest",
        "services.web.imgae.tag=1",
        "services.web.autoscaling.minReplicas=0",
        "secrets.source=plain",
    ] {
        let output = Command::new("helm")
            .args([
                "template",
                "--kube-version",
                "1.33.0",
                "wide",
                "charts/wide",
                "--set",
                wrong,
            ])
            .current_dir(directory.path())
            .output();
        let output = match output {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("skipped: helm is not there");
                return;
            }
            other => other.unwrap(),
        };
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{wrong}");
        assert!(told.contains("schema"), "{wrong}: {told}");
    }
}

#[test]
fn no_value_of_a_secret_is_in_the_chart() {
    for cluster in project::choices() {
        for (path, artifact) in &chart(cluster).files {
            assert!(!artifact.text.contains("change-me"), "{path}");
        }
    }
}
