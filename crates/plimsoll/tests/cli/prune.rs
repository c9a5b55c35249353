//! Pruning where there is nothing.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn an_empty_store() {
    let context = Context::new();
    assert_snapshot!(context.run(&["prune"]), @r"
    exit code: 0
    ----- stdout -----
    freed 0 B
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["prune", "--all", "--json"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "schema": 1,
      "images": [],
      "blobs": 0,
      "layers": 0,
      "bytes": 0
    }
    ----- stderr -----
    "#);
}
