//! The example comes up, answers a question through all of its parts, and goes away.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::stage::{Stage, get};

/// Both tests publish the ports that the example names.
static PORTS: Mutex<()> = Mutex::new(());

#[test]
fn a_question_goes_through_canvas_backend_queue_worker_and_database() {
    let Some(stage) = Stage::example("agent-desk") else {
        return;
    };
    answers_a_question(&stage);
}

#[test]
fn the_same_without_a_compose_file() {
    let Some(stage) = Stage::empty("desk") else {
        return;
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/agent-desk");
    for part in ["backend", "canvas"] {
        let copied = Command::new("cp")
            .arg("--recursive")
            .arg(example.join(part))
            .arg(stage.project())
            .status();
        assert!(copied.unwrap().success());
    }
    answers_a_question(&stage);
}

fn answers_a_question(stage: &Stage) {
    let _ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    if [8000, 8080]
        .iter()
        .any(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok())
    {
        eprintln!("skipped: ports 8000 and 8080 are in use");
        return;
    }
    stage.succeed(&["up", "--detach"]);
    assert_eq!(
        get(8000, "/health/ready").map(|(status, _)| status),
        Some(200)
    );
    let (status, page) = get(8080, "/").unwrap();
    assert_eq!(status, 200);
    assert!(page.contains("<div id=\"root\""), "{page}");
    in_a_browser();
    stage.down_to_nothing();
}

/// Types the question in headless Chromium, where there is one.
fn in_a_browser() {
    let browser = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser");
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("skipped the browser: there is no chromium");
        return;
    }
    if !browser.join("node_modules").exists() {
        let installed = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(&browser)
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            eprintln!("skipped the browser: npm cannot install playwright-core");
            return;
        }
    }
    let output = Command::new("node")
        .args(["desk.mjs", "http://127.0.0.1:8080"])
        .current_dir(&browser)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
