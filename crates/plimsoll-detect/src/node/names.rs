//! Where a file of JavaScript or TypeScript declares and calls what it names. Worked out once for a file: ports,
//! defaults and lists are followed through names again and again, which in a file of ten thousand lines takes minutes
//! where each look goes through all of it.

use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::{Node, TreeCursor};

use crate::syntax::{DEPTH, Source, named_children};

/// How deep declarations are looked for: those of the file itself, and of functions in it.
const DECLARED: usize = 12;

/// Declarations and calls, by the name that stands there. Nodes are kept by their place among all of the file.
#[derive(Debug, Default)]
pub(crate) struct Names {
    declared: HashMap<Box<str>, usize>,
    called: HashMap<Box<str>, Vec<usize>>,
}

impl Names {
    fn of(source: &Source) -> Self {
        let mut names = Self::default();
        let mut cursor = source.root().walk();
        names.walk(source, &mut cursor, 0);
        names
    }

    fn walk(&mut self, source: &Source, cursor: &mut TreeCursor<'_>, depth: usize) {
        if depth > DEPTH {
            return;
        }
        let node = cursor.node();
        let text = |field: &str| {
            node.child_by_field_name(field)
                .map(|name| source.text_of(name))
        };
        match node.kind() {
            "variable_declarator" if depth <= DECLARED => {
                // One without a value says nothing: `let port;`.
                let given = node.child_by_field_name("value").is_some();
                if let Some(name) = text("name").filter(|_| given) {
                    let place = cursor.descendant_index();
                    self.declared.entry(name.into()).or_insert(place);
                }
            }
            "call_expression" | "new_expression" => {
                if let Some(name) = text("function").or_else(|| text("constructor"))
                    && is_name(name)
                {
                    let place = cursor.descendant_index();
                    self.called.entry(name.into()).or_default().push(place);
                }
            }
            _ => {}
        }
        if !cursor.goto_first_child() {
            return;
        }
        loop {
            if cursor.node().is_named() {
                self.walk(source, cursor, depth + 1);
            }
            if !cursor.goto_next_sibling() {
                break;
            }
        }
        cursor.goto_parent();
    }
}

/// Whether what is called is a function by its own name: a function of the file is called so, what an expression gives is not.
fn is_name(text: &str) -> bool {
    !text.contains(['.', '(', ' ', '\n'])
}

fn names(source: &Source) -> &Names {
    source.names.get_or_init(|| Names::of(source))
}

fn node(source: &Source, place: usize) -> Node<'_> {
    let mut cursor = source.root().walk();
    cursor.goto_descendant(place);
    cursor.node()
}

/// The value that the first declaration of a name gives it: `3000` of `const PORT = 3000`.
pub(super) fn declaration<'t>(source: &'t Source, name: &str) -> Option<Node<'t>> {
    let place = names(source).declared.get(name)?;
    node(source, *place).child_by_field_name("value")
}

/// What the first call of a function hands over at a position. Calls within `body` do not count: a function that calls
/// itself hands over another value each time.
pub(super) fn handed_to<'t>(
    source: &'t Source,
    function: &str,
    position: usize,
    body: &Range<usize>,
) -> Option<Node<'t>> {
    let places = names(source).called.get(function)?;
    places.iter().find_map(|place| {
        let call = node(source, *place);
        let at = call.byte_range();
        if body.start <= at.start && at.end <= body.end {
            return None;
        }
        let arguments = call.child_by_field_name("arguments")?;
        named_children(arguments).into_iter().nth(position)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::syntax::Grammar;

    fn source(text: &str) -> Source {
        let path = Arc::from(Path::new("x.ts"));
        Source::parse(path, text.to_owned(), Grammar::TypeScript).unwrap()
    }

    #[test]
    fn the_first_declaration_with_a_value_counts() {
        let source = source("let port;\nfunction f() { const port = 1; }\nconst port = 2;\n");
        let value = declaration(&source, "port").map(|node| source.text_of(node));
        assert_eq!(value, Some("1"));
        assert_eq!(declaration(&source, "host"), None);
    }

    #[test]
    fn what_a_call_hands_over_is_found_outside_of_the_function_itself() {
        let source = source("function start(port) { start(port + 1); }\nstart();\nstart(3000);\n");
        let body = source.root().named_child(0).unwrap().byte_range();
        let value = handed_to(&source, "start", 0, &body).map(|node| source.text_of(node));
        assert_eq!(value, Some("3000"));
        assert_eq!(handed_to(&source, "start", 1, &body), None);
    }
}
