//! Changes to any file: what is not changed stays, to the byte.
#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot set up")]

use std::path::Path;

use plimsoll_model::yaml::edit::{Document, Step};
use plimsoll_model::yaml::{Node, Value};
use proptest::prelude::*;

/// A value as somebody might write it, with what may stand behind and above it.
#[derive(Debug, Clone)]
enum Written {
    /// A scalar as it is written.
    Scalar(String),
    /// A mapping or list in one line.
    Flow(String),
    /// The lines of a block scalar.
    Block(Vec<String>),
    List(Vec<Line>),
    Map(Vec<Line>),
}

/// An entry of a mapping or a list.
#[derive(Debug, Clone)]
struct Line {
    above: Vec<String>,
    value: Written,
    behind: String,
}

/// A plain text that is no number, boolean or null.
fn word() -> impl Strategy<Value = String> {
    "[g-m][a-m]{0,5}".prop_map(|word| word)
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        word(),
        "[0-9]{1,4}",
        "'[a-m #:]{0,6}'",
        "\"[a-m #:é]{0,6}\"",
        Just("true".to_owned()),
        Just("null".to_owned()),
    ]
}

fn comment() -> impl Strategy<Value = String> {
    "#[ a-m:'\"\\-]{0,8}"
}

fn line(value: impl Strategy<Value = Written>) -> impl Strategy<Value = Line> {
    let above = prop_oneof![
        4 => Just(Vec::new()),
        1 => Just(vec![String::new()]),
        1 => comment().prop_map(|comment| vec![comment]),
        1 => comment().prop_map(|comment| vec![String::new(), comment]),
    ];
    let behind = prop_oneof![
        3 => Just(String::new()),
        1 => (" {1,3}", comment()).prop_map(|(gap, comment)| gap + &comment),
    ];
    (above, value, behind).prop_map(|(above, value, behind)| Line {
        above,
        value,
        behind,
    })
}

fn value() -> impl Strategy<Value = Written> {
    let leaf = prop_oneof![
        6 => scalar().prop_map(Written::Scalar),
        1 => (word(), scalar()).prop_map(|(key, value)| Written::Flow(format!("{{{key}: {value}}}"))),
        1 => (scalar(), scalar()).prop_map(|(a, b)| Written::Flow(format!("[{a}, {b} ]"))),
        1 => proptest::collection::vec("[a-m][a-m #:]{0,6}[a-m]", 1..3).prop_map(Written::Block),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(line(inner.clone()), 1..4).prop_map(Written::List),
            proptest::collection::vec(line(inner), 1..4).prop_map(Written::Map),
        ]
    })
}

/// The text of the entries of a mapping; keys are `k0`, `k1`…
fn write_map(lines: &[Line], indent: usize, text: &mut String) {
    for (index, line) in lines.iter().enumerate() {
        write_entry(line, &format!("k{index}:"), indent, indent + 2, text);
    }
}

fn write_entry(line: &Line, lead: &str, indent: usize, inside: usize, text: &mut String) {
    let space = " ".repeat(indent);
    for above in &line.above {
        match above.as_str() {
            "" => text.push('\n'),
            comment => text.push_str(&format!("{space}{comment}\n")),
        }
    }
    let behind = &line.behind;
    match &line.value {
        Written::Scalar(value) | Written::Flow(value) => {
            text.push_str(&format!("{space}{lead} {value}{behind}\n"));
        }
        Written::Block(lines) => {
            text.push_str(&format!("{space}{lead} |{behind}\n"));
            for line in lines {
                text.push_str(&format!("{}{line}\n", " ".repeat(inside)));
            }
        }
        Written::List(items) => {
            text.push_str(&format!("{space}{lead}{behind}\n"));
            for item in items {
                write_entry(item, "-", inside, inside + 2, text);
            }
        }
        Written::Map(lines) => {
            text.push_str(&format!("{space}{lead}{behind}\n"));
            write_map(lines, inside, text);
        }
    }
}

/// A whole file, sometimes without an end to its last line, sometimes with lines as Windows ends them.
fn file() -> impl Strategy<Value = String> {
    let lines = proptest::collection::vec(line(value()), 1..4);
    (lines, any::<bool>(), any::<bool>(), comment()).prop_map(|(lines, cut, windows, last)| {
        let mut text = String::new();
        write_map(&lines, 0, &mut text);
        text.push_str(&last);
        if !cut {
            text.push('\n');
        }
        if windows {
            text = text.replace('\n', "\r\n");
        }
        text
    })
}

/// Every place of a tree.
fn places<'n>(node: &'n Node, path: &[Step<'n>], found: &mut Vec<Vec<Step<'n>>>) {
    let steps: Vec<(Step<'n>, &Node)> = match &node.value {
        Value::Map(map) => map
            .iter()
            .map(|(key, node)| (Step::Key(&key.text), node))
            .collect(),
        Value::List(list) => list
            .iter()
            .enumerate()
            .map(|(index, node)| (Step::Index(index), node))
            .collect(),
        _ => Vec::new(),
    };
    for (step, node) in steps {
        let mut path = path.to_vec();
        path.push(step);
        found.push(path.clone());
        places(node, &path, found);
    }
}

/// Whether `part` is `whole` with lines left out.
fn is_within(part: &str, whole: &str) -> bool {
    let mut whole = whole.lines();
    part.lines().all(|line| whole.any(|other| other == line))
}

fn document(text: &str) -> Document {
    Document::new(text, Path::new("compose.yaml")).unwrap()
}

/// What stands behind the value of a line, and the line's quotes.
fn dress(line: &str) -> (Option<char>, &str) {
    let Some((_, value)) = line.split_once([':', '-']) else {
        return (None, "");
    };
    let value = value.trim_start();
    let quote = value
        .chars()
        .next()
        .filter(|first| matches!(first, '\'' | '"'));
    let rest = match quote {
        Some(quote) => value[1..].split_once(quote).map_or("", |(_, rest)| rest),
        None => value.find(" #").map_or("", |at| &value[at..]),
    };
    (quote, rest.trim_start())
}

proptest! {
    #[test]
    fn what_is_added_is_all_that_is_new(text in file(), which in any::<prop::sample::Index>(), value in "[ -~é]{0,12}") {
        let before = document(&text);
        let mut found = vec![Vec::new()];
        places(before.root(), &[], &mut found);
        let path: &Vec<Step<'_>> = which.get(&found);
        for push in [false, true] {
            let mut after = before.clone();
            let made = if push {
                after.push(path, &value.as_str().into())
            } else {
                after.insert(path, "new", &value.as_str().into())
            };
            if made.is_err() {
                prop_assert_eq!(after.text(), &text);
                continue;
            }
            prop_assert!(is_within(&text, after.text()), "{}", after.text());
            prop_assert_eq!(after.text().contains("\r\n"), text.contains("\r\n"));
            if !push {
                let mut path = path.clone();
                path.push(Step::Key("new"));
                after.remove(&path).unwrap();
                prop_assert_eq!(after.text().trim_end(), text.trim_end());
            }
        }
    }

    #[test]
    fn what_is_set_keeps_its_dress(text in file(), which in any::<prop::sample::Index>(), value in "[ -~é]{0,12}") {
        let before = document(&text);
        let mut found = vec![Vec::new()];
        places(before.root(), &[], &mut found);
        let mut after = before.clone();
        if after.set(which.get::<Vec<Step<'_>>>(&found), &value.as_str().into()).is_err() {
            prop_assert_eq!(after.text(), &text);
            return Ok(());
        }
        let pairs = text.lines().zip(after.text().lines());
        let changed: Vec<(&str, &str)> = pairs.filter(|(old, new)| old != new).collect();
        prop_assert_eq!(text.lines().count(), after.text().lines().count());
        prop_assert!(changed.len() <= 1, "{:?}", changed);
        for (old, new) in changed {
            // A line with brackets holds more than the one value.
            if !old.contains(['[', '{']) && !value.contains(['\'', '"', '\\', '#']) {
                let (old_quote, old_rest) = dress(old);
                let (new_quote, new_rest) = dress(new);
                prop_assert!(old_quote.is_none() || old_quote == new_quote, "{} {}", old, new);
                prop_assert_eq!(old_rest, new_rest);
            }
        }
    }

    #[test]
    fn what_is_taken_out_takes_nothing_else_along(text in file(), which in any::<prop::sample::Index>()) {
        let before = document(&text);
        let mut found = vec![Vec::new()];
        places(before.root(), &[], &mut found);
        let mut after = before.clone();
        if after.remove(which.get::<Vec<Step<'_>>>(&found)).is_err() {
            prop_assert_eq!(after.text(), &text);
            return Ok(());
        }
        prop_assert!(is_within(after.text(), &text));
        let mut left = Vec::new();
        places(after.root(), &[], &mut left);
        prop_assert!(left.len() < found.len());
    }
}
