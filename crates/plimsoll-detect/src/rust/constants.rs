//! Variables whose names are constants, of the same file or of another module: `env::var(names::STORE_URL)`.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::item::Item;
use super::settings;
use crate::found::FoundVariable;
use crate::syntax::Source;

/// Notes a variable that is read by a constant. Which one it is, the whole crate tells.
pub(super) fn read(source: &Source, call: Node<'_>, name: Node<'_>, item: &mut Item) {
    let path = source.text_of(name).trim_start_matches('&');
    let last = path.rsplit("::").next().unwrap_or(path);
    let is_path = path
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
    if !is_path || !settings::is_variable(last) {
        return;
    }
    let mut read_of = Item::default();
    settings::read(source, call, path, &mut read_of);
    let certain = item.name == "main" || panics(source, call);
    item.by_constant
        .extend(read_of.variables.into_iter().map(|mut variable| {
            variable.required &= certain && !depends(call);
            variable
        }));
}

/// Whether the program ends where the value is not there, as opposed to what only gives an error back.
fn panics(source: &Source, call: Node<'_>) -> bool {
    let mut around = call;
    while let Some(parent) = around.parent().filter(|parent| {
        !parent.kind().ends_with("_declaration")
            && !matches!(parent.kind(), "block" | "expression_statement")
    }) {
        around = parent;
    }
    let text = source.text_of(around);
    [".expect(", ".unwrap()", "panic!(", "exit("]
        .iter()
        .any(|word| text.contains(word))
}

/// Whether a condition, or a closure that somebody may call, stands before a node.
fn depends(node: Node<'_>) -> bool {
    let mut inner = node;
    while let Some(around) = inner.parent() {
        match around.kind() {
            "function_item" => return false,
            "match_arm" | "closure_expression" => return true,
            "if_expression" if around.child_by_field_name("condition") != Some(inner) => {
                return true;
            }
            _ => inner = around,
        }
    }
    false
}

/// Gives the variables of a crate's items their names.
pub(super) fn resolve(items: &mut [Item]) {
    let mut exact: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut by_name: BTreeMap<String, Option<String>> = BTreeMap::new();
    for item in items.iter() {
        let Some(value) = &item.constant else {
            continue;
        };
        exact.insert((item.module.clone(), item.name.clone()), value.clone());
        by_name
            .entry(item.name.clone())
            // Two of one name that say different things say nothing.
            .and_modify(|known| {
                if known.as_ref() != Some(value) {
                    *known = None;
                }
            })
            .or_insert_with(|| Some(value.clone()));
    }
    for item in items {
        for read in std::mem::take(&mut item.by_constant) {
            let (before, name) = read.name.rsplit_once("::").unwrap_or(("", &read.name));
            let module = match before.rsplit("::").next().unwrap_or(before) {
                "" | "self" | "Self" => item.module.as_str(),
                module => module,
            };
            let known = exact.get(&(module.to_owned(), name.to_owned()));
            let Some(value) = known.or_else(|| by_name.get(name)?.as_ref()) else {
                continue;
            };
            let default = read.default.clone();
            item.ports
                .extend(settings::own_port(value, default.as_deref()));
            let found = FoundVariable::read(value, default, read.span).required(read.required);
            item.variables.push(found);
        }
    }
}
