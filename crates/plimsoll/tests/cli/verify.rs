//! Verifying where there is nothing to verify.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn a_registry_that_does_not_answer() {
    let context = Context::new();
    context.run(&["sign", "--generate-key"]);
    assert_snapshot!(context.run(&["verify", "--key", "plimsoll.pub", "localhost:1/desk:1"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the registry of `localhost:1/desk:1` cannot be reached: cannot reach `http://localhost:1/v2/desk/manifests/1` (2 attempts): io: Connection refused (os error 111)
    ");
}

#[test]
fn a_reference_that_is_none() {
    let context = Context::new();
    context.run(&["sign", "--generate-key"]);
    assert_snapshot!(context.run(&["verify", "--key", "plimsoll.pub", "Desk:::1"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `Desk:::1` is not an image reference: its tag is malformed
    ");
}
