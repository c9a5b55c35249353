//! The packages that a service needs at run time, out of all that are installed.
//!
//! Node's own rule decides: a package is looked for in the `node_modules` of each directory
//! upwards from the one that asks. So this holds for the layout of every package manager, and
//! phantom dependencies stay out exactly where the manager would not give them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use serde_json::Value;

use super::install::runs_on;
use super::members::Members;
use crate::oci::Architecture;

/// What a service needs of an installed tree.
#[derive(Debug, Default)]
pub(super) struct Closure {
    /// Packages by their directory below the tree.
    pub packages: BTreeMap<String, Package>,
    /// Links to packages, by their path below the tree, with their targets as written.
    pub links: BTreeMap<String, String>,
    /// What is not installed although something depends on it: who, and what.
    pub missing: Vec<(String, String)>,
    /// Directories of the workspace's own packages that belong to it, the service's included.
    pub workspace: BTreeSet<String>,
}

/// A package of the closure.
#[derive(Debug)]
pub(super) struct Package {
    pub manifest: Value,
}

impl Package {
    /// Its name and version.
    pub(super) fn label(&self) -> String {
        let word = |key| self.manifest.get(key).and_then(Value::as_str);
        let name = word("name").unwrap_or("?");
        match word("version") {
            Some(version) => format!("{name}@{version}"),
            None => name.to_string(),
        }
    }
}

/// A tree of installed packages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Installed<'a> {
    /// The directory that stands for the context's root.
    pub site: &'a Path,
    pub architecture: Architecture,
}

/// How much a dependency matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Required,
    /// Its absence is no mistake.
    Optional,
}

impl Installed<'_> {
    /// Where `name` is found from a directory: every link on the way, and the directory in the end.
    pub(super) fn resolve(
        &self,
        from: &str,
        name: &str,
        links: &mut BTreeMap<String, String>,
    ) -> Option<String> {
        for above in Path::new(from).ancestors() {
            if above.file_name().is_some_and(|own| own == "node_modules") {
                continue;
            }
            let candidate = above.join("node_modules").join(name);
            if let Some(found) = self.follow(&candidate, links) {
                return Some(found);
            }
        }
        None
    }

    /// Follows the links at a path. A target outside of the tree is none.
    fn follow(&self, path: &Path, links: &mut BTreeMap<String, String>) -> Option<String> {
        let mut path = path.to_path_buf();
        for _ in 0..8 {
            let place = self.site.join(&path);
            let Ok(metadata) = fs::symlink_metadata(&place) else {
                // A workspace's package is no part of the tree, which only has packages.
                let inside = !text(&path).split('/').any(|part| part == "node_modules");
                return inside.then(|| text(&path));
            };
            if !metadata.is_symlink() {
                return metadata.is_dir().then(|| text(&path));
            }
            let target = fs::read_link(&place).ok()?;
            let next = match target.strip_prefix(super::project::SITE) {
                Ok(inside) => inside.to_path_buf(),
                Err(_) => normal(&path.parent().unwrap_or(Path::new("")).join(&target))?,
            };
            links.insert(text(&path), relative(&path, &next));
            path = next;
        }
        None
    }

    /// The `package.json` of an installed package.
    pub(super) fn manifest(&self, place: &str) -> Option<Value> {
        let text = fs::read_to_string(self.site.join(place).join("package.json")).ok()?;
        serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
    }

    /// Everything that the package in `root` needs at run time, and `more` packages by name.
    pub(super) fn closure(
        &self,
        members: &Members,
        root: &str,
        more: &BTreeSet<String>,
    ) -> Closure {
        let mut closure = Closure::default();
        closure.workspace.insert(root.to_string());
        let mut seen = BTreeSet::from([root.to_string()]);
        let mut open = VecDeque::new();
        if let Some(member) = members.at(root) {
            open.push_back((root.to_string(), member.manifest.clone()));
        }
        for name in more {
            self.add(
                root,
                name,
                Weight::Optional,
                members,
                &mut closure,
                &mut seen,
                &mut open,
            );
        }
        while let Some((place, manifest)) = open.pop_front() {
            for (name, weight) in dependencies(&manifest) {
                self.add(
                    &place,
                    &name,
                    weight,
                    members,
                    &mut closure,
                    &mut seen,
                    &mut open,
                );
            }
        }
        closure
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one walk")]
    fn add(
        &self,
        from: &str,
        name: &str,
        weight: Weight,
        members: &Members,
        closure: &mut Closure,
        seen: &mut BTreeSet<String>,
        open: &mut VecDeque<(String, Value)>,
    ) {
        let mut links = BTreeMap::new();
        let Some(place) = self.resolve(from, name, &mut links) else {
            if weight == Weight::Required {
                closure.missing.push((from.to_string(), name.to_string()));
            }
            return;
        };
        if is_installed(&place) {
            let Some(manifest) = self.manifest(&place) else {
                return;
            };
            if !runs_on(&manifest, self.architecture) {
                return;
            }
            if seen.insert(place.clone()) {
                open.push_back((place.clone(), manifest.clone()));
                closure.packages.insert(place, Package { manifest });
            }
        } else if let Some(member) = members.at(&place) {
            if seen.insert(place.clone()) {
                closure.workspace.insert(place.clone());
                open.push_back((place, member.manifest.clone()));
            }
        } else {
            return;
        }
        closure.links.extend(links);
    }
}

/// Whether a directory below the tree is an installed package's, not a workspace's own.
pub(super) fn is_installed(place: &str) -> bool {
    place.split('/').any(|part| part == "node_modules")
}

/// What a package needs at run time. A peer that is marked optional is taken only where something
/// else asks for it.
fn dependencies(manifest: &Value) -> Vec<(String, Weight)> {
    let table = |key: &str| {
        let table = manifest.get(key).and_then(Value::as_object);
        table.into_iter().flatten().map(|(name, _)| name.clone())
    };
    let optional: BTreeSet<String> = table("optionalDependencies").collect();
    let mut all: Vec<(String, Weight)> = table("dependencies")
        .filter(|name| !optional.contains(name))
        .map(|name| (name, Weight::Required))
        .collect();
    all.extend(optional.iter().map(|name| (name.clone(), Weight::Optional)));
    let is_optional = |name: &str| {
        let meta = manifest.get("peerDependenciesMeta");
        let meta = meta.and_then(|meta| meta.get(name)?.get("optional")?.as_bool());
        meta == Some(true)
    };
    all.extend(
        table("peerDependencies")
            .filter(|name| !is_optional(name))
            .map(|name| (name, Weight::Optional)),
    );
    all
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The path without `.` and `..`; `None` when it leads above its start.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// How a link at `link` writes the target `to`.
fn relative(link: &Path, to: &Path) -> String {
    let from: Vec<Component<'_>> = link
        .parent()
        .map(|p| p.components().collect())
        .unwrap_or_default();
    let target: Vec<Component<'_>> = to.components().collect();
    let common = from.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let mut path = PathBuf::new();
    path.extend(std::iter::repeat_n("..", from.len() - common));
    path.extend(&target[common..]);
    text(&path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Application, Purpose};

    fn tree(files: &[(&str, &str)], links: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for (path, target) in links {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::os::unix::fs::symlink(target, path).unwrap();
        }
        root
    }

    fn closure(root: &tempfile::TempDir, service: &str, more: &[&str]) -> Closure {
        let cache = root.path().join("cache");
        let context = root.path().join("context");
        let sources = Application::look(&context, Purpose::BuildInput, &cache).unwrap();
        let installed = Installed {
            site: &root.path().join("site"),
            architecture: Architecture::Amd64,
        };
        let more = more.iter().map(|name| name.to_string()).collect();
        installed.closure(&Members::read(&sources), service, &more)
    }

    fn places(closure: &Closure) -> Vec<&str> {
        closure.packages.keys().map(String::as_str).collect()
    }

    #[test]
    fn nested_packages_win_and_development_dependencies_stay_out() {
        let root = tree(
            &[
                (
                    "context/package.json",
                    r#"{"dependencies":{"a":"1","gone":"1"},"devDependencies":{"tsx":"4"}}"#,
                ),
                (
                    "site/node_modules/a/package.json",
                    r#"{"name":"a","dependencies":{"b":"2"}}"#,
                ),
                (
                    "site/node_modules/a/node_modules/b/package.json",
                    r#"{"name":"b","version":"2"}"#,
                ),
                (
                    "site/node_modules/b/package.json",
                    r#"{"name":"b","version":"1"}"#,
                ),
                ("site/node_modules/tsx/package.json", r#"{"name":"tsx"}"#),
            ],
            &[],
        );
        let found = closure(&root, "", &[]);
        assert_eq!(
            places(&found),
            ["node_modules/a", "node_modules/a/node_modules/b"]
        );
        assert_eq!(found.missing, [(String::new(), "gone".to_string())]);
        let found = closure(&root, "", &["tsx"]);
        assert!(found.packages.contains_key("node_modules/tsx"));
    }

    #[test]
    fn links_of_a_store_and_of_a_workspace_are_kept() {
        let root = tree(
            &[
                (
                    "context/apps/api/package.json",
                    r#"{"name":"api","dependencies":{"core":"*","x":"1"}}"#,
                ),
                (
                    "context/packages/core/package.json",
                    r#"{"name":"core","dependencies":{"y":"1"}}"#,
                ),
                (
                    "site/node_modules/.pnpm/x@1/node_modules/x/package.json",
                    r#"{"name":"x","dependencies":{"y":"1"}}"#,
                ),
                (
                    "site/node_modules/.pnpm/y@1/node_modules/y/package.json",
                    r#"{"name":"y"}"#,
                ),
            ],
            &[
                (
                    "site/apps/api/node_modules/x",
                    "../../../node_modules/.pnpm/x@1/node_modules/x",
                ),
                ("site/apps/api/node_modules/core", "../../../packages/core"),
                (
                    "site/packages/core/node_modules/y",
                    "/site/node_modules/.pnpm/y@1/node_modules/y",
                ),
                (
                    "site/node_modules/.pnpm/x@1/node_modules/y",
                    "../../y@1/node_modules/y",
                ),
            ],
        );
        let found = closure(&root, "apps/api", &[]);
        assert_eq!(
            places(&found),
            [
                "node_modules/.pnpm/x@1/node_modules/x",
                "node_modules/.pnpm/y@1/node_modules/y"
            ]
        );
        assert_eq!(found.links.len(), 4);
        assert_eq!(
            found.links["packages/core/node_modules/y"],
            "../../../node_modules/.pnpm/y@1/node_modules/y"
        );
    }

    #[test]
    fn packages_for_other_platforms_and_optional_peers_stay_out() {
        let root = tree(
            &[
                ("context/package.json", r#"{"dependencies":{"sharp":"1"}}"#),
                (
                    "site/node_modules/sharp/package.json",
                    r#"{"name":"sharp","optionalDependencies":{"sharp-x64":"1","sharp-musl":"1"},
                        "peerDependencies":{"sass":"1","react":"1"},
                        "peerDependenciesMeta":{"sass":{"optional":true}}}"#,
                ),
                (
                    "site/node_modules/sharp-x64/package.json",
                    r#"{"cpu":["x64"],"libc":["glibc"]}"#,
                ),
                (
                    "site/node_modules/sharp-musl/package.json",
                    r#"{"cpu":["x64"],"libc":["musl"]}"#,
                ),
                ("site/node_modules/sass/package.json", "{}"),
                ("site/node_modules/react/package.json", "{}"),
            ],
            &[],
        );
        assert_eq!(
            places(&closure(&root, "", &[])),
            [
                "node_modules/react",
                "node_modules/sharp",
                "node_modules/sharp-x64"
            ]
        );
    }

    #[test]
    fn a_link_out_of_the_tree_is_not_followed() {
        let root = tree(
            &[("context/package.json", r#"{"dependencies":{"a":"1"}}"#)],
            &[("site/node_modules/a", "../../../../etc")],
        );
        let found = closure(&root, "", &[]);
        assert!(found.packages.is_empty() && found.links.is_empty());
    }
}
