//! What a later file adds to an earlier one.
//!
//! Mappings are merged key by key, lists are appended, anything else is replaced. The exceptions
//! are in [`rule`]; entries of lists that mean the same thing are then made one by
//! [`super::unique`].

use plimsoll_diag::{Diagnostic, Diagnostics, Span};

use super::path::Path;
use crate::yaml::{Key, Map, Node, Value};

/// Merges a whole file.
pub(super) fn merge_files(earlier: &mut Map, later: Map, problems: &mut Diagnostics) {
    merge_maps(earlier, later, &Path::ROOT, problems);
}

/// Merges what a service says into what it extends.
pub(super) fn merge_service(base: Node, service: Node, problems: &mut Diagnostics) -> Node {
    let services = Path::ROOT.child("services");
    merge(base, service, &services.child("x"), problems)
}

/// Merges an entry of a section into the one that was included.
pub(super) fn merge_entry(
    section: &str,
    name: &str,
    included: Node,
    own: Node,
    problems: &mut Diagnostics,
) -> Node {
    let section = Path::ROOT.child(section);
    merge(included, own, &section.child(name), problems)
}

/// How values at a place are merged.
enum Rule {
    Usual,
    Replace,
    Pairs,
    Hosts,
    Build,
    Dependencies,
    Names,
    Logging,
    Pools,
}

fn rule(path: &[&str]) -> Rule {
    match path {
        ["networks" | "volumes", _, "labels"] => Rule::Pairs,
        ["networks", _, "ipam", "config"] => Rule::Pools,
        ["services", _, rest @ ..] => match rest {
            [
                "annotations" | "dns" | "dns_opt" | "dns_search" | "env_file" | "label_file"
                | "environment" | "labels" | "sysctls" | "tmpfs",
            ]
            | ["build", "args" | "additional_contexts" | "labels"]
            | ["deploy", "labels"]
            | ["volumes", _, "volume", "labels"] => Rule::Pairs,
            ["extra_hosts"] | ["build", "extra_hosts"] => Rule::Hosts,
            ["command" | "entrypoint"] | ["healthcheck", "test"] | ["ulimits", _] => Rule::Replace,
            ["build"] => Rule::Build,
            ["depends_on"] => Rule::Dependencies,
            ["networks" | "models"] => Rule::Names,
            ["logging"] => Rule::Logging,
            _ => Rule::Usual,
        },
        _ => Rule::Usual,
    }
}

fn merge(earlier: Node, later: Node, path: &Path<'_>, problems: &mut Diagnostics) -> Node {
    match path.view(rule) {
        Rule::Usual => usual(earlier, later, path, problems),
        Rule::Replace => later,
        Rule::Pairs => {
            let span = later.span.clone().or_else(|| earlier.span.clone());
            let mut entries = sequence(earlier);
            entries.extend(sequence(later));
            Node::at(entries, span)
        }
        Rule::Hosts => {
            let span = later.span.clone().or_else(|| earlier.span.clone());
            let mut entries = sequence(earlier);
            for entry in sequence(later) {
                if !entries.contains(&entry) {
                    entries.push(entry);
                }
            }
            Node::at(entries, span)
        }
        Rule::Build => as_maps(earlier, later, path, problems, |node| match node.value {
            Value::Map(map) => Ok(map),
            Value::Text(_) => Ok(Map::from_iter([(Key::made("context"), node)])),
            _ => Err(Box::new(node)),
        }),
        Rule::Dependencies => as_maps(earlier, later, path, problems, |node| {
            names(node, |span| {
                Node::at(
                    Map::from_iter([
                        (
                            Key::made("condition"),
                            Node::at("service_started", span.clone()),
                        ),
                        (Key::made("required"), Node::at(true, span)),
                    ]),
                    None,
                )
            })
        }),
        Rule::Names => as_maps(earlier, later, path, problems, |node| {
            names(node, |span| Node::at(Value::Null, span))
        }),
        Rule::Logging => {
            let same_driver = match (earlier.get("driver"), later.get("driver")) {
                (Some(earlier), Some(later)) => earlier == later,
                _ => true,
            };
            if same_driver {
                usual(earlier, later, path, problems)
            } else {
                later
            }
        }
        Rule::Pools => pools(earlier, later, path, problems),
    }
}

fn usual(earlier: Node, later: Node, path: &Path<'_>, problems: &mut Diagnostics) -> Node {
    if later.is_null() {
        return earlier;
    }
    match (earlier.value, later.value) {
        (Value::Map(mut map), Value::Map(other)) => {
            merge_maps(&mut map, other, path, problems);
            Node::at(map, earlier.span)
        }
        (Value::List(mut list), Value::List(other)) => {
            list.extend(other);
            Node::at(list, earlier.span)
        }
        (value @ (Value::Map(_) | Value::List(_)), other) => {
            let kept = Node::at(value, earlier.span);
            problems.push(mismatch(&kept, &Node::at(other, later.span), path));
            kept
        }
        (_, other) => Node::at(other, later.span),
    }
}

fn merge_maps(map: &mut Map, other: Map, path: &Path<'_>, problems: &mut Diagnostics) {
    for (key, node) in other {
        match map.get_mut(&key.text) {
            None => {
                map.insert(key, node);
            }
            Some(earlier) => {
                let taken = std::mem::take(earlier);
                *earlier = merge(taken, node, &path.child(&key.text), problems);
            }
        }
    }
}

fn as_maps(
    earlier: Node,
    later: Node,
    path: &Path<'_>,
    problems: &mut Diagnostics,
    convert: impl Fn(Node) -> Result<Map, Box<Node>>,
) -> Node {
    let span = earlier.span.clone();
    if later.is_null() {
        return earlier;
    }
    if earlier.is_null() {
        return later;
    }
    match (convert(earlier), convert(later)) {
        (Ok(mut map), Ok(other)) => {
            merge_maps(&mut map, other, path, problems);
            Node::at(map, span)
        }
        (Ok(map), Err(other)) => {
            let kept = Node::at(map, span);
            problems.push(mismatch(&kept, &other, path));
            kept
        }
        // What is wrong with the earlier value is told when it is checked.
        (Err(node), _) => *node,
    }
}

/// A list of names as a mapping.
fn names(node: Node, make: impl Fn(Option<Span>) -> Node) -> Result<Map, Box<Node>> {
    match node.value {
        Value::Map(map) => Ok(map),
        Value::List(list) if list.iter().all(|item| item.as_text().is_some()) => Ok(list
            .into_iter()
            .filter_map(|item| {
                let span = item.span.clone();
                let Value::Text(text) = item.value else {
                    return None;
                };
                let key = Key {
                    text,
                    span: span.clone(),
                };
                Some((key, make(span)))
            })
            .collect()),
        value => Err(Box::new(Node::at(value, node.span))),
    }
}

/// Names and values as a list of `NAME=value`; a lone text as a list of one.
fn sequence(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(list) => list,
        Value::Text(_) => vec![node],
        Value::Map(map) => {
            let mut entries = Vec::new();
            for (key, node) in map {
                let span = key.span.clone().or_else(|| node.span.clone());
                match node.value {
                    Value::Null => entries.push(Node::at(key.text, span)),
                    Value::List(values) => {
                        for value in values {
                            let text = value.scalar_text().unwrap_or_default();
                            entries.push(Node::at(format!("{}={text}", key.text), value.span));
                        }
                    }
                    // Not allowed here; kept so that the check tells.
                    Value::Map(_) => entries.push(node),
                    _ => {
                        let text = node.scalar_text().unwrap_or_default();
                        entries.push(Node::at(format!("{}={text}", key.text), span));
                    }
                }
            }
            entries.sort_by(|left, right| left.as_text().cmp(&right.as_text()));
            entries
        }
        _ => Vec::new(),
    }
}

/// Address pools are the same when their subnets are.
fn pools(earlier: Node, later: Node, path: &Path<'_>, problems: &mut Diagnostics) -> Node {
    let span = earlier.span.clone();
    let (Value::List(earlier), Value::List(later)) = (earlier.value, later.value) else {
        problems.push(Diagnostic::error(format!("`{path}`: expected a list of mappings")).at(span));
        return Node::default();
    };
    let subnet = |node: &Node| node.get("subnet").map(|subnet| subnet.value.clone());
    let mut merged: Vec<Node> = Vec::new();
    let place = |merged: &mut Vec<Node>, node: Node| match merged
        .iter_mut()
        .find(|other| subnet(other) == subnet(&node))
    {
        Some(other) => *other = node,
        None => merged.push(node),
    };
    for own in earlier {
        for other in &later {
            if subnet(&own) != subnet(other)
                && !merged.iter().any(|node| subnet(node) == subnet(other))
            {
                merged.push(other.clone());
                continue;
            }
            let joined = usual(own.clone(), other.clone(), path, problems);
            place(&mut merged, joined);
        }
    }
    Node::at(merged, span)
}

fn mismatch(earlier: &Node, later: &Node, path: &Path<'_>) -> Diagnostic {
    let mut problem = Diagnostic::error(format!(
        "`{path}` cannot be merged: here it is {}, earlier {}",
        later.kind(),
        earlier.kind()
    ))
    .at(later.span.clone());
    if let Some(span) = &earlier.span {
        problem = problem.hint(format!("the earlier value stands at {span}"));
    }
    problem.hint("`!override` before the value replaces the earlier one")
}
