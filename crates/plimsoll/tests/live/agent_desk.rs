//! The example comes up, answers a question through all of its parts, and goes away.

use std::process::Command;

use crate::stage::{Stage, get};

#[test]
fn a_question_goes_through_canvas_backend_queue_worker_and_database() {
    let Some(stage) = Stage::example("agent-desk") else {
        return;
    };
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
    in_a_browser(&stage);
    stage.down_to_nothing();
}

/// Types the question in headless Chromium, where there is one.
fn in_a_browser(stage: &Stage) {
    let browser = stage.project().join("../../tests/browser");
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
