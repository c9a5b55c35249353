//! When source was committed: what versions that a project leaves open are settled as of.

use std::path::Path;
use std::process::Command;

use plimsoll_model::{BuildRecipe, PythonDependencies, RecipeKind};

/// The moment that counts for what a recipe leaves open: the last commit, or where a lock file
/// settles the versions, the last commit of that file, so that the tools that build the locked
/// sources are of its time. Nothing where there is no repository.
pub(crate) fn moment(recipe: &BuildRecipe) -> Option<String> {
    let python = match &recipe.kind {
        RecipeKind::Python(python) => python,
        RecipeKind::NodeServer(server) if server.lock.is_none() => {
            return last_commit(&recipe.context, None);
        }
        RecipeKind::StaticSite(site) if site.lock.is_none() => {
            return last_commit(&recipe.context, None);
        }
        _ => return None,
    };
    match &python.dependencies {
        PythonDependencies::UvLock { lock, .. } | PythonDependencies::Lock { lock, .. } => {
            last_commit(&recipe.context, Some(lock))
        }
        PythonDependencies::Requirements { .. }
        | PythonDependencies::Pyproject { .. }
        | PythonDependencies::None => last_commit(&recipe.context, None),
    }
}

/// The time of the last commit of a directory's repository, or of those the last that changed a
/// file, in RFC 3339.
fn last_commit(directory: &Path, file: Option<&Path>) -> Option<String> {
    let mut arguments = vec![
        // A container or `sudo` may look at a tree of somebody else's.
        "-c",
        "safe.directory=*",
        "-c",
        "log.showSignature=false",
        "log",
        "-1",
        "--format=%cd",
        "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
    ];
    let file = file.map(Path::to_string_lossy);
    if let Some(file) = &file {
        arguments.extend(["--", file]);
    }
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .env("TZ", "UTC")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{NodeLayout, NodeManager, NodeServerRecipe};

    use super::*;

    fn node(context: &Path, lock: Option<&str>) -> BuildRecipe {
        BuildRecipe {
            context: context.to_owned(),
            kind: RecipeKind::NodeServer(NodeServerRecipe {
                root: ".".into(),
                manager: NodeManager::Npm,
                lock: lock.map(Into::into),
                node: None,
                build: None,
                layout: NodeLayout::Application,
                build_environment: Vec::new(),
            }),
            system_packages: Vec::new(),
            environment: Vec::new(),
            command: Vec::new(),
            working_dir: ".".into(),
            ports: Vec::new(),
            pages: Vec::new(),
        }
    }

    #[test]
    fn a_commit_tells_its_time_in_utc_and_a_bare_directory_none() {
        let root = tempfile::tempdir().unwrap();
        let file = Path::new("uv.lock");
        let git = |date: &str, arguments: &[&str]| {
            let output = Command::new("git")
                .arg("-C")
                .arg(root.path())
                .args(["-c", "user.name=a", "-c", "user.email=a@a.example"])
                .args(arguments)
                .env("GIT_COMMITTER_DATE", date)
                .output();
            output.is_ok_and(|output| output.status.success())
        };
        if !git("", &["init", "--quiet"]) {
            return;
        }
        assert_eq!(last_commit(root.path(), None), None);
        fs_err::write(root.path().join(file), "").unwrap();
        assert!(git("", &["add", "."]));
        let first = "2024-03-01T01:30:00+02:00";
        assert!(git(first, &["commit", "--quiet", "-m", "one"]));
        let second = "2024-03-02T00:00:00+00:00";
        assert!(git(
            second,
            &["commit", "--quiet", "--allow-empty", "-m", "two"]
        ));
        assert_eq!(
            last_commit(root.path(), None).as_deref(),
            Some("2024-03-02T00:00:00Z")
        );
        assert_eq!(
            last_commit(root.path(), Some(file)).as_deref(),
            Some("2024-02-29T23:30:00Z")
        );
        assert_eq!(
            last_commit(root.path(), Some(Path::new("poetry.lock"))),
            None
        );
        let open = moment(&node(root.path(), None));
        assert_eq!(open.as_deref(), Some("2024-03-02T00:00:00Z"));
        assert_eq!(moment(&node(root.path(), Some("uv.lock"))), None);
    }
}
