//! Reading ends, whatever the text: each is read in a thread that is waited for, but not for ever.
#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot set up")]

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use plimsoll_model::yaml::{parse, to_yaml};

/// Far longer than any of these takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a text reads as, one line of flow or the first problem, or that there was no end.
fn read(text: impl Into<String>) -> String {
    let text = text.into();
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let read = match parse(&text, Path::new("file.yaml")) {
            Ok(documents) => documents.iter().map(to_yaml).collect(),
            Err(problems) => problems.0.first().unwrap().to_string(),
        };
        let _ = done.send(read);
    });
    wait.recv_timeout(PATIENCE)
        .unwrap_or_else(|_| "reading does not end".to_owned())
}

#[test]
fn a_lone_carriage_return_ends_a_line() {
    assert_eq!(read("a: 1\rb:\r  - 2\r"), read("a: 1\nb:\n  - 2\n"));
    assert_eq!(read("a: |\r\n  1\r\n  2\r\n"), "a: |\n  1\n  2\n");
    assert_eq!(read("a: [b,\r\"c\rd\"]\r"), "a:\n  - b\n  - c d\n");
}

#[test]
fn what_cannot_be_mended_by_indentation_is_refused() {
    insta::assert_snapshot!(read(": [L:\r:l"), @"file.yaml:1:1: a key must be text, found nothing");
    insta::assert_snapshot!(read("a: [b,\r\r\rc: d"), @"file.yaml:5:1: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'");
    insta::assert_snapshot!(read("a:\n  b: \"\r\n\r\n"), @"file.yaml:2:6: not valid YAML: while scanning a quoted scalar, found unexpected end of stream");
}

#[test]
fn a_long_text_with_much_to_mend_ends() {
    let mended = read(format!("l: [\n{}]\n", "a,\n".repeat(200)));
    assert_eq!(mended, format!("l:\n{}", "  - a\n".repeat(200)));
    let refused = read(format!("l: [\n{}]\n", "a,\n".repeat(10_000)));
    assert!(
        refused.ends_with("invalid indentation in flow construct"),
        "{refused}"
    );
}

#[test]
fn a_key_of_any_length_is_printed_as_it_is_read() {
    // Each of these takes six characters in a print, and a key has at most 1,024.
    let key = "\u{85}".repeat(400);
    let printed = read(format!("- \"{key}\": 1\n  b: {{\"{key}\": [c]}}\n"));
    assert!(printed.starts_with("- ? \"\\u0085"), "{printed}");
    assert_eq!(read(printed.clone()), printed);
}

#[test]
fn tabs_behind_a_colon_are_blank_space() {
    assert_eq!(
        read("a:\tb\nc: {d:\t\te, \"é\":\tf}\ng:\t-1\n"),
        "a: b\nc:\n  d: e\n  é: f\ng: -1\n"
    );
    insta::assert_snapshot!(read("a:\t- b\n"), @"file.yaml:1:4: not valid YAML: block sequence entries are not allowed in this context");
    insta::assert_snapshot!(read("a:\tb: c\n"), @"file.yaml:1:5: not valid YAML: mapping values are not allowed in this context");
}
