//! The one spelling of a project: every value in the form that `docker compose config` prints.

use plimsoll_diag::{Diagnostic, Diagnostics, Span};

use super::interpolate::boolean;
use super::keys::PROJECT;
use super::path::Path;
use super::shape::{Field, Form, Print, Record};
use super::units;
use crate::yaml::{Key, Map, Node, Value};

/// Rewrites a normalised project; values that cannot be read are told and left out.
pub(super) fn print(
    project: &Map,
    problems: &mut Diagnostics,
    warnings: &mut Vec<Diagnostic>,
) -> Map {
    let mut printer = Printer { problems, warnings };
    printer.record(project, &PROJECT, &Path::ROOT)
}

struct Printer<'p> {
    problems: &'p mut Diagnostics,
    warnings: &'p mut Vec<Diagnostic>,
}

impl Printer<'_> {
    fn record(&mut self, map: &Map, record: &Record, path: &Path<'_>) -> Map {
        let mut printed = Map::new();
        for field in record.fields {
            let node = map.get(field.key);
            let at = path.child(field.key);
            let key = map
                .key(field.key)
                .cloned()
                .unwrap_or_else(|| Key::made(field.key));
            let value = node.and_then(|node| self.field(node, field, &at));
            match (value, node) {
                (Some(value), Some(node)) => {
                    let span = node.span.clone().or_else(|| key.span.clone());
                    printed.insert(key, Node::at(value, span));
                }
                // A project has services, if only none.
                _ if field.key == "services" && path.depth() == 0 => {
                    printed.insert(key, Node::made(Map::new()));
                }
                _ if record.print != Print::Usual => {
                    printed.insert(key, Node::made(zero(&field.form)));
                }
                _ => {}
            }
        }
        let mut extensions: Vec<_> = map
            .iter()
            .filter(|(key, _)| key.text.starts_with("x-"))
            .map(|(key, node)| (key.clone(), sorted(node)))
            .collect();
        extensions.sort_by(|(left, _), (right, _)| left.text.cmp(&right.text));
        for (key, node) in extensions {
            printed.insert(key, node);
        }
        printed
    }

    fn refuse(&mut self, node: &Node, path: &Path<'_>, expected: &str, hint: &str) {
        let shown = node.scalar_text().unwrap_or_else(|| node.kind().to_owned());
        self.problems.push(
            Diagnostic::error(format!("`{path}`: expected {expected}, found `{shown}`"))
                .at(node.span.clone())
                .hint(hint),
        );
    }

    /// The value as it is printed; `None` when it is not.
    fn field(&mut self, node: &Node, field: &Field, path: &Path<'_>) -> Option<Value> {
        let keep = |value: Value, is_empty: bool| (!is_empty).then_some(value);
        match &field.form {
            Form::Text => {
                let text = node.scalar_text()?;
                keep(text.as_str().into(), text.is_empty())
            }
            Form::Whole => self
                .whole(node, path)
                .and_then(|number| keep(number.into(), number == 0)),
            Form::WholeKept => self.whole(node, path).map(Value::Integer),
            Form::Flag => self
                .flag(node, path)
                .and_then(|flag| keep(flag.into(), !flag)),
            Form::FlagKept => self.flag(node, path).map(Value::Bool),
            Form::Decimal => self.decimal(node, path),
            Form::Bytes => {
                let bytes = self.bytes(node, path)?;
                keep(bytes.to_string().into(), bytes == 0)
            }
            Form::Duration | Form::DurationKept => {
                let nanoseconds = self.duration(node, path)?;
                keep(
                    units::show_nanoseconds(nanoseconds).into(),
                    nanoseconds == 0 && matches!(field.form, Form::Duration),
                )
            }
            Form::Words => self.words(node, path),
            Form::Test => {
                let words = match &node.value {
                    Value::Text(line) => {
                        vec![
                            Node::at("CMD-SHELL", node.span.clone()),
                            Node::at(line.as_str(), node.span.clone()),
                        ]
                    }
                    Value::List(list) => texts(list),
                    _ => return None,
                };
                let is_empty = words.is_empty();
                keep(words.into(), is_empty)
            }
            Form::Texts => {
                let list = match &node.value {
                    Value::Text(_) => vec![node.clone()],
                    Value::List(list) => texts(list),
                    _ => return None,
                };
                let is_empty = list.is_empty();
                keep(list.into(), is_empty)
            }
            Form::Pairs => {
                let map = pairs(node, || Value::Text(String::new()));
                let is_empty = map.is_empty();
                keep(map.into(), is_empty)
            }
            Form::OptionalPairs => {
                self.no_trailing_spaces(node, path);
                let map = pairs(node, || Value::Null);
                let is_empty = map.is_empty();
                keep(map.into(), is_empty)
            }
            Form::ManyPairs => {
                let mut map = Map::new();
                for (key, node) in node.as_map()?.iter() {
                    let list = match &node.value {
                        Value::List(list) => texts(list),
                        _ => texts(std::slice::from_ref(node)),
                    };
                    if !list.is_empty() {
                        map.insert(key.clone(), Node::at(list, node.span.clone()));
                    }
                }
                map.sort();
                let is_empty = map.is_empty();
                keep(map.into(), is_empty)
            }
            Form::Hosts => self.hosts(node, path),
            Form::Record(record) => {
                // A section that is there but says nothing is dropped by YAML's reader.
                let map = node.as_map()?;
                Some(self.record(map, record, path).into())
            }
            Form::Struct(record) => {
                let map = self.record(node.as_map()?, record, path);
                let is_empty = map.is_empty();
                keep(map.into(), is_empty)
            }
            Form::Records(record) => {
                let list: Vec<Node> = node
                    .as_list()?
                    .iter()
                    .filter_map(|element| {
                        let map = self.record(element.as_map()?, record, &path.child("[]"));
                        Some(Node::at(map, element.span.clone()))
                    })
                    .collect();
                let is_empty = list.is_empty();
                keep(list.into(), is_empty)
            }
            Form::Named(record) => {
                let mut map = Map::new();
                for (key, element) in node.as_map()?.iter() {
                    let value = match element.as_map() {
                        Some(entry) => self.record(entry, record, &path.child(&key.text)).into(),
                        None => Value::Null,
                    };
                    map.insert(key.clone(), Node::at(value, element.span.clone()));
                }
                map.sort();
                let is_empty = map.is_empty() && field.key != "services";
                keep(map.into(), is_empty)
            }
            Form::Ulimits => self.ulimits(node, path),
            Form::Mode => self.mode(node, path),
            Form::Count => self.count(node, path),
            Form::Ssh => {
                let mut entries: Vec<Node> = node
                    .as_map()?
                    .iter()
                    .map(|(key, path)| {
                        let text = match path.scalar_text() {
                            Some(path) if !path.is_empty() => format!("{}: {path}", key.text),
                            _ => key.text.clone(),
                        };
                        Node::at(text, key.span.clone())
                    })
                    .collect();
                entries.sort_by(|left, right| left.as_text().cmp(&right.as_text()));
                let is_empty = entries.is_empty();
                keep(entries.into(), is_empty)
            }
        }
    }

    fn whole(&mut self, node: &Node, path: &Path<'_>) -> Option<i64> {
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Float(number) => Some(*number as i64),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        if number.is_none() && !node.is_null() {
            self.refuse(node, path, "a whole number", "write it without a unit");
        }
        number
    }

    fn flag(&mut self, node: &Node, path: &Path<'_>) -> Option<bool> {
        let flag = match &node.value {
            Value::Bool(flag) => Some(*flag),
            Value::Text(text) => boolean(text),
            _ => None,
        };
        if flag.is_none() && !node.is_null() {
            self.refuse(node, path, "a boolean", "write `true` or `false`");
        }
        flag
    }

    fn decimal(&mut self, node: &Node, path: &Path<'_>) -> Option<Value> {
        let number = match &node.value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Text(text) => text.parse::<f64>().ok().filter(|number| number.is_finite()),
            _ => None,
        };
        let Some(number) = number else {
            if !node.is_null() {
                self.refuse(node, path, "a number", "write it without a unit: 0.5");
            }
            return None;
        };
        // Kept in single precision by the peer; its shortest digits are what is printed.
        let shortest: f64 = (number as f32).to_string().parse().unwrap_or(number);
        if shortest == 0.0 {
            return None;
        }
        if shortest.fract() == 0.0 && shortest.abs() < 9e15 {
            return Some(Value::Integer(shortest as i64));
        }
        Some(Value::Float(shortest))
    }

    fn bytes(&mut self, node: &Node, path: &Path<'_>) -> Option<i64> {
        let bytes = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Float(number) => Some(*number as i64),
            Value::Text(text) => units::bytes(text),
            _ => None,
        };
        if bytes.is_none() && !node.is_null() {
            self.refuse(
                node,
                path,
                "a size",
                "write bytes, or a number with a unit: 512m, 2g",
            );
        }
        bytes
    }

    fn duration(&mut self, node: &Node, path: &Path<'_>) -> Option<i64> {
        let nanoseconds = node
            .scalar_text()
            .and_then(|text| units::nanoseconds(&text));
        if nanoseconds.is_none() && !node.is_null() {
            self.refuse(
                node,
                path,
                "a duration",
                "write a number and a unit: 30s, 1m30s, 500ms",
            );
        }
        nanoseconds
    }

    fn words(&mut self, node: &Node, path: &Path<'_>) -> Option<Value> {
        match &node.value {
            Value::List(list) => Some(texts(list).into()),
            Value::Text(line) => {
                let Some(split) = units::words(line) else {
                    self.refuse(
                        node,
                        path,
                        "a command line",
                        "a quote is not closed, or a parenthesis needs quotes; a list of words needs none",
                    );
                    return None;
                };
                if let Some(operator) = split.stopped_at {
                    self.warnings.push(
                        Diagnostic::warning(format!(
                            "`{path}`: everything from `{operator}` on is ignored, no shell reads it"
                        ))
                        .at(node.span.clone())
                        .hint("to use a shell, write [\"sh\", \"-c\", \"…\"]"),
                    );
                }
                let words: Vec<Node> = split
                    .words
                    .into_iter()
                    .map(|word| Node::at(word, node.span.clone()))
                    .collect();
                Some(words.into())
            }
            _ => None,
        }
    }

    fn no_trailing_spaces(&mut self, node: &Node, path: &Path<'_>) {
        for entry in node.as_list().unwrap_or(&[]) {
            let name = entry.as_text().and_then(|text| text.split('=').next());
            if name.is_some_and(|name| name.ends_with(char::is_whitespace)) {
                self.problems.push(
                    Diagnostic::error(format!("`{path}`: a variable's name ends with a space"))
                        .at(entry.span.clone())
                        .hint("remove the space before `=`"),
                );
            }
        }
    }

    fn hosts(&mut self, node: &Node, path: &Path<'_>) -> Option<Value> {
        let mut hosts: Vec<(String, String, Option<Span>)> = Vec::new();
        match &node.value {
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    let list = match &value.value {
                        Value::List(list) => list.as_slice(),
                        _ => std::slice::from_ref(value),
                    };
                    for address in list {
                        let text = address.scalar_text().unwrap_or_default();
                        hosts.push((key.text.clone(), text, key.span.clone()));
                    }
                }
            }
            Value::List(list) => {
                for entry in list {
                    let text = entry.scalar_text().unwrap_or_default();
                    let Some((host, addresses)) =
                        text.split_once('=').or_else(|| text.split_once(':'))
                    else {
                        self.refuse(entry, path, "a host and its address", "write HOST=ADDRESS");
                        continue;
                    };
                    for address in addresses.split(',') {
                        hosts.push((host.to_owned(), address.to_owned(), entry.span.clone()));
                    }
                }
            }
            _ => return None,
        }
        let mut printed = Vec::with_capacity(hosts.len());
        for (host, address, span) in hosts {
            if host.is_empty() || host.contains([':', '=']) {
                self.problems.push(
                    Diagnostic::error(format!("`{path}`: `{host}` is no host name")).at(span),
                );
                continue;
            }
            let bare = address
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .unwrap_or(&address);
            printed.push(Node::at(format!("{host}={bare}"), span));
        }
        printed.sort_by(|left, right| left.as_text().cmp(&right.as_text()));
        (!printed.is_empty()).then(|| printed.into())
    }

    fn ulimits(&mut self, node: &Node, path: &Path<'_>) -> Option<Value> {
        let mut limits = Map::new();
        for (key, node) in node.as_map()?.iter() {
            let path = path.child(&key.text);
            let value = match node.as_map() {
                None => match self.whole(node, &path) {
                    Some(number) if number != 0 => Value::Integer(number),
                    // The peer keeps zero as a pair of zeros.
                    Some(_) => soft_and_hard(0, 0, node).into(),
                    None => continue,
                },
                Some(map) => {
                    let mut part = |key| map.get(key).and_then(|node| self.whole(node, &path));
                    let (soft, hard) = (part("soft").unwrap_or(0), part("hard").unwrap_or(0));
                    soft_and_hard(soft, hard, node).into()
                }
            };
            limits.insert(key.clone(), Node::at(value, node.span.clone()));
        }
        limits.sort();
        (!limits.is_empty()).then(|| limits.into())
    }

    fn mode(&mut self, node: &Node, path: &Path<'_>) -> Option<Value> {
        let bits = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => i64::from_str_radix(text, 8).ok(),
            _ => None,
        };
        let Some(bits) = bits else {
            self.refuse(node, path, "permission bits", "write an octal number: 0440");
            return None;
        };
        Some(format!("0{bits:o}").into())
    }

    fn count(&mut self, node: &Node, path: &Path<'_>) -> Option<Value> {
        let count = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) if text.eq_ignore_ascii_case("all") => Some(-1),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        if count.is_none() {
            self.refuse(
                node,
                path,
                "a number of devices",
                "write a number, or `all`",
            );
        }
        count.filter(|count| *count != 0).map(Value::Integer)
    }
}

fn soft_and_hard(soft: i64, hard: i64, node: &Node) -> Map {
    let at = |number: i64| Node::at(number, node.span.clone());
    Map::from_iter([(Key::made("soft"), at(soft)), (Key::made("hard"), at(hard))])
}

fn zero(form: &Form) -> Value {
    match form {
        Form::Whole | Form::WholeKept | Form::Count => Value::Integer(0),
        Form::Bytes => "0".into(),
        Form::Text => "".into(),
        _ => Value::Null,
    }
}

/// Scalars as texts.
fn texts(list: &[Node]) -> Vec<Node> {
    list.iter()
        .filter_map(|node| Some(Node::at(node.scalar_text()?, node.span.clone())))
        .collect()
}

/// Names and values, by name.
fn pairs(node: &Node, without_value: impl Fn() -> Value) -> Map {
    let mut map = Map::new();
    match &node.value {
        Value::Map(entries) => {
            for (key, node) in entries.iter() {
                let value = node.scalar_text().map_or_else(&without_value, Value::Text);
                map.insert(
                    key.clone(),
                    Node::at(value, node.span.clone().or_else(|| key.span.clone())),
                );
            }
        }
        Value::List(list) => {
            for node in list {
                let text = node.scalar_text().unwrap_or_default();
                let (name, value) = match text.split_once('=') {
                    Some((name, value)) => (name, value.into()),
                    None => (text.as_str(), without_value()),
                };
                let key = Key {
                    text: name.to_owned(),
                    span: node.span.clone(),
                };
                map.insert(key, Node::at(value, node.span.clone()));
            }
        }
        _ => {}
    }
    map.sort();
    map
}

/// A tree whose mappings are ordered by key.
pub(super) fn sorted(node: &Node) -> Node {
    let value = match &node.value {
        Value::List(list) => list.iter().map(sorted).collect::<Vec<_>>().into(),
        Value::Map(map) => {
            let mut map: Map = map
                .iter()
                .map(|(key, node)| (key.clone(), sorted(node)))
                .collect();
            map.sort();
            map.into()
        }
        value => value.clone(),
    };
    Node::at(value, node.span.clone())
}
