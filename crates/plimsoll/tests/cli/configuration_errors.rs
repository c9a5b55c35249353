//! Mistakes in Compose files: each names its place and what to do.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn malformed_yaml() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx
     ports: ["80:80"]
"#,
    );
    assert_snapshot!(context.run(&["up"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: not valid YAML: mapping values are not allowed in this context
      --> compose.yaml:4:11
       |
     4 |      ports: ["80:80"]
       |           ^
    hint: check the indentation and the quotes around this place
    "#);
}

#[test]
fn a_tab() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
	image: nginx
"#,
    );
    assert_snapshot!(context.run(&["config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: not valid YAML: tabs disallowed within this context (block indentation)
      --> compose.yaml:3:2
       |
     3 | 	image: nginx
       | 	^
    hint: check the indentation and the quotes around this place
    ");
}

#[test]
fn an_unknown_key() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx
    enviroment:
      A: b
"#,
    );
    assert_snapshot!(context.run(&["up"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `enviroment` is no key of `services.web`
      --> compose.yaml:4:5
       |
     4 |     enviroment:
       |     ^^^^^^^^^^
    hint: did you mean `environment`?
    ");
}

#[test]
fn a_circle() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx
    depends_on: [app]
  app:
    image: nginx
    depends_on: [web]
"#,
    );
    assert_snapshot!(context.run(&["up"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: services wait for each other: app → web → app
      --> compose.yaml:4:18
       |
     4 |     depends_on: [app]
       |                  ^^^ closes the circle
    hint: break the circle: `depends_on`, `links`, `volumes_from` and `service:…` make a service wait
    ");
}

#[test]
fn an_undefined_network() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx
    networks: [frnt]
networks:
  front:
"#,
    );
    assert_snapshot!(context.run(&["up"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: service `web` refers to undefined network `frnt`
      --> compose.yaml:4:16
       |
     4 |     networks: [frnt]
       |                ^^^^
    hint: did you mean `front`?
    ");
}

#[test]
fn a_missing_variable() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx:${TAG:?pin a tag}
"#,
    );
    assert_snapshot!(context.run(&["up"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: required variable `TAG` is missing a value: pin a tag
      --> compose.yaml:3:12
       |
     3 |     image: nginx:${TAG:?pin a tag}
       |            ^^^^^^^^^^^^^^^^^^^^^^^
    hint: set TAG in `.env` or in the environment
    ");
}

#[test]
fn an_unset_variable() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx:1${SUFFIX}
"#,
    );
    assert_snapshot!(context.run(&["config", "--quiet"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    warning: variable `SUFFIX` is not set; an empty text takes its place
      --> compose.yaml:3:12
       |
     3 |     image: nginx:1${SUFFIX}
       |            ^^^^^^^^^^^^^^^^
    hint: set SUFFIX in `.env` or the environment, or write ${SUFFIX:-default}
    ");
}

#[test]
fn a_broken_variable_file() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx
"#,
    );
    context.write(
        ".env",
        r#"A=1
"B
"#,
    );
    assert_snapshot!(context.run(&["config", "--quiet"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: unexpected character `"` in a variable name
      --> .env:2:1
       |
     2 | "B
       | ^
    hint: a line is NAME=value; put values with line ends into quotes
    "#);
}

#[test]
fn several_at_once() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx
    depends_on: [db]
    networks: [back]
    volumes: ["data:/data"]
"#,
    );
    assert_snapshot!(context.run(&["up"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: service `web` refers to undefined service `db`
      --> compose.yaml:4:18
       |
     4 |     depends_on: [db]
       |                  ^^
    hint: declare it under the top-level `services:`
    error: service `web` refers to undefined network `back`
      --> compose.yaml:5:16
       |
     5 |     networks: [back]
       |                ^^^^
    hint: declare it under the top-level `networks:`
    error: service `web` refers to undefined volume `data`
      --> compose.yaml:6:15
       |
     6 |     volumes: ["data:/data"]
       |               ^^^^^^^^^^^^
    hint: declare it under the top-level `volumes:`
    "#);
}

#[test]
fn values_of_the_wrong_kind() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx
    ports: ["80:http"]
"#,
    );
    assert_snapshot!(context.run(&["up"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `services.web.ports`: `80:http` is no port: `http` is no container port
      --> compose.yaml:4:13
       |
     4 |     ports: ["80:http"]
       |             ^^^^^^^^^
    hint: a port is [ADDRESS:][HOST:]CONTAINER[/PROTOCOL], in quotes
    "#);
}

#[test]
fn a_duration_and_a_size() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web:
    image: nginx
    mem_limit: lots
    healthcheck: {test: ["CMD", "x"], interval: 5x}
"#,
    );
    assert_snapshot!(context.run(&["up"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `services.web.mem_limit`: expected a size, found `lots`
      --> compose.yaml:4:16
       |
     4 |     mem_limit: lots
       |                ^^^^
    hint: write bytes, or a number with a unit: 512m, 2g
    error: `services.web.healthcheck.interval`: expected a duration, found `5x`
      --> compose.yaml:5:49
       |
     5 |     healthcheck: {test: ["CMD", "x"], interval: 5x}
       |                                                 ^^
    hint: write a number and a unit: 30s, 1m30s, 500ms
    "#);
}

#[test]
fn an_empty_file() {
    let context = Context::new();
    context.write("compose.yaml", "");
    assert_snapshot!(context.run(&["config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: compose.yaml: the file is empty
    hint: a Compose file has at least `services:`
    ");
}

#[test]
fn a_list() {
    let context = Context::new();
    context.write("compose.yaml", "- web\n");
    assert_snapshot!(context.run(&["config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: a Compose file: expected a mapping, found a list
      --> compose.yaml:1:1
       |
     1 | - web
       | ^
    ");
}

#[test]
fn neither_image_nor_build() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        r#"services:
  web: {}
"#,
    );
    assert_snapshot!(context.run(&["config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: service `web` has neither `image` nor `build`
      --> compose.yaml:2:3
       |
     2 |   web: {}
       |   ^^^
    hint: name an image to pull, or a directory to build from
    ");
}
