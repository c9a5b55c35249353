//! Several services in one image, under one supervisor.

use crate::stage::{Stage, eventually, free_port, get};

/// Answers, ends as it is told to, and says what it is asked for.
const API: &str = r#"import http.server, os, signal, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ.get("GREETING", "hello").encode())
        if self.path.startswith("/end/"):
            self.wfile.flush()
            os._exit(int(self.path[5:]))
    def log_message(self, *args):
        pass

def ended(*_):
    print("asked to end", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, ended)
time.sleep(0.5)
print("listening", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
"#;

/// Asks its neighbour, which must be there, and fails the first time; the second time it stays.
const WORKER: &str = r#"import os, pathlib, sys, time, urllib.request

print("the neighbour says", urllib.request.urlopen(os.environ["API_URL"]).read().decode(), flush=True)
seen = pathlib.Path("/tmp/seen")
if not seen.exists():
    seen.touch()
    sys.exit(9)
while True:
    time.sleep(1)
"#;

fn project(stage: &Stage) {
    stage.write("app/requirements.txt", "");
    stage.write("app/api.py", API);
    stage.write("app/worker.py", WORKER);
    stage.write(
        "compose.yaml",
        r#"services:
  worker:
    build: ./app
    command: python worker.py
    restart: on-failure
    environment:
      API_URL: http://api:8000/
      SECRET_TOKEN: not-for-images
    depends_on:
      api:
        condition: service_healthy
  api:
    build: ./app
    command: python api.py
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8000/"]
      interval: 1s
  db:
    image: postgres:16
"#,
    );
}

#[test]
fn services_of_one_image_come_up_in_order_and_end_together() {
    let Some(stage) = Stage::empty("joined") else {
        return;
    };
    project(&stage);
    let built = stage.succeed(&["build", "--all-in-one"]);
    assert!(built.stderr.contains("beside   db"), "{}", built.stderr);
    assert!(
        built.stderr.contains("not in the image: SECRET_TOKEN"),
        "{}",
        built.stderr
    );
    let again = stage.succeed(&["--json", "build", "--all-in-one"]);
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["images"][0]["service"], "all-in-one");
    assert_eq!(again["images"][0]["cached"], true);

    let port = free_port();
    stage.write(
        "compose.yaml",
        &format!(
            "services:\n  all:\n    image: joined:all-in-one\n    ports: [\"{port}:8000\"]\n    \
             environment:\n      GREETING: good day\n"
        ),
    );
    stage.succeed(&["up", "--detach"]);
    assert_eq!(get(port, "/").unwrap(), (200, "good day".to_owned()));
    let lines = eventually("the worker's second start", || {
        let told = stage.succeed(&["logs"]).stdout;
        let starts = told.matches("worker | the neighbour says good day");
        (starts.count() > 1).then_some(told)
    });
    let place = |text: &str| {
        lines
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {lines}"))
    };
    assert!(place("api    | listening") < place("worker | the neighbour"));
    assert!(
        lines.contains("worker ended with code 9, starts again"),
        "{lines}"
    );

    // Signals reach each service, and nobody is killed who ends by himself.
    stage.succeed(&["down"]);
    stage.succeed(&["up", "--detach"]);
    // The one that must not end takes everything with it.
    get(port, "/end/5");
    let ps = eventually("the end", || {
        let ps = stage.succeed(&["ps"]).stdout;
        ps.contains("exited").then_some(ps)
    });
    assert!(ps.contains('5'), "{ps}");
    let told = stage.succeed(&["logs"]).stdout;
    assert!(
        told.contains("api ended with code 5: everything stops"),
        "{told}"
    );
    stage.down_to_nothing();
}

#[test]
fn what_cannot_be_in_one_image_is_told() {
    let Some(stage) = Stage::empty("unjoined") else {
        return;
    };
    for name in ["one", "two"] {
        stage.write(&format!("{name}/requirements.txt"), "");
        stage.write(&format!("{name}/{name}.py"), API);
    }
    let compose = |more: &str| {
        format!(
            "services:\n  one:\n    build: ./one\n    command: python one.py\n    \
             environment: {{PORT: \"8000\"}}\n  two:\n    build: ./two\n    \
             command: python two.py\n    environment: {{PORT: \"{more}\"}}\n"
        )
    };
    stage.write("compose.yaml", &compose("8000"));
    let ran = stage.run(&["build", "--all-in-one"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("`one` and `two` both listen on port 8000"),
        "{}",
        ran.stderr
    );
    stage.write("compose.yaml", &compose("8001"));
    stage.succeed(&["build", "--all-in-one"]);

    // One file in two versions.
    stage.write("one/settings.py", "DEBUG = True\n");
    stage.write("two/settings.py", "DEBUG = False\n");
    let ran = stage.run(&["build", "--all-in-one"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("`one` and `two` bring two different files `/app/settings.py`"),
        "{}",
        ran.stderr
    );
    std::fs::remove_file(stage.project().join("two/settings.py")).unwrap();

    // Two versions of Python.
    stage.write("two/.python-version", "3.11\n");
    let ran = stage.run(&["build", "--all-in-one"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("needs Python 3.11") && ran.stderr.contains("one image holds one"),
        "{}",
        ran.stderr
    );
}
