//! Checks that end the work when none of several values is there.

use tree_sitter::Node;

use super::Extractor;
use crate::python::module::{OneOf, Scope};
use crate::python::value::Value;
use crate::syntax::named_children;

/// How deep conditions are followed.
const DEPTH: usize = 8;

impl Extractor<'_> {
    /// Notes `not (A or B)`, `not A and B is None` and `not any([A, B])`.
    pub(super) fn all_absent(&mut self, test: Node<'_>, scope: &Scope) {
        let mut values = Vec::new();
        let mut over = None;
        let known = self.absences(test, &mut values, &mut over, 0);
        if known.is_some() && (values.len() > 1 || over.is_some()) {
            self.module.one_of.push(OneOf {
                values,
                over,
                scope: scope.clone(),
                place: self.source.place(test),
            });
        }
    }

    /// Notes `assert A or B`.
    pub(super) fn one_is_enough(&mut self, test: Node<'_>, scope: &Scope) {
        let mut values = Vec::new();
        self.either(test, &mut values, 0);
        if values.len() > 1 {
            self.module.one_of.push(OneOf {
                values,
                over: None,
                scope: scope.clone(),
                place: self.source.place(test),
            });
        }
    }

    /// Values all of which have to be missing for a condition to hold; `None` where something else is asked, too.
    fn absences(
        &mut self,
        test: Node<'_>,
        values: &mut Vec<Value>,
        over: &mut Option<Value>,
        depth: usize,
    ) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        match test.kind() {
            "parenthesized_expression" => {
                self.absences(test.named_child(0)?, values, over, depth + 1)
            }
            "boolean_operator" if operator(test) == "and" => {
                for side in ["left", "right"] {
                    self.absences(test.child_by_field_name(side)?, values, over, depth + 1)?;
                }
                Some(())
            }
            "not_operator" => {
                let argument = test.child_by_field_name("argument")?;
                let function = argument
                    .child_by_field_name("function")
                    .filter(|_| argument.kind() == "call");
                match function.map(|function| self.source.text_of(function)) {
                    Some("any") => self.any(argument, values, over),
                    Some("all") => None,
                    _ => {
                        self.either(argument, values, 0);
                        Some(())
                    }
                }
            }
            "comparison_operator" if self.source.text_of(test).ends_with(" is None") => {
                let compared = test.named_child(0)?;
                values.push(self.value(compared, 0));
                Some(())
            }
            _ => None,
        }
    }

    /// The values of `A or B`, `(A or B)`, `A`.
    fn either(&mut self, node: Node<'_>, values: &mut Vec<Value>, depth: usize) {
        match node.kind() {
            "parenthesized_expression" if depth < DEPTH => {
                if let Some(inner) = node.named_child(0) {
                    self.either(inner, values, depth + 1);
                }
            }
            "boolean_operator" if operator(node) == "or" && depth < DEPTH => {
                for side in ["left", "right"] {
                    if let Some(side) = node.child_by_field_name(side) {
                        self.either(side, values, depth + 1);
                    }
                }
            }
            // Both have to be there.
            "boolean_operator" => values.push(Value::Other),
            _ => values.push(self.value(node, 0)),
        }
    }

    /// `any([A, B])`, `any(os.getenv(name) for name in NAMES)`.
    fn any(
        &mut self,
        call: Node<'_>,
        values: &mut Vec<Value>,
        over: &mut Option<Value>,
    ) -> Option<()> {
        let arguments = call.child_by_field_name("arguments")?;
        let generator = match arguments.kind() {
            "generator_expression" => arguments,
            _ => arguments.named_child(0)?,
        };
        let Some(clause) = named_children(generator)
            .into_iter()
            .find(|child| child.kind() == "for_in_clause")
        else {
            if !matches!(generator.kind(), "list" | "tuple" | "set") {
                return None;
            }
            for item in named_children(generator) {
                values.push(self.value(item, 0));
            }
            return Some(());
        };
        let name = self.source.text_of(clause.child_by_field_name("left")?);
        let body = self.source.text_of(generator.child_by_field_name("body")?);
        let looked_up = ["os.getenv(", "os.environ.get(", "environ.get("]
            .iter()
            .any(|start| {
                body.strip_prefix(start)
                    .is_some_and(|rest| rest.starts_with(name))
            })
            || body == format!("{name} in os.environ");
        if !looked_up || over.is_some() {
            return None;
        }
        *over = Some(self.value(clause.child_by_field_name("right")?, 0));
        Some(())
    }
}

fn operator(node: Node<'_>) -> &str {
    node.child_by_field_name("operator")
        .map_or("", |operator| operator.kind())
}
