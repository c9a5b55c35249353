//! Bills of images that are not there.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn an_image_that_is_not_in_the_store() {
    assert_snapshot!(Context::with_compose_file().run(&["sbom", "desk:1"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no service `desk:1`
    hint: there are `db`, `web`
    ");
}

#[test]
fn a_format_that_does_not_exist() {
    assert_snapshot!(Context::new().run(&["sbom", "desk", "--format", "swid"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'swid' for '--format <FORMAT>'
      [possible values: cyclonedx, spdx]

    For more information, try '--help'.
    ");
}
