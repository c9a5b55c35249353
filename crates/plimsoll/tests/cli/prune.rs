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
      "cache_bytes": 0,
      "bytes": 0
    }
    ----- stderr -----
    "#);
}

#[test]
fn the_cache_goes_when_it_is_asked_for() {
    let context = Context::new();
    context.write("../data/cache/npm/a/b", &"x".repeat(20_000));
    // Of a removal that was cut off.
    context.write("../data/cache.removing/c", &"x".repeat(20_000));
    assert_snapshot!(context.run(&["prune"]), @"
    exit code: 0
    ----- stdout -----
    freed 0 B
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["prune", "--cache"]), @"
    exit code: 0
    ----- stdout -----
    freed 41 kB
    ----- stderr -----
    ");
    let data = context.project().join("../data");
    assert!(!data.join("cache").exists() && !data.join("cache.removing").exists());
    assert_snapshot!(context.run(&["prune", "--cache", "--registry", "x/y"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the argument '--cache' cannot be used with '--registry <REPOSITORY>'

    Usage: plimsoll prune --cache

    For more information, try '--help'.
    ");
}
