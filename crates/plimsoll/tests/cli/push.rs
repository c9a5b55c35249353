//! Pushing, and pruning a registry, where the words already tell that it cannot be done.

use insta::assert_snapshot;

use crate::context::Context;

fn with_source() -> Context {
    let context = Context::new();
    context.write("compose.yaml", "services:\n  api:\n    build: .\n");
    context.write("requirements.txt", "flask==3.1.0\n");
    context.write("app.py", "from flask import Flask\napp = Flask(__name__)\n");
    context
}

#[test]
fn an_image_that_is_not_built() {
    assert_snapshot!(with_source().run(&["push", "--to", "localhost:1/team"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no image of `api` yet
    hint: `plimsoll build` makes it
    ");
}

#[test]
fn images_of_others_are_not_pushed() {
    assert_snapshot!(Context::with_compose_file().run(&["push", "--to", "localhost:1/team"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no service here has an image that is built
    ");
}

#[test]
fn a_repository_with_a_tag_is_not_pruned() {
    let context = Context::new();
    assert_snapshot!(context.run(&["prune", "--registry", "localhost:1/a:1"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `localhost:1/a:1` is not an image reference: only a repository is meant, without tag and digest
    ");
    assert_snapshot!(
        context.run(&["prune", "--registry", "localhost:1/a", "--older-than", "soon"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `soon` is no age
    hint: a number and `h`, `d` or `w`: `30d`
    ");
    assert_snapshot!(context.run(&["prune", "--yes"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      --registry <REPOSITORY>

    Usage: plimsoll prune --registry <REPOSITORY> --yes

    For more information, try '--help'.
    ");
}

#[test]
fn a_platform_that_no_image_is_made_for() {
    assert_snapshot!(with_source().run(&["build", "--platform", "linux/s390x"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `linux/s390x` is not an architecture that images are made for: `amd64` or `arm64`
    hint: `linux/amd64`, `linux/arm64`, or both with a comma between
    ");
}
