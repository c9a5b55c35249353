//! `package.json`, and the lock file that belongs to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Span, Spanned};
use plimsoll_model::NodeManager;

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
        let lock = lock(tree, &directory);
        let declared =
            item.text(&["packageManager"])
                .and_then(|text| match text.split('@').next()? {
                    "npm" => Some(NodeManager::Npm),
                    "pnpm" => Some(NodeManager::Pnpm),
                    "yarn" => Some(NodeManager::Yarn),
                    "bun" => Some(NodeManager::Bun),
                    _ => None,
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
            manager: lock.as_ref().map(|(_, manager)| *manager).or(declared),
            lock: lock.map(|(path, _)| path),
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

    /// Whether the script called `name` starts a program.
    pub(crate) fn script_runs(&self, name: &str, program: &str) -> bool {
        self.script(name).is_some_and(|script| {
            let mut words = script.split(['&', '|', ';', ' ']);
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

    /// How the package says it is started.
    pub(crate) fn start_command(&self) -> Vec<String> {
        let Some(script) = self.script("start") else {
            return Vec::new();
        };
        let plain = !script.contains(['&', '|', ';', '$', '"', '\'']);
        if plain && script.starts_with("node ") {
            return script.split_whitespace().map(str::to_owned).collect();
        }
        ["npm", "run", "start"].map(str::to_owned).to_vec()
    }
}

/// The lock file in the directory, or in the workspace above it.
fn lock(tree: &Tree, directory: &Path) -> Option<(PathBuf, NodeManager)> {
    let here = |directory: &Path| {
        LOCKS
            .iter()
            .map(|(name, manager)| (directory.join(name), *manager))
            .find(|(path, _)| tree.has_file(path))
    };
    if let Some(found) = here(directory) {
        return Some(found);
    }
    directory.ancestors().skip(1).find_map(|above| {
        let manifest = above.join("package.json");
        let workspace = tree.has_file(&above.join("pnpm-workspace.yaml"))
            || Item::json(&Arc::from(manifest.as_path()), tree.source(&manifest)?)?
                .get(&["workspaces"])
                .is_some();
        if workspace { here(above) } else { None }
    })
}
