//! Changes to a YAML file that leave the rest of it as it is.
//!
//! Comments, order, quoting and blank lines stay, because only the text of what changes is
//! touched. Every change is checked: the new text must read as the old tree with just that change
//! in it, else the change is refused and the text stays.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::emit::{needs_quotes, to_yaml};
use super::node::{Key, Map, Node, Value};
use super::parse::parse;

/// One step into a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'s> {
    /// The value of a key.
    Key(&'s str),
    /// An element of a list.
    Index(usize),
}

impl<'s> From<&'s str> for Step<'s> {
    fn from(key: &'s str) -> Self {
        Step::Key(key)
    }
}

impl From<usize> for Step<'_> {
    fn from(index: usize) -> Self {
        Step::Index(index)
    }
}

/// Why a change was not made.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum EditError {
    /// The text is not one YAML document.
    #[error("{}: not one readable YAML document", file.display())]
    Unreadable {
        /// The file.
        file: Arc<Path>,
    },
    /// There is nothing at the place.
    #[error("{}: there is nothing at `{place}`", file.display())]
    Missing {
        /// The file.
        file: Arc<Path>,
        /// The place.
        place: String,
    },
    /// There is something at the place already.
    #[error("{}: `{place}` is there already", file.display())]
    Present {
        /// The file.
        file: Arc<Path>,
        /// The place.
        place: String,
    },
    /// The change cannot be made without touching more than it should: an alias, a merge key, an
    /// unusual layout.
    #[error("{}: `{place}` cannot be changed where it stands; change it by hand", file.display())]
    Entangled {
        /// The file.
        file: Arc<Path>,
        /// The place.
        place: String,
    },
}

/// A file that is being changed.
#[derive(Debug, Clone)]
pub struct Document {
    file: Arc<Path>,
    text: String,
    root: Node,
}

impl Document {
    /// Reads text; `file` is how errors name it.
    pub fn new(text: impl Into<String>, file: impl Into<Arc<Path>>) -> Result<Self, EditError> {
        let (text, file) = (text.into(), file.into());
        let root = read(&text, &file)?;
        Ok(Self { file, text, root })
    }

    /// The text as it is now.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tree as it is now.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Replaces a scalar by a scalar, in the quotes it has.
    pub fn set(&mut self, path: &[Step<'_>], value: &Value) -> Result<(), EditError> {
        let node = self.find(path)?;
        let (Some(span), true, true) = (&node.span, is_scalar(&node.value), is_scalar(value))
        else {
            return Err(self.entangled(path));
        };
        let line_start = self.line_start(span.start.line);
        let start = self.offset(line_start, span.start.column);
        let end = self.offset(line_start, span.end.column);
        let old = &self.text[start..end];
        let new = match (old.chars().next(), value) {
            (Some('\''), Value::Text(text)) if !text.contains('\n') => {
                format!("'{}'", text.replace('\'', "''"))
            }
            (Some('"'), Value::Text(text)) => serde_json::Value::from(text.as_str()).to_string(),
            _ => flow(value),
        };
        let mut expected = self.root.clone();
        if let Some(node) = descend(&mut expected, path) {
            node.value = value.clone();
        }
        let mut text = self.text.clone();
        text.replace_range(start..end, &new);
        self.accept(text, &expected, path)
    }

    /// Adds a key at the end of a mapping.
    pub fn insert(&mut self, path: &[Step<'_>], key: &str, value: &Value) -> Result<(), EditError> {
        self.insert_commented(path, key, &Node::made(value.clone()), &[])
    }

    /// Adds a key at the end of a mapping, below lines of comment. Comments behind scalars of the
    /// value are written, too.
    pub fn insert_commented(
        &mut self,
        path: &[Step<'_>],
        key: &str,
        value: &Node,
        comment: &[String],
    ) -> Result<(), EditError> {
        let node = self.find(path)?;
        let Some(map) = node.as_map().filter(|map| !map.is_empty()) else {
            return Err(self.entangled(path));
        };
        if map.contains(key) {
            return Err(EditError::Present {
                file: Arc::clone(&self.file),
                place: format!("{}.{key}", show(path)),
            });
        }
        let first = map.iter().find_map(|(key, _)| key.span.clone());
        let last = map.iter().next_back();
        let (Some(first), Some((last, _))) = (first, last) else {
            return Err(self.entangled(path));
        };
        let mut steps = path.to_vec();
        let last = last.text.clone();
        steps.push(Step::Key(&last));
        let end = self.end_of(&steps).ok_or_else(|| self.entangled(path))?;
        let indent = first.start.column as usize - 1;
        let entry = Map::from_iter([(Key::made(key), value.clone())]);
        let comment: String = comment.iter().map(|line| format!("# {line}\n")).collect();
        let block = indented(&(comment + &to_yaml(&Node::made(entry))), indent);
        let mut expected = self.root.clone();
        if let Some(map) = descend(&mut expected, path).and_then(Node::as_map_mut) {
            map.insert(key, value.clone());
        }
        self.accept(insert_line(&self.text, end, &block), &expected, path)
    }

    /// Adds an element at the end of a list.
    pub fn push(&mut self, path: &[Step<'_>], value: &Value) -> Result<(), EditError> {
        let node = self.find(path)?;
        let Some(list) = node.as_list().filter(|list| !list.is_empty()) else {
            return Err(self.entangled(path));
        };
        let last = list.len() - 1;
        let Some(line) = list[last].span.as_ref().map(|span| span.start.line) else {
            return Err(self.entangled(path));
        };
        let start = self.line_start(line);
        let line = self.text[start..].lines().next().unwrap_or_default();
        // The dash stands as far in as the last one; in brackets there is none.
        let indent = line.len() - line.trim_start().len();
        if !line.trim_start().starts_with("- ") {
            return Err(self.entangled(path));
        }
        let mut steps = path.to_vec();
        steps.push(Step::Index(last));
        let end = self.end_of(&steps).ok_or_else(|| self.entangled(path))?;
        let block = indented(
            &to_yaml(&Node::made(vec![Node::made(value.clone())])),
            indent,
        );
        let mut expected = self.root.clone();
        if let Some(list) = descend(&mut expected, path).and_then(Node::as_list_mut) {
            list.push(Node::made(value.clone()));
        }
        self.accept(insert_line(&self.text, end, &block), &expected, path)
    }

    /// Puts another value in the place of a key's value, whatever the two are. Comments within the
    /// former value go with it.
    pub fn replace(&mut self, path: &[Step<'_>], value: &Value) -> Result<(), EditError> {
        if is_scalar(value) && self.set(path, value).is_ok() {
            return Ok(());
        }
        let Some((Step::Key(key), parent)) = path.split_last() else {
            return Err(self.entangled(path));
        };
        let span = self.find(parent)?.as_map().and_then(|map| map.key(key));
        let Some(span) = span.and_then(|key| key.span.clone()) else {
            return Err(self.entangled(path));
        };
        let start = self.line_start(span.start.line);
        let before = &self.text[start..self.offset(start, span.start.column)];
        let end = self.end_of(path).ok_or_else(|| self.entangled(path))?;
        if !before.trim().is_empty() {
            return Err(self.entangled(path));
        }
        let entry = Map::from_iter([(Key::made(*key), Node::made(value.clone()))]);
        let block = indented(&to_yaml(&Node::made(entry)), span.start.column as usize - 1);
        let mut expected = self.root.clone();
        if let Some(node) = descend(&mut expected, path) {
            node.value = value.clone();
        }
        let mut text = self.text.clone();
        text.replace_range(start..end, "");
        self.accept(insert_line(&text, start, &block), &expected, path)
    }

    /// The lines of comment that stand directly above a key, as far in as the key itself, without their sign.
    pub fn comment_above(&self, path: &[Step<'_>]) -> Vec<String> {
        let Some((line, column)) = self.start_of(path) else {
            return Vec::new();
        };
        let before = &self.text[..self.line_start(line)];
        let mut lines: Vec<String> = before
            .lines()
            .rev()
            .map_while(|line| {
                let depth = line.len() - line.trim_start().len();
                let text = line.trim().strip_prefix('#')?;
                (depth + 1 == column as usize).then(|| text.trim().to_owned())
            })
            .collect();
        lines.reverse();
        lines
    }

    /// Takes a key out of its mapping, with its value and the comment directly above it.
    pub fn remove_commented(&mut self, path: &[Step<'_>]) -> Result<(), EditError> {
        let lines = self.comment_above(path).len() as u32;
        self.remove_below(path, lines)
    }

    /// Takes a key out of its mapping, with its value. Comments above it stay.
    pub fn remove(&mut self, path: &[Step<'_>]) -> Result<(), EditError> {
        self.remove_below(path, 0)
    }

    /// Takes a key out, with so many lines above it.
    fn remove_below(&mut self, path: &[Step<'_>], lines: u32) -> Result<(), EditError> {
        self.find(path)?;
        let Some((Step::Key(key), parent)) = path.split_last() else {
            return Err(self.entangled(path));
        };
        let map = self.find(parent)?.as_map();
        let Some(span) = map
            .filter(|map| map.len() > 1)
            .and_then(|map| map.key(key))
            .and_then(|key| key.span.clone())
        else {
            return Err(self.entangled(path));
        };
        let start = self.line_start(span.start.line);
        let before = &self.text[start..self.offset(start, span.start.column)];
        let end = self.end_of(path).ok_or_else(|| self.entangled(path))?;
        if !before.trim().is_empty() {
            return Err(self.entangled(path));
        }
        let mut expected = self.root.clone();
        if let Some(map) = descend(&mut expected, parent).and_then(Node::as_map_mut) {
            map.remove(key);
        }
        let mut first = self.line_start(span.start.line.saturating_sub(lines));
        // The empty line that set a commented entry off from the one before goes with it.
        if lines > 0
            && let Some(before) = self.text[..first].strip_suffix("\n\n")
        {
            first = before.len() + 1;
        }
        let mut text = self.text.clone();
        text.replace_range(first..end, "");
        self.accept(text, &expected, path)
    }

    fn find(&self, path: &[Step<'_>]) -> Result<&Node, EditError> {
        path.iter()
            .try_fold(&self.root, |node, step| match step {
                Step::Key(key) => node.get(key),
                Step::Index(index) => node.as_list()?.get(*index),
            })
            .ok_or_else(|| EditError::Missing {
                file: Arc::clone(&self.file),
                place: show(path),
            })
    }

    fn entangled(&self, path: &[Step<'_>]) -> EditError {
        EditError::Entangled {
            file: Arc::clone(&self.file),
            place: show(path),
        }
    }

    /// Takes the new text when it means what it should.
    fn accept(
        &mut self,
        text: String,
        expected: &Node,
        path: &[Step<'_>],
    ) -> Result<(), EditError> {
        match read(&text, &self.file) {
            Ok(root) if root == *expected => {
                self.text = text;
                self.root = root;
                Ok(())
            }
            _ => Err(self.entangled(path)),
        }
    }

    fn line_start(&self, line: u32) -> usize {
        self.text
            .split_inclusive('\n')
            .take(line.saturating_sub(1) as usize)
            .map(str::len)
            .sum()
    }

    /// The byte at a column of the line that starts at a byte.
    fn offset(&self, line_start: usize, column: u32) -> usize {
        let line = &self.text[line_start..];
        line.char_indices()
            .nth(column.saturating_sub(1) as usize)
            .map_or(self.text.len(), |(index, _)| line_start + index)
    }

    /// The byte after the last line of what stands at a path; comments that follow it and do not
    /// stand inside belong to what comes next.
    fn end_of(&self, path: &[Step<'_>]) -> Option<usize> {
        let own = self.start_of(path)?;
        let next = self.next_after(path);
        let start = self.line_start(own.0);
        let end = next.map_or(self.text.len(), |line| self.line_start(line));
        let indent = own.1 as usize - 1;
        let mut kept = end;
        let lines: Vec<&str> = self.text.get(start..end)?.split_inclusive('\n').collect();
        for line in lines.iter().skip(1).rev() {
            let trimmed = line.trim();
            let depth = line.len() - line.trim_start().len();
            let is_comment = trimmed.starts_with('#') && depth <= indent;
            let is_ours = !(trimmed.is_empty() || is_comment || matches!(trimmed, "..." | "---"));
            if is_ours {
                break;
            }
            kept -= line.len();
        }
        Some(kept)
    }

    /// Line and column at which the last step of a path stands.
    fn start_of(&self, path: &[Step<'_>]) -> Option<(u32, u32)> {
        let (last, parent) = path.split_last()?;
        let parent = self.find(parent).ok()?;
        let span = match last {
            Step::Key(key) => parent.as_map()?.key(key)?.span.as_ref()?,
            Step::Index(index) => parent.as_list()?.get(*index)?.span.as_ref()?,
        };
        Some((span.start.line, span.start.column))
    }

    /// The line of what comes after a path and is not inside of it.
    fn next_after(&self, path: &[Step<'_>]) -> Option<u32> {
        for depth in (1..=path.len()).rev() {
            let parent = self.find(&path[..depth - 1]).ok()?;
            let line = match path[depth - 1] {
                Step::Key(key) => parent
                    .as_map()?
                    .iter()
                    .skip_while(|(other, _)| other.text != key)
                    .nth(1)
                    .and_then(|(next, _)| Some(next.span.as_ref()?.start.line)),
                Step::Index(index) => parent
                    .as_list()?
                    .get(index + 1)
                    .and_then(|next| Some(next.span.as_ref()?.start.line)),
            };
            if line.is_some() {
                return line;
            }
        }
        None
    }
}

fn read(text: &str, file: &Arc<Path>) -> Result<Node, EditError> {
    let unreadable = || EditError::Unreadable {
        file: Arc::clone(file),
    };
    let mut documents = parse(text, Arc::clone(file)).map_err(|_| unreadable())?;
    match (documents.pop(), documents.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(unreadable()),
    }
}

fn descend<'n>(root: &'n mut Node, path: &[Step<'_>]) -> Option<&'n mut Node> {
    path.iter().try_fold(root, |node, step| match step {
        Step::Key(key) => node.as_map_mut()?.get_mut(key),
        Step::Index(index) => node.as_list_mut()?.get_mut(*index),
    })
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_) | Value::Null)
}

/// A scalar on one line, safe inside of brackets too.
fn flow(value: &Value) -> String {
    match value {
        Value::Text(text)
            if needs_quotes(text) || text.contains([',', '[', ']', '{', '}', '\n']) =>
        {
            serde_json::Value::from(text.as_str()).to_string()
        }
        Value::Text(text) => text.clone(),
        other => to_yaml(&Node::made(other.clone())).trim_end().to_owned(),
    }
}

fn indented(text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    text.lines()
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("{pad}{line}\n")
            }
        })
        .collect()
}

/// Puts lines in before a byte; they end as the lines of the text do.
fn insert_line(text: &str, at: usize, block: &str) -> String {
    let (before, after) = text.split_at(at);
    let (line_end, block) = if text.contains("\r\n") {
        ("\r\n", Cow::Owned(block.replace('\n', "\r\n")))
    } else {
        ("\n", Cow::Borrowed(block))
    };
    let line_end = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        line_end
    };
    format!("{before}{line_end}{block}{after}")
}

fn show(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "\
# my stack
services:
  web:   # the front
    image: 'nginx:1'   # pinned
    ports:
      - \"80:80\"   # http

      - 443:443
    environment: {A: 1, B: \"x\"}

  # the store
  db:
    image: postgres:16
    command: |
      a
      # not a comment
# the end
volumes:
    data:
";

    fn document(text: &str) -> Document {
        Document::new(text, Path::new("compose.yaml")).unwrap()
    }

    fn difference(before: &str, after: &str) -> String {
        let old: Vec<&str> = before.lines().collect();
        let new: Vec<&str> = after.lines().collect();
        let mut same = 0;
        while same < old.len() && same < new.len() && old[same] == new[same] {
            same += 1;
        }
        let mut tail = 0;
        while tail < old.len() - same
            && tail < new.len() - same
            && old[old.len() - 1 - tail] == new[new.len() - 1 - tail]
        {
            tail += 1;
        }
        let gone = old[same..old.len() - tail]
            .iter()
            .map(|line| format!("-{line}\n"));
        let come = new[same..new.len() - tail]
            .iter()
            .map(|line| format!("+{line}\n"));
        gone.chain(come).collect()
    }

    fn changed(change: impl FnOnce(&mut Document) -> Result<(), EditError>) -> String {
        let mut document = document(FILE);
        match change(&mut document) {
            Ok(()) => difference(FILE, document.text()),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn lines_end_as_they_do_in_the_file() {
        let mut document = document("services:\r\n  web:\r\n    image: a\r\n");
        let web = [Step::Key("services"), Step::Key("web")];
        document.insert(&web, "init", &true.into()).unwrap();
        document
            .set(&[web[0], web[1], Step::Key("image")], &"b".into())
            .unwrap();
        assert_eq!(
            document.text(),
            "services:\r\n  web:\r\n    image: b\r\n    init: true\r\n"
        );
    }

    #[test]
    fn a_scalar_keeps_its_quotes_and_its_comment() {
        let set = |path: &[Step<'_>], value: Value| changed(|document| document.set(path, &value));
        let web = [Step::Key("services"), Step::Key("web")];
        insta::assert_snapshot!(set(&[web[0], web[1], Step::Key("image")], "nginx:2".into()), @r"
        -    image: 'nginx:1'   # pinned
        +    image: 'nginx:2'   # pinned
        ");
        insta::assert_snapshot!(set(&[web[0], web[1], Step::Key("ports"), Step::Index(0)], "81:80".into()), @r#"
        -      - "80:80"   # http
        +      - "81:80"   # http
        "#);
        insta::assert_snapshot!(set(&[web[0], web[1], Step::Key("environment"), Step::Key("A")], "a, b".into()), @r#"
        -    environment: {A: 1, B: "x"}
        +    environment: {A: "a, b", B: "x"}
        "#);
        insta::assert_snapshot!(set(&[web[0], web[1], Step::Key("ports")], "x".into()), @"error: compose.yaml: `services.web.ports` cannot be changed where it stands; change it by hand");
        insta::assert_snapshot!(set(&[web[0], Step::Key("wob")], "x".into()), @"error: compose.yaml: there is nothing at `services.wob`");
    }

    #[test]
    fn keys_come_and_go() {
        let web = ["services".into(), "web".into()];
        insta::assert_snapshot!(changed(|document| document.insert(&web, "restart", &"always".into())), @"+    restart: always");
        insta::assert_snapshot!(changed(|document| {
            let map = Map::from_iter([(Key::made("image"), Node::made("redis"))]);
            document.insert(&["services".into()], "cache", &map.into())
        }), @r"
        +  cache:
        +    image: redis
        ");
        insta::assert_snapshot!(changed(|document| document.insert_commented(&web, "init", &Node::made(true), &["reaps".to_owned(), "zombies".to_owned()])), @r"
        +    # reaps
        +    # zombies
        +    init: true
        ");
        insta::assert_snapshot!(changed(|document| {
            let ports = Value::List(vec![Node::made("81:80"), Node::made("444:443")]);
            document.replace(&[web[0], web[1], "ports".into()], &ports)
        }), @r#"
        -      - "80:80"   # http
        -
        -      - 443:443
        +      - 81:80
        +      - 444:443
        "#);
        insta::assert_snapshot!(changed(|document| document.replace(&[web[0], web[1], "image".into()], &"nginx:2".into())), @"
        -    image: 'nginx:1'   # pinned
        +    image: 'nginx:2'   # pinned
        ");
        insta::assert_snapshot!(changed(|document| document.replace(&[web[0], web[1], "environment".into(), "A".into()], &Vec::new().into())), @"error: compose.yaml: `services.web.environment.A` cannot be changed where it stands; change it by hand");
        insta::assert_snapshot!(changed(|document| document.insert(&web, "image", &"x".into())), @"error: compose.yaml: `services.web.image` is there already");
        insta::assert_snapshot!(changed(|document| document.insert(&[web[0], web[1], "environment".into()], "C", &"x".into())), @"error: compose.yaml: `services.web.environment` cannot be changed where it stands; change it by hand");
        insta::assert_snapshot!(changed(|document| document.remove(&[web[0], web[1], "ports".into()])), @r#"
        -    ports:
        -      - "80:80"   # http
        -
        -      - 443:443
        "#);
        insta::assert_snapshot!(changed(|document| document.remove(&["services".into(), "db".into()])), @r"
        -  db:
        -    image: postgres:16
        -    command: |
        -      a
        -      # not a comment
        ");
        insta::assert_snapshot!(changed(|document| document.push(&[web[0], web[1], "ports".into()], &"90:90".into())), @"+      - 90:90");
    }

    proptest! {
        #[test]
        fn a_change_that_is_made_reads_back(key in "[a-z]{1,6}", value in "[ -~é\n]{0,20}") {
            let mut document = document(FILE);
            let web: [Step<'_>; 2] = ["services".into(), "web".into()];
            if document.insert(&web, &key, &Value::Text(value.clone())).is_ok() {
                let node = document.root().find(&["services", "web", &key]).unwrap();
                prop_assert_eq!(node.as_text(), Some(value.as_str()));
                prop_assert!(document.text().contains("# not a comment\n# the end\n"));
                document.remove(&[web[0], web[1], Step::Key(&key)]).unwrap();
                prop_assert_eq!(document.text(), FILE);
            }
        }
    }
}
