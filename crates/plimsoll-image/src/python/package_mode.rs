//! Manifests of Poetry whose project is no distribution (`package-mode = false`). Its build system says what a project
//! needs only where it is one; what is resolved from is a copy that is.

use toml::{Table, Value};

/// The manifest as that of a distribution with the same dependencies; `None` where it stays as it is.
pub(super) fn as_distribution(text: &str) -> Option<String> {
    let mut document: Table = text.parse().ok()?;
    if document.contains_key("project") {
        // What is stated there is read without the build system.
        return None;
    }
    let poetry = document
        .get_mut("tool")?
        .get_mut("poetry")?
        .as_table_mut()?;
    if poetry.remove("package-mode")?.as_bool() != Some(false) {
        return None;
    }
    // Nothing of them tells what is needed, and each may name what is not there.
    for key in ["readme", "scripts", "plugins", "include", "exclude"] {
        poetry.remove(key);
    }
    let text = |text: &str| Value::String(text.to_string());
    for (key, value) in [
        ("name", text("project")),
        ("version", text("0")),
        ("description", text("")),
        ("authors", Value::Array(Vec::new())),
    ] {
        poetry.entry(key).or_insert(value);
    }
    // A distribution has a module: the one file that is certainly there.
    let module = Table::from_iter([("include".to_string(), text("pyproject.toml"))]);
    poetry.insert(
        "packages".to_string(),
        Value::Array(vec![Value::Table(module)]),
    );
    Some(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_that_is_no_distribution_states_its_dependencies_as_one() {
        let text = "[tool.poetry]\npackage-mode = false\nreadme = 'gone.md'\n\n[tool.poetry.dependencies]\npython = '^3.12'\n";
        let made: Table = as_distribution(text).unwrap().parse().unwrap();
        let poetry = made["tool"]["poetry"].as_table().unwrap();
        let keys: Vec<&str> = poetry.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "authors",
                "dependencies",
                "description",
                "name",
                "packages",
                "version"
            ]
        );
        assert_eq!(poetry["dependencies"]["python"].as_str(), Some("^3.12"));
        assert_eq!(as_distribution("[tool.poetry]\nname = 'x'\n"), None);
        assert_eq!(
            as_distribution("[tool.poetry]\npackage-mode = true\n"),
            None
        );
        assert_eq!(
            as_distribution("[project]\nname = 'x'\n[tool.poetry]\npackage-mode = false\n"),
            None
        );
    }
}
