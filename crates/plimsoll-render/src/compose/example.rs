//! `.env.example` of a project that has none: every variable that is read from `.env`.

use std::collections::BTreeMap;

use super::document::references;
use super::stack::Stack;
use crate::Rendering;
use crate::header::{header, is_rendered};

/// Writes the file, unless the project has one of its own.
pub(super) fn write(stack: &Stack<'_>, rendering: &mut Rendering) {
    let input = stack.input;
    let path = input.project.directory.join(".env.example");
    if input
        .contents
        .get(&path)
        .is_some_and(|text| !is_rendered(text))
    {
        return;
    }
    // What has to be set, then what may be.
    let mut required: BTreeMap<String, String> = BTreeMap::new();
    let mut optional: BTreeMap<String, String> = BTreeMap::new();
    for one in &stack.all {
        for (name, value) in &one.service.environment {
            match &value.value {
                Some(value) => {
                    for variable in references(value) {
                        required.insert(variable, format!("read by {}", one.name()));
                    }
                }
                None => {
                    let known = input.project.variables.iter().find(|it| it.name == *name);
                    let is_required = known.is_some_and(|variable| variable.required);
                    let to = if is_required {
                        &mut required
                    } else {
                        &mut optional
                    };
                    to.insert(name.clone(), format!("read by {}", one.name()));
                }
            }
        }
    }
    let mut text = header(input, "compose");
    text.push_str("# Copy to `.env` and fill in; `.env` is not committed.\n");
    for (what, variables, mark) in [("Required", required, ""), ("Optional", optional, "# ")] {
        if variables.is_empty() {
            continue;
        }
        text.push_str(&format!("\n# {what}\n"));
        for (name, why) in variables {
            text.push_str(&format!("# {why}\n{mark}{name}=\n"));
        }
    }
    rendering.file(".env.example", text);
}
