//! Log lines where there are none.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_stack() {
    let Some(context) = Context::of_root() else {
        return;
    };
    assert_snapshot!(context.run(&["logs"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `desk` is not up
    hint: `plimsoll up` starts it
    ");
    assert_snapshot!(context.run_unprivileged(&["logs", "--follow"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `desk` is not up
    hint: stacks belong to root: run it with `sudo`
    ");
}
