//! `!reset` and `!override`.
//!
//! Both make earlier files forget what they said at a place. A value with `!reset` is then gone
//! altogether, one with `!override` stands as it is written.

use super::path::Path;
use crate::yaml::{Map, Node, Tag, Value};

/// Places whose earlier values are forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct Resets(Vec<Vec<String>>);

/// Takes the tagged values out of a file and tells the places.
pub(super) fn take(root: &mut Node) -> Resets {
    let mut resets = Resets::default();
    collect(root, &mut Vec::new(), &mut resets);
    resets
}

fn collect(node: &mut Node, path: &mut Vec<String>, resets: &mut Resets) {
    match &mut node.value {
        Value::Map(map) => {
            map.retain(|key, node| {
                path.push(key.text.clone());
                let keep = visit(node, path, resets);
                path.pop();
                keep
            });
        }
        Value::List(list) => {
            let mut index = 0;
            list.retain_mut(|node| {
                path.push(index.to_string());
                let keep = visit(node, path, resets);
                path.pop();
                index += 1;
                keep
            });
        }
        _ => {}
    }
}

fn visit(node: &mut Node, path: &mut Vec<String>, resets: &mut Resets) -> bool {
    match node.tag.take() {
        Some(Tag::Reset) => {
            resets.0.push(path.clone());
            false
        }
        Some(Tag::Override) => {
            resets.0.push(path.clone());
            true
        }
        None => {
            collect(node, path, resets);
            true
        }
    }
}

impl Resets {
    /// Forgets, in what earlier files said.
    pub(super) fn apply(&self, earlier: &mut Map) {
        if !self.0.is_empty() {
            self.forget(earlier, &Path::ROOT);
        }
    }

    /// Forgets, in one entry of one section.
    pub(super) fn apply_in(&self, section: &str, name: &str, entry: &mut Node) {
        if self.0.is_empty() {
            return;
        }
        let section = Path::ROOT.child(section);
        if let Some(map) = entry.as_map_mut() {
            self.forget(map, &section.child(name));
        }
    }

    fn forget(&self, map: &mut Map, path: &Path<'_>) {
        map.retain(|key, node| {
            let path = path.child(&key.text);
            if self.0.iter().any(|reset| path.matches(reset)) {
                return false;
            }
            if let Value::Map(map) = &mut node.value {
                self.forget(map, &path);
            }
            true
        });
    }
}
