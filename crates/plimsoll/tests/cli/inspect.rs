//! What `inspect` finds.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn a_small_service() {
    let context = Context::new();
    small_service(&context);
    assert_snapshot!(context.run(&["inspect"]), @r"
    exit code: 0
    ----- stdout -----
    desk · 1 service, 0 needs · 5 files read in [TIME]

      desk  web  FastAPI 0.121 · Python (requirements.txt)  :8000  /health  app/main.py:5
                 python -m uvicorn app.main:app --host 0.0.0.0 --port 8000

      variables 2 read: 1 required, 1 secret                                plimsoll inspect --environment
      left out  scripts/seed.py (runs once and exits)                       plimsoll inspect --rejected
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["inspect", "--environment"]), @r"
    exit code: 0
    ----- stdout -----
      API_KEY  required, secret  desk · app/main.py:6
      MODEL    default `small`   desk · app/main.py:7
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["inspect", "--rejected"]), @r"
    exit code: 0
    ----- stdout -----
      scripts/seed.py  script: runs once and exits
    ----- stderr -----
    ");
}

#[test]
fn an_empty_directory() {
    let context = Context::new();
    assert_snapshot!(context.run(&["inspect"]), @r"
    exit code: 0
    ----- stdout -----
    desk · 0 services, 0 needs · 0 files read in [TIME]

      nothing that runs was found
    ----- stderr -----
    ");
}

#[test]
fn a_directory_that_does_not_exist() {
    let context = Context::new();
    assert_snapshot!(context.run(&["-C", "nowhere", "inspect"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `nowhere`: no such directory
    hint: `-C DIR` names the project's directory
    ");
}

#[test]
fn a_directory_that_is_a_file() {
    let context = Context::new();
    context.write("notes.txt", "seed the desk first\n");
    assert_snapshot!(context.run(&["-C", "notes.txt", "inspect"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `notes.txt`: not a directory
    hint: `-C DIR` names the project's directory
    ");
}

#[test]
fn json_has_stable_keys() {
    let context = Context::new();
    small_service(&context);
    let output = context.command(&["inspect", "--json"]).output().unwrap();
    assert!(output.status.success());
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["schema"], 1);
    let keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_snapshot!(keys.join(" "), @"schema name services needs environment rejected problems shims files_listed files_read");
    let keys: Vec<&str> = value["services"][0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_snapshot!(keys.join(" "), @"name kind language framework version language_version manager dependencies_from root command working_dir ports health metrics stream replicas_max writes packages needs shares_with defined_at evidence recipe");
}

/// A FastAPI application that reads two variables, and a script that is no service.
fn small_service(context: &Context) {
    context.write("requirements.txt", "fastapi==0.121.0\nuvicorn==0.38.0\n");
    context.write(
        "app/main.py",
        r#"import os

from fastapi import FastAPI

app = FastAPI()
KEY = os.environ["API_KEY"]
MODEL = os.environ.get("MODEL", "small")


@app.get("/health")
def health():
    return {"status": "ok"}
"#,
    );
    context.write("app/__init__.py", "");
    context.write(
        "scripts/seed.py",
        "if __name__ == \"__main__\":\n    print(\"seeded\")\n",
    );
}
