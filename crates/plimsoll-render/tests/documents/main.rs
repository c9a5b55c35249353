//! What is rendered works as written: commands of documents name what exists, Compose takes every
//! combination of files, every Dockerfile can be read.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod commands;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use plimsoll_model::dockerfile::Dockerfile;
use plimsoll_render::Target;

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs_err::read_dir(support::golden())
        .unwrap()
        .map(|entry| entry.unwrap().path().join("in"))
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

/// The files of a case as a user has them after rendering: the project's, and ours.
fn project(case: &Path) -> (tempfile::TempDir, BTreeMap<String, String>) {
    let rendering = support::render(case, Target::ALL);
    let directory = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .args(["-R", &format!("{}/.", case.display())])
        .arg(directory.path())
        .status();
    assert!(copied.unwrap().success());
    let mut files = BTreeMap::new();
    for (path, artifact) in rendering.files {
        let place = directory.path().join(&path);
        fs_err::create_dir_all(place.parent().unwrap()).unwrap();
        fs_err::write(place, &artifact.text).unwrap();
        files.insert(path, artifact.text);
    }
    (directory, files)
}

/// The pages, without those that describe alerts.
fn pages(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    files
        .iter()
        .filter(|(path, _)| path.starts_with("docs/") && !path.contains("runbooks"))
}

/// Commands of a page, line by line.
fn commands(page: &str) -> Vec<&str> {
    page.split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split("\n```").next().unwrap().lines())
        .collect()
}

/// The words behind each use of an option.
fn options<'t>(line: &'t str, option: &str) -> Vec<&'t str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair[0] == option)
        .map(|pair| pair[1])
        .collect()
}

#[test]
fn commands_of_documents_name_what_exists() {
    for case in cases() {
        let (directory, files) = project(&case);
        let has = |path: &str| directory.path().join(path).exists();
        for (page, text) in pages(&files) {
            for line in commands(text) {
                let place = format!("{}: {page}: {line}", case.display());
                for file in options(line, "-f").iter().chain(&options(line, "-k")) {
                    assert!(has(file), "{place}");
                }
                if let Some(stage) = options(line, "--target").first() {
                    let file = options(line, "-f")[0];
                    assert!(files[file].contains(&format!(" AS {stage}\n")), "{place}");
                }
                if let Some((_, rest)) = line.split_once("http://127.0.0.1:") {
                    let port = rest.split('/').next().unwrap();
                    let published = fs_err::read_dir(directory.path())
                        .unwrap()
                        .map(|entry| entry.unwrap().path())
                        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
                        .any(|path| {
                            let text = fs_err::read_to_string(path).unwrap();
                            text.contains(&format!("{port}:"))
                        });
                    assert!(published, "{place}");
                }
            }
            for link in text.split("](").skip(1) {
                let link = link.split(')').next().unwrap();
                assert!(has(&format!("docs/{link}")), "{page} leads to {link}");
            }
        }
    }
}

/// Runs the `docker compose` of this machine, where there is one: reading files needs no daemon.
#[expect(clippy::print_stderr, reason = "says why it tests nothing")]
fn has_compose() -> bool {
    let version = Command::new("docker")
        .args(["compose", "version", "--short"])
        .stderr(Stdio::null())
        .output();
    let is_there = version.is_ok_and(|output| {
        // The first that knows `!override`.
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut parts = text.trim().trim_start_matches('v').split('.');
        let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
        output.status.success() && (number(), number()) >= (Some(2), Some(24))
    });
    if !is_there {
        eprintln!("skipped: there is no Docker Compose of 2.24 or later");
    }
    is_there
}

#[test]
fn compose_takes_every_combination_that_documents_name() {
    if !has_compose() {
        return;
    }
    for case in cases() {
        let (directory, files) = project(&case);
        let combinations: BTreeSet<Vec<&str>> = pages(&files)
            .flat_map(|(_, text)| commands(text))
            .filter(|line| line.contains("docker compose "))
            .map(|line| options(line, "-f"))
            .collect();
        assert!(!combinations.is_empty());
        for files in combinations {
            let output = Command::new("docker")
                .arg("compose")
                .args(files.iter().flat_map(|file| ["-f", file]))
                .args(["--profile", "*", "config", "--quiet"])
                .current_dir(directory.path())
                .env("POSTGRES_PASSWORD", "x")
                .env("GRAFANA_ADMIN_PASSWORD", "x")
                .env("SIGNING_KEY", "x")
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{} {files:?}: {told}",
                case.display()
            );
        }
    }
}

#[test]
fn every_dockerfile_is_read_and_has_its_stages() {
    for case in cases() {
        let rendering = support::render(&case, &[Target::Dockerfile]);
        for (path, artifact) in &rendering.files {
            if !path.ends_with(".Dockerfile") {
                continue;
            }
            let read = Dockerfile::parse(&artifact.text, Path::new(path));
            assert!(read.is_ok(), "{path}: {:?}", read.err());
            for stage in ["production", "slim", "debug", "dev", "test"] {
                assert!(
                    artifact.text.contains(&format!(" AS {stage}\n")),
                    "{path}: {stage}"
                );
            }
            let last = artifact.text.rfind("\nFROM ").unwrap();
            let last = artifact.text[last + 1..].lines().next().unwrap();
            assert!(last.ends_with(" AS production"), "{path}: {last}");
        }
    }
}
