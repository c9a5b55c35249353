//! What a stack must bear.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use crate::stage::{Stage, eventually, free_port, get};

/// A web service of the standard library: answers, and says why it fails when it is told to.
const SERVER: &str = r#"
import http.server, os, signal, sys, time

if os.environ.get("FAIL"):
    print("first line before the end", flush=True)
    print("cannot go on: " + os.environ["FAIL"], file=sys.stderr, flush=True)
    sys.exit(3)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        healthy = self.path != "/health" or not os.environ.get("SICK")
        body = b"hello\n" if healthy else b"sick\n"
        self.send_response(200 if healthy else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        print("asked for", self.path, flush=True)

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("listening", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

fn one_service(stage: &Stage, more: &str) -> u16 {
    let port = free_port();
    stage.write("web/server.py", SERVER);
    stage.write("web/requirements.txt", "");
    stage.write(
        "compose.yaml",
        &format!(
            "services:\n  web:\n    build: ./web\n    command: python server.py\n    ports: [\"{port}:8000\"]\n{more}"
        ),
    );
    port
}

#[test]
fn a_stack_comes_up_answers_and_leaves_nothing() {
    let Some(stage) = Stage::empty("plain") else {
        return;
    };
    let port = one_service(&stage, "");
    let up = stage.succeed(&["up", "--detach"]);
    assert!(
        up.stderr.contains(&format!("http://127.0.0.1:{port}")),
        "{}",
        up.stderr
    );
    let (status, body) = eventually("an answer", || get(port, "/"));
    assert_eq!((status, body.as_str()), (200, "hello\n"));
    let ps = stage.succeed(&["ps"]);
    assert!(ps.stdout.contains("healthy"), "{}", ps.stdout);
    eventually("the request in the log", || {
        stage
            .succeed(&["logs"])
            .stdout
            .contains("web | asked for /")
            .then_some(())
    });
    let exec = stage.run(&[
        "exec",
        "web",
        "python",
        "-c",
        "import os, sys; print(os.getuid()); sys.exit(7)",
    ]);
    assert_eq!(
        (exec.code, exec.stdout.as_str()),
        (7, "65532\n"),
        "{}",
        exec.stderr
    );
    stage.down_to_nothing();
}

#[test]
fn a_second_up_changes_nothing_that_did_not_change() {
    let Some(stage) = Stage::empty("twice") else {
        return;
    };
    one_service(&stage, "");
    stage.succeed(&["up", "--detach"]);
    let first = stage.succeed(&["ps", "--json"]).stdout;
    let again = stage.succeed(&["--json", "up", "--detach"]);
    assert!(again.stdout.contains("\"unchanged\""), "{}", again.stdout);
    let pid = |json: &str| {
        serde_json::from_str::<serde_json::Value>(json).unwrap()["containers"][0]["state"]["pid"]
            .clone()
    };
    assert_eq!(pid(&stage.succeed(&["ps", "--json"]).stdout), pid(&first));
    stage.down_to_nothing();
}

#[test]
fn a_killed_keeper_and_supervisor_are_cleaned_away() {
    let Some(stage) = Stage::empty("killed") else {
        return;
    };
    let port = one_service(&stage, "");
    stage.succeed(&["up", "--detach"]);
    let killed = kill_processes_of(&stage);
    assert!(
        killed >= 2,
        "a keeper and a supervisor were expected, {killed} found"
    );
    eventually("nobody answers", || get(port, "/").is_none().then_some(()));
    eventually("the death is seen", || {
        let ps = stage.succeed(&["ps"]);
        ps.stdout
            .contains("killed with its supervisor")
            .then_some(())
    });
    // Up again as if nothing had been.
    stage.succeed(&["up", "--detach"]);
    assert_eq!(eventually("an answer", || get(port, "/")).0, 200);
    kill_processes_of(&stage);
    stage.down_to_nothing();
}

/// Kills what runs for the stack without giving it a chance.
fn kill_processes_of(stage: &Stage) -> usize {
    let runtime = stage.runtime().to_string_lossy().into_owned();
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let Ok(command) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&runtime) && command.contains("internal") {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            killed += 1;
        }
    }
    killed
}

#[test]
fn an_up_that_is_killed_leaves_nothing_that_down_does_not_remove() {
    let Some(stage) = Stage::empty("abrupt") else {
        return;
    };
    one_service(&stage, "");
    // At several moments: while building, while starting, while following.
    for millis in [30, 150, 400, 900, 2000] {
        let mut up = stage
            .command(&["up"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(millis));
        up.kill().unwrap();
        up.wait().unwrap();
        stage.succeed(&["down"]);
        stage.nothing_is_left();
    }
    // The store checks itself only while nobody else uses it, and other tests do.
    let checked = eventually("the store is free", || {
        let ran = stage.run(&["fsck"]);
        (!ran.stderr.contains("another process uses the store")).then_some(ran)
    });
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    stage.succeed(&["up", "--detach"]);
    stage.down_to_nothing();
}

#[test]
fn a_taken_port_is_named_with_its_holder() {
    let Some(stage) = Stage::empty("taken") else {
        return;
    };
    let port = one_service(&stage, "");
    let _held = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let up = stage.run(&["up", "--detach"]);
    assert_eq!(up.code, 1);
    assert!(
        up.stderr.contains(&format!("127.0.0.1:{port}")),
        "{}",
        up.stderr
    );
    assert!(
        up.stderr.contains(&format!("pid {}", std::process::id())),
        "{}",
        up.stderr
    );
    assert!(up.stderr.contains("compose.yaml:5:"), "{}", up.stderr);
    stage.nothing_is_left();
}

#[test]
fn a_service_that_exits_at_once_is_shown_with_its_last_lines() {
    let Some(stage) = Stage::empty("exits") else {
        return;
    };
    one_service(&stage, "    environment:\n      FAIL: no luck today\n");
    let up = stage.run(&["up"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    assert!(
        up.stderr.contains("`web` exited with code 3"),
        "{}",
        up.stderr
    );
    assert!(
        up.stderr.contains("cannot go on: no luck today"),
        "{}",
        up.stderr
    );
    stage.nothing_is_left();
}

#[test]
fn an_unhealthy_dependency_tells_who_waits_for_whom() {
    let Some(stage) = Stage::empty("sick") else {
        return;
    };
    one_service(
        &stage,
        "    environment:\n      SICK: \"yes\"\n    healthcheck:\n      test: [\"CMD\", \"curl\", \"-f\", \"http://localhost:8000/health\"]\n      interval: 300ms\n      retries: 2\n  worker:\n    build: ./web\n    command: python server.py\n    depends_on:\n      web:\n        condition: service_healthy\n",
    );
    let up = stage.run(&["up"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    assert!(up.stderr.contains("`web` is unhealthy"), "{}", up.stderr);
    assert!(up.stderr.contains("503"), "{}", up.stderr);
    assert!(
        up.stderr
            .contains("`worker` was not started: `web` did not become healthy"),
        "{}",
        up.stderr
    );
    stage.nothing_is_left();
}

#[test]
fn two_commands_do_not_change_one_stack_at_once() {
    let Some(stage) = Stage::empty("rivals") else {
        return;
    };
    // Healthy only after a while, so that the first command is still at it.
    one_service(
        &stage,
        "    environment:\n      SICK: \"yes\"\n    healthcheck:\n      test: [\"CMD\", \"curl\", \"-f\", \"http://localhost:8000/health\"]\n      interval: 1s\n      retries: 1000\n",
    );
    let mut first = stage
        .command(&["up"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Not before it has the lock: the other command would be the first one then.
    let lock = stage.runtime().join("rivals.lock");
    eventually("the first holds the lock", || {
        let holder = std::fs::read_to_string(&lock).ok()?;
        (holder.trim() == first.id().to_string()).then_some(())
    });
    let second = stage.run(&["down"]);
    assert_eq!(second.code, 1);
    assert!(
        second.stderr.contains(&format!("pid {}", first.id())),
        "{}",
        second.stderr
    );
    let pid = rustix::process::Pid::from_raw(first.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    // While it builds the signal ends it, later it cleans up first.
    assert_ne!(first.wait().unwrap().code(), Some(0));
    stage.succeed(&["down"]);
    stage.nothing_is_left();
}

#[test]
fn ctrl_c_takes_everything_down() {
    let Some(stage) = Stage::empty("interrupted") else {
        return;
    };
    let port = one_service(&stage, "");
    let mut up = stage
        .command(&["up"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(up.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("Ctrl-C stops it")));
    assert_eq!(get(port, "/").unwrap().0, 200);
    let pid = rustix::process::Pid::from_raw(up.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(said.any(|line| line.unwrap().starts_with("stopped 1 container")));
    assert_eq!(up.wait().unwrap().code(), Some(0));
    stage.nothing_is_left();
}

#[test]
fn a_dependency_that_does_not_exist_is_named() {
    let Some(stage) = Stage::empty("missing") else {
        return;
    };
    one_service(&stage, "");
    stage.write(
        "web/requirements.txt",
        "plimsoll-no-such-distribution-exists==1.0\n",
    );
    let up = stage.run(&["up", "--detach"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    assert!(
        up.stderr.contains("plimsoll-no-such-distribution-exists"),
        "{}",
        up.stderr
    );
    stage.nothing_is_left();
}

#[test]
fn what_a_running_stack_uses_is_not_pruned() {
    let Some(stage) = Stage::empty("kept") else {
        return;
    };
    let port = one_service(&stage, "");
    // Projects of equal content share one image, and another one's name would keep it.
    stage.write("web/only_here.py", "");
    stage.succeed(&["up", "--detach"]);
    // Its image's name goes to another image, while the container runs on the old one.
    stage.write("web/more.py", "");
    stage.succeed(&["build"]);
    let refused = eventually("the store is free", || {
        let ran = stage.run(&["prune"]);
        (!ran.stderr.contains("another process uses the store")).then_some(ran)
    });
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("still needed"),
        "{}",
        refused.stderr
    );
    assert_eq!(get(port, "/").unwrap().0, 200);
    stage.down_to_nothing();
}
