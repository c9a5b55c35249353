//! Keys, and signing what was not pushed.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn a_key_is_made_once() {
    let context = Context::new();
    assert_snapshot!(context.run(&["sign", "--generate-key"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    warning: the key is sealed without a password
    hint: set COSIGN_PASSWORD to give it one
      wrote    plimsoll.key (keep it) and plimsoll.pub (give it to those who verify)
    ");
    let key = context.project().join("plimsoll.key");
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&key).unwrap();
    assert_snapshot!(context.run(&["sign", "--generate-key"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `[ROOT]/desk/plimsoll.key` is there already
    ");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), text);
}

#[test]
fn a_key_that_is_none() {
    let context = Context::with_compose_file();
    context.write("wrong.key", "not a key\n");
    assert_snapshot!(context.run(&["sign", "--key", "wrong.key", "web"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `wrong.key`: the key cannot be read: expected an ECDSA key on P-256 or an Ed25519 key
    hint: a sealed key's password is read from COSIGN_PASSWORD
    ");
    assert_snapshot!(context.run(&["sign", "--key", "missing.key", "web"]), @"
    exit code: 70
    ----- stdout -----
    ----- stderr -----
    error: failed to open file `missing.key`: No such file or directory (os error 2)
    ");
}
