//! The recipe of a Python service's image.

use std::path::{Path, PathBuf};

use plimsoll_diag::Spanned;
use plimsoll_model::{BuildRecipe, PythonDependencies, PythonRecipe, RecipeKind};

use crate::places;
use crate::python::command::Started;
use crate::python::dependencies::Dependencies;
use crate::python::graph::Closure;
use crate::python::project::PythonProject;
use crate::python::requirement::RequirementsFile;
use crate::python::service::{Claimed, IMAGE_ROOT};
use crate::python::workspace::Workspace;

/// Where things lie: in the tree, in the build context, in the image.
pub(crate) struct Placed {
    context: PathBuf,
    directory: PathBuf,
    import_root: PathBuf,
}

impl Placed {
    pub(crate) fn of(
        project: Option<&PythonProject>,
        directory: &Path,
        import_root: &Path,
        closure: &Closure,
    ) -> Self {
        let lock = project.and_then(|project| project.uv_lock.as_ref());
        let mut context = match lock.and_then(|lock| lock.path.parent()) {
            Some(workspace) => workspace.to_owned(),
            None => directory.to_owned(),
        };
        // What is imported has to come along.
        for path in closure.files.keys() {
            if !path.starts_with(&context) {
                context = places::common(&context, path.parent().unwrap_or(Path::new("")));
            }
        }
        Self {
            context,
            directory: directory.to_owned(),
            import_root: import_root.to_owned(),
        }
    }

    fn in_context(&self, path: &Path) -> PathBuf {
        places::below(path, &self.context)
    }

    pub(crate) fn in_image(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.context) {
            Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from(IMAGE_ROOT),
            Ok(rest) => Path::new(IMAGE_ROOT).join(rest),
            Err(_) => PathBuf::from(IMAGE_ROOT),
        }
    }
}

/// Makes the recipe.
pub(crate) fn recipe(
    workspace: &Workspace<'_>,
    placed: &Placed,
    project: Option<&PythonProject>,
    dependencies: &Dependencies,
    started: &Started,
    packages: &[Spanned<String>],
    claimed: Claimed<'_>,
) -> BuildRecipe {
    let from = match &dependencies.from {
        PythonDependencies::UvLock { lock, package } => PythonDependencies::UvLock {
            lock: placed.in_context(lock),
            package: package.clone(),
        },
        PythonDependencies::Lock {
            format,
            lock,
            groups,
        } => PythonDependencies::Lock {
            format: *format,
            lock: placed.in_context(lock),
            groups: groups.clone(),
        },
        PythonDependencies::Requirements { files } => PythonDependencies::Requirements {
            files: files.iter().map(|file| placed.in_context(file)).collect(),
        },
        PythonDependencies::Pyproject { file } => PythonDependencies::Pyproject {
            file: placed.in_context(file),
        },
        PythonDependencies::None => PythonDependencies::None,
    };
    let install_project =
        project.and_then(|project| installable(workspace, project, dependencies, started));
    let mut environment = vec![("PYTHONUNBUFFERED".to_owned(), "1".to_owned())];
    // What is installed is found by itself, but only from where the distribution takes its packages.
    let installed = install_project.is_some()
        && project.is_some_and(|project| project.import_roots.contains(&placed.import_root));
    if placed.import_root != placed.directory && !installed {
        let path = placed.in_image(&placed.import_root);
        environment.push(("PYTHONPATH".to_owned(), places::text(&path).to_owned()));
    }
    environment.extend(started.environment.iter().cloned());
    BuildRecipe {
        context: crate::node::absolute(workspace.tree, &placed.context),
        kind: RecipeKind::Python(PythonRecipe {
            root: placed.in_context(&placed.directory),
            requires_python: project.and_then(|project| project.requires_python.clone()),
            preferred_python: preferred_python(workspace, placed, project, dependencies, claimed),
            dependencies: from,
            install_project,
            extras: dependencies.extras.clone(),
            undeclared: dependencies.undeclared.clone(),
        }),
        system_packages: packages.to_vec(),
        environment,
        command: started.command.clone(),
        working_dir: placed.in_image(&placed.directory),
        ports: started.ports.clone(),
        pages: Vec::new(),
    }
}

/// The distribution's own name, where it can and should be installed.
fn installable(
    workspace: &Workspace<'_>,
    project: &PythonProject,
    dependencies: &Dependencies,
    started: &Started,
) -> Option<Spanned<String>> {
    project.build_system.as_ref()?;
    let name = project.name.clone()?;
    let script = project
        .scripts
        .iter()
        .any(|script| started.command.first() == Some(&script.name));
    let by_file = match dependencies.from {
        PythonDependencies::Requirements { .. } => true,
        // Handed on one by one.
        PythonDependencies::None => dependencies
            .file
            .as_deref()
            .is_some_and(RequirementsFile::is_named_so),
        _ => false,
    };
    if by_file && !script {
        return None;
    }
    // A manifest that ships packages which are not there cannot be built.
    let module = crate::python::distributions::normalize(&name).replace('-', "_");
    let shipped = project
        .shipped
        .iter()
        .map(|pattern| pattern.trim_end_matches(['*', '.']).to_owned());
    let there = |name: &str| {
        project.import_roots.iter().any(|root| {
            workspace.tree.has_directory(&root.join(name))
                || workspace.modules.file_of(root, name).is_some()
        })
    };
    let holds = if project.shipped.is_empty() {
        there(&module)
            || !project.import_roots.is_empty()
                && project
                    .scripts
                    .iter()
                    .any(|script| there(script.module.split('.').next().unwrap_or_default()))
            || project.import_roots.len() > 1
    } else {
        shipped
            .into_iter()
            .any(|name| name.is_empty() || there(&name))
    };
    holds.then_some(name)
}

/// The version that the project itself says it is run on.
fn preferred_python(
    workspace: &Workspace<'_>,
    placed: &Placed,
    project: Option<&PythonProject>,
    dependencies: &Dependencies,
    claimed: Claimed<'_>,
) -> Option<Spanned<String>> {
    // Pins of long ago have no wheels for the newest Python: the version that the project itself was run on
    // is the one they were pinned for. Where nothing says which versions go, it is the only word there is.
    let pinned = !matches!(
        dependencies.from,
        PythonDependencies::UvLock { .. } | PythonDependencies::Lock { .. }
    ) && !dependencies.requirements.is_empty()
        && dependencies
            .requirements
            .iter()
            .filter(|requirement| requirement.pin().is_some())
            .count()
            * 2
            > dependencies.requirements.len();
    let is_open = project.is_none_or(|project| project.requires_python.is_none())
        && matches!(dependencies.from, PythonDependencies::Requirements { .. });
    version_file(workspace, placed)
        .or_else(|| claimed.python.filter(|_| pinned || is_open).cloned())
}

/// What `.python-version` says, as a minor version.
fn version_file(workspace: &Workspace<'_>, placed: &Placed) -> Option<Spanned<String>> {
    let path = placed
        .directory
        .join("x")
        .ancestors()
        .skip(1)
        .map(|directory| directory.join(".python-version"))
        .find(|path| workspace.tree.has_file(path))?;
    let text = workspace.tree.manifest(&path)?;
    let line = text.lines().next()?.trim();
    let parts: Vec<&str> = line.split('.').collect();
    let [major, minor, ..] = parts.as_slice() else {
        return None;
    };
    let numeric = [major, minor]
        .iter()
        .all(|part| part.chars().all(|c| c.is_ascii_digit()) && !part.is_empty());
    let span = plimsoll_diag::Span::line(workspace.tree.shown(&path), 1);
    numeric.then(|| Spanned::new(format!("{major}.{minor}"), span))
}
