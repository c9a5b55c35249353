//! What builds must bear and what they refuse: odd names, rivals, an end at any moment, damage in
//! the store, scripts that fetch, secrets, budgets.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::stage::{Ran, Stage, data, eventually, output};

/// A service of the standard library alone: its image needs Debian's packages and nothing else.
const SERVER: &str = r#"
import http.server

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"#;

/// A project of one service in `directory`, as YAML writes it.
fn one_service(stage: &Stage, directory: &str, more: &str) {
    stage.write(
        "compose.yaml",
        &format!(
            "services:\n  web:\n    build: \"{directory}\"\n    command: python server.py\n{more}"
        ),
    );
}

/// A data directory of the test's own. What Debian and the makers of tools publish is fetched once
/// for all tests.
fn own_data(stage: &Stage) -> PathBuf {
    let own = stage.runtime().join("../data");
    std::fs::create_dir_all(own.join("cache")).unwrap();
    for kept in ["debian", "tools"] {
        let shared = data().join("cache").join(kept);
        std::fs::create_dir_all(&shared).unwrap();
        std::os::unix::fs::symlink(shared, own.join("cache").join(kept)).unwrap();
    }
    own
}

fn in_data(stage: &Stage, own: &Path, arguments: &[&str]) -> Command {
    let mut command = stage.command(arguments);
    command.env("PLIMSOLL_DATA", own);
    command
}

fn run_in(stage: &Stage, own: &Path, arguments: &[&str]) -> Ran {
    Ran::from(output(&mut in_data(stage, own, arguments)))
}

/// The digest of the only image that a `build --json` tells of.
fn digest(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    answer["images"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn odd_names_and_links_that_go_round_are_in_the_image_as_they_are() {
    let Some(stage) = Stage::empty("odd") else {
        return;
    };
    one_service(&stage, "./déjà vu\\nnext", "");
    let directory = "déjà vu\nnext";
    stage.write(&format!("{directory}/server.py"), SERVER);
    for name in ["a b.txt", "naïve.txt", "two\nlines.txt"] {
        stage.write(&format!("{directory}/{name}"), "here\n");
    }
    for (link, target) in [
        ("loop", "loop"),
        ("one", "two"),
        ("two", "one"),
        ("self", "."),
    ] {
        let link = stage.project().join(directory).join(link);
        std::os::unix::fs::symlink(target, link).unwrap();
    }
    let look = "import os; print(sorted(os.listdir('/app')), os.readlink('/app/loop'))";
    let ran = stage.succeed(&["run", "web", "python", "-c", look]);
    let told = ran.stdout.trim();
    assert!(
        told.ends_with(
            "'a b.txt', 'loop', 'naïve.txt', 'one', 'self', 'server.py', 'two', 'two\\nlines.txt'] loop"
        ),
        "{told}"
    );
}

#[test]
fn two_builds_of_one_project_at_once_make_one_image() {
    let Some(stage) = Stage::empty("rivals") else {
        return;
    };
    one_service(&stage, "./web", "");
    stage.write("web/server.py", SERVER);
    let own = own_data(&stage);
    let rivals: Vec<Child> = (0..2)
        .map(|_| {
            let mut command = in_data(&stage, &own, &["--json", "build"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let answers: Vec<Ran> = rivals
        .into_iter()
        .map(|child| Ran::from(child.wait_with_output().unwrap()))
        .collect();
    for answer in &answers {
        assert_eq!(answer.code, 0, "{}", answer.stderr);
    }
    assert_eq!(digest(&answers[0].stdout), digest(&answers[1].stdout));
    let checked = run_in(&stage, &own, &["fsck"]);
    assert_eq!(checked.code, 0, "{}", checked.stdout);
}

#[test]
fn what_a_killed_build_and_a_damaged_store_leave_is_made_good() {
    let Some(stage) = Stage::empty("damage") else {
        return;
    };
    one_service(&stage, "./web", "");
    stage.write("web/server.py", SERVER);
    let own = own_data(&stage);
    // Killed without a warning as soon as something is in the store.
    let mut command = in_data(&stage, &own, &["build"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let blobs = own.join("store/blobs/sha256");
    eventually("something in the store", || {
        let any = std::fs::read_dir(&blobs).is_ok_and(|mut entries| entries.next().is_some());
        (any || child.try_wait().unwrap().is_some()).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let first = run_in(&stage, &own, &["--json", "build"]);
    assert_eq!(first.code, 0, "{}", first.stderr);

    // Some bytes of every package and of the application turn.
    let mut damaged = 0;
    for entry in std::fs::read_dir(&blobs).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if bytes.get(257..262) == Some(b"ustar") {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 3, "{damaged}");
    let layout = stage.runtime().join("../layout");
    let output = format!("oci:{}", layout.display());
    let refused = run_in(&stage, &own, &["build", "--output", &output]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("is damaged"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("plimsoll fsck"),
        "{}",
        refused.stderr
    );
    let checked = run_in(&stage, &own, &["fsck"]);
    assert_eq!(checked.code, 1, "{}", checked.stdout);
    let again = run_in(&stage, &own, &["--json", "build", "--output", &output]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(digest(&again.stdout), digest(&first.stdout));
    assert_eq!(run_in(&stage, &own, &["fsck"]).code, 0);
}

#[test]
fn an_image_with_a_password_of_this_machine_is_not_given_away() {
    let Some(stage) = Stage::empty("careless") else {
        return;
    };
    one_service(&stage, "./web", "");
    stage.write("web/server.py", SERVER);
    stage.write("web/notes.txt", "wh4le-0f-a-s3cret\n");
    let layout = stage.runtime().join("../layout");
    let place = format!("oci:{}", layout.display());
    let mut command = stage.command(&["build", "--output", &place]);
    command.env(
        "PIP_INDEX_URL",
        "https://robot:wh4le-0f-a-s3cret@127.0.0.1:9/simple",
    );
    let ran = Ran::from(output(&mut command));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("holds the password in variable PIP_INDEX_URL: `/app/notes.txt`"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("wh4le"), "{}", ran.stderr);
    assert!(!layout.exists());

    // A variable's own value, until the project's example shows it to everybody.
    one_service(
        &stage,
        "./web",
        "    environment:\n      API_KEY: ${API_KEY}\n",
    );
    stage.write("web/notes.txt", "put-Y0ur-own-key-here\n");
    stage.write(".env", "API_KEY=put-Y0ur-own-key-here\n");
    let build = ["build", "--output", place.as_str()];
    let ran = stage.run(&build);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("holds the value of `API_KEY`"),
        "{}",
        ran.stderr
    );
    stage.write(".env.example", "API_KEY=put-Y0ur-own-key-here\n");
    stage.succeed(&build);
}

#[test]
fn an_image_above_its_budget_fails_and_its_bytes_have_owners() {
    let Some(stage) = Stage::empty("heavy") else {
        return;
    };
    one_service(&stage, "./web", "x-plimsoll:\n  budget:\n    image: 1MB\n");
    stage.write("web/server.py", SERVER);
    let ran = stage.run(&["build"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("error: the image of `web` has ")
            && ran.stderr.contains("its budget is 1.0 MB")
            && ran.stderr.contains("compose.yaml:7:5"),
        "{}",
        ran.stderr
    );
    let why = stage.succeed(&["images", "--why", "web", "--json"]).stdout;
    let why: Value = serde_json::from_str(&why).unwrap();
    let owners = why["services"][0]["owners"].as_array().unwrap();
    let of = |name: &str| owners.iter().find(|owner| owner["name"] == name);
    let library = of("libpython3.13-stdlib").unwrap();
    assert!(library["bytes"].as_u64().unwrap() > 1 << 20, "{library}");
    let all: u64 = owners
        .iter()
        .map(|owner| owner["bytes"].as_u64().unwrap())
        .sum();
    let image = why["services"][0]["bytes"].as_u64().unwrap();
    assert!(all > image / 2, "{all} of {image}");

    one_service(&stage, "./web", "x-plimsoll:\n  budget:\n    image: 1GB\n");
    stage.succeed(&["build"]);
}

#[test]
fn a_second_build_from_nothing_is_the_same() {
    let Some(stage) = Stage::empty("proven") else {
        return;
    };
    one_service(&stage, "./web", "");
    stage.write("web/server.py", SERVER);
    let ran = stage.succeed(&["--json", "build", "--verify"]);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["verified"], serde_json::json!(["web"]), "{answer}");
}

#[test]
fn a_script_that_fetches_is_run_again_with_the_network_and_told() {
    let Some(stage) = Stage::empty("fetching") else {
        return;
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the test's process.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfont",
            );
        }
    });
    stage.write(
        "web/package.json",
        r#"{"name":"web","private":true,"scripts":{"build":"node build.js","start":"node server.js"}}"#,
    );
    stage.write(
        "web/build.js",
        &format!(
            r#"fetch("http://127.0.0.1:{port}/font")
  .then((answer) => answer.text())
  .then((text) => require("fs").writeFileSync("font.txt", text));
"#
        ),
    );
    stage.write(
        "web/server.js",
        "require('http').createServer((_, answer) => answer.end()).listen(3000);\n",
    );
    stage.write("compose.yaml", "services:\n  web:\n    build: ./web\n");
    let ran = stage.succeed(&["build"]);
    assert!(
        ran.stderr.contains("fetches from the network"),
        "{}",
        ran.stderr
    );
    let read = "process.stdout.write(require('fs').readFileSync('/app/font.txt'))";
    let ran = stage.succeed(&["run", "web", "node", "-e", read]);
    assert_eq!(ran.stdout, "font");
}
