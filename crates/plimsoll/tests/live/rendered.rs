//! Rendered files, used by others: what they build of them runs.

use std::collections::BTreeSet;
use std::process::{Child, Command, Output};

use crate::stage::{Stage, eventually, free_port, get};

/// A service without dependencies, so that building it asks nobody: its files answer `rendered` on `PORT`.
struct Case {
    service: &'static str,
    files: &'static [(&'static str, &'static str)],
}

const CASES: [Case; 3] = [
    Case {
        service: "web",
        files: &[
            (
                "web/package.json",
                r#"{"name":"web","private":true,"scripts":{"start":"node server.js"}}"#,
            ),
            (
                "web/server.js",
                r#"require("node:http")
  .createServer((request, response) => response.end("rendered"))
  .listen(Number(process.env.PORT || 3000));
"#,
            ),
        ],
    },
    Case {
        service: "api",
        files: &[(
            "api/main.py",
            r#"import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"rendered")


if __name__ == "__main__":
    HTTPServer(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
"#,
        )],
    },
    Case {
        service: "relay",
        files: &[
            ("relay/go.mod", "module example.com/relay\n\ngo 1.25\n"),
            (
                "relay/main.go",
                r#"package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8474"
	}
	http.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "rendered") })
	http.ListenAndServe(":"+port, nil)
}
"#,
            ),
        ],
    },
];

/// Buildah with a store of its own, which ends with the stage.
struct Buildah<'s> {
    stage: &'s Stage,
}

impl Buildah<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let at = |name: &str| self.stage.runtime().with_file_name(name);
        let mut command = Command::new("buildah");
        command
            .arg("--root")
            .arg(at("buildah"))
            .arg("--runroot")
            .arg(at("buildah-run"))
            .args(["--storage-driver", "overlay"])
            .args(["--registries-conf", "registries.conf"])
            .args(arguments)
            .current_dir(self.stage.project());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it said, without the line end.
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Buildah<'_> {
    fn drop(&mut self) {
        // Its layers are mounted until they are removed.
        let _ = self.run(&["rm", "--all"]);
        let _ = self.run(&["rmi", "--all", "--force"]);
    }
}

/// A program that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0.id() as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

#[test]
fn buildah_builds_rendered_dockerfiles_and_their_containers_answer() {
    if Command::new("buildah").arg("--version").output().is_err() {
        eprintln!("skipped: there is no buildah");
        return;
    }
    let Some(stage) = Stage::empty("rendered") else {
        return;
    };
    let mut services = String::new();
    for case in &CASES {
        for (path, text) in case.files {
            stage.write(path, text);
        }
        services += &format!("  {0}:\n    build: ./{0}\n", case.service);
    }
    stage.write("compose.yaml", &format!("services:\n{services}"));
    stage.succeed(&["render", "dockerfile"]);

    let file = |case: &Case| format!("docker/{}.Dockerfile", case.service);
    let texts = CASES
        .iter()
        .map(|case| std::fs::read_to_string(stage.project().join(file(case))).unwrap());
    let bases: BTreeSet<String> = texts.flat_map(|text| bases(&text)).collect();
    assert!(bases.len() >= CASES.len(), "{bases:?}");
    let aliases: String = bases
        .iter()
        .filter_map(|base| base.split_once(':'))
        .map(|(short, _)| format!("\"{short}\" = \"docker.io/library/{short}\"\n"))
        .collect();
    stage.write("registries.conf", &format!("[aliases]\n{aliases}"));
    let buildah = Buildah { stage: &stage };
    for base in &bases {
        if let Err(reason) = buildah.load(base) {
            eprintln!("skipped: buildah keeps no images here: {reason}");
            return;
        }
    }
    for case in &CASES {
        buildah.build(&file(case), case.service);
        buildah.answers(case.service);
    }
}

/// The images that a Dockerfile stands on.
fn bases(dockerfile: &str) -> Vec<String> {
    let froms: Vec<Vec<&str>> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "))
        .map(|rest| {
            let words = rest.split_whitespace();
            words.filter(|word| !word.starts_with("--")).collect()
        })
        .collect();
    let stages: BTreeSet<&str> = froms
        .iter()
        .filter_map(|from| from.last().copied())
        .collect();
    let names = froms.iter().filter_map(|from| from.first().copied());
    names
        .filter(|name| *name != "scratch" && !stages.contains(name))
        .map(str::to_owned)
        .collect()
}

impl Buildah<'_> {
    /// Gives buildah the base of a name, without asking a registry; the error is why it cannot keep it.
    fn load(&self, base: &str) -> Result<(), String> {
        let place = base.replace([':', '/'], "-");
        self.stage.write(
            format!("{place}/Dockerfile").as_str(),
            &format!("FROM {base}\n"),
        );
        self.stage.write(
            format!("{place}/compose.yaml").as_str(),
            "services:\n  base:\n    build: .\n",
        );
        let archive = self.stage.runtime().with_file_name(format!("{place}.tar"));
        let output = format!("docker:{}", archive.display());
        let built = [
            "-C",
            &place,
            "build",
            "--dockerfile",
            "--local-bases",
            "-o",
            &output,
        ];
        self.stage.succeed(&built);
        let pulled = self.run(&[
            "pull",
            "-q",
            &format!("docker-archive:{}", archive.display()),
        ]);
        std::fs::remove_file(archive).unwrap();
        if !pulled.status.success() {
            return Err(String::from_utf8_lossy(&pulled.stderr).into_owned());
        }
        let identity = String::from_utf8_lossy(&pulled.stdout).trim().to_owned();
        self.succeeds(&["tag", &identity, &format!("docker.io/library/{base}")]);
        Ok(())
    }

    fn build(&self, file: &str, name: &str) {
        self.succeeds(&[
            "bud",
            "--pull-never",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--target",
            "production",
            "-f",
            file,
            "-t",
            name,
            ".",
        ]);
    }

    /// Starts an image as its configuration says, which must answer on the port that it is told.
    fn answers(&self, name: &str) {
        let format = "{{range .OCIv1.Config.Cmd}}{{.}} {{end}}";
        let image = format!("localhost/{name}");
        let told = self.succeeds(&["inspect", "--type", "image", "--format", format, &image]);
        let container = self.succeeds(&["from", "--pull-never", &image]);
        let port = free_port();
        let variable = format!("PORT={port}");
        let mut run = vec![
            "run",
            "--isolation",
            "chroot",
            "--env",
            &variable,
            &container,
            "--",
        ];
        run.extend(told.split_whitespace());
        let _running = Running(self.command(&run).spawn().unwrap());
        let (status, body) = eventually(name, || get(port, "/"));
        assert_eq!((status, body.as_str()), (200, "rendered"), "{name}");
    }
}
