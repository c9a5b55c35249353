//! Completion scripts.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn an_unknown_shell() {
    let context = Context::new();
    assert_snapshot!(context.run(&["completions", "tcsh"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    ");
}

#[test]
fn each_shell_has_a_script() {
    let context = Context::new();
    for (shell, beginning) in [
        ("bash", "_plimsoll() {"),
        ("zsh", "#compdef plimsoll"),
        ("fish", "# Print an optspec"),
    ] {
        let script = context.run(&["completions", shell]);
        let expected = format!("exit code: 0\n----- stdout -----\n{beginning}");
        assert!(script.starts_with(&expected), "{shell}: {script}");
    }
}
