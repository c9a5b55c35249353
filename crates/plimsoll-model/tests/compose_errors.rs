//! What a wrong Compose file is answered with: every error at once, each with its place.

#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot set up")]
use std::collections::BTreeMap;

use plimsoll_diag::{Palette, render};
use plimsoll_model::compose::{LoadOptions, load};

/// Everything that `text` is answered with.
fn answer(text: &str) -> String {
    answer_to(&[("compose.yaml", text)])
}

fn answer_to(files: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let options = LoadOptions {
        directory: directory.path().to_path_buf(),
        project_name: Some("demo".to_owned()),
        environment: BTreeMap::new(),
        ..LoadOptions::default()
    };
    let text: String = match load(&options) {
        Ok(loaded) => loaded
            .warnings
            .iter()
            .map(|problem| render(problem, directory.path(), Palette::Plain))
            .collect(),
        Err(problems) => problems
            .0
            .iter()
            .map(|problem| render(problem, directory.path(), Palette::Plain))
            .collect(),
    };
    text.replace(&*directory.path().to_string_lossy(), "DIRECTORY")
}

#[test]
fn unknown_keys_and_wrong_kinds_are_told_together() {
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  web:\n",
        "    imge: nginx\n",
        "    ports: 8000\n",
        "    cap_add: {a: b}\n",
        "    environment:\n",
        "      A: [1]\n",
        "network:\n",
        "  x:\n",
        "ports: []\n",
    )), @r"
    error: `imge` is no key of `services.web`
      --> compose.yaml:3:5
       |
     3 |     imge: nginx
       |     ^^^^
    hint: did you mean `image`?
    error: `services.web.ports`: expected a list, found a whole number
      --> compose.yaml:4:12
       |
     4 |     ports: 8000
       |            ^^^^
    error: `services.web.cap_add`: expected a list of texts, found a mapping
      --> compose.yaml:5:5
       |
     5 |     cap_add: {a: b}
       |     ^^^^^^^
    error: `services.web.environment.A`: expected text or a number or a boolean, found a list
      --> compose.yaml:7:7
       |
     7 |       A: [1]
       |       ^
    error: `network` is no key of a Compose file
      --> compose.yaml:8:1
       |
     8 | network:
       | ^^^^^^^
    hint: did you mean `networks`?
    error: `ports` is no key of a Compose file
      --> compose.yaml:10:1
        |
     10 | ports: []
        | ^^^^^
    hint: `ports` is a key of a service: indent it under one in `services`
    ");
}

#[test]
fn yaml_that_cannot_be_read() {
    insta::assert_snapshot!(answer("services:\n  web:\n    image: \"nginx\n"), @r#"
    error: not valid YAML: while scanning a quoted scalar, found unexpected end of stream
      --> compose.yaml:3:12
       |
     3 |     image: "nginx
       |            ^
    hint: check the indentation and the quotes around this place
    "#);
    insta::assert_snapshot!(answer("services:\n  web: &a\n    x-self: *a\n"), @r"
    error: an alias cannot stand inside its own anchor
      --> compose.yaml:3:13
       |
     3 |     x-self: *a
       |             ^^
    hint: move the anchor (`&name`) to a value that does not contain the alias
    ");
    insta::assert_snapshot!(answer("services:\n  web:\n    image: a\n    image: b\n  8: {image: c}\n"), @r#"
    error: `image` is set twice in this mapping
      --> compose.yaml:4:5
       |
     4 |     image: b
       |     ^^^^^ a second time here
    hint: the first one stands at compose.yaml:3:5
    error: a key must be text, found a whole number
      --> compose.yaml:5:3
       |
     5 |   8: {image: c}
       |   ^
    hint: put quotes around it: "8"
    "#);
}

#[test]
fn what_is_not_defined() {
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  web:\n",
        "    image: nginx\n",
        "    networks: [fron]\n",
        "    volumes: [\"data:/data\"]\n",
        "    secrets: [token]\n",
        "    configs: [{source: conf}]\n",
        "    depends_on: [dbb]\n",
        "  db: {image: postgres}\n",
        "networks: {front: }\n",
    )), @r#"
    error: service `web` refers to undefined network `fron`
      --> compose.yaml:4:16
       |
     4 |     networks: [fron]
       |                ^^^^
    hint: did you mean `front`?
    error: service `web` refers to undefined volume `data`
      --> compose.yaml:5:15
       |
     5 |     volumes: ["data:/data"]
       |               ^^^^^^^^^^^^
    hint: declare it under the top-level `volumes:`
    error: service `web` refers to undefined secret `token`
      --> compose.yaml:6:15
       |
     6 |     secrets: [token]
       |               ^^^^^
    hint: declare it under the top-level `secrets:`
    error: service `web` refers to undefined config `conf`
      --> compose.yaml:7:24
       |
     7 |     configs: [{source: conf}]
       |                        ^^^^
    hint: declare it under the top-level `configs:`
    error: service `web` refers to undefined service `dbb`
      --> compose.yaml:8:18
       |
     8 |     depends_on: [dbb]
       |                  ^^^
    hint: did you mean `db`?
    "#);
}

#[test]
fn values_that_cannot_be_read() {
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  web:\n",
        "    image: nginx\n",
        "    mem_limit: 1x\n",
        "    stop_grace_period: 10\n",
        "    healthcheck: {test: true, interval: 5}\n",
    )), @r#"
    error: `services.web.stop_grace_period`: a duration needs a unit
      --> compose.yaml:5:24
       |
     5 |     stop_grace_period: 10
       |                        ^^
    hint: for seconds, write 10s
    error: `services.web.healthcheck.test`: expected text or a list of texts, found a boolean
      --> compose.yaml:6:25
       |
     6 |     healthcheck: {test: true, interval: 5}
       |                         ^^^^
    hint: put quotes around it: "true"
    error: `services.web.healthcheck.interval`: a duration needs a unit
      --> compose.yaml:6:41
       |
     6 |     healthcheck: {test: true, interval: 5}
       |                                         ^
    hint: for seconds, write 5s
    "#);
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  web:\n",
        "    image: nginx\n",
        "    ports: [\"80:x\", 8000:80:90:100]\n",
        "    volumes: [\"a:b:c:d\"]\n",
    )), @r#"
    error: `services.web.ports`: `80:x` is no port: `x` is no container port
      --> compose.yaml:4:13
       |
     4 |     ports: ["80:x", 8000:80:90:100]
       |             ^^^^^^
    hint: a port is [ADDRESS:][HOST:]CONTAINER[/PROTOCOL], in quotes
    error: `services.web.ports`: `8000:80:90:100` is no port: `8000:80` is no IP address
      --> compose.yaml:4:21
       |
     4 |     ports: ["80:x", 8000:80:90:100]
       |                     ^^^^^^^^^^^^^^
    hint: a port is [ADDRESS:][HOST:]CONTAINER[/PROTOCOL], in quotes
    "#);
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  web:\n",
        "    image: nginx\n",
        "    mem_limit: 1x\n",
        "    stop_grace_period: ten\n",
        "    restart: allways\n",
        "    networks: {default: {ipv4_address: 1.2.3}}\n",
    )), @r"
    error: `services.web.mem_limit`: expected a size, found `1x`
      --> compose.yaml:4:16
       |
     4 |     mem_limit: 1x
       |                ^^
    hint: write bytes, or a number with a unit: 512m, 2g
    error: `services.web.stop_grace_period`: expected a duration, found `ten`
      --> compose.yaml:5:24
       |
     5 |     stop_grace_period: ten
       |                        ^^^
    hint: write a number and a unit: 30s, 1m30s, 500ms
    ");
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  web:\n",
        "    image: nginx\n",
        "    restart: allways\n",
        "    networks: {default: {ipv4_address: 1.2.3}}\n",
    )), @r"
    error: `allways` is no restart policy
      --> compose.yaml:4:14
       |
     4 |     restart: allways
       |              ^^^^^^^
    hint: write no, always, unless-stopped, on-failure or on-failure:COUNT
    error: `1.2.3` is no IPv4 address
      --> compose.yaml:5:40
       |
     5 |     networks: {default: {ipv4_address: 1.2.3}}
       |                                        ^^^^^
    hint: write four numbers: 172.28.0.10
    ");
}

#[test]
fn circles_are_named() {
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  a: {image: x, depends_on: [b]}\n",
        "  b: {image: x, links: [c]}\n",
        "  c: {image: x, depends_on: {a: {condition: service_healthy}}}\n",
    )), @"
    error: services wait for each other: a → b → c → a
      --> compose.yaml:4:30
       |
     4 |   c: {image: x, depends_on: {a: {condition: service_healthy}}}
       |                              ^ closes the circle
    hint: break the circle: `depends_on`, `links`, `volumes_from` and `service:…` make a service wait
    ");
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  a: {extends: b}\n",
        "  b: {extends: {service: a}}\n",
    )), @r"
    error: services extend each other: a → b → a
      --> compose.yaml:3:16
       |
     3 |   b: {extends: {service: a}}
       |                ^
    ");
    insta::assert_snapshot!(answer_to(&[
        ("compose.yaml", "include: [sub/compose.yaml]\nservices: {a: {image: x}}\n"),
        ("sub/compose.yaml", "include: [../compose.yaml]\n"),
    ]), @r"
    error: files include each other: compose.yaml → sub/compose.yaml → compose.yaml
      --> sub/compose.yaml:1:11
       |
     1 | include: [../compose.yaml]
       |           ^^^^^^^^^^^^^^^
    ");
}

#[test]
fn variables_that_are_missing() {
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  web:\n",
        "    image: nginx:${TAG:?say which}\n",
        "    command: ${\n",
    )), @r"
    error: required variable `TAG` is missing a value: say which
      --> compose.yaml:3:12
       |
     3 |     image: nginx:${TAG:?say which}
       |            ^^^^^^^^^^^^^^^^^^^^^^^
    hint: set TAG in `.env` or in the environment
    error: invalid variable reference in `${`
      --> compose.yaml:4:14
       |
     4 |     command: ${
       |              ^^
    hint: a reference is $NAME, ${NAME} or ${NAME:-default}; write `$$` for a dollar
    ");
    insta::assert_snapshot!(answer(concat!(
        "services:\n",
        "  web:\n",
        "    image: nginx:1${TAG}${TAG}\n",
        "    command: a && b\n",
        "version: '3'\n",
    )), @r#"
    warning: variable `TAG` is not set; an empty text takes its place
      --> compose.yaml:3:12
       |
     3 |     image: nginx:1${TAG}${TAG}
       |            ^^^^^^^^^^^^^^^^^^^
    hint: set TAG in `.env` or the environment, or write ${TAG:-default}
    warning: `version` is obsolete and ignored
      --> compose.yaml:5:10
       |
     5 | version: '3'
       |          ^^^
    hint: remove the line
    warning: `services.web.command`: everything from `&` on is ignored, no shell reads it
      --> compose.yaml:4:14
       |
     4 |     command: a && b
       |              ^^^^^^
    hint: to use a shell, write ["sh", "-c", "…"]
    "#);
}

#[test]
fn files_elsewhere_are_not_fetched() {
    insta::assert_snapshot!(answer(concat!(
        "include:\n",
        "  - oci://registry.example/stack:1\n",
        "services: {}\n",
    )), @r"
    error: `oci://registry.example/stack:1` is in a registry, from which nothing is fetched
      --> compose.yaml:2:5
       |
     2 |   - oci://registry.example/stack:1
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: put the file beside this one, by hand or as a submodule, and name its path
    ");
}

#[test]
fn projects_elsewhere_are_not_fetched() {
    let directory = tempfile::tempdir().unwrap();
    let told = |files: &[&str], list: &str| -> String {
        let options = LoadOptions {
            directory: directory.path().to_path_buf(),
            files: files.iter().map(Into::into).collect(),
            environment: BTreeMap::from([("COMPOSE_FILE".to_owned(), list.to_owned())]),
            ..LoadOptions::default()
        };
        let problems = load(&options).unwrap_err();
        problems
            .0
            .iter()
            .map(|problem| render(problem, directory.path(), Palette::Plain))
            .collect()
    };
    insta::assert_snapshot!(told(&["oci://registry.example/stack:1", "git@forge.example:a/b.git"], ""), @"
    error: `oci://registry.example/stack:1` is in a registry, from which nothing is fetched
    hint: fetch the Compose file first, then name it with `-f FILE`, or give it as `-f -`
    error: `git@forge.example:a/b.git` is in a repository, from which nothing is fetched
    hint: fetch the Compose file first, then name it with `-f FILE`, or give it as `-f -`
    ");
    insta::assert_snapshot!(told(&[], "https://forge.example/a/b.git#main"), @"
    error: `https://forge.example/a/b.git#main` is in a repository, from which nothing is fetched
    hint: fetch the Compose file first, then name it with `-f FILE`, or give it as `-f -`
    ");
}

#[test]
fn files_that_are_not_text() {
    insta::assert_snapshot!(answer("services:\n  web:\n    image: \"ng\u{1b}inx\"\n"), @r#"
    error: not valid YAML: a control character (U+001B)
      --> compose.yaml:3:15
       |
     3 |     image: "ng␛inx"
       |               ^
    hint: remove it, or write it as an escape, such as "\x07", in double quotes
    "#);
    let directory = tempfile::tempdir().unwrap();
    let told = |file: &str, bytes: &[u8]| -> String {
        fs_err::write(directory.path().join(file), bytes).unwrap();
        let options = LoadOptions {
            directory: directory.path().to_path_buf(),
            ..LoadOptions::default()
        };
        let problems = load(&options).unwrap_err();
        problems
            .0
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect::<String>()
            .replace(&*directory.path().to_string_lossy(), "DIRECTORY")
    };
    insta::assert_snapshot!(told("compose.yaml", b"services:\n  web: {image: caf\xe9}\n"), @"compose.yaml:2:19: not valid UTF-8");
    let text = "services: {web: {image: nginx, env_file: web.env}}\n";
    fs_err::write(directory.path().join("web.env"), b"A=1\nB=caf\xe9\n").unwrap();
    insta::assert_snapshot!(told("compose.yaml", text.as_bytes()), @"web.env:2:6: not valid UTF-8");
    insta::assert_snapshot!(told(".env", b"GREETING=caf\xe9\n"), @".env:1:13: not valid UTF-8");
}

#[test]
fn a_file_of_labels_that_is_missing() {
    insta::assert_snapshot!(answer("services:\n  web:\n    image: nginx\n    label_file: web.labels\n"), @"
    error: label file DIRECTORY/web.labels does not exist
      --> compose.yaml:4:17
       |
     4 |     label_file: web.labels
       |                 ^^^^^^^^^^
    hint: create it, or remove it from `label_file`
    ");
}
