//! Projects without a `pyproject.toml`: `Pipfile`, `setup.cfg`, and as much of `setup.py` as is
//! written out. Nothing is run.

use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Span, Spanned};

use crate::document::Item;
use crate::python::distributions::normalize;
use crate::python::extract::extract;
use crate::python::project::{Lock, PythonProject};
use crate::python::requirement::Requirement;
use crate::python::value::Value;
use crate::tree::Tree;

impl PythonProject {
    /// What `Pipfile` requires.
    pub(crate) fn read_pipfile(&mut self, text: &str, shown: &Arc<Path>) {
        let Ok(item) = Item::toml(text) else {
            return;
        };
        let span = |item: &Item| item.place.in_file(shown.clone());
        if let Some(version) = item.get(&["requires", "python_version"]) {
            let stated = version.as_text().map(|text| format!("=={text}.*"));
            self.requires_python = stated.map(|text| Spanned::new(text, span(version)));
        }
        for (name, value) in item.entries(&["packages"]) {
            let version = value.as_text().or_else(|| value.text(&["version"]));
            self.dependencies.push(Requirement {
                name: normalize(name),
                extras: value
                    .texts(&["extras"])
                    .into_iter()
                    .map(normalize)
                    .collect(),
                specifier: version
                    .filter(|text| *text != "*")
                    .unwrap_or_default()
                    .to_owned(),
                conditional: value.get(&["markers"]).is_some(),
                span: span(value),
            });
        }
    }

    /// What `setup.py` or the `setup.cfg` beside it requires, as far as it is written out.
    pub(crate) fn read_setup(&mut self, tree: &Tree) {
        let Some(path) = self.setup.clone() else {
            return;
        };
        let beside = path.with_file_name("setup.cfg");
        if let Some(text) = tree.manifest(&beside) {
            let shown = tree.shown(&beside);
            let mut inside = false;
            for (index, line) in text.lines().enumerate() {
                let span = || Span::line(shown.clone(), index as u32 + 1);
                if let Some((key, value)) = line.split_once('=')
                    && !line.starts_with([' ', '\t'])
                {
                    inside = key.trim() == "install_requires";
                    if key.trim() == "python_requires" {
                        self.requires_python = Some(Spanned::new(value.trim().to_owned(), span()));
                    }
                    let rest = Requirement::parse(value, span());
                    self.dependencies.extend(rest.filter(|_| inside));
                } else if line.starts_with('[') {
                    inside = false;
                } else if inside {
                    self.dependencies.extend(Requirement::parse(line, span()));
                }
            }
        }
        let path: Arc<Path> = Arc::from(path);
        let Some(module) = extract(tree, &path) else {
            return;
        };
        for placed in &module.calls {
            if placed.call.method() != Some("setup") {
                continue;
            }
            let span = module.span(placed.call.place);
            if let Some(python) = placed
                .call
                .keyword("python_requires")
                .and_then(Value::as_text)
            {
                self.requires_python = Some(Spanned::new(python.to_owned(), span.clone()));
            }
            let listed = match placed.call.keyword("install_requires") {
                Some(Value::Name(name)) => module
                    .top_value(name)
                    .and_then(|binding| binding.value.as_ref()),
                other => other,
            };
            if let Some(Value::List(items)) = listed {
                self.dependencies.extend(
                    items
                        .iter()
                        .filter_map(|item| Requirement::parse(item.as_text()?, span.clone())),
                );
            }
        }
    }
}

impl Lock {
    /// Reads `Pipfile.lock`.
    pub(crate) fn read_pipenv(tree: &Tree, path: &Path) -> Option<Self> {
        let shared: Arc<Path> = Arc::from(path);
        let item = Item::json(&shared, tree.manifest(path)?)?;
        let mut lock = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        for (name, package) in item.entries(&["default"]) {
            let version = package.text(&["version"]).unwrap_or_default();
            let version = version.trim_start_matches('=').to_owned();
            let every = lock.every_version.entry(normalize(name)).or_default();
            // What comes from a repository or a directory has no version of its own.
            if !version.is_empty() {
                every.insert(version.clone());
            }
            lock.versions.insert(normalize(name), version);
        }
        Some(lock)
    }
}

/// Whether a `setup.py` is one: any module may be called so, but only these import the tool.
pub(crate) fn builds_distribution(tree: &Tree, path: &Path) -> bool {
    extract(tree, path).is_some_and(|module| {
        module.imports.iter().any(|import| {
            matches!(
                import.module.split('.').next(),
                Some("setuptools" | "distutils" | "skbuild")
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_pipfile_states_versions_and_python() {
        let mut project = PythonProject::default();
        let shown: Arc<Path> = Arc::from(PathBuf::from("Pipfile"));
        project.read_pipfile(
            "[packages]\nflask = \"*\"\ncelery = {version = \"==5.3\", extras = [\"redis\"]}\n\
             [dev-packages]\npytest = \"*\"\n[requires]\npython_version = \"3.11\"\n",
            &shown,
        );
        let names: Vec<_> = project
            .dependencies
            .iter()
            .map(|one| (one.name.as_str(), one.specifier.as_str(), one.extras.len()))
            .collect();
        assert_eq!(names, [("celery", "==5.3", 1), ("flask", "", 0)]);
        let python = project.requires_python.unwrap();
        assert_eq!(python.value, "==3.11.*");
        assert_eq!(python.span.unwrap().start.line, 7);
    }
}
