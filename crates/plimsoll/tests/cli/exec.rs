//! A command where nothing runs.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_stack() {
    let Some(context) = Context::of_root() else {
        return;
    };
    assert_snapshot!(context.run(&["exec", "web", "true"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `desk` is not up
    hint: `plimsoll up` starts it
    ");
}

#[test]
fn not_root() {
    let context = Context::new();
    assert_snapshot!(context.run_unprivileged(&["exec", "web", "true"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: containers need root for now
    hint: run it with `sudo`
    ");
}
