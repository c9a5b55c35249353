//! From text to trees.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Diagnostics, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag as EventTag};

use super::decode::refuse_control_characters;
use super::lenient::Pushed;
use super::node::{Key, Map, Node, Tag, Value};
use super::scalar;

/// Events that a byte can lead to: a flow mapping within a sequence within a mapping begins and ends
/// with one character each, and has keys and values that are left out.
const MOST_EVENTS_A_BYTE: usize = 16;

/// Events of an empty text, and some more.
const FEWEST_EVENTS: usize = 64;

/// Nesting deeper than this is refused: trees are walked by recursion.
const DEEPEST: usize = 128;

/// Aliases may copy at most this many nodes in one file, so that a few lines cannot fill memory.
const ALIAS_BUDGET: usize = 200_000;

/// Reads every document of a file. `file` is how places name it.
///
/// Merge keys (`<<`) are applied. A file that is not YAML gives one error; duplicate keys, keys
/// that are not text and wrong merges are all collected.
pub fn parse(text: &str, file: impl Into<Arc<Path>>) -> Result<Vec<Node>, Diagnostics> {
    let file = file.into();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_control_characters(text, &file)?;
    let mut pushed = Pushed::new(text);
    loop {
        let mut builder = Builder {
            file: Arc::clone(&file),
            pushed: &pushed,
            lines: std::iter::once(0)
                .chain(pushed.text.match_indices('\n').map(|(index, _)| index + 1))
                .collect(),
            stack: Vec::new(),
            anchors: HashMap::new(),
            copied: 0,
            documents: Vec::new(),
            problems: Diagnostics::default(),
        };
        let fault = builder.read();
        if let Some(error) = fault {
            let mark = error.marker();
            let problem = Diagnostic::error(format!("not valid YAML: {}", error.info()))
                .at(builder.place(mark.line(), mark.col(), 1))
                .hint("check the indentation and the quotes around this place");
            builder.problems.push(problem);
            let problems = builder.problems;
            if pushed.relax(&error) {
                continue;
            }
            return Err(problems);
        }
        if builder.problems.has_errors() {
            return Err(builder.problems);
        }
        return Ok(builder.documents);
    }
}

struct Builder<'p> {
    file: Arc<Path>,
    pushed: &'p Pushed,
    /// Where each line starts.
    lines: Vec<usize>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    copied: usize,
    documents: Vec<Node>,
    problems: Diagnostics,
}

/// A collection that is being read.
struct Frame {
    node: Node,
    anchor: usize,
    /// In a mapping: the key whose value comes next.
    key: Option<PendingKey>,
    /// What `<<` brings into the mapping, in order.
    merged: Vec<Node>,
}

enum PendingKey {
    Entry(Key),
    Merge(Option<Span>),
    /// A key that was refused; its value is read and dropped.
    Refused,
}

impl Builder<'_> {
    /// Reads the whole text; what the parser stumbles over is returned, the rest is collected.
    fn read(&mut self) -> Option<ScanError> {
        let pushed = self.pushed;
        let mut parser = Parser::new_from_str(&pushed.text);
        // No text means more than this: a parser that gives more will never end.
        let mut left = pushed.text.len().saturating_mul(MOST_EVENTS_A_BYTE) + FEWEST_EVENTS;
        while let Some(event) = parser.next_event() {
            left -= 1;
            if left == 0 {
                self.problems.push(Diagnostic::error(
                    "not valid YAML: no end can be found of what is open",
                ));
                return None;
            }
            match event {
                Ok((event, span)) => {
                    if let Err(problem) = self.event(event, span) {
                        self.problems.push(problem);
                        return None;
                    }
                }
                Err(error) => return Some(error),
            }
        }
        None
    }

    fn place(&self, line: usize, column: usize, length: usize) -> Option<Span> {
        let column = self.pushed.column(line, column);
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Some(Span::new(
            Arc::clone(&self.file),
            number(line).max(1),
            number(column).saturating_add(1),
            number(length),
        ))
    }

    fn span(&self, span: saphyr_parser::Span) -> Option<Span> {
        // Only the first line of a longer value is marked.
        let length = if span.end.line() == span.start.line() {
            span.end.col().saturating_sub(span.start.col())
        } else {
            1
        };
        self.place(span.start.line(), span.start.col(), length)
    }

    /// The place of a quoted scalar; the parser also counts what follows on the line.
    fn quoted_span(&self, span: saphyr_parser::Span) -> Option<Span> {
        let (line, column) = (span.start.line(), span.start.col());
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let text = self.pushed.text.get(start..).unwrap_or_default();
        let mut rest = text
            .split('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .skip(column);
        let quote = rest.next();
        let mut rest = rest.enumerate().peekable();
        while let Some((index, character)) = rest.next() {
            if quote == Some('"') && character == '\\' {
                rest.next();
            } else if Some(character) == quote {
                // In single quotes, two of them are one that belongs to the text.
                if quote == Some('\'') && rest.peek().is_some_and(|(_, next)| *next == '\'') {
                    rest.next();
                    continue;
                }
                return self.place(line, column, index + 2);
            }
        }
        self.place(line, column, 1)
    }

    fn event(&mut self, event: Event<'_>, at: saphyr_parser::Span) -> Result<(), Diagnostic> {
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let span = match style {
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => self.quoted_span(at),
                    _ => self.span(at),
                };
                let tag_allows = tag
                    .as_deref()
                    .is_none_or(|tag| tag.is_yaml_core_schema() && tag.suffix == "merge");
                let is_merge = text == "<<" && style == ScalarStyle::Plain && tag_allows;
                let node = scalar_node(&text, style, tag.as_deref(), span)?;
                if anchor != 0 {
                    self.anchors.insert(anchor, node.clone());
                }
                self.value(node, is_merge)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Value::List(Vec::new()), anchor, tag.as_deref(), at)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.open(Value::Map(Map::new()), anchor, tag.as_deref(), at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Alias(anchor) => {
                let span = self.span(at);
                let node = self.alias(anchor, span)?;
                self.value(node, false)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Option<Span>) -> Result<Node, Diagnostic> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(
                Diagnostic::error("an alias cannot stand inside its own anchor")
                    .at(span)
                    .hint("move the anchor (`&name`) to a value that does not contain the alias"),
            );
        };
        let size = size(node);
        self.copied = self.copied.saturating_add(size);
        if self.copied > ALIAS_BUDGET {
            return Err(Diagnostic::error(format!(
                "the aliases of this file expand to more than {ALIAS_BUDGET} values"
            ))
            .at(span));
        }
        Ok(node.clone())
    }

    fn open(
        &mut self,
        value: Value,
        anchor: usize,
        tag: Option<&EventTag>,
        at: saphyr_parser::Span,
    ) -> Result<(), Diagnostic> {
        let span = self.span(at);
        if self.stack.len() >= DEEPEST {
            return Err(
                Diagnostic::error(format!("nested more than {DEEPEST} levels deep")).at(span),
            );
        }
        if let Some(Frame {
            node: Node {
                value: Value::Map(_),
                ..
            },
            key: None,
            ..
        }) = self.stack.last()
        {
            return Err(Diagnostic::error("a key must be text").at(span));
        }
        self.stack.push(Frame {
            node: Node {
                value,
                span,
                tag: merge_tag(tag),
                comment: None,
            },
            anchor,
            key: None,
            merged: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Diagnostic> {
        let Some(mut frame) = self.stack.pop() else {
            return Ok(());
        };
        if let Value::Map(map) = &mut frame.node.value {
            // What stands in the mapping itself wins, then the first mapping that is merged.
            for merged in frame.merged {
                if let Value::Map(entries) = merged.value {
                    for (key, node) in entries {
                        if !map.contains(&key.text) {
                            map.insert(key, node);
                        }
                    }
                }
            }
        }
        if frame.anchor != 0 {
            self.anchors.insert(frame.anchor, frame.node.clone());
        }
        self.value(frame.node, false)
    }

    /// Puts a finished value where it belongs.
    fn value(&mut self, node: Node, is_merge: bool) -> Result<(), Diagnostic> {
        let Some(frame) = self.stack.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut frame.node.value, frame.key.take()) {
            (Value::List(list), _) => list.push(node),
            (Value::Map(map), Some(PendingKey::Entry(key))) => {
                map.insert(key, node);
            }
            (Value::Map(_), Some(PendingKey::Refused)) => {}
            (Value::Map(_), Some(PendingKey::Merge(span))) => match merge_sources(node) {
                Some(sources) => frame.merged.extend(sources),
                None => self.problems.push(
                    Diagnostic::error("`<<` merges a mapping or a list of mappings")
                        .at(span)
                        .hint("write `<<: *name`, where `&name` marks a mapping"),
                ),
            },
            (Value::Map(map), None) => {
                if is_merge {
                    frame.key = Some(PendingKey::Merge(node.span));
                    return Ok(());
                }
                let span = node.span.clone();
                let Value::Text(text) = node.value else {
                    let kind = node.kind();
                    let shown = node.scalar_text().unwrap_or_else(|| "null".to_owned());
                    self.problems.push(
                        Diagnostic::error(format!("a key must be text, found {kind}"))
                            .at(span)
                            .hint(format!("put quotes around it: \"{shown}\"")),
                    );
                    frame.key = Some(PendingKey::Refused);
                    return Ok(());
                };
                if let Some(first) = map.key(&text) {
                    let mut problem =
                        Diagnostic::error(format!("`{text}` is set twice in this mapping"))
                            .at(span)
                            .label("a second time here");
                    if let Some(first) = &first.span {
                        problem = problem.hint(format!("the first one stands at {first}"));
                    }
                    self.problems.push(problem);
                    frame.key = Some(PendingKey::Refused);
                    return Ok(());
                }
                frame.key = Some(PendingKey::Entry(Key { text, span }));
            }
            _ => {}
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(list) => list.iter().map(size).sum(),
        Value::Map(map) => map.iter().map(|(_, node)| size(node)).sum(),
        _ => 0,
    }
}

fn merge_sources(node: Node) -> Option<Vec<Node>> {
    match node.value {
        Value::Map(_) => Some(vec![node]),
        Value::List(list) => list
            .iter()
            .all(|item| item.as_map().is_some())
            .then_some(list),
        _ => None,
    }
}

fn merge_tag(tag: Option<&EventTag>) -> Option<Tag> {
    match tag {
        Some(tag) if tag.handle == "!" && tag.suffix == "reset" => Some(Tag::Reset),
        Some(tag) if tag.handle == "!" && tag.suffix == "override" => Some(Tag::Override),
        _ => None,
    }
}

fn scalar_node(
    text: &str,
    style: ScalarStyle,
    tag: Option<&EventTag>,
    span: Option<Span>,
) -> Result<Node, Diagnostic> {
    let special = merge_tag(tag);
    let core = tag.filter(|tag| tag.is_yaml_core_schema());
    let value = match core.map(|tag| tag.suffix.as_str()) {
        Some("str") => Value::Text(text.to_owned()),
        Some(kind @ ("int" | "float" | "bool" | "null")) => {
            let value = scalar::resolve_plain(text);
            let fits = matches!(
                (&value, kind),
                (Value::Integer(_), "int" | "float")
                    | (Value::Float(_), "float")
                    | (Value::Bool(_), "bool")
                    | (Value::Null, "null")
            );
            if !fits {
                return Err(Diagnostic::error(format!("`{text}` is no !!{kind}")).at(span));
            }
            value
        }
        // A tag of another kind says nothing about scalars: the text is kept.
        _ if tag.is_some() && special.is_none() => Value::Text(text.to_owned()),
        _ if style == ScalarStyle::Plain => scalar::resolve_plain(text),
        _ => Value::Text(text.to_owned()),
    };
    Ok(Node {
        value,
        span,
        tag: special,
        comment: None,
    })
}
