//! Lock files of uv, Poetry, PDM, pip and Pipenv, held against `pyproject.toml` or the `Pipfile`.

use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};
use plimsoll_diag::{Diagnostic, Span, Spanned};

use super::{Strays, told};
use crate::places;
use crate::python::{Lock, PythonProject, Requirement};
use crate::tree::Tree;

/// What a project declares and its lock file does not have; and which of two lock files is used.
pub(crate) fn review(tree: &Tree, project: &PythonProject) -> Vec<Diagnostic> {
    let Some(manifest) = &project.pyproject else {
        return of_pipfile(tree, project);
    };
    if places::set_aside(manifest).is_some() {
        return Vec::new();
    }
    let other = project.other_lock.as_ref();
    let other = other.filter(|(manager, ..)| matches!(*manager, "poetry" | "pdm" | "pip"));
    let own = project
        .uv_lock
        .as_ref()
        .filter(|lock| lock.path.parent() == Some(&project.directory));
    let mut problems = Vec::new();
    if let (Some(used), Some((_, _, beside))) = (own, other) {
        let what = format!(
            "lies beside `{}`, which is used since the dependencies are stated in the form that all managers read",
            places::text(&used.path)
        );
        problems.push(
            Diagnostic::warning(what)
                .at(Span::line(tree.shown(&beside.path), 1))
                .hint("drop the one that nobody brings up to date"),
        );
    }
    if let (true, Some((_, _, used))) = (project.poetry, other) {
        let beside = project.directory.join("uv.lock");
        if tree.has_file(&beside) {
            let what = format!(
                "lies beside `{}`, which is used since the dependencies are stated in Poetry's own form",
                places::text(&used.path)
            );
            problems.push(
                Diagnostic::warning(what)
                    .at(Span::line(tree.shown(&beside), 1))
                    .hint("drop it, or state the dependencies in `[project]`"),
            );
        }
    }
    let (lock, make) = match (&project.uv_lock, other) {
        (Some(lock), _) => (lock, "uv lock"),
        (None, Some(("pdm", _, lock))) => (lock, "pdm lock"),
        (None, Some(("pip", _, lock))) => (lock, "pip lock -e ."),
        (None, Some((_, _, lock))) => (lock, "poetry lock"),
        (None, None) => return problems,
    };
    if lock.every_version.is_empty() {
        return problems;
    }
    problems.extend(told(&lock.path, strays(project, lock), make));
    problems
}

/// What a `Pipfile` asks for and its lock file does not have; where it has all, whether it was made from it.
fn of_pipfile(tree: &Tree, project: &PythonProject) -> Vec<Diagnostic> {
    let (Some(manifest), Some(("pipenv", _, lock))) = (&project.pipfile, &project.other_lock)
    else {
        return Vec::new();
    };
    if places::set_aside(manifest).is_some() {
        return Vec::new();
    }
    let mut problems = told(&lock.path, strays(project, lock), "pipenv lock");
    if problems.is_empty() {
        problems.extend(super::pipenv::review(tree, manifest, &lock.path));
    }
    problems
}

fn strays(project: &PythonProject, lock: &Lock) -> Vec<(Spanned<String>, Strays)> {
    let own = project
        .name
        .as_ref()
        .map(|name| name.value.replace('_', "-").to_lowercase());
    let wanted = project.dependencies.iter().filter(|one| {
        // Something that is wanted under a condition may be wanted nowhere.
        !one.conditional && Some(&one.name) != own.as_ref()
    });
    let stray = |one: &Requirement| {
        let Some(versions) = lock.every_version.get(&one.name) else {
            return Some((one.name.clone(), Strays::Lacks));
        };
        let specifier = VersionSpecifiers::from_str(&one.specifier).ok()?;
        let known: Vec<Version> = versions
            .iter()
            .map(|version| Version::from_str(version).ok())
            .collect::<Option<_>>()?;
        let kept = known.is_empty()
            || known
                .iter()
                .any(|version| specifier.contains(version) || version.any_prerelease());
        (!kept).then(|| {
            let held: Vec<&str> = versions.iter().map(String::as_str).collect();
            let what = format!("{}{}", one.name, one.specifier);
            (what, Strays::Holds(format!("holds {}", held.join(" and "))))
        })
    };
    wanted
        .filter_map(|one| {
            let (what, how) = stray(one)?;
            Some((Spanned::new(what, one.span.clone()), how))
        })
        .collect()
}
