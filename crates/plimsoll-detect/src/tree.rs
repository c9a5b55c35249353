//! A bounded snapshot of a directory: which files there are, and their text on demand.
//!
//! What version control ignores, what package managers install, and links are not in it. Nothing
//! outside of the root is read. What an image's ignore file leaves out is in it, but marked.

mod again;
mod question;
mod reading;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::SystemTime;

use ignore::WalkBuilder;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use sha2::{Digest as _, Sha256};

use crate::detection::Detection;
use crate::memory::{Facts, Key, Memory, key};
pub(crate) use question::Question;
pub(crate) use reading::Asking;
use reading::{Readings, Stamp, digest};

/// Why a snapshot could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The root is not there, or is not a directory.
    #[error("{path}: not a directory")]
    NotADirectory {
        /// The path asked for.
        path: PathBuf,
    },
    /// The root could not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// How much of a directory is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Files listed at most; the rest is left out, and said to be.
    pub files: usize,
    /// Bytes of a source file read at most; a larger one is generated, and is left out.
    pub source_bytes: u64,
    /// Bytes of a manifest or lock file read at most.
    pub manifest_bytes: u64,
    /// Directories below the root that are entered at most.
    pub depth: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            files: 250_000,
            source_bytes: 1 << 20,
            manifest_bytes: 32 << 20,
            depth: 48,
        }
    }
}

/// Directories that hold what tools made or installed, never what somebody wrote.
const INSTALLED: &[&str] = &[
    ".cache",
    ".eggs",
    ".git",
    ".gradle",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nuxt",
    ".pnpm-store",
    ".pytest_cache",
    ".ruff_cache",
    ".svelte-kit",
    ".svn",
    ".terraform",
    ".tox",
    ".turbo",
    ".venv",
    ".yarn",
    "__pycache__",
    "bower_components",
    "node_modules",
    "site-packages",
];

/// One file of the snapshot.
#[derive(Debug, Clone)]
pub struct File {
    /// Path relative to the root, valid Unicode.
    pub path: Arc<Path>,
    /// Size in bytes when it was listed. What is found must not follow from it behind the back of
    /// [`Tree::is_at_most`].
    size: u64,
    stamp: Stamp,
    /// Whether `.dockerignore` keeps it out of images.
    pub left_out_of_images: bool,
}

/// A snapshot of a directory.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    prefix: PathBuf,
    bounds: Bounds,
    files: Vec<File>,
    /// Where each path stands among the files.
    places: HashMap<Arc<Path>, usize>,
    directories: HashSet<PathBuf>,
    truncated: bool,
    odd_names: usize,
    /// When it was begun to list the files.
    listed: SystemTime,
    readings: Readings,
    unreadable: Mutex<BTreeSet<(Arc<Path>, String)>>,
    memory: Option<Arc<Memory>>,
}

impl Tree {
    /// Lists the files under `root`.
    pub fn read(root: &Path) -> Result<Self, TreeError> {
        Self::read_below(root, Path::new(""), Bounds::default())
    }

    /// Lists the files under `root`, whose places are shown with `prefix` before them.
    pub fn read_below(root: &Path, prefix: &Path, bounds: Bounds) -> Result<Self, TreeError> {
        let root = fs_err::canonicalize(root)?;
        if !root.is_dir() {
            return Err(TreeError::NotADirectory { path: root });
        }
        let mut tree = Self {
            prefix: prefix.to_owned(),
            bounds,
            files: Vec::new(),
            places: HashMap::new(),
            directories: HashSet::from([PathBuf::new()]),
            truncated: false,
            odd_names: 0,
            listed: SystemTime::now(),
            readings: Readings::default(),
            unreadable: Mutex::new(BTreeSet::new()),
            memory: None,
            root,
        };
        tree.walk();
        Ok(tree)
    }

    /// The snapshot as if these files of it were not there: a tool that wrote them would take its
    /// own word for the project's.
    #[must_use]
    pub fn without(mut self, paths: &[&Path]) -> Self {
        self.files.retain(|file| !paths.contains(&&*file.path));
        self.find_places();
        self
    }

    /// The snapshot, whose files need not be looked at where `memory` knows what they say.
    #[must_use]
    pub fn remembering(mut self, memory: Arc<Memory>) -> Self {
        self.memory = Some(memory);
        self
    }

    /// The snapshot with the memory of another one.
    pub(crate) fn remembering_as(mut self, other: &Self) -> Self {
        self.memory.clone_from(&other.memory);
        self
    }

    /// What `look` finds in the tree, or what it found before where nothing is otherwise that it saw.
    pub(crate) fn recall_whole(&self, look: impl FnOnce() -> Detection) -> Detection {
        let Some(memory) = &self.memory else {
            return look();
        };
        if let Some(known) = memory.trees.recall(self) {
            memory.texts.keep_others();
            return known;
        }
        let found = look();
        memory.trees.learn(self, &found);
        found
    }

    /// What is in the tree and how it is shown, the texts of files left out.
    pub(crate) fn listing(&self) -> Key {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(self.root.as_os_str().as_encoded_bytes());
        add(self.prefix.as_os_str().as_encoded_bytes());
        add(format!("{:?} {} {}", self.bounds, self.truncated, self.odd_names).as_bytes());
        for file in &self.files {
            add(file.path.as_os_str().as_encoded_bytes());
            add(&[u8::from(file.left_out_of_images)]);
        }
        add(b"/");
        let mut directories: Vec<&PathBuf> = self.directories.iter().collect();
        directories.sort_unstable();
        for directory in directories {
            add(directory.as_os_str().as_encoded_bytes());
        }
        digest.finalize().into()
    }

    /// What was asked of the files; `None` where another look may see something else in them.
    pub(crate) fn asking(&self) -> Option<Asking> {
        self.readings
            .all(|place| self.files[place].stamp, self.listed)
    }

    fn find_places(&mut self) {
        let numbered = self.files.iter().enumerate();
        self.places = numbered
            .map(|(place, file)| (file.path.clone(), place))
            .collect();
    }

    fn walk(&mut self) {
        let images = ImageIgnore::read(&self.root);
        let walk = WalkBuilder::new(&self.root)
            .hidden(false)
            .parents(false)
            .git_global(false)
            .git_exclude(false)
            .require_git(false)
            .ignore(false)
            .follow_links(false)
            .max_depth(Some(self.bounds.depth))
            .filter_entry(|entry| {
                let installed = entry
                    .file_name()
                    .to_str()
                    .is_some_and(|name| INSTALLED.binary_search(&name).is_ok());
                let directory = entry.file_type().is_some_and(|kind| kind.is_dir());
                // A virtual environment may have any name, but always has this file.
                let environment = directory && entry.path().join("pyvenv.cfg").exists();
                !(directory && installed || environment)
            })
            .build();
        // A directory that may not be listed is left out like one that is not there.
        for entry in walk.flatten() {
            let Ok(relative) = entry.path().strip_prefix(&self.root) else {
                continue;
            };
            let Some(kind) = entry.file_type() else {
                continue;
            };
            if relative.to_str().is_none() {
                self.odd_names += 1;
            } else if kind.is_dir() {
                self.directories.insert(relative.to_owned());
            } else if kind.is_file() {
                if self.files.len() == self.bounds.files {
                    self.truncated = true;
                    break;
                }
                let data = entry.metadata();
                self.files.push(File {
                    path: Arc::from(relative),
                    size: data.as_ref().map_or(0, std::fs::Metadata::len),
                    stamp: data.as_ref().map(Stamp::of).unwrap_or_default(),
                    left_out_of_images: images.leaves_out(relative),
                });
            }
        }
        self.files.sort_by(|one, other| one.path.cmp(&other.path));
        self.find_places();
    }

    /// The directory itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files, sorted by path.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Whether there were more files than the bounds allow.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// How many files were read so far.
    pub fn files_read(&self) -> usize {
        self.readings.read()
    }

    /// Files that should have been read but could not be, and why.
    pub fn unreadable(&self) -> Vec<(Arc<Path>, String)> {
        match self.unreadable.lock() {
            Ok(set) => set.iter().cloned().collect(),
            Err(poisoned) => poisoned.into_inner().iter().cloned().collect(),
        }
    }

    /// The listed file at `path`.
    pub fn file(&self, path: &Path) -> Option<&File> {
        self.places.get(path).map(|place| &self.files[*place])
    }

    /// Whether there is a file at `path`.
    pub fn has_file(&self, path: &Path) -> bool {
        self.file(path).is_some()
    }

    /// Whether there is a directory at `path`.
    pub fn has_directory(&self, path: &Path) -> bool {
        self.directories.contains(path)
    }

    /// The files directly in `directory`.
    pub fn files_in<'a>(&'a self, directory: &'a Path) -> impl Iterator<Item = &'a File> {
        let start = self.files.partition_point(|file| *file.path < *directory);
        self.files[start..]
            .iter()
            .take_while(move |file| file.path.starts_with(directory))
            .filter(move |file| file.path.parent() == Some(directory))
    }

    /// The path under which `path` is shown.
    pub fn shown(&self, path: &Path) -> Arc<Path> {
        Arc::from(self.prefix.join(path))
    }

    /// Text of a source file; `None` when it is not there, too large, or unreadable.
    pub fn source(&self, path: &Path) -> Option<String> {
        self.text(path, self.bounds.source_bytes)
    }

    /// Text of a manifest or lock file.
    pub fn manifest(&self, path: &Path) -> Option<String> {
        self.text(path, self.bounds.manifest_bytes)
    }

    /// What a file says, remembered where the same was read before; `None` when it is not there, too large, unreadable,
    /// or says nothing of the kind.
    pub(crate) fn facts<F: Facts>(&self, path: &Path) -> Option<F> {
        let (place, bytes) = self.read_file(path, F::most(&self.bounds))?;
        let digest = digest(&bytes);
        self.readings.facts(place, digest, F::KIND);
        let path = &self.files[place].path;
        let shown = self.shown(path);
        let read = || F::read(path, shown.clone(), plimsoll_model::text_of(bytes));
        match &self.memory {
            Some(memory) => memory.texts.recall(key(F::KIND, &shown, &digest), read),
            None => read(),
        }
    }

    /// The answer to a question about the text of a source file: the numbers of what it names, sorted. `None` when it
    /// is not there, too large, or unreadable.
    pub(crate) fn answer(&self, path: &Path, question: &Arc<Question>) -> Option<Vec<u32>> {
        let (place, bytes) = self.read_file(path, self.bounds.source_bytes)?;
        let digest = digest(&bytes);
        let answer = question.answer(&plimsoll_model::text_of(bytes));
        self.readings.answer(place, digest, question, &answer);
        Some(answer)
    }

    /// Whether a listed file has no more than `most` bytes.
    pub(crate) fn is_at_most(&self, file: &File, most: u64) -> bool {
        if let Some(place) = self.places.get(&file.path) {
            self.readings.size(*place, file.size);
        }
        file.size <= most
    }

    fn text(&self, path: &Path, most: u64) -> Option<String> {
        let (place, bytes) = self.read_file(path, most)?;
        self.readings.bytes(place, &bytes);
        Some(plimsoll_model::text_of(bytes))
    }

    /// Where a file stands among the files, and its bytes.
    fn read_file(&self, path: &Path, most: u64) -> Option<(usize, Vec<u8>)> {
        let place = *self.places.get(path)?;
        let file = &self.files[place];
        if !self.is_at_most(file, most) {
            return None;
        }
        match self.bytes(file, most) {
            Ok(bytes) => Some((place, bytes)),
            Err(error) => {
                self.readings.failed();
                if let Ok(mut unreadable) = self.unreadable.lock() {
                    unreadable.insert((file.path.clone(), error.kind().to_string()));
                }
                None
            }
        }
    }

    fn bytes(&self, file: &File, most: u64) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(file.size.min(most) as usize);
        // The file may grow between listing and reading.
        fs_err::File::open(self.root.join(&file.path))?
            .take(most)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// What `.dockerignore` keeps out of images.
struct ImageIgnore(Option<Gitignore>);

impl ImageIgnore {
    fn read(root: &Path) -> Self {
        let Ok(text) = fs_err::read_to_string(root.join(".dockerignore")) else {
            return Self(None);
        };
        let mut builder = GitignoreBuilder::new(root);
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (keep, pattern) = match line.strip_prefix('!') {
                Some(rest) => ("!", rest.trim()),
                None => ("", line),
            };
            // Here a pattern without a slash counts from the root, unlike in `.gitignore`.
            let pattern = pattern.trim_start_matches("./").trim_start_matches('/');
            // A pattern that does not parse matches nothing, as in image builders.
            let _ = builder.add_line(None, &format!("{keep}/{pattern}"));
            // What is kept is kept with all that lies in it.
            if keep == "!" {
                let _ = builder.add_line(None, &format!("!/{}/**", pattern.trim_end_matches('/')));
            }
        }
        Self(builder.build().ok())
    }

    fn leaves_out(&self, path: &Path) -> bool {
        self.0.as_ref().is_some_and(|patterns| {
            patterns
                .matched_path_or_any_parents(path, false)
                .is_ignore()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let tree = Tree::read(directory.path()).unwrap();
        (directory, tree)
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.files()
            .iter()
            .map(|file| file.path.to_str().unwrap())
            .collect()
    }

    #[test]
    fn the_list_of_installed_directories_is_sorted() {
        assert!(INSTALLED.is_sorted());
    }

    #[test]
    fn ignored_and_installed_files_are_left_out() {
        let (_directory, tree) = tree(&[
            (".gitignore", "build/\n*.log\n"),
            ("app.py", ""),
            ("build/out.py", ""),
            ("node_modules/x/index.js", ""),
            ("env/pyvenv.cfg", ""),
            ("env/lib/thing.py", ""),
            ("trace.log", ""),
        ]);
        assert_eq!(paths(&tree), [".gitignore", "app.py"]);
    }

    #[test]
    fn the_image_ignore_file_marks_but_does_not_hide() {
        let (_directory, tree) = tree(&[
            (".dockerignore", "# no\ntests\n*.md\n!README.md\n"),
            ("README.md", ""),
            ("NOTES.md", ""),
            ("docs/NOTES.md", ""),
            ("tests/app.py", ""),
        ]);
        let left_out: Vec<_> = tree
            .files()
            .iter()
            .filter(|file| file.left_out_of_images)
            .map(|file| file.path.to_str().unwrap())
            .collect();
        assert_eq!(left_out, ["NOTES.md", "tests/app.py"]);
    }

    #[test]
    fn a_directory_that_the_image_ignore_file_keeps_is_kept_whole() {
        let (_directory, tree) = tree(&[
            (".dockerignore", "**\n!/app\n!main.py\n"),
            ("app/deep/worker.py", ""),
            ("main.py", ""),
            ("notes.py", ""),
        ]);
        let left_out: Vec<_> = tree
            .files()
            .iter()
            .filter(|file| file.left_out_of_images)
            .map(|file| file.path.to_str().unwrap())
            .collect();
        assert_eq!(left_out, [".dockerignore", "notes.py"]);
    }

    #[test]
    fn links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs_err::write(outside.path().join("secret.py"), "x").unwrap();
        let (directory, _) = tree(&[("app.py", "")]);
        fs_err::os::unix::fs::symlink(outside.path(), directory.path().join("out")).unwrap();
        fs_err::os::unix::fs::symlink(
            outside.path().join("secret.py"),
            directory.path().join("link.py"),
        )
        .unwrap();
        fs_err::os::unix::fs::symlink(directory.path(), directory.path().join("loop")).unwrap();
        let tree = Tree::read(directory.path()).unwrap();
        assert_eq!(paths(&tree), ["app.py"]);
        assert_eq!(tree.source(Path::new("link.py")), None);
    }

    #[test]
    fn wrong_bytes_and_large_files_do_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("latin.py"), b"# caf\xe9\nx = 1\n").unwrap();
        fs_err::write(directory.path().join("large.py"), vec![b'a'; 2 << 20]).unwrap();
        let tree = Tree::read(directory.path()).unwrap();
        assert!(
            tree.source(Path::new("latin.py"))
                .unwrap()
                .ends_with("x = 1\n")
        );
        assert_eq!(tree.source(Path::new("large.py")), None);
    }
}
