//! `.dockerignore`: what the build context leaves out.

use plimsoll_model::RecipeKind;

use crate::header::{header, is_rendered};
use crate::{Input, Rendering, Workload};

/// What no image needs: version control, what people's machines keep, what tools leave behind.
const NEVER: &[&str] = &[
    ".git",
    ".github",
    ".plimsoll",
    ".plimsoll-rendered.json",
    "secrets",
    "**/.DS_Store",
    "**/.idea",
    "**/.vscode",
    "**/.venv",
    "**/__pycache__",
    "**/*.pyc",
    "**/.pytest_cache",
    "**/.mypy_cache",
    "**/.ruff_cache",
    "**/.hypothesis",
    "**/.tox",
    "**/.nox",
    "**/.coverage",
    "**/node_modules",
    "compose*.yaml",
    "docker-compose*.yml",
    "monitoring",
    "kubernetes",
    "helm",
];

/// Writes the file, unless the project has one of its own.
pub(super) fn write(input: &Input<'_>, all: &[Workload<'_>], rendering: &mut Rendering) {
    let path = input.project.directory.join(".dockerignore");
    if input
        .contents
        .get(&path)
        .is_some_and(|text| !is_rendered(text))
    {
        return;
    }
    let mut text = header(input, "dockerfile");
    let kinds: Vec<&RecipeKind> = all
        .iter()
        .filter_map(|one| Some(&one.service.recipe.as_ref()?.kind))
        .collect();
    for pattern in NEVER {
        if is_read(pattern, all, input) {
            continue;
        }
        text.push_str(pattern);
        text.push('\n');
    }
    text.push_str("\n# Values of this machine; their templates may stay.\n**/.env\n**/.env.*\n!**/.env.example\n");
    let hands_out = |one: &Workload<'_>| {
        let recipe = one.service.recipe.as_ref();
        recipe.is_some_and(|recipe| !recipe.pages.is_empty())
    };
    let builds_pages = kinds
        .iter()
        .any(|kind| matches!(kind, RecipeKind::StaticSite(_) | RecipeKind::NodeServer(_)))
        || all.iter().any(hands_out);
    if builds_pages {
        text.push_str(
            "# Read by bundlers, which write it into pages for everybody.\n!**/.env.production\n",
        );
    }
    if kinds.iter().any(|kind| matches!(kind, RecipeKind::Rust(_))) {
        text.push_str("**/target\n");
    }
    rendering.file(".dockerignore", text);
}

/// Whether a service's own files are in a directory of that name.
fn is_read(pattern: &str, all: &[Workload<'_>], input: &Input<'_>) -> bool {
    let place = input.project.directory.join(pattern);
    all.iter().any(|one| {
        one.service
            .recipe
            .as_ref()
            .is_some_and(|recipe| recipe.context.starts_with(&place))
    })
}
