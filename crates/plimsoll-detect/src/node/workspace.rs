//! The workspace around a package: who installs it where no lock file says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_model::{NodeManager, NodeWorkspace};

use super::manifest::manager;
use crate::document::Item;
use crate::tree::Tree;

/// What installs all packages of a workspace at once.
#[derive(Debug, Clone)]
pub(super) struct Around {
    /// The workspace's directory.
    pub(super) directory: PathBuf,
    /// Who installs it, where that is said.
    pub(super) manager: Option<NodeManager>,
}

impl Around {
    /// The workspace that the package in `directory` is a member of, or the root of.
    pub(super) fn of(tree: &Tree, directory: &Path) -> Option<Self> {
        directory.ancestors().find_map(|above| {
            let manifest = above.join("package.json");
            let text = tree.source(&manifest)?;
            let item = Item::json(&Arc::from(manifest.as_path()), text)?;
            let pnpm = above.join("pnpm-workspace.yaml");
            let stated = tree.has_file(&pnpm).then(|| tree.source(&pnpm)).flatten();
            let members = match &stated {
                Some(text) => NodeWorkspace::of_pnpm(text),
                None => {
                    let keys = [&["workspaces"][..], &["workspaces", "packages"]];
                    NodeWorkspace::of_patterns(keys.iter().flat_map(|keys| item.texts(keys)))
                }
            };
            let place = directory.strip_prefix(above).ok()?;
            let is_root = place.as_os_str().is_empty() && !members.is_empty();
            if !is_root && !members.has_member(place) {
                return None;
            }
            let declared = item.text(&["packageManager"]).and_then(manager);
            let by_file = stated.map(|_| NodeManager::Pnpm).or_else(|| {
                let yarn = tree.has_file(&above.join(".yarnrc.yml"));
                yarn.then_some(NodeManager::Yarn)
            });
            Some(Self {
                directory: above.to_owned(),
                manager: declared.or(by_file),
            })
        })
    }
}
