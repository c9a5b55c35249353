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
    let tagged = source.text.contains("mapstructure:");
    let by_tag = || named(source, source.root(), field, 0);
    tagged
        .then(by_tag)
        .flatten()
        .or_else(|| filled(&source.text, field))
}

/// The variable that a line of the same file fills a field with, where nothing stands in for it: `Key: os.Getenv("KEY"),`,
/// `settings.Key = getEnv("KEY", "")`.
fn filled(text: &str, field: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let value = line
            .strip_prefix(field)
            .and_then(|rest| rest.strip_prefix(':'))
            .or_else(|| {
                let (before, value) = line.split_once(" = ")?;
                let (_, last) = before.rsplit_once('.')?;
                (last == field).then_some(value)
            })?;
        let (called, arguments) = value.trim().split_once("(\"")?;
        let (name, rest) = arguments.split_once('"')?;
        let reads = called.to_ascii_lowercase().contains("env");
        let bare = rest.starts_with(')') || rest.starts_with(", \"\")");
        (reads && bare && is_variable(name)).then(|| name.to_owned())
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_filled_with_a_variable() {
        let text = "\tToken:   os.Getenv(\"TOKEN\"),\n\tLevel: getEnv(\"LEVEL\", \"info\"),\n\tcfg.Key = getEnvString(\"KEY\", \"\")\n\tPath: filepath.Join(\"A_B\"),\n";
        for (field, name) in [
            ("Token", Some("TOKEN")),
            ("Level", None),
            ("Key", Some("KEY")),
            ("Path", None),
        ] {
            assert_eq!(filled(text, field).as_deref(), name, "{field}");
        }
    }
}
