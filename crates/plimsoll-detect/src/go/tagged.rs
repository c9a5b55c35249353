//! Settings that viper fills a structure with: its fields are variables where viper looks at the environment.

use tree_sitter::Node;

use super::settings::{is_variable, value_of};
use crate::syntax::{DEPTH, Source, named_children};

/// The variable of a field that viper fills, by the field's tag: `mapstructure:"API_KEY"`.
pub(super) fn of_viper(source: &Source, tag: &str) -> Option<String> {
    let looks = source.text.contains(".AutomaticEnv()") || source.text.contains(".BindEnv(");
    value_of(tag, "mapstructure").filter(|name| looks && is_variable(name))
}

/// The variable that a field of a structure of the same file holds: `settings.ApiKey`.
pub(super) fn variable(source: &Source, path: &str) -> Option<String> {
    let (_, field) = path.rsplit_once('.')?;
    // Only saves work.
    if !source.text.contains("mapstructure:") {
        return None;
    }
    named(source, source.root(), field, 0)
}

fn named(source: &Source, node: Node<'_>, wanted: &str, depth: usize) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    if node.kind() == "field_declaration" {
        let name = node.child_by_field_name("name")?;
        let tag = node.child_by_field_name("tag")?;
        let tag = source.text_of(tag).trim_matches('`');
        return (source.text_of(name) == wanted)
            .then(|| of_viper(source, tag))
            .flatten();
    }
    // Structures stand outside of functions.
    if node.kind() == "block" {
        return None;
    }
    named_children(node)
        .into_iter()
        .find_map(|child| named(source, child, wanted, depth + 1))
}
