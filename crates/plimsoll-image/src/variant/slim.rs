//! What the slim variant leaves out of packages, beyond what no image has.

use std::collections::BTreeSet;

/// Ends of files of Node packages that nothing loads.
const NODE_EXTRAS: [&str; 8] = [
    ".map",
    ".d.ts",
    ".d.mts",
    ".d.cts",
    ".md",
    ".markdown",
    ".flow",
    ".tsbuildinfo",
];

/// Whether a file of an installed Node package is left out.
pub(crate) fn is_node_extra(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    // Licences stay, whatever they are called.
    let lower = name.to_ascii_lowercase();
    let is_licence = ["licen", "copying", "notice"]
        .iter()
        .any(|start| lower.starts_with(start));
    !is_licence && NODE_EXTRAS.iter().any(|end| lower.ends_with(end))
}

/// The files of one Python distribution that are left out: tests that none of its modules names,
/// and translations. Paths are below the environment; `text` gives a module's source.
pub(crate) fn python_extras<'p>(
    paths: impl Iterator<Item = &'p str> + Clone,
    text: impl Fn(&str) -> Option<String>,
) -> BTreeSet<String> {
    let mut tests: BTreeSet<&str> = BTreeSet::new();
    for path in paths.clone() {
        if let Some(directory) = tests_of(path) {
            tests.insert(directory);
        }
    }
    if !tests.is_empty() {
        // What imports its own tests needs them.
        for path in paths.clone() {
            if !path.ends_with(".py") || tests_of(path).is_some() {
                continue;
            }
            let Some(source) = text(path) else { continue };
            tests.retain(|directory| !names(path, &source, directory));
            if tests.is_empty() {
                break;
            }
        }
    }
    paths
        .filter(|path| {
            tests_of(path).is_some_and(|directory| tests.contains(directory))
                || is_translation(path)
        })
        .map(str::to_owned)
        .collect()
}

/// `lib/python3.13/site-packages/a/b/tests` of a file in it.
fn tests_of(path: &str) -> Option<&str> {
    let inside = path.find("/site-packages/")? + "/site-packages/".len();
    let found = ["/tests/", "/test/"]
        .iter()
        .filter_map(|name| Some(inside + path[inside..].find(name)? + name.len() - 1))
        .min()?;
    Some(&path[..found])
}

/// Whether the module at `path` names a package of tests: `a.b.tests`, or, from within the package
/// that holds the tests, `from .tests`, `from . import tests`.
fn names(path: &str, source: &str, directory: &str) -> bool {
    let (_, dotted) = directory.split_once("/site-packages/").unwrap_or(("", ""));
    let (package, last) = dotted.rsplit_once('/').unwrap_or(("", dotted));
    if source.contains(&dotted.replace('/', ".")) && !package.is_empty() {
        return true;
    }
    let (_, module) = path.split_once("/site-packages/").unwrap_or(("", path));
    let top = package.split('/').next().unwrap_or(package);
    module.starts_with(top)
        && (source.contains(&format!(".{last} import"))
            || source.contains(&format!("import {last}"))
            || source.contains(&format!("import_module(\".{last}")))
}

/// Translations into other languages than English. Django looks for its own at the start.
fn is_translation(path: &str) -> bool {
    let Some((before, after)) = path.split_once("/locale/") else {
        return false;
    };
    let is_file = path.ends_with(".mo") || path.ends_with(".po");
    is_file
        && before.contains("/site-packages/")
        && !before.contains("/django")
        && !after.starts_with("en")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_go_unless_their_package_imports_them() {
        let site = "lib/python3.13/site-packages";
        let paths = [
            format!("{site}/a/__init__.py"),
            format!("{site}/a/tests/test_x.py"),
            format!("{site}/b/__init__.py"),
            format!("{site}/b/tests/runner.py"),
            format!("{site}/c/testing.py"),
            format!("{site}/c/locale/de/LC_MESSAGES/c.mo"),
            format!("{site}/c/locale/en/LC_MESSAGES/c.mo"),
            format!("{site}/django/locale/de/LC_MESSAGES/django.mo"),
        ];
        let out = python_extras(paths.iter().map(String::as_str), |path| {
            Some(match path.contains("/b/__init__") {
                true => "from .tests import runner\n".to_owned(),
                false => String::new(),
            })
        });
        let out: Vec<&str> = out.iter().map(|path| &path[site.len() + 1..]).collect();
        assert_eq!(out, ["a/tests/test_x.py", "c/locale/de/LC_MESSAGES/c.mo"]);
    }

    #[test]
    fn licences_of_node_packages_stay() {
        assert!(is_node_extra("dist/index.js.map"));
        assert!(is_node_extra("README.md"));
        assert!(is_node_extra("types/a.d.ts"));
        assert!(!is_node_extra("LICENSE.md"));
        assert!(!is_node_extra("dist/index.js"));
    }
}
