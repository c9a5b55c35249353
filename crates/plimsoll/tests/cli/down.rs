//! Taking down what is not up.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_stack() {
    let Some(context) = Context::of_root() else {
        return;
    };
    assert_snapshot!(context.run(&["down"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    `desk` was not up
    ");
    assert_snapshot!(context.run(&["--json", "down"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "schema": 1,
      "project": "desk",
      "containers": [],
      "volumes": []
    }
    ----- stderr -----
    "#);
}

#[test]
fn not_root() {
    let context = Context::new();
    assert_snapshot!(context.run_unprivileged(&["down"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: containers need root for now
    hint: run it with `sudo`
    ");
}

#[test]
fn a_broken_compose_file_is_no_obstacle() {
    let Some(context) = Context::of_root() else {
        return;
    };
    context.write(
        "compose.yaml",
        r#"services: [
"#,
    );
    assert_snapshot!(context.run(&["down"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    `desk` was not up
    ");
}
