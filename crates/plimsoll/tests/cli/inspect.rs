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
    desk · 1 service, 0 needs · 4 files read in [TIME]

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

/// What every entry of a list has at least; others may be added.
#[rustfmt::skip]
const ENTRIES: &[(&str, &[&str])] = &[
    ("services", &[
        "name", "kind", "language", "framework", "version", "manager", "root", "command", "working_dir", "ports", "health",
        "metrics", "stream", "replicas_max", "writes", "packages", "needs", "evidence",
    ]),
    ("needs", &["kind", "required", "how", "evidence"]),
    ("environment", &["name", "required", "secret", "default", "kind", "services", "evidence"]),
    ("rejected", &["path", "looks_like", "why"]),
    ("problems", &["path", "line", "what", "hint", "severity"]),
];

#[test]
fn json_has_these_keys_and_no_others_at_the_top() {
    let context = Context::new();
    small_service(&context);
    // One entry at least in each list.
    context.write(
        "app/store.py",
        "import os\nimport psycopg\nstore = psycopg.connect(os.environ[\"DATABASE_URL\"])\n",
    );
    context.write(
        "requirements.txt",
        "fastapi==0.121.0\nuvicorn==0.38.0\npsycopg==3.2.0\n",
    );
    context.write(
        "app/main.py",
        "import os\nfrom fastapi import FastAPI\nfrom app.store import store\napp = FastAPI()\nKEY = os.environ[\"API_KEY\"]\n",
    );
    context.write(
        "tests/server.py",
        "from fastapi import FastAPI\napp = FastAPI()\n",
    );
    context.write(".env.example", "NOBODY_READS_THIS=1\n");
    let output = context.command(&["inspect", "--json"]).output().unwrap();
    assert!(output.status.success());
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let names: Vec<&str> = ENTRIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(keys(&value), names);
    for (name, wanted) in ENTRIES {
        let entries = value[name].as_array().unwrap();
        assert!(!entries.is_empty(), "nothing in `{name}`");
        for entry in entries {
            let known = keys(entry);
            let missing: Vec<_> = wanted
                .iter()
                .filter(|key| !known.iter().any(|one| one == *key))
                .collect();
            assert!(missing.is_empty(), "{name}: no {missing:?} in {entry}");
        }
    }
    for evidence in value["services"][0]["evidence"].as_array().unwrap() {
        let at = evidence["at"].as_str().unwrap();
        let (_, line) = at.rsplit_once(':').unwrap();
        assert!(line.parse::<u32>().is_ok(), "{at}");
        assert!(!evidence["why"].as_str().unwrap().is_empty());
    }
    let kinds = [
        "web",
        "ui",
        "worker",
        "scheduler",
        "mcp-stdio",
        "mcp-http",
        "cli",
        "job",
    ];
    assert!(kinds.contains(&value["services"][0]["kind"].as_str().unwrap()));
}

/// A FastAPI application that reads two variables, and a script that is no service.
#[test]
fn what_is_known_of_files_goes_by_what_they_say() {
    let context = Context::new();
    small_service(&context);
    let first = context.run(&["inspect", "--environment"]);
    let facts = context.project().join("../data/cache/facts");
    let known: Vec<_> = std::fs::read_dir(&facts)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(known.len(), 2, "what texts say, and what the tree holds");
    assert_eq!(context.run(&["inspect", "--environment"]), first);

    // The same length, and a moment later: neither hides it.
    let code = context.read("app/main.py");
    context.write("app/main.py", &code.replace("\"MODEL\"", "\"OTHER\""));
    let edited = context.run(&["inspect", "--environment"]);
    assert_eq!(edited, first.replace("MODEL", "OTHER"));
    context.write("app/main.py", &code);

    // Damaged, and where nothing can be kept.
    for known in known {
        let size = std::fs::metadata(&known).unwrap().len();
        std::fs::write(known, vec![b'x'; size as usize]).unwrap();
    }
    assert_eq!(context.run(&["inspect", "--environment"]), first);
    std::fs::remove_dir_all(&facts).unwrap();
    std::fs::write(&facts, "").unwrap();
    assert_eq!(context.run(&["inspect", "--environment"]), first);
}

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
