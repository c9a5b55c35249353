//! Python projects: directories that state dependencies, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Span, Spanned};
use plimsoll_model::PythonLock;
use serde::{Deserialize, Serialize};

use crate::document::Item;
use crate::memory::{FactKind, Facts};
use crate::places;
use crate::python::distributions::normalize;
use crate::python::requirement::{Requirement, RequirementsFile};
use crate::python::setup;
use crate::syntax::Place;
use crate::tree::{Bounds, Tree};

/// A console script: `name = "module:function"`.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) module: String,
    pub(crate) function: String,
    pub(crate) span: Span,
}

/// Versions that a lock file settles on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lock {
    pub(crate) path: PathBuf,
    pub(crate) versions: BTreeMap<String, String>,
    /// The same with every version, where systems differ; none for what has no version of its own.
    pub(crate) every_version: BTreeMap<String, BTreeSet<String>>,
    /// The versions of Python that it was made for.
    pub(crate) requires_python: Option<Spanned<String>>,
    /// Workspace members: directory of the project, normalised distribution name.
    pub(crate) members: BTreeMap<PathBuf, String>,
    /// What each distribution requires, also under conditions.
    pub(crate) requires: BTreeMap<String, BTreeSet<String>>,
}

/// A directory that states dependencies.
#[derive(Debug, Clone, Default)]
pub(crate) struct PythonProject {
    pub(crate) directory: PathBuf,
    /// `pyproject.toml` with a `[project]` table, where there is one.
    pub(crate) pyproject: Option<PathBuf>,
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) requires_python: Option<Spanned<String>>,
    pub(crate) dependencies: Vec<Requirement>,
    pub(crate) optional: Vec<(String, Vec<Requirement>)>,
    pub(crate) scripts: Vec<Script>,
    pub(crate) build_system: Option<Span>,
    pub(crate) files: Vec<RequirementsFile>,
    /// `uv.lock` of the project or of the workspace it belongs to.
    pub(crate) uv_lock: Option<Lock>,
    /// Another manager's lock file: name of the manager, its format, versions.
    pub(crate) other_lock: Option<(&'static str, PythonLock, Lock)>,
    /// `setup.py` or `setup.cfg`, where nothing newer states the dependencies.
    pub(crate) setup: Option<PathBuf>,
    /// `Pipfile`, where it states the dependencies.
    pub(crate) pipfile: Option<PathBuf>,
    /// Whether the dependencies come from `[tool.poetry]`.
    pub(crate) poetry: bool,
    /// Directories that modules are imported from, relative to the tree.
    pub(crate) import_roots: Vec<PathBuf>,
    /// Patterns of the packages it says it ships, where it says so.
    pub(crate) shipped: Vec<String>,
}

/// A manifest that could not be read.
#[derive(Debug, Clone)]
pub(crate) struct BrokenManifest {
    pub(crate) span: Span,
    pub(crate) message: String,
}

impl PythonProject {
    /// Every project of the tree, by directory.
    pub(crate) fn find(tree: &Tree) -> (BTreeMap<PathBuf, Self>, Vec<BrokenManifest>) {
        let mut broken = Vec::new();
        let mut projects: BTreeMap<PathBuf, Self> = BTreeMap::new();
        let mut locks: Vec<(PathBuf, Lock)> = Vec::new();
        for file in tree.files() {
            let Some(name) = file.path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let directory = file.path.parent().unwrap_or(Path::new("")).to_owned();
            match name {
                "pyproject.toml" => match Self::read(tree, &file.path) {
                    Ok(Some(project)) => {
                        let other = projects.remove(&directory).unwrap_or_default();
                        // A manifest that only holds settings of tools leaves the word to others.
                        let mut project = Self {
                            files: other.files,
                            ..project
                        };
                        if project.dependencies.is_empty() {
                            project.dependencies = other.dependencies;
                            project.requires_python =
                                project.requires_python.or(other.requires_python);
                        }
                        projects.insert(directory, project);
                    }
                    Ok(None) => {}
                    Err(error) => broken.push(error),
                },
                "uv.lock" => {
                    locks.extend(Lock::read(tree, &file.path).map(|lock| (directory, lock)))
                }
                // Any module may be called so; one that builds a distribution imports the tool for it.
                "setup.py" if setup::builds_distribution(tree, &file.path) => {
                    let project = projects.entry(directory).or_default();
                    project.setup = Some(file.path.to_path_buf());
                }
                "Pipfile" => {
                    if let Some(text) = tree.manifest(&file.path) {
                        let project = projects.entry(directory).or_default();
                        project.pipfile = Some(file.path.to_path_buf());
                        project.read_pipfile(&text, &tree.shown(&file.path));
                    }
                }
                _ if RequirementsFile::is_named_so(&file.path) => {
                    let Some(list) = RequirementsFile::read(tree, &file.path) else {
                        continue;
                    };
                    let grouped = directory
                        .file_name()
                        .is_some_and(|name| name == "requirements");
                    let owner = if grouped {
                        directory.parent().unwrap_or(Path::new("")).to_owned()
                    } else {
                        directory
                    };
                    projects.entry(owner).or_default().files.push(list);
                }
                _ => {}
            }
        }
        for (directory, project) in &mut projects {
            project.directory = directory.clone();
            project.uv_lock = locks
                .iter()
                .filter(|(above, lock)| {
                    above == directory || lock.members.contains_key(directory.as_path())
                })
                .max_by_key(|(above, _)| above.components().count())
                .map(|(_, lock)| lock.clone());
            if project.requires_python.is_none() {
                project.requires_python = project
                    .uv_lock
                    .as_ref()
                    .and_then(|lock| lock.requires_python.clone());
            }
            // uv does not read the form that only Poetry does.
            if project.poetry && tree.has_file(&directory.join("poetry.lock")) {
                project.uv_lock = None;
            }
            // The most exact first: where there are several, the others are often left over.
            project.other_lock = [
                ("poetry.lock", "poetry", PythonLock::Poetry),
                ("pdm.lock", "pdm", PythonLock::Pdm),
                ("Pipfile.lock", "pipenv", PythonLock::Pipenv),
                ("pylock.toml", "pip", PythonLock::Pylock),
            ]
            .into_iter()
            .find_map(|(file, manager, format)| {
                let path = directory.join(file);
                let lock = match format {
                    PythonLock::Pipenv => Lock::read_pipenv(tree, &path),
                    _ => Lock::read(tree, &path),
                };
                Some((manager, format, lock?))
            });
            if project.pyproject.is_none() && project.setup.is_some() {
                project.read_setup(tree);
            }
            project.settle_import_roots(tree);
        }
        // A file of development tools alone makes no project.
        projects.retain(|_, project| {
            project.pyproject.is_some()
                || project.files.is_empty()
                || project.files.iter().any(|file| !file.development)
        });
        (projects, broken)
    }

    fn read(tree: &Tree, path: &Path) -> Result<Option<Self>, BrokenManifest> {
        let Some(text) = tree.manifest(path) else {
            return Ok(None);
        };
        let shown = tree.shown(path);
        let item = Item::toml(&text).map_err(|(message, place)| BrokenManifest {
            span: place.in_file(shown.clone()),
            message,
        })?;
        let span = |item: &Item| item.place.in_file(shown.clone());
        let poetry = item.get(&["tool", "poetry"]);
        let Some(project) = item.get(&["project"]).or(poetry) else {
            return Ok(None);
        };
        let spanned = |key: &[&str]| {
            let item = project.get(key)?;
            Some(Spanned::new(item.as_text()?.to_owned(), span(item)))
        };
        let list = |items: &[Item]| -> Vec<Requirement> {
            items
                .iter()
                .filter_map(|item| Requirement::parse(item.as_text()?, span(item)))
                .collect()
        };
        let mut found = Self {
            pyproject: Some(path.to_owned()),
            name: spanned(&["name"]),
            requires_python: spanned(&["requires-python"]),
            dependencies: project
                .get(&["dependencies"])
                .map(|item| list(item.list()))
                .unwrap_or_default(),
            optional: project
                .entries(&["optional-dependencies"])
                .iter()
                .map(|(name, items)| (normalize(name), list(items.list())))
                .collect(),
            // Poetry builds no distribution of what says that it is none.
            build_system: item
                .get(&["build-system"])
                .filter(|_| {
                    let mode = item.get(&["tool", "poetry", "package-mode"]);
                    mode.is_none_or(Item::is_true)
                })
                .map(span),
            shipped: item
                .texts(&["tool", "setuptools", "packages", "find", "include"])
                .into_iter()
                .chain(item.texts(&["tool", "setuptools", "packages"]))
                .map(str::to_owned)
                .collect(),
            ..Self::default()
        };
        for (name, target) in project.entries(&["scripts"]) {
            let Some((module, function)) = target.as_text().and_then(|text| text.split_once(':'))
            else {
                continue;
            };
            found.scripts.push(Script {
                name: name.clone(),
                module: module.trim().to_owned(),
                function: function
                    .split('[')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
                span: span(target),
            });
        }
        if let Some(poetry) = poetry {
            found.read_poetry(poetry, &span);
        }
        let parent = path.parent().unwrap_or(Path::new(""));
        let roots = item
            .texts(&["tool", "hatch", "build", "targets", "wheel", "packages"])
            .into_iter()
            .filter_map(|package| Some(Path::new(package).parent()?.to_owned()))
            .chain(
                item.texts(&["tool", "setuptools", "packages", "find", "where"])
                    .into_iter()
                    .map(PathBuf::from),
            )
            .chain(
                item.text(&["tool", "setuptools", "package-dir", ""])
                    .map(PathBuf::from),
            );
        for root in roots {
            found
                .import_roots
                .extend(places::within(parent, places::text(&root)));
        }
        Ok(Some(found))
    }

    fn read_poetry(&mut self, poetry: &Item, span: &dyn Fn(&Item) -> Span) {
        if !self.dependencies.is_empty() {
            return;
        }
        for (name, value) in poetry.entries(&["dependencies"]) {
            let version = value
                .as_text()
                .or_else(|| value.text(&["version"]))
                .unwrap_or("*");
            let specifier = from_poetry(version);
            if normalize(name) == "python" {
                self.requires_python = Some(Spanned::new(specifier, span(value)));
                continue;
            }
            self.poetry = true;
            self.dependencies.push(Requirement {
                name: normalize(name),
                extras: value
                    .texts(&["extras"])
                    .into_iter()
                    .map(normalize)
                    .collect(),
                specifier,
                conditional: ["markers", "python", "platform"]
                    .iter()
                    .any(|key| value.get(&[key]).is_some()),
                span: span(value),
            });
        }
    }

    fn settle_import_roots(&mut self, tree: &Tree) {
        let source = self.directory.join("src");
        let lies_in = |root: &Path, module: &str| {
            let top = module.split('.').next().unwrap_or_default();
            tree.has_directory(&root.join(top)) || tree.has_file(&root.join(format!("{top}.py")))
        };
        // A `src` that is itself a package is imported as `src.…`, unless the project's own programs
        // are declared by names that only what is in it has.
        let holds_programs = self.scripts.iter().any(|script| {
            lies_in(&source, &script.module) && !lies_in(&self.directory, &script.module)
        });
        let is_package = tree.has_file(&source.join("__init__.py"));
        if tree.has_directory(&source) && (!is_package || holds_programs) {
            self.import_roots.push(source);
        }
        self.import_roots.push(self.directory.clone());
        let mut seen = BTreeSet::new();
        self.import_roots.retain(|root| {
            (root.as_os_str().is_empty() || tree.has_directory(root)) && seen.insert(root.clone())
        });
    }

    /// Whether its manifest or one of its lists of requirements names a distribution.
    pub(crate) fn declares(&self, distribution: &str) -> bool {
        let listed = self.files.iter().flat_map(|file| &file.requirements);
        let mut all = self.dependencies.iter().chain(listed);
        all.any(|requirement| requirement.name == distribution)
    }

    /// The distributions that its own manifest declares, extras left out.
    pub(crate) fn declared(&self) -> BTreeSet<String> {
        self.dependencies
            .iter()
            .map(|requirement| requirement.name.clone())
            .collect()
    }

    /// The version of a distribution that a lock file or a pin settles on.
    pub(crate) fn version_of(&self, distribution: &str, files: &[PathBuf]) -> Option<String> {
        let locked = |lock: &Lock| lock.versions.get(distribution).cloned();
        self.uv_lock
            .as_ref()
            .and_then(locked)
            .or_else(|| self.other_lock.as_ref().and_then(|(.., lock)| locked(lock)))
            .or_else(|| {
                self.files
                    .iter()
                    .filter(|file| files.contains(&file.path))
                    .flat_map(|file| &file.requirements)
                    .chain(&self.dependencies)
                    .find(|requirement| requirement.name == distribution)
                    .and_then(|requirement| requirement.pin())
                    .map(str::to_owned)
            })
    }

    /// The member of a `uv` workspace that it is; `None` for the root of one, or without one.
    pub(crate) fn member(&self) -> Option<&str> {
        let lock = self.uv_lock.as_ref()?;
        if lock.path.parent() == Some(self.directory.as_path()) {
            return None;
        }
        lock.members.get(&self.directory).map(String::as_str)
    }
}

/// What the text of a lock file says, wherever it lies.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct LockText {
    versions: BTreeMap<String, String>,
    every_version: BTreeMap<String, BTreeSet<String>>,
    requires_python: Option<(String, Place)>,
    /// Directories of members as written, and their names.
    members: Vec<(String, String)>,
    requires: BTreeMap<String, BTreeSet<String>>,
}

impl Facts for LockText {
    const KIND: FactKind = FactKind::PythonLock;

    fn most(bounds: &Bounds) -> u64 {
        bounds.manifest_bytes
    }

    fn read(_: &Path, _: Arc<Path>, text: String) -> Option<Self> {
        let item = Item::toml(&text).ok()?;
        let mut lock = Self::default();
        if let Some(stated) = item.get(&["requires-python"]) {
            lock.requires_python = stated.as_text().map(|text| (text.to_owned(), stated.place));
        }
        let packages = item.get(&["package"]).or(item.get(&["packages"]));
        for package in packages?.list() {
            let Some(name) = package.text(&["name"]).map(normalize) else {
                continue;
            };
            let local = ["editable", "virtual"]
                .into_iter()
                .find_map(|kind| package.text(&["source", kind]));
            if let Some(local) = local {
                lock.members.push((local.to_owned(), name.clone()));
            }
            let required = ["dependencies", "optional-dependencies"]
                .into_iter()
                .filter_map(|key| package.get(&[key]))
                .flat_map(names_within);
            lock.requires
                .entry(name.clone())
                .or_default()
                .extend(required);
            let every = lock.every_version.entry(name.clone()).or_default();
            if let Some(version) = package.text(&["version"]) {
                every.insert(version.to_owned());
                lock.versions.insert(name, version.to_owned());
            }
        }
        // Whatever is put in the place of a stated version is meant.
        let overridden = item.get(&["manifest", "overrides"]);
        for name in overridden.into_iter().flat_map(Item::list) {
            if let Some(every) = name
                .text(&["name"])
                .and_then(|name| lock.every_version.get_mut(&normalize(name)))
            {
                every.clear();
            }
        }
        Some(lock)
    }
}

impl Lock {
    fn read(tree: &Tree, path: &Path) -> Option<Self> {
        let said: LockText = tree.facts(path)?;
        let base = path.parent()?;
        let span = |place: Place| place.in_file(tree.shown(path));
        let member = |(local, name): (String, String)| Some((places::within(base, &local)?, name));
        Some(Self {
            path: path.to_owned(),
            versions: said.versions,
            every_version: said.every_version,
            requires_python: said
                .requires_python
                .map(|(text, place)| Spanned::new(text, span(place))),
            members: said.members.into_iter().filter_map(member).collect(),
            requires: said.requires,
        })
    }

    /// A distribution and all that it brings.
    pub(crate) fn brought_by<'l>(&'l self, distribution: &'l str) -> BTreeSet<&'l str> {
        let mut brought = BTreeSet::from([distribution]);
        let mut waiting = vec![distribution];
        while let Some(next) = waiting.pop() {
            for required in self.requires.get(next).into_iter().flatten() {
                if brought.insert(required) {
                    waiting.push(required);
                }
            }
        }
        brought
    }
}

/// The names of a list of requirements, or of a table of such lists.
fn names_within(item: &Item) -> Vec<String> {
    let lists = item.table().iter().map(|(_, list)| list);
    lists
        .chain([item])
        .flat_map(Item::list)
        .filter_map(|one| one.text(&["name"]).map(normalize))
        .collect()
}

/// A version constraint of Poetry as a PEP 440 specifier: `^1.2` is `>=1.2,<2`.
fn from_poetry(constraint: &str) -> String {
    let parts = constraint.split(',').map(|part| {
        let part = part.trim();
        if let Some(version) = part.strip_prefix('^') {
            caret(version)
        } else if let Some(version) = part.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
            tilde(version)
        } else if part == "*" || part.is_empty() {
            String::new()
        } else if part.starts_with(|character: char| character.is_ascii_digit()) {
            format!("=={part}")
        } else {
            part.replace(' ', "")
        }
    });
    parts
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(",")
}

fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

fn caret(version: &str) -> String {
    let parts = numbers(version);
    let first = parts
        .iter()
        .position(|part| *part != 0)
        .unwrap_or(parts.len().saturating_sub(1));
    let mut upper: Vec<u64> = parts.iter().take(first + 1).copied().collect();
    if let Some(last) = upper.last_mut() {
        *last += 1;
    }
    bounded(version, &upper)
}

fn tilde(version: &str) -> String {
    let parts = numbers(version);
    let mut upper: Vec<u64> = parts.iter().take(2).copied().collect();
    if let Some(last) = upper.last_mut() {
        *last += 1;
    }
    bounded(version, &upper)
}

fn bounded(version: &str, upper: &[u64]) -> String {
    if upper.is_empty() {
        return String::new();
    }
    let upper: Vec<_> = upper.iter().map(u64::to_string).collect();
    format!(">={version},<{}", upper.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_of_poetry_become_specifiers() {
        assert_eq!(from_poetry("^1.2.3"), ">=1.2.3,<2");
        assert_eq!(from_poetry("^0.110"), ">=0.110,<0.111");
        assert_eq!(from_poetry("~3.11"), ">=3.11,<3.12");
        assert_eq!(from_poetry("*"), "");
        assert_eq!(from_poetry("1.4.0"), "==1.4.0");
        assert_eq!(from_poetry(">=3.10, <3.13"), ">=3.10,<3.13");
    }
}
