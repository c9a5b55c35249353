//! Images that cannot be built.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_project() {
    let context = Context::new();
    assert_snapshot!(context.run(&["build"]), @"
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
    assert_snapshot!(context.run(&["build", "wbe"]), @r"
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
    assert_snapshot!(context.run_unprivileged(&["build"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: containers need root for now
    hint: run it with `sudo`
    ");
}

#[test]
fn a_place_that_is_none() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["build", "--output", "desk.tar"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `desk.tar` is no place to write images to
    hint: `oci:DIR` writes an OCI layout, `docker:FILE.tar` what `docker load` reads
    hint: `docker` loads them into the engine here, `push` sends them to a registry
    ");
}
