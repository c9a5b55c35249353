//! Options about what is said: how much, and in which colours.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn quiet_leaves_out_what_is_no_error() {
    let Some(context) = Context::of_root() else {
        return;
    };
    assert_snapshot!(context.run(&["--quiet", "ps"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["--quiet", "images"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["--quiet", "logs"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `desk` is not up
    hint: `plimsoll up` starts it
    ");
}

#[test]
fn colour_when_it_is_asked_for() {
    let Some(context) = Context::of_root() else {
        return;
    };
    assert_snapshot!(context.run(&["--color", "always", "logs"]).replace('\u{1b}', "ESC"), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    ESC[1;31merror:ESC[0m `desk` is not up
    hint: `plimsoll up` starts it
    ");
    assert_snapshot!(context.run(&["--color", "never", "logs"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `desk` is not up
    hint: `plimsoll up` starts it
    ");
}

#[test]
fn no_colour_without_a_terminal_or_where_it_is_unwanted() {
    let context = Context::new();
    let plain = context.run(&["logs"]);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let output = context
        .command(&["--color", "auto", "logs"])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(!output.stderr.contains(&0x1b));
}

#[test]
fn what_prints_no_data_refuses_json() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["--json", "exec", "db", "true"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `exec` prints what the program prints, there is no data to print
    hint: leave out `--json`
    ");
    assert_snapshot!(context.run(&["--json", "run", "db", "true"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `run` prints what the program prints, there is no data to print
    hint: leave out `--json`
    ");
    assert_snapshot!(context.run(&["completions", "bash", "--json"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `completions` prints a script for a shell, there is no data to print
    hint: leave out `--json`
    ");
}
