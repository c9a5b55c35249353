//! The image's files as far as the loader cares: ELF files, and links that lead to them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::object::ObjectFacts;
use super::part::PartFacts;

/// How many links one look-up follows.
const LONGEST_CHAIN: usize = 40;

/// An ELF file and the layer that it is in.
#[derive(Debug)]
pub(super) struct Placed {
    pub facts: ObjectFacts,
    pub layer: usize,
}

#[derive(Debug, Clone)]
enum Node {
    Object(usize),
    Link(String),
}

/// All layers, one over the other.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<String, Node>,
    objects: Vec<Placed>,
    search: Vec<String>,
    /// File names and names that libraries give themselves.
    names: HashSet<String>,
}

impl Tree {
    pub(super) fn new(layers: Vec<Vec<PartFacts>>) -> Self {
        let mut tree = Self::default();
        for (layer, parts) in layers.into_iter().enumerate() {
            // A whiteout speaks of the layers below, whatever its place in the archive.
            for removed in parts.iter().flat_map(|part| &part.removed) {
                let below = format!("{}/", removed.trim_end_matches('/'));
                tree.nodes
                    .retain(|path, _| path != removed && !path.starts_with(&below));
            }
            for part in parts {
                for (path, target) in part.links {
                    tree.nodes.insert(path, Node::Link(target));
                }
                for facts in part.objects {
                    let node = Node::Object(tree.objects.len());
                    tree.nodes.insert(facts.path.clone(), node);
                    tree.objects.push(Placed { facts, layer });
                }
                tree.search.extend(part.search);
            }
        }
        let present: HashMap<usize, String> = tree
            .nodes
            .iter()
            .filter_map(|(path, node)| match node {
                Node::Object(index) => Some((*index, path.clone())),
                Node::Link(_) => None,
            })
            .collect();
        for (index, path) in &present {
            let soname = tree.objects[*index].facts.soname.clone();
            tree.names.extend(soname);
            tree.names
                .extend(path.rsplit('/').next().map(str::to_owned));
        }
        tree
    }

    /// Every ELF file that no layer hides, by path.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Placed> {
        self.nodes.values().filter_map(|node| match node {
            Node::Object(index) => self.objects.get(*index),
            Node::Link(_) => None,
        })
    }

    /// Directories that the loader is configured to search.
    pub(super) fn configured(&self) -> &[String] {
        &self.search
    }

    /// Whether a library of this name is anywhere.
    pub(super) fn is_anywhere(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The ELF file that a path leads to.
    pub(super) fn find(&self, path: &str) -> Option<&Placed> {
        let mut left: Vec<String> = Vec::new();
        push_components(&mut left, path);
        let mut resolved: Vec<String> = Vec::new();
        let mut followed = 0;
        while let Some(component) = left.pop() {
            if component == ".." {
                resolved.pop();
                continue;
            }
            resolved.push(component);
            match self.nodes.get(&resolved.join("/")) {
                Some(Node::Link(target)) => {
                    followed += 1;
                    if followed > LONGEST_CHAIN {
                        return None;
                    }
                    if target.starts_with('/') {
                        resolved.clear();
                    } else {
                        resolved.pop();
                    }
                    push_components(&mut left, target);
                }
                Some(Node::Object(index)) if left.is_empty() => return self.objects.get(*index),
                _ => {}
            }
        }
        None
    }
}

/// Puts a path's components on a stack, so that the first is popped first.
fn push_components(stack: &mut Vec<String>, path: &str) {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    stack.extend(parts.into_iter().rev().map(str::to_owned));
}
