//! Paths inside the tree, and what their names say about the files there.

use std::path::{Component, Path, PathBuf};

/// `relative`, seen from `base`, as a path inside the tree; `None` when it leaves the tree.
pub(crate) fn within(base: &Path, relative: &str) -> Option<PathBuf> {
    let mut path = base.to_owned();
    for component in Path::new(relative).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => path.push(part),
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// A path as text; paths of the tree are valid Unicode.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// `path` seen from `base`, which contains it; `.` stands for `base` itself.
pub(crate) fn below(path: &Path, base: &Path) -> PathBuf {
    match path.strip_prefix(base) {
        Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from("."),
        Ok(rest) => rest.to_owned(),
        Err(_) => path.to_owned(),
    }
}

/// The longest directory that contains both.
pub(crate) fn common(one: &Path, other: &Path) -> PathBuf {
    one.components()
        .zip(other.components())
        .take_while(|(one, other)| one == other)
        .map(|(part, _)| part)
        .collect()
}

/// Whether a file lies where a repository keeps what people run by hand.
pub(crate) fn is_among_scripts(path: &Path) -> bool {
    let mut directories = path.parent().unwrap_or(Path::new("")).components();
    directories.any(|part| matches!(part.as_os_str().to_str(), Some("scripts" | "hack")))
}

/// Why nothing at `path` is a service of this project, as far as its place says.
pub(crate) fn set_aside(path: &Path) -> Option<&'static str> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let directories = path.parent().unwrap_or(Path::new("")).components();
    for component in directories {
        let part = component.as_os_str().to_str().unwrap_or_default();
        if part.contains("{{") || part.contains("{%") {
            return Some("a template that another tool fills in");
        }
        let lower = part.to_ascii_lowercase();
        if let Some(why) = by_directory(&lower) {
            return Some(why);
        }
    }
    let lower = name.to_ascii_lowercase();
    if name.contains("{{") || lower.ends_with(".jinja") || lower.ends_with(".j2") {
        return Some("a template that another tool fills in");
    }
    let stem = lower.split('.').next().unwrap_or_default();
    if stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
        || stem == "conftest"
        || lower.contains(".test.")
        || lower.contains(".spec.")
        || lower.contains(".stories.")
    {
        return Some("a test");
    }
    if stem.starts_with("mock_") || stem.ends_with("_mock") {
        return Some(STAND_IN);
    }
    if [".bak", ".orig", ".old", ".backup", "~"]
        .iter()
        .any(|end| lower.ends_with(end))
        || stem.ends_with("_backup")
        || stem.ends_with("_old")
    {
        return Some("a backup");
    }
    None
}

/// Whether what is set aside for this reason is the project's own all the same where the project starts it.
pub(crate) fn may_be_own(why: &str) -> bool {
    matches!(why, FOREIGN | RETIRED)
}

const FOREIGN: &str = "a copy of somebody else's code";
const STAND_IN: &str = "stands in for something else in tests";
const RETIRED: &str = "a backup or retired";
pub(crate) const GENERATED: &str = "generated";

fn by_directory(part: &str) -> Option<&'static str> {
    Some(match part {
        "test" | "tests" | "testing" | "__tests__" | "e2e" | "fixtures" | "testdata" | "spec"
        | "specs" | "__mocks__" | "mocks" => "a test",
        "example" | "examples" | "sample" | "samples" | "demo" | "demos" | "tutorial"
        | "tutorials" | "cookbook" | "cookbooks" | "quickstart" | "quickstarts" | "playground" => {
            "an example"
        }
        _ if part.starts_with("example-") || part.ends_with("-example") => "an example",
        _ if part.starts_with("mock-") || part.starts_with("mockserver") => STAND_IN,
        "doc" | "docs" | "documentation" | "site" | "website" => "part of the documentation",
        "vendor" | "vendored" | "third_party" | "thirdparty" | "_vendor" | "extern" => FOREIGN,
        "backup" | "backups" | "old" | "archive" | "archived" | "legacy" | "deprecated"
        | "attic" => RETIRED,
        "template" | "templates" | "cookiecutter" | "boilerplate" | "scaffold" | "scaffolds"
        | "skeleton" => "a template",
        "notebook" | "notebooks" => "a notebook",
        "benchmark" | "benchmarks" | "bench" | "perf" => "a benchmark",
        "migrations" | "alembic" => "a migration",
        "generated" | "__generated__" | "dist" | "build" | "out" => GENERATED,
        _ if part.starts_with("test_")
            || part.ends_with("_test")
            || part.ends_with("_tests")
            || part.ends_with("-tests") =>
        {
            "a test"
        }
        _ if part.ends_with("_backup")
            || part.ends_with("-backup")
            || part.starts_with("backup_")
            || part.starts_with("backup-")
            || part.ends_with(".bak") =>
        {
            RETIRED
        }
        // Directories that listings hide belong to tools, not to the program.
        _ if part.len() > 1 && part.starts_with('.') && part != ".." => "part of the tooling",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert_eq!(within(Path::new("a/b"), "../c"), Some(PathBuf::from("a/c")));
        assert_eq!(within(Path::new("a"), "../../c"), None);
        assert_eq!(within(Path::new("a"), "/etc/passwd"), None);
        assert_eq!(below(Path::new("a/b"), Path::new("a")), PathBuf::from("b"));
        assert_eq!(below(Path::new("a"), Path::new("a")), PathBuf::from("."));
        assert_eq!(
            common(Path::new("a/b/c"), Path::new("a/d")),
            PathBuf::from("a")
        );
    }

    #[test]
    fn places_say_what_is_set_aside() {
        let why = |path: &str| set_aside(Path::new(path));
        assert_eq!(why("app/main.py"), None);
        assert_eq!(why("tests/app.py"), Some("a test"));
        assert_eq!(why("app/test_main.py"), Some("a test"));
        assert_eq!(
            why("{{cookiecutter.name}}/main.py"),
            Some("a template that another tool fills in")
        );
        assert_eq!(why("examples/a/main.py"), Some("an example"));
        assert_eq!(why("example-app/main.ts"), Some("an example"));
        assert_eq!(why("crates/mock-server/main.rs"), Some(STAND_IN));
        assert_eq!(why("app/latest.py"), None);
        assert_eq!(why("main_backup.py"), Some("a backup"));
        assert_eq!(why("web/src/App.test.tsx"), Some("a test"));
    }
}
