//! The list of images where there is none.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn an_empty_store() {
    let context = Context::new();
    assert_snapshot!(context.run(&["images"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    there are no images yet: `plimsoll build` makes them
    ");
    assert_snapshot!(context.run(&["images", "--json"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "schema": 1,
      "images": []
    }
    ----- stderr -----
    "#);
}
