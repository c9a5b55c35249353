//! The workspace around a package: who installs it where no lock file says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_model::NodeManager;

use super::manifest::manager;
use crate::document::Item;
use crate::places;
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
                Some(text) => listed(text),
                None => [&["workspaces"][..], &["workspaces", "packages"]]
                    .iter()
                    .flat_map(|keys| item.texts(keys))
                    .map(str::to_owned)
                    .collect(),
            };
            let place = directory.strip_prefix(above).ok()?;
            let is_root = place.as_os_str().is_empty() && !members.is_empty();
            if !is_root && !members.iter().any(|member| matches(member, place)) {
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

/// The members that a `pnpm-workspace.yaml` names.
fn listed(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    lines.find(|line| line.trim_end() == "packages:");
    lines
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map_while(|line| line.strip_prefix("- "))
        .map(|member| member.trim().trim_matches(['"', '\'']).to_owned())
        .collect()
}

/// Whether a pattern of members means a place: `apps/*`, `packages/**`.
fn matches(member: &str, place: &Path) -> bool {
    let pattern = member.trim_start_matches("./").trim_end_matches('/');
    let mut parts = places::text(place).split('/');
    for wanted in pattern.split('/') {
        if wanted == "**" {
            return true;
        }
        let Some(part) = parts.next() else {
            return false;
        };
        let fits = match wanted.split_once('*') {
            Some((start, end)) => part.starts_with(start) && part.ends_with(end),
            None => wanted == part,
        };
        if !fits {
            return false;
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_what_patterns_mean() {
        let is = |member: &str, place: &str| matches(member, Path::new(place));
        assert!(is("apps/*", "apps/api") && is("./apps/api/", "apps/api"));
        assert!(is("packages/**", "packages/a/b") && is("app-*", "app-web"));
        assert!(!is("apps/*", "apps/api/src") && !is("apps/*", "packages/ui"));
        assert!(!is("!apps/old", "apps/old") && !is("apps/*", "apps"));
    }

    #[test]
    fn a_file_of_pnpm_lists_members() {
        let text = "# all\npackages:\n  - 'apps/*' # ours\n\n  - \"packages/*\"\ncatalog:\n  - x\n";
        assert_eq!(listed(text), ["apps/*", "packages/*"]);
        assert!(listed("onlyBuiltDependencies:\n  - esbuild\n").is_empty());
    }
}
