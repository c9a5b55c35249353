//! `plimsoll inspect --try`: what services show when they are started, and that nothing is left.

use std::process::Stdio;

use serde_json::Value;

use crate::stage::{Stage, eventually, free_port, get};

/// Answers on a port; ends when it is asked to.
const SERVER: &str = r#"import http.server
import signal
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_health = self.path == "/health"
        body = b'{"status": "ok"}' if is_health else b"<h1>the desk</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if is_health else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def port():
    return PORT


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open("/tmp/started", "w") as started:
        started.write("yes")
    http.server.ThreadingHTTPServer(("0.0.0.0", port()), Handler).serve_forever()
"#;

/// Fails when it imports what it is configured by.
const BROKEN: &str = r#"import http.server

from settings import LIMIT

if __name__ == "__main__":
    http.server.HTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"#;

/// A server of the Model Context Protocol that speaks over its standard input and output, or over
/// HTTP.
const TOOLS: &str = r#"from mcp.server.fastmcp import FastMCP

server = FastMCP("tools", host="0.0.0.0", port=8000)


@server.tool()
def add(left: int, right: int) -> int:
    return left + right


if __name__ == "__main__":
    server.run(transport="TRANSPORT")
"#;

/// Releases that are known to go together.
const REQUIREMENTS: &str = "mcp==1.12.4\npydantic==2.11.7\npydantic-settings==2.10.1\n\
    starlette==0.47.2\nuvicorn==0.35.0\nsse-starlette==2.4.1\nanyio==4.9.0\n";

fn tried(stage: &Stage, arguments: &[&str]) -> (i32, Value) {
    let ran = stage.run(&[&["inspect", "--json", "--try"], arguments].concat());
    let value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", ran.stdout, ran.stderr));
    (ran.code, value)
}

fn service<'v>(value: &'v Value, name: &str) -> &'v Value {
    let services = value["services"].as_array().unwrap();
    services
        .iter()
        .find(|service| service["name"] == name)
        .unwrap_or_else(|| panic!("no `{name}` in {value:#}"))
}

fn problem<'v>(value: &'v Value, part: &str) -> &'v Value {
    let problems = value["problems"].as_array().unwrap();
    problems
        .iter()
        .find(|problem| problem["what"].as_str().unwrap().contains(part))
        .unwrap_or_else(|| panic!("no problem with `{part}` in {problems:#?}"))
}

#[test]
fn services_are_tried_and_what_they_do_is_told() {
    let Some(stage) = Stage::empty("tried") else {
        return;
    };
    for (name, port) in [("web", "8000"), ("elsewhere", "8000 + len('abc')")] {
        stage.write(&format!("{name}/requirements.txt"), "");
        stage.write(&format!("{name}/main.py"), &SERVER.replace("PORT", port));
    }
    stage.write("broken/requirements.txt", "");
    stage.write("broken/main.py", BROKEN);
    stage.write(
        "broken/settings.py",
        "LIMITS = {}\nLIMIT = LIMITS[\"requests\"]\n",
    );
    stage.write(
        "compose.yaml",
        "services:\n  web:\n    build: ./web\n    command: python main.py\n    ports: [\"8000:8000\"]\n\
         \x20 elsewhere:\n    build: ./elsewhere\n    command: python main.py\n    ports: [\"8001:8000\"]\n\
         \x20 broken:\n    build: ./broken\n    command: python main.py\n",
    );
    let (code, value) = tried(&stage, &[]);
    assert_eq!(code, 1, "{value:#}");

    let web = &service(&value, "web")["trial"];
    assert_eq!(web["verdict"], "works", "{web:#}");
    assert_eq!(web["listens"][0]["port"], 8000);
    assert_eq!(web["listens"][0]["reach"], "network");
    assert_eq!(web["answers"][0]["status"], 200);
    assert_eq!(web["answers"][0]["content_type"], "text/html");
    assert_eq!(web["answers"][0]["begins"], "<h1>the desk</h1>");
    assert_eq!(web["stop"]["exit_code"], 0);
    assert_eq!(web["writes"][0], "/tmp/started");
    assert!(web["loads"]["modules"].as_u64().unwrap() > 10, "{web:#}");

    let elsewhere = service(&value, "elsewhere");
    assert_eq!(elsewhere["trial"]["verdict"], "works", "{elsewhere:#}");
    assert_eq!(elsewhere["ports"], serde_json::json!([8003]));
    let wrong = problem(&value, "port 8000 of `elsewhere` is published");
    assert_eq!(wrong["path"], "compose.yaml");
    assert_eq!(wrong["line"], 9);
    assert_eq!(wrong["severity"], "error");

    let broken = problem(&value, "KeyError: 'requests'");
    assert_eq!(broken["path"], "broken/settings.py");
    assert_eq!(broken["line"], 2);
    assert_eq!(broken["severity"], "error");

    // In words, and one service alone.
    let ran = stage.run(&["inspect", "--try", "web"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("works · up in "), "{}", ran.stdout);
    assert!(!ran.stdout.contains("fails"), "{}", ran.stdout);
    let ran = stage.run(&["inspect", "--try", "nobody"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(!stage.project().join("plimsoll.lock").exists());
    stage.nothing_is_left();
}

#[test]
fn servers_of_the_model_context_protocol_are_spoken_with() {
    let Some(stage) = Stage::empty("spoken") else {
        return;
    };
    for (name, transport) in [
        ("talker", "stdio"),
        ("listener", "streamable-http"),
        ("streamer", "sse"),
    ] {
        stage.write(&format!("{name}/requirements.txt"), REQUIREMENTS);
        stage.write(
            &format!("{name}/{name}.py"),
            &TOOLS.replace("TRANSPORT", transport),
        );
    }
    let (code, value) = tried(&stage, &[]);
    assert_eq!(code, 0, "{value:#}");
    for (name, transport, path) in [
        ("talker", "stdio", Value::Null),
        ("listener", "streamable-http", "/mcp".into()),
        ("streamer", "sse", "/sse".into()),
    ] {
        let handshake = &service(&value, name)["trial"]["handshake"];
        assert_eq!(handshake["transport"], transport, "{value:#}");
        assert_eq!(handshake["path"], path);
        assert_eq!(handshake["tools"], serde_json::json!(["add"]));
    }
    stage.nothing_is_left();
}

#[test]
fn a_trial_that_is_interrupted_leaves_nothing() {
    let Some(stage) = Stage::empty("cut") else {
        return;
    };
    stage.write("requirements.txt", "");
    // It never listens: the trial waits for it until somebody has enough.
    let never = SERVER.replace(
        "    http.server.Threading",
        "    signal.pause()\n    http.server.Threading",
    );
    stage.write("main.py", &never.replace("PORT", "8000"));
    let mut trial = stage
        .command(&["inspect", "--try", "--wait-timeout", "600"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let container = stage
        .runtime()
        .join("cut-try/containers/cut-try-cut-1/state.json");
    eventually("the service's start", || {
        let text = std::fs::read_to_string(&container).ok()?;
        text.contains("\"running\"").then_some(())
    });
    let process = rustix::process::Pid::from_raw(trial.id().cast_signed()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let status = trial.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    stage.nothing_is_left();
}

#[test]
fn a_service_that_listens_elsewhere_is_explained_by_up() {
    let Some(stage) = Stage::empty("astray") else {
        return;
    };
    stage.write("web/requirements.txt", "");
    stage.write("web/main.py", &SERVER.replace("PORT", "8000 + len('abc')"));
    stage.write(
        "compose.yaml",
        "services:\n  web:\n    build: ./web\n    command: python main.py\n    healthcheck:\n\
         \x20     test: [\"CMD\", \"curl\", \"-f\", \"http://localhost:8000/\"]\n\
         \x20     interval: 1s\n      retries: 30\n",
    );
    let ran = stage.run(&["up", "--detach"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("it listens on 8003, its health check asks 8000"),
        "{}",
        ran.stderr
    );
    stage.down_to_nothing();
}

/// Listens where no reader of its code would look for it.
const SURPRISE: &str = r#"import http.server
import os

if __name__ == "__main__":
    port = PORT
    MORE
    http.server.ThreadingHTTPServer(("0.0.0.0", port), http.server.SimpleHTTPRequestHandler).serve_forever()
"#;

#[test]
fn without_a_compose_file_up_follows_a_service_to_where_it_listens() {
    let Some(stage) = Stage::empty("follow") else {
        return;
    };
    let (port, other) = (free_port(), free_port());
    stage.write("web/requirements.txt", "");
    let more = "if os.environ.get(\"USUAL\"):\n        port = 8000";
    let misleading = SURPRISE.replace("PORT", &port.to_string());
    stage.write("web/main.py", &misleading.replace("MORE", more));
    stage.write("silent/requirements.txt", "");
    let computed = SURPRISE.replace("PORT", &format!("len(\"1\" * {other})"));
    stage.write("silent/main.py", &computed.replace("MORE", ""));
    let ran = stage.succeed(&["up", "--detach"]);
    for part in [
        format!("`web` listens on {port}, not on 8000 as its code reads"),
        format!("`silent` listens on {other}, which its code does not show"),
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{other}"),
    ] {
        assert!(ran.stderr.contains(&part), "{part}\n{}", ran.stderr);
    }
    for port in [port, other] {
        assert_eq!(eventually("an answer", || get(port, "/")).0, 200);
    }
    // The next start knows: nothing is started again.
    let again = stage.succeed(&["up", "--detach"]);
    assert!(
        again.stderr.contains("running  silent · web"),
        "{}",
        again.stderr
    );
    stage.down_to_nothing();
}

#[test]
fn a_service_that_does_not_come_up_tells_its_own_line_and_what_would_help() {
    let Some(stage) = Stage::empty("halting") else {
        return;
    };
    stage.write("requirements.txt", "");
    stage.write("kit/desk/__init__.py", "");
    stage.write(
        "main.py",
        &SERVER.replace("PORT", "8000").replace(
            "import sys\n",
            "import sys\nimport importlib\nimportlib.import_module('desk')\n",
        ),
    );
    let ran = stage.run(&["up", "--detach"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in [
        "ModuleNotFoundError: No module named 'desk'",
        "--> main.py:5:1",
        "`desk` lies in `kit`: set `PYTHONPATH: /app/kit` for `halting`",
    ] {
        assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
    }
    stage.down_to_nothing();
}
