//! What is missing is noted in a list first, and the list ends the work: `missing = append(missing, "KEY")` and then
//! `if len(missing) > 0 { return … }`.

use tree_sitter::Node;

use super::settings::{ends, gives_error};
use crate::syntax::Source;

/// Whether the body of a condition only notes what is missing, and a check behind it ends the work for it.
pub(super) fn ends_later(source: &Source, condition: Node<'_>, body: Node<'_>) -> bool {
    let text = source.text_of(body);
    let noted = text.split_once(" = append(").and_then(|(before, after)| {
        let list = before.split_whitespace().last()?;
        after.strip_prefix(list)?.starts_with(',').then_some(list)
    });
    let Some(list) = noted else {
        return false;
    };
    let mut next = condition.next_named_sibling();
    while let Some(statement) = next {
        let asked = statement
            .child_by_field_name("condition")
            .map_or("", |asked| source.text_of(asked));
        let asks = [format!("len({list}) > 0"), format!("len({list}) != 0")];
        if statement.kind() == "if_statement" && asks.iter().any(|one| asked == one) {
            let body = statement
                .child_by_field_name("consequence")
                .map_or("", |body| source.text_of(body));
            return ends(body) || body.contains("return") && !body.contains("return nil\n");
        }
        // `if len(missing) == 0 { return nil }`, and an error behind it.
        if statement.kind() == "if_statement" && asked == format!("len({list}) == 0") {
            let behind = statement.next_named_sibling();
            return behind.is_some_and(|behind| gives_error(source.text_of(behind)));
        }
        next = statement.next_named_sibling();
    }
    false
}
