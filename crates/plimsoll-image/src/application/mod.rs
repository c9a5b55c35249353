//! The files of a build context: which of them count, and what they are, told by their hashes.
//!
//! Hashes are kept between runs beside each file's size, times and inode, as git's index does,
//! so that a context in which nothing changed is recognised by looking at it, without reading a
//! file. Nothing here writes into the context.

mod ignore;
mod known_hashes;
mod segments;
mod walk;

use std::path::{Path, PathBuf};

use fs_err as fs;
use thiserror::Error;

use crate::Digest;
use crate::digest::Hasher;
use crate::layer::{Attributes, Content, FileSet, FileSetError, Node};
use crate::variant::Variant;

pub use ignore::Ignore;
pub(crate) use known_hashes::{KnownHashes, Stamp};
pub(crate) use segments::PackError;

/// What never belongs into an image: version control, secrets of the developer's machine,
/// installed packages, caches of tools.
const NEVER: &[&str] = &[
    "**/.git",
    "**/.hg",
    "**/.svn",
    "**/node_modules",
    "**/__pycache__",
    "**/*.pyc",
    "**/.venv",
    "**/.tox",
    "**/.nox",
    "**/.pytest_cache",
    "**/.mypy_cache",
    "**/.ruff_cache",
    "**/.hypothesis",
    "**/.coverage",
    "**/.DS_Store",
    "**/.idea",
    "**/.vscode",
    ".dockerignore",
    "**/plimsoll.lock",
];

/// Files with secrets of the developer's machine. A site's build may read them; they do not
/// belong into the image of a running service.
const ENVIRONMENT_FILES: &[&str] = &[
    "**/.env",
    "**/.env.*",
    "!**/.env.example",
    "!**/.env.sample",
    "!**/.env.template",
];

/// What says how images are built and started: the program in one does not read it, and a Compose
/// file may hold values of secrets. The template of `docker init` leaves the same out.
const DEPLOYMENT_FILES: &[&str] = &[
    "**/compose.y*ml",
    "**/compose.*.y*ml",
    "**/docker-compose.y*ml",
    "**/docker-compose.*.y*ml",
    "**/Dockerfile",
    "**/Dockerfile.*",
    "**/*.Dockerfile",
];

/// What the files are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// They become a layer of the image.
    Image,
    /// The same, and tests are among them whatever an ignore file says.
    Tests,
    /// A build step reads them; only what it makes enters the image.
    BuildInput,
}

impl Purpose {
    /// What the files of an image are used for.
    pub(crate) fn of(variant: Variant) -> Self {
        match variant {
            Variant::Test => Self::Tests,
            _ => Self::Image,
        }
    }
}

/// Tests and what they are set up with, where projects have them.
const TESTS: &[&str] = &[
    "!**/tests",
    "!**/test",
    "!**/__tests__",
    "!**/spec",
    "!**/conftest.py",
    "!**/pytest.ini",
    "!**/tox.ini",
    "!**/test_*.py",
    "!**/*_test.py",
    "!**/*.test.*",
    "!**/*.spec.*",
    "!**/vitest.*",
    "!**/jest.*",
];

/// A build context, looked at.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    context: PathBuf,
    files: Vec<SourceFile>,
    identity: Digest,
}

/// One file or symbolic link of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Path below the context, with `/`.
    pub path: String,
    /// What it is.
    pub kind: SourceKind,
}

/// What stands at a path of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// A regular file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// Hash of its bytes.
        digest: Digest,
        /// How many these are.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// Its target as written.
        target: String,
    },
}

/// A context cannot be read.
#[derive(Debug, Error)]
pub enum ContextError {
    /// A file or directory cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// A name that is not text.
    #[error("`{}` has a name that is not UTF-8", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The files cannot be put together.
    #[error(transparent)]
    Files(#[from] FileSetError),
    /// A file that was written to since it was looked at.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl Application {
    /// Looks at a context. Hashes that are known from an earlier look are kept under `cache`.
    ///
    /// # Errors
    /// When something of it cannot be read.
    pub(crate) fn look(
        context: &Path,
        purpose: Purpose,
        cache: &Path,
    ) -> Result<Self, ContextError> {
        let also: &[&[&str]] = match purpose {
            Purpose::Image => &[ENVIRONMENT_FILES, DEPLOYMENT_FILES],
            // Some projects test how they are deployed.
            Purpose::Tests => &[ENVIRONMENT_FILES],
            Purpose::BuildInput => &[],
        };
        let ignore =
            Ignore::from_patterns(NEVER.iter().chain(also.iter().copied().flatten()).copied());
        let own = match fs::read_to_string(context.join(".dockerignore")) {
            Ok(text) => Ignore::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ignore::default(),
            Err(error) => return Err(error.into()),
        };
        let mut known = KnownHashes::open(cache, context, purpose);
        let rules = walk::Rules {
            all: match purpose {
                Purpose::Tests => {
                    let tests = Ignore::from_patterns(TESTS.iter().copied());
                    own.clone().then(&tests).then(&ignore)
                }
                _ => ignore.then(&own),
            },
            own,
        };
        let walk::Found { files, read } = walk::walk(context, &rules, &mut known)?;
        known.save();
        tracing::debug!(context = %context.display(), files = files.len(), read, "looked at");
        Ok(Self {
            context: context.to_owned(),
            identity: identity(&files),
            files,
        })
    }

    /// What tells this content from any other: names, kinds and hashes, not times.
    pub(crate) fn identity(&self) -> Digest {
        self.identity
    }

    /// The files, sorted by path.
    pub(crate) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Where one of the files is.
    pub(crate) fn place(&self, file: &SourceFile) -> PathBuf {
        self.context.join(&file.path)
    }

    /// Those of the files whose paths are wanted.
    pub(crate) fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let files: Vec<SourceFile> = self
            .files
            .iter()
            .filter(|file| wanted(&file.path))
            .cloned()
            .collect();
        Self {
            context: self.context.clone(),
            identity: identity(&files),
            files,
        }
    }

    /// The files as they stand in an image below `place` (without a leading `/`).
    ///
    /// # Errors
    /// When two of them claim one path.
    pub(crate) fn file_set(&self, place: &str) -> Result<FileSet, ContextError> {
        self.set_of(&self.files, place)
    }

    fn set_of(&self, files: &[SourceFile], place: &str) -> Result<FileSet, ContextError> {
        let mut set = FileSet::new();
        set.directory(place, Attributes::DIRECTORY)?;
        for file in files {
            let path = format!("{place}/{}", file.path);
            match &file.kind {
                SourceKind::File {
                    executable, digest, ..
                } => {
                    let attributes = if *executable {
                        Attributes::PROGRAM
                    } else {
                        Attributes::FILE
                    };
                    let content = Content::Seen(self.place(file), *digest);
                    set.insert(&path, Node::File(attributes, content))?;
                }
                SourceKind::Symlink { target } => set.symlink(&path, target)?,
            }
        }
        Ok(set)
    }

    /// Copies the files below `target`, for a build step that writes among its sources.
    ///
    /// # Errors
    /// When one of them cannot be copied.
    pub(crate) fn copy_to(&self, target: &Path) -> Result<(), ContextError> {
        for file in &self.files {
            let place = target.join(&file.path);
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            match &file.kind {
                SourceKind::File { digest, .. } => {
                    fs::copy(self.place(file), &place)?;
                    // What a step makes of the copies goes by what was seen.
                    if Digest::of_reader(&mut fs::File::open(&place)?)?.0 != *digest {
                        return Err(ContextError::Changed {
                            path: self.place(file),
                        });
                    }
                }
                SourceKind::Symlink { target } => fs::os::unix::fs::symlink(target, &place)?,
            }
        }
        Ok(())
    }
}

/// What tells files from any others: each path with what stands there.
fn identity(files: &[SourceFile]) -> Digest {
    let mut hasher = Hasher::default();
    let mut line = String::new();
    for file in files {
        line.clear();
        line.push_str(&file.path);
        match &file.kind {
            SourceKind::File {
                executable, digest, ..
            } => {
                line.push_str(match executable {
                    true => "\0file true sha256:",
                    false => "\0file false sha256:",
                });
                line.push_str(&digest.hex());
            }
            SourceKind::Symlink { target } => {
                line.push_str("\0link ");
                line.push_str(target);
            }
        }
        line.push('\0');
        hasher.update(line.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn context(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join("context").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn look(root: &tempfile::TempDir, purpose: Purpose) -> Application {
        let cache = root.path().join("cache");
        Application::look(&root.path().join("context"), purpose, &cache).unwrap()
    }

    fn paths(application: &Application) -> Vec<&str> {
        let files = application.files().iter();
        files.map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn secrets_caches_and_files_of_deployments_stay_out_of_an_image() {
        let root = context(&[
            ("app/main.py", "x"),
            ("app/__pycache__/main.cpython-313.pyc", "x"),
            ("app/Dockerfile", "FROM scratch"),
            ("app/compose.py", "x"),
            (".env", "KEY=secret"),
            (".env.example", "KEY="),
            ("docker-compose.prod.yml", "x"),
            (".git/config", "x"),
            ("web/node_modules/a/index.js", "x"),
        ]);
        assert_eq!(
            paths(&look(&root, Purpose::Image)),
            [".env.example", "app/compose.py", "app/main.py"]
        );
        let input = look(&root, Purpose::BuildInput);
        assert_eq!(
            paths(&input),
            [
                ".env",
                ".env.example",
                "app/Dockerfile",
                "app/compose.py",
                "app/main.py",
                "docker-compose.prod.yml"
            ]
        );
    }

    #[test]
    fn an_ignore_file_may_ask_for_files_of_a_deployment() {
        let root = context(&[
            (".dockerignore", "!templates/Dockerfile\n"),
            ("compose.yaml", "x"),
            ("templates/Dockerfile", "x"),
        ]);
        assert_eq!(
            paths(&look(&root, Purpose::Image)),
            ["templates/Dockerfile"]
        );
    }

    #[test]
    fn the_ignore_file_has_the_last_word() {
        let root = context(&[
            (".dockerignore", "*\n!app\napp/tests\n!.git/HEAD\n"),
            ("app/main.py", "x"),
            ("app/tests/test_a.py", "x"),
            ("README.md", "x"),
            (".git/HEAD", "x"),
        ]);
        assert_eq!(
            paths(&look(&root, Purpose::Image)),
            [".git/HEAD", "app/main.py"]
        );
    }

    #[test]
    fn identity_follows_content_and_mode_but_not_time() {
        let root = context(&[("a.py", "one"), ("b/c.py", "two")]);
        let path = root.path().join("context/a.py");
        let first = look(&root, Purpose::Image).identity();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        assert_eq!(look(&root, Purpose::Image).identity(), first);
        fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let second = look(&root, Purpose::Image).identity();
        assert_ne!(second, first);
        fs::write(&path, "eno").unwrap();
        let third = look(&root, Purpose::Image);
        assert_ne!(third.identity(), second);
    }

    #[test]
    fn a_copy_is_whole_and_a_link_stays_a_link() {
        let root = context(&[("a/b.txt", "x")]);
        let link = root.path().join("context/a/link");
        fs::os::unix::fs::symlink("b.txt", &link).unwrap();
        let copy = root.path().join("copy");
        let application = look(&root, Purpose::BuildInput);
        application.copy_to(&copy).unwrap();
        assert_eq!(fs::read_to_string(copy.join("a/link")).unwrap(), "x");
        let set = application.file_set("app").unwrap();
        assert!(matches!(set.get("app/a/link"), Some(Node::Symlink(..))));
    }
}
