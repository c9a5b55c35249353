//! The reference of every variable: who reads it, what it is when it is not set.

use plimsoll_model::facts::Variable;

use super::row;
use crate::Input;

/// The page.
pub(super) fn page(input: &Input<'_>) -> String {
    let mut page = format!("# Environment of {}\n\n", input.project.name);
    let mut variables: Vec<&Variable> = input.project.variables.iter().collect();
    if variables.is_empty() {
        page.push_str("No variable is read by the services' code.\n");
        return page;
    }
    variables.sort_by(|a, b| b.required.cmp(&a.required).then(a.name.cmp(&b.name)));
    let required = variables
        .iter()
        .filter(|variable| variable.required)
        .count();
    page.push_str(&format!(
        "{} variables are read, {required} of them required. A value is never written here.\n\n",
        variables.len()
    ));
    page.push_str(&row(&[
        "variable", "required", "default", "kind", "services", "read at",
    ]));
    page.push_str("|---|---|---|---|---|---|\n");
    for variable in variables {
        let default = match (&variable.default, variable.secret) {
            (_, true) => "a secret".to_owned(),
            (Some(default), false) if default.is_empty() => "empty".to_owned(),
            (Some(default), false) => format!("`{default}`"),
            (None, false) => "–".to_owned(),
        };
        let place = variable
            .evidence
            .first()
            .map_or_else(String::new, |evidence| {
                format!(
                    "`{}:{}`",
                    evidence.span.file.display(),
                    evidence.span.start.line
                )
            });
        page.push_str(&row(&[
            &format!("`{}`", variable.name),
            if variable.required { "yes" } else { "no" },
            &default,
            variable.kind.word(),
            &variable.services.join(", "),
            &place,
        ]));
    }
    page
}
