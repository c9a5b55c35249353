//! Every command of every document: run where nothing but this machine is needed, held against what was
//! rendered where it names a part of that, and read by its own program where that is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{cases, commands, has_compose, pages, project};

/// How a command is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trial {
    /// As it is written, in the project.
    Run,
    /// With `--help`: its program reads all of its options and then does nothing.
    Read,
    /// Asked of a server of this test.
    Ask,
    /// Elsewhere: the program's own tests read these.
    Own,
}

/// The program of a line, after variables that are set for it.
fn program(line: &str) -> &str {
    let mut words = line.split_whitespace();
    words
        .find(|word| !word.split_once('=').is_some_and(|(name, _)| is_name(name)))
        .unwrap()
}

fn is_name(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    !text.is_empty() && text.chars().all(is_of_name)
}

fn trial(line: &str) -> Trial {
    match program(line) {
        "chmod" | "echo" | "grep" | "ss" | "test" | "touch" => Trial::Run,
        "docker" => Trial::Read,
        // It builds what would be applied, and asks no cluster.
        "kubectl" if line.starts_with("kubectl kustomize ") => Trial::Run,
        "kubectl" | "helm" => Trial::Read,
        // Its alerts are tested with these files elsewhere.
        "promtool" => Trial::Run,
        "curl" => Trial::Ask,
        "plimsoll" => Trial::Own,
        other => panic!("{line}: nothing tries {other}"),
    }
}

/// The line with `--help` where the program takes it for its own.
fn with_help(line: &str) -> String {
    for subcommand in [" run --rm ", " exec "] {
        if let Some((before, after)) = line.split_once(subcommand) {
            return format!(
                "{before}{}--help {after}",
                subcommand.trim_end_matches("--rm ")
            );
        }
    }
    format!("{line} --help")
}

/// What a program reads of a line when it looks at nothing around it: its subcommand and its options,
/// not what they are given.
fn options(line: &str) -> Vec<String> {
    const WITH_VALUE: [&str; 6] = [
        "-f",
        "-t",
        "--profile",
        "--namespace",
        "--target",
        "--volume",
    ];
    let mut words = line.split_whitespace();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word) {
            words.next();
        }
        if word.starts_with('-') || kept.len() < 4 {
            kept.push(word.to_owned());
        }
    }
    kept
}

fn is_installed(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

/// Answers every request, as the stack does.
fn server() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn commands_work_as_written() {
    let port = server();
    let has_compose = has_compose();
    let mut read = BTreeSet::new();
    let mut counted: BTreeMap<(Trial, String), usize> = BTreeMap::new();
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases() {
        let (directory, files) = project(&case);
        fs_err::write(directory.path().join("sample.sql"), "select 1;\n").unwrap();
        for (page, text) in pages(&files) {
            for line in commands(text) {
                let place = format!("{}: {page}: {line}", case.display());
                let is_shells = Command::new("sh").args(["-n", "-c", line]).status();
                assert!(is_shells.unwrap().success(), "{place}");
                let (trial, program) = (trial(line), program(line));
                let there = match line.contains("docker compose ") {
                    true => has_compose,
                    false if line.starts_with("docker buildx ") => has_buildx(),
                    false => is_installed(program),
                };
                if trial != Trial::Own && !there {
                    let missing = match line.starts_with("docker ") {
                        true => "docker compose or docker buildx",
                        false => program,
                    };
                    *skipped.entry(missing.to_owned()).or_default() += 1;
                    continue;
                }
                *counted.entry((trial, program.to_owned())).or_default() += 1;
                let line = match trial {
                    Trial::Own => continue,
                    Trial::Run => line.to_owned(),
                    Trial::Read => with_help(line),
                    Trial::Ask => at_port(line, port),
                };
                if trial == Trial::Read && !read.insert(options(&line)) {
                    continue;
                }
                let output = shell(&line, directory.path());
                let told = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{place}\n{line}\n{told}");
            }
        }
    }
    for ((trial, program), number) in counted {
        eprintln!("{trial:?} {program}: {number}");
    }
    for (program, number) in skipped {
        eprintln!("skipped: {number} commands of {program}, which is not there");
    }
}

/// The same request to a port of this test.
fn at_port(line: &str, port: u16) -> String {
    let (before, after) = line.split_once("http://127.0.0.1:").unwrap();
    let path = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}http://127.0.0.1:{port}{path}")
}

fn has_buildx() -> bool {
    let version = Command::new("docker").args(["buildx", "version"]).output();
    version.is_ok_and(|output| output.status.success())
}

fn shell(line: &str, directory: &Path) -> std::process::Output {
    Command::new("sh")
        .args(["-c", line])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn commands_name_objects_and_services_that_are_rendered() {
    for case in cases() {
        let (_directory, files) = project(&case);
        let mut objects = BTreeSet::new();
        let base = files
            .iter()
            .filter(|(path, _)| path.starts_with("kubernetes/base/"));
        for (path, text) in base {
            for document in text.split("\n---\n") {
                objects.extend(named(document).map(|(kind, name)| format!("{kind}/{name}")));
            }
            assert!(path.ends_with(".yaml"), "{path}");
        }
        for (page, text) in pages(&files) {
            for line in commands(text)
                .into_iter()
                .filter(|line| line.starts_with("kubectl "))
            {
                let words = line.split_whitespace();
                for object in words
                    .filter(|word| word.starts_with("deployment/") || word.starts_with("service/"))
                {
                    assert!(
                        objects.contains(object),
                        "{}: {page}: {line}",
                        case.display()
                    );
                }
            }
        }
    }
}

/// The kind, in small letters, and the name of a manifest.
fn named(document: &str) -> Option<(String, String)> {
    let value = |key: &str| {
        let mut lines = document.lines();
        lines.find_map(|line| line.strip_prefix(key))
    };
    let kind = value("kind: ")?.to_ascii_lowercase();
    let (_, metadata) = document.split_once("metadata:\n")?;
    let name = metadata
        .lines()
        .find_map(|line| line.strip_prefix("  name: "))?;
    Some((kind, name.to_owned()))
}
