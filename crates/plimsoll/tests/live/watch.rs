//! `up --watch`: what is edited is in the running stack a moment later.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use crate::stage::{Stage, eventually, free_port, get};

/// Answers with a word of its own source, a file that is copied, and which process it is.
const SERVER: &str = r#"
import http.server, os, signal, sys
from word import WORD

STARTED = os.urandom(4).hex()

def read(path):
    try:
        return open(path).read().strip()
    except OSError:
        return "-"

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = " ".join([WORD, read("/srv/notes/note.txt"), read("/srv/settings.ini"), STARTED]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("this is", WORD, flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

/// A command that runs beside the test, and what it said so far.
struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Running {
    fn start(stage: &Stage, arguments: &[&str]) -> Self {
        let mut child = stage
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let sources: [Box<dyn std::io::Read + Send>; 2] = [Box::new(stdout), Box::new(stderr)];
        for source in sources {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(source).lines().map_while(Result::ok) {
                    said.lock().unwrap().push_str(&(line + "\n"));
                }
            });
        }
        Self { child, said }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn says(&mut self, what: &str) {
        eventually(what, || {
            if self.said().contains(what) {
                return Some(());
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended before `{what}`: {}", self.said());
            None
        });
    }

    fn interrupt(&mut self) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        self.child.wait().unwrap().code()
    }
}

fn project(stage: &Stage, port: u16) {
    stage.write("web/server.py", SERVER);
    stage.write("web/word.py", "WORD = \"one\"\n");
    stage.write("web/requirements.txt", "");
    stage.write("notes/note.txt", "first\n");
    stage.write("settings.ini", "old\n");
    stage.write(
        "compose.yaml",
        &format!(
            r#"
services:
  web:
    build: ./web
    command: python server.py
    ports: ["{port}:8000"]
    develop:
      watch:
        - {{ path: web, action: rebuild }}
        - {{ path: notes, action: sync, target: /srv/notes, initial_sync: true, ignore: ["*.tmp"] }}
        - {{ path: settings.ini, action: sync+restart, target: /srv/settings.ini }}
"#
        ),
    );
}

#[test]
fn a_change_is_copied_restarts_or_rebuilds_as_the_file_says() {
    let Some(stage) = Stage::empty("watched") else {
        return;
    };
    let port = free_port();
    project(&stage, port);
    let mut up = Running::start(&stage, &["up", "--watch"]);
    up.says("watching 3 places of web");
    let answer = || -> Option<Vec<String>> {
        let (_, body) = get(port, "/")?;
        Some(body.split_whitespace().map(str::to_owned).collect())
    };
    let answers = |word: &str, note: &str, setting: &str| {
        eventually(&format!("{word} {note} {setting}"), || {
            answer().filter(|words| words[..3] == [word, note, setting])
        })
        .remove(3)
    };
    let first = answers("one", "first", "-");

    // Copied into the program that runs on.
    stage.write("notes/skipped.tmp", "");
    stage.write("notes/note.txt", "second\n");
    assert_eq!(answers("one", "second", "-"), first);
    up.says("synced web · note.txt");
    let listed = stage.succeed(&["exec", "web", "python", "-c", LIST]).stdout;
    assert_eq!(listed, "['note.txt']\n");

    // A file that is gone is gone there, too.
    std::fs::remove_file(stage.project().join("notes/note.txt")).unwrap();
    assert_eq!(answers("one", "-", "-"), first);
    stage.write("notes/note.txt", "third\n");
    assert_eq!(answers("one", "third", "-"), first);

    // As editors write: another file that takes the name.
    stage.write("settings.ini.new", "new\n");
    let path = |name: &str| stage.project().join(name);
    std::fs::rename(path("settings.ini.new"), path("settings.ini")).unwrap();
    up.says("synced and restarted web · settings.ini");
    let second = answers("one", "third", "new");
    assert_ne!(second, first);

    // What does not build leaves what runs.
    stage.write(
        "web/requirements.txt",
        "plimsoll-no-such-distribution-exists==1.0\n",
    );
    up.says("the next change is another try");
    assert_eq!(answers("one", "third", "new"), second);
    stage.write("web/requirements.txt", "");
    stage.write("web/word.py", "WORD = \"two\"\n");
    // The new container has what the image brings, and what is copied from the beginning.
    assert_ne!(answers("two", "third", "-"), second);
    up.says("rebuilt web");
    up.says("this is two");

    assert_eq!(up.interrupt(), Some(0), "{}", up.said());
    eventually("the last word", || {
        up.said().contains("stopped 1 container").then_some(())
    });
    stage.nothing_is_left();
}

const LIST: &str = "import os; print(os.listdir('/srv/notes'))";

#[test]
fn a_stack_without_rules_is_built_again_when_its_source_changes() {
    let Some(stage) = Stage::empty("unruled") else {
        return;
    };
    let port = free_port();
    project(&stage, port);
    let file = stage.project().join("compose.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (without, _) = text.split_once("    develop:").unwrap();
    stage.write("compose.yaml", without);
    let mut up = Running::start(&stage, &["up", "--watch"]);
    up.says("watching 1 place of web");
    // Programs and tools write such all the time; it is no source.
    stage.write("web/__pycache__/word.cpython-313.pyc", "");
    stage.write("web/word.py", "WORD = \"two\"\n");
    up.says("rebuilt web · word.py");
    eventually("the new word", || {
        get(port, "/")?.1.starts_with("two").then_some(())
    });
    assert_eq!(up.interrupt(), Some(0), "{}", up.said());
    stage.nothing_is_left();
}

#[test]
fn ctrl_c_while_building_says_a_word_and_leaves_nothing() {
    let Some(stage) = Stage::empty("unfinished") else {
        return;
    };
    stage.write(
        "Dockerfile",
        "FROM debian:13\nRUN echo begun && sleep 1000\n",
    );
    stage.write(
        "compose.yaml",
        "services:\n  web:\n    build: .\n    command: sleep 1000\n",
    );
    let mut up = Running::start(&stage, &["--dockerfile", "up"]);
    let runtime = stage.runtime();
    eventually("the step runs", || {
        let ended = up.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended: {}", up.said());
        let sandboxes = std::fs::read_dir(runtime.join("sandbox")).ok()?;
        (sandboxes.count() > 0).then_some(())
    });
    assert_eq!(up.interrupt(), Some(130), "{}", up.said());
    eventually("the last word", || {
        up.said()
            .contains("stopped while building (web)")
            .then_some(())
    });
    stage.nothing_is_left();
}
