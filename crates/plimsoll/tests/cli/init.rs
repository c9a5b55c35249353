//! Files that a project begins with.

use std::process::Command;

use insta::assert_snapshot;

use crate::context::Context;

fn server() -> Context {
    let context = Context::new();
    context.write("requirements.txt", "flask==3.1.0\nredis==5.0.0\n");
    context.write(
        "app.py",
        "import os\nimport redis\nfrom flask import Flask\n\nqueue = redis.from_url(os.environ[\"REDIS_URL\"])\nkey = os.environ[\"API_KEY\"]\nmodel = os.environ.get(\"MODEL\", \"small\")\napp = Flask(__name__)\n\n@app.get(\"/health\")\ndef health():\n    return \"ok\"\n\napp.run(host=\"0.0.0.0\", port=8000)\n",
    );
    context
}

#[test]
fn what_was_found_is_written_with_its_evidence() {
    let context = server();
    assert_snapshot!(context.run(&["init"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
      new       .env.example
      new       compose.yaml
    2 of 2 files written to [ROOT]/desk
    ");
    assert_snapshot!(context.read("compose.yaml"), @r#"
    # What `plimsoll init` found in the source. Edit it: it is yours. After a change of the code
    # `plimsoll init` adds what is new and leaves what you edited.
    #
    #   plimsoll up         needs nothing else
    #   docker compose up   needs Dockerfiles (`plimsoll render dockerfile`) and a `.env` (`.env.example`)

    services:
      # Flask 3.1 · requirements.txt · app.py:8
      # makes a Flask application · app.py:8
      # `app.run` serves it on port 8000 · app.py:14
      # answers GET /health · app.py:10
      # health: GET /health on port 8000 · app.py:10
      desk:
        build:
          context: .
          dockerfile: docker/desk.Dockerfile
          target: production
        command:
          - python
          - -m
          - flask
          - --app
          - app:app
          - run
          - --host
          - 0.0.0.0
          - --port
          - "8000"
        environment:
          API_KEY: null # required secret · app.py:6
          REDIS_URL: redis://redis:6379/0 # required url · app.py:5
          MODEL: null # optional, default `small` · app.py:7
        ports:
          - 127.0.0.1:8000:8000
        depends_on:
          redis:
            condition: service_healthy
        restart: unless-stopped

      # needed by desk by REDIS_URL
      # `REDIS_URL` has no default · app.py:5
      # imports `redis` · app.py:2
      redis:
        image: redis:7
        command:
          - redis-server
          - --appendonly
          - "yes"
        volumes:
          - redis-data:/data
        healthcheck:
          test:
            - CMD
            - redis-cli
            - ping
          interval: 5s
          timeout: 5s
          start_period: 60s
          start_interval: 500ms
          retries: 12
        restart: unless-stopped

    volumes:
      redis-data: {}
    "#);
    assert_snapshot!(context.read(".env.example"), @"
    # Every variable that the services read. Copy this file to `.env` and fill in what is required;
    # `.env` is not committed. `plimsoll init` adds what is new and leaves what you edited.

    ## Required

    # required secret
    # read by desk · app.py:6
    API_KEY=

    ## Optional

    # optional, default `small`
    # read by desk · app.py:7
    # MODEL=small

    ## Set in the Compose file

    # required url; set where the services are started
    # read by desk · app.py:5
    # REDIS_URL=
    ");
    assert_snapshot!(context.run(&["init", "--check"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    2 files are up to date
    ");
}

#[test]
fn an_edit_is_kept_and_told() {
    let context = server();
    context.run(&["init"]);
    let edited = context
        .read("compose.yaml")
        .replace("127.0.0.1:8000:8000", "80:8000 # open");
    context.write("compose.yaml", &edited);
    assert_snapshot!(context.run(&["init"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    0 of 2 files written to [ROOT]/desk
      edits stay: services.desk.ports
    ");
    assert_eq!(context.read("compose.yaml"), edited);
    let code = context.read("app.py").replace("API_KEY", "MODEL_KEY");
    context.write("app.py", &code);
    assert_snapshot!(context.run(&["init", "--diff"]), @r#"
    exit code: 0
    ----- stdout -----
    --- a/.env.example
    +++ b/.env.example
    @@ -5,7 +5,7 @@
     
     # required secret
     # read by desk · app.py:6
    -API_KEY=
    +MODEL_KEY=
     
     ## Optional
     
    --- a/compose.yaml
    +++ b/compose.yaml
    @@ -27,9 +27,9 @@
           - --port
           - "8000"
         environment:
    -      API_KEY: null # required secret · app.py:6
           REDIS_URL: redis://redis:6379/0 # required url · app.py:5
           MODEL: null # optional, default `small` · app.py:7
    +      MODEL_KEY: null # required secret · app.py:6
         ports:
           - 80:8000 # open
         depends_on:
    ----- stderr -----
    "#);
    assert_snapshot!(context.run(&["init", "--check"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
      out of date  .env.example
      incomplete   compose.yaml
    2 of 2 files are out of date · plimsoll init --diff shows how
    ");
    assert_snapshot!(context.run(&["init", "--force"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
      changed   .env.example
      changed   compose.yaml
    2 of 2 files written to [ROOT]/desk
    ");
    assert!(!context.read("compose.yaml").contains("# open"));
}

#[test]
fn a_compose_file_of_ones_own_gets_an_overlay() {
    let context = server();
    let own = "services:\n  web:\n    build: .\n    command: python app.py\n    ports: [\"8000:8000\"]\n    healthcheck:\n      test: curl -f http://localhost:8000/alive\n";
    context.write("compose.yaml", own);
    assert_snapshot!(context.run(&["init"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    warning: health check asks for `/alive`, which `web` does not answer
      --> compose.yaml:7:7
       |
     7 |       test: curl -f http://localhost:8000/alive
       |       ^
    hint: drop it; Plimsoll asks for `/health` on port 8000 instead
      new       .env.example
      new       compose.plimsoll.yaml
    2 of 2 files written to [ROOT]/desk
    ");
    assert_eq!(context.read("compose.yaml"), own);
    assert_snapshot!(context.read("compose.plimsoll.yaml"), @"
    # What `plimsoll init` found in the source and compose.yaml does not say. Nothing reads this file
    # unless it is named; `plimsoll up` knows it without the file, but for what is called help.
    #
    #   docker compose -f compose.yaml -f compose.plimsoll.yaml up
    #
    # What the project's files say and the code does not:
    # - compose.yaml:7: health check asks for `/alive`, which `web` does not answer

    services:
      # reads variables that no Compose file passes on
      # its health shows otherwise than its Compose file says
      web:
        environment:
          API_KEY: null # required secret · app.py:6
          REDIS_URL: null # required url · app.py:5
        healthcheck:
          test:
            - CMD
            - python
            - -c
            - import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)
    ");
    assert_snapshot!(context.run(&["-f", "compose.yaml", "-f", "compose.plimsoll.yaml", "config", "--quiet"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["init", "--check"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    warning: health check asks for `/alive`, which `web` does not answer
      --> compose.yaml:7:7
       |
     7 |       test: curl -f http://localhost:8000/alive
       |       ^
    hint: drop it; Plimsoll asks for `/health` on port 8000 instead
    2 files are up to date
    ");
}

#[test]
fn what_docker_compose_makes_of_it() {
    let is_there = Command::new("docker").args(["compose", "version"]).output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no `docker compose`");
        return;
    }
    let context = server();
    context.run(&["init"]);
    let output = Command::new("docker")
        .args(["compose", "config", "--quiet"])
        .current_dir(context.project())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn nothing_to_write() {
    assert_snapshot!(Context::new().run(&["init"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no service was found in `[ROOT]/desk`
    hint: `plimsoll inspect` tells what was looked at
    hint: `-C DIR` names another directory, `-f FILE` a Compose file
    ");
}
