//! Stacks that cannot start.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_project() {
    let context = Context::new();
    assert_snapshot!(context.run(&["up"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no service was found in `[ROOT]/desk`
    hint: `plimsoll inspect` tells what was looked at
    hint: `-C DIR` names another directory, `-f FILE` a Compose file
    ");
}

#[test]
fn what_could_have_been_a_service_is_told_where_there_is_none() {
    let context = Context::new();
    context.write("nx.json", "{}");
    context.write("package.json", r#"{"name": "shop", "private": true}"#);
    context.write(
        "apps/web/project.json",
        r#"{"name": "web", "targets": {"serve": {"executor": "@nx/vite:dev-server"}}}"#,
    );
    for name in ["one", "two", "three"] {
        context.write(
            format!("{name}.py"),
            "if __name__ == '__main__':\n    print('done')\n",
        );
    }
    assert_snapshot!(context.run(&["up"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    warning: only Nx knows how to build `web` of this workspace, so that Plimsoll does not assemble it
      --> nx.json:1:1
       |
     1 | {}
       | ^
    hint: give each a `package.json` with its dependencies and a `start` script, or name its image in a Compose file
    error: no service was found in `[ROOT]/desk`
    hint: `apps/web/project.json` (Nx application) was left out: has no `package.json` of its own: Nx builds it from that of the workspace, which Plimsoll does not do
    hint: `one.py` (script) was left out: runs once and exits
    hint: `three.py` (script) was left out: runs once and exits
    hint: `plimsoll inspect --rejected` tells of 1 more
    hint: `-C DIR` names another directory, `-f FILE` a Compose file
    ");
}

#[test]
fn no_such_service() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["up", "wbe"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no service `wbe`
    hint: there are `db`, `web`
    ");
    assert_snapshot!(context.run(&["up", "cache"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no service `cache`
    hint: there are `db`, `web`
    ");
}

#[test]
fn not_root() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run_unprivileged(&["up"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: containers need root for now
    hint: run it with `sudo`
    ");
}

#[test]
fn nothing_to_start() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx:1.27
    profiles: [front]
"#,
    );
    assert_snapshot!(context.run(&["up"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no service to start
    hint: services with a profile start with `--profile NAME`, or when they are named: `--profile front` starts `web`
    ");
}

#[test]
fn what_breaks_the_contract_of_the_environment_stops_it_before_anything_starts() {
    let context = Context::new();
    context.write("requirements.txt", "fastapi==0.121.0\nuvicorn==0.38.0\n");
    context.write(
        "main.py",
        r#"import os

from fastapi import FastAPI

KEY = os.environ["PROVIDER_API_KEY"]
LIMIT = int(os.getenv("LIMIT", "3"))
TOKEN = os.environ["ADMIN_TOKEN"]
LAZY = os.environ.get("LAZY")

app = FastAPI()
"#,
    );
    context.write(".env", "LIMIT=many\nADMIN_TOKEN=changeme\n");
    assert_snapshot!(context.run(&["up"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    warning: `ADMIN_TOKEN` of `desk` is no secret: everybody knows its value
      --> .env:2:1
       |
     2 | ADMIN_TOKEN=changeme
       | ^
    hint: it is read at `main.py:7`
    hint: set `ADMIN_TOKEN` to 32 random letters and digits, in `.env` or in the environment
    error: `LIMIT` of `desk` is no number
      --> .env:1:1
       |
     1 | LIMIT=many
       | ^
    hint: it is read at `main.py:6`
    hint: write a number
    error: `PROVIDER_API_KEY` is missing: `desk` does not start without it
      --> main.py:5:7
       |
     5 | KEY = os.environ["PROVIDER_API_KEY"]
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: write `PROVIDER_API_KEY=…` in `.env`, or set it in the environment
    "#);
    context.write(".env", "LIMIT=3\nADMIN_TOKEN=x7\nPROVIDER_API_KEY=\n");
    assert_snapshot!(context.run(&["up"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `PROVIDER_API_KEY` is empty: `desk` does not start without it
      --> .env:3:1
       |
     3 | PROVIDER_API_KEY=
       | ^
    hint: it is read at `main.py:5`
    hint: write a value
    ");
    context.write(
        "compose.yaml",
        r#"services:
  api:
    build: .
    environment:
      LIMIT: 3
      ADMIN_TOKEN: ${ADMIN_TOKEN}
"#,
    );
    assert_snapshot!(context.run(&["up"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `PROVIDER_API_KEY` is missing: `api` does not start without it
      --> compose.yaml:2:3
       |
     2 |   api:
       |   ^^^
    hint: it is read at `main.py:5`
    hint: add `PROVIDER_API_KEY: …` to `environment`
    ");
}

/// Only the names of what a service loads are told, at the code which loads it.
#[test]
fn what_a_service_loads_for_its_libraries_is_told_without_values() {
    let context = Context::new();
    context.write(
        "web/requirements.txt",
        "fastapi==0.115.6\nuvicorn==0.34.0\npython-dotenv==1.0.1\n",
    );
    context.write(
        "web/main.py",
        "import os\nfrom dotenv import load_dotenv\nfrom fastapi import FastAPI\nload_dotenv()\n\
         KEY = os.environ['PROVIDER_API_KEY']\nOTHER = os.environ['OTHER_API_KEY']\napp = FastAPI()\n",
    );
    context.write(
        "web/.env",
        "HF_TOKEN=hf_s3cr3t\nLANGSMITH_TRACING=true\nPROVIDER_API_KEY=pr0v1der\n",
    );
    context.write(".env", "LANGSMITH_PROJECT=elsewhere\n");
    assert_snapshot!(context.run(&["up"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    note: `web` gets `HF_TOKEN` and `LANGSMITH_TRACING` from `web/.env`, which it loads: only libraries read that
      --> web/main.py:4:1
       |
     4 | load_dotenv()
       | ^^^^^^^^^^^^^
    error: `OTHER_API_KEY` is missing: `web` does not start without it
      --> web/main.py:6:9
       |
     6 | OTHER = os.environ['OTHER_API_KEY']
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: write `OTHER_API_KEY=…` in `.env`, or set it in the environment
    ");
}
