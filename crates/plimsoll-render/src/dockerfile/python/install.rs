//! What installs an application's dependencies and the application itself: from whatever file states
//! them, by uv, or by the manager that reads its own lock file and tells uv.

use std::path::Path;

use plimsoll_model::{PythonDependencies, PythonLock, PythonRecipe};

use super::super::script::word;
use super::super::{Writer, place};
use crate::{Fidelity, Loss};

/// Settings of a private package index, and the caches, for every step that installs.
const INSTALLS: [&str; 3] = [
    "type=cache,target=/cache",
    "type=secret,id=pip,target=/etc/pip.conf",
    "type=secret,id=uv,target=/etc/uv/uv.toml",
];

/// Mounts of a step that installs, with the files it reads.
pub(super) fn installs(files: &[String]) -> Vec<String> {
    INSTALLS
        .iter()
        .map(|mount| (*mount).to_owned())
        .chain(files.iter().cloned())
        .collect()
}

/// The manager that reads a lock file, where uv does not.
pub(super) fn tool(dependencies: &PythonDependencies) -> &'static str {
    match dependencies {
        PythonDependencies::Lock {
            format: PythonLock::Poetry,
            ..
        } => " 'poetry>=2,<3' 'poetry-plugin-export>=1.9,<2'",
        PythonDependencies::Lock {
            format: PythonLock::Pdm,
            ..
        } => " 'pdm>=2.20,<3'",
        PythonDependencies::Lock {
            format: PythonLock::Pipenv,
            ..
        } => " 'pipenv>=2024'",
        _ => "",
    }
}

/// The mount of a file of the context at its place below `/app`.
pub(super) fn bind(writer: &Writer<'_, '_>, file: &Path) -> String {
    format!(
        "type=bind,source={},target=/app/{}",
        writer.place.path(file),
        place::text(&place::plain(file))
    )
}

/// What installs the dependencies, and the files that it reads.
pub(super) fn dependencies(
    writer: &Writer<'_, '_>,
    python: &PythonRecipe,
) -> (Vec<String>, Vec<String>) {
    let extras: String = python
        .extras
        .iter()
        .map(|extra| format!(" --extra {}", word(extra)))
        .collect();
    let make = "uv venv /app/.venv".to_owned();
    let beside = |file: &Path, name: &str| file.with_file_name(name);
    match &python.dependencies {
        PythonDependencies::UvLock { lock, package } => {
            let manifest = beside(lock, "pyproject.toml");
            let package = package
                .as_ref()
                .map(|package| format!(" --package {}", word(package)))
                .unwrap_or_default();
            (
                vec![bind(writer, lock), bind(writer, &manifest)],
                vec![format!(
                    "{}uv sync --frozen --python python3 --no-default-groups --no-install-workspace{package}{extras}",
                    enter(lock)
                )],
            )
        }
        PythonDependencies::Lock {
            format,
            lock,
            groups,
        } => {
            let manifest = match format {
                PythonLock::Pipenv => beside(lock, "Pipfile"),
                _ => beside(lock, "pyproject.toml"),
            };
            let wanted = |option: &str| -> String {
                groups
                    .iter()
                    .map(|group| format!(" {option} {}", word(group)))
                    .collect()
            };
            let pinned = "/tmp/requirements.txt";
            let export = match format {
                PythonLock::Poetry => format!(
                    "{}poetry export --format requirements.txt --output {pinned}{}",
                    enter(lock),
                    wanted("--with")
                ),
                PythonLock::Pdm => format!(
                    "{}pdm export --prod --format requirements --output {pinned}{}",
                    enter(lock),
                    wanted("--group")
                ),
                PythonLock::Pipenv => {
                    format!("{}pipenv requirements --hash > {pinned}", enter(lock))
                }
                PythonLock::Pylock => {
                    let install = format!(
                        "uv pip install --requirements {}",
                        place::text(&place::plain(lock))
                    );
                    return (vec![bind(writer, lock)], vec![make, install]);
                }
            };
            (
                vec![bind(writer, lock), bind(writer, &manifest)],
                vec![
                    make,
                    export,
                    "cd /app".to_owned(),
                    format!("uv pip install --requirements {pinned}"),
                ],
            )
        }
        PythonDependencies::Requirements { files } => {
            let read = with_included(writer, files);
            let mounts = read.iter().map(|file| bind(writer, file)).collect();
            let named: String = files
                .iter()
                .map(|file| {
                    format!(
                        " --requirements {}",
                        word(&place::text(&place::plain(file)))
                    )
                })
                .collect();
            (mounts, vec![make, format!("uv pip install{named}")])
        }
        PythonDependencies::Pyproject { file } => (
            vec![bind(writer, file)],
            vec![
                make,
                format!(
                    "uv pip install --requirements {}{extras}",
                    place::text(&place::plain(file))
                ),
            ],
        ),
        PythonDependencies::None => (Vec::new(), vec![make]),
    }
}

/// Into the directory of a lock file that is not at the top.
pub(super) fn enter(lock: &Path) -> String {
    match lock.parent().map(place::plain) {
        Some(directory) if !directory.as_os_str().is_empty() => {
            format!("cd {} && ", word(&directory.display().to_string()))
        }
        _ => String::new(),
    }
}

/// Requirements files, and those that they include (`-r`, `-c`), as far as their text is known.
pub(super) fn with_included(
    writer: &Writer<'_, '_>,
    files: &[std::path::PathBuf],
) -> Vec<std::path::PathBuf> {
    let mut read: Vec<std::path::PathBuf> = Vec::new();
    let mut todo: Vec<std::path::PathBuf> =
        files.iter().rev().map(|file| place::plain(file)).collect();
    while let Some(file) = todo.pop() {
        if read.contains(&file) {
            continue;
        }
        let text = writer
            .input
            .contents
            .get(&writer.recipe.context.join(&file));
        for line in text.map_or("", String::as_str).lines() {
            let line = line.trim();
            let option = ["-r", "-c", "--requirement", "--constraint"]
                .iter()
                .find_map(|option| line.strip_prefix(option));
            let Some(included) = option else { continue };
            let included = included.trim_start_matches([' ', '=']).trim();
            if !included.is_empty() && !included.contains("://") {
                let directory = file.parent().unwrap_or(Path::new(""));
                todo.push(place::plain(&directory.join(included)));
            }
        }
        read.push(file);
    }
    read
}

/// Distributions that the code imports and no file names.
pub(super) fn undeclared(writer: &mut Writer<'_, '_>, python: &PythonRecipe) {
    if python.undeclared.is_empty() {
        return;
    }
    writer
        .script
        .note("Imported by the code, named by no file that can be installed from:");
    let names: Vec<String> = python
        .undeclared
        .iter()
        .map(|requirement| word(&requirement.value))
        .collect();
    writer.script.run(
        &installs(&[]),
        &[format!("uv pip install {}", names.join(" "))],
    );
    let loose: Vec<&str> = python
        .undeclared
        .iter()
        .filter(|requirement| !requirement.value.contains("=="))
        .map(|requirement| requirement.value.as_str())
        .collect();
    if let Some(first) = python.undeclared.first()
        && !loose.is_empty()
    {
        let place = first.span.clone();
        writer.loss(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.build", writer.one.name()),
                format!(
                    "no file states a version of {}: the newest is installed",
                    loose.join(", ")
                ),
            )
            .at(place)
            .hint("declare them among the project's dependencies"),
        );
    }
}

/// What installs the project itself as a distribution.
pub(super) fn project(python: &PythonRecipe) -> Option<String> {
    python.install_project.as_ref()?;
    let extras: String = python
        .extras
        .iter()
        .map(|extra| format!(" --extra {}", word(extra)))
        .collect();
    let root = place::text(&place::plain(&python.root));
    Some(match &python.dependencies {
        PythonDependencies::UvLock { lock, package } => {
            let package = package
                .as_ref()
                .map(|package| format!(" --package {}", word(package)))
                .unwrap_or_default();
            format!(
                "{}uv sync --frozen --python python3 --no-default-groups --no-editable{package}{extras}",
                enter(lock)
            )
        }
        _ => format!("uv pip install --no-deps ./{root}"),
    })
}

/// Requirements files for development beside those that are installed.
pub(super) fn development_requirements(
    writer: &Writer<'_, '_>,
    python: &PythonRecipe,
) -> Vec<std::path::PathBuf> {
    let root = place::plain(&python.root);
    [
        "requirements-dev.txt",
        "requirements-test.txt",
        "dev-requirements.txt",
        "requirements_dev.txt",
        "requirements/dev.txt",
        "requirements/test.txt",
    ]
    .iter()
    .map(|name| root.join(name))
    .filter(|file| {
        writer
            .input
            .contents
            .contains_key(&writer.recipe.context.join(file))
    })
    .collect()
}

/// Extras of the project that are for development.
pub(super) fn development_extras(
    writer: &Writer<'_, '_>,
    python: &PythonRecipe,
) -> Vec<&'static str> {
    if matches!(python.dependencies, PythonDependencies::UvLock { .. }) {
        return Vec::new();
    }
    let manifest = writer
        .recipe
        .context
        .join(place::plain(&python.root))
        .join("pyproject.toml");
    let Some(text) = writer.input.contents.get(&manifest) else {
        return Vec::new();
    };
    let section = text
        .split("[project.optional-dependencies]")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .unwrap_or_default();
    ["dev", "test", "tests"]
        .into_iter()
        .filter(|name| {
            section.lines().any(|line| {
                line.split_once('=')
                    .is_some_and(|(key, _)| key.trim().trim_matches('"') == *name)
            })
        })
        .collect()
}
