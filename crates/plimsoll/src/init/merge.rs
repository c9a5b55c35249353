//! What was written before, what the user made of it, and what the code says now, as one file.
//!
//! A value that still is as it was written follows the code; one that was edited stays, one that
//! was taken out stays out. Comments, order and quoting of the file stay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plimsoll_diag::Diagnostic;
use plimsoll_model::yaml::edit::{Document, EditError, Step};
use plimsoll_model::yaml::{Key, Map, Node};
use sha2::{Digest as _, Sha256};

use super::compose_file::ComposeFile;

/// What stands between the keys of a path.
const BETWEEN: &str = "\u{1f}";

/// What was written, by path: a digest of each value.
pub(crate) type Parts = BTreeMap<String, String>;

/// A merged file.
#[derive(Debug, Clone)]
pub(crate) struct Merged {
    /// Its text.
    pub(crate) text: String,
    /// Places whose values were edited, and stay.
    pub(crate) kept: Vec<String>,
    /// What has to be changed by hand.
    pub(crate) left: Vec<Diagnostic>,
}

/// The key under which the comment above a service is remembered: no key of a file is like it.
const COMMENT: &str = "\u{1f}#";

/// The parts of a file as it is written.
pub(crate) fn parts(file: &ComposeFile) -> Parts {
    let mut parts = Parts::new();
    collect(&file.tree, &mut Vec::new(), &mut parts);
    for (key, _) in services(&file.tree) {
        let lines = file.comment(&key.text);
        let path = comment_of(&["services".to_owned(), key.text.clone()]);
        parts.insert(path, digest_of(&lines.join("\n")));
    }
    parts
}

fn services(tree: &Node) -> impl Iterator<Item = (&Key, &Node)> {
    let services = tree.get("services").and_then(Node::as_map);
    services.into_iter().flat_map(Map::iter)
}

/// Where the comment above a key is remembered.
fn comment_of(path: &[String]) -> String {
    format!("{}{COMMENT}", path.join(BETWEEN))
}

fn collect(node: &Node, path: &mut Vec<String>, parts: &mut Parts) {
    match node.as_map().filter(|map| !map.is_empty()) {
        Some(map) => {
            for (key, value) in map.iter() {
                path.push(key.text.clone());
                collect(value, path, parts);
                path.pop();
            }
        }
        None => {
            parts.insert(path.join(BETWEEN), digest(node));
        }
    }
}

fn digest(node: &Node) -> String {
    digest_of(&node.to_json().to_string())
}

fn digest_of(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Merges the file as it would be written now into what there is; `written` is what was written
/// last.
pub(crate) fn compose(
    present: &str,
    file: &Path,
    fresh: &ComposeFile,
    written: &Parts,
) -> Result<Merged, EditError> {
    let mut merge = Merge {
        document: Document::new(present, file)?,
        fresh,
        written,
        kept: Vec::new(),
        left: Vec::new(),
    };
    merge.add_and_change(&fresh.tree, &mut Vec::new());
    merge.take_out(&fresh.tree, &mut Vec::new());
    Ok(Merged {
        text: merge.document.text().to_owned(),
        kept: merge.kept,
        left: merge.left,
    })
}

struct Merge<'m> {
    document: Document,
    fresh: &'m ComposeFile,
    written: &'m Parts,
    kept: Vec<String>,
    left: Vec<Diagnostic>,
}

impl Merge<'_> {
    fn add_and_change(&mut self, fresh: &Node, path: &mut Vec<String>) {
        for (key, value) in fresh.as_map().into_iter().flat_map(Map::iter) {
            path.push(key.text.clone());
            let present = find(self.document.root(), path).cloned();
            match present {
                None if self.was_written(path) => self.kept.push(path.join(".")),
                None => self.insert(path, value),
                Some(present) if present == *value => {}
                Some(present) if is_branch(&present) && is_branch(value) => {
                    self.add_and_change(value, path);
                }
                Some(present) if self.is_as_written(&present, path) => {
                    let result = self.document.replace(&steps(path), &value.value);
                    self.note(result);
                }
                Some(_) => self.kept.push(path.join(".")),
            }
            path.pop();
        }
    }

    fn insert(&mut self, path: &[String], value: &Node) {
        let Some((key, parent)) = path.split_last() else {
            return;
        };
        let comment = match parent {
            [services] if services == "services" => self.fresh.comment(key).to_vec(),
            _ => Vec::new(),
        };
        let result = self
            .document
            .insert_commented(&steps(parent), key, value, &comment);
        self.note(result);
    }

    /// Takes out what was written, was not edited, and is not found any more.
    fn take_out(&mut self, fresh: &Node, path: &mut Vec<String>) {
        let Some(present) = find(self.document.root(), path).and_then(Node::as_map) else {
            return;
        };
        let keys: Vec<String> = present.iter().map(|(key, _)| key.text.clone()).collect();
        for key in keys {
            path.push(key.clone());
            let wanted = fresh.get(&key);
            let here = find(self.document.root(), path).cloned();
            match (wanted, here) {
                (Some(wanted), Some(here)) if is_branch(wanted) && is_branch(&here) => {
                    self.take_out(wanted, path);
                }
                (None, Some(here)) if self.is_as_written(&here, path) => {
                    let steps = steps(path);
                    let above = self.document.comment_above(&steps).join("\n");
                    let is_ours = self.written.get(&comment_of(path)) == Some(&digest_of(&above));
                    let result = match is_ours {
                        true => self.document.remove_commented(&steps),
                        false => self.document.remove(&steps),
                    };
                    self.note(result);
                }
                (None, Some(here)) if self.was_written(path) && !is_branch(&here) => {
                    self.kept.push(path.join("."));
                }
                _ => {}
            }
            path.pop();
        }
    }

    fn note(&mut self, result: Result<(), EditError>) {
        if let Err(error) = result {
            self.left.push(Diagnostic::warning(error.to_string()));
        }
    }

    fn was_written(&self, path: &[String]) -> bool {
        let path = path.join(BETWEEN);
        let below = format!("{path}{BETWEEN}");
        self.written.contains_key(&path) || self.written.keys().any(|one| one.starts_with(&below))
    }

    /// Whether a value is just what was written at its place.
    fn is_as_written(&self, node: &Node, path: &[String]) -> bool {
        let mut own = Parts::new();
        collect(node, &mut path.to_vec(), &mut own);
        own.iter()
            .all(|(path, digest)| self.written.get(path) == Some(digest))
    }
}

fn is_branch(node: &Node) -> bool {
    node.as_map().is_some_and(|map| !map.is_empty())
}

fn find<'n>(root: &'n Node, path: &[String]) -> Option<&'n Node> {
    path.iter().try_fold(root, |node, key| node.get(key))
}

fn steps(path: &[String]) -> Vec<Step<'_>> {
    path.iter().map(|key| Step::Key(key)).collect()
}

/// Adds variables to a file that documents them. `blocks` are the lines of each by its name; those
/// that were written before and are gone stay out.
pub(crate) fn variables(present: &str, blocks: &[(String, String)], written: &Parts) -> String {
    let known: BTreeSet<&str> = present.lines().filter_map(documented).collect();
    let mut text = present.to_owned();
    let mut is_first = true;
    for (name, block) in blocks {
        if known.contains(name.as_str()) || written.contains_key(name) {
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if is_first && !text.is_empty() {
            text.push('\n');
        }
        is_first = false;
        text.push_str(block);
    }
    text
}

/// The variable that a line sets, or would set if it were no comment.
fn documented(line: &str) -> Option<&str> {
    let line = line.trim_start().trim_start_matches('#').trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, _) = line.split_once('=')?;
    let name = name.trim_end();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(fits)).then_some(name)
}

#[cfg(test)]
mod tests {
    use plimsoll_model::yaml::Value;
    use proptest::prelude::*;

    use super::*;

    fn file(services: &str) -> ComposeFile {
        let root = plimsoll_model::yaml::parse(services, Path::new("fresh.yaml"))
            .unwrap()
            .remove(0);
        let services: Map = root.as_map().unwrap().clone();
        let comments = services
            .iter()
            .map(|(key, _)| (key.text.clone(), vec![format!("what {} is", key.text)]))
            .collect();
        ComposeFile::overlay("# head\n".to_owned(), services, comments)
    }

    fn merged(present: &str, before: &ComposeFile, now: &ComposeFile) -> Merged {
        compose(present, Path::new("compose.yaml"), now, &parts(before)).unwrap()
    }

    const BEFORE: &str = "\
web:
  command: [run, web]
  environment:
    A: one
    B: null
  ports: ['127.0.0.1:80:80']
old:
  command: [old]
";
    const NOW: &str = "\
web:
  command: [run, app]
  environment:
    A: two
    C: null
  ports: ['127.0.0.1:90:90']
new:
  command: [new]
";

    #[test]
    fn what_is_as_it_was_written_follows_and_what_was_edited_stays() {
        let (before, now) = (file(BEFORE), file(NOW));
        let present = before
            .text()
            .replace("A: one", "A: 'mine' # said so")
            .replace("127.0.0.1:80:80", "8080:80");
        let merged = merged(&present, &before, &now);
        insta::assert_snapshot!(merged.text, @"
        # head

        services:
          # what web is
          web:
            command:
              - run
              - app
            environment:
              A: 'mine' # said so
              C: null
            ports:
              - 8080:80
          # what new is
          new:
            command:
              - new
        ");
        assert_eq!(
            merged.kept,
            ["services.web.environment.A", "services.web.ports"]
        );
        assert!(merged.left.is_empty());
    }

    #[test]
    fn what_was_taken_out_stays_out() {
        let (before, now) = (file(BEFORE), file(NOW));
        let present = "services:\n  web:\n    image: mine\n";
        let merged = merged(present, &before, &now);
        insta::assert_snapshot!(merged.text, @"
        services:
          web:
            image: mine
          # what new is
          new:
            command:
              - new
        ");
    }

    #[test]
    fn variables_are_added_once() {
        let blocks = [
            ("A".to_owned(), "# a\nA=\n".to_owned()),
            ("B".to_owned(), "# b\n# B=1\n".to_owned()),
            ("C".to_owned(), "# c\nC=\n".to_owned()),
        ];
        let written = Parts::from([("C".to_owned(), String::new())]);
        let once = variables("export A=x # mine", &blocks, &written);
        assert_eq!(once, "export A=x # mine\n\n# b\n# B=1\n");
        assert_eq!(variables(&once, &blocks, &written), once);
    }

    #[test]
    fn a_key_that_is_gone_takes_nothing_with_it() {
        let before = file(BEFORE);
        let mut now = file(NOW);
        if let Value::Map(map) = &mut now.tree.value {
            map.insert(Key::made("volumes"), Node::made(Map::new()));
        }
        let first = merged(&before.text(), &before, &now);
        let again = merged(&first.text, &now, &now);
        assert_eq!(first.text, again.text);
    }

    #[test]
    fn an_edited_comment_outlives_its_service() {
        let (before, now) = (file(BEFORE), file(NOW));
        let present = before.text().replace("# what old is", "# ask Ada first");
        let merged = merged(&present, &before, &now);
        assert!(merged.text.contains("  # ask Ada first\n"));
        assert!(!merged.text.contains("old:"));
    }

    /// Some services with some variables each.
    fn any_file() -> impl Strategy<Value = String> {
        let service = (
            0..4u8,
            prop::collection::btree_map("[A-D]", "[a-z0-9 :#]{0,6}", 0..4),
            prop::collection::vec("[a-z]{1,3}", 0..3),
        );
        prop::collection::btree_map("[p-t]", service, 1..5).prop_map(|services| {
            let of =
                |(name, (image, environment, ports)): (String, (u8, BTreeMap<_, _>, Vec<_>))| {
                    let entry = serde_json::json!({
                        "image": format!("image-{image}"),
                        "environment": environment,
                        "ports": ports,
                    });
                    format!("{name}: {entry}\n")
                };
            services.into_iter().map(of).collect()
        })
    }

    /// The text values of a tree, by path.
    fn texts(tree: &Node) -> BTreeMap<String, String> {
        fn walk(node: &Node, path: &str, texts: &mut BTreeMap<String, String>) {
            match node.as_map() {
                Some(map) => map.iter().for_each(|(key, value)| {
                    walk(value, &format!("{path}.{}", key.text), texts);
                }),
                None => {
                    texts.extend(
                        node.as_text()
                            .map(|text| (path.to_owned(), text.to_owned())),
                    );
                }
            }
        }
        let mut texts = BTreeMap::new();
        walk(tree, "", &mut texts);
        texts
    }

    proptest! {
        /// What nobody edited follows the code, comments and all, and a second run changes nothing.
        #[test]
        fn what_nobody_edited_becomes_what_is_found(before in any_file(), now in any_file()) {
            let (before, now) = (file(&before), file(&now));
            let once = merged(&before.text(), &before, &now);
            let root = plimsoll_model::yaml::parse(&once.text, Path::new("compose.yaml")).unwrap().remove(0);
            if once.left.is_empty() {
                prop_assert_eq!(texts(&root), texts(&now.tree));
                for (name, _) in services(&before.tree) {
                    let comment = format!("# what {} is\n", name.text);
                    let there = now.tree.get("services").and_then(|it| it.get(&name.text)).is_some();
                    prop_assert_eq!(once.text.matches(&comment).count(), usize::from(there), "{}", once.text);
                }
            }
            prop_assert!(once.kept.is_empty());
            let again = merged(&once.text, &now, &now);
            prop_assert_eq!(&again.text, &once.text);
        }

        /// An edited value, an own key and an own comment are there after any change of the code.
        #[test]
        fn an_edit_is_never_clobbered(before in any_file(), now in any_file(), which in any::<prop::sample::Index>()) {
            let (before, now) = (file(&before), file(&now));
            let names: Vec<String> = services(&before.tree).map(|(key, _)| key.text.clone()).collect();
            let name = which.get(&names).as_str();
            let mut edited = Document::new(before.text(), Path::new("compose.yaml")).unwrap();
            let service = [Step::Key("services"), Step::Key(name)];
            edited.set(&[service[0], service[1], Step::Key("image")], &"mine".into()).unwrap();
            edited.insert(&service, "hostname", &"my-host".into()).unwrap();
            let present = format!("{}# the end is mine\n", edited.text());
            let once = merged(&present, &before, &now);
            let root = plimsoll_model::yaml::parse(&once.text, Path::new("compose.yaml")).unwrap().remove(0);
            let values = texts(&root);
            prop_assert_eq!(&values[&format!(".services.{name}.image")], "mine");
            prop_assert_eq!(&values[&format!(".services.{name}.hostname")], "my-host");
            prop_assert!(once.text.ends_with("# the end is mine\n"), "{}", once.text);
            prop_assert_eq!(merged(&once.text, &now, &now).text, once.text);
        }
    }
}
