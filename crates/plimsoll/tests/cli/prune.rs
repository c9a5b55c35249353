//! Pruning where there is nothing.

use std::fs::FileTimes;
use std::time::{Duration, SystemTime};

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
      "dry_run": false,
      "images": [],
      "blobs": 0,
      "layers": 0,
      "cache_bytes": 0,
      "kinds": [],
      "bytes": 0
    }
    ----- stderr -----
    "#);
}

#[test]
fn the_cache_goes_when_it_is_asked_for() {
    let context = Context::new();
    context.write("../data/cache/npm/a/b", &"x".repeat(20_000));
    context.write("../data/cache/tools/zig/zig", &"x".repeat(100_000));
    // Of a removal that was cut off.
    context.write("../data/cache.removing/c", &"x".repeat(20_000));
    assert_snapshot!(context.run(&["prune"]), @"
    exit code: 0
    ----- stdout -----
    freed 0 B
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["prune", "--cache", "--dry-run"]), @"
    exit code: 0
    ----- stdout -----
    kind            size
    npm packages   20 kB
    tools         102 kB
    other          20 kB
    would free 143 kB
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["prune", "--cache", "--dry-run", "--json"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "schema": 1,
      "dry_run": true,
      "images": [],
      "blobs": 0,
      "layers": 0,
      "cache_bytes": 143360,
      "kinds": [
        {
          "kind": "node-packages",
          "bytes": 20480
        },
        {
          "kind": "tools",
          "bytes": 102400
        },
        {
          "kind": "other",
          "bytes": 20480
        }
      ],
      "bytes": 143360
    }
    ----- stderr -----
    "#);
    let data = context.project().join("../data");
    assert!(data.join("cache/npm/a/b").exists() && data.join("cache.removing").exists());
    assert_snapshot!(context.run(&["prune", "--cache"]), @"
    exit code: 0
    ----- stdout -----
    kind            size
    npm packages   20 kB
    tools         102 kB
    other          20 kB
    freed 143 kB
    ----- stderr -----
    ");
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

#[test]
fn what_was_not_used_for_longest_goes_when_there_is_too_much() {
    let context = Context::new();
    let deb = |number: u64| format!("../data/cache/debian/packages/{number}.deb");
    for days in 0..10 {
        context.write(deb(days), &"x".repeat(100_000));
        let file = std::fs::File::open(context.project().join(deb(days))).unwrap();
        let then = SystemTime::now() - Duration::from_secs(days * 86_400 + 60);
        let times = FileTimes::new().set_accessed(then).set_modified(then);
        file.set_times(times).unwrap();
    }
    let left = || {
        let packages = context.project().join("../data/cache/debian/packages");
        std::fs::read_dir(packages).unwrap().count()
    };
    let run = |limit: &str, arguments: &[&str]| {
        let mut command = context.command(arguments);
        command.env("PLIMSOLL_CACHE_LIMIT", limit);
        context.shown(&command.output().unwrap())
    };
    assert_snapshot!(run("none", &["prune"]), @"
    exit code: 0
    ----- stdout -----
    freed 0 B
    ----- stderr -----
    ");
    assert_snapshot!(run("700kB", &["prune", "--dry-run"]), @"
    exit code: 0
    ----- stdout -----
    would free 410 kB of Debian packages
    ----- stderr -----
    ");
    assert_eq!(left(), 10);
    // What looks after it beside builds.
    assert_snapshot!(run("700kB", &["prune", "--within-limit"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    assert_eq!(left(), 6);
    assert!(context.project().join(deb(5)).exists() && !context.project().join(deb(6)).exists());
    assert_snapshot!(run("700kB", &["prune", "--within-limit"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    assert_eq!(left(), 6);
    context.write("plimsoll.toml", "[cache]\nlimit = '500kB'\n");
    assert_snapshot!(context.run(&["prune"]), @"
    exit code: 0
    ----- stdout -----
    freed 205 kB of Debian packages
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["prune", "--cache", "--older-than", "2d"]), @"
    exit code: 0
    ----- stdout -----
    freed 205 kB of Debian packages
    ----- stderr -----
    ");
    assert_eq!(left(), 2);
    assert_snapshot!(context.run(&["prune", "--all", "--older-than", "2d"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `--older-than` says nothing of images: they carry no time
    hint: leave out `--all`, or `--older-than`
    ");
    assert_snapshot!(run("5 potatoes", &["prune"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: PLIMSOLL_CACHE_LIMIT: `5 potatoes` is no limit of the cache
    hint: write `20GB`, `10%` of the disk, or `none`
    ");
}

#[test]
fn nothing_goes_from_under_a_build() {
    let context = Context::new();
    context.write("../data/cache/tools/zig/zig", &"x".repeat(100_000));
    context.write("../data/cache.lock", "");
    let lock = std::fs::File::open(context.project().join("../data/cache.lock")).unwrap();
    lock.lock_shared().unwrap();
    assert_snapshot!(context.run(&["prune", "--cache"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: another process uses the store at `[ROOT]/data/cache`
    ");
    assert!(
        context
            .project()
            .join("../data/cache/tools/zig/zig")
            .exists()
    );
}
