//! Syntax trees of source files, within bounds that a hostile file cannot break.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use plimsoll_diag::{Position, Span};
use serde::{Deserialize, Serialize};
use tree_sitter::{Node, ParseOptions, Parser, Tree};

use crate::node::Names;

/// A language whose files are read by syntax tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grammar {
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Rust,
    Json,
}

impl Grammar {
    fn language(self) -> tree_sitter::Language {
        match self {
            Grammar::Python => tree_sitter_python::LANGUAGE.into(),
            Grammar::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Grammar::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Grammar::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Grammar::Go => tree_sitter_go::LANGUAGE.into(),
            Grammar::Rust => tree_sitter_rust::LANGUAGE.into(),
            Grammar::Json => tree_sitter_json::LANGUAGE.into(),
        }
    }

    /// The language of a source file, by its extension.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()? {
            "py" | "pyw" => Grammar::Python,
            "js" | "mjs" | "cjs" | "jsx" => Grammar::JavaScript,
            "ts" | "mts" | "cts" => Grammar::TypeScript,
            "tsx" => Grammar::Tsx,
            "go" => Grammar::Go,
            "rs" => Grammar::Rust,
            "json" => Grammar::Json,
            _ => return None,
        })
    }
}

/// How deep a walk over a tree goes. Code that people write stays far below; the walk is
/// recursive, so a deeper tree is cut off rather than allowed to end the process.
pub(crate) const DEPTH: usize = 180;

/// How often a parser asks whether to go on, beyond once every sixteen bytes: error recovery on text that
/// is no program takes time out of all proportion.
const PATIENCE: usize = 20_000;

/// Columns beyond this are counted in bytes: counting characters of a file that is one line would
/// take the square of its length.
pub(crate) const LONGEST_LINE: usize = 2_000;

/// A parsed file.
pub(crate) struct Source {
    pub(crate) path: Arc<Path>,
    pub(crate) text: String,
    tree: Tree,
    /// What a file of JavaScript or TypeScript names, once that was asked.
    pub(crate) names: OnceLock<Names>,
}

impl Source {
    /// Parses `text`; `None` when the parser gave up, or for scripts that a bundler made.
    pub(crate) fn parse(path: Arc<Path>, text: String, grammar: Grammar) -> Option<Self> {
        let script = matches!(
            grammar,
            Grammar::JavaScript | Grammar::TypeScript | Grammar::Tsx
        );
        if script && is_bundled(&text) {
            return None;
        }
        let mut parser = Parser::new();
        parser.set_language(&grammar.language()).ok()?;
        let mut asked = 0usize;
        let patience = PATIENCE + text.len() / 16;
        let mut progress = |_: &tree_sitter::ParseState| {
            asked += 1;
            if asked > patience {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let bytes = text.as_bytes();
        let tree = parser.parse_with_options(
            &mut |offset, _| bytes.get(offset..).unwrap_or_default(),
            None,
            Some(ParseOptions::new().progress_callback(&mut progress)),
        )?;
        Some(Self {
            path,
            text,
            tree,
            names: OnceLock::new(),
        })
    }

    /// The whole file.
    pub(crate) fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    /// The text of `node`.
    pub(crate) fn text_of(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// The place of `node`.
    pub(crate) fn place(&self, node: Node<'_>) -> Place {
        Place {
            start: self.position(node.start_position(), node.start_byte()),
            end: self.position(node.end_position(), node.end_byte()),
        }
    }

    fn position(&self, point: tree_sitter::Point, byte: usize) -> Position {
        let column = if point.column > LONGEST_LINE {
            point.column
        } else {
            self.text
                .get(byte.saturating_sub(point.column)..byte)
                .map_or(point.column, |before| before.chars().count())
        };
        Position {
            line: point.row as u32 + 1,
            column: column as u32 + 1,
        }
    }
}

/// Whether a bundler made a script of a program and all of its libraries: what it says is theirs, and a line of half a
/// million bytes is one that nobody wrote. Long lines that are no code, such as a picture, do not count.
fn is_bundled(text: &str) -> bool {
    /// A script that is smaller is read whatever it looks like.
    const SMALL: usize = 32 << 10;
    /// Bytes of a line that no person writes.
    const LONG: usize = 2_000;
    /// In so many bytes of code without spaces a function begins, or one ends.
    const DENSE: usize = 500;
    if text.len() < SMALL {
        return false;
    }
    let is_code = |line: &&str| {
        let marks = ["=>", "function", "return"];
        let found: usize = marks.iter().map(|mark| line.matches(mark).count()).sum();
        line.len() > LONG && found > line.len() / DENSE
    };
    let made: usize = text.lines().filter(is_code).map(str::len).sum();
    made > text.len() / 2
}

/// A range in a file that the holder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) start: Position,
    pub(crate) end: Position,
}

impl Place {
    /// The start of a line.
    pub(crate) fn line(line: u32) -> Self {
        let start = Position { line, column: 1 };
        Self { start, end: start }
    }

    /// The place in `file`.
    pub(crate) fn in_file(self, file: Arc<Path>) -> Span {
        Span {
            file,
            start: self.start,
            end: self.end,
        }
    }
}

/// The children of `node` that carry meaning.
pub(crate) fn named_children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_no_source_and_a_picture_in_one_is() {
        let bundle = "function a(b){return b=>b+1};".repeat(4_000);
        assert!(is_bundled(&format!("/*! made */\n{bundle}\n")));
        let written = "function a(b) {\n  return (c) => b + c;\n}\n".repeat(4_000);
        assert!(!is_bundled(&written));
        let picture = format!("const icon = '{}';\n", "iVBORw0KGgo".repeat(20_000));
        assert!(!is_bundled(&(picture + "app.listen(3000);\n")));
        let small = "function a(b){return b=>b+1};".repeat(100);
        assert!(!is_bundled(&small));
    }
}
