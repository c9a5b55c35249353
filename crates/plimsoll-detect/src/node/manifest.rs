//! `package.json`, and the lock file that belongs to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Span, Spanned};
use plimsoll_model::NodeManager;

use super::exports::Exports;
use super::workspace::Around;
use crate::claims::{Dockerfile, start_scripts};
use crate::document::Item;
use crate::tree::Tree;

/// One package.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) path: Arc<Path>,
    pub(crate) directory: PathBuf,
    pub(crate) span: Span,
    pub(crate) name: Option<String>,
    pub(crate) node: Option<String>,
    /// Name, wanted version, whether it is needed at run time.
    pub(crate) dependencies: Vec<(String, Spanned<String>, bool)>,
    scripts: Vec<(String, Spanned<String>)>,
    pub(crate) manager: Option<NodeManager>,
    pub(crate) lock: Option<PathBuf>,
    /// The directory that its packages are installed in: that of the lock file, else of the workspace that it is a
    /// member of, else its own.
    pub(crate) installed_in: PathBuf,
    /// Lock files of other managers beside it.
    pub(crate) other_locks: Vec<PathBuf>,
    /// The manager that `packageManager` names.
    pub(crate) declared_manager: Option<Spanned<String>>,
    /// The manager that its Dockerfile installs with.
    pub(crate) image_manager: Option<Spanned<String>>,
    /// The file that `main` names.
    pub(crate) main: Option<String>,
    /// The files that imports of its parts mean.
    pub(super) exports: Exports,
    /// Programs that it gives: name and file.
    pub(crate) programs: Vec<(String, String)>,
    /// The version of Node that it is run on elsewhere, as a range, and where that is said.
    pub(crate) preferred_node: Option<Spanned<String>>,
    /// What its Dockerfile is built on, as a range.
    pub(crate) dockerfile_node: Option<Spanned<String>>,
    /// The schema that it names for Prisma.
    pub(crate) prisma_schema: Option<String>,
    /// Whether it is made to be installed by others rather than to be run.
    pub(crate) library: bool,
    /// Whether it holds other packages.
    pub(crate) workspace: bool,
}

const LOCKS: &[(&str, NodeManager)] = &[
    ("package-lock.json", NodeManager::Npm),
    ("npm-shrinkwrap.json", NodeManager::Npm),
    ("pnpm-lock.yaml", NodeManager::Pnpm),
    ("yarn.lock", NodeManager::Yarn),
    ("bun.lock", NodeManager::Bun),
    ("bun.lockb", NodeManager::Bun),
];

impl Package {
    /// Reads the manifest at `path`.
    pub(crate) fn read(tree: &Tree, path: &Arc<Path>) -> Option<Self> {
        let item = Item::json(path, tree.source(path)?)?;
        let shown = tree.shown(path);
        let spanned = |item: &Item| {
            Some(Spanned::new(
                item.as_text()?.to_owned(),
                item.place.in_file(shown.clone()),
            ))
        };
        let mut dependencies = Vec::new();
        for (table, runtime) in [
            ("dependencies", true),
            ("devDependencies", false),
            ("optionalDependencies", true),
        ] {
            for (name, version) in item.entries(&[table]) {
                if let Some(version) = spanned(version) {
                    dependencies.push((name.clone(), version, runtime));
                }
            }
        }
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let programs = match item.get(&["bin"]) {
            Some(bin) => match bin.as_text() {
                Some(file) => item
                    .text(&["name"])
                    .map(|name| name.rsplit('/').next().unwrap_or(name).to_owned())
                    .map(|name| (name, file.to_owned()))
                    .into_iter()
                    .collect(),
                None => item
                    .entries(&["bin"])
                    .iter()
                    .filter_map(|(name, file)| Some((name.clone(), file.as_text()?.to_owned())))
                    .collect(),
            },
            None => Vec::new(),
        };
        let volta = item.get(&["volta", "node"]).and_then(&spanned);
        let preferred_node = volta.or_else(|| preferred_node(tree, &directory));
        let declared_manager = item.get(&["packageManager"]).and_then(&spanned);
        let declared = declared_manager
            .as_ref()
            .and_then(|text| manager(&text.value));
        let image_manager = image_manager(tree, &directory);
        let by_image = image_manager.as_ref().and_then(|text| manager(&text.value));
        let (lock, other_locks) = lock(tree, &directory, declared.or(by_image));
        let around = match &lock {
            Some(_) => None,
            None => Around::of(tree, &directory),
        };
        let installed_in = match (&lock, &around) {
            (Some((lock, _)), _) => lock.parent().unwrap_or(Path::new("")).to_owned(),
            (None, Some(around)) => around.directory.clone(),
            (None, None) => directory.clone(),
        };
        // Only npm does not know what others of a workspace are wanted by.
        let wants_others = dependencies
            .iter()
            .any(|(_, version, _)| version.starts_with("workspace:"));
        let by_workspace = around.and_then(|around| {
            let any = wants_others.then_some(NodeManager::Yarn);
            around.manager.or(any)
        });
        Some(Self {
            path: path.clone(),
            span: item.get(&["name"]).map_or_else(
                || Span::line(shown.clone(), 1),
                |name| name.place.in_file(shown.clone()),
            ),
            name: item.text(&["name"]).map(str::to_owned),
            node: item.text(&["engines", "node"]).map(str::to_owned),
            scripts: item
                .entries(&["scripts"])
                .iter()
                .filter_map(|(name, script)| Some((name.clone(), spanned(script)?)))
                .collect(),
            dependencies,
            manager: lock
                .as_ref()
                .map(|(_, manager)| *manager)
                .or(declared)
                .or(by_workspace),
            lock: lock.map(|(path, _)| path),
            installed_in,
            other_locks,
            declared_manager,
            image_manager,
            main: item.text(&["main"]).map(str::to_owned),
            exports: Exports::read(item.get(&["exports"])),
            library: ["module", "types", "typings", "exports"]
                .iter()
                .any(|key| item.get(&[key]).is_some())
                && item
                    .get(&["private"])
                    .is_none_or(|private| !private.is_true()),
            programs,
            preferred_node,
            dockerfile_node: dockerfile_node(tree, &directory),
            prisma_schema: item.text(&["prisma", "schema"]).map(str::to_owned),
            workspace: item.get(&["workspaces"]).is_some()
                || tree.has_file(&directory.join("pnpm-workspace.yaml")),
            directory,
        })
    }

    /// Whether it depends on a distribution, at run time or for building.
    pub(crate) fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|(known, ..)| known == name)
    }

    /// The script called `name`.
    pub(crate) fn script(&self, name: &str) -> Option<&Spanned<String>> {
        self.scripts
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, script)| script)
    }

    /// Whether the script called `name` starts a program, itself or by other scripts that it calls.
    pub(crate) fn script_runs(&self, name: &str, program: &str) -> bool {
        super::script::called(self, name).into_iter().any(|script| {
            let mut words = self
                .script(script)
                .map_or("", |line| line.as_str())
                .split(['&', '|', ';', ' ', '"', '\'']);
            words.any(|word| word.rsplit('/').next() == Some(program))
        })
    }

    /// The major version that is wanted of a distribution: `6` of `^6.2.0`.
    pub(crate) fn version_of(&self, name: &str) -> Option<String> {
        let (_, version, _) = self.dependencies.iter().find(|(known, ..)| known == name)?;
        let digits: String = version
            .trim_start_matches(|c: char| !c.is_ascii_digit())
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        (!digits.is_empty()).then_some(digits)
    }

    /// Names of its scripts.
    pub(crate) fn script_names(&self) -> impl Iterator<Item = &str> {
        self.scripts.iter().map(|(name, _)| name.as_str())
    }

    /// The versions of Node that it is run on: what it is run on elsewhere, else what `engines` say,
    /// else what its Dockerfile is built on.
    pub(crate) fn node_range(&self) -> Option<Spanned<String>> {
        self.preferred_node
            .clone()
            .or_else(|| self.node.clone().map(Spanned::unplaced))
            .or_else(|| self.dockerfile_node.clone())
    }

    #[cfg(test)]
    pub(crate) fn with_scripts(scripts: &[(&str, &str)]) -> Self {
        Self {
            path: Arc::from(Path::new("package.json")),
            directory: PathBuf::new(),
            span: Span::line(Arc::from(Path::new("package.json")), 1),
            name: None,
            node: None,
            dependencies: Vec::new(),
            scripts: scripts
                .iter()
                .map(|(name, line)| (name.to_string(), Spanned::unplaced(line.to_string())))
                .collect(),
            manager: None,
            lock: None,
            installed_in: PathBuf::new(),
            other_locks: Vec::new(),
            declared_manager: None,
            image_manager: None,
            main: None,
            exports: Exports::default(),
            library: false,
            programs: Vec::new(),
            preferred_node: None,
            dockerfile_node: None,
            prisma_schema: None,
            workspace: false,
        }
    }
}

/// What `.nvmrc` or `.node-version` say, here or above.
fn preferred_node(tree: &Tree, directory: &Path) -> Option<Spanned<String>> {
    directory.ancestors().find_map(|above| {
        [".nvmrc", ".node-version"].iter().find_map(|name| {
            let path = above.join(name);
            let text = tree.has_file(&path).then(|| tree.source(&path))??;
            let range = range_of(text.lines().next()?.trim())?;
            Some(Spanned::new(range, Span::line(tree.shown(&path), 1)))
        })
    })
}

/// What the Dockerfile here or above is built on.
fn dockerfile_node(tree: &Tree, directory: &Path) -> Option<Spanned<String>> {
    directory.ancestors().find_map(|above| {
        let path = above.join("Dockerfile");
        let version = tree
            .has_file(&path)
            .then(|| Dockerfile::read(tree, &path))??
            .node()?;
        let range = range_of(&version.value)?;
        Some(version.map(|_| range))
    })
}

/// The manager that the Dockerfile here or above installs with, where it is one alone.
fn image_manager(tree: &Tree, directory: &Path) -> Option<Spanned<String>> {
    let path = directory
        .ancestors()
        .map(|above| above.join("Dockerfile"))
        .find(|path| tree.has_file(path))?;
    let file = Dockerfile::read(tree, &path)?;
    let runs = file.stages.iter().flat_map(|stage| &stage.runs);
    let mut found: Vec<String> = Vec::new();
    for words in runs.flat_map(|run| start_scripts::commands(run)) {
        let installs = words
            .iter()
            .any(|word| matches!(word.as_str(), "install" | "i" | "ci"));
        // `npm install -g pnpm` brings the manager.
        let brings = words
            .iter()
            .any(|word| matches!(word.as_str(), "-g" | "--global"));
        let first = words.first().filter(|first| manager(first).is_some());
        if let Some(first) = first.filter(|first| installs && !brings && !found.contains(first)) {
            found.push(first.clone());
        }
    }
    let [only] = found.as_slice() else {
        return None;
    };
    Some(Spanned::new(only.clone(), Span::line(tree.shown(&path), 1)))
}

/// The range of versions of Node that a word names: the release line of a version, since a newer
/// patch of it serves as well.
fn range_of(word: &str) -> Option<String> {
    let line = match word.to_ascii_lowercase().as_str() {
        "lts/hydrogen" => "18".to_owned(),
        "lts/iron" => "20".to_owned(),
        "lts/jod" => "22".to_owned(),
        "lts/krypton" => "24".to_owned(),
        other => other
            .trim_start_matches(['v', 'V'])
            .split('.')
            .next()
            .filter(|line| !line.is_empty() && line.chars().all(|c| c.is_ascii_digit()))?
            .to_owned(),
    };
    Some(format!("{line}.x"))
}

/// The manager that a `packageManager` names: `pnpm` of `pnpm@9.1.0`.
pub(super) fn manager(text: &str) -> Option<NodeManager> {
    match text.split('@').next()? {
        "npm" => Some(NodeManager::Npm),
        "pnpm" => Some(NodeManager::Pnpm),
        "yarn" => Some(NodeManager::Yarn),
        "bun" => Some(NodeManager::Bun),
        _ => None,
    }
}

/// The lock file in the directory, or in the workspace above it, and those of other managers beside it. Of several
/// the one of the declared manager is used.
fn lock(
    tree: &Tree,
    directory: &Path,
    declared: Option<NodeManager>,
) -> (Option<(PathBuf, NodeManager)>, Vec<PathBuf>) {
    let here = |directory: &Path, declared: Option<NodeManager>| {
        let mut all: Vec<(PathBuf, NodeManager)> = LOCKS
            .iter()
            .map(|(name, manager)| (directory.join(name), *manager))
            .filter(|(path, _)| tree.has_file(path))
            .collect();
        all.sort_by_key(|(_, manager)| Some(*manager) != declared);
        all
    };
    let mut found = here(directory, declared);
    if found.is_empty() {
        let above = directory.ancestors().skip(1).map(|above| {
            let manifest = above.join("package.json");
            let item = tree
                .source(&manifest)
                .and_then(|text| Item::json(&Arc::from(manifest.as_path()), text));
            let item = item.as_ref();
            let workspace = tree.has_file(&above.join("pnpm-workspace.yaml"))
                || item.is_some_and(|item| item.get(&["workspaces"]).is_some());
            let declared = item.and_then(|item| manager(item.text(&["packageManager"])?));
            if workspace {
                here(above, declared)
            } else {
                Vec::new()
            }
        });
        found = above
            .into_iter()
            .find(|found| !found.is_empty())
            .unwrap_or_default();
    }
    let mut found = found.into_iter();
    let used = found.next();
    let others = found
        .filter(|(_, manager)| used.as_ref().is_some_and(|(_, used)| used != manager))
        .map(|(path, _)| path)
        .collect();
    (used, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_node_stands_for_its_release_line() {
        assert_eq!(range_of("v22.3.0").as_deref(), Some("22.x"));
        assert_eq!(range_of("lts/jod").as_deref(), Some("22.x"));
        assert_eq!(range_of("20").as_deref(), Some("20.x"));
        assert_eq!(range_of("lts/*"), None);
        assert_eq!(range_of("node"), None);
    }
}
