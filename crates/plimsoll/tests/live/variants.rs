//! Each variant of a Python service, a Node server, a site and a program of Go, as they run.

use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::stage::{Stage, eventually, free_port, get};

/// The tests build the same images, and a build waits for another one of the same.
static ALONE: Mutex<()> = Mutex::new(());

const API: &str = r#"from fastapi import FastAPI

app = FastAPI()


@app.get("/greeting")
def greeting():
    return "first"


@app.get("/health")
def health():
    return "ok"
"#;

const API_TEST: &str = r#"import os

from main import greeting


def test_greeting():
    assert greeting() == os.environ.get("EXPECTED", "first")
"#;

const WEB: &str = r#"const http = require("node:http");
const { greeting } = require("./greeting");

http
  .createServer((request, response) => response.end(greeting()))
  .listen(process.env.PORT || 3000);
"#;

const WEB_TEST: &str = r#"const test = require("node:test");
const assert = require("node:assert");
const { greeting } = require("../greeting");

test("greeting", () => assert.equal(greeting(), process.env.EXPECTED || "first"));
"#;

const PAGE_TEST: &str = r#"import test from "node:test";
import assert from "node:assert";
import { greeting } from "./greeting.js";

test("greeting", () => assert.equal(greeting(), process.env.EXPECTED || "first"));
"#;

const RELAY: &str = r#"package main

import (
	"fmt"
	"net/http"
)

func greeting() string { return "first" }

func main() {
	http.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
	http.HandleFunc("GET /greeting", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, greeting()) })
	http.ListenAndServe(":18474", nil)
}
"#;

/// A service, and where it answers.
struct Answer {
    service: &'static str,
    port: u16,
    path: &'static str,
    source: &'static str,
}

fn four(stage: &Stage) -> [Answer; 4] {
    stage.write(
        "api/requirements.txt",
        "fastapi==0.115.6\nuvicorn==0.34.0\n",
    );
    stage.write("api/requirements-dev.txt", "pytest==8.3.4\n");
    stage.write("api/main.py", API);
    stage.write("api/tests/test_main.py", API_TEST);
    stage.write(
        "web/package.json",
        r#"{"name":"web","private":true,"scripts":{"start":"node server.js","test":"node --test"}}"#,
    );
    stage.write("web/server.js", WEB);
    stage.write("web/greeting.js", "exports.greeting = () => \"first\";\n");
    stage.write("web/test/greeting.test.js", WEB_TEST);
    stage.write(
        "page/package.json",
        r#"{"name":"page","private":true,"type":"module",
            "scripts":{"dev":"vite","build":"vite build","test":"node --test"},
            "devDependencies":{"vite":"6.0.7"}}"#,
    );
    stage.write(
        "page/index.html",
        "<!doctype html><title>page</title><script type=\"module\" src=\"/src/main.js\"></script>",
    );
    stage.write(
        "page/src/main.js",
        "import { greeting } from \"./greeting.js\";\ndocument.title = greeting();\n",
    );
    stage.write(
        "page/src/greeting.js",
        "export const greeting = () => \"first\";\n",
    );
    stage.write("page/src/greeting.test.js", PAGE_TEST);
    stage.write("relay/go.mod", "module example.com/relay\n\ngo 1.24\n");
    stage.write("relay/main.go", RELAY);
    let ports = [free_port(), free_port(), free_port(), free_port()];
    stage.write(
        "compose.yaml",
        &format!(
            "services:\n  api:\n    build: ./api\n    ports: [\"{}:8000\"]\n  \
             web:\n    build: ./web\n    ports: [\"{}:3000\"]\n  \
             page:\n    build: ./page\n    ports: [\"{}:8080\"]\n  \
             relay:\n    build: ./relay\n    ports: [\"{}:18474\"]\n",
            ports[0], ports[1], ports[2], ports[3]
        ),
    );
    let [api, web, page, relay] = ports;
    [
        ("api", api, "/greeting", "api/main.py"),
        ("web", web, "/greeting", "web/greeting.js"),
        ("page", page, "/", "page/src/greeting.js"),
        ("relay", relay, "/greeting", "relay/main.go"),
    ]
    .map(|(service, port, path, source)| Answer {
        service,
        port,
        path,
        source,
    })
}

/// Builds once; `false`, with a line that says why, where something is missing.
fn can_build(stage: &Stage, arguments: &[&str]) -> bool {
    let ran = stage.run(arguments);
    if ran.stderr.contains("Go module proxy") {
        eprintln!("skipped: nothing says where Go modules come from");
        return false;
    }
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    true
}

fn all_answer(answers: &[Answer]) {
    for answer in answers {
        let (status, body) = eventually(answer.service, || get(answer.port, answer.path));
        assert_eq!(status, 200, "{}: {body}", answer.service);
    }
}

fn sizes(stage: &Stage, name: &str) -> std::collections::BTreeMap<String, u64> {
    let told = stage.succeed(&["--json", "images"]).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let images = told["images"].as_array().unwrap();
    images
        .iter()
        .filter(|image| image["reference"].as_str().unwrap().starts_with(name))
        .map(|image| {
            let reference = image["reference"].as_str().unwrap().to_owned();
            (reference, image["bytes"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn slim_images_are_smaller_and_answer_and_debug_images_have_a_shell() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stage) = Stage::empty("slim-and-debug") else {
        return;
    };
    let answers = four(&stage);
    if !can_build(&stage, &["build"]) {
        return;
    }
    stage.succeed(&["up", "--detach", "--variant", "slim"]);
    all_answer(&answers);
    let sizes = sizes(&stage, "slim-and-debug-");
    for answer in &answers {
        let production = sizes[&format!("slim-and-debug-{}:latest", answer.service)];
        let slim = sizes[&format!("slim-and-debug-{}:latest-slim", answer.service)];
        match answer.service {
            "api" => assert!(slim < production, "{slim} of {production}"),
            // Nothing in them is left to leave out.
            _ => assert!(slim <= production, "{slim} of {production}"),
        }
    }
    stage.succeed(&["up", "--detach", "--variant", "debug"]);
    all_answer(&answers);
    for answer in &answers {
        let shell = stage.succeed(&[
            "exec",
            "--no-tty",
            answer.service,
            "sh",
            "-c",
            "test \"$(readlink /usr/bin/ls)\" = /usr/bin/busybox && ls / | grep etc && id -u",
        ]);
        assert_eq!(shell.stdout, "etc\n65532\n", "{}", answer.service);
    }
    stage.down_to_nothing();
}

#[test]
fn services_that_are_developed_show_each_change() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stage) = Stage::empty("developed") else {
        return;
    };
    let answers = four(&stage);
    if !can_build(&stage, &["build", "--variant", "dev"]) {
        return;
    }
    each_change_is_shown(&stage, &answers, &["up", "--variant", "dev", "--watch"]);
    stage.down_to_nothing();
}

#[test]
fn a_rendered_overlay_is_developed_in_as_it_says() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stage) = Stage::empty("overlaid") else {
        return;
    };
    // Those that are not built again for each change.
    let answers = four(&stage).into_iter();
    let answers: Vec<Answer> = answers.filter(|it| it.service != "relay").collect();
    stage.write(
        ".env",
        &format!(
            "API_DEBUG_PORT={}\nWEB_DEBUG_PORT={}\n",
            free_port(),
            free_port()
        ),
    );
    stage.succeed(&["render", "dockerfile", "compose"]);
    let overlaid = |rest: &[&'static str]| {
        let files = ["-f", "compose.yaml", "-f", "compose.dev.yaml"];
        [&files, rest].concat()
    };
    each_change_is_shown(
        &stage,
        &answers,
        &overlaid(&["up", "--watch", "api", "web", "page"]),
    );
    // Without it the sources are mounted.
    stage.succeed(&overlaid(&["up", "--detach", "api"]));
    let api = &answers[0];
    stage.write(api.source, &API.replace("first", "fourth"));
    eventually("a mounted change", || {
        get(api.port, api.path).filter(|(_, body)| body.contains("fourth"))
    });
    stage.down_to_nothing();
}

/// Brings a stack up, edits what its services answer with, and sees it answered.
fn each_change_is_shown(stage: &Stage, answers: &[Answer], up: &[&str]) {
    let up = stage
        .command(up)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let up = Ending(up);
    let shown = |answer: &Answer| match answer.service {
        "page" => get(answer.port, "/src/greeting.js"),
        _ => get(answer.port, answer.path),
    };
    let mut now = "first";
    for answer in answers {
        eventually(answer.service, || {
            shown(answer).filter(|(_, body)| body.contains(now))
        });
    }
    for next in ["second", "third"] {
        for answer in answers {
            // As editors do it: a new file in the place of the old one.
            let path = stage.project().join(answer.source);
            let text = std::fs::read_to_string(&path).unwrap();
            let new = path.with_extension("new");
            std::fs::write(&new, text.replace(now, next)).unwrap();
            std::fs::rename(&new, &path).unwrap();
        }
        for answer in answers {
            eventually(answer.service, || {
                shown(answer).filter(|(_, body)| body.contains(next))
            });
        }
        now = next;
    }
    drop(up);
}

/// A command that is interrupted at the end of its test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0.id() as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.0.wait();
    }
}

#[test]
fn the_tests_of_a_project_run_in_its_image() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stage) = Stage::empty("tested") else {
        return;
    };
    let answers = four(&stage);
    // The image of a compiled program has no compiler to build its tests with.
    let compiled = stage.run(&["run", "--variant", "test", "--no-tty", "relay"]);
    assert_eq!(compiled.code, 1);
    assert!(
        compiled.stderr.contains("no tests were found to run"),
        "{}",
        compiled.stderr
    );
    for answer in answers.iter().filter(|answer| answer.service != "relay") {
        let tests = ["run", "--variant", "test", "--no-tty", answer.service];
        stage.succeed(&tests);
        let failing = stage.run(&[
            "run",
            "--variant",
            "test",
            "--no-tty",
            "--env",
            "EXPECTED=second",
            answer.service,
        ]);
        assert_eq!(failing.code, 1, "{}: {}", answer.service, failing.stdout);
        assert!(
            failing.stdout.contains("second"),
            "{}: {}",
            answer.service,
            failing.stdout
        );
    }
    stage.nothing_is_left();
}
