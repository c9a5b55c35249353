//! What a file goes through in loops and comprehensions, and what these gather.

use tree_sitter::Node;

use super::Extractor;
use crate::python::module::{Iteration, Scope};
use crate::syntax::named_children;

impl Extractor<'_> {
    /// Notes what a loop or a comprehension goes through: `for name in NAMES`, `for name, value in WANTED.items()`.
    pub(super) fn iteration(&mut self, node: Node<'_>, scope: &Scope) {
        let (Some(left), Some(over)) = (
            node.child_by_field_name("left"),
            node.child_by_field_name("right"),
        ) else {
            return;
        };
        let parts = match left.kind() {
            "identifier" => vec![left],
            "pattern_list" | "tuple_pattern" => named_children(left),
            _ => return,
        };
        let mut parts = parts
            .into_iter()
            .map(|part| self.source.text_of(part).to_owned());
        let Some(name) = parts.next() else {
            return;
        };
        let value = parts.next();
        let gathers = value
            .as_deref()
            .map(|value| self.gathers(node, value))
            .unwrap_or_default();
        self.module.iterations.push(Iteration {
            name,
            value,
            over: self.value(over, 0),
            gathers,
            scope: scope.clone(),
        });
    }

    /// Lists that a loop adds to, or a comprehension makes, where the value it goes through is nothing:
    /// `if not value: missing.append(name)`, `missing = [name for name, value in … if not value]`.
    fn gathers(&self, node: Node<'_>, value: &str) -> Vec<String> {
        let is_nothing = |test: Node<'_>| {
            let text = self.source.text_of(test);
            let text = text.split(" or ").next().unwrap_or(text).trim();
            text.strip_prefix("not ")
                .is_some_and(|rest| rest.trim() == value)
                || text
                    .strip_prefix(value)
                    .is_some_and(|rest| matches!(rest.trim(), "is None" | "== \"\"" | "== ''"))
        };
        if node.kind() == "for_in_clause" {
            let Some(around) = node.parent() else {
                return Vec::new();
            };
            let checked = named_children(around).into_iter().any(|part| {
                part.kind() == "if_clause" && part.named_child(0).is_some_and(is_nothing)
            });
            let made = around.parent().filter(|made| made.kind() == "assignment");
            let name = made.and_then(|made| made.child_by_field_name("left"));
            return name
                .filter(|_| checked)
                .map(|name| self.source.text_of(name).to_owned())
                .into_iter()
                .collect();
        }
        let body = node.child_by_field_name("body");
        body.map(named_children)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|statement| {
                let test = statement.child_by_field_name("condition")?;
                let then = statement.child_by_field_name("consequence")?;
                let (list, _) = self.source.text_of(then).split_once(".append(")?;
                is_nothing(test).then(|| list.split_whitespace().last().map(str::to_owned))?
            })
            .collect()
    }
}
