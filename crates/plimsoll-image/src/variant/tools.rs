//! Tools of development that a command starts, or tests use, and that a Python project may state
//! nowhere: its Dockerfile installs them for one stage only.

use std::path::Path;

use fs_err as fs;
use plimsoll_diag::Spanned;
use plimsoll_model::{BuildRecipe, PythonDependencies, PythonRecipe, RecipeKind};

use super::groups;

/// Programs, and the distribution that each is part of.
const TOOLS: [(&str, &str); 4] = [
    ("debugpy", "debugpy"),
    ("watchfiles", "watchfiles"),
    ("watchmedo", "watchdog"),
    ("pytest", "pytest"),
];

/// Files in which a project states what it is developed with.
const STATED_IN: [&str; 6] = [
    "pyproject.toml",
    "Pipfile",
    "setup.cfg",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
];

/// Adds to a recipe what `command` is started with: `python -m debugpy … -m uvicorn app:app`.
pub fn add_tools_of(recipe: &mut BuildRecipe, command: &[String]) {
    let RecipeKind::Python(python) = &mut recipe.kind else {
        return;
    };
    for (program, distribution) in TOOLS {
        if starts(command, program) {
            add(&recipe.context, python, distribution);
        }
    }
}

/// Whether the words start a program: by its name, by its path, or as a module.
fn starts(command: &[String], program: &str) -> bool {
    let is_program = |word: &str| Path::new(word).file_name().is_some_and(|it| it == program);
    let is_first = command.first().is_some_and(|word| is_program(word));
    is_first
        || command
            .windows(2)
            .any(|pair| pair[0] == "-m" && pair[1] == program)
}

/// Adds a distribution that the project states nowhere.
pub(super) fn add(context: &Path, python: &mut PythonRecipe, distribution: &str) {
    let is_known = |name: &Spanned<String>| name.value.starts_with(distribution);
    if is_stated(context, python, distribution) || python.undeclared.iter().any(is_known) {
        return;
    }
    let added = Spanned::unplaced(distribution.to_owned());
    python.undeclared.push(added);
}

/// Whether the project's files name a distribution. A manifest that names it for one purpose alone
/// counts: which version is wanted is its matter.
fn is_stated(context: &Path, python: &PythonRecipe, distribution: &str) -> bool {
    let names = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.contains(distribution)
    };
    let root = context.join(&python.root);
    STATED_IN.iter().any(|name| names(&root.join(name)))
        || match &python.dependencies {
            PythonDependencies::Requirements { files } => {
                let more = groups::files(context, files);
                let mut all = files.iter().chain(&more);
                all.any(|file| names(&context.join(file)))
            }
            PythonDependencies::UvLock { lock, .. } | PythonDependencies::Lock { lock, .. } => {
                names(&context.join(lock))
            }
            PythonDependencies::Pyproject { .. } | PythonDependencies::None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_started_by_its_name_or_as_a_module() {
        let starts = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            starts(&words, "debugpy")
        };
        assert!(starts(
            "python -Xfrozen_modules=off -m debugpy --listen 5678 -m uvicorn a:b"
        ));
        assert!(starts("/usr/bin/debugpy --listen 5678 main.py"));
        assert!(!starts("python main.py --with debugpy"));
        assert!(!starts("python -m debugpy_like"));
    }

    #[test]
    fn what_the_project_states_is_not_added() {
        let root = tempfile::tempdir().unwrap();
        let files = vec!["requirements-dev.txt".into()];
        let python = |dependencies: PythonDependencies| PythonRecipe {
            root: "".into(),
            requires_python: None,
            preferred_python: None,
            dependencies,
            extras: Vec::new(),
            undeclared: Vec::new(),
            install_project: None,
        };
        let added = |text: &str| {
            fs::write(root.path().join("requirements-dev.txt"), text).unwrap();
            let files = files.clone();
            let mut python = python(PythonDependencies::Requirements { files });
            add(root.path(), &mut python, "debugpy");
            add(root.path(), &mut python, "debugpy");
            python.undeclared.len()
        };
        assert_eq!(added("pytest==8.3.4\n"), 1);
        assert_eq!(added("debugpy==1.8.0\n"), 0);
    }
}
