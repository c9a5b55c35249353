//! The list of containers where there is none.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_stack() {
    let Some(context) = Context::of_root() else {
        return;
    };
    assert_snapshot!(context.run(&["ps"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    `desk` is not up
    ");
    assert_snapshot!(context.run_unprivileged(&["ps"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    `desk` is not up, as far as you may see; stacks belong to root: `sudo plimsoll ps`
    ");
    assert_snapshot!(context.run(&["ps", "--json"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "schema": 1,
      "project": "desk",
      "containers": []
    }
    ----- stderr -----
    "#);
}
