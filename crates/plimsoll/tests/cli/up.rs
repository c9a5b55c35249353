//! Stacks that cannot start.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_project() {
    let context = Context::new();
    assert_snapshot!(context.run(&["up"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no service was found in `[ROOT]/desk`
    hint: `plimsoll inspect --rejected` tells what was looked at
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
    hint: services with a profile start with `--profile NAME`, or when they are named
    ");
}
