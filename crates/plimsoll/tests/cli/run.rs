//! One service, once, where that cannot be.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_project() {
    let context = Context::new();
    assert_snapshot!(context.run(&["run", "web"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no service was found in `[ROOT]/desk`
    hint: `plimsoll inspect` tells what was looked at
    hint: `-C DIR` names another directory, `-f FILE` a Compose file
    ");
}

#[test]
fn no_such_service() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["run", "wbe"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no service `wbe`
    hint: there are `db`, `web`
    ");
}

#[test]
fn not_root() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run_unprivileged(&["run", "db"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: containers need root for now
    hint: run it with `sudo`
    ");
}

#[test]
fn a_variable_without_a_name() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["run", "--env", "=1", "db"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `=1` names no variable
    hint: as in `--env NAME=VALUE`
    ");
}

#[test]
fn a_volume_that_does_not_exist() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["run", "--volume", "notes:/notes", "db"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the project has no volume `notes`
    hint: a directory begins with `./` or `/`: `--volume ./notes:…`
    ");
}
