//! How a running container of the dev variant sees the sources as they are on this machine.

use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_model::{BuildRecipe, RecipeKind};

/// Where the sources of a Python service are shown. Its environment lies among the image's own
/// copy of them and must stay in sight.
const SOURCE: &str = "/source";

/// Where the image has the application.
const APPLICATION: &str = "/app";

/// How deep packages of a workspace are looked for.
const DEEPEST: usize = 3;

/// What a container is given besides its image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Development {
    /// Paths of this machine, and where they are shown.
    pub mounts: Vec<(PathBuf, PathBuf)>,
    /// Where its command starts.
    pub working_dir: Option<PathBuf>,
    /// Variables that name places of the sources.
    pub environment: Vec<(String, String)>,
}

/// How the sources of a recipe are shown; nothing for programs that are compiled.
///
/// # Errors
/// When the context cannot be read.
pub fn development(recipe: &BuildRecipe) -> std::io::Result<Development> {
    match &recipe.kind {
        RecipeKind::Python(python) => {
            let source = Path::new(SOURCE);
            let mut environment: Vec<(String, String)> = recipe
                .environment
                .iter()
                .filter(|(_, value)| value.contains(APPLICATION) && !value.contains("/.venv"))
                .map(|(name, value)| (name.clone(), value.replace(APPLICATION, SOURCE)))
                .collect();
            let is_named = environment.iter().any(|(name, _)| name == "PYTHONPATH");
            if python.install_project.is_some() && !is_named {
                // The installed copy of the project must not win.
                let root = source.join(&python.root);
                let mut path = root.display().to_string();
                if recipe.context.join(&python.root).join("src").is_dir() {
                    path = format!("{}:{path}", root.join("src").display());
                }
                environment.push(("PYTHONPATH".to_owned(), path));
            }
            Ok(Development {
                mounts: vec![(recipe.context.clone(), source.to_path_buf())],
                working_dir: Some(in_source(&recipe.working_dir)),
                environment,
            })
        }
        RecipeKind::NodeServer(_) => node(&recipe.context),
        RecipeKind::StaticSite(site) if site.build.is_some() => node(&recipe.context),
        _ => Ok(Development::default()),
    }
}

/// The place among the sources of one in the image.
fn in_source(place: &Path) -> PathBuf {
    let below = place.strip_prefix(APPLICATION).unwrap_or(place);
    Path::new(SOURCE)
        .join(below)
        .components()
        .collect::<PathBuf>()
}

/// Installed packages stand among the sources, so that these are shown part by part.
fn node(context: &Path) -> std::io::Result<Development> {
    let mut mounts = Vec::new();
    parts(context, Path::new(APPLICATION), 0, &mut mounts)?;
    mounts.sort();
    Ok(Development {
        mounts,
        ..Development::default()
    })
}

fn parts(
    directory: &Path,
    target: &Path,
    depth: usize,
    mounts: &mut Vec<(PathBuf, PathBuf)>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let is_hidden = text.starts_with('.');
        if text == "node_modules" || is_hidden || matches!(&*text, "dist" | "build" | "out") {
            continue;
        }
        let (path, place) = (entry.path(), target.join(&name));
        let is_directory = entry.file_type()?.is_dir();
        if is_directory && has_packages(&path, depth + 1)? {
            parts(&path, &place, depth + 1, mounts)?;
        } else {
            mounts.push((path, place));
        }
    }
    Ok(())
}

/// Whether packages of a workspace are at or below a directory.
fn has_packages(directory: &Path, depth: usize) -> std::io::Result<bool> {
    if directory.join("package.json").is_file() {
        return Ok(true);
    }
    if depth >= DEEPEST {
        return Ok(false);
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let is_directory = entry.file_type()?.is_dir() && entry.file_name() != "node_modules";
        if is_directory && has_packages(&entry.path(), depth + 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_starts_among_the_sources() {
        assert_eq!(in_source(Path::new("/app")), Path::new("/source"));
        assert_eq!(in_source(Path::new("/app/api")), Path::new("/source/api"));
        assert_eq!(in_source(Path::new("api")), Path::new("/source/api"));
        assert_eq!(in_source(Path::new("")), Path::new("/source"));
    }

    #[test]
    fn packages_of_a_workspace_are_shown_part_by_part() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "package.json",
            "src/main.ts",
            "node_modules/a/index.js",
            "apps/api/package.json",
            "apps/api/src/x.ts",
            ".env",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        let shown = node(root.path()).unwrap();
        let targets: Vec<String> = shown
            .mounts
            .iter()
            .map(|(_, target)| target.display().to_string())
            .collect();
        assert_eq!(
            targets,
            [
                "/app/apps/api/package.json",
                "/app/apps/api/src",
                "/app/package.json",
                "/app/src"
            ]
        );
    }
}
