//! What Vite's configuration says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::Span;
use tree_sitter::Node;

use super::locations::location;
use super::names::declaration;
use super::numbers::number;
use super::sources::text;
use crate::location::{Location, Origin};
use crate::places;
use crate::syntax::{DEPTH, Grammar, Source, named_children};
use crate::tree::Tree;

/// What a Vite configuration says.
#[derive(Debug, Clone)]
pub(crate) struct ViteConfig {
    pub(crate) span: Span,
    /// The directory of the pages' sources, seen from the package.
    pub(crate) root: Option<PathBuf>,
    output: Option<Location>,
    pub(crate) port: Option<u16>,
    pub(crate) library: bool,
    /// Paths that the development server passes on.
    pub(crate) proxied: Vec<Proxied>,
}

/// A path that the development server passes on.
#[derive(Debug, Clone)]
pub(crate) struct Proxied {
    pub(crate) path: String,
    /// Where to, as far as it is plain: `http://localhost:8000`.
    pub(crate) target: Option<String>,
    /// What the path is replaced with, where a rule says so.
    pub(crate) replacement: Option<String>,
    pub(crate) span: Span,
}

/// The first address in an expression, a name looked for in the same file.
fn address(source: &Source, node: Node<'_>, depth: usize) -> Option<String> {
    if depth > 8 {
        return None;
    }
    if let Some(found) = text(source, node) {
        return ["http://", "https://", "ws://"]
            .iter()
            .any(|scheme| found.starts_with(scheme))
            .then_some(found);
    }
    if node.kind() == "identifier" {
        let value = declaration(source, source.text_of(node))?;
        return address(source, value, depth + 1);
    }
    named_children(node)
        .into_iter()
        .find_map(|child| address(source, child, depth + 1))
}

/// What `rewrite: path => path.replace(/^\/api/, "")` puts in the place of the path's start.
fn rewrites(source: &Source, node: Node<'_>) -> Option<String> {
    let pair = named_children(node).into_iter().find(|pair| {
        let key = pair
            .child_by_field_name("key")
            .or_else(|| pair.child_by_field_name("name"));
        key.is_some_and(|key| source.text_of(key) == "rewrite")
    })?;
    replaced(source, pair, 0)
}

fn replaced(source: &Source, node: Node<'_>, depth: usize) -> Option<String> {
    if depth > 8 {
        return None;
    }
    if node.kind() == "call_expression"
        && node
            .child_by_field_name("function")
            .is_some_and(|function| source.text_of(function).ends_with(".replace"))
    {
        return text(
            source,
            node.child_by_field_name("arguments")?.named_child(1)?,
        );
    }
    named_children(node)
        .into_iter()
        .find_map(|child| replaced(source, child, depth + 1))
}

impl ViteConfig {
    /// Reads the configuration in `directory`.
    pub(crate) fn read(tree: &Tree, directory: &Path) -> Option<Self> {
        let path: PathBuf = ["ts", "mts", "js", "mjs", "cts", "cjs"]
            .into_iter()
            .map(|end| directory.join(format!("vite.config.{end}")))
            .find(|path| tree.has_file(path))?;
        let shown: Arc<Path> = tree.shown(&path);
        let source = Source::parse(shown.clone(), tree.source(&path)?, Grammar::of(&path)?)?;
        let mut config = Self {
            span: Span::line(shown, 1),
            output: None,
            root: None,
            port: None,
            library: false,
            proxied: Vec::new(),
        };
        config.walk(&source, source.root(), &mut Vec::new(), 0);
        Some(config)
    }

    /// Where the pages come to lie, seen from the package: `stated` is what a command says.
    pub(crate) fn output(&self, stated: Option<&str>) -> PathBuf {
        let below = |path: &str| {
            let root = self.root.clone().unwrap_or_default();
            Location::written(places::text(&root.join(path))).beside()
        };
        match (stated, &self.output) {
            (Some(stated), _) => below(stated),
            // A relative directory is seen from that of the sources.
            (None, Some(output)) if output.origin == Origin::Written => below(&output.way),
            (None, Some(output)) => output.beside(),
            (None, None) => below("dist"),
        }
    }

    /// Collects what stands under keys of object literals: `build: { outDir: "x" }`.
    fn walk(&mut self, source: &Source, node: Node<'_>, keys: &mut Vec<String>, depth: usize) {
        if depth > DEPTH {
            return;
        }
        if node.kind() == "pair" {
            let key = node
                .child_by_field_name("key")
                .map(|key| source.text_of(key).trim_matches(['"', '\'']).to_owned());
            let (Some(key), Some(value)) = (key, node.child_by_field_name("value")) else {
                return;
            };
            keys.push(key);
            let path: Vec<&str> = keys.iter().map(String::as_str).collect();
            match path.as_slice() {
                ["build", "outDir"] => self.output = location(source, value),
                ["build", "lib"] => self.library = true,
                ["root"] => self.root = location(source, value).map(|root| root.beside()),
                ["server", "port"] => self.port = number(source, value, 0),
                ["server", "proxy", path] => {
                    let span = source.place(node).in_file(source.path.clone());
                    self.proxied.push(Proxied {
                        path: (*path).to_owned(),
                        target: address(source, value, 0),
                        replacement: rewrites(source, value),
                        span,
                    });
                }
                _ => {}
            }
            self.walk(source, value, keys, depth + 1);
            keys.pop();
            return;
        }
        for child in named_children(node) {
            self.walk(source, child, keys, depth + 1);
        }
    }
}
