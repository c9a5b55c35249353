//! Which packages of Node a workspace installs together.

use std::path::{Component, Path};

use crate::yaml::{self, Node};

/// The members of a workspace, as its root names them: `workspaces` of `package.json` (npm, Yarn, Bun), or `packages` of
/// `pnpm-workspace.yaml`. Patterns are globs of directories; one that begins with `!` takes members out again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeWorkspace {
    patterns: Vec<String>,
}

impl NodeWorkspace {
    /// The members that patterns of a `package.json` name.
    pub fn of_patterns<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Self {
        Self {
            patterns: patterns.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The members that the text of a `pnpm-workspace.yaml` names; none where it is no YAML.
    pub fn of_pnpm(text: &str) -> Self {
        let documents = yaml::parse(text, Path::new("pnpm-workspace.yaml")).unwrap_or_default();
        let packages = documents.first().and_then(|root| root.get("packages"));
        let packages = packages.and_then(Node::as_list).unwrap_or_default();
        Self::of_patterns(packages.iter().filter_map(Node::as_text))
    }

    /// Whether it names no members at all: settings of a manager may stand in the same files.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether the package in a directory is a member. `place` is the directory's path below the root.
    pub fn has_member(&self, place: &Path) -> bool {
        // The last pattern that means a place decides.
        let meant = self.patterns.iter().rev().find_map(|pattern| {
            let (pattern, member) = match pattern.strip_prefix('!') {
                Some(pattern) => (pattern, false),
                None => (pattern.as_str(), true),
            };
            means(pattern, place).then_some(member)
        });
        meant == Some(true)
    }
}

/// Whether a pattern means a place: `apps/*`, `packages/**`.
fn means(pattern: &str, place: &Path) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    let mut parts = place.components().filter_map(|part| match part {
        Component::Normal(part) => part.to_str(),
        _ => None,
    });
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
        let is = |pattern: &str, place: &str| {
            NodeWorkspace::of_patterns([pattern]).has_member(Path::new(place))
        };
        assert!(is("apps/*", "apps/api") && is("./apps/api/", "apps/api"));
        assert!(is("packages/**", "packages/a/b") && is("app-*", "app-web"));
        assert!(!is("apps/*", "apps/api/src") && !is("apps/*", "packages/ui"));
        assert!(!is("!apps/old", "apps/old") && !is("apps/*", "apps"));
    }

    #[test]
    fn a_pattern_takes_members_out() {
        let workspace = NodeWorkspace::of_patterns(["apps/*", "!apps/old"]);
        assert!(workspace.has_member(Path::new("apps/api")));
        assert!(!workspace.has_member(Path::new("apps/old")));
    }

    #[test]
    fn a_file_of_pnpm_lists_members() {
        let text = "# all\npackages:\n  - 'apps/*' # ours\n\n  - \"packages/*\"\ncatalog:\n  - x\n";
        let members = NodeWorkspace::of_patterns(["apps/*", "packages/*"]);
        assert_eq!(NodeWorkspace::of_pnpm(text), members);
        assert_eq!(
            NodeWorkspace::of_pnpm("packages: [apps/*, 'packages/*']"),
            members
        );
        assert!(NodeWorkspace::of_pnpm("onlyBuiltDependencies:\n  - esbuild\n").is_empty());
    }
}
