//! Checks a tree against the tables of [`super::keys`].

use plimsoll_diag::{Diagnostic, Diagnostics, Span};

use super::path::Path;
use super::shape::{Extra, Form, Keys, Kinds, Numbers, Record, Shape};
use crate::yaml::{Key, Node, Value};

/// Collects everything in `node` that `record` does not allow.
pub(super) fn check(node: &Node, record: &'static Record, problems: &mut Diagnostics) {
    record_fits(node, record, &Path::ROOT, None, problems);
}

/// The same for a part of a tree that stands at `path`, under `key`.
pub(super) fn check_at(
    node: &Node,
    record: &'static Record,
    path: &Path<'_>,
    key: &Key,
    problems: &mut Diagnostics,
) {
    record_fits(node, record, path, Some(key), problems);
}

fn fits(
    node: &Node,
    shape: &Shape,
    path: &Path<'_>,
    key: Option<&Key>,
    problems: &mut Diagnostics,
) {
    match shape {
        Shape::Any => {}
        Shape::Scalar(kinds) => {
            if !scalar_fits(&node.value, *kinds) {
                problems.push(wrong_kind(node, shape, path, key));
            }
        }
        Shape::Word(words) => match node.as_text() {
            Some(text) if words.contains(&text) => {}
            Some(text) => {
                let mut problem = Diagnostic::error(format!(
                    "`{path}` is one of {}, not `{text}`",
                    enumerate(words)
                ))
                .at(place(node, key));
                if let Some(near) = nearest(text, words.iter().copied()) {
                    problem = problem.hint(format!("did you mean `{near}`?"));
                }
                problems.push(problem);
            }
            None => problems.push(wrong_kind(node, shape, path, key)),
        },
        Shape::Pattern(looks_right, expected) => match node.as_text() {
            Some(text) if looks_right(text) => {}
            Some(text) => problems.push(
                Diagnostic::error(format!("`{path}` is {expected}, not `{text}`"))
                    .at(place(node, key)),
            ),
            None => problems.push(wrong_kind(node, shape, path, key)),
        },
        Shape::Bounded(low, high) => match &node.value {
            Value::Text(_) => {}
            value => match whole(value) {
                Some(number) if (*low..=*high).contains(&number) => {}
                Some(number) => problems.push(
                    Diagnostic::error(if *high == i64::MAX {
                        format!("`{path}` is at least {low}, not {number}")
                    } else {
                        format!("`{path}` lies between {low} and {high}, not at {number}")
                    })
                    .at(place(node, key)),
                ),
                None => problems.push(wrong_kind(node, shape, path, key)),
            },
        },
        Shape::List(item) | Shape::Unique(item) => {
            let Some(list) = node.as_list() else {
                problems.push(wrong_kind(node, shape, path, key));
                return;
            };
            for element in list {
                fits(element, item, &path.child("[]"), None, problems);
            }
            if matches!(shape, Shape::Unique(_)) {
                no_duplicates(list, path, problems);
            }
        }
        Shape::Record(record) => record_fits(node, record, path, key, problems),
        Shape::Table(keys, item) => {
            let Some(map) = node.as_map() else {
                problems.push(wrong_kind(node, shape, path, key));
                return;
            };
            for (key, element) in map.iter() {
                if key_fits(&key.text, *keys) {
                    fits(element, item, &path.child(&key.text), Some(key), problems);
                } else if *keys != Keys::LooseNames {
                    problems.push(bad_name(key, *keys, path));
                }
            }
        }
        Shape::Either(shapes) => match shapes.iter().find(|shape| outer_fits(node, shape)) {
            Some(shape) => fits(node, shape, path, key, problems),
            None => problems.push(wrong_kind(node, shape, path, key)),
        },
    }
}

fn record_fits(
    node: &Node,
    record: &'static Record,
    path: &Path<'_>,
    key: Option<&Key>,
    problems: &mut Diagnostics,
) {
    if node.is_null() && record.extra == Extra::ExtensionsOrNull {
        return;
    }
    let Some(map) = node.as_map() else {
        problems.push(wrong_kind(node, &Shape::Record(record), path, key));
        return;
    };
    for (key, element) in map.iter() {
        if let Some(field) = record.fields.iter().find(|field| field.key == key.text) {
            if let (Form::Duration | Form::DurationKept, Value::Integer(number)) =
                (&field.form, &element.value)
            {
                problems.push(
                    Diagnostic::error(format!(
                        "`{}`: a duration needs a unit",
                        path.child(&key.text)
                    ))
                    .at(element.span.clone())
                    .hint(format!("for seconds, write {number}s")),
                );
                continue;
            }
            fits(
                element,
                field.shape,
                &path.child(&key.text),
                Some(key),
                problems,
            );
        } else if !(key.text.starts_with("x-") && record.extra != Extra::No
            || record.extra == Extra::Anything)
        {
            problems.push(unknown_key(key, record, path));
        }
    }
    for required in record.required {
        if !map.contains(required) {
            let what = if path.depth() == 0 {
                record.name.to_owned()
            } else {
                path.to_string()
            };
            problems.push(
                Diagnostic::error(format!("`{what}` needs `{required}`")).at(place(node, key)),
            );
        }
    }
}

fn unknown_key(key: &Key, record: &'static Record, path: &Path<'_>) -> Diagnostic {
    let place = if path.depth() == 0 {
        format!("a {}", record.name)
    } else {
        format!("`{path}`")
    };
    let problem =
        Diagnostic::error(format!("`{}` is no key of {place}", key.text)).at(key.span.clone());
    let known = record.fields.iter().map(|field| field.key);
    if let Some(near) = nearest(&key.text, known) {
        return problem.hint(format!("did you mean `{near}`?"));
    }
    // Often the key is fine but stands a level too far out or in.
    if path.depth() == 0
        && super::keys::SERVICE
            .fields
            .iter()
            .any(|field| field.key == key.text)
    {
        return problem.hint(format!(
            "`{}` is a key of a service: indent it under one in `services`",
            key.text
        ));
    }
    if path.depth() == 0 {
        return problem.hint("services go under `services:`; own keys begin with `x-`");
    }
    match record.extra {
        Extra::No => problem,
        _ => problem.hint("own keys begin with `x-`"),
    }
}

fn bad_name(key: &Key, keys: Keys, path: &Path<'_>) -> Diagnostic {
    let expected = match keys {
        Keys::SmallLetters => "small letters",
        _ => "letters, digits, `.`, `_` and `-`",
    };
    Diagnostic::error(format!(
        "`{}` cannot be a name in `{path}`: use {expected}",
        key.text
    ))
    .at(key.span.clone())
}

fn no_duplicates(list: &[Node], path: &Path<'_>, problems: &mut Diagnostics) {
    // Short lists are compared pair by pair, which needs no order on values.
    let mut seen = std::collections::HashMap::new();
    for element in list {
        let text = element.to_json().to_string();
        if let Some(first) = seen.insert(text, element.span.clone()) {
            let shown = element
                .scalar_text()
                .map_or_else(|| "the same entry".to_owned(), |text| format!("`{text}`"));
            let mut problem =
                Diagnostic::error(format!("`{path}` holds {shown} twice")).at(element.span.clone());
            if let Some(first) = first {
                problem = problem.hint(format!("the first one stands at {first}"));
            }
            problems.push(problem);
        }
    }
}

/// The place to show for a value: its own, or its key's when it has none or is a collection.
fn place(node: &Node, key: Option<&Key>) -> Option<Span> {
    match &node.value {
        Value::List(_) | Value::Map(_) | Value::Null => key
            .and_then(|key| key.span.clone())
            .or_else(|| node.span.clone()),
        _ => node
            .span
            .clone()
            .or_else(|| key.and_then(|key| key.span.clone())),
    }
}

fn wrong_kind(node: &Node, shape: &Shape, path: &Path<'_>, key: Option<&Key>) -> Diagnostic {
    let what = if path.depth() == 0 {
        "a Compose file".to_owned()
    } else {
        format!("`{path}`")
    };
    let expected = describe(shape);
    let problem = Diagnostic::error(format!(
        "{what}: expected {expected}, found {}",
        node.kind()
    ))
    .at(place(node, key));
    let is_text_wanted = expected.starts_with("text");
    match &node.value {
        Value::Null => problem.hint("give it a value, or remove the key"),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) if is_text_wanted => {
            let shown = node.scalar_text().unwrap_or_default();
            problem.hint(format!("put quotes around it: \"{shown}\""))
        }
        Value::Text(_) if expected.starts_with("a list") => {
            problem.hint("begin each entry with `- `")
        }
        _ => problem,
    }
}

fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Scalar(kinds) => {
            let mut words = Vec::new();
            if kinds.text {
                words.push("text");
            }
            match kinds.number {
                Numbers::No => {}
                Numbers::Whole => words.push("a whole number"),
                Numbers::All => words.push("a number"),
            }
            if kinds.boolean {
                words.push("a boolean");
            }
            words.join(" or ")
        }
        Shape::Word(words) => enumerate(words),
        Shape::Bounded(..) => "a whole number".to_owned(),
        Shape::Pattern(_, expected) => (*expected).to_owned(),
        Shape::List(item) | Shape::Unique(item) => match item {
            Shape::Scalar(kinds) if kinds.text => "a list of texts".to_owned(),
            Shape::Record(_) => "a list of mappings".to_owned(),
            _ => "a list".to_owned(),
        },
        Shape::Record(_) | Shape::Table(..) => "a mapping".to_owned(),
        Shape::Either(shapes) => {
            let mut words: Vec<String> = shapes
                .iter()
                .map(describe)
                .filter(|word| !word.is_empty())
                .collect();
            words.dedup();
            words.join(" or ")
        }
    }
}

fn enumerate(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [word] => word.clone(),
        [words @ .., last] => format!("{} or {last}", words.join(", ")),
    }
}

fn scalar_fits(value: &Value, kinds: Kinds) -> bool {
    match value {
        Value::Null => kinds.null,
        Value::Bool(_) => kinds.boolean,
        Value::Text(_) => kinds.text,
        Value::Integer(_) => kinds.number != Numbers::No,
        Value::Float(_) => match kinds.number {
            Numbers::No => false,
            Numbers::Whole => whole(value).is_some(),
            Numbers::All => true,
        },
        Value::List(_) | Value::Map(_) => false,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Some(*number as i64)
        }
        _ => None,
    }
}

fn outer_fits(node: &Node, shape: &Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Scalar(kinds) => scalar_fits(&node.value, *kinds),
        Shape::Word(_) | Shape::Pattern(..) => node.as_text().is_some(),
        Shape::Bounded(..) => matches!(node.value, Value::Text(_) | Value::Integer(_)),
        Shape::List(_) | Shape::Unique(_) => node.as_list().is_some(),
        Shape::Table(..) => node.as_map().is_some(),
        Shape::Record(record) => {
            node.as_map().is_some() || (node.is_null() && record.extra == Extra::ExtensionsOrNull)
        }
        Shape::Either(shapes) => shapes.iter().any(|shape| outer_fits(node, shape)),
    }
}

fn key_fits(key: &str, keys: Keys) -> bool {
    match keys {
        Keys::Any => !key.is_empty(),
        Keys::Names | Keys::LooseNames => {
            !key.is_empty()
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        Keys::SmallLetters => !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase()),
    }
}

/// The word most like `text`, when one is like enough to be meant.
pub(crate) fn nearest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let limit = (text.chars().count() / 3).max(1);
    words
        .map(|word| (distance(text, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, word)| word)
}

/// Edits that make one word of another; swapped neighbours count as one.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(64).collect();
    let right: Vec<char> = right.chars().take(64).collect();
    let width = right.len() + 1;
    let mut table = vec![0; (left.len() + 1) * width];
    for row in 0..=left.len() {
        for column in 0..width {
            table[row * width + column] = if row == 0 || column == 0 {
                row + column
            } else {
                let same = left[row - 1] == right[column - 1];
                let mut best = (table[(row - 1) * width + column] + 1)
                    .min(table[row * width + column - 1] + 1)
                    .min(table[(row - 1) * width + column - 1] + usize::from(!same));
                if row > 1
                    && column > 1
                    && left[row - 1] == right[column - 2]
                    && left[row - 2] == right[column - 1]
                {
                    best = best.min(table[(row - 2) * width + column - 2] + 1);
                }
                best
            };
        }
    }
    table[left.len() * width + right.len()]
}
