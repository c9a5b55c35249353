//! Which expressions of JavaScript and TypeScript stand for the environment: `process.env`, what is imported by that
//! name, and SvelteKit's own modules of variables.

use tree_sitter::Node;

use super::facts::is_of_types;
use super::sources::{Sources, text};
use super::startup::Moment;
use crate::found::FoundVariable;
use crate::needs::is_secret;
use crate::syntax::{Source, named_children};

/// Modules that export an object of the variables, under the name `env`.
const OBJECTS: &[&str] = &[
    "process",
    "node:process",
    "$env/dynamic/private",
    "$env/dynamic/public",
];

/// Modules whose every export is a variable, and whether all the world sees it. They are filled in by the build.
const STATIC: &[(&str, bool)] = &[("$env/static/private", false), ("$env/static/public", true)];

/// Whether an expression is the environment.
pub(super) fn is_environment(source: &Source, object: Node<'_>) -> bool {
    let plain: String = source
        .text_of(object)
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '?')
        .collect();
    matches!(
        plain.as_str(),
        "process.env" | "import.meta.env" | "Bun.env"
    ) || object.kind() == "identifier" && is_imported(source, &plain)
}

/// Whether a name is that of an imported object of variables: `import { env as settings } from "process"`.
fn is_imported(source: &Source, name: &str) -> bool {
    // Only saves work: most names are no such thing.
    if !name.to_ascii_lowercase().contains("env") {
        return false;
    }
    named_children(source.root())
        .into_iter()
        .filter(|node| node.kind() == "import_statement")
        .filter(|node| module(source, *node).is_some_and(|from| OBJECTS.contains(&from.as_str())))
        .flat_map(specifiers)
        .any(|specifier| {
            let named = specifier.child_by_field_name("name");
            let local = specifier.child_by_field_name("alias").or(named);
            named.is_some_and(|named| source.text_of(named) == "env")
                && local.is_some_and(|local| source.text_of(local) == name)
        })
}

fn module(source: &Source, import: Node<'_>) -> Option<String> {
    text(source, import.child_by_field_name("source")?)
}

/// What stands between the braces of an import.
fn specifiers(import: Node<'_>) -> Vec<Node<'_>> {
    let clause = named_children(import)
        .into_iter()
        .find(|child| child.kind() == "import_clause");
    clause
        .map(named_children)
        .unwrap_or_default()
        .into_iter()
        .filter(|child| child.kind() == "named_imports")
        .flat_map(named_children)
        .filter(|child| child.kind() == "import_specifier")
        .collect()
}

/// Notes the variables that an import names, without which a build ends.
pub(super) fn imported(source: &Source, import: Node<'_>, found: &mut Sources) {
    let Some((module, public)) =
        module(source, import).and_then(|from| STATIC.iter().find(|(name, _)| *name == from))
    else {
        return;
    };
    if is_of_types(source.text_of(import)) {
        return;
    }
    for specifier in specifiers(import) {
        let Some(name) = specifier.child_by_field_name("name") else {
            continue;
        };
        let place = source.place(name).in_file(source.path.clone());
        let name = source.text_of(name);
        found.missed.insert(found.variables.len(), Moment::Load);
        found.variables.push(FoundVariable {
            required: true,
            secret: !public && is_secret(name),
            why: format!("imports `{name}` from `{module}`, which the build fills in"),
            ..FoundVariable::read(name, None, place)
        });
    }
}
