//! From trees to text.

use std::fmt::Write as _;

use super::node::{Map, Node, Tag, Value};
use super::number::show_float;
use super::scalar;

/// Longest key, as it is written, that readers look for a `:` behind without being told.
const LONGEST_KEY: usize = 1_000;

/// Writes a tree as YAML: block style, two spaces, lists indented under their key.
pub fn to_yaml(node: &Node) -> String {
    let mut text = String::new();
    match &node.value {
        Value::Map(map) if !map.is_empty() => write_map(&mut text, map, 0),
        Value::List(list) if !list.is_empty() => write_list(&mut text, list, 0),
        value => {
            write_flat(&mut text, value, 0);
            write_comment(&mut text, node);
            text.push('\n');
        }
    }
    text
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

fn write_map(text: &mut String, map: &Map, indent: usize) {
    for (index, (key, node)) in map.iter().enumerate() {
        // The first entry of a mapping in a list stands beside its dash.
        if index > 0 || text.is_empty() || text.ends_with('\n') {
            pad(text, indent);
        }
        let start = text.len();
        if needs_quotes(&key.text) {
            write_quoted(text, &key.text);
        } else {
            text.push_str(&key.text);
        }
        if text[start..].chars().count() > LONGEST_KEY {
            text.insert_str(start, "? ");
            text.push('\n');
            pad(text, indent);
        }
        text.push(':');
        text.push_str(match node.tag {
            Some(Tag::Reset) => " !reset",
            Some(Tag::Override) => " !override",
            None => "",
        });
        write_value(text, node, indent + 2);
    }
}

fn write_list(text: &mut String, list: &[Node], indent: usize) {
    for (index, node) in list.iter().enumerate() {
        if index > 0 || text.is_empty() || text.ends_with('\n') {
            pad(text, indent);
        }
        text.push('-');
        match &node.value {
            Value::Map(map) if !map.is_empty() => {
                text.push(' ');
                write_map(text, map, indent + 2);
            }
            Value::List(list) if !list.is_empty() => {
                text.push(' ');
                write_list(text, list, indent + 2);
            }
            value => {
                text.push(' ');
                write_flat(text, value, indent + 2);
                write_comment(text, node);
                text.push('\n');
            }
        }
    }
}

fn write_value(text: &mut String, node: &Node, indent: usize) {
    match &node.value {
        Value::Map(map) if !map.is_empty() => {
            text.push('\n');
            write_map(text, map, indent);
        }
        Value::List(list) if !list.is_empty() => {
            text.push('\n');
            write_list(text, list, indent);
        }
        value => {
            text.push(' ');
            write_flat(text, value, indent);
            write_comment(text, node);
            text.push('\n');
        }
    }
}

/// A comment stands behind a scalar of one line; behind a literal block it would be text.
fn write_comment(text: &mut String, node: &Node) {
    let Some(comment) = &node.comment else { return };
    let is_block = matches!(&node.value, Value::Text(value) if value.contains('\n'));
    if !is_block && !comment.contains('\n') {
        text.push_str(" # ");
        text.push_str(comment);
    }
}

fn write_flat(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => {
            // Writing to a String cannot fail.
            let _ = write!(text, "{value}");
        }
        Value::Integer(value) => {
            let _ = write!(text, "{value}");
        }
        Value::Float(value) if value.is_nan() => text.push_str(".nan"),
        Value::Float(value) if value.is_infinite() => {
            text.push_str(if *value > 0.0 { ".inf" } else { "-.inf" });
        }
        Value::Float(value) => text.push_str(&show_float(*value)),
        Value::Text(value) => write_scalar_text(text, value, indent),
        Value::List(_) => text.push_str("[]"),
        Value::Map(_) => text.push_str("{}"),
    }
}

fn write_scalar_text(text: &mut String, value: &str, indent: usize) {
    if value.contains('\n') && fits_literal(value) {
        write_literal(text, value, indent);
    } else if needs_quotes(value) {
        write_quoted(text, value);
    } else {
        text.push_str(value);
    }
}

/// Whether a reader of any YAML version takes the plain text for just this text.
pub(super) fn needs_quotes(value: &str) -> bool {
    if value.is_empty()
        || scalar::number(value).is_some()
        || scalar::resolve_plain(value) != Value::Text(value.to_owned())
    {
        return true;
    }
    let old_boolean = matches!(
        value.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off"
    );
    let first = value.as_bytes()[0];
    let starts_special = matches!(
        first,
        b'[' | b']'
            | b'{'
            | b'}'
            | b','
            | b'#'
            | b'&'
            | b'*'
            | b'!'
            | b'|'
            | b'>'
            | b'\''
            | b'"'
            | b'%'
            | b'@'
            | b'`'
            | b' '
    ) || (matches!(first, b'-' | b'?' | b':')
        && value[1..].chars().next().is_none_or(char::is_whitespace))
        || value.starts_with("---")
        || value.starts_with("...");
    old_boolean
        || starts_special
        || value == "<<"
        || value == "="
        || value.ends_with([' ', ':'])
        || value.contains(": ")
        || value.contains(" #")
        || value.chars().any(needs_escape)
        || is_old_number(value)
}

/// Whether readers of YAML 1.1 see a number in base sixty (`1:20`) or a date (`2001-01-01`).
/// Whether a character can only be written as an escape.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
}

fn is_old_number(value: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let sixty = value.strip_prefix(['+', '-']).unwrap_or(value);
    let (whole, fraction) = sixty.split_once('.').unwrap_or((sixty, ""));
    let mut places = whole.split(':');
    let is_sixty = whole.contains(':')
        && fraction
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
        && places.next().is_some_and(|first| {
            first.starts_with(|first: char| first.is_ascii_digit())
                && first
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'_')
        })
        && places.all(|place| {
            digits(place) && place.parse::<u64>().is_ok_and(|place| place < 60) && place.len() <= 2
        });
    let mut parts = value.splitn(3, '-');
    let year = parts
        .next()
        .is_some_and(|part| part.len() == 4 && digits(part));
    let month = parts
        .next()
        .is_some_and(|part| part.len() <= 2 && digits(part));
    let day = parts
        .next()
        .is_some_and(|part| part.starts_with(|first: char| first.is_ascii_digit()));
    is_sixty || (year && month && day)
}

fn write_quoted(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\0"),
            c if needs_escape(c) => {
                let _ = write!(text, "\\u{:04X}", c as u32);
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

fn fits_literal(value: &str) -> bool {
    !value.starts_with([' ', '\n', '\t'])
        && !value.chars().any(|c| c != '\n' && needs_escape(c))
        && value.lines().all(|line| !line.ends_with(' '))
        && !value.trim_end_matches('\n').is_empty()
}

fn write_literal(text: &mut String, value: &str, indent: usize) {
    let body = value.trim_end_matches('\n');
    text.push('|');
    match value.len() - body.len() {
        0 => text.push('-'),
        1 => {}
        _ => text.push('+'),
    }
    for line in body.split('\n') {
        text.push('\n');
        if !line.is_empty() {
            pad(text, indent.max(2));
            text.push_str(line);
        }
    }
    // The caller ends the last line; more line ends belong to the value.
    for _ in 1..(value.len() - body.len()) {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::node::Key;
    use super::super::parse::parse;
    use super::*;

    fn any_node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Integer),
            (-1e9..1e9_f64).prop_map(|number| Value::Float(number + 0.5)),
            "[ -~\n\té]{0,16}".prop_map(Value::Text),
            "(0x|0o|-|\\+|\\.)?[0-9_:.eE-]{1,8}".prop_map(Value::Text),
            prop_oneof![
                "yes", "null", "~", "<<", "---", "a: b", "- a", "#x", "a #b", "@a"
            ]
            .prop_map(Value::Text),
        ];
        let leaf = leaf.prop_map(Node::made).boxed();
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5)
                    .prop_map(|list| Node::made(Value::List(list))),
                prop::collection::vec(("[ -~é]{1,8}", inner), 0..5).prop_map(|entries| {
                    let map: Map = entries
                        .into_iter()
                        .map(|(key, node)| (Key::made(key), node))
                        .collect();
                    Node::made(map)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(node in any_node()) {
            let text = to_yaml(&node);
            let read = parse(&text, Path::new("written.yaml"));
            let read = read.map_err(|problems| TestCaseError::fail(format!("{problems}\n{text}")))?;
            let read = read.into_iter().next().unwrap_or_default();
            prop_assert_eq!(read, node, "{}", text);
        }
    }
}
