//! Whether a user's lock file can be believed, and what stands in for one that cannot.
//!
//! One that is damaged, or that is behind the manifest it was made from, is told with its place and
//! left as it is. What the manifest requires is then settled in the project's own lock file, with
//! the versions that can still be read kept where they fit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fs_err as fs;
use pep440_rs::Version;
use plimsoll_diag::{Diagnostic, Span};
use plimsoll_model::{PythonDependencies, PythonLock, PythonRecipe};
use serde::Deserialize;
use toml::{Table, Value};

use super::document::{below, texts};
use super::markers::Markers;
use super::selection::Edge;
use super::{File, Wanted, read};
use crate::project_lock;
use crate::python::PythonError;
use crate::python::pinned::normalised;
use crate::python::resolve::from_context;
use crate::python::target::Target;

/// What stands in for a lock file that cannot be believed.
pub(in crate::python) struct Mended {
    /// The recipe, by the manifest.
    pub recipe: PythonRecipe,
    /// The lock file's versions, as a requirements file.
    pub preferred: String,
    /// Groups that the lock file would have given.
    pub groups: Vec<String>,
    /// What is wrong, and where.
    pub notice: Diagnostic,
}

/// Lock files that have their dependencies in a `pyproject.toml` beside them.
const MANAGED: [&str; 4] = ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"];

/// Looks at the lock file of a recipe, or at one that was passed over because it is damaged.
pub(in crate::python) fn mended(
    context: &Path,
    recipe: &PythonRecipe,
    target: &Target,
) -> Result<Option<Mended>, PythonError> {
    let (lock, problem, groups) = match &recipe.dependencies {
        PythonDependencies::UvLock { lock, .. } => {
            let Some(problem) = behind(context, lock, recipe, target)? else {
                return Ok(None);
            };
            (lock.clone(), problem, Vec::new())
        }
        PythonDependencies::Lock {
            format,
            lock,
            groups,
        } => {
            let wanted = Wanted {
                lock,
                format: *format,
                extras: &recipe.extras,
                groups,
                target,
            };
            let problem = match read(context, &wanted) {
                Err(error @ PythonError::Lock { .. }) if *format == PythonLock::Pipenv => {
                    return Err(error);
                }
                Err(error @ PythonError::Lock { .. }) => error,
                Err(error) => return Err(error),
                Ok(_) => match behind(context, lock, recipe, target)? {
                    Some(problem) => problem,
                    None => return Ok(None),
                },
            };
            (lock.clone(), problem, groups.clone())
        }
        PythonDependencies::Pyproject { .. } | PythonDependencies::None => {
            let Some((lock, problem)) = damaged(context, &recipe.root)? else {
                return Ok(None);
            };
            (lock, problem, Vec::new())
        }
        PythonDependencies::Requirements { .. } => return Ok(None),
    };
    let own = recipe.root.join("pyproject.toml");
    let manifest = match &recipe.dependencies {
        PythonDependencies::Pyproject { file } => file.clone(),
        _ if context.join(&own).is_file() => own,
        _ => lock.with_file_name("pyproject.toml"),
    };
    if !context.join(&manifest).is_file() {
        return Err(problem);
    }
    let text = fs::read_to_string(context.join(&lock))?;
    Ok(Some(Mended {
        recipe: PythonRecipe {
            dependencies: PythonDependencies::Pyproject { file: manifest },
            ..recipe.clone()
        },
        preferred: readable(&text),
        groups,
        notice: told(&lock, &problem),
    }))
}

fn told(lock: &Path, problem: &PythonError) -> Diagnostic {
    let mut notice = problem.diagnostic();
    notice.severity = plimsoll_diag::Severity::Warning;
    notice.hint(format!(
        "`{}` stays as it is; what is required is settled in `{}`, with the locked versions where \
         they fit",
        lock.display(),
        project_lock::NAME
    ))
}

/// A lock file of the recipe's directory, or of one above it, that is no TOML. Whoever found the
/// recipe has passed it over.
fn damaged(context: &Path, root: &Path) -> Result<Option<(PathBuf, PythonError)>, PythonError> {
    let root = PathBuf::from(from_context(root, ""));
    for directory in root.ancestors() {
        for name in MANAGED {
            let path = directory.join(name);
            let Ok(text) = fs::read_to_string(context.join(&path)) else {
                continue;
            };
            let file = File { path: &path, text };
            if let Err(problem) = file.toml() {
                return Ok(Some((path.clone(), problem)));
            }
        }
        let path = directory.join("Pipfile.lock");
        if let Ok(text) = fs::read_to_string(context.join(&path))
            && let Err(error) = serde_json::from_str::<serde_json::Value>(&text)
        {
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            return Err(PythonError::Lock {
                message: format!("this is no lock file of Pipenv's: {error}"),
                span: Span::line(path.as_path(), line.max(1)),
                hint: "make it anew: `pipenv lock`, or take it from version control".to_string(),
            });
        }
    }
    Ok(None)
}

/// What a manifest requires that its lock file does not have.
fn behind(
    context: &Path,
    lock: &Path,
    recipe: &PythonRecipe,
    target: &Target,
) -> Result<Option<PythonError>, PythonError> {
    let file = File {
        path: lock,
        text: fs::read_to_string(context.join(lock))?,
    };
    let Some(locked) = Locked::read(&file.text) else {
        return Ok(match file.toml() {
            // In a form that the tool which installs from it may know.
            Ok(_) => None,
            Err(_) if lock.ends_with("Pipfile.lock") => None,
            Err(problem) => Some(problem),
        });
    };
    let markers = Markers::of(target);
    let directory = lock.parent().unwrap_or(Path::new(""));
    let mut waiting = vec![(from_context(&recipe.root, ""), recipe.extras.as_slice())];
    let mut seen = BTreeSet::new();
    while let Some((place, extras)) = waiting.pop() {
        if !seen.insert(place.clone()) {
            continue;
        }
        let path = Path::new(&place).join("pyproject.toml");
        let Ok(text) = fs::read_to_string(context.join(&path)) else {
            continue;
        };
        let manifest = File { path: &path, text };
        let Ok(project) = manifest.toml() else {
            // A tool reads it, and tells it better.
            continue;
        };
        for edge in required(&project, extras) {
            let holds = edge.marker.as_deref();
            if !holds.is_none_or(|marker| markers.hold(marker, extras)) {
                continue;
            }
            if let Some(beside) = locked.local.get(&edge.name) {
                waiting.push((from_context(directory, beside), &[]));
                continue;
            }
            if let Some(message) = locked.lacks(&edge, lock) {
                return Ok(Some(manifest.problem(
                    manifest.line_naming(&edge.name),
                    message,
                    "bring the lock file up to date with its own tool",
                )));
            }
        }
    }
    Ok(None)
}

/// Sources that are directories beside the lock file.
const LOCAL: [&str; 3] = ["editable", "virtual", "directory"];

/// What a lock file has, by name.
struct Locked {
    versions: BTreeMap<String, Vec<String>>,
    /// Directories relative to the lock file.
    local: BTreeMap<String, String>,
}

/// What of a lock file is looked at. Every other value is passed over as it is read, which takes a
/// fraction of what keeping a file of hundreds of kilobytes does.
#[derive(Deserialize)]
struct Names {
    #[serde(default, alias = "packages")]
    package: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    version: Option<String>,
    #[serde(default)]
    source: BTreeMap<String, Value>,
}

impl Locked {
    /// `None` where it is no lock file in the usual form.
    fn read(text: &str) -> Option<Self> {
        let names: Names = toml::from_str(text).ok()?;
        let mut found = Self {
            versions: BTreeMap::new(),
            local: BTreeMap::new(),
        };
        for package in names.package {
            let name = normalised(&package.name);
            let path = LOCAL
                .iter()
                .find_map(|kind| package.source.get(*kind)?.as_str());
            if let Some(path) = path {
                found.local.insert(name.clone(), path.to_owned());
            }
            let versions = found.versions.entry(name).or_default();
            versions.extend(package.version);
        }
        Some(found)
    }

    /// What to say where it does not have what is required.
    fn lacks(&self, edge: &Edge, lock: &Path) -> Option<String> {
        let lock = lock.display();
        let Some(versions) = self.versions.get(&edge.name) else {
            return Some(format!(
                "`{}` is required here, but `{lock}` does not have it",
                edge.name
            ));
        };
        // One without a version comes out of a repository or an address.
        let known = !versions.is_empty()
            && versions
                .iter()
                .all(|version| Version::from_str(version).is_ok());
        if !known || versions.iter().any(|version| edge.admits(version)) {
            return None;
        }
        Some(format!(
            "`{}{}` is required here, but `{lock}` has {}",
            edge.name,
            edge.versions.as_deref().unwrap_or_default(),
            versions.join(", ")
        ))
    }
}

/// What a manifest in the usual form requires, with these extras.
fn required(project: &Table, extras: &[String]) -> Vec<Edge> {
    let mut stated: Vec<&str> = below(project, &["project"])
        .map(|project| texts(project, "dependencies"))
        .unwrap_or_default();
    for extra in extras {
        let optional = below(project, &["project", "optional-dependencies"]);
        stated.extend(optional.map(|all| texts(all, extra)).unwrap_or_default());
    }
    stated.into_iter().map(Edge::parse).collect()
}

impl File<'_> {
    /// The line on which a requirement stands, also in a list on one line.
    fn line_naming(&self, name: &str) -> u32 {
        let names = |line: &str| {
            line.split(['"', '\''])
                .any(|part| Edge::parse(part).name == name)
        };
        let found = self.text.lines().position(names);
        found.map_or(1, |index| u32::try_from(index + 1).unwrap_or(u32::MAX))
    }
}

/// The versions in a lock file as far as it can be read, as a requirements file.
fn readable(text: &str) -> String {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut name: Option<String> = None;
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
        Some(rest.trim().trim_matches(['"', '\'']).to_string())
    };
    for line in text.lines() {
        if line.starts_with("[[") {
            name = None;
        } else if let Some(found) = value(line, "name") {
            name = Some(normalised(&found));
        } else if let Some(version) = value(line, "version")
            && let Some(name) = name.take()
            && Version::from_str(&version).is_ok()
        {
            known.entry(name).or_insert(version);
        }
    }
    known
        .into_iter()
        .map(|(name, version)| format!("{name}=={version}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::interpreter::INTERPRETERS;
    use super::*;
    use crate::oci::Architecture;

    fn look(files: &[(&str, &str)], dependencies: PythonDependencies) -> Option<Mended> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let target = Target {
            interpreter: INTERPRETERS[0],
            architecture: Architecture::Amd64,
            host: Architecture::Amd64,
        };
        let recipe = PythonRecipe {
            root: "api".into(),
            requires_python: None,
            preferred_python: None,
            dependencies,
            install_project: None,
            extras: Vec::new(),
            undeclared: Vec::new(),
        };
        mended(root.path(), &recipe, &target).unwrap()
    }

    const LOCK: &str = "version = 1\n\n[[package]]\nname = \"api\"\nversion = \"1\"\n\
        source = { editable = \"api\" }\n\n[[package]]\nname = \"core\"\nversion = \"1\"\n\
        source = { editable = \"libs/core\" }\n\n[[package]]\nname = \"flask\"\nversion = \"2.0\"\n\
        source = { registry = \"https://a.example\" }\n\n[[package]]\nname = \"idna\"\nversion = \"3.7\"\n";

    fn uv() -> PythonDependencies {
        PythonDependencies::UvLock {
            lock: "uv.lock".into(),
            package: Some("api".into()),
        }
    }

    fn shown(mended: &Mended) -> String {
        let span = mended.notice.span.as_ref().unwrap();
        let (file, line) = (span.file.display(), span.start.line);
        format!("{file}:{line}: {}", mended.notice.message)
    }

    #[test]
    fn a_lock_file_that_has_everything_is_believed() {
        let api = "[project]\nname = 'api'\ndependencies = ['Flask>=1', 'core', \
                   'pywin32; sys_platform == \"win32\"']\n";
        let core = "[project]\nname = 'core'\ndependencies = ['idna']\n";
        let files = [
            ("uv.lock", LOCK),
            ("api/pyproject.toml", api),
            ("libs/core/pyproject.toml", core),
        ];
        assert!(look(&files, uv()).is_none());
    }

    #[test]
    fn what_a_manifest_requires_beyond_its_lock_is_told_with_its_line() {
        let api = "[project]\nname = 'api'\ndependencies = [\n  'core',\n  'flask>=3',\n]\n";
        let core = "[project]\nname = 'core'\ndependencies = ['idna']\n";
        let core_new = "[project]\nname = 'core'\ndependencies = ['idna', 'httpx']\n";
        let with = |api: &str, core: &str| {
            let files = [
                ("uv.lock", LOCK),
                ("api/pyproject.toml", api),
                ("libs/core/pyproject.toml", core),
            ];
            look(&files, uv()).unwrap()
        };
        let mended = with(api, core);
        insta::assert_snapshot!(shown(&mended), @"api/pyproject.toml:5: `flask>=3` is required here, but `uv.lock` has 2.0");
        assert_eq!(mended.preferred, "api==1\ncore==1\nflask==2.0\nidna==3.7\n");
        assert_eq!(
            mended.recipe.dependencies,
            PythonDependencies::Pyproject {
                file: "api/pyproject.toml".into()
            }
        );
        // What a member of the workspace needs counts as well.
        let mended = with(&api.replace("flask>=3", "flask"), core_new);
        insta::assert_snapshot!(shown(&mended), @"libs/core/pyproject.toml:3: `httpx` is required here, but `uv.lock` does not have it");
    }

    #[test]
    fn a_damaged_lock_file_above_is_told_and_read_as_far_as_it_goes() {
        let damaged = LOCK.replace(
            "[[package]]\nname = \"flask\"",
            "<<<<<<< HEAD\n[[package]]\nname = \"flask\"",
        );
        let api = "[project]\nname = 'api'\ndependencies = ['flask']\n";
        let files = [("uv.lock", damaged.as_str()), ("api/pyproject.toml", api)];
        let from = PythonDependencies::Pyproject {
            file: "api/pyproject.toml".into(),
        };
        let mended = look(&files, from).unwrap();
        insta::assert_snapshot!(shown(&mended), @"uv.lock:13: this is no TOML: key with no value, expected `=`");
        assert!(mended.preferred.contains("flask==2.0"));
    }
}
