//! The files that a project's dependencies follow from: what the key of a resolution is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_model::{PythonDependencies, PythonRecipe, text_of};

use super::{PythonError, locks};
use crate::Digest;
use crate::application::{Application, SourceKind};
use crate::digest::Hasher;

/// The files, by path below the context.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    files: BTreeMap<PathBuf, Digest>,
    repositories: bool,
}

impl Inputs {
    /// Collects the files that the recipe names, those that these name in turn, and every
    /// `pyproject.toml`, because a workspace is made of them.
    pub(super) fn collect(
        context: &Path,
        recipe: &PythonRecipe,
        application: &Application,
    ) -> Result<Self, PythonError> {
        let mut inputs = Self::default();
        match &recipe.dependencies {
            PythonDependencies::UvLock { lock: file, .. }
            | PythonDependencies::Pyproject { file } => {
                inputs.add(context, file)?;
            }
            PythonDependencies::Lock { format, lock, .. } => {
                inputs.add(context, lock)?;
                let manifest = locks::manifest_of(*format, lock);
                if context.join(&manifest).is_file() {
                    inputs.add(context, &manifest)?;
                }
            }
            PythonDependencies::Requirements { files } => {
                for file in files {
                    inputs.add_requirements(context, file)?;
                }
            }
            PythonDependencies::None => {}
        }
        for file in application.files() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            if let SourceKind::File { digest, .. } = &file.kind
                && matches!(
                    name,
                    "pyproject.toml" | "uv.toml" | "setup.cfg" | "setup.py"
                )
            {
                inputs.files.insert(PathBuf::from(&file.path), *digest);
            }
        }
        Ok(inputs)
    }

    /// Notes a file, and gives its text.
    fn add(&mut self, context: &Path, file: &Path) -> Result<String, PythonError> {
        let bytes = fs::read(context.join(file))?;
        self.files.insert(file.to_path_buf(), Digest::of(&bytes));
        let text = text_of(bytes);
        self.repositories |= ["git+", "git = \"", "\"git\":"]
            .iter()
            .any(|mark| text.contains(mark));
        Ok(text)
    }

    fn add_requirements(&mut self, context: &Path, file: &Path) -> Result<(), PythonError> {
        if self.files.contains_key(file) {
            return Ok(());
        }
        let text = self.add(context, file)?;
        let directory = file.parent().unwrap_or(Path::new(""));
        for named in included(&text) {
            let path = directory.join(named);
            // uv reports an included file that is missing better than we could.
            if context.join(&path).is_file() {
                self.add_requirements(context, &path)?;
            }
        }
        Ok(())
    }

    /// Whether anything comes out of a repository, so that fetching it takes git.
    pub(super) fn name_repositories(&self) -> bool {
        self.repositories
    }

    /// What the files say.
    pub(super) fn texts(&self, context: &Path) -> std::io::Result<Vec<String>> {
        let paths = self.files.keys();
        paths
            .map(|path| {
                let bytes = fs::read(context.join(path))?;
                Ok(text_of(bytes))
            })
            .collect()
    }

    /// What tells these files from any others.
    pub(super) fn identity(&self) -> Digest {
        let mut hasher = Hasher::default();
        for (path, digest) in &self.files {
            hasher.update(format!("{}\0{digest}\0", path.display()).as_bytes());
        }
        hasher.finish()
    }

    /// What the files say of dependencies, as a digest: a version, a description or a comment
    /// that changes settles nothing anew.
    pub(super) fn statement(&self, context: &Path) -> Result<Digest, PythonError> {
        let mut hasher = Hasher::default();
        for (path, digest) in &self.files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let said = match &*name {
                "pyproject.toml" => stated(&text_of(fs::read(context.join(path))?)),
                name if name.ends_with(".txt") || name.ends_with(".in") => {
                    without_comments(&text_of(fs::read(context.join(path))?))
                }
                _ => digest.to_string(),
            };
            hasher.update(format!("{}\0{said}\0", path.display()).as_bytes());
        }
        Ok(hasher.finish())
    }

    /// Puts copies of them into a copy of the context, where an ignore file kept them out.
    pub(super) fn copy_missing(&self, context: &Path, copy: &Path) -> std::io::Result<()> {
        for path in self.files.keys() {
            let target = copy.join(path);
            if !target.exists() {
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::copy(context.join(path), target)?;
            }
        }
        Ok(())
    }
}

/// The tables of a `pyproject.toml` that dependencies follow from; all of one that is no TOML.
fn stated(text: &str) -> String {
    let Ok(document) = text.parse::<toml::Table>() else {
        return text.to_string();
    };
    let mut said = toml::Table::new();
    for (name, value) in document {
        match (name.as_str(), value) {
            ("project", toml::Value::Table(mut project)) => {
                project.retain(|key, _| {
                    [
                        "dependencies",
                        "optional-dependencies",
                        "requires-python",
                        "dynamic",
                        "name",
                    ]
                    .contains(&key)
                });
                said.insert(name, project.into());
            }
            ("tool", toml::Value::Table(mut tools)) => {
                tools
                    .retain(|key, _| ["uv", "poetry", "pdm", "hatch", "setuptools"].contains(&key));
                if !tools.is_empty() {
                    said.insert(name, tools.into());
                }
            }
            ("build-system" | "dependency-groups", value) => {
                said.insert(name, value);
            }
            _ => {}
        }
    }
    said.to_string()
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.starts_with('#') { "" } else { line }
    });
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// Files that a requirements file includes: `-r other.txt`, `--constraint=limits.txt`.
pub(super) fn included(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| {
            let line = line.split(" #").next().unwrap_or_default().trim();
            let rest = ["--requirement", "--constraint", "-r", "-c"]
                .iter()
                .find_map(|option| line.strip_prefix(option))?;
            let name = rest.trim_start_matches(['=', ' ', '\t']);
            (!name.is_empty() && !name.contains("://")).then_some(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_of_dependencies_does_not_count() {
        let one =
            "[project]\nname = 'a'\nversion = '1'\ndependencies = ['idna']\n[tool.ruff]\nx = 1\n";
        let two = "# new\n[project]\nversion = '2'\nname = 'a'\ndependencies = ['idna']\n";
        assert_eq!(stated(one), stated(two));
        assert_ne!(stated(one), stated(&one.replace("idna", "anyio")));
        assert_eq!(without_comments("# a\n\nidna  # b\n"), "idna");
    }

    #[test]
    fn included_files_are_followed() {
        let text =
            "fastapi\n-r base.txt  # ours\n--constraint=limits.txt\n-c https://x.example/c\n";
        assert_eq!(included(text), ["base.txt", "limits.txt"]);
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
        write("a.txt", "-r b.txt");
        write("b.txt", "-r a.txt\nx");
        let mut inputs = Inputs::default();
        inputs
            .add_requirements(root.path(), Path::new("a.txt"))
            .unwrap();
        let before = inputs.identity();
        write("b.txt", "-r a.txt\ny");
        let mut inputs = Inputs::default();
        inputs
            .add_requirements(root.path(), Path::new("a.txt"))
            .unwrap();
        assert_ne!(inputs.identity(), before);
    }

    #[test]
    fn what_windows_wrote_is_read() {
        let root = tempfile::tempdir().unwrap();
        let wide = "\u{feff}-r b.txt\r\nidna\r\n".encode_utf16();
        let bytes: Vec<u8> = wide.flat_map(u16::to_le_bytes).collect();
        fs::write(root.path().join("a.txt"), bytes).unwrap();
        fs::write(root.path().join("b.txt"), "x").unwrap();
        let mut inputs = Inputs::default();
        inputs
            .add_requirements(root.path(), Path::new("a.txt"))
            .unwrap();
        assert_eq!(inputs.files.len(), 2);
        assert!(inputs.statement(root.path()).is_ok());
    }
}
