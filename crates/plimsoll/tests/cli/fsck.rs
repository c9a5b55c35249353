//! The store against its digests.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn an_empty_store() {
    let context = Context::new();
    assert_snapshot!(context.run(&["fsck"]), @r"
    exit code: 0
    ----- stdout -----
    0 blobs, 0 B checked
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["fsck", "--json"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "schema": 1,
      "blobs": 0,
      "bytes": 0,
      "damaged": [],
      "strays": [],
      "images": []
    }
    ----- stderr -----
    "#);
}

#[test]
fn damage() {
    let context = Context::new();
    context.damaged_blob();
    assert_snapshot!(context.run(&["fsck"]), @r"
    exit code: 1
    ----- stdout -----
    1 blob, 0 B checked
    removed: blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000 does not hold what its name says
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["fsck"]), @r"
    exit code: 0
    ----- stdout -----
    0 blobs, 0 B checked
    ----- stderr -----
    ");
}
