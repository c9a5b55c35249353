//! Where a service's dependencies come from, and what of them is missing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::PythonDependencies;

use crate::places;
use crate::python::distributions::{distribution_of, provider};
use crate::python::graph::Closure;
use crate::python::heavy;
use crate::python::module::Moment;
use crate::python::project::PythonProject;
use crate::python::requirement::Requirement;
use crate::python::standard::is_standard;

/// The dependencies of one service.
#[derive(Debug, Clone)]
pub(crate) struct Dependencies {
    /// Paths in it are relative to the tree.
    pub(crate) from: PythonDependencies,
    pub(crate) manager: &'static str,
    /// The file that states them.
    pub(crate) file: Option<PathBuf>,
    /// Every distribution that will be there.
    pub(crate) declared: BTreeSet<String>,
    /// The requirements as stated.
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) extras: Vec<String>,
    pub(crate) undeclared: Vec<Spanned<String>>,
    pub(crate) problems: Vec<Diagnostic>,
}

impl Dependencies {
    /// Whether a requirement asks for an extra of a distribution.
    pub(crate) fn asks_for(&self, distribution: &str, extra: &str) -> bool {
        self.requirements.iter().any(|requirement| {
            requirement.name == distribution && requirement.extras.iter().any(|one| one == extra)
        })
    }
}

/// One place that could state the dependencies.
struct Choice<'p> {
    from: PythonDependencies,
    file: PathBuf,
    requirements: Vec<&'p Requirement>,
    /// How usual it is: less is more usual.
    class: usize,
    /// Whether it can be handed on requirement by requirement.
    plain: bool,
}

/// Chooses where the dependencies of a service come from.
pub(crate) fn choose(project: Option<&PythonProject>, closure: &Closure) -> Dependencies {
    let Some(project) = project else {
        return settle(
            PythonDependencies::None,
            "none",
            None,
            Vec::new(),
            BTreeSet::new(),
            closure,
        );
    };
    if let Some(lock) = &project.uv_lock {
        let mut declared: BTreeSet<String> = lock.versions.keys().cloned().collect();
        declared.extend(project.declared());
        let from = PythonDependencies::UvLock {
            lock: lock.path.clone(),
            package: project.member().map(str::to_owned),
        };
        let requirements = project.dependencies.clone();
        let mut chosen = settle(
            from,
            "uv",
            Some(lock.path.clone()),
            requirements,
            declared,
            closure,
        );
        chosen.extras = extras(project, closure);
        return chosen;
    }
    if let Some((manager, format, lock)) = &project.other_lock
        && !project.dependencies.is_empty()
    {
        let mut declared: BTreeSet<String> = lock.versions.keys().cloned().collect();
        declared.extend(project.declared());
        let from = PythonDependencies::Lock {
            format: *format,
            lock: lock.path.clone(),
            groups: Vec::new(),
        };
        let requirements = project.dependencies.clone();
        let file = Some(lock.path.clone());
        let mut chosen = settle(from, manager, file, requirements, declared, closure);
        chosen.extras = extras(project, closure);
        return chosen;
    }
    let own: Vec<&Requirement> = project.dependencies.iter().collect();
    // Nothing downstream reads the tables of Poetry and Pipenv, so what they require is handed on
    // one by one.
    let handed = project.poetry || stating(project) == project.pipfile.as_ref();
    let mut choices: Vec<Choice<'_>> = project
        .files
        .iter()
        .filter(|file| !file.development)
        .map(|file| {
            let requirements: Vec<_> = file.requirements.iter().collect();
            let covers = own.iter().all(|wanted| {
                requirements
                    .iter()
                    .any(|requirement| requirement.name == wanted.name)
            });
            let usual = file
                .path
                .file_name()
                .is_some_and(|name| name == "requirements.txt");
            Choice {
                from: PythonDependencies::Requirements {
                    files: vec![file.path.clone()],
                },
                file: file.path.clone(),
                requirements,
                plain: file.plain,
                class: match (usual, covers) {
                    (true, true) => 0,
                    (true, false) => 2,
                    (false, _) => 3,
                },
            }
        })
        .collect();
    if let (Some(pyproject), false) = (stating(project), own.is_empty()) {
        choices.push(Choice {
            from: if handed {
                PythonDependencies::None
            } else {
                PythonDependencies::Pyproject {
                    file: pyproject.clone(),
                }
            },
            file: pyproject.clone(),
            requirements: own,
            class: 1,
            plain: false,
        });
    }
    let best = choices.into_iter().min_by_key(|choice| {
        let names = names(choice.requirements.iter().copied());
        (
            missing(closure, &names).len(),
            phantoms(&choice.requirements).count(),
            choice.class,
            names.len(),
        )
    });
    let Some(best) = best else {
        // What a `setup.py` requires may be computed: uv asks it.
        let from = match &project.setup {
            Some(file) => PythonDependencies::Pyproject { file: file.clone() },
            None => PythonDependencies::None,
        };
        let manager = if project.setup.is_some() {
            "pip"
        } else {
            "none"
        };
        return settle(
            from,
            manager,
            project.setup.clone(),
            Vec::new(),
            BTreeSet::new(),
            closure,
        );
    };
    let declared = names(best.requirements.iter().copied());
    let requirements: Vec<Requirement> =
        best.requirements.iter().map(|one| (*one).clone()).collect();
    let handed = handed && best.from == PythonDependencies::None;
    let manager = match (&project.other_lock, project.poetry) {
        (Some((manager, ..)), _) => manager,
        (None, true) => "poetry",
        (None, false) if handed => "pipenv",
        _ => "pip",
    };
    if let Some(phantom) = phantoms(&best.requirements).next() {
        return trimmed(&best, phantom, closure);
    }
    if best.plain
        && let Some((aside, kept)) = heavy::set_aside(&best.requirements, closure)
    {
        let mut chosen = handed_over(&best.file, &kept, closure);
        chosen.problems.extend(heavy::told(&best.file, &aside));
        return chosen;
    }
    let mut chosen = settle(
        best.from.clone(),
        manager,
        Some(best.file.clone()),
        requirements,
        declared,
        closure,
    );
    if handed {
        chosen.undeclared = chosen
            .requirements
            .iter()
            .map(handed_on)
            .chain(chosen.undeclared)
            .collect();
    }
    if matches!(best.from, PythonDependencies::Pyproject { .. }) {
        chosen.extras = extras(project, closure);
    }
    chosen
}

/// The manifest that a project's own requirements stand in.
fn stating(project: &PythonProject) -> Option<&PathBuf> {
    project
        .pyproject
        .as_ref()
        .or(project.setup.as_ref())
        .or(project.pipfile.as_ref())
}

/// A file that cannot be installed as a whole still pins what the service imports: only that is taken.
fn trimmed(best: &Choice<'_>, phantom: &Requirement, closure: &Closure) -> Dependencies {
    let all = names(best.requirements.iter().copied());
    let mut wanted: BTreeSet<&str> = closure
        .external
        .keys()
        .filter_map(|module| provider(module, &all))
        .collect();
    // Imported late, by name, or by the command.
    let asynchronous = closure
        .external
        .keys()
        .any(|module| module.starts_with("fastapi") || module.starts_with("starlette"));
    wanted.insert(if asynchronous { "uvicorn" } else { "gunicorn" });
    // What channels bring is served by neither.
    if closure
        .external
        .keys()
        .any(|module| module.starts_with("channels"))
    {
        wanted.extend(["daphne", "uvicorn", "channels-redis"]);
    }
    wanted.extend(["python-multipart", "email-validator"]);
    if closure
        .external
        .keys()
        .any(|module| module.starts_with("sqlalchemy"))
    {
        wanted.extend([
            "psycopg2",
            "psycopg2-binary",
            "psycopg",
            "asyncpg",
            "aiosqlite",
            "pymysql",
            "mysqlclient",
        ]);
    }
    let mut seen = BTreeSet::new();
    let taken: Vec<&Requirement> = best
        .requirements
        .iter()
        .copied()
        .filter(|requirement| {
            wanted.contains(requirement.name.as_str()) && seen.insert(&requirement.name)
        })
        .collect();
    let mut chosen = handed_over(&best.file, &taken, closure);
    chosen.problems.push(
        Diagnostic::warning(format!(
            "names `{}`, which is a module of Python itself and no distribution to install",
            phantom.name
        ))
        .at(phantom.span.clone())
        .hint(format!("drop the line; until then only the {} distributions that the code imports are taken from this file", taken.len())),
    );
    chosen
}

/// Some requirements of a file, one by one in the place of the file.
fn handed_over(file: &Path, taken: &[&Requirement], closure: &Closure) -> Dependencies {
    let declared = names(taken.iter().copied());
    let requirements: Vec<Requirement> = taken.iter().map(|one| (*one).clone()).collect();
    let handed: Vec<_> = requirements.iter().map(handed_on).collect();
    let mut chosen = settle(
        PythonDependencies::None,
        "pip",
        Some(file.to_owned()),
        requirements,
        declared,
        closure,
    );
    chosen.undeclared = handed.into_iter().chain(chosen.undeclared).collect();
    chosen
}

fn handed_on(requirement: &Requirement) -> Spanned<String> {
    let extras = if requirement.extras.is_empty() {
        String::new()
    } else {
        format!("[{}]", requirement.extras.join(","))
    };
    let text = format!("{}{extras}{}", requirement.name, requirement.specifier);
    Spanned::new(text, requirement.span.clone())
}

fn names<'r>(requirements: impl Iterator<Item = &'r Requirement>) -> BTreeSet<String> {
    requirements
        .flat_map(|requirement| {
            let own = [requirement.name.clone()];
            let bundled = requirement.extras.iter().flat_map(|extra| {
                EXTRAS
                    .iter()
                    .filter(|(name, of, _)| *name == requirement.name && of == extra)
                    .flat_map(|(_, _, brings)| brings.iter().map(|name| (*name).to_owned()))
                    .collect::<Vec<_>>()
            });
            own.into_iter().chain(bundled).collect::<Vec<_>>()
        })
        .collect()
}

/// What extras bring: distribution, extra, distributions.
const EXTRAS: &[(&str, &str, &[&str])] = &[
    (
        "fastapi",
        "standard",
        &[
            "uvicorn",
            "httpx",
            "jinja2",
            "python-multipart",
            "email-validator",
        ],
    ),
    (
        "fastapi",
        "all",
        &[
            "uvicorn",
            "httpx",
            "jinja2",
            "python-multipart",
            "orjson",
            "ujson",
            "pyyaml",
            "itsdangerous",
            "pydantic-settings",
        ],
    ),
    ("celery", "redis", &["redis"]),
    ("celery", "sqlalchemy", &["sqlalchemy"]),
    ("psycopg", "binary", &["psycopg-binary"]),
    ("psycopg", "pool", &["psycopg-pool"]),
    ("pydantic", "email", &["email-validator"]),
    ("python-jose", "cryptography", &["cryptography"]),
    ("passlib", "bcrypt", &["bcrypt"]),
    ("mcp", "cli", &["typer", "python-dotenv"]),
    ("sqlalchemy", "asyncio", &["greenlet"]),
    ("langchain", "openai", &["langchain-openai"]),
    ("redis", "hiredis", &["hiredis"]),
    ("taskiq", "redis", &["taskiq-redis"]),
];

/// Requirements that are modules of Python itself.
fn phantoms<'r>(requirements: &[&'r Requirement]) -> impl Iterator<Item = &'r Requirement> {
    requirements
        .iter()
        .copied()
        .filter(|requirement| is_standard(&requirement.name.replace('-', "_")))
        // These are distributions, too: ports of later versions.
        .filter(|requirement| {
            !matches!(
                requirement.name.as_str(),
                "typing" | "dataclasses" | "enum34" | "contextvars" | "zoneinfo" | "graphlib"
            )
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// Modules that are imported for certain, and that no declared distribution gives.
fn missing<'c>(closure: &'c Closure, declared: &BTreeSet<String>) -> Vec<&'c str> {
    let mut seen = BTreeSet::new();
    closure
        .external
        .iter()
        .filter(|(module, external)| {
            external.moment == Moment::Import && provider(module, declared).is_none()
        })
        .map(|(module, _)| module.as_str())
        .filter(|module| seen.insert(module.split('.').next().unwrap_or(module)))
        .collect()
}

fn extras(project: &PythonProject, closure: &Closure) -> Vec<String> {
    let own = project.declared();
    let lacking = missing(closure, &names(project.dependencies.iter()));
    project
        .optional
        .iter()
        .filter(|(_, requirements)| {
            let given = names(requirements.iter());
            lacking.iter().any(|module| {
                provider(module, &own).is_none() && provider(module, &given).is_some()
            })
        })
        .map(|(name, _)| name.clone())
        .collect()
}

fn settle(
    from: PythonDependencies,
    manager: &'static str,
    file: Option<PathBuf>,
    requirements: Vec<Requirement>,
    mut declared: BTreeSet<String>,
    closure: &Closure,
) -> Dependencies {
    declared.extend(names(requirements.iter()));
    let mut undeclared = Vec::new();
    let mut problems = Vec::new();
    for module in missing(closure, &declared) {
        let span = closure.external[module].span.clone();
        let top = module.split('.').next().unwrap_or(module);
        match distribution_of(module).or_else(|| distribution_of(top)) {
            Some(distribution) => {
                let declares = match &file {
                    Some(file) => format!("`{}` does not declare it", places::text(file)),
                    None => "no file declares it".to_owned(),
                };
                problems.push(
                    Diagnostic::warning(format!("imports `{top}`, but {declares}"))
                        .at(span.clone())
                        .hint(format!("add `{distribution}`; it is installed without a pinned version until then")),
                );
                let known = undeclared
                    .iter()
                    .any(|one: &Spanned<String>| one.value == distribution);
                if !known {
                    undeclared.push(Spanned::new(distribution.to_owned(), span));
                }
            }
            // A lock file holds more than what is known here by name.
            None if matches!(
                from,
                PythonDependencies::UvLock { .. } | PythonDependencies::Lock { .. }
            ) => {}
            None => problems.push(
                Diagnostic::warning(format!(
                    "imports `{top}`, which is neither in the tree nor known to come with any declared dependency"
                ))
                .at(span)
                .hint("declare the distribution that gives it; Plimsoll does not guess names of packages"),
            ),
        }
    }
    Dependencies {
        from,
        manager,
        file,
        declared,
        requirements,
        extras: Vec::new(),
        undeclared,
        problems,
    }
}
